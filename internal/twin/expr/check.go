package expr

import (
	"fmt"
	"math"
	"strings"

	"github.com/livetwin/livetwin/internal/twin/unit"
)

// A Type is what a value is.
type Type int

// The types of values.
const (
	Unknown Type = iota // cannot be told, or was reported elsewhere
	Number
	Text
)

// A Variable is what a name in a formula stands for.
type Variable struct {
	Type      Type
	Unit      unit.Unit
	HasUnit   bool // else the unit is not known and not checked
	Attribute bool // an attribute: it has one value
	Aggregate bool // a metric: it has one value a window
	Child     bool // a property of the children in a hierarchy
	Constant  bool // a named number, written into the formula
}

// A Scope says where a formula stands and what its names mean.
type Scope struct {
	Metric bool // of a metric, else of a transform
	// Lookup returns what a name stands for.
	Lookup func(name string) (Variable, bool)
	// Unknown describes a name that Lookup does not know: the mistake is
	// reported with its text.
	Unknown func(name string) (expected, do string)
}

// A Result is the type and the unit of a formula's value.
type Result struct {
	Type    Type
	Unit    unit.Unit
	HasUnit bool
}

// Check finds the type and the unit of the formula's value, or its mistakes.
func (f *Formula) Check(scope Scope) (Result, []*Error) {
	c := &checker{scope: scope}
	v := c.value(f.root, context{})
	c.quotas(f)
	return Result{Type: v.kind, Unit: v.unit, HasUnit: v.known}, c.errs
}

// A value is what is known of a part of a formula.
type value struct {
	kind  Type
	unit  unit.Unit
	known bool // the unit is known
	bare  bool // made of numbers without a unit only: takes the other operand's
	exact *float64
	none  bool // the constant none
}

// A context says what surrounds a part of a formula.
type context struct {
	window    bool // inside a function over a window
	temporal  bool
	stateTime bool
}

type checker struct {
	scope Scope
	errs  []*Error
}

func (c *checker) fail(offset int, what, expected, do string) value {
	c.errs = append(c.errs, &Error{offset, what, expected, do})
	return value{}
}

func pureNumber() value { return value{kind: Number, unit: unit.One, known: true} }

func (c *checker) quotas(f *Formula) {
	calls, variables, varying := 0, 0, false
	walk(f.root, func(n node) {
		if _, ok := n.(call); ok {
			calls++
		}
	})
	unknown := false
	for _, name := range f.variables {
		v, ok := c.scope.Lookup(name)
		if ok && !v.Constant {
			variables++
			varying = varying || !v.Attribute
		}
		unknown = unknown || !ok && !isConstant(name)
	}
	if calls > MaxFunctions {
		c.fail(0, fmt.Sprintf("%d functions", calls), fmt.Sprintf("at most %d in a formula", MaxFunctions), "move a part to a property of its own")
	}
	if variables > MaxVariables {
		c.fail(0, fmt.Sprintf("%d variables", variables), fmt.Sprintf("at most %d in a formula", MaxVariables), "move a part to a property of its own")
	}
	if !varying && !unknown && len(c.errs) == 0 {
		c.fail(0, "the formula uses no property that changes", "at least one measurement, transform or metric", "SiteWise computes it when such a value arrives")
	}
}

func (c *checker) value(n node, in context) value {
	switch n := n.(type) {
	case number:
		return value{kind: Number, unit: unit.One, known: true, bare: true, exact: &n.value}
	case text:
		return value{kind: Text}
	case name:
		return c.name(n, in)
	case unary:
		x := c.value(n.operand, in)
		if n.op == "not" {
			return pureNumber()
		}
		if x.kind == Text {
			return c.fail(n.offset, "- before a text", "a number", "")
		}
		if x.exact != nil {
			negative := -*x.exact
			x.exact = &negative
		}
		x.unit = x.unit.Derived()
		return x
	case binary:
		return c.binary(n, c.value(n.left, in), c.value(n.right, in))
	case call:
		return c.call(n, in)
	}
	return value{}
}

func (c *checker) name(n name, in context) value {
	v, ok := c.scope.Lookup(n.name)
	if !ok {
		switch strings.ToLower(n.name) {
		case "pi", "e":
			exact := math.Pi
			if strings.EqualFold(n.name, "e") {
				exact = math.E
			}
			return value{kind: Number, unit: unit.One, known: true, bare: true, exact: &exact}
		case "true", "false":
			return pureNumber()
		case "none":
			return value{none: true}
		}
		expected, do := c.scope.Unknown(n.name)
		return c.fail(n.offset, fmt.Sprintf("unknown name %q", n.name), expected, do)
	}
	switch {
	case v.Constant:
	case c.scope.Metric && !in.window && !v.Attribute && !v.Aggregate:
		c.fail(n.offset, fmt.Sprintf("%s has many values in a window", n.name), "an aggregation such as avg("+n.name+")", "")
		return value{kind: v.Type}
	case in.stateTime && v.Aggregate:
		c.fail(n.offset, fmt.Sprintf("statetime of the metric %s", n.name), "a measurement or transform", "")
		return value{kind: v.Type}
	case in.temporal && v.Child:
		c.fail(n.offset, fmt.Sprintf("%s is a property of children", n.name), "a property of the same model in a function of time", "aggregate it with avg, sum, min, max, count or stdev")
		return value{kind: v.Type}
	}
	return value{kind: v.Type, unit: v.Unit, known: v.HasUnit && v.Type == Number}
}

