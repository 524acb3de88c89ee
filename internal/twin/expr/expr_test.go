package expr_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/internal/twin/expr"
	"github.com/livetwin/livetwin/internal/twin/unit"
)

// names are what the formulas of the tests may use.
func names(name string) (expr.Variable, bool) {
	number := func(code string) expr.Variable {
		return expr.Variable{Type: expr.Number, Unit: unit.MustParse(code), HasUnit: true}
	}
	v, ok := map[string]expr.Variable{
		"v": number("V"), "i": number("A"), "p": number("W"), "t": number("Cel"), "k": number("K"), "n": number("1"), "angle": number("deg"),
		"state": {Type: expr.Text}, "raw": {Type: expr.Number},
		"serial": {Type: expr.Text, Attribute: true},
		"rated":  {Type: expr.Number, Unit: unit.MustParse("A.h"), HasUnit: true, Attribute: true},
		"hour":   {Type: expr.Number, Unit: unit.MustParse("h"), HasUnit: true, Constant: true},
		"total":  {Type: expr.Number, Unit: unit.MustParse("W"), HasUnit: true, Aggregate: true},
		"child":  {Type: expr.Number, Unit: unit.MustParse("W"), HasUnit: true, Child: true},
	}[name]
	return v, ok
}

func scope(metric bool) expr.Scope {
	return expr.Scope{Metric: metric, Lookup: names, Unknown: func(string) (string, string) { return "another name", "" }}
}

// SiteWise's user guide leaves precedence of powers and signs open; what
// Render writes has parentheses there.
func TestFormulasAreRenderedForSiteWise(t *testing.T) {
	for source, want := range map[string]string{
		"v*i":                        "v * i",
		"v*(i+1)":                    "v * (i + 1)",
		"(v*i)+1":                    "v * i + 1",
		"v-(i-1)":                    "v - (i - 1)",
		"v/(i/2)":                    "v / (i / 2)",
		"v/i/2":                      "v / i / 2",
		"-v^2":                       "-(v ^ 2)",
		"2^3^v":                      "2 ^ (3 ^ v)",
		"(2^3)^v":                    "(2 ^ 3) ^ v",
		"2^-v":                       "2 ^ (-v)",
		"--v":                        "-(-v)",
		"+v":                         "v",
		"v < 3 and i > 2 or not n":   "((v < 3) and (i > 2)) or (not n)",
		"v AND i OR n":               "(v and i) or n",
		"n and n and n":              "n and n and n",
		"!n":                         "not n",
		"!(v == i)":                  "not (v == i)",
		"not v == i":                 "not (v == i)",
		"if(v>4.2,1,0)":              "if(v > 4.2, 1, 0)",
		`state == "it's"`:            `state == 'it''s'`,
		`state == 'a''b'`:            `state == 'a''b'`,
		".5 + 3.4E-5*v":              ".5 + 3.4E-5 * v",
		"v * hour":                   "v * 0.25",
		"v - hour":                   "v - 0.25",
		"avg( p , v*2 )\n+ max(p)":   "avg(p, v * 2) + max(p)",
		"TimeWeightedAvg(p, 'locf')": "TimeWeightedAvg(p, 'locf')",
	} {
		f, bad := expr.Parse(source)
		require.Nil(t, bad, source)
		assert.Equal(t, want, f.Render(map[string]float64{"hour": 0.25}), source)
	}
	f, bad := expr.Parse("v ^ c - c")
	require.Nil(t, bad)
	assert.Equal(t, "v ^ (-2) - (-2)", strings.ReplaceAll(f.Render(map[string]float64{"c": -2}), "- -2", "- (-2)"))
	assert.Equal(t, []string{"v", "c"}, f.Variables())
}

