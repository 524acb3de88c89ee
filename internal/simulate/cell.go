package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// Step is the longest step of the simulation, s. Temperature, the fastest of
// the states that are not advanced exactly, has a time constant of about
// 600 s, so a step moves it by less than 1/600 of its distance to rest.
const Step = 1.0

const (
	ambient        = 43.0   // Cel, as in NASA's experiments with these cells
	kelvin         = 273.15 // K at 0 Cel
	reference      = 318.15 // K, where R₀ is quoted (45 Cel)
	activation     = 20e3   // J/mol, of the resistance
	gas            = 8.314462618
	thermalMass    = 45.0   // J/K: 45 g at about 1 J/(g K)
	cooling        = 0.072  // W/K
	hysteresis     = 0.006  // V, half the width of the loop
	hysteresisRate = 60.0   // γ: the loop is crossed within 1/γ of the capacity
	load           = 4.02   // A
	recovery       = 10.0   // h, time constant of the reversible loss
	selfTau        = 15.0   // h, how fast a resting cell loses its last charge
	selfDepth      = 0.006  // share of the charge lost by a long rest
	chargeSpread   = 0.0006 // standard deviation of the charge at which the charger stops, as a share
	tailVoltage    = 2.05   // V, where the load is taken off
	tailSamples    = 6      // readings after that
	longest        = 7200.0 // s, a discharge that has not ended by then ends
)

// cell is one cell with what manufacture and ageing made of it.
type cell struct {
	charge     float64 // A.h, charge capacity of the new cell
	resistance float64 // Ohm, R₀ of the new cell at the reference temperature
	r1, tau1   float64 // Ohm, s
	r2, tau2   float64 // Ohm, s
	fade       float64 // A.h per cycle^0.9
	calendar   float64 // A.h per √day
	delta      float64 // A.h of reversible loss per cycle
	growth     float64 // Ohm per A.h of irreversible loss

	reversible float64 // A.h
	lost       float64 // A.h, irreversible
}

// newCell draws a cell: spreads are those of one production lot, except for the
// rate of ageing, which differs by up to a factor of two between cells.
func newCell(seed uint64, n int) *cell {
	rng := random(seed, n, 0)
	vary := func(mean, share float64) float64 { return mean * (1 + share*rng.NormFloat64()) }
	return &cell{
		charge:     vary(1.90, 0.01),
		resistance: vary(0.050, 0.04),
		r1:         vary(0.012, 0.05), tau1: vary(25, 0.05),
		r2: vary(0.016, 0.05), tau2: vary(420, 0.08),
		fade:     0.0055 * (0.7 + 0.7*rng.Float64()),
		calendar: vary(0.002, 0.2),
		delta:    vary(0.012, 0.1),
		growth:   vary(0.030, 0.1),
	}
}

// age brings the cell to its n-th discharge.
func (c *cell) age(n int, since, rest time.Duration) {
	c.lost = c.fade*math.Pow(float64(n-1), 0.9) + c.calendar*math.Sqrt(since.Hours()/24)
	if n > 1 {
		c.reversible = (c.reversible + c.delta) * math.Exp(-rest.Hours()/recovery)
	}
}

// openCircuit is U(s), V.
func openCircuit(s float64) float64 {
	return -1.031*math.Exp(-35*s) + 3.685 + 0.2156*s - 0.1178*s*s + 0.4171*s*s*s
}

// state is where a cell is during a discharge.
type state struct {
	soc, u1, u2, h, kelvin float64
}

// voltage is V at the state under a current.
func (c *cell) voltage(x state, current float64) float64 {
	r0 := (c.resistance + c.growth*c.lost) *
		math.Exp(activation/gas*(1/x.kelvin-1/reference)) *
		(1 + 0.6*math.Exp(-x.soc/0.05))
	return openCircuit(x.soc) + hysteresis*x.h - x.u1 - x.u2 - current*r0
}

// advance moves the state by dt seconds (at most Step) under a current.
func (c *cell) advance(x *state, current, dt float64) {
	q := c.charge - c.lost - c.reversible
	v := c.voltage(*x, current)
	x.kelvin += dt / thermalMass * (current*(openCircuit(x.soc)-v) + cooling*(ambient+kelvin-x.kelvin))
	relax := func(u *float64, r, tau float64) {
		e := math.Exp(-dt / tau)
		*u = *u*e + current*r*(1-e)
	}
	relax(&x.u1, c.r1, c.tau1)
	relax(&x.u2, c.r2, c.tau2)
	if current != 0 {
		e := math.Exp(-hysteresisRate * math.Abs(current) * dt / (3600 * q))
		x.h = x.h*e - math.Copysign(1-e, current)
	}
	x.soc -= current * dt / (3600 * q)
}

// discharge runs one discharge from the charged and rested cell.
func (c *cell) discharge(number, cycle int, start time.Time, rest time.Duration, offset float64, rng *rand.Rand) Discharge {
	d := Discharge{Cell: number, Cycle: cycle, Start: start, Ambient: ambient}
	depth := selfDepth * (1 - math.Exp(-(rest.Hours()-3)/selfTau)) * math.Exp(0.2*rng.NormFloat64())
	x := state{soc: 1 - max(0, depth) + chargeSpread*rng.NormFloat64(), h: 1, kelvin: ambient + kelvin + 1 + 0.3*rng.NormFloat64()}
	lg := newLogger(rng, offset)

	var (
		t, drawn  float64 // s, A.s
		wander    float64 // A, the regulator's slow error
		tail      int
		measured  bool
		switchOn  = 1.5 * period
		last      = c.voltage(x, 0)
		loadTaken bool
	)
	for next := 0.0; tail < tailSamples && t < longest; next = lg.next(next) {
		current := 0.0
		for t < next {
			current = 0
			if t >= switchOn && !loadTaken {
				current = load + wander
			}
			dt := min(Step, next-t)
			c.advance(&x, current, dt)
			t += dt
			wander += dt * (-wander/300 + 0.0004*rng.NormFloat64())
			v := c.voltage(x, current)
			if !measured {
				drawn += current * dt
				if v <= Cutoff {
					// The crossing lies on the line between the step's ends.
					d.Capacity = (drawn - current*dt*(Cutoff-v)/max(last-v, 1e-12)) / 3600
					measured = true
				}
			}
			last = v
			if v <= tailVoltage && !loadTaken {
				loadTaken = true
			}
		}
		if loadTaken {
			tail++
		}
		if r, ok := lg.read(start, next, cycle, c.voltage(x, current), current, x.kelvin-kelvin); ok {
			d.Readings = append(d.Readings, r)
		}
	}
	return d
}
