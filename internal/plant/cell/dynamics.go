package cell

import "math"

const (
	// Activation energy of the ohmic resistance over the gas constant, K:
	// 20 kJ/mol, the middle of what is published for LiCoO₂ cells.
	activation  = 20e3 / 8.314462618
	zeroCelsius = 273.15 // K
	// reference is the temperature that R is quoted at, Cel.
	reference = 45.0

	// Variances per second of the states' process noise: what counting misses
	// of the charge (0.01 % of it in 1000 s), and a few tenths of a millivolt
	// of polarisation per sample of 10 s.
	chargeNoise       = 1e-11
	polarisationNoise = 1e-9
)

// arrhenius is a(T).
func arrhenius(celsius float64) float64 {
	return math.Exp(activation * (1/(celsius+zeroCelsius) - 1/(reference+zeroCelsius)))
}

// Start implements [plant.Instance]: a full cell at rest.
func (c *cell) Start(x, deviation, _, _ []float64) {
	x[charge], deviation[charge] = 1, 0.05
	x[polarisation], deviation[polarisation] = 0, restDeviation
}

// Step implements [plant.Instance]. It is exact for a current that goes
// linearly (charge) and that is at its end's value (polarisation).
func (c *cell) Step(x, p, u0, u1 []float64, dt float64) {
	if dt != c.dt {
		c.dt, c.decay = dt, math.Exp(-dt/c.tau)
	}
	x[charge] += (u0[current] + u1[current]) / 2 * dt / (3600 * p[capacity])
	x[polarisation] = c.decay*x[polarisation] + (1-c.decay)*u1[current]*p[r1]
}

// Noise implements [plant.Instance].
func (c *cell) Noise(variance []float64, dt float64) {
	variance[charge] = chargeNoise * dt
	variance[polarisation] = polarisationNoise * dt
}

// Output implements [plant.Instance].
func (c *cell) Output(y, x, p, u []float64) {
	y[0] = openCircuit(x[charge], p[firstKnot:]) + x[polarisation]
	if i := u[current]; i != 0 {
		y[0] += i * p[resistance] * arrhenius(u[temperature])
	}
}

// Correlation implements [plant.Correlated]: neighbouring knots of the curve
// go together, over about 0.15 of charge.
func (c *cell) Correlation(i, j int) float64 {
	if i == j {
		return 1
	}
	if i < firstKnot || j < firstKnot {
		return 0
	}
	return math.Exp(-math.Abs(knots[i-firstKnot]-knots[j-firstKnot]) / 0.15)
}
