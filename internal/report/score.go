package report

import (
	"math"

	"github.com/livetwin/livetwin/internal/calibration"
)

// Names of the cell model's baselines.
const (
	persistence = "persistence"
	frozen      = "frozen"
	lastCycle   = "last_cycle"
)

// A mean of squared errors.
type squares struct {
	sum float64
	n   int
}

func (s *squares) add(e float64) { s.sum, s.n = s.sum+e*e, s.n+1 }

func (s *squares) root() *float64 {
	if s.n == 0 {
		return nil
	}
	v := math.Sqrt(s.sum / float64(s.n))
	return &v
}

// score sets the figures of a cell over the cycles from FirstCycle on. A
// baseline is scored over the same cycles as the prediction it is compared
// with: those that have both.
func (c *Cell) score(runs []calibration.Diagnostics) {
	var onset, ahead, persisted, constant, voltage, last squares
	var inside, intervals int
	var width float64
	for _, d := range runs {
		for _, s := range d.Segments {
			if s.Index < FirstCycle {
				continue
			}
			for _, f := range s.Forecasts {
				if f.Name != capacityOutput || f.Measured == nil || f.Onset == nil {
					continue
				}
				m := *f.Measured
				onset.add(f.Onset.P50 - m)
				if f.Ahead != nil {
					ahead.add(f.Ahead.P50 - m)
				}
				if b, ok := f.Baselines[persistence]; ok {
					persisted.add(b - m)
				}
				if b, ok := f.Baselines[frozen]; ok {
					constant.add(b - m)
				}
				intervals++
				width += f.Onset.P95 - f.Onset.P05
				if f.Onset.P05 <= m && m <= f.Onset.P95 {
					inside++
				}
			}
			for _, t := range s.Trajectories {
				b, ok := t.Baselines[lastCycle]
				if t.Name != "voltage" || !ok || t.Count == 0 {
					continue
				}
				voltage.sum, voltage.n = voltage.sum+t.SSE, voltage.n+t.Count
				last.sum, last.n = last.sum+b, last.n+t.Count
			}
		}
	}
	c.CapacityRMSE, c.AheadRMSE = onset.root(), ahead.root()
	c.PersistenceRMSE, c.FrozenRMSE = persisted.root(), constant.root()
	c.VoltageRMSE, c.LastCycleRMSE = voltage.root(), last.root()
	if intervals > 0 {
		share, mean := float64(inside)/float64(intervals), width/float64(intervals)
		c.Coverage90, c.Width90 = &share, &mean
	}
}
