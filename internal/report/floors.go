package report

import "fmt"

// Floors of the figures, those of the project's acceptance: what a twin must
// reach on real cells from cycle 6 on.
const (
	maxCapacityRMSE = 0.011 // A.h
	maxOfPersist    = 0.75  // of repeating the last measured capacity
	minCoverage     = 0.80
	maxCoverage     = 0.98
	maxWidth        = 0.045 // A.h
	maxVoltageRMSE  = 0.013 // V
	maxOfLastCycle  = 0.70  // of using the last cycle's parameters
)

// Hold holds every cell to the limits and sets the report's floors; a figure
// that could not be had does not hold.
func (r *Report) Hold() { r.Floors = floors(r.Cells) }

func floors(cells []Cell) []Floor {
	ratio := func(a, b *float64) *float64 {
		if a == nil || b == nil || *b == 0 {
			return nil
		}
		v := *a / *b
		return &v
	}
	return []Floor{
		atMost("Capacity of the next cycle, RMSE", "A.h", maxCapacityRMSE, cells, func(c Cell) *float64 { return c.CapacityRMSE }),
		atMost("… over repeating the last measured capacity", "", maxOfPersist, cells, func(c Cell) *float64 { return ratio(c.CapacityRMSE, c.PersistenceRMSE) }),
		between("Share of capacities inside their 90 % intervals", "", minCoverage, maxCoverage, cells, func(c Cell) *float64 { return c.Coverage90 }),
		atMost("Mean width of the 90 % intervals", "A.h", maxWidth, cells, func(c Cell) *float64 { return c.Width90 }),
		atMost("Voltage of the next discharge, RMSE", "V", maxVoltageRMSE, cells, func(c Cell) *float64 { return c.VoltageRMSE }),
		atMost("… over using the last cycle's parameters", "", maxOfLastCycle, cells, func(c Cell) *float64 { return ratio(c.VoltageRMSE, c.LastCycleRMSE) }),
	}
}

func atMost(figure, unit string, limit float64, cells []Cell, of func(Cell) *float64) Floor {
	return hold(Floor{Figure: figure, Unit: unit, Limit: fmt.Sprintf("≤ %.3g", limit)}, cells, of, func(v float64) float64 { return v - limit })
}

func between(figure, unit string, low, high float64, cells []Cell, of func(Cell) *float64) Floor {
	return hold(Floor{Figure: figure, Unit: unit, Limit: fmt.Sprintf("%.3g to %.3g", low, high)}, cells, of,
		func(v float64) float64 { return max(low-v, v-high) })
}

// hold finds the worst cell; excess is above 0 where the limit is broken. A
// cell without the figure is the worst.
func hold(f Floor, cells []Cell, of func(Cell) *float64, excess func(float64) float64) Floor {
	f.Holds = len(cells) > 0
	for _, c := range cells {
		v := of(c)
		if v == nil {
			f.Worst, f.Cell, f.Holds = nil, c.Cell, false
			return f
		}
		if f.Worst == nil || excess(*v) > excess(*f.Worst) {
			f.Worst, f.Cell = v, c.Cell
		}
		f.Holds = f.Holds && excess(*v) <= 0
	}
	return f
}
