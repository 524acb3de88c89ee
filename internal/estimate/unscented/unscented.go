// Package unscented is the unscented Kalman filter for models with additive
// noise,
//
//	x[k] = f(x[k-1]) + w,  w ~ N(0, Q)
//	y[k] = h(x[k]) + v,    v ~ N(0, R)
//
// with the scaled sigma points of Julier and Uhlmann. Parameters that are
// estimated with the state are elements of x that f leaves alone.
//
// Notation follows Wan and van der Merwe, "The Unscented Kalman Filter" (in
// Haykin, "Kalman Filtering and Neural Networks", Wiley, 2001, table 7.3.2,
// additive noise with sigma points redrawn before the update): n states, m
// outputs, λ = α²(n+κ) − n, sigma points x and x ± √(n+λ) Lᵢ with L the
// Cholesky factor of P, weights W₀ = λ/(n+λ) for the mean,
// W₀ + 1 − α² + β for the covariance and 1/(2(n+λ)) for all others. The
// innovation is ν = y − ŷ, its covariance S, the gain K.
//
// All matrices are dense, row-major slices. A Filter allocates in [New] only.
// Wrong lengths panic; data that cannot be processed is an error.
package unscented

import (
	"errors"
	"fmt"
	"math"
)

// Errors of a Filter. After one of them its belief is no longer defined.
var (
	// ErrNotPositive reports a covariance that is not positive semidefinite.
	ErrNotPositive = errors.New("unscented: covariance is not positive semidefinite")
	// ErrNonFinite reports a model that returned NaN or an infinity.
	ErrNonFinite = errors.New("unscented: model returned a value that is not finite")
)

// Scaling spreads the sigma points. The zero value stands for α = 1, β = 0,
// κ = 0: all weights are ≥ 0, so no covariance can become indefinite but by
// rounding.
type Scaling struct {
	Alpha float64 // α, 0 < α ≤ 1; 0 stands for 1
	Beta  float64 // β, 2 for a Gaussian when α is small
	Kappa float64 // κ > −n
}

// An Update is the outcome of one measurement.
type Update struct {
	Count      int     // channels that had a value
	NIS        float64 // νᵀ S⁻¹ ν, χ² with Count degrees of freedom when the model is right
	LogDensity float64 // ln N(ν; 0, S), in nats
}

// A Filter holds a belief N(x, P) about a state and what it needs to move it.
type Filter struct {
	n, m int

	gamma  float64 // √(n+λ), the spread of the sigma points
	w0, wc float64 // weights of the centre for mean and covariance
	w      float64 // weight of every other point

	x    []float64 // n
	p    []float64 // n×n
	l    []float64 // n×n, lower unless dense
	work []float64 // n×n
	sig  []float64 // (2n+1)×n, sigma points
	y    []float64 // m, ŷ
	s    []float64 // m×m
	ys   []float64 // (2n+1)×m, outputs of the sigma points
	pxy  []float64 // n×m
	ls   []float64 // m×m, lower; of the channels in use
	t    []float64 // n×m, pxy L⁻ᵀ of the channels in use
	z    []float64 // m, L⁻¹ν
	used []int     // channels in use

	dense bool // l is not lower: P is singular
}

// New returns a filter of n states and m outputs with x = 0 and P = 0.
func New(n, m int, scaling Scaling) *Filter {
	if n < 1 || m < 1 {
		panic(fmt.Sprintf("unscented: %d states and %d outputs", n, m))
	}
	alpha := scaling.Alpha
	if alpha == 0 {
		alpha = 1
	}
	lambda := alpha*alpha*(float64(n)+scaling.Kappa) - float64(n)
	c := float64(n) + lambda
	if alpha < 0 || alpha > 1 || !(c > 0) {
		panic(fmt.Sprintf("unscented: scaling %+v is unusable with %d states", scaling, n))
	}
	return &Filter{
		n: n, m: m,
		gamma: math.Sqrt(c), w0: lambda / c, wc: lambda/c + 1 - alpha*alpha + scaling.Beta, w: 1 / (2 * c),
		x: make([]float64, n), p: make([]float64, n*n), l: make([]float64, n*n), work: make([]float64, n*n), sig: make([]float64, (2*n+1)*n),
		y: make([]float64, m), s: make([]float64, m*m), ys: make([]float64, (2*n+1)*m), pxy: make([]float64, n*m),
		ls: make([]float64, m*m), t: make([]float64, n*m), z: make([]float64, m), used: make([]int, 0, m),
	}
}

