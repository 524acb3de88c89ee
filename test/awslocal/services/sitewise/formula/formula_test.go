package formula_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/formula"
)

// at evaluates a transform over x = 3, y = 4 and s = "on", all sampled at 7 s.
func at(t *testing.T, source string) formula.Value {
	t.Helper()
	e, err := formula.Parse(source, []string{"x", "y", "s", "gap"}, formula.Transform)
	require.NoError(t, err, source)
	return e.Transform(func(name string) (formula.Sample, bool) {
		v, ok := map[string]formula.Value{"x": formula.Number(3), "y": formula.Number(4), "s": formula.Text("on")}[name]
		return formula.Sample{Time: 7e9, Value: v}, ok
	})
}

func TestTransform(t *testing.T) {
	numbers := map[string]float64{
		"x + y * 2": 11, "(x + y) * 2": 14, "x - y - 1": -2, "2 ^ 3 ^ 2": 512, "-x ^ 2": -9, "2 ^ -1": 0.5, "7 % 4": 3, "+x": 3,
		"1.5e2 + .5": 150.5, "x < y": 1, "x >= y": 0, "x == 3": 1, "x != 3": 0, "x < y and y < 5": 1, "x > y or not x": 0, "!0": 1,
		"x > y and 1 == 2 or 1": 1, "sqrt(x ^ 2 + y ^ 2)": 5, "abs(-y)": 4, "pow(x, 2)": 9, "round(2.5)": 3, "floor(-0.5)": -1,
		"log(e)": 1, "log10(1000)": 3, "cos(pi)": -1, "signum(-2)": -1, "min(x, y, 1)": 1, "max(x, y)": 4, "if(x > y, 1, 2)": 2,
		"if(eq(s, 'on') and gt(y, x), y, x)": 4, "s == \"on\"": 1, "neq(s, 'off')": 1, "len(s)": 2, "timestamp(x)": 7, "true + true": 2,
		"if(x > y, 1 / 0, 5)": 5, "lte(x, 3)": 1, "not(x)": 0, "cot(pi / 4)": 1,
	}
	for source, want := range numbers {
		got, ok := at(t, source).Float()
		assert.True(t, ok, source)
		assert.InDelta(t, want, got, 1e-12, source) // a few roundings of values near 1
	}
	for source, want := range map[string]string{"s + '!'": "on!", "upper(s)": "ON", "if(x < y, 'Caution', 'Normal')": "Caution"} {
		got, ok := at(t, source).Str()
		assert.True(t, ok, source)
		assert.Equal(t, want, got, source)
	}
	for _, source := range []string{"x / 0", "log(-1)", "sqrt(0 - 1)", "10 ^ 400", "gap + 1", "s * 2", "none", "max(x, gap)", "if(gap, 1, 2)", "len(x)"} {
		assert.True(t, at(t, source).Nothing(), "%s has no value: %v", source, at(t, source))
	}
}

// window holds x = 2, 4, 4, 4, 5, 5, 7, 9 a second apart, after an earlier x = 6,
// and no y; c is an attribute.
func window() formula.Window {
	samples := map[string][]formula.Sample{}
	for i, v := range []float64{2, 4, 4, 4, 5, 5, 7, 9} {
		samples["x"] = append(samples["x"], formula.Sample{Time: int64(i+1) * 1e9, Value: formula.Number(v)})
	}
	for i, v := range []float64{0, 1, 1, 0} { // on from 3 s to 9 s; until the end from before otherwise
		samples["on"] = append(samples["on"], formula.Sample{Time: int64(3*i) * 1e9, Value: formula.Number(v)})
	}
	return formula.Window{
		Start: 0, End: 60e9,
		Samples: func(name string) []formula.Sample { return samples[name] },
		Before: func(name string) (formula.Sample, bool) {
			return formula.Sample{Time: -5e9, Value: formula.Number(6)}, name == "x" || name == "held"
		},
		Constant: func(name string) (formula.Sample, bool) {
			return formula.Sample{Value: formula.Number(10)}, name == "c"
		},
	}
}