func (c *checker) binary(n binary, x, y value) value {
	switch n.op {
	case "and", "or":
		return pureNumber()
	case "<", ">", "<=", ">=", "==", "!=":
		c.alike(n.offset, x, y, "compares")
		return pureNumber()
	}
	if x.kind == Text || y.kind == Text {
		if n.op == "+" {
			return value{kind: Text}
		}
		return c.fail(n.offset, fmt.Sprintf("%s on a text", n.op), "numbers", "")
	}
	if x.none || y.none {
		return c.fail(n.offset, fmt.Sprintf("%s on none", n.op), "numbers", "")
	}
	switch n.op {
	case "+", "-", "%":
		words := map[string]string{"+": "adds", "-": "subtracts", "%": "divides with remainder"}
		return c.alike(n.offset, x, y, words[n.op])
	case "*", "/":
		r := value{kind: Number, known: x.known && y.known, bare: x.bare && y.bare}
		if r.known {
			r.unit = x.unit.Mul(y.unit)
			if n.op == "/" {
				r.unit = x.unit.Div(y.unit)
			}
		}
		if x.exact != nil && y.exact != nil {
			exact := *x.exact * *y.exact
			if n.op == "/" {
				exact = *x.exact / *y.exact
			}
			r.exact = &exact
		}
		return r
	}
	return c.power(n.offset, x, y) // ^
}

// alike checks that two values may be added or compared, and returns the
// value of a sum. A bare number takes the unit of the other.
func (c *checker) alike(offset int, x, y value, verb string) value {
	if x.kind == Text && y.kind == Number || x.kind == Number && y.kind == Text {
		return c.fail(offset, verb+" a number and a text", "two numbers or two texts", "")
	}
	if x.kind == Text {
		return value{kind: Text}
	}
	r := value{kind: Number, known: x.known && y.known, unit: x.unit, bare: x.bare && y.bare}
	switch {
	case !r.known:
	case x.bare && !y.bare:
		r.unit = y.unit
	case y.bare:
	case !x.unit.SameDimension(y.unit):
		return c.fail(offset, fmt.Sprintf("%s %s and %s", verb, x.unit, y.unit), "values of one unit", "convert one by a constant with a unit")
	case !x.unit.Equal(y.unit):
		return c.fail(offset, fmt.Sprintf("%s %s and %s", verb, x.unit, y.unit), "values of one unit", conversion(x.unit, y.unit))
	}
	r.unit = r.unit.Derived()
	return r
}

// factor writes a unit as a factor of a product.
func factor(u unit.Unit) string {
	if s := u.String(); strings.ContainsAny(s, "./") {
		return "(" + s + ")"
	}
	return u.String()
}

// conversion says how to convert between units of one dimension.
func conversion(from, to unit.Unit) string {
	if f := from.Factor(to); math.Abs(f-1) > 1e-12 {
		return fmt.Sprintf("convert one by a constant: {value: %.12g, unit: %s/%s}", f, factor(to), factor(from))
	}
	return "convert one by adding a constant with a unit"
}

func (c *checker) power(offset int, x, y value) value {
	if y.known && !y.unit.Dimensionless() {
		return c.fail(offset, fmt.Sprintf("an exponent in %s", y.unit), "a pure number", "")
	}
	if !x.known {
		return value{kind: Number}
	}
	if y.exact != nil {
		u, ok := x.unit.Pow(*y.exact)
		if !ok {
			return c.fail(offset, fmt.Sprintf("%s to the power of %g is no unit", x.unit, *y.exact), "a power with whole exponents of base units", "")
		}
		r := value{kind: Number, unit: u.Derived(), known: true, bare: x.bare}
		if x.exact != nil {
			exact := math.Pow(*x.exact, *y.exact)
			r.exact = &exact
		}
		return r
	}
	if !x.unit.Dimensionless() {
		return c.fail(offset, fmt.Sprintf("%s to the power of a variable", x.unit), "a pure number, or an exponent that is a number", "")
	}
	return pureNumber()
}

// Mismatch says why a formula's value cannot be that of a property in a unit,
// and what to do; what is empty when it can.
func (r Result) Mismatch(want unit.Unit) (what, do string) {
	if r.Type != Number || !r.HasUnit || r.Unit.Equal(want) {
		return "", ""
	}
	what = fmt.Sprintf("the formula gives %s", r.Unit)
	if !r.Unit.SameDimension(want) {
		return what, ""
	}
	return what, conversion(r.Unit, want)
}
