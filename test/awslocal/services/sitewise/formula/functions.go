package formula

import (
	"math"
	"strings"
)

// A function is one that expressions may call.
type function struct {
	min, max  int  // arguments; max < 0 for any number
	metric    bool // in metrics only
	every     bool // has a value in every interval
	temporal  bool // its argument is one variable, with its times
	aggregate bool // collects samples, of one variable per argument
	eval      func(s *scope, args []node) Value
}

func numeric(arity int, f func(x []float64) float64) function {
	return function{min: arity, max: arity, eval: func(s *scope, args []node) Value {
		x := make([]float64, len(args))
		for i, a := range args {
			v, ok := a.eval(s).Float()
			if !ok {
				return Value{}
			}
			x[i] = v
		}
		return Number(f(x))
	}}
}

func one(f func(float64) float64) function {
	return numeric(1, func(x []float64) float64 { return f(x[0]) })
}

func compared(op string) function {
	return function{min: 2, max: 2, eval: func(s *scope, args []node) Value { return binary{op, args[0], args[1]}.eval(s) }}
}

func joined(op string) function {
	return function{min: 2, max: -1, eval: func(s *scope, args []node) Value {
		all := args[0]
		for _, a := range args[1:] {
			all = binary{op, all, a}
		}
		return all.eval(s)
	}}
}

func textual(f func(string) Value) function {
	return function{min: 1, max: 1, eval: func(s *scope, args []node) Value {
		t, ok := args[0].eval(s).Str()
		if !ok {
			return Value{}
		}
		return f(t)
	}}
}

// functions are those of the user guide that this package evaluates; any other
// is an error when the expression is parsed.
var functions = map[string]function{
	"abs": one(math.Abs), "acos": one(math.Acos), "asin": one(math.Asin), "atan": one(math.Atan), "cbrt": one(math.Cbrt),
	"ceil": one(math.Ceil), "cos": one(math.Cos), "cosh": one(math.Cosh), "cot": one(func(x float64) float64 { return 1 / math.Tan(x) }),
	"exp": one(math.Exp), "expm1": one(math.Expm1), "floor": one(math.Floor), "log": one(math.Log), "log10": one(math.Log10),
	"log1p": one(math.Log1p), "log2": one(math.Log2), "round": one(math.Round), "signum": one(sign), "sin": one(math.Sin),
	"sinh": one(math.Sinh), "sqrt": one(math.Sqrt), "tan": one(math.Tan), "tanh": one(math.Tanh),
	"pow": numeric(2, func(x []float64) float64 { return math.Pow(x[0], x[1]) }),

	"lt": compared("<"), "lte": compared("<="), "gt": compared(">"), "gte": compared(">="), "eq": compared("=="), "neq": compared("!="),
	"and": joined("and"), "or": joined("or"),
	"not": {min: 1, max: 1, eval: func(s *scope, args []node) Value { return unary{"not", args[0]}.eval(s) }},

	"len":   textual(func(t string) Value { return Number(float64(len([]rune(t)))) }),
	"lower": textual(func(t string) Value { return Text(strings.ToLower(t)) }),
	"upper": textual(func(t string) Value { return Text(strings.ToUpper(t)) }),
	"trim":  textual(func(t string) Value { return Text(strings.TrimSpace(t)) }),

	"avg":   aggregate(func(x []float64) float64 { return sum(x) / float64(len(x)) }),
	"sum":   aggregate(sum),
	"count": {min: 1, max: -1, metric: true, aggregate: true, eval: count},
	"stdev": aggregate(deviation),
	"min":   extremum(func(a, b float64) bool { return a < b }),
	"max":   extremum(func(a, b float64) bool { return a > b }),

	"first": {min: 1, max: 1, metric: true, temporal: true, eval: func(s *scope, args []node) Value {
		if in := s.collect(args[0]); len(in) > 0 {
			return in[0].Value
		}
		return Value{}
	}},
	"last": {min: 1, max: 1, metric: true, temporal: true, eval: func(s *scope, args []node) Value {
		if in := s.collect(args[0]); len(in) > 0 {
			return in[len(in)-1].Value
		}
		return Value{}
	}},
	"earliest": {min: 1, max: 1, metric: true, temporal: true, every: true, eval: func(s *scope, args []node) Value {
		before, ok := s.before(args[0])
		if !ok {
			return Value{}
		}
		return before.Value
	}},
	"latest": {min: 1, max: 1, metric: true, temporal: true, every: true, eval: func(s *scope, args []node) Value {
		if in := s.collect(args[0]); len(in) > 0 {
			return in[len(in)-1].Value
		}
		before, ok := s.before(args[0])
		if !ok {
			return Value{}
		}
		return before.Value
	}},
	"statetime": {min: 1, max: 1, metric: true, temporal: true, every: true, eval: stateTime},
	"timestamp": {min: 1, max: 1, temporal: true, eval: func(s *scope, args []node) Value {
		name := variables(args[0])[0]
		at, ok := s.value(name)
		if !ok {
			return Value{}
		}
		return Number(math.Floor(float64(at.Time) / 1e9))
	}},
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	default:
		return 0
	}
}