// Set replaces the belief by N(x, P). Only the lower triangle of p is read.
func (f *Filter) Set(x, p []float64) {
	f.check("state", len(x), f.n)
	f.check("covariance", len(p), f.n*f.n)
	copy(f.x, x)
	copy(f.p, p)
	mirror(f.p, f.n)
}

// Mean returns x. It is the filter's own: read it, or change it knowingly.
func (f *Filter) Mean() []float64 { return f.x }

// Covariance returns P, exactly symmetric. It is the filter's own: one that
// changes it must keep it symmetric.
func (f *Filter) Covariance() []float64 { return f.p }

// Output returns ŷ and S of the last call of [Filter.Forecast], the
// filter's own.
func (f *Filter) Output() (y, s []float64) { return f.y, f.s }

// Predict moves the belief through the transition, which moves a state in
// place, and adds the process noise q, n×n.
func (f *Filter) Predict(transition func(x []float64), q []float64) error {
	f.check("process noise", len(q), f.n*f.n)
	n := f.n
	if err := f.spread(); err != nil {
		return err
	}
	for i := range 2*n + 1 {
		transition(f.sig[i*n : i*n+n])
	}
	centre := f.sig[:n]
	mean(f.x, f.sig, f.w0, f.w)
	if !finite(f.x) {
		return ErrNonFinite
	}
	// P = Q + Σ Wᵢ (χᵢ−x)(χᵢ−x)ᵀ, lower triangle
	for i := range 2*n + 1 {
		row := f.sig[i*n : i*n+n]
		for j, xj := range f.x {
			row[j] -= xj
		}
	}
	p := f.p
	for a := range n {
		pa := p[a*n : a*n+a+1]
		ca := f.wc * centre[a]
		for b := range pa {
			pa[b] = q[a*n+b] + ca*centre[b]
		}
	}
	for i := 1; i < 2*n+1; i++ {
		row := f.sig[i*n : i*n+n]
		for a, ra := range row {
			ra *= f.w
			if ra == 0 {
				continue
			}
			pa := p[a*n : a*n+a+1]
			for b := range pa {
				pa[b] += ra * row[b]
			}
		}
	}
	mirror(p, n)
	return nil
}

// Forecast computes what is expected of the next measurement: ŷ, and S with
// the measurement noise r, m×m, included. output writes h(x) to y.
func (f *Filter) Forecast(output func(y, x []float64), r []float64) error {
	f.check("measurement noise", len(r), f.m*f.m)
	n, m := f.n, f.m
	if err := f.spread(); err != nil {
		return err
	}
	for i := range 2*n + 1 {
		output(f.ys[i*m:i*m+m], f.sig[i*n:i*n+n])
	}
	mean(f.y, f.ys, f.w0, f.w)
	if !finite(f.y) {
		return ErrNonFinite
	}
	for i := range 2*n + 1 {
		row := f.ys[i*m : i*m+m]
		for j, yj := range f.y {
			row[j] -= yj
		}
	}
	centre := f.ys[:m]
	for a := range m {
		ca := f.wc * centre[a]
		for b := range a + 1 {
			f.s[a*m+b] = r[a*m+b] + ca*centre[b]
		}
	}
	for i := 1; i < 2*n+1; i++ {
		row := f.ys[i*m : i*m+m]
		for a, ra := range row {
			ra *= f.w
			sa := f.s[a*m : a*m+a+1]
			for b := range sa {
				sa[b] += ra * row[b]
			}
		}
	}
	mirror(f.s, m)
	f.cross()
	return nil
}

