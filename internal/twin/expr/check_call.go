package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/internal/twin/unit"
)

func (c *checker) call(n call, in context) value {
	f, ok := functions[n.name]
	if !ok {
		return c.unknownFunction(n)
	}
	switch {
	case f.use == metrics && !c.scope.Metric:
		return c.fail(n.offset, n.name+" aggregates over a window", "a function of single values in a transform", "move it to a metric, which has a window")
	case f.use == transforms && c.scope.Metric:
		return c.fail(n.offset, n.name+" is for transforms", "an aggregation in a metric", "use earliest or latest")
	case len(n.args) < f.min || len(n.args) > f.max:
		return c.fail(n.offset, fmt.Sprintf("%s with %s", n.name, plural(len(n.args), "argument")), arity(f), "")
	case in.temporal && f.window:
		return c.fail(n.offset, fmt.Sprintf("%s inside a function of time", n.name), "a property", "")
	}
	inner := in
	if f.window {
		inner.window = true
	}
	if f.temporal {
		inner.temporal = true
	}
	inner.stateTime = inner.stateTime || f.rule == seconds && f.window
	var args []value
	for i, a := range n.args {
		if len(f.options) > 0 && i == f.max-1 {
			if t, isText := a.(text); !isText || !slices.Contains(f.options, t.value) {
				c.fail(a.at(), fmt.Sprintf("a bad option of %s", n.name), "'"+strings.Join(f.options, "' or '")+"'", "")
			}
			continue
		}
		if f.window && !c.oneVariable(n.name, a) {
			return value{}
		}
		args = append(args, c.value(a, inner))
	}
	return c.apply(n, f, args)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func arity(f function) string {
	switch {
	case f.max == many:
		return "at least " + plural(f.min, "argument")
	case f.min == f.max:
		return plural(f.min, "argument")
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

func (c *checker) unknownFunction(n call) value {
	names := Functions()
	do := "see the user guide of SiteWise, formula expressions"
	for _, known := range names {
		if strings.EqualFold(known, n.name) {
			return c.fail(n.offset, fmt.Sprintf("unknown function %q", n.name), known, "")
		}
	}
	renamed := map[string]string{"mean": "avg", "average": "avg", "std": "stdev", "stddev": "stdev", "total": "sum", "ln": "log", "sign": "signum", "ceiling": "ceil", "integral": "sum"}
	if known, ok := renamed[strings.ToLower(n.name)]; ok {
		do = fmt.Sprintf("did you mean %q?", known)
	}
	return c.fail(n.offset, fmt.Sprintf("unknown function %q", n.name), "one of "+strings.Join(names, ", "), do)
}

// oneVariable checks that an argument of a function over a window uses one
// variable, as SiteWise demands. Functions over a window inside it count for
// themselves.
func (c *checker) oneVariable(function string, argument node) bool {
	var names []string
	at := argument.at()
	var visit func(node)
	visit = func(n node) {
		switch n := n.(type) {
		case name:
			if v, ok := c.scope.Lookup(n.name); ok && !v.Constant && !slices.Contains(names, n.name) {
				names, at = append(names, n.name), n.offset
			}
		case unary:
			visit(n.operand)
		case binary:
			visit(n.left)
			visit(n.right)
		case call:
			if functions[n.name].window {
				return
			}
			for _, a := range n.args {
				visit(a)
			}
		}
	}
	visit(argument)
	if len(names) <= 1 {
		return true
	}
	c.fail(at, fmt.Sprintf("an argument of %s uses %s", function, strings.Join(names, " and ")), "one variable in an argument",
		"compute it in a transform and aggregate that")
	return false
}

// takingTexts are the functions of values that are not only for numbers.
var takingTexts = []string{"gt", "gte", "eq", "lt", "lte", "if", "count", "first", "last", "earliest", "latest", "pretrigger", "timestamp"}

func (c *checker) apply(n call, f function, args []value) value {
	if f.rule == textNumber || f.rule == textText || f.rule == jsonValue || f.rule == formatValue {
		return c.applyText(n, f, args)
	}
	for i, a := range args {
		if a.kind == Text && !slices.Contains(takingTexts, n.name) {
			return c.fail(n.args[i].at(), "a text as argument of "+n.name, "a number", "")
		}
	}
	switch f.rule { //nolint:exhaustive // the others give pure numbers
	case same:
		r := args[0]
		for i, a := range args[1:] {
			r = c.alike(n.args[i+1].at(), r, a, n.name+" takes")
		}
		if len(args) == 1 && r.kind == Number {
			r.exact = nil
		}
		return r
	case pure:
		if a := args[0]; a.known && !a.unit.Equal(unit.One) {
			return c.fail(n.args[0].at(), fmt.Sprintf("%s of a value in %s", n.name, a.unit), "a pure number (radians for angles)", "divide it by a constant in "+a.unit.String())
		}
	case root:
		exponent := 0.5
		if n.name == "cbrt" {
			exponent = 1.0 / 3
		}
		return c.power(n.offset, args[0], value{kind: Number, unit: unit.One, known: true, exact: &exponent})
	case power:
		return c.power(n.offset, args[0], args[1])
	case comparison:
		c.alike(n.offset, args[0], args[1], n.name+" compares")
	case choice:
		switch {
		case args[1].none:
			return args[2]
		case args[2].none:
			return args[1]
		}
		return c.alike(n.args[2].at(), args[1], args[2], "if chooses between")
	case seconds:
		return value{kind: Number, unit: unit.MustParse("s"), known: true}
	}
	return pureNumber()
}

func (c *checker) applyText(n call, f function, args []value) value {
	for i, a := range args {
		if a.kind == Number && (f.rule != formatValue || i == 0) {
			return c.fail(n.args[i].at(), "a number as argument of "+n.name, "a text", "")
		}
	}
	switch f.rule { //nolint:exhaustive // the others give texts
	case textNumber:
		return pureNumber()
	case jsonValue:
		if _, ok := n.args[1].(text); !ok {
			return c.fail(n.args[1].at(), "a computed path", "a JSON path in quotes, such as '$.value'", "")
		}
		return value{}
	}
	return value{kind: Text}
}
