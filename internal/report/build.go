package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/scorecard"
	"github.com/livetwin/livetwin/internal/plant/cell"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// Names of the outputs of the cell model that the report shows.
const (
	capacityOutput   = cell.Capacity
	resistanceOutput = "resistance"
	healthOutput     = "state_of_health"
	lifeOutput       = "remaining_cycles"
	voltagePrefix    = "voltage_" // and minutes, such as voltage_5min
)

// Build makes the report of a calibration out of the diagnostics of its runs,
// the oldest first, by asset. What is not in them (telemetry, voltages that
// were measured, what was read back, meta) is for the caller to add.
func Build(d *definition.Definition, c *definition.Calibration, runs map[string][]calibration.Diagnostics) *Report {
	r := &Report{
		Version: Version, Twin: d.Twin, Title: d.Title, Calibration: c.Spec.Name,
		Cycles: Range{From: scorecard.First}, Cells: []Cell{}, AlarmStates: []AlarmState{},
	}
	if k, ok := c.Spec.Constants["end_of_life_capacity"]; ok {
		r.EndOfLife = k.Value
	}
	for _, a := range d.Alarms {
		if a.Calibration == c.Spec.Name && strings.HasPrefix(a.Property, healthOutput) {
			r.Alarm = &Alarm{Title: a.Title, Threshold: a.Threshold}
		}
	}
	for _, asset := range c.Assets {
		c := buildCell(asset, runs[asset])
		if r.EndOfLife == nil { // nothing to count the cycles to
			c.RUL = nil
			for i := range c.Runs {
				c.Runs[i].RUL = nil
			}
		}
		for _, y := range c.History {
			r.Cycles.To = max(r.Cycles.To, y.Cycle)
		}
		r.Cells = append(r.Cells, c)
	}
	r.Hold()
	return r
}

func buildCell(asset string, runs []calibration.Diagnostics) Cell {
	c := Cell{Cell: asset, History: []Cycle{}, Runs: []Run{}}
	for _, d := range runs {
		run := runOf(d)
		c.Recalibrations++
		c.SoH, c.RUL = run.SoH, run.RUL
		c.Runs = append(c.Runs, run)
		for _, s := range d.Segments {
			c.History = append(c.History, cycleOf(s))
		}
	}
	c.score(runs)
	return c
}

// runOf summarises a run, with the scores of the calibration in force after it.
func runOf(d calibration.Diagnostics) Run {
	scores := d.ChallengerScores
	if d.Decision.Outcome == calibration.Rejected && d.ChampionScores != nil {
		scores = *d.ChampionScores
	}
	run := Run{
		WindowEnd: d.WindowEnd, Outcome: string(d.Decision.Outcome), Reason: d.Decision.Reason, Gain: d.Decision.Gain,
		NIS: scores.NIS, Coverage90: scores.Coverage90,
		Samples:   d.Telemetry.Assimilated,
		NotUsable: d.Telemetry.Bad + d.Telemetry.Null + d.Telemetry.NonFinite,
		Late:      d.Telemetry.Late,
		Capacity:  Published(d, capacityOutput), Resistance: Published(d, resistanceOutput),
		SoH: Published(d, healthOutput), RUL: lifeOf(d),
	}
	for _, s := range d.Segments {
		run.Cycle = max(run.Cycle, s.Index)
	}
	return run
}

func cycleOf(s calibration.Segment) Cycle {
	y := Cycle{Cycle: s.Index, Start: s.Start}
	if s.Pause != nil {
		hours := *s.Pause / 3600
		y.Pause = &hours
	}
	for _, f := range s.Forecasts {
		if f.Name == capacityOutput {
			y.Measured, y.Predicted, y.Ahead = f.Measured, quantilesOf(f.Onset), quantilesOf(f.Ahead)
		}
	}
	for _, t := range s.Trajectories {
		if t.Name == cell.Voltage && t.Count > 0 {
			rmse := math.Sqrt(t.SSE / float64(t.Count))
			y.VoltageRMSE = &rmse
		}
	}
	return y
}

func quantilesOf(i *calibration.Interval) *Quantiles {
	if i == nil {
		return nil
	}
	return &Quantiles{P05: i.P05, P50: i.P50, P95: i.P95}
}

// Published returns the quantiles of an output that a run published, or nil
// when it did not publish all three.
func Published(d calibration.Diagnostics, output string) *Quantiles {
	var q Quantiles
	found := 0
	for _, p := range d.Predictions {
		if p.Output != output {
			continue
		}
		switch p.Quantile {
		case 0.05:
			q.P05 = p.Value
		case 0.5:
			q.P50 = p.Value
		case 0.95:
			q.P95 = p.Value
		default:
			continue
		}
		found++
	}
	if found != 3 {
		return nil
	}
	return &q
}

// lifeOf returns the remaining cycles that a run published, or nil when it
// published no quantity at all. A quantile that is missing is beyond endless.
func lifeOf(d calibration.Diagnostics) *Life {
	if len(d.Predictions) == 0 {
		return nil
	}
	var life Life
	for _, p := range d.Predictions {
		if p.Output != lifeOutput {
			continue
		}
		switch p.Quantile {
		case 0.05:
			life.P05 = &p.Value
		case 0.5:
			life.P50 = &p.Value
		case 0.95:
			life.P95 = &p.Value
		}
	}
	if life.P05 == nil || life.P50 == nil || life.P95 == nil {
		life.Beyond = endless
	}
	return &life
}

// VoltagesAhead returns what a run published of the discharge after it.
func VoltagesAhead(d calibration.Diagnostics) []VoltageAhead {
	var all []VoltageAhead
	seen := map[string]bool{}
	for _, p := range d.Predictions {
		minutes, ok := strings.CutPrefix(p.Output, voltagePrefix)
		if !ok || seen[p.Output] {
			continue
		}
		seen[p.Output] = true
		m, err := strconv.ParseFloat(strings.TrimSuffix(minutes, "min"), 64)
		if q := Published(d, p.Output); err == nil && q != nil {
			all = append(all, VoltageAhead{Minutes: m, Volts: *q})
		}
	}
	return all
}
