// Package formula reads and evaluates the formula expressions of IoT SiteWise
// transforms and metrics, after the user guide's section "Using formula
// expressions".
//
// Numbers are doubles; a boolean is 1 or 0. What has no value (a variable
// without data, a division by zero, the logarithm of a negative number, an
// overflow) yields no data point, as the guide says of "undefined, infinite, and
// overflow values".
package formula

import (
	"math"
	"strconv"
)

// A Value is a number, a string or nothing.
type Value struct {
	kind   valueKind
	number float64
	text   string
}

type valueKind uint8

const (
	none valueKind = iota
	number
	text
)

// Number makes a number. One that is infinite or not a number is nothing.
func Number(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: number, number: f}
}

// Text makes a string.
func Text(s string) Value { return Value{kind: text, text: s} }

// Float returns the number, if it is one.
func (v Value) Float() (float64, bool) { return v.number, v.kind == number }

// Str returns the string, if it is one.
func (v Value) Str() (string, bool) { return v.text, v.kind == text }

// Nothing reports whether there is no value.
func (v Value) Nothing() bool { return v.kind == none }

func boolean(b bool) Value {
	if b {
		return Value{kind: number, number: 1}
	}
	return Value{kind: number}
}

// A Sample is a value at a time.
type Sample struct {
	Time  int64 // nanoseconds since 1970-01-01 UTC
	Value Value
}

// An Expr is a parsed expression.
type Expr struct {
	root      node
	variables []string
	everyTime bool // latest, earliest and statetime have a value in windows without data
}

// Variables lists the variables that the expression uses, in order of
// appearance.
func (e *Expr) Variables() []string { return e.variables }

// EveryInterval reports whether the expression, as a metric, computes a data
// point for every interval once its input has data, not only for intervals with
// data.
func (e *Expr) EveryInterval() bool { return e.everyTime }

// Transform evaluates the expression at one instant. value returns a variable's
// value there, and the time at which that value was sampled.
func (e *Expr) Transform(value func(name string) (Sample, bool)) Value {
	return e.root.eval(&scope{value: value})
}

// A Window is the data a metric sees: the interval after Start up to and
// including End, nanoseconds.
type Window struct {
	Start, End int64
	// Samples returns a variable's values in the window, in order of time, of
	// all assets that the variable refers to.
	Samples func(name string) []Sample
	// Before returns the last value at or before the window's start.
	Before func(name string) (Sample, bool)
	// Constant returns the value of a variable that is an attribute.
	Constant func(name string) (Sample, bool)
}

// Metric evaluates the expression over a window. A variable outside an
// aggregate is its last value in the window, an attribute its constant.
func (e *Expr) Metric(w Window) Value {
	last := func(name string) (Sample, bool) {
		if s, ok := w.Constant(name); ok {
			return s, true
		}
		samples := w.Samples(name)
		if len(samples) == 0 {
			return Sample{}, false
		}
		return samples[len(samples)-1], true
	}
	return e.root.eval(&scope{window: &w, value: last})
}

// scope is what an evaluation sees.
type scope struct {
	value  func(name string) (Sample, bool)
	window *Window
}

// A node is part of an expression.
type node interface {
	eval(s *scope) Value
}

type literal struct{ v Value }

func (l literal) eval(*scope) Value { return l.v }

type variable struct{ name string }

func (v variable) eval(s *scope) Value {
	got, ok := s.value(v.name)
	if !ok {
		return Value{}
	}
	return got.Value
}

type unary struct {
	op string
	x  node
}

func (u unary) eval(s *scope) Value {
	f, ok := u.x.eval(s).Float()
	switch {
	case !ok:
		return Value{}
	case u.op == "-":
		return Number(-f)
	default:
		return boolean(f == 0)
	}
}

type binary struct {
	op   string
	x, y node
}

func (b binary) eval(s *scope) Value {
	x, y := b.x.eval(s), b.y.eval(s)
	if xs, ok := x.Str(); ok {
		ys, ok := y.Str()
		switch {
		case ok && b.op == "==":
			return boolean(xs == ys)
		case ok && b.op == "!=":
			return boolean(xs != ys)
		case ok && b.op == "+":
			return Text(xs + ys)
		}
		return Value{}
	}
	p, okX := x.Float()
	q, okY := y.Float()
	if !okX || !okY {
		return Value{}
	}
	return operators[b.op](p, q)
}

var operators = map[string]func(p, q float64) Value{
	"+":   func(p, q float64) Value { return Number(p + q) },
	"-":   func(p, q float64) Value { return Number(p - q) },
	"*":   func(p, q float64) Value { return Number(p * q) },
	"/":   func(p, q float64) Value { return Number(p / q) },
	"%":   func(p, q float64) Value { return Number(math.Mod(p, q)) },
	"^":   func(p, q float64) Value { return Number(math.Pow(p, q)) },
	"<":   func(p, q float64) Value { return boolean(p < q) },
	"<=":  func(p, q float64) Value { return boolean(p <= q) },
	">":   func(p, q float64) Value { return boolean(p > q) },
	">=":  func(p, q float64) Value { return boolean(p >= q) },
	"==":  func(p, q float64) Value { return boolean(p == q) },
	"!=":  func(p, q float64) Value { return boolean(p != q) },
	"and": func(p, q float64) Value { return boolean(p != 0 && q != 0) },
	"or":  func(p, q float64) Value { return boolean(p != 0 || q != 0) },
}

type call struct {
	name string
	args []node
	fn   function
}

func (c call) eval(s *scope) Value { return c.fn.eval(s, c.args) }

// conditional evaluates only the branch it takes.
type conditional struct{ cond, then, otherwise node }

func (c conditional) eval(s *scope) Value {
	f, ok := c.cond.eval(s).Float()
	switch {
	case !ok:
		return Value{}
	case f != 0:
		return c.then.eval(s)
	default:
		return c.otherwise.eval(s)
	}
}

func (v Value) String() string {
	switch v.kind { //nolint:exhaustive // none is left
	case number:
		return strconv.FormatFloat(v.number, 'g', -1, 64)
	case text:
		return strconv.Quote(v.text)
	default:
		return "none"
	}
}
