package cell

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/livetwin/livetwin/internal/plant"
)

// minutes at which the voltage of the next discharge is published.
var minutes = map[string]float64{"voltage_5min": 5, "voltage_15min": 15, "voltage_25min": 25}

// Predict implements [plant.Memory].
func (m *memory) Predict(output string, probabilities []float64, b plant.Belief) ([]float64, bool) {
	if m.Last == nil {
		return nil, false
	}
	values := make([]float64, len(probabilities))
	switch output {
	case Capacity, "state_of_health":
		now := m.now(m.quantum())
		unit := 1.0
		if output != Capacity {
			unit = m.cell.rated
		}
		for k, p := range probabilities {
			values[k] = now.quantile(p) / unit
		}
	case "next_capacity":
		next := m.ahead(m.quantum())
		for k, p := range probabilities {
			values[k] = next.quantile(p)
		}
	case "remaining_cycles":
		// Counting to the next row finds half a step more than was delivered.
		return m.Ageing.life(m.cell.endOfLife-m.quantum()/2, m.turns(), probabilities), true
	default:
		at, ok := minutes[output]
		if !ok {
			return nil, false
		}
		mean, sd := m.voltage(60*at, b)
		for k, p := range probabilities {
			values[k] = math.Max(m.cell.cutoff, mean+sd*distuv.UnitNormal.Quantile(p))
		}
	}
	return values, true
}

// voltage forecasts the terminal voltage some seconds into the next discharge
// at the last one's mean current: its mean, and its standard deviation by a
// linear propagation of what is uncertain of parameters and start.
func (m *memory) voltage(seconds float64, b plant.Belief) (mean, deviation float64) {
	n := len(b.Mean)
	ahead := m.ahead(0)
	next, spread := ahead.quantile(0.5), (ahead.quantile(0.95)-ahead.quantile(0.05))/(2*distuv.UnitNormal.Quantile(0.95))
	dv, dvVariance := m.usualDeficit()
	loss := m.Ageing.state(deficit)
	o := m.cell.begin(discharge{restVoltage: m.cell.full + dv}, next, spread*spread, loss*dv, b)

	p := append([]float64(nil), b.Natural...)
	run := func(start float64) float64 {
		u := []float64{current: m.Last.Current, temperature: m.Last.Temperature}
		x := [states]float64{charge: start}
		steps := math.Ceil(seconds / 30) // the current is constant: a step is exact
		for range int(steps) {
			m.cell.Step(x[:], p, u, u, seconds/steps)
		}
		var y [1]float64
		m.cell.Output(y[:], x[:], p, u)
		return y[0]
	}
	start, full := o.States[charge].Mean, math.Exp(o.Parameters[0].Mean)
	p[capacity] = full
	mean = run(start)

	// Central differences over two standard deviations of each parameter.
	gradient := make([]float64, parameters)
	for i := range parameters {
		sd := math.Sqrt(b.Covariance[(states+i)*n+states+i])
		if i == capacity {
			sd = o.Parameters[0].Deviation
		}
		if sd == 0 {
			continue
		}
		keep := p[i]
		shift := func(by float64) float64 {
			if i < firstKnot { // estimated as logarithms
				p[i] = keep * math.Exp(by)
			} else {
				p[i] = keep + by
			}
			return run(start)
		}
		gradient[i] = (shift(sd) - shift(-sd)) / (2 * sd)
		p[i] = keep
	}
	var sum float64
	for i, gi := range gradient {
		for j, gj := range gradient {
			if i == capacity || j == capacity { // forecast apart from the others
				continue
			}
			sum += gi * gj * b.Covariance[(states+i)*n+states+j]
		}
	}
	byCapacity := gradient[capacity] * o.Parameters[0].Deviation
	sum += byCapacity * byCapacity
	sd := math.Hypot(o.States[charge].Deviation, loss*math.Sqrt(dvVariance)/full)
	sum += math.Pow((run(start+sd)-run(start-sd))/2, 2)
	return mean, math.Sqrt(sum)
}
