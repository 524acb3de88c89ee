package unscented

import "math"

// cholesky writes the lower factor of the symmetric matrix a, n×n, whose lower
// triangle it reads, to l; they may be the same. A variance of zero gives a
// zero column: what is known exactly has no spread. It reports whether a is
// positive semidefinite within rounding.
func cholesky(l, a []float64, n int) bool {
	// Cholesky's backward error is bounded by about (n+1)·ε·a[j,j] in row j
	// (Higham, "Accuracy and Stability of Numerical Algorithms", theorem 10.3).
	// A pivot that is smaller is raised to that: a changes by no more than by
	// rounding, and the columns behind it stay consistent.
	tol := 8 * float64(n+1) * 0x1p-53
	for j := range n {
		lj := l[j*n : j*n+j+1]
		ajj := a[j*n+j]
		d := ajj
		for _, v := range lj[:j] {
			d -= v * v
		}
		if floor := tol * ajj; !(d > floor) { // catches NaN
			if !(d >= -floor) {
				return false
			}
			if floor == 0 {
				lj[j] = 0
				for i := j + 1; i < n; i++ {
					l[i*n+j] = 0
				}
				continue
			}
			d = floor
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

// spread writes x, x + γ Lᵢ and x − γ Lᵢ to sig.
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