func sum(x []float64) float64 {
	var t float64
	for _, v := range x {
		t += v
	}
	return t
}

// deviation is the standard deviation of a population.
func deviation(x []float64) float64 {
	mean := sum(x) / float64(len(x))
	var t float64
	for _, v := range x {
		t += (v - mean) * (v - mean)
	}
	return math.Sqrt(t / float64(len(x)))
}

// collect evaluates an argument for every sample of its variable in the window.
// An argument without variable, or of attributes alone, has one value.
func (s *scope) collect(arg node) []Sample {
	names := variables(arg)
	if len(names) == 0 || callsAggregate(arg) {
		return kept(nil, s.window.End, arg.eval(s))
	}
	if c, ok := s.window.Constant(names[0]); ok {
		return kept(nil, c.Time, arg.eval(s))
	}
	var out []Sample
	for _, in := range s.window.Samples(names[0]) {
		out = kept(out, in.Time, s.at(arg, in))
	}
	return out
}

// before evaluates a temporal function's argument at the window's start.
func (s *scope) before(arg node) (Sample, bool) {
	names := variables(arg)
	if len(names) == 0 {
		return Sample{}, false
	}
	in, ok := s.window.Constant(names[0])
	if !ok {
		in, ok = s.window.Before(names[0])
	}
	if !ok {
		return Sample{}, false
	}
	v := s.at(arg, in)
	return Sample{in.Time, v}, !v.Nothing()
}

// at evaluates arg with its variable at one sample.
func (s *scope) at(arg node, in Sample) Value {
	return arg.eval(&scope{window: s.window, value: func(string) (Sample, bool) { return in, true }})
}

func kept(out []Sample, t int64, v Value) []Sample {
	if v.Nothing() {
		return out
	}
	return append(out, Sample{t, v})
}

// aggregate makes a function of all numbers of all its arguments.
func aggregate(f func([]float64) float64) function {
	return function{min: 1, max: -1, metric: true, aggregate: true, eval: func(s *scope, args []node) Value {
		var x []float64
		for _, a := range args {
			for _, in := range s.collect(a) {
				v, ok := in.Value.Float()
				if !ok {
					return Value{}
				}
				x = append(x, v)
			}
		}
		if len(x) == 0 {
			return Value{}
		}
		return Number(f(x))
	}}
}

// count counts data points of any type. It has a value, 0, without any.
func count(s *scope, args []node) Value {
	n := 0
	for _, a := range args {
		n += len(s.collect(a))
	}
	return Number(float64(n))
}

// extremum is min or max: of single values in a transform, of all values of a
// window in a metric.
func extremum(better func(a, b float64) bool) function {
	return function{min: 1, max: -1, aggregate: true, eval: func(s *scope, args []node) Value {
		best, found := 0.0, false
		take := func(v Value) bool {
			f, ok := v.Float()
			if ok && (!found || better(f, best)) {
				best, found = f, true
			}
			return ok
		}
		for _, a := range args {
			if s.window == nil {
				if !take(a.eval(s)) {
					return Value{}
				}
				continue
			}
			for _, in := range s.collect(a) {
				if !take(in.Value) {
					return Value{}
				}
			}
		}
		if !found {
			return Value{}
		}
		return Number(best)
	}}
}

// stateTime is for how many seconds of the window the argument was positive; a
// value holds until the next one.
func stateTime(s *scope, args []node) Value {
	from, positive := s.window.Start, false
	known := false
	if before, ok := s.before(args[0]); ok {
		f, isNumber := before.Value.Float()
		positive, known = isNumber && f > 0, true
	}
	var total int64
	for _, in := range s.collect(args[0]) {
		if positive {
			total += in.Time - from
		}
		f, isNumber := in.Value.Float()
		from, positive, known = in.Time, isNumber && f > 0, true
	}
	if !known {
		return Value{}
	}
	if positive {
		total += s.window.End - from
	}
	return Number(float64(total) / 1e9)
}
