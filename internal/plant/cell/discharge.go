package cell

import (
	"math"

	"github.com/livetwin/livetwin/internal/plant"
)

const (
	// restDeviation of the polarisation of a rested cell, V.
	restDeviation = 1e-3
	// restRows is how many rows before the load make its rest voltage.
	restRows = 5
	// partial is how far below full, V, a rest voltage may be for a discharge
	// to count as one from full.
	partial = 0.12
	// overfull is how far above full, V, a rest voltage may be.
	overfull = 0.02
	// most is how many times its rated capacity a cell may deliver.
	most = 3
)

// A discharge is what one segment shows of itself.
type discharge struct {
	load int // first row under load; len(rows) when there is none

	restVoltage float64 // V, before the load; NaN when not measured
	temperature float64 // Cel, before the load, else at its onset

	end       int     // row at which the cut-off was met; −1 when it was not
	counted   float64 // A.h up to and with row end: the measured capacity; NaN
	crossed   float64 // A.h up to the crossing, between two rows; NaN
	quantum   float64 // A.h counted in the last step
	current   float64 // A, mean under load, negative
	discharge bool    // the load discharges
}

// loaded reports whether a current is more than a twentieth of the rated
// capacity an hour.
func (c *cell) loaded(i float64) bool { return math.Abs(i) > c.rated/20 }

// read looks at a segment. The cut-off is met at the first voltage at or below
// it under load after which the voltage stays there until the load ends (a spike
// does not), or where the load is taken off just above it.
func (c *cell) read(rows []plant.Row) discharge {
	d := discharge{load: len(rows), end: -1, restVoltage: math.NaN(), counted: math.NaN(), crossed: math.NaN(), temperature: reference}
	for k, r := range rows {
		if c.loaded(r.U[current]) {
			d.load = k
			break
		}
	}
	d.rest(rows)
	if d.load == len(rows) || rows[d.load].U[current] > 0 {
		return d
	}
	d.discharge = true

	q := 0.0 // A.h counted
	t := tail{v: [2]float64{math.NaN(), math.NaN()}}
	for k := d.load; k < len(rows); k++ {
		if k > 0 {
			dt := rows[k].Time.Sub(rows[k-1].Time).Hours()
			q -= (rows[k-1].U[current] + rows[k].U[current]) / 2 * dt
		}
		v := rows[k].Y[0]
		if !c.loaded(rows[k].U[current]) {
			// A load that is taken off at the cut-off may go between two rows:
			// the slope before says that the voltage was met.
			if crossed, ok := t.reaches(c.cutoff); ok {
				d.end, d.counted, d.crossed, d.quantum = k, q, crossed, q-t.q[1]
				break
			}
			continue
		}
		if math.IsNaN(v) {
			continue
		}
		if v <= c.cutoff && c.confirmed(rows, k) {
			d.end, d.counted, d.crossed = k, q, q
			if last := t.v[1]; !math.IsNaN(last) {
				d.quantum = q - t.q[1]
				d.crossed = t.q[1] + d.quantum*(last-c.cutoff)/(last-v)
			}
			break
		}
		if v > c.cutoff {
			t.v, t.q = [2]float64{t.v[1], v}, [2]float64{t.q[1], q}
		}
	}
	if n := len(rows) - 1; d.end < 0 && c.loaded(rows[n].U[current]) {
		// The telemetry may end with the discharge.
		if crossed, ok := t.reaches(c.cutoff); ok {
			d.end, d.counted, d.crossed, d.quantum = n, q, crossed, t.q[1]-t.q[0]
		}
	}
	if !(d.crossed > 0 && d.counted < most*c.rated) { // a current that no cell has
		d.end, d.counted, d.crossed = -1, math.NaN(), math.NaN()
	}
	d.current = c.meanCurrent(rows, d)
	return d
}

// A tail is the last two voltages above the cut-off under load, and the charge
// counted up to them.
type tail struct{ v, q [2]float64 }

// reaches reports whether the voltage meets the cut-off within another step,
// and the charge at which it does. It falls ever faster: two steps on the last
// slope are one.
func (t tail) reaches(cutoff float64) (crossed float64, ok bool) {
	step := t.q[1] - t.q[0]
	steps := (t.v[1] - cutoff) / (t.v[0] - t.v[1])
	return t.q[1] + step*min(1, steps), steps >= 0 && steps <= 2
}

// rest reads voltage and temperature before the load.
func (d *discharge) rest(rows []plant.Row) {
	var v, n float64
	for k := d.load - 1; k >= max(0, d.load-restRows); k-- {
		if y := rows[k].Y[0]; !math.IsNaN(y) {
			v += y
			n++
		}
	}
	if n > 0 {
		d.restVoltage = v / n
	}
	if len(rows) > 0 {
		d.temperature = rows[max(0, min(d.load, len(rows))-1)].U[temperature]
	}
}

// confirmed reports whether the voltage that is low at row k stays so until the
// load ends.
func (c *cell) confirmed(rows []plant.Row, k int) bool {
	for _, r := range rows[k+1:] {
		if !c.loaded(r.U[current]) {
			return true
		}
		if r.Y[0] > c.cutoff {
			return false
		}
	}
	return true
}

// meanCurrent is the mean current under load, up to the cut-off.
func (c *cell) meanCurrent(rows []plant.Row, d discharge) float64 {
	end := d.end
	if end < 0 {
		end = len(rows) - 1
	}
	var sum, n float64
	for _, r := range rows[d.load : end+1] {
		if c.loaded(r.U[current]) {
			sum += r.U[current]
			n++
		}
	}
	return sum / n
}

// fromFull reports whether the discharge began near full, as far as is known.
func (c *cell) fromFull(d discharge) bool {
	return math.IsNaN(d.restVoltage) || d.restVoltage > c.full-partial
}

// Prepare implements [plant.Segmented]: what comes at or below the cut-off, and
// after the load was taken off there, is not described; the temperature is held
// at its value before the load.
func (c *cell) Prepare(rows []plant.Row) {
	held := math.NaN()
	below := false // the last voltage under load
	for k := range rows {
		r := &rows[k]
		on := c.loaded(r.U[current])
		if !on && math.IsNaN(held) && k+1 < len(rows) && c.loaded(rows[k+1].U[current]) {
			held = r.U[temperature]
		}
		if on && math.IsNaN(held) {
			held = r.U[temperature]
		}
		if !math.IsNaN(held) {
			r.U[temperature] = held
		}
		if on && !math.IsNaN(r.Y[0]) {
			below = r.Y[0] <= c.cutoff
		}
		if below {
			r.Y[0] = math.NaN()
		}
	}
}
