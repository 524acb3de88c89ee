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
// it under load that is not a lone spike: the next one measured is as low too,
// or the load has ended.
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

	q, span := 0.0, 0.0 // A.h counted; hours under load
	last, lastQ := math.NaN(), 0.0
	for k := d.load; k < len(rows); k++ {
		if k > 0 {
			dt := rows[k].Time.Sub(rows[k-1].Time).Hours()
			q -= (rows[k-1].U[current] + rows[k].U[current]) / 2 * dt
			if k > d.load {
				span += dt
			}
		}
		v := rows[k].Y[0]
		if math.IsNaN(v) {
			continue
		}
		if v <= c.cutoff && c.loaded(rows[k].U[current]) && c.confirmed(rows, k) {
			d.end, d.counted, d.crossed = k, q, q
			if !math.IsNaN(last) {
				d.quantum = q - lastQ
				d.crossed = lastQ + d.quantum*(last-c.cutoff)/(last-v)
			}
			break
		}
		if v > c.cutoff {
			last, lastQ = v, q
		}
	}
	if span > 0 {
		d.current = c.meanCurrent(rows, d)
	}
	return d
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

// confirmed reports whether the low voltage at row k is not a lone spike.
func (c *cell) confirmed(rows []plant.Row, k int) bool {
	for _, r := range rows[k+1:] {
		if !c.loaded(r.U[current]) {
			return true
		}
		if !math.IsNaN(r.Y[0]) {
			return r.Y[0] <= c.cutoff
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
// after it, is not described (a spike only itself); the temperature is held at
// its value before the load.
func (c *cell) Prepare(rows []plant.Row) {
	held := math.NaN()
	below, ended := false, false
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
		v := r.Y[0]
		low := on && v <= c.cutoff
		if below && (low || !on) {
			ended = true
		}
		if low || ended {
			r.Y[0] = math.NaN()
		}
		if !math.IsNaN(v) {
			below = low
		}
	}
}
