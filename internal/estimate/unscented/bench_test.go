package unscented_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"github.com/livetwin/livetwin/internal/estimate/unscented"
)

// A problem of n states, of which m are observed: a damped chain.
type problem struct{ n, m int }

func (p problem) transition(x []float64) {
	first := x[0]
	for i := range p.n - 1 {
		x[i] += 0.1 * (x[i+1] - x[i]*x[i]*0.01)
	}
	x[p.n-1] = 0.99*x[p.n-1] - 0.05*first
}

func (p problem) output(y, x []float64) {
	for i := range y {
		y[i] = x[2*i] + 0.05*x[2*i]*x[2*i+1]
	}
}

func diagonal(n int, v float64) []float64 {
	a := make([]float64, n*n)
	for i := range n {
		a[i*n+i] = v
	}
	return a
}

func (p problem) measurement(k int) []float64 {
	y := make([]float64, p.m)
	for i := range y {
		y[i] = math.Sin(float64(k+i) / 3)
	}
	return y
}

var problems = []problem{{4, 2}, {12, 6}}

func (p problem) filter() (step func(y []float64) error) {
	f := unscented.New(p.n, p.m, unscented.Scaling{})
	f.Set(make([]float64, p.n), diagonal(p.n, 1))
	q, r := diagonal(p.n, 0.01), diagonal(p.m, 0.1)
	transition, output := p.transition, p.output
	return func(y []float64) error {
		if err := f.Predict(transition, q); err != nil {
			return err
		}
		if err := f.Forecast(output, r); err != nil {
			return err
		}
		_, err := f.Assimilate(y)
		return err
	}
}

// naive is the filter as one writes it with gonum, matrix by matrix.
type naive struct {
	problem
	x    *mat.VecDense
	p    *mat.SymDense
	q, r *mat.SymDense
}

func newNaive(p problem) *naive {
	return &naive{p, mat.NewVecDense(p.n, nil), mat.NewSymDense(p.n, diagonal(p.n, 1)), mat.NewSymDense(p.n, diagonal(p.n, 0.01)), mat.NewSymDense(p.m, diagonal(p.m, 0.1))}
}

func (f *naive) points() []*mat.VecDense {
	var c mat.Cholesky
	if !c.Factorize(f.p) {
		panic("not positive definite")
	}
	var l mat.TriDense
	c.LTo(&l)
	var scaled mat.Dense
	scaled.Scale(math.Sqrt(float64(f.n)), &l)
	points := []*mat.VecDense{mat.VecDenseCopyOf(f.x)}
	for i := range f.n {
		plus, minus := mat.NewVecDense(f.n, nil), mat.NewVecDense(f.n, nil)
		plus.AddVec(f.x, scaled.ColView(i))
		minus.SubVec(f.x, scaled.ColView(i))
		points = append(points, plus, minus)
	}
	return points
}

// moments returns mean and covariance of points, the centre with weight 0.
func moments(points []*mat.VecDense, noise *mat.SymDense) (*mat.VecDense, *mat.SymDense) {
	w := 1 / float64(len(points)-1)
	mean := mat.NewVecDense(points[0].Len(), nil)
	for _, p := range points[1:] {
		mean.AddScaledVec(mean, w, p)
	}
	covariance := mat.NewSymDense(noise.SymmetricDim(), nil)
	covariance.CopySym(noise)
	for _, p := range points[1:] {
		var d mat.VecDense
		d.SubVec(p, mean)
		covariance.SymRankOne(covariance, w, &d)
	}
	return mean, covariance
}

func (f *naive) step(y []float64) {
	points := f.points()
	for _, p := range points {
		f.transition(p.RawVector().Data)
	}
	f.x, f.p = moments(points, f.q)
	points = f.points()
	outputs := make([]*mat.VecDense, len(points))
	for i, p := range points {
		outputs[i] = mat.NewVecDense(f.m, nil)
		f.output(outputs[i].RawVector().Data, p.RawVector().Data)
	}
	expected, s := moments(outputs, f.r)
	cross := mat.NewDense(f.n, f.m, nil)
	w := 1 / float64(len(points)-1)
	for i := 1; i < len(points); i++ {
		var dx, dy mat.VecDense
		dx.SubVec(points[i], f.x)
		dy.SubVec(outputs[i], expected)
		cross.RankOne(cross, w, &dx, &dy)
	}
	var inverse, gain mat.Dense
	if err := inverse.Inverse(s); err != nil {
		panic(err)
	}
	gain.Mul(cross, &inverse)
	var innovation, dx mat.VecDense
	innovation.SubVec(mat.NewVecDense(f.m, y), expected)
	dx.MulVec(&gain, &innovation)
	f.x.AddVec(f.x, &dx)
	var ks, ksk mat.Dense
	ks.Mul(&gain, s)
	ksk.Mul(&ks, gain.T())
	for i := range f.n {
		for j := i; j < f.n; j++ {
			f.p.SetSym(i, j, f.p.At(i, j)-(ksk.At(i, j)+ksk.At(j, i))/2)
		}
	}
}

func TestEqualsTheNaiveFilter(t *testing.T) {
	for _, p := range problems {
		f := unscented.New(p.n, p.m, unscented.Scaling{})
		f.Set(make([]float64, p.n), diagonal(p.n, 1))
		g := newNaive(p)
		for k := range 100 {
			y := p.measurement(k)
			g.step(y)
			require.NoError(t, f.Predict(p.transition, diagonal(p.n, 0.01)))
			require.NoError(t, f.Forecast(p.output, diagonal(p.m, 0.1)))
			_, err := f.Assimilate(y)
			require.NoError(t, err)
			require.InDeltaSlice(t, g.x.RawVector().Data, f.Mean(), 1e-9)
		}
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	for _, p := range problems {
		step, y := p.filter(), p.measurement(0)
		var err error
		require.Zero(t, testing.AllocsPerRun(100, func() { err = step(y) }))
		require.NoError(t, err)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, p := range problems {
		y := p.measurement(0)
		b.Run(fmt.Sprintf("n=%d,m=%d/unscented", p.n, p.m), func(b *testing.B) {
			step := p.filter()
			b.ReportAllocs()
			for b.Loop() {
				if err := step(y); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("n=%d,m=%d/naive-gonum", p.n, p.m), func(b *testing.B) {
			f := newNaive(p)
			b.ReportAllocs()
			for b.Loop() {
				f.step(y)
			}
		})
	}
}