func TestUnitsOfFormulas(t *testing.T) {
	for _, c := range []struct {
		formula string
		metric  bool
		want    string // unit
	}{
		{"v * i", false, "W"},
		{"v / i", false, "Ohm"},
		{"avg(p) * hour", true, "W.h"},
		{"sum(p) / count(p)", true, "W"},
		{"statetime(n)", true, "s"},
		{"v * 2 + 1", false, "V"},
		{"v ^ 2 / p", false, "Ohm"},
		{"sqrt(v ^ 2)", false, "V"},
		{"pow(v, 2) / v", false, "V"},
		{"sqrt(p * p)", false, "W"},
		{"v > 4.2", false, "1"},
		{"if(v > 4.2, p, 0)", false, "W"},
		{"if(v > 4.2, none, i)", false, "A"},
		{"min(p, total)", true, "W"},
		{"total", true, "W"},
		{"total / rated", true, "W/(A.h)"},
		{"sum(child)", true, "W"},
		{"t + 1", false, "Cel"},
		{"t - t", false, "K"},
		{"log(v / v)", false, "1"},
		{"sin(n * pi)", false, "1"},
		{"v % 2", false, "V"},
		{"abs(-v)", false, "V"},
		{"len(state) * v", false, "V"},
		{"jp(state, '$.x') + 1", false, ""},
		{"raw * v", false, ""},
		{"now() - timestamp(v)", false, "s"},
		{"pretrigger(v) - v", false, "V"},
		{"eq(state, 'on')", false, "1"},
		{"signum(v) * i", false, "A"},
	} {
		f, bad := expr.Parse(c.formula)
		require.Nil(t, bad, c.formula)
		got, mistakes := f.Check(scope(c.metric))
		require.Empty(t, mistakes, c.formula)
		assert.Equal(t, c.want != "", got.HasUnit, c.formula)
		if c.want != "" {
			what, _ := got.Mismatch(unit.MustParse(c.want))
			assert.Empty(t, what, "%s is not in %s", c.formula, c.want)
		}
	}
}

func TestWrongFormulas(t *testing.T) {
	for _, c := range []struct {
		formula string
		metric  bool
		offset  int
		want    string
	}{
		{"", false, 0, "ends too early"},
		{"v +", false, 3, "ends too early"},
		{"v v", false, 2, `unexpected "v"`},
		{"(v", false, 2, "closing parenthesis"},
		{"v = 3", false, 2, "compare with =="},
		{"v && i", false, 2, "write and"},
		{"v || i", false, 2, "write or"},
		{"v.log()", false, 1, "method syntax"},
		{"state[0]", false, 5, "indexing"},
		{"v ° i", false, 2, "character"},
		{"'open", false, 0, "text without an end"},
		{"1e999 * v", false, 0, "out of range"},
		{"v < i < 3", false, 6, "comparison of a comparison"},
		{"and v", false, 0, `unexpected "and"`},
		{"v + i", false, 2, "adds V and A"},
		{"t + k", false, 2, "adds Cel and K"},
		{"v > i", false, 2, "compares V and A"},
		{"v * state", false, 2, "* on a text"},
		{"v > state", false, 2, "a number and a text"},
		{"-state", false, 0, "before a text"},
		{"v + none", false, 2, "on none"},
		{"v * none", false, 2, "on none"},
		{"v ^ n", false, 2, "to the power of a variable"},
		{"n ^ v", false, 2, "exponent in V"},
		{"v ^ 0.3", false, 2, "is no unit"},
		{"sqrt(v)", false, 0, "is no unit"},
		{"exp(v)", false, 4, "of a value in V"},
		{"sin(angle)", false, 4, "of a value in deg"},
		{"avg(p)", false, 0, "aggregates over a window"},
		{"pretrigger(p)", true, 0, "is for transforms"},
		{"p * 2", true, 0, "many values in a window"},
		{"max(p, v)", true, 7, "max takes W and V"},
		{"avg(v * i)", true, 8, "one variable in an argument"},
		{"latest(avg(p))", true, 7, "inside a function of time"},
		{"latest(child)", true, 7, "property of children"},
		{"statetime(total)", true, 10, "statetime of the metric"},
		{"TimeWeightedAvg(p, 'cubic')", true, 19, "'locf' or 'linear'"},
		{"median(p)", true, 0, "unknown function"},
		{"Avg(p)", true, 0, "expected avg"},
		{"mean(p)", true, 0, `did you mean "avg"?`},
		{"abs(v, i)", false, 0, "expected 1 argument"},
		{"avg()", true, 0, "at least 1 argument"},
		{"if(v > 1, v)", false, 0, "expected 3 arguments"},
		{"if(v > 1, v, i)", false, 13, "chooses between V and A"},
		{"x * 2", false, 0, `unknown name "x"`},
		{"rated * 2", false, 0, "no property that changes"},
		{"3 + 4", false, 0, "no property that changes"},
		{"jp(state, serial)", false, 10, "computed path"},
		{"upper(v)", false, 6, "a number as argument"},
		{strings.Repeat("abs(", 11) + "v" + strings.Repeat(")", 11), false, 0, "11 functions"},
		{strings.Repeat("(", 200) + "v" + strings.Repeat(")", 200), false, 120, "nested too deep"},
		{strings.Repeat("-(", 61) + "v" + strings.Repeat(")", 61), false, 120, "nested too deep"},
	} {
		f, bad := expr.Parse(c.formula)
		mistakes := []*expr.Error{bad}
		if bad == nil {
			_, mistakes = f.Check(scope(c.metric))
		}
		require.NotEmpty(t, mistakes, c.formula)
		require.Len(t, mistakes, 1, c.formula)
		assert.Contains(t, mistakes[0].Error(), c.want, c.formula)
		assert.Equal(t, c.offset, mistakes[0].Offset, c.formula)
	}
}

