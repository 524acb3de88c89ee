package unscented

import "math"

// cholesky writes the lower factor of the symmetric matrix a, n×n, whose lower
// triangle it reads, to l; they may be the same. A variance of zero gives a
// zero column: what is known exactly has no spread. It reports whether a is
// positive definite, but for such zeros.
func cholesky(l, a []float64, n int) bool {
	// Cholesky's backward error is bounded by about (n+1)·ε·a[j,j] in row j
	// (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed.,
	// theorem 10.3): a pivot must be larger to be told from zero.
	tol := 8 * float64(n+1) * epsilon
	for j := range n {
		lj := l[j*n : j*n+j+1]
		ajj := a[j*n+j]
		d := ajj
		for _, v := range lj[:j] {
			d -= v * v
		}
		if !(d > tol*ajj) { // catches NaN
			if ajj != 0 || d != 0 || !zeroColumn(a, n, j) {
				return false
			}
			lj[j] = 0
			for i := j + 1; i < n; i++ {
				l[i*n+j] = 0
			}
			continue
		}
		if math.IsInf(d, 0) {
			return false
		}
		d = math.Sqrt(d)
		lj[j] = d
		inv := 1 / d
		for i := j + 1; i < n; i++ {
			li := l[i*n : i*n+j]
			v := a[i*n+j]
			for k, w := range li {
				v -= w * lj[k]
			}
			l[i*n+j] = v * inv
		}
	}
	return true
}

const (
	epsilon = 0x1p-53
	// indefinite is how negative the rest of a factorisation with unit
	// diagonal may be for rounding; complete pivoting keeps its growth small.
	indefinite = 4096 * epsilon
)

func zeroColumn(a []float64, n, j int) bool {
	for i := j + 1; i < n; i++ {
		if a[i*n+j] != 0 {
			return false
		}
	}
	return true
}

// semidefinite writes a factor l of the symmetric matrix a with l lᵀ = a, one
// column after the other, not triangular; work has n×n elements. It scales to
// a unit diagonal and pivots completely (Higham, section 10.3), so that it
// finds the rank of a matrix that is singular within rounding. It reports
// whether a is positive semidefinite within rounding.
func semidefinite(l, a, work []float64, n int) bool {
	copy(work, a)
	var largest float64
	for i := range n {
		v := a[i*n+i]
		if !(v >= 0) || math.IsInf(v, 0) {
			return false
		}
		largest = max(largest, v)
	}
	scale := func(i int) float64 { return math.Sqrt(a[i*n+i]) }
	for i := range n {
		for j := range n {
			if s := scale(i) * scale(j); s > 0 {
				work[i*n+j] /= s
			} else if math.Abs(work[i*n+j]) <= epsilon*largest {
				work[i*n+j] = 0
			} else {
				return false
			}
		}
	}
	clear(l)
	for k := range n {
		pivot := 0
		for i := range n {
			if work[i*n+i] > work[pivot*n+pivot] {
				pivot = i
			}
		}
		d := work[pivot*n+pivot]
		if !(d > 8*float64(n+1)*epsilon) {
			break
		}
		d = math.Sqrt(d)
		for i := range n {
			l[i*n+k] = work[i*n+pivot] / d
		}
		for i := range n {
			for j := range n {
				work[i*n+j] -= l[i*n+k] * l[j*n+k]
			}
		}
		for i := range n { // done with this row and column
			work[i*n+pivot], work[pivot*n+i] = 0, 0
		}
	}
	for _, v := range work {
		if !(math.Abs(v) <= indefinite) {
			return false
		}
	}
	for i := range n {
		for k := range n {
			l[i*n+k] *= scale(i)
		}
	}
	return true
}

// spread writes x, x + γ Lᵢ and x − γ Lᵢ to sig, with l lower.
func spread(sig, x, l []float64, gamma float64) {
	n := len(x)
	copy(sig[:n], x)
	for i := range n {
		plus := sig[(1+i)*n : (2+i)*n]
		minus := sig[(1+n+i)*n : (2+n+i)*n]
		copy(plus, x[:i])
		copy(minus, x[:i])
		for k := i; k < n; k++ {
			d := gamma * l[k*n+i]
			plus[k] = x[k] + d
			minus[k] = x[k] - d
		}
	}
}

// spreadDense is spread with any l.
func spreadDense(sig, x, l []float64, gamma float64) {
	n := len(x)
	copy(sig[:n], x)
	for i := range n {
		for k, v := range x {
			d := gamma * l[k*n+i]
			sig[(1+i)*n+k] = v + d
			sig[(1+n+i)*n+k] = v - d
		}
	}
}

// mean writes the weighted mean of the points to dst.
func mean(dst, points []float64, w0, w float64) {
	k := len(dst)
	centre := points[:k]
	for j := range dst {
		dst[j] = 0
	}
	rows := len(points)/k - 1
	for i := 1; i <= rows; i++ {
		row := points[i*k : i*k+k]
		for j := range dst {
			dst[j] += row[j]
		}
	}
	for j := range dst {
		dst[j] = w0*centre[j] + w*dst[j]
	}
}

// mirror copies the lower triangle of a to the upper one.
func mirror(a []float64, n int) {
	for i := range n {
		for j := range i {
			a[j*n+i] = a[i*n+j]
		}
	}
}

func finite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
