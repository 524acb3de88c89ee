// Package unit reads units of measure, checks that they are well written and
// compares what they measure. Units are codes of a subset of UCUM, the Unified
// Code for Units of Measure, version 2.1: the base and SI units with prefixes,
// units of time, litre, bar, tonne, electronvolt, degree, degrees Celsius and
// Fahrenheit, percent and ppm, annotations in braces, products, quotients,
// powers and parentheses.
package unit

import (
	"fmt"
	"math"
)

// A Unit is a product of powers of base units. The zero value is not a unit.
type Unit struct {
	code   string
	dims   dimensions
	factor float64 // to the coherent SI unit
	zero   float64 // in the coherent SI unit, of a scale with a zero of its own (Cel, [degF])
	scale  bool    // a point on a scale, as Cel and K are, not a derived quantity
}

// dimensions are the exponents of metre, kilogram, second, ampere, kelvin, mole
// and candela.
type dimensions [7]int8

// One is the unit of pure numbers.
var One = Unit{code: "1", factor: 1}

// common are codes by which computed units are known.
var common = []string{
	"1", "%", "V", "mV", "kV", "A", "mA", "W", "kW", "mW", "MW", "J", "W.h", "kW.h", "Ohm", "mOhm", "F", "H", "Hz", "N", "Pa", "kPa", "bar",
	"s", "min", "h", "m", "m2", "m3", "kg", "g", "A.h", "C", "K", "m/s", "m/s2", "m3/h", "m3/s", "L/min", "kg/s", "W/m2", "W/K", "V2", "A2",
}

// String returns the code of a parsed unit, a common code of the same meaning
// for a computed one, or else a product of base units.
func (u Unit) String() string {
	if u.code != "" {
		return u.code
	}
	for _, code := range common {
		if v, err := Parse(code); err == nil && u.Equal(v) {
			return code
		}
	}
	return u.base()
}

// base writes the unit in base units, such as 3600.m2.kg.s-2.
func (u Unit) base() string {
	names := [...]string{"m", "kg", "s", "A", "K", "mol", "cd"}
	text := ""
	if math.Abs(u.factor-1) > tolerance {
		text = fmt.Sprintf("%.12g", u.factor)
	}
	for i, n := range names {
		if u.dims[i] == 0 {
			continue
		}
		if text != "" {
			text += "."
		}
		text += n
		if u.dims[i] != 1 {
			text += fmt.Sprint(u.dims[i])
		}
	}
	if text == "" {
		return "1"
	}
	return text
}

// tolerance of factors, relative: products of a few rounded factors differ by
// some units of 2⁻⁵³ each.
const tolerance = 1e-12

// SameDimension reports whether u and v measure the same kind of quantity.
func (u Unit) SameDimension(v Unit) bool { return u.dims == v.dims }

// Dimensionless reports whether u measures a pure number.
func (u Unit) Dimensionless() bool { return u.dims == dimensions{} }

// Equal reports whether a number in u means the same as that number in v. The
// result of an operation counts as a point on either scale of temperature.
func (u Unit) Equal(v Unit) bool {
	if u.dims != v.dims || math.Abs(u.factor-v.factor) > tolerance*math.Abs(v.factor) {
		return false
	}
	return !u.scale || !v.scale || u.zero == v.zero
}

// Factor returns the number by which a value in u is multiplied to get it in v,
// of the same dimension.
func (u Unit) Factor(v Unit) float64 { return u.factor / v.factor }

// Derived returns u as the unit of the result of a sum or difference.
func (u Unit) Derived() Unit {
	u.scale, u.zero = false, 0
	return u
}

// Mul returns the unit of a product.
func (u Unit) Mul(v Unit) Unit {
	r := Unit{factor: u.factor * v.factor}
	for i := range r.dims {
		r.dims[i] = u.dims[i] + v.dims[i]
	}
	return r.named(u, v)
}

// Div returns the unit of a quotient.
func (u Unit) Div(v Unit) Unit {
	r := Unit{factor: u.factor / v.factor}
	for i := range r.dims {
		r.dims[i] = u.dims[i] - v.dims[i]
	}
	return r.named(u, Unit{})
}

// named keeps the code of the operand that r equals.
func (u Unit) named(operands ...Unit) Unit {
	for _, o := range operands {
		if o.code != "" && u.dims == o.dims && u.factor == o.factor {
			u.code = o.code
			return u
		}
	}
	return u
}

// Pow returns the unit of a power, and false when an exponent would not be
// whole or too large.
func (u Unit) Pow(exponent float64) (Unit, bool) {
	if exponent == 1 {
		return u, true
	}
	r := Unit{factor: math.Pow(u.factor, exponent)}
	for i, d := range u.dims {
		e := float64(d) * exponent
		if math.Abs(e-math.Round(e)) > tolerance || math.Abs(e) > 100 {
			return Unit{}, false
		}
		r.dims[i] = int8(math.Round(e))
	}
	if math.IsInf(r.factor, 0) || math.IsNaN(r.factor) || r.factor == 0 {
		return Unit{}, false
	}
	return r, true
}
