package cell

import (
	"math"

	"github.com/livetwin/livetwin/internal/plant"
)

// Names in a report.
const (
	// Capacity is the forecast of the charge that a discharge delivers, A.h:
	// counted by the trapezoid rule from the last row before the load to the
	// first one at or below the cut-off voltage, or where the load is taken off
	// when the voltage has all but met it.
	Capacity = "capacity"
	// Voltage is the trajectory of the terminal voltage under load, V, while
	// it is not below the cut-off.
	Voltage = "voltage"

	// Persistence repeats the last measured capacity; Frozen is the mean of
	// discharges 2 to 5.
	Persistence = "persistence"
	Frozen      = "frozen"

	// LastCycle and LastCycleFull forecast the voltage with the capacity and
	// the resistance fitted on the last discharge and, like the model's own
	// forecast, the curve learned up to it. LastCycle starts at the state of
	// charge that the last discharge began at, LastCycleFull at a full cell.
	LastCycle     = "last_cycle"
	LastCycleFull = "last_cycle_full"

	// Figures.
	RestVoltage     = "rest_voltage_V"
	RestHours       = "rest_h"
	MeanCurrent     = "mean_current_A"
	OnsetCelsius    = "onset_temperature_Cel"
	CrossedCapacity = "crossed_capacity_Ah" // interpolated at the cut-off
)

var intervals = [...]float64{0.05, 0.5, 0.95}

// Report implements [plant.Memory].
func (m *memory) Report(s plant.Segment, o plant.Onset, b plant.Belief) plant.Report {
	d := m.cell.read(s.Raw)
	r := plant.Report{Figures: map[string]float64{}}
	put := func(name string, v float64) {
		if !math.IsNaN(v) {
			r.Figures[name] = v
		}
	}
	put(RestVoltage, d.restVoltage)
	put(RestHours, s.Pause/3600)
	if !d.discharge {
		return r
	}
	put(MeanCurrent, d.current)
	put(OnsetCelsius, d.temperature)
	put(CrossedCapacity, d.crossed)
	if !m.cell.fromFull(d) {
		return r
	}
	f := plant.Forecast{Name: Capacity, Unit: "A.h", Measured: d.counted, Baselines: map[string]float64{}}
	onset, ahead := m.onset(s, d, m.quantum()), m.ahead(m.quantum())
	for i, p := range intervals {
		f.Onset[i], f.Ahead[i] = onset.quantile(p), ahead.quantile(p)
	}
	if m.Measured != nil {
		f.Baselines[Persistence] = *m.Measured
	}
	if s.Index > 5 && m.Early.Count > 0 {
		f.Baselines[Frozen] = m.Early.Sum / float64(m.Early.Count)
	}
	r.Forecasts = []plant.Forecast{f}

	p := append([]float64(nil), b.Natural...)
	p[capacity] = math.Exp(o.Parameters[0].Mean)
	t := plant.Trajectory{Name: Voltage, Unit: "V", Baselines: map[string]float64{}}
	t.SSE, t.Count = m.cell.follow(s.Rows, d, p, o.States[charge].Mean)
	if m.Last != nil {
		p[capacity], p[resistance] = m.Last.Capacity, m.Last.Resistance
		t.Baselines[LastCycle], _ = m.cell.follow(s.Rows, d, p, m.Last.Charge)
		t.Baselines[LastCycleFull], _ = m.cell.follow(s.Rows, d, p, 1)
	}
	r.Trajectories = []plant.Trajectory{t}
	return r
}

// follow runs the model open loop over a discharge with the measured current
// and sums the squared errors of its voltage under load.
func (c *cell) follow(rows []plant.Row, d discharge, p []float64, start float64) (sse float64, count int) {
	x := [states]float64{charge: start}
	var y [1]float64
	for k := max(1, d.load); k < len(rows) && (d.end < 0 || k < d.end); k++ {
		c.Step(x[:], p, rows[k-1].U, rows[k].U, rows[k].Time.Sub(rows[k-1].Time).Seconds())
		if math.IsNaN(rows[k].Y[0]) || !c.loaded(rows[k].U[current]) {
			continue
		}
		c.Output(y[:], x[:], p, rows[k].U)
		e := rows[k].Y[0] - y[0]
		sse += e * e
		count++
	}
	return sse, count
}
