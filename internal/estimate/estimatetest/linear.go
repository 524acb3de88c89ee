// Package estimatetest holds problems with answers in closed form, and bands
// for the consistency of filters, to test estimators against.
package estimatetest

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Linear is a linear model with Gaussian noise,
//
//	x[k] = F x[k-1] + w,  w ~ N(0, Q)
//	y[k] = H x[k] + v,    v ~ N(0, R)
//
// in the notation of Bar-Shalom, Li and Kirubarajan, "Estimation with
// Applications to Tracking and Navigation" (Wiley, 2001), section 5.2.
type Linear struct {
	F, H *mat.Dense
	Q, R *mat.SymDense
}

// Kalman is the textbook filter of a Linear: slow, and right by inspection.
type Kalman struct {
	Model Linear
	X     *mat.VecDense
	P     *mat.Dense
}

// Predict moves the belief over one step.
func (k *Kalman) Predict() {
	var x mat.VecDense
	x.MulVec(k.Model.F, k.X)
	var p mat.Dense
	p.Product(k.Model.F, k.P, k.Model.F.T())
	p.Add(&p, k.Model.Q)
	k.X.CopyVec(&x)
	k.P.Copy(&p)
}

// Update conditions the belief on y and returns the innovation, its covariance
// and its log density.
func (k *Kalman) Update(y *mat.VecDense) (innovation *mat.VecDense, s *mat.Dense, logDensity float64) {
	m := y.Len()
	var expected mat.VecDense
	expected.MulVec(k.Model.H, k.X)
	innovation = mat.NewVecDense(m, nil)
	innovation.SubVec(y, &expected)
	s = new(mat.Dense)
	s.Product(k.Model.H, k.P, k.Model.H.T())
	s.Add(s, k.Model.R)
	var inverse, gain mat.Dense
	if err := inverse.Inverse(s); err != nil {
		panic(err) // a problem of this package with a singular S
	}
	gain.Product(k.P, k.Model.H.T(), &inverse)
	var dx mat.VecDense
	dx.MulVec(&gain, innovation)
	k.X.AddVec(k.X, &dx)
	var kh mat.Dense
	kh.Mul(&gain, k.Model.H)
	n, _ := k.P.Dims()
	identity := mat.NewDense(n, n, nil)
	for i := range n {
		identity.Set(i, i, 1)
	}
	identity.Sub(identity, &kh)
	var p mat.Dense
	p.Mul(identity, k.P)
	k.P.Copy(&p)
	var t mat.VecDense
	t.MulVec(&inverse, innovation)
	logDensity = -0.5 * (float64(m)*math.Log(2*math.Pi) + math.Log(mat.Det(s)) + mat.Dot(innovation, &t))
	return innovation, s, logDensity
}

// A RandomWalk is observed with noise: x[k] = x[k-1] + w, y[k] = x[k] + v with
// variances Q and R.
type RandomWalk struct{ Q, R float64 }

// PosteriorVariance is the steady-state variance after a measurement. The
// prior variance p solves p² = q p + q r, the scalar Riccati equation.
func (w RandomWalk) PosteriorVariance() float64 {
	p := (w.Q + math.Sqrt(w.Q*w.Q+4*w.Q*w.R)) / 2
	return p * w.R / (p + w.R)
}

// MeanBand is the band that the mean of count independent χ² variables with
// freedom degrees of freedom, divided by their freedom, lies in with the given
// probability: the test of a mean NIS or NEES.
func MeanBand(freedom, count int, probability float64) (low, high float64) {
	n := float64(freedom * count)
	chi := distuv.ChiSquared{K: n}
	return chi.Quantile((1-probability)/2) / n, chi.Quantile((1+probability)/2) / n
}

// Sample draws from N(0, covariance).
func Sample(covariance *mat.SymDense, rng *rand.Rand) *mat.VecDense {
	var c mat.Cholesky
	if !c.Factorize(covariance) {
		panic("estimatetest: covariance is not positive definite")
	}
	n := covariance.SymmetricDim()
	z := mat.NewVecDense(n, nil)
	for i := range n {
		z.SetVec(i, rng.NormFloat64())
	}
	var l mat.TriDense
	c.LTo(&l)
	out := mat.NewVecDense(n, nil)
	out.MulVec(&l, z)
	return out
}

// Tracking is a target that moves on a line at a nearly constant velocity,
// observed in position: F = [1 1; 0 1], H = [1 0].
func Tracking() Linear {
	return Linear{
		F: mat.NewDense(2, 2, []float64{1, 1, 0, 1}), H: mat.NewDense(1, 2, []float64{1, 0}),
		Q: mat.NewSymDense(2, []float64{0.25, 0.5, 0.5, 1.01}), R: mat.NewSymDense(1, []float64{4}),
	}
}
