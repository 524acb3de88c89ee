package cell

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// White box: the mixture is not reachable by itself from outside.

func TestAMixtureOfOneIsItsStudentT(t *testing.T) {
	m := mixture{freedom: 5, parts: []component{{1, 1.8, 0.01}}}
	want := distuv.StudentsT{Mu: 1.8, Sigma: 0.01, Nu: 5}
	for _, p := range []float64{0.001, 0.05, 0.5, 0.95, 0.999} {
		assert.InDelta(t, want.Quantile(p), m.quantile(p), 1e-8)
	}
	mean, variance := m.moments()
	assert.InDelta(t, 1.8, mean, 1e-15)
	assert.InDelta(t, want.Variance(), variance, 1e-12)
}

// A uniform on [0, h) plus a t with a small scale is the uniform but for its
// edges; its mean is h/2 and its variance h²/12.
func TestAMixtureWithASpread(t *testing.T) {
	m := mixture{freedom: 200, spread: 0.01, parts: []component{{1, 0, 0.005}}}
	mean, variance := m.moments()
	assert.InDelta(t, 0.005, mean, 1e-15)
	assert.InDelta(t, 0.01*0.01/12+0.005*0.005*200.0/198, variance, 1e-12)
	assert.InDelta(t, 0.005, m.quantile(0.5), 1e-7, "by symmetry")
}

func TestQuantilesInvertTheDistribution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := mixture{freedom: rapid.Float64Range(3, 50).Draw(t, "freedom"), spread: rapid.Float64Range(0, 0.02).Draw(t, "spread")}
		for range rapid.IntRange(1, 6).Draw(t, "parts") {
			m.parts = append(m.parts, component{
				rapid.Float64Range(0.01, 1).Draw(t, "weight"), rapid.Float64Range(1.5, 2).Draw(t, "mean"), rapid.Float64Range(1e-3, 0.1).Draw(t, "scale"),
			})
		}
		m.normalise()
		p := rapid.Float64Range(0.01, 0.99).Draw(t, "p")
		// The quantile is found to 1e-7 of the spread; densities are below 400.
		if got := m.cdf(m.quantile(p)); math.Abs(got-p) > 1e-4 {
			t.Fatalf("cdf(quantile(%g)) = %g", p, got)
		}
	})
}

// With a trend and no scatter the forecasts converge to the trend, and the
// level's variance stays positive.
func TestAgeingFollowsATrend(t *testing.T) {
	a := newAgeing(1.9, 0.15)
	y := 1.8
	for k := range 60 {
		a.pass(0)
		if k > 30 {
			mean, variance := a.forecast(0, 0, 0).moments()
			assert.InDelta(t, y, mean, 1e-3)
			assert.Positive(t, variance)
		}
		a.learn(0, 0, y)
		y -= 0.01
	}
	assert.InDelta(t, -0.01, a.state(trend), 1e-4)
	// Level 1.2 falls to 1.0 in 20 discharges.
	life := a.life(1.0, []turn{{}}, []float64{0.05, 0.5, 0.95})
	assert.InDelta(t, 20, life[1], 1)
	assert.Greater(t, life[0], 10.0)
	assert.Less(t, life[2], 40.0)
}
