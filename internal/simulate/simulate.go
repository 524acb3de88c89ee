// Package simulate is a plant to test a twin against: lithium-ion cells that are
// discharged at about 2C and recharged, and that age. It is richer than the
// model that a twin calibrates, so that a twin which follows it has not merely
// inverted its own equations: two relaxation times instead of one, hysteresis,
// a resistance that depends on temperature and charge, self-heating,
// self-discharge, fade with a reversible part that rest brings back, a load
// that wanders, and a logger with noise, steps, jitter, dropouts and, if asked
// for, a fault.
//
// Everything is a function of a Config: the same Config gives the same bytes on
// any machine of one architecture. Random numbers are keyed by seed, cell and
// cycle, so adding a cell or a cycle changes none of the others.
//
// # Equations
//
// Current I is positive while the cell discharges (files carry the opposite
// sign, as data loggers do). With charge capacity Q (A.h), state of charge s,
// polarisation voltages u₁ and u₂, hysteresis state h in [-1, 1] and core
// temperature T (K):
//
//	ds/dt  = -I / (3600 Q)
//	duᵢ/dt = -uᵢ/τᵢ + I Rᵢ/τᵢ                        i = 1, 2
//	dh/dt  = -γ |I|/(3600 Q) (h + sign I)
//	dT/dt  = (I (U(s) - V) + k (Tₐ - T)) / C
//	V      = U(s) + M h - u₁ - u₂ - I R₀ a(T) b(s)
//	a(T)   = exp(Eₐ/ℛ (1/T - 1/T₀))
//	b(s)   = 1 + 0.6 exp(-s/0.05)
//
// The form is the enhanced self-correcting model of Plett, "Battery Management
// Systems", volume I (Artech House, 2015), chapter 2, with Arrhenius
// resistance and a lumped thermal mass (chapter 2 of volume II). U(s) is the
// curve of Chen and Rincón-Mora, IEEE Transactions on Energy Conversion 21
// (2006) 504, with its cubic coefficient raised from 0.3201 to 0.4171 so that a
// full cell rests at 4.2 V. Between samples the linear states are advanced
// exactly for constant current, the rest by steps of Step.
//
// Ageing from one cycle to the next, after a rest of ρ hours:
//
//	Q = Q₁ - α n^0.9 - β √days - r
//	r ← (r + δ) exp(-ρ/16)
//
// α, β: cycle and calendar ageing, the usual power and square-root laws (Wang
// et al., Journal of Power Sources 196 (2011) 3942); r: the part of the loss
// that rest returns, as NASA's cells show after pauses. R₀ grows with the
// irreversible loss.
package simulate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Config describes a plant and an experiment with it.
type Config struct {
	Cells  int       // 1 to 99
	Cycles int       // discharges of every cell, 1 to 999
	Seed   uint64    // of every random number
	Start  time.Time // first discharge begins at the next 08:00 UTC of a weekday at or after it
	Faults []Fault
}

// A Fault shifts what the voltage sensor of a cell reads during one discharge.
type Fault struct {
	Cell   int     // 1 is the first
	Cycle  int     // 1 is the first
	Offset float64 // V, added to every reading
}

// Validate reports everything that is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Cells < 1 || c.Cells > 99 {
		errs = append(errs, fmt.Errorf("cells is %d: want 1 to 99", c.Cells))
	}
	if c.Cycles < 1 || c.Cycles > 999 {
		errs = append(errs, fmt.Errorf("cycles is %d: want 1 to 999", c.Cycles))
	}
	if c.Start.IsZero() {
		errs = append(errs, errors.New("start is missing: want the time of the first discharge, such as 2026-03-02T08:00:00Z"))
	}
	for _, f := range c.Faults {
		if f.Cell < 1 || f.Cell > c.Cells {
			errs = append(errs, fmt.Errorf("fault of cell %d: there are cells 1 to %d", f.Cell, c.Cells))
		}
		if f.Cycle < 1 || f.Cycle > c.Cycles {
			errs = append(errs, fmt.Errorf("fault in cycle %d: there are cycles 1 to %d", f.Cycle, c.Cycles))
		}
	}
	return errors.Join(errs...)
}

// A Reading is one row of the data logger. A field that was not read is a
// blank; one that the converter failed on is NaN.
type Reading struct {
	Time        time.Time // UTC, whole milliseconds
	Cycle       int
	Voltage     Field // V
	Current     Field // A, negative while the cell discharges
	Temperature Field // Cel
}

// A Field is what the logger wrote into a cell of its table.
type Field struct {
	Value float64
	Blank bool // nothing was written
}

// A Discharge is one discharge of one cell.
type Discharge struct {
	Cell     int
	Cycle    int
	Start    time.Time
	Ambient  float64 // Cel
	Capacity float64 // A.h delivered until the true voltage fell to Cutoff
	Readings []Reading
}

// Cutoff is the voltage down to which capacity is measured, V.
const Cutoff = 2.7

// Name is the name of a cell in files: cell-1 is the first.
func Name(cell int) string { return fmt.Sprintf("cell-%d", cell) }

// Run simulates the experiment and yields every cell's discharges in order, one
// cell after the other.
func Run(c Config, yield func(Discharge) error) error {
	if err := c.Validate(); err != nil {
		return err
	}
	starts := calendar(c)
	for cell := 1; cell <= c.Cells; cell++ {
		x := newCell(c.Seed, cell)
		for i, start := range starts {
			rest := 18 * time.Hour
			if i > 0 {
				rest = start.Sub(starts[i-1])
			}
			x.age(i+1, start.Sub(starts[0]), rest)
			d := x.discharge(cell, i+1, start, rest, offset(c.Faults, cell, i+1), random(c.Seed, cell, i+1))
			if err := yield(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func offset(faults []Fault, cell, cycle int) float64 {
	var v float64
	for _, f := range faults {
		if f.Cell == cell && f.Cycle == cycle {
			v += f.Offset
		}
	}
	return v
}

// random is the source of one cell's cycle (cycle 0: its manufacture; cell 0:
// the calendar that all cells share).
func random(seed uint64, cell, cycle int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(cell)<<32|uint64(cycle))) //nolint:gosec // a simulation wants repeatable numbers, not secrets
}

// calendar returns when the discharges begin: five a working day, about three
// hours apart, none at night and on weekends.
func calendar(c Config) []time.Time {
	const perDay = 5
	rng := random(c.Seed, 0, 0)
	day := c.Start.UTC().Truncate(24 * time.Hour)
	if c.Start.After(day.Add(8 * time.Hour)) {
		day = day.AddDate(0, 0, 1)
	}
	starts := make([]time.Time, 0, c.Cycles)
	for ; len(starts) < c.Cycles; day = day.AddDate(0, 0, 1) {
		if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
			continue
		}
		t := day.Add(8 * time.Hour)
		for range perDay {
			if len(starts) == c.Cycles {
				break
			}
			starts = append(starts, t)
			t = t.Add(3*time.Hour + time.Duration(rng.IntN(600_000))*time.Millisecond)
		}
	}
	return starts
}