func TestMetric(t *testing.T) {
	numbers := map[string]float64{
		// mean 5 and population deviation 2 are the textbook's
		"avg(x)": 5, "stdev(x)": 2, "sum(x)": 40, "count(x)": 8, "min(x)": 2, "max(x)": 9, "first(x)": 2, "last(x)": 9, "latest(x)": 9,
		"earliest(x)": 6, "latest(held)": 6, "x": 9, "avg(x) * c": 50, "avg(x * (x - 1))": 24, "sum(x / 2, on * 2)": 24,
		"max(latest(x), earliest(held))": 9, "sum(avg(x ^ 2) / 2)": 14.5, "count(y)": 0, "avg(c) + count(y)": 10,
		"statetime(on)": 6, "statetime(held)": 60, "last(x * 9 / 5 + 32)": 48.2, "timestamp(x)": 8, "avg(x) + avg(on)": 5.5,
		"if(max(x) > 8, 1, 0)": 1,
	}
	declared := []string{"x", "y", "c", "on", "held"}
	for source, want := range numbers {
		e, err := formula.Parse(source, declared, formula.Metric)
		require.NoError(t, err, source)
		got, ok := e.Metric(window()).Float()
		assert.True(t, ok, source)
		assert.InDelta(t, want, got, 1e-12, source)
	}
	for _, source := range []string{"avg(y)", "first(y)", "y", "latest(y)", "earliest(y)", "statetime(y)", "max(y)", "avg(x) / count(y)"} {
		e, err := formula.Parse(source, declared, formula.Metric)
		require.NoError(t, err, source)
		assert.True(t, e.Metric(window()).Nothing(), source)
	}
}

func TestEveryInterval(t *testing.T) {
	for source, want := range map[string]bool{"avg(x)": false, "latest(x)": true, "1 + earliest(x)": true, "statetime(x)": true, "last(x)": false} {
		e, err := formula.Parse(source, []string{"x"}, formula.Metric)
		require.NoError(t, err)
		assert.Equal(t, want, e.EveryInterval(), source)
		assert.Equal(t, []string{"x"}, e.Variables())
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		source, want string
		use          formula.Use
	}{
		{"", "1 to 1024 characters", formula.Transform},
		{strings.Repeat("1", 1025), "1 to 1024 characters", formula.Transform},
		{"x +", `character 4: expected a value, found the end`, formula.Transform},
		{"x y", `character 3: expected an operator`, formula.Transform},
		{"(x", `expected ")"`, formula.Transform},
		{"x $ y", `character 3`, formula.Transform},
		{"'x", `character 1`, formula.Transform},
		{"z", `"z" is neither a variable of this property (x, y)`, formula.Transform},
		{"median(x)", `no function "median"`, formula.Transform},
		{"pow(x)", "pow does not take 1 arguments", formula.Transform},
		{"if(x, 1)", "if takes a condition and two values", formula.Transform},
		{"avg(x)", "metrics only", formula.Transform},
		{"latest(x)", "metrics only", formula.Transform},
		{"min(x / y)", "only one variable", formula.Metric},
		{"first(sum(x))", "cannot be an aggregation", formula.Metric},
		{"latest(x + y)", "exactly one variable", formula.Metric},
		{"1 + 1", "at least one variable", formula.Metric},
		{"1..2", "not a number", formula.Transform},
		{strings.Repeat("(", 200) + "x" + strings.Repeat(")", 200), "nests more than", formula.Transform},
	}
	for _, tt := range tests {
		_, err := formula.Parse(tt.source, []string{"x", "y"}, tt.use)
		assert.ErrorContains(t, err, tt.want, tt.source)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"x + y * 2", "if(eq(s, 'on'), avg(x), none)", "statetime(x) / 3600", "-(-x)^2", "timestamp(x) % 60", "((((x))))"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, source string, metric bool) {
		use := formula.Transform
		if metric {
			use = formula.Metric
		}
		e, err := formula.Parse(source, []string{"x", "y", "s"}, use)
		if err != nil {
			return
		}
		v := e.Transform
		if metric {
			v = func(func(string) (formula.Sample, bool)) formula.Value { return e.Metric(window()) }
		}
		got, ok := v(func(string) (formula.Sample, bool) { return formula.Sample{Value: formula.Number(2)}, true }).Float()
		if ok && (math.IsNaN(got) || math.IsInf(got, 0)) {
			t.Fatalf("%q is %v, which is no data point", source, got)
		}
	})
}
