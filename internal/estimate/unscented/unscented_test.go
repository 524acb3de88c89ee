package unscented_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/internal/estimate/estimatetest"
	"github.com/livetwin/livetwin/internal/estimate/unscented"
)

// spread checks that the sigma points of N(0, P) have covariance P to 1e-12 of
// its largest element.
func spread(t require.TestingT, n int, p []float64, scaling unscented.Scaling) {
	f := unscented.New(n, 1, scaling)
	f.Set(make([]float64, n), p)
	points := make([]float64, (2*n+1)*n)
	mean0, _, w, err := f.SigmaPoints(points)
	require.NoError(t, err)
	assert.InDelta(t, 1, mean0+2*float64(n)*w, 1e-12*(1+math.Abs(mean0)), "the weights of the mean sum to 1")
	norm := 0.0
	for _, v := range p {
		norm = math.Max(norm, math.Abs(v))
	}
	for a := range n {
		for b := range n {
			var sum float64
			for i := 1; i <= 2*n; i++ {
				sum += w * points[i*n+a] * points[i*n+b]
			}
			require.InDelta(t, p[a*n+b], sum, 1e-12*norm, "P[%d,%d]", a, b)
		}
	}
}

func TestSigmaPointsOfAMatrixThatTakingAbsoluteValuesGetsWrong(t *testing.T) {
	// With chol(|P|)·sign(P) the implied P₂₃ is −0.08.
	spread(t, 3, []float64{1, .4, .4, .4, 1, -.4, .4, -.4, 1}, unscented.Scaling{})
}

func TestSigmaPointsReproduceAnyCovariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		// P = D A Aᵀ D with A square: any rank, scales over twelve decades.
		// Elements are multiples of 1e-6: products do not underflow.
		element := rapid.Map(rapid.IntRange(-1e6, 1e6), func(i int) float64 { return float64(i) / 1e6 })
		a := rapid.SliceOfN(element, n*n, n*n).Draw(t, "a")
		scale := rapid.SliceOfN(rapid.Float64Range(-6, 6), n, n).Draw(t, "scale")
		p := make([]float64, n*n)
		for i := range n {
			for j := range n {
				for k := range n {
					p[i*n+j] += a[i*n+k] * a[j*n+k]
				}
				p[i*n+j] *= math.Pow(10, scale[i]) * math.Pow(10, scale[j])
			}
		}
		for i := range n {
			for j := range i {
				p[j*n+i] = p[i*n+j]
			}
		}
		alpha := rapid.Float64Range(0.01, 1).Draw(t, "alpha")
		spread(t, n, p, unscented.Scaling{Alpha: alpha, Beta: 2})
	})
}

// filterOf returns an unscented filter of a linear model and its functions.
func filterOf(m estimatetest.Linear, x *mat.VecDense, p *mat.Dense) (f *unscented.Filter, transition func([]float64), output func(y, x []float64)) {
	n, k := x.Len(), m.R.SymmetricDim()
	f = unscented.New(n, k, unscented.Scaling{})
	f.Set(x.RawVector().Data, p.RawMatrix().Data)
	scratch := mat.NewVecDense(n, nil)
	transition = func(x []float64) {
		scratch.MulVec(m.F, mat.NewVecDense(n, x))
		copy(x, scratch.RawVector().Data)
	}
	output = func(y, x []float64) { mat.NewVecDense(k, y).MulVec(m.H, mat.NewVecDense(n, x)) }
	return f, transition, output
}

func full(s *mat.SymDense) []float64 { return mat.DenseCopyOf(s).RawMatrix().Data }

func TestEqualsTheKalmanFilterOnALinearModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := estimatetest.Linear{
		F: mat.NewDense(3, 3, []float64{1, 0.1, 0, 0, 0.95, 0.1, 0.02, 0, 0.9}),
		H: mat.NewDense(2, 3, []float64{1, 0, 0.5, 0, 1, 0}),
		Q: mat.NewSymDense(3, []float64{0.1, 0.02, 0, 0.02, 0.2, 0, 0, 0, 0.05}),
		R: mat.NewSymDense(2, []float64{0.5, 0.1, 0.1, 0.8}),
	}
	x := mat.NewVecDense(3, []float64{1, -1, 2})
	p := mat.NewDense(3, 3, []float64{2, 0.3, 0, 0.3, 1, 0.1, 0, 0.1, 3})
	k := estimatetest.Kalman{Model: m, X: mat.VecDenseCopyOf(x), P: mat.DenseCopyOf(p)}
	f, transition, output := filterOf(m, x, p)
	q, r := full(m.Q), full(m.R)
	for range 200 {
		k.Predict()
		require.NoError(t, f.Predict(transition, q))
		y := mat.NewVecDense(2, []float64{rng.NormFloat64(), rng.NormFloat64()})
		_, _, density := k.Update(y)
		require.NoError(t, f.Forecast(output, r))
		u, err := f.Assimilate(y.RawVector().Data)
		require.NoError(t, err)
		// The two differ by rounding only, some hundred operations on numbers
		// of order one.
		require.InDeltaSlice(t, k.X.RawVector().Data, f.Mean(), 1e-10)
		require.InDeltaSlice(t, k.P.RawMatrix().Data, f.Covariance(), 1e-10)
		require.InDelta(t, density, u.LogDensity, 1e-10)
	}
}

func TestReachesTheRiccatiEquationsSteadyState(t *testing.T) {
	w := estimatetest.RandomWalk{Q: 0.3, R: 2}
	f := unscented.New(1, 1, unscented.Scaling{})
	f.Set([]float64{0}, []float64{100})
	for range 200 { // the error shrinks by more than a third a step
		require.NoError(t, f.Predict(func([]float64) {}, []float64{w.Q}))
		require.NoError(t, f.Forecast(func(y, x []float64) { y[0] = x[0] }, []float64{w.R}))
		_, err := f.Assimilate([]float64{1})
		require.NoError(t, err)
	}
	assert.InDelta(t, w.PosteriorVariance(), f.Covariance()[0], 1e-12)
}

