package formula_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/formula"
)

const second = int64(1e9)

// sampled is a window of ten seconds with x = 4, 1, 7 at 2, 5 and 9 s, x = 2 and
// on = 1 before it, on = 0 at 4 s, no value of gap, and the constant limit = 3.
var sampled = formula.Window{
	Start: 100 * second, End: 110 * second,
	Samples: func(name string) []formula.Sample {
		return map[string][]formula.Sample{
			"x":    {{102 * second, formula.Number(4)}, {105 * second, formula.Number(1)}, {109 * second, formula.Number(7)}},
			"on":   {{104 * second, formula.Number(0)}},
			"mode": {{103 * second, formula.Text("charge")}},
		}[name]
	},
	Before: func(name string) (formula.Sample, bool) {
		s, ok := map[string]formula.Sample{"x": {90 * second, formula.Number(2)}, "on": {95 * second, formula.Number(1)}}[name]
		return s, ok
	},
	Constant: func(name string) (formula.Sample, bool) {
		return formula.Sample{Value: formula.Number(3)}, name == "limit"
	},
}

var names = []string{"x", "on", "mode", "gap", "limit"}

func TestMetrics(t *testing.T) {
	for expression, want := range map[string]string{
		"avg(x)": "4", "sum(x)": "12", "count(x)": "3", "min(x)": "1", "max(x)": "7", "stdev(x)": "2.449489742783178",
		"sum(x, x)": "24", "sum(x * 2)": "24", "first(x)": "4", "last(x)": "7", "earliest(x)": "2", "latest(x)": "7",
		"x": "7", "x + limit": "10", "max(x) - min(x)": "6", "avg(x) * limit": "12", "sum(gap)": "none", "count(gap)": "0", "latest(gap)": "none",
		"statetime(on)": "4", "statetime(x > 1)": "6", "latest(mode)": `"charge"`, "count(mode)": "1", "sum(mode)": "none",
		"if(avg(x) > limit, 1, 0)": "1", "timestamp(x)": "109",
	} {
		e, err := formula.Parse(expression, names, formula.Metric)
		require.NoError(t, err, expression)
		assert.Equal(t, want, e.Metric(sampled).String(), expression)
	}
}

func TestTransforms(t *testing.T) {
	value := func(name string) (formula.Sample, bool) {
		s, ok := map[string]formula.Sample{
			"x": {102*second + 1, formula.Number(4)}, "on": {101 * second, formula.Number(1)}, "mode": {0, formula.Text(" Charge ")},
			"limit": {0, formula.Number(3)},
		}[name]
		return s, ok
	}
	for expression, want := range map[string]string{
		"1 + 2 * 3": "7", "(1 + 2) * 3": "9", "2 ^ 3": "8", "7 % 4": "3", "-x": "-4", "x / 0": "none", "log(0 - 1)": "none", "10 ^ 999": "none",
		"x > limit": "1", "x <= limit": "0", "x == 4 and on": "1", "x != 4 or not on": "0", "not(on)": "0", "lt(x, limit)": "0", "and(x, on)": "1",
		"if(x > limit, x, limit)": "4", "if(gap > 1, 1, 2)": "none", "gap": "none", "x + gap": "none",
		"sqrt(x)": "2", "pow(x, 2)": "16", "abs(0 - x)": "4", "floor(2.7)": "2", "min(x, limit)": "3", "max(x, limit)": "4", "min(x, gap)": "none",
		"timestamp(x)": "102", `trim(mode)`: `"Charge"`, `lower(mode)`: `" charge "`, `len(mode)`: "8", `mode == " Charge "`: "1", `mode + "!"`: `" Charge !"`, "mode * 2": "none",
		"pi > 3.14": "1", "true": "1",
	} {
		e, err := formula.Parse(expression, names, formula.Transform)
		require.NoError(t, err, expression)
		assert.Equal(t, want, e.Transform(value).String(), expression)
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		expression string
		use        formula.Use
	}{
		{"", formula.Transform},
		{"x +", formula.Transform},
		{"(x", formula.Transform},
		{"x)", formula.Transform},
		{"x x", formula.Transform},
		{"x # 2", formula.Transform},
		{"1.2.3", formula.Transform},
		{`"open`, formula.Transform},
		{"nonesuch", formula.Transform},
		{"nonesuch(x)", formula.Transform},
		{"sqrt()", formula.Transform},
		{"sqrt(x, x)", formula.Transform},
		{"avg(x)", formula.Transform},
		{"latest(x)", formula.Transform},
		{"timestamp(x + on)", formula.Metric},
		{"latest(sum(x))", formula.Metric},
		{"avg(x + on)", formula.Metric},
		{"1 + 1", formula.Metric},
	} {
		_, err := formula.Parse(tt.expression, names, tt.use)
		assert.Error(t, err, tt.expression)
	}
}

// Whatever is written, Parse and what it returns never panic.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"avg(x) * 2 ^ -on", "if(x >= 1, 'a', \"b\")", "statetime(x > 1)", "((((", "timestamp(x)", "mode + mode"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(_ *testing.T, expression string, metric bool) {
		if metric {
			if e, err := formula.Parse(expression, names, formula.Metric); err == nil {
				_ = e.Metric(sampled).String()
			}
			return
		}
		if e, err := formula.Parse(expression, names, formula.Transform); err == nil {
			_ = e.Transform(func(name string) (formula.Sample, bool) {
				return formula.Sample{Value: formula.Number(2)}, name != "gap"
			}).String()
		}
	})
}
