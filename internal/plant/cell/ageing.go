package cell

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// How the capacity that a discharge delivers moves from discharge to discharge:
//
//	level    L[k] = L[k-1] + b[k-1] + w₁
//	trend    b[k] = b[k-1] + w₂
//	recovery g[k] = ρ g[k-1] + β ln(pause / usual pause)
//	y[k]     = L[k] + g[k] + α (V_rest − V_full) + e
//
// Capacity fades along a trend; a pause gives back some of what was lost, more
// the longer it is (Saha and Goebel, "Modeling Li-ion battery capacity
// depletion in a particle filtering framework", PHM 2009, on the same
// experiments), and the gain goes again over the next discharges; a cell that
// rests below full has lost some of its charge. The usual pause is the median of
// those remembered: pauses that are all alike say nothing about β.
//
// L, b, g, β and α are estimated by Kalman filters. What they do not estimate,
// ρ and the variances of w₁ and w₂ relative to that of e, is a grid; each point
// is a filter, weighted by its marginal likelihood of all past discharges. The
// scale of all variances is unknown too, with an inverse gamma prior, so that
// every filter forecasts by a Student t (West and Harrison, "Bayesian
// Forecasting and Dynamic Models", 2nd ed., sections 4.6 and 12.2).
const (
	level = iota
	trend
	recovery
	gain    // β
	deficit // α
	terms
)

var (
	keeps      = [...]float64{0.3, 0.5, 0.7, 0.85, 0.95, 1} // ρ
	levelNoise = [...]float64{0.03, 0.3, 1, 3}              // variance of w₁ over that of e
	trendNoise = [...]float64{0.0003, 0.003, 0.03}          // of w₂
)

// Priors, the same for all cells; those in A.h are shares of the prior median
// of capacity. docs/decisions/0006 says where they come from.
const (
	fade, fadeDeviation   = -0.002, 0.005 // per discharge: 80 % are left after some 100
	gains, gainsDeviation = 0.01, 0.02    // per e-fold of the pause: days give back a few percent
	// The open-circuit voltage of Chen and Rincón-Mora rises by 0.94 V per
	// unit of charge at full.
	fullSlope, slopeShare = 1 / 0.94, 0.3
	// Discharges scatter by about 0.15 % about their course.
	scatter, scatterFreedom = 0.0015, 4.0
)

// memorySpan is how many discharges the scale is known from: it follows a cell
// whose scatter changes, and forgets what the prior took for scatter (variance
// discounting, West and Harrison, section 10.8, with a discount of 0.95).
const memorySpan = 20

// A path is one filter of the grid. Variances are in units of the scale.
type path struct {
	X      [terms]float64        `json:"x"`
	P      [terms][terms]float64 `json:"p"`
	Scale  float64               `json:"scale"`  // estimate of the variance of e, A.h²
	Weight float64               `json:"weight"` // log marginal likelihood
}

// An ageing is the mixture of all filters.
type ageing struct {
	Freedom float64 `json:"freedom"` // degrees of freedom of the scale
	Paths   []path  `json:"paths"`
}

// newAgeing returns the prior for a capacity of median A.h known to within a
// share.
func newAgeing(median, share float64) ageing {
	a := ageing{Freedom: scatterFreedom, Paths: make([]path, len(keeps)*len(levelNoise)*len(trendNoise))}
	s2 := scatter * scatter * median * median
	deviation := [terms]float64{share, fadeDeviation, 0, gainsDeviation, slopeShare * fullSlope}
	for i := range a.Paths {
		p := &a.Paths[i]
		p.Scale = s2
		p.X = [terms]float64{median, fade * median, 0, gains * median, fullSlope * median}
		for j, d := range deviation {
			p.P[j][j] = d * d * median * median / s2
		}
	}
	return a
}

// point returns the grid's values of path i.
func point(i int) (keep, qLevel, qTrend float64) {
	n := len(trendNoise)
	return keeps[i/(n*len(levelNoise))], levelNoise[i/n%len(levelNoise)], trendNoise[i%n]
}

// pass moves all paths over one discharge and the pause before it, given as
// ln(pause / usual pause).
func (a *ageing) pass(pause float64) {
	for i := range a.Paths {
		p := &a.Paths[i]
		keep, ql, qb := point(i)
		p.X[level] += p.X[trend]
		p.X[recovery] = keep*p.X[recovery] + pause*p.X[gain]
		// P ← F P Fᵀ: the same on rows, then on columns.
		for c := range terms {
			p.P[level][c] += p.P[trend][c]
			p.P[recovery][c] = keep*p.P[recovery][c] + pause*p.P[gain][c]
		}
		for r := range terms {
			row := &p.P[r]
			row[level] += row[trend]
			row[recovery] = keep*row[recovery] + pause*row[gain]
		}
		p.P[level][level] += ql
		p.P[trend][trend] += qb
	}
}

// observed returns the mean of y at a rest voltage term dv, its variance in
// units of the scale, and P h.
func (p *path) observed(dv float64) (mean, variance float64, ph [terms]float64) {
	h := [terms]float64{level: 1, recovery: 1, deficit: dv}
	variance = 1
	for i := range terms {
		mean += h[i] * p.X[i]
		for j := range terms {
			ph[i] += p.P[i][j] * h[j]
		}
	}
	for i := range terms {
		variance += h[i] * ph[i]
	}
	return mean, variance, ph
}

