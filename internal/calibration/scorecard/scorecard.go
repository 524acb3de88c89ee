// Package scorecard sums up, per asset, how well a calibration forecast the
// segments that came after it, from the diagnostics of its runs.
package scorecard

import (
	"math"
	"slices"

	"github.com/livetwin/livetwin/internal/calibration"
)

// First is the index of the first segment that counts: the five before it
// teach the model what the asset is like.
const First = 6

// A Card holds the figures of one quantity that segments measure as a whole and
// of one trajectory within them. A figure without any segment is NaN.
type Card struct {
	Segments int // with a measured quantity, from First on

	// Root mean square errors of forecasts of the quantity, in its unit: at the
	// onset, ahead (before the pause was known), repeating the last measured
	// one, and frozen at the mean of the early ones.
	RMSE, AheadRMSE, PersistenceRMSE, FrozenRMSE float64
	// Coverage90 is the share of segments inside the forecast's 90 % interval
	// at the onset, Width90 the mean width of that; the Ahead ones the same.
	Coverage90, Width90           float64
	AheadCoverage90, AheadWidth90 float64

	// Root mean square errors of the trajectory over all observations, in its
	// unit: of the model, and of the better of the baselines that repeat the
	// last segment's parameters.
	TrajectoryRMSE, BaselineRMSE float64
	Baseline                     string // which one that is

	Promoted, Rejected int // runs, of all
	Late, Unusable     int // samples, of all runs
}

// A Selection names what a card is of.
type Selection struct {
	Quantity    string // such as cell.Capacity
	Trajectory  string // such as cell.Voltage
	Persistence string // the names of the quantity's baselines
	Frozen      string
}

// errors sums squares.
type errors struct {
	sum float64
	n   int
}

func (e *errors) add(v float64) { e.sum += v * v; e.n++ }

func (e *errors) rmse() float64 { return math.Sqrt(e.sum / float64(e.n)) }

// intervals sums up intervals.
type intervals struct {
	width     float64
	inside, n int
}

func (i *intervals) add(v float64, q calibration.Interval) {
	i.n++
	i.width += q.P95 - q.P05
	if q.P05 <= v && v <= q.P95 {
		i.inside++
	}
}

func (i *intervals) figures() (coverage, width float64) {
	return float64(i.inside) / float64(i.n), i.width / float64(i.n)
}

// Of computes the card of one asset from the diagnostics of its runs.
func Of(runs []calibration.Diagnostics, sel Selection) Card {
	var c Card
	var onset, ahead, persistence, frozen errors
	var onsetIn, aheadIn intervals
	var trajectory errors
	baselines := map[string]*errors{}
	for _, d := range runs {
		switch d.Decision.Outcome {
		case calibration.Promoted:
			c.Promoted++
		case calibration.Rejected:
			c.Rejected++
		case calibration.Superseded, calibration.Skipped, calibration.Failed, calibration.RolledBack:
		}
		c.Late += d.Telemetry.Late
		c.Unusable += d.Telemetry.Bad + d.Telemetry.Null + d.Telemetry.NonFinite
		for _, s := range d.Segments {
			if s.Index < First {
				continue
			}
			for _, f := range s.Forecasts {
				if f.Name != sel.Quantity || f.Measured == nil {
					continue
				}
				m := *f.Measured
				c.Segments++
				if f.Onset != nil {
					onset.add(m - f.Onset.P50)
					onsetIn.add(m, *f.Onset)
				}
				if f.Ahead != nil {
					ahead.add(m - f.Ahead.P50)
					aheadIn.add(m, *f.Ahead)
				}
				if v, ok := f.Baselines[sel.Persistence]; ok {
					persistence.add(m - v)
				}
				if v, ok := f.Baselines[sel.Frozen]; ok {
					frozen.add(m - v)
				}
			}
			for _, t := range s.Trajectories {
				if t.Name != sel.Trajectory || len(t.Baselines) == 0 {
					continue
				}
				trajectory.sum += t.SSE
				trajectory.n += t.Count
				for name, sse := range t.Baselines {
					if baselines[name] == nil {
						baselines[name] = new(errors)
					}
					baselines[name].sum += sse
					baselines[name].n += t.Count
				}
			}
		}
	}
	c.RMSE, c.AheadRMSE, c.PersistenceRMSE, c.FrozenRMSE = onset.rmse(), ahead.rmse(), persistence.rmse(), frozen.rmse()
	c.Coverage90, c.Width90 = onsetIn.figures()
	c.AheadCoverage90, c.AheadWidth90 = aheadIn.figures()
	c.TrajectoryRMSE, c.BaselineRMSE = trajectory.rmse(), math.NaN()
	names := make([]string, 0, len(baselines))
	for name := range baselines {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if v := baselines[name].rmse(); !(v >= c.BaselineRMSE) {
			c.Baseline, c.BaselineRMSE = name, v
		}
	}
	return c
}