func TestLongSumsAreNotDeep(t *testing.T) {
	f, bad := expr.Parse(strings.Repeat("v + ", 200) + "v")
	require.Nil(t, bad)
	_, mistakes := f.Check(scope(false))
	assert.Empty(t, mistakes)
}

func TestAFormulaHasAtMostTenVariables(t *testing.T) {
	lookup := func(string) (expr.Variable, bool) { return expr.Variable{Type: expr.Number}, true }
	f, bad := expr.Parse("a+b+c+d+f+g+h+i+j+k+l")
	require.Nil(t, bad)
	_, mistakes := f.Check(expr.Scope{Lookup: lookup})
	require.Len(t, mistakes, 1)
	assert.Contains(t, mistakes[0].What, "11 variables")
}

// TestRenderingKeepsTheMeaning writes random formulas, and reads back what was
// rendered: it must render the same, and use the same names.
func TestRenderingKeepsTheMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := formula(t, 4)
		f, bad := expr.Parse(source)
		if bad != nil {
			t.Fatalf("%s: %v", source, bad)
		}
		rendered := f.Render(nil)
		again, bad := expr.Parse(rendered)
		if bad != nil {
			t.Fatalf("%s rendered as %s: %v", source, rendered, bad)
		}
		if got := again.Render(nil); got != rendered {
			t.Fatalf("%s rendered as %s and then %s", source, rendered, got)
		}
		one, mistakesOne := f.Check(scope(false))
		two, mistakesTwo := again.Check(scope(false))
		if one != two || len(mistakesOne) != len(mistakesTwo) {
			t.Fatalf("%s and %s differ: %v %v, %v %v", source, rendered, one, two, mistakesOne, mistakesTwo)
		}
	})
}

// formula draws a formula, in parentheses wherever it is a part.
func formula(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom([]string{"v", "i", "n", "2", "0.5", "raw"}).Draw(t, "atom")
	}
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"-", "not ", "!"}).Draw(t, "sign") + "(" + formula(t, depth-1) + ")"
	case 1:
		return "abs(" + formula(t, depth-1) + ")"
	case 2:
		return formula(t, 0)
	}
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", "^", "%", "<", ">=", "==", "and", "or"}).Draw(t, "operator")
	return "(" + formula(t, depth-1) + ") " + op + " (" + formula(t, depth-1) + ")"
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v * i", "avg(p)*hour", "if(v>1,'a',\"b\")", "2^-3^v", "not not n", "1e", ".", "''", "a.b", "((", "f(,)", "e1 e2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		formula, bad := expr.Parse(source)
		if bad != nil {
			assert.GreaterOrEqual(t, bad.Offset, 0)
			assert.LessOrEqual(t, bad.Offset, len(source))
			assert.NotEmpty(t, bad.What)
			return
		}
		for _, metric := range []bool{false, true} {
			_, mistakes := formula.Check(scope(metric))
			for _, m := range mistakes {
				assert.LessOrEqual(t, m.Offset, len(source))
			}
		}
		rendered := formula.Render(nil)
		again, bad := expr.Parse(rendered)
		require.Nil(t, bad, "%q rendered as %q", source, rendered)
		assert.Equal(t, rendered, again.Render(nil))
	})
}