// cross computes Pxy = Σ Wᵢ (χᵢ−x)(yᵢ−ŷ)ᵀ. The points of a pair lie at
// ±γ Lⱼ, so that Pxy = W γ Σⱼ Lⱼ (y₊ⱼ − y₋ⱼ)ᵀ.
func (f *Filter) cross() {
	n, m := f.n, f.m
	clear(f.pxy)
	c := f.w * f.gamma
	for j := range n {
		plus := f.ys[(1+j)*m : (2+j)*m]
		minus := f.ys[(1+n+j)*m : (2+n+j)*m]
		first := j
		if f.dense {
			first = 0
		}
		for b := range m {
			d := c * (plus[b] - minus[b])
			for a := first; a < n; a++ {
				f.pxy[a*m+b] += f.l[a*n+j] * d
			}
		}
	}
}

// Assimilate conditions the belief on y, the measurement that the last
// Forecast was of. A channel that is NaN is missing.
func (f *Filter) Assimilate(y []float64) (Update, error) {
	f.check("measurement", len(y), f.m)
	n, m := f.n, f.m
	f.used = f.used[:0]
	for i, v := range y {
		if !math.IsNaN(v) {
			f.used = append(f.used, i)
		}
	}
	k := len(f.used)
	if k == 0 {
		return Update{}, nil
	}
	for a, ia := range f.used {
		for b, ib := range f.used[:a+1] {
			f.ls[a*k+b] = f.s[ia*m+ib]
		}
	}
	if !cholesky(f.ls[:k*k], f.ls[:k*k], k) {
		return Update{}, ErrNotPositive
	}
	u := Update{Count: k, LogDensity: -0.5 * float64(k) * math.Log(2*math.Pi)}
	for a, ia := range f.used { // z = L⁻¹ν
		v := y[ia] - f.y[ia]
		for b := range a {
			v -= f.ls[a*k+b] * f.z[b]
		}
		d := f.ls[a*k+a]
		if d == 0 {
			return Update{}, ErrNotPositive
		}
		v /= d
		f.z[a] = v
		u.NIS += v * v
		u.LogDensity -= math.Log(d)
	}
	u.LogDensity -= 0.5 * u.NIS
	if math.IsNaN(u.NIS) || math.IsInf(u.NIS, 0) {
		return Update{}, ErrNonFinite
	}
	for i := range n { // T = Pxy L⁻ᵀ, x += T z
		row := f.t[i*k : i*k+k]
		for a, ia := range f.used {
			v := f.pxy[i*m+ia]
			for b := range a {
				v -= f.ls[a*k+b] * row[b]
			}
			v /= f.ls[a*k+a]
			row[a] = v
			f.x[i] += v * f.z[a]
		}
	}
	for a := range n { // P −= T Tᵀ
		ta := f.t[a*k : a*k+k]
		pa := f.p[a*n : a*n+a+1]
		for b := range pa {
			tb := f.t[b*k : b*k+k]
			var v float64
			for c, tc := range ta {
				v += tc * tb[c]
			}
			pa[b] -= v
		}
	}
	mirror(f.p, n)
	return u, nil
}

// spread writes the sigma points of the belief.
func (f *Filter) spread() error {
	f.dense = !cholesky(f.l, f.p, f.n)
	if !f.dense {
		spread(f.sig, f.x, f.l, f.gamma)
		return nil
	}
	if !semidefinite(f.l, f.p, f.work, f.n) {
		return ErrNotPositive
	}
	spreadDense(f.sig, f.x, f.l, f.gamma)
	return nil
}

// SigmaPoints writes the 2n+1 sigma points of N(x, P) to dst, one after the
// other, and returns the weights for mean and covariance of the first one and
// the weight of all others.
func (f *Filter) SigmaPoints(dst []float64) (mean0, covariance0, others float64, err error) {
	f.check("sigma points", len(dst), len(f.sig))
	if err := f.spread(); err != nil {
		return 0, 0, 0, err
	}
	copy(dst, f.sig)
	return f.w0, f.wc, f.w, nil
}

func (f *Filter) check(what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("unscented: %s has %d elements, expected %d", what, got, want))
	}
}
