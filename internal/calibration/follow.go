package calibration

import (
	"math"
	"time"

	"github.com/livetwin/livetwin/internal/estimate/unscented"
	"github.com/livetwin/livetwin/internal/plant"
)

// z90 is the standard normal quantile of 0.95: 90 % lie within ±z90.
const z90 = 1.6448536269514722

// A follower moves a belief about a plant's states, and in joint estimation
// its parameters, through rows of telemetry.
type follower struct {
	setup  *setup
	filter *unscented.Filter
	nx, np int // states, and parameters that are estimated with them
	q, r   []float64
	p      []float64 // natural values of all parameters
	u0, u1 []float64
	dt     float64
	noise  []float64 // of the states

	transition func(x []float64)
	output     func(y, x []float64)
}

// newFollower returns a follower; joint ones hold the parameters in their
// belief, others keep them as they are in p.
func (s *setup) newFollower(joint bool) *follower {
	f := &follower{setup: s, nx: len(s.description.States), p: make([]float64, len(s.priors))}
	if joint {
		f.np = len(s.priors)
	}
	n, m := f.nx+f.np, len(s.outputs)
	f.filter = unscented.New(n, m, unscented.Scaling{})
	f.q, f.r = make([]float64, n*n), make([]float64, m*m)
	f.noise = make([]float64, f.nx)
	for i, v := range s.noise {
		f.r[i*m+i] = v
	}
	f.transition = func(x []float64) {
		f.natural(x)
		s.instance.Step(x[:f.nx], f.p, f.u0, f.u1, f.dt)
	}
	f.output = func(y, x []float64) {
		f.natural(x)
		s.instance.Output(y, x[:f.nx], f.p, f.u1)
	}
	return f
}

// natural writes the parameters of an augmented state to p.
func (f *follower) natural(x []float64) {
	for i := range f.np {
		f.p[i] = fromCoordinate(f.setup.priors[i], x[f.nx+i])
	}
}

// A tally sums the scores of one-step forecasts.
type tally struct {
	count, inside   int
	density, nis    float64
	last            []float64 // standardised innovation by output
	square, product float64   // sums for the innovations' autocorrelation
	err             error     // that ended the forecasts
}

func (t *tally) add(o tally) {
	t.count += o.count
	t.inside += o.inside
	t.density += o.density
	t.nis += o.nis
	t.square += o.square
	t.product += o.product
	if t.err == nil {
		t.err = o.err
	}
}

func (t *tally) scores() Scores {
	if t.count == 0 {
		return Scores{}
	}
	n := float64(t.count)
	return Scores{Count: t.count, LogScore: t.density / n, NIS: t.nis / n, Coverage90: float64(t.inside) / n}
}

// freedom is the number of independent innovations that carry as much as those
// counted: squares of a first-order process with autocorrelation ρ are
// correlated by ρ².
func (t *tally) freedom() float64 {
	if t.count == 0 || t.square == 0 {
		return 0
	}
	rho := math.Max(-0.99, math.Min(0.99, t.product/t.square))
	return math.Max(1, float64(t.count)*(1-rho*rho)/(1+rho*rho))
}

// follow forecasts every row one step ahead, scores the forecast with its
// covariance multiplied by scale, and assimilates the row. prev is the row
// before, nil when the belief is at the first row already. An error ends it.
func (f *follower) follow(rows []plant.Row, prev *plant.Row, scale float64) tally {
	t := tally{last: make([]float64, len(f.setup.outputs))}
	for i := range t.last {
		t.last[i] = math.NaN()
	}
	for k := range rows {
		row := &rows[k]
		f.u1 = row.U
		if prev != nil {
			if t.err = f.advance(prev, row); t.err != nil {
				return t
			}
		}
		prev = row
		if !measured(row.Y) {
			continue
		}
		if t.err = f.filter.Forecast(f.output, f.r); t.err != nil {
			return t
		}
		t.channels(f, row.Y, scale)
		u, err := f.filter.Assimilate(row.Y)
		if err != nil {
			t.err = err
			return t
		}
		t.count += u.Count
		t.nis += u.NIS / scale
		t.density += u.LogDensity + u.NIS/2 - u.NIS/(2*scale) - float64(u.Count)/2*math.Log(scale)
	}
	if !isFinite(t.nis) || !isFinite(t.density) {
		t.err = unscented.ErrNonFinite
	}
	return t
}

// channels looks at each output's forecast before it is assimilated.
func (t *tally) channels(f *follower, measured []float64, scale float64) {
	y, s := f.filter.Output()
	m := len(y)
	for i, v := range measured {
		if math.IsNaN(v) {
			continue
		}
		e := (v - y[i]) / math.Sqrt(s[i*m+i]*scale)
		if math.Abs(e) <= z90 {
			t.inside++
		}
		// One outlier must not look like an uncorrelated series.
		c := math.Max(-5, math.Min(5, e))
		if !math.IsNaN(t.last[i]) {
			t.product += c * t.last[i]
		}
		t.square += c * c
		t.last[i] = c
	}
}

// advance moves the belief from one row to the next.
func (f *follower) advance(from, to *plant.Row) error {
	f.u0, f.u1 = from.U, to.U
	f.dt = to.Time.Sub(from.Time).Seconds()
	f.setup.instance.Noise(f.noise, f.dt)
	n := f.nx + f.np
	for i, v := range f.noise {
		f.q[i*n+i] = v
	}
	return f.filter.Predict(f.transition, f.q)
}

func measured(y []float64) bool {
	for _, v := range y {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

// rowAt is the row that a belief without segments stands at.
type rowAt struct {
	Time time.Time `json:"time"`
	U    []float64 `json:"u"`
}
