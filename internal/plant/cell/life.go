package cell

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// horizon is the number of discharges beyond which no life is told: a trend of
// tens of discharges says nothing about thousands.
const horizon = 1000

// courses is how many futures a life is told from. A quantile of 0.05 is then
// one of a probability between 0.02 and 0.08 (two standard deviations).
const courses = 250

// A turn is what a rest does to the discharge after it: its pause relative to
// the usual one, as a logarithm, and its rest voltage relative to full, V.
type turn struct{ pause, deficit float64 }

// life returns quantiles of the number of discharges until the capacity has
// fallen to end; NaN where it is beyond the horizon. The rests of the past,
// turns, come again in their order.
//
// It follows courses drawn from the mixture. What a cell lost by fading it does
// not get back: courses on which the level rises now are not drawn, and the
// trend, which wanders on with the variance of w₂, is reflected at 0. The level
// scatters about it with the variance of w₁. Random numbers do not depend on
// anything but the course's number.
func (a *ageing) life(end float64, turns []turn, probabilities []float64) []float64 {
	sum, top := 0.0, 0
	weights := make([]float64, len(a.Paths))
	for i := range a.Paths {
		weights[i] = math.Exp(a.Paths[i].Weight)
		sum += weights[i]
		if weights[i] > weights[top] {
			top = i
		}
	}
	ends := make([]float64, courses)
	for k := range ends {
		rng := rand.New(rand.NewPCG(1, uint64(k))) //nolint:gosec // repeatable, not secret
		i, left := 0, rng.Float64()*sum
		for left > weights[i] && i < len(weights)-1 {
			left -= weights[i]
			i++
		}
		if weights[i] == 0 { // rounding
			i = top
		}
		ends[k] = a.course(i, rng, end, turns)
	}
	slices.Sort(ends)
	out := make([]float64, len(probabilities))
	for i, p := range probabilities {
		out[i] = ends[min(courses-1, int(p*courses))]
		if out[i] > horizon {
			out[i] = math.NaN()
		}
	}
	return out
}

// block is how many discharges have the trend in common: far ahead it wanders
// by little in one.
const block = 5

// course draws one course of path i and returns the number of discharges after
// which it has fallen to end, or +Inf.
func (a *ageing) course(i int, rng *rand.Rand, end float64, turns []turn) float64 {
	p := &a.Paths[i]
	keep, ql, qb := point(i)
	// The path is a Student t: a Gaussian of a scale drawn from its inverse gamma.
	scale := math.Sqrt(p.Scale * a.Freedom / distuv.ChiSquared{K: a.Freedom, Src: rng}.Rand())
	var x [drawn]float64
	for range 30 {
		var z [drawn]float64
		for j := range z {
			z[j] = rng.NormFloat64()
		}
		x = p.draw(z, scale)
		if x[trend] <= 0 {
			break
		}
		x[trend] = 0 // a trend that rises for sure ends as none
	}
	wl, wb := math.Sqrt(ql*block)*scale, math.Sqrt(qb*block)*scale
	next := rng.IntN(len(turns))
	for n := 0; n < horizon; {
		scatter := wl * rng.NormFloat64() / block
		for range block {
			n++
			r := turns[next]
			next = (next + 1) % len(turns)
			x[level] += x[trend] + scatter
			x[recovery] = keep*x[recovery] + r.pause*x[gain]
			if x[level]+x[recovery]+p.X[deficit]*r.deficit <= end {
				return float64(n)
			}
		}
		x[trend] = -math.Abs(x[trend] + wb*rng.NormFloat64())
	}
	return math.Inf(1)
}

// drawn is how many terms a course draws: level, trend, recovery and gain.
const drawn = gain + 1

// draw returns terms for standard normal numbers, by a Cholesky factor of their
// covariance.
func (p *path) draw(z [drawn]float64, scale float64) (x [drawn]float64) {
	var l [drawn][drawn]float64
	for r := range l {
		x[r] = p.X[r] //nolint:gosec // G602: r, c, k < drawn
		for c := range r + 1 {
			v := p.P[r][c]
			for k := range c {
				v -= l[r][k] * l[c][k] //nolint:gosec // G602: r, c, k < drawn
			}
			switch {
			case r == c:
				l[r][c] = math.Sqrt(math.Max(0, v)) //nolint:gosec // G602: r, c, k < drawn
			case l[c][c] > 0:
				l[r][c] = v / l[c][c] //nolint:gosec // G602: r, c, k < drawn
			}
			x[r] += scale * l[r][c] * z[c] //nolint:gosec // G602: r, c, k < drawn
		}
	}
	return x
}