// learn takes in the capacity y of a discharge, after pass, at a rest voltage
// term dv that is known to within a variance.
func (a *ageing) learn(dv, dvVariance, y float64) {
	nu := math.Min(a.Freedom, memorySpan-1)
	g1, _ := math.Lgamma((nu + 1) / 2)
	g0, _ := math.Lgamma(nu / 2)
	top := math.Inf(-1)
	for i := range a.Paths {
		p := &a.Paths[i]
		mean, s, ph := p.observed(dv)
		s += dvVariance * (p.X[deficit]*p.X[deficit]/p.Scale + p.P[deficit][deficit])
		e := y - mean
		z := e * e / s // in A.h²
		p.Weight += g1 - g0 - 0.5*math.Log(nu*math.Pi*s*p.Scale) - (nu+1)/2*math.Log1p(z/(nu*p.Scale))
		for r := range terms {
			p.X[r] += ph[r] / s * e
			for c := range terms {
				p.P[r][c] -= ph[r] * ph[c] / s
			}
		}
		p.Scale = (nu*p.Scale + z) / (nu + 1)
		top = math.Max(top, p.Weight)
	}
	for i := range a.Paths {
		a.Paths[i].Weight -= top // only differences matter
	}
	a.Freedom = nu + 1
}

// A component is one Student t of a mixture.
type component struct{ weight, mean, scale float64 }

// A mixture of Student t distributions with the same degrees of freedom, plus
// a uniform distribution on [0, spread).
type mixture struct {
	freedom, spread float64
	parts           []component
}

// forecast returns the mixture of y after pass, at a rest voltage term dv
// that scatters with a variance of its own.
func (a *ageing) forecast(dv, dvVariance, quantum float64) mixture {
	m := mixture{freedom: a.Freedom, spread: quantum}
	for i := range a.Paths {
		p := &a.Paths[i]
		w := math.Exp(p.Weight)
		if w < 1e-6 { // 72 of these move no quantile by a relevant amount
			continue
		}
		mean, s, _ := p.observed(dv)
		v := s * p.Scale
		v += (p.X[deficit]*p.X[deficit] + p.P[deficit][deficit]*p.Scale) * dvVariance
		m.parts = append(m.parts, component{w, mean, math.Sqrt(v)})
	}
	m.normalise()
	return m
}

// state returns the weighted mean of a term.
func (a *ageing) state(term int) float64 {
	var sum, weights float64
	for i := range a.Paths {
		w := math.Exp(a.Paths[i].Weight)
		sum += w * a.Paths[i].X[term]
		weights += w
	}
	return sum / weights
}

func (m *mixture) normalise() {
	var sum float64
	for _, c := range m.parts {
		sum += c.weight
	}
	for i := range m.parts {
		m.parts[i].weight /= sum
	}
}

// mean and variance of the mixture; the freedom must exceed 2.
func (m mixture) moments() (mean, variance float64) {
	var square float64
	for _, c := range m.parts {
		mean += c.weight * c.mean
		square += c.weight * (c.mean*c.mean + c.scale*c.scale*m.freedom/(m.freedom-2))
	}
	return mean + m.spread/2, square - mean*mean + m.spread*m.spread/12
}

// cdf is the probability of at most x. The uniform part is integrated by
// Gauss and Legendre's rule of three points.
func (m mixture) cdf(x float64) float64 {
	nodes := [...]float64{0.5 - 0.5*math.Sqrt(0.6), 0.5, 0.5 + 0.5*math.Sqrt(0.6)}
	weights := [...]float64{5.0 / 18, 8.0 / 18, 5.0 / 18}
	if m.spread == 0 {
		nodes, weights = [...]float64{0, 0, 0}, [...]float64{1, 0, 0}
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: m.freedom}
	var sum float64
	for k, u := range nodes {
		if weights[k] == 0 {
			continue
		}
		for _, c := range m.parts {
			sum += weights[k] * c.weight * t.CDF((x-u*m.spread-c.mean)/c.scale)
		}
	}
	return sum
}

// quantile inverts the cdf to a tenth of a millionth of the spread.
func (m mixture) quantile(p float64) float64 {
	mean, variance := m.moments()
	sd := math.Sqrt(variance)
	lo, hi := mean-2*sd, mean+2*sd
	for m.cdf(lo) > p {
		lo -= 2 * sd
	}
	for m.cdf(hi) < p {
		hi += 2 * sd
	}
	// Regula falsi, Illinois' variant: the end that stays twice counts half.
	flo, fhi := m.cdf(lo)-p, m.cdf(hi)-p
	for side := 0; hi-lo > 1e-7*sd; {
		x := hi - fhi*(hi-lo)/(fhi-flo)
		if !(x > lo && x < hi) {
			x = (lo + hi) / 2
		}
		f := m.cdf(x) - p
		if math.Abs(f) < 1e-9 {
			return x
		}
		if f < 0 {
			lo, flo = x, f
			if side < 0 {
				fhi /= 2
			}
			side = -1
		} else {
			hi, fhi = x, f
			if side > 0 {
				flo /= 2
			}
			side = 1
		}
	}
	return (lo + hi) / 2
}
