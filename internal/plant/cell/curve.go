package cell

import "math"

// knots are the states of charge at which the correction of the open-circuit
// voltage is a parameter: close together where the voltage falls off its knee.
var knots = [...]float64{0, .012, .028, .05, .08, .12, .2, .3, .4, .5, .6, .7, .8, .9, .96, 1}

// literature is the open-circuit voltage of Chen and Rincón-Mora (2006), V,
// at state of charge s. Below empty it goes on in a straight line.
func literature(s float64) float64 {
	if s < 0 {
		return literature(0) + s*(35*1.031+0.2156)
	}
	return -1.031*math.Exp(-35*s) + 3.685 + s*(0.2156+s*(-0.1178+s*0.3201))
}

// openCircuit is U(s), V, with the correction's values at the knots.
func openCircuit(s float64, w []float64) float64 { return literature(s) + correction(s, w) }

// correction interpolates w by a piecewise cubic with slopes from the parabola
// through each knot and its neighbours (de Boor, "A Practical Guide to
// Splines", chapter IV, Bessel's slopes); outside the knots it goes on in a
// straight line. It is linear in w.
func correction(s float64, w []float64) float64 {
	const last = len(knots) - 1
	if s <= 0 {
		return w[0] + s*chord(w, 0)
	}
	if s >= 1 {
		return w[last] + (s-1)*chord(w, last-1)
	}
	k := 0
	for knots[k+1] < s {
		k++
	}
	h := knots[k+1] - knots[k]
	u := (s - knots[k]) / h
	v := 1 - u
	return v*v*((1+2*u)*w[k]+u*h*slope(w, k)) + u*u*((1+2*v)*w[k+1]-v*h*slope(w, k+1))
}

// chord is the slope from knot k to the next.
func chord(w []float64, k int) float64 { return (w[k+1] - w[k]) / (knots[k+1] - knots[k]) }

// slope is the slope at knot k.
func slope(w []float64, k int) float64 {
	const last = len(knots) - 1
	switch k {
	case 0:
		return chord(w, 0)
	case last:
		return chord(w, last-1)
	}
	h0, h1 := knots[k]-knots[k-1], knots[k+1]-knots[k]
	return (chord(w, k-1)*h1 + chord(w, k)*h0) / (h0 + h1)
}

// chargeAt inverts the open-circuit voltage: the state of charge in [0, 1] at
// which the cell rests at v. The curve rises; where its correction does not,
// the answer is one of several.
func chargeAt(v float64, w []float64) float64 {
	lo, hi := 0.0, 1.0
	for range 50 { // 2⁻⁵⁰ < 1e-15
		if mid := (lo + hi) / 2; openCircuit(mid, w) < v {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}