// NIS and NEES of a right model are χ² (Bar-Shalom et al., section 5.4): over
// 200 runs of 20 steps their means lie in the 95 % band; the seed is fixed.
func TestIsConsistentWhenTheModelIsRight(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := estimatetest.Tracking()
	const runs, steps = 200, 20
	var nis, nees float64
	for range runs {
		p0 := mat.NewSymDense(2, []float64{10, 0, 0, 1})
		truth := estimatetest.Sample(p0, rng)
		f, transition, output := filterOf(m, mat.NewVecDense(2, nil), mat.DenseCopyOf(p0))
		for range steps {
			var next mat.VecDense
			next.MulVec(m.F, truth)
			next.AddVec(&next, estimatetest.Sample(m.Q, rng))
			truth.CopyVec(&next)
			y := []float64{truth.AtVec(0) + 2*rng.NormFloat64()}
			require.NoError(t, f.Predict(transition, full(m.Q)))
			require.NoError(t, f.Forecast(output, full(m.R)))
			u, err := f.Assimilate(y)
			require.NoError(t, err)
			nis += u.NIS
		}
		e := mat.NewVecDense(2, nil)
		e.SubVec(truth, mat.NewVecDense(2, f.Mean()))
		var solved mat.VecDense
		require.NoError(t, solved.SolveVec(mat.NewDense(2, 2, f.Covariance()), e))
		nees += mat.Dot(e, &solved)
	}
	low, high := estimatetest.MeanBand(1, runs*steps, 0.95)
	assert.Greater(t, nis/(runs*steps), low)
	assert.Less(t, nis/(runs*steps), high)
	low, high = estimatetest.MeanBand(2, runs, 0.95)
	assert.Greater(t, nees/(2*runs), low)
	assert.Less(t, nees/(2*runs), high)
}

func TestAMissingChannelIsLeftOut(t *testing.T) {
	p := []float64{2, 0.5, 0.5, 1}
	both := unscented.New(2, 2, unscented.Scaling{})
	both.Set([]float64{1, 2}, p)
	one := unscented.New(2, 1, unscented.Scaling{})
	one.Set([]float64{1, 2}, p)
	require.NoError(t, both.Forecast(func(y, x []float64) { copy(y, x) }, []float64{1, 0.3, 0.3, 1}))
	require.NoError(t, one.Forecast(func(y, x []float64) { y[0] = x[1] }, []float64{1}))
	u, err := both.Assimilate([]float64{math.NaN(), 3})
	require.NoError(t, err)
	v, err := one.Assimilate([]float64{3})
	require.NoError(t, err)
	assert.Equal(t, v, u)
	assert.InDeltaSlice(t, one.Mean(), both.Mean(), 1e-15)
	assert.InDeltaSlice(t, one.Covariance(), both.Covariance(), 1e-15)

	before := append([]float64(nil), both.Mean()...)
	require.NoError(t, both.Forecast(func(y, x []float64) { copy(y, x) }, []float64{1, 0, 0, 1}))
	u, err = both.Assimilate([]float64{math.NaN(), math.NaN()})
	require.NoError(t, err)
	assert.Zero(t, u)
	assert.Equal(t, before, both.Mean())
}

func TestWhatIsKnownExactlyStaysSo(t *testing.T) {
	f := unscented.New(2, 1, unscented.Scaling{})
	f.Set([]float64{1, 5}, []float64{1, 0, 0, 0})
	require.NoError(t, f.Predict(func(x []float64) { x[0] += x[1] }, make([]float64, 4)))
	require.NoError(t, f.Forecast(func(y, x []float64) { y[0] = x[0] * x[1] }, []float64{1}))
	_, err := f.Assimilate([]float64{20})
	require.NoError(t, err)
	assert.InDelta(t, 5, f.Mean()[1], 0)
	assert.Zero(t, f.Covariance()[3])
}

func TestErrors(t *testing.T) {
	f := unscented.New(2, 1, unscented.Scaling{})
	identity := func([]float64) {}
	f.Set([]float64{0, 0}, []float64{1, 2, 2, 1}) // eigenvalues 3 and −1
	require.ErrorIs(t, f.Predict(identity, make([]float64, 4)), unscented.ErrNotPositive)
	f.Set([]float64{0, 0}, []float64{1, 0, 0, math.NaN()})
	require.ErrorIs(t, f.Predict(identity, make([]float64, 4)), unscented.ErrNotPositive)
	f.Set([]float64{0, 0}, []float64{1, 0, 0, 1})
	require.ErrorIs(t, f.Predict(func(x []float64) { x[0] = math.Inf(1) }, make([]float64, 4)), unscented.ErrNonFinite)
	f.Set([]float64{0, 0}, []float64{1, 0, 0, 1})
	require.ErrorIs(t, f.Forecast(func(y, _ []float64) { y[0] = math.NaN() }, []float64{1}), unscented.ErrNonFinite)
	f.Set([]float64{0, 0}, []float64{0, 0, 0, 0})
	require.NoError(t, f.Forecast(func(y, x []float64) { y[0] = x[0] }, []float64{0}))
	_, err := f.Assimilate([]float64{1})
	require.ErrorIs(t, err, unscented.ErrNotPositive)
	assert.Panics(t, func() { f.Set([]float64{1}, []float64{1}) })
	assert.Panics(t, func() { unscented.New(0, 1, unscented.Scaling{}) })
	assert.Panics(t, func() { unscented.New(2, 1, unscented.Scaling{Kappa: -2}) })
}
