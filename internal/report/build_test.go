package report_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/report"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// runs makes the diagnostics of n runs of one cycle each. Every prediction is
// off by +0.01 A.h for odd and -0.01 A.h for even cycles, with a half width of
// 0.02, except in cycle 8 where it is off by 0.03; persistence is off by 0.02,
// the frozen value by 0.1. Voltages err by 8 mV, those of the last cycle's
// parameters by 16 mV.
func runs(n int) []calibration.Diagnostics {
	all := make([]calibration.Diagnostics, 0, n)
	at := time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC)
	for i := 1; i <= n; i++ {
		measured := 1.8 - 0.01*float64(i)
		off := 0.01
		if i%2 == 0 {
			off = -0.01
		}
		if i == 8 {
			off = 0.03
		}
		d := calibration.Diagnostics{
			Version: 1, Run: "r", WindowEnd: at.Add(time.Duration(i) * time.Hour),
			Decision:         calibration.Decision{Outcome: calibration.Promoted, Reason: "gained", Gain: new(0.5)},
			Telemetry:        calibration.Intake{Assimilated: 100, Bad: 1, Null: 2, NonFinite: 3, Late: i % 2},
			ChallengerScores: calibration.Scores{NIS: 1.5, Coverage90: 0.9},
			Segments: []calibration.Segment{{
				Index: i, Start: at.Add(time.Duration(i) * time.Hour), Pause: new(7200.0),
				Forecasts: []calibration.Forecast{{
					Name: "capacity", Measured: &measured,
					Onset:     &calibration.Interval{P05: measured + off - 0.02, P50: measured + off, P95: measured + off + 0.02},
					Ahead:     &calibration.Interval{P05: measured - 0.1, P50: measured + 0.04, P95: measured + 0.1},
					Baselines: map[string]float64{"persistence": measured + 0.02, "frozen": measured + 0.1},
				}},
				Trajectories: []calibration.Trajectory{{Name: "voltage", Count: 10, SSE: 10 * 0.008 * 0.008, Baselines: map[string]float64{"last_cycle": 10 * 0.016 * 0.016}}},
			}},
		}
		if i == 3 {
			d.Decision.Outcome, d.ChampionScores = calibration.Rejected, &calibration.Scores{NIS: 9, Coverage90: 0.1}
		}
		for _, output := range []string{"capacity", "resistance", "state_of_health", "remaining_cycles", "voltage_5min"} {
			for _, q := range []float64{0.05, 0.5, 0.95} {
				d.Predictions = append(d.Predictions, calibration.Prediction{Output: output, Quantile: q, Value: 1 + q})
			}
		}
		all = append(all, d)
	}
	return all
}

func build() *report.Report {
	end := 1.4
	d := &definition.Definition{
		Twin: "plant", Title: "A plant",
		Alarms: []definition.Alarm{{Name: "low", Title: "Low health", Calibration: "health", Property: "state_of_health_p50", Threshold: 0.8}},
	}
	c := &definition.Calibration{
		Spec:   spec.Spec{Name: "health", Constants: map[string]spec.Constant{"end_of_life_capacity": {Value: &end}}},
		Assets: []string{"cell-1", "cell-2"},
	}
	return report.Build(d, c, map[string][]calibration.Diagnostics{"cell-1": runs(10)})
}

func TestFiguresAreOfTheCyclesFromTheSixthOn(t *testing.T) {
	r := build()
	assert.Equal(t, report.Range{From: 6, To: 10}, r.Cycles)
	c := r.Cells[0]
	// Cycles 6 to 10: four errors of 0.01 and one of 0.03.
	assert.InDelta(t, math.Sqrt((4*0.01*0.01+0.03*0.03)/5), *c.CapacityRMSE, 1e-12)
	assert.InDelta(t, 0.04, *c.AheadRMSE, 1e-12)
	assert.InDelta(t, 0.02, *c.PersistenceRMSE, 1e-12)
	assert.InDelta(t, 0.1, *c.FrozenRMSE, 1e-12)
	assert.InDelta(t, 0.8, *c.Coverage90, 1e-12)
	assert.InDelta(t, 0.04, *c.Width90, 1e-12)
	assert.InDelta(t, 0.008, *c.VoltageRMSE, 1e-12)
	assert.InDelta(t, 0.016, *c.LastCycleRMSE, 1e-12)
	assert.Equal(t, 10, c.Recalibrations)
	assert.Equal(t, 9, c.Promoted)
	assert.Equal(t, 1, c.Rejected)
	assert.Equal(t, &report.Quantiles{P05: 1.05, P50: 1.5, P95: 1.95}, c.SoH)
	assert.InDelta(t, 9, c.Runs[2].NIS, 0, "a rejected run shows the scores of the champion that stayed")
	assert.Equal(t, 6, c.Runs[0].NotUsable)
	assert.InDelta(t, 2, *c.History[0].Pause, 0)

	none := r.Cells[1]
	assert.Nil(t, none.CapacityRMSE)
	assert.Nil(t, none.SoH)
	assert.False(t, r.Floors[0].Holds, "a cell without figures does not hold")
}

func TestVoltagesAhead(t *testing.T) {
	assert.Equal(t, []report.VoltageAhead{{Minutes: 5, Volts: report.Quantiles{P05: 1.05, P50: 1.5, P95: 1.95}}}, report.VoltagesAhead(runs(1)[0]))
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, build().WriteJSON(&b))
	golden.JSON(t, "testdata/report.golden.json", b.Bytes())
}

func TestALifeWithoutAnEndIsNotANumber(t *testing.T) {
	all := runs(1)
	d := &all[0]
	kept := d.Predictions[:0]
	for _, p := range d.Predictions {
		if p.Output != "remaining_cycles" || p.Quantile < 0.9 {
			kept = append(kept, p)
		}
	}
	d.Predictions = kept
	constants := map[string]spec.Constant{"end_of_life_capacity": {Value: new(1.4)}}
	c := &definition.Calibration{Spec: spec.Spec{Name: "health", Constants: constants}, Assets: []string{"cell-1"}}
	r := report.Build(&definition.Definition{}, c, map[string][]calibration.Diagnostics{"cell-1": all})
	assert.Equal(t, &report.Life{P05: new(1.05), P50: new(1.5), Beyond: 1000}, r.Cells[0].RUL)
	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	assert.Contains(t, page.String(), "Remaining cycles: 2 (1 to over 1000)")
	c.Spec.Constants = nil
	assert.Nil(t, report.Build(&definition.Definition{}, c, map[string][]calibration.Diagnostics{"cell-1": all}).Cells[0].RUL, "no end of life to count to")
}
