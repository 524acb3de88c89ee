package scorecard_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/scorecard"
)

var selection = scorecard.Selection{Quantity: "capacity", Trajectory: "voltage", Persistence: "persistence", Frozen: "frozen"}

func segment(index int, measured, forecast, half float64) calibration.Segment {
	interval := &calibration.Interval{P05: forecast - half, P50: forecast, P95: forecast + half}
	return calibration.Segment{
		Index: index,
		Forecasts: []calibration.Forecast{
			{Name: "other", Measured: new(100.0), Onset: interval},
			{
				Name: "capacity", Measured: new(measured), Onset: interval, Ahead: interval,
				Baselines: map[string]float64{"persistence": measured + 4, "frozen": measured - 8},
			},
		},
		Trajectories: []calibration.Trajectory{{
			Name: "voltage", Count: 4, SSE: 16, Baselines: map[string]float64{"a": 64, "b": 36},
		}},
	}
}

func TestOf(t *testing.T) {
	unmeasured := segment(8, 0, 0, 0)
	unmeasured.Forecasts[1].Measured = nil
	runs := []calibration.Diagnostics{
		{Decision: calibration.Decision{Outcome: calibration.Promoted}, Segments: []calibration.Segment{segment(5, 1000, 0, 1)}},
		{
			Decision:  calibration.Decision{Outcome: calibration.Rejected},
			Telemetry: calibration.Intake{Late: 2, Bad: 1, Null: 2, NonFinite: 3},
			Segments:  []calibration.Segment{segment(6, 10, 13, 2), segment(7, 10, 6, 5), unmeasured},
		},
	}
	c := scorecard.Of(runs, selection)
	assert.Equal(t, 2, c.Segments, "those from the sixth on that measured it")
	assert.InDelta(t, math.Sqrt((9.0+16)/2), c.RMSE, 1e-12)
	assert.InDelta(t, 4, c.PersistenceRMSE, 1e-12)
	assert.InDelta(t, 8, c.FrozenRMSE, 1e-12)
	assert.InDelta(t, 0.5, c.Coverage90, 1e-12, "3 is outside ±2, 4 inside ±5")
	assert.InDelta(t, 7, c.Width90, 1e-12)
	assert.InDelta(t, 2, c.TrajectoryRMSE, 1e-12)
	assert.InDelta(t, 3, c.BaselineRMSE, 1e-12, "the better of the two")
	assert.Equal(t, "b", c.Baseline)
	assert.Equal(t, 1, c.Promoted)
	assert.Equal(t, 1, c.Rejected)
	assert.Equal(t, 2, c.Late)
	assert.Equal(t, 6, c.Unusable)
}

func TestOfNothingIsNotANumber(t *testing.T) {
	c := scorecard.Of(nil, selection)
	for _, v := range []float64{c.RMSE, c.AheadRMSE, c.PersistenceRMSE, c.FrozenRMSE, c.Coverage90, c.Width90, c.TrajectoryRMSE, c.BaselineRMSE} {
		assert.True(t, math.IsNaN(v))
	}
}
