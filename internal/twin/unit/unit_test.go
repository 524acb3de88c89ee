package unit_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/twin/unit"
)

// Factors are those of the International System of Units (BIPM, 9th edition)
// and of UCUM 2.1.
func TestUnitsConvert(t *testing.T) {
	for _, c := range []struct {
		from, to string
		factor   float64
	}{
		{"A.h", "C", 3600},
		{"mA.h", "A.h", 1e-3},
		{"W.h", "J", 3600},
		{"kW.h", "MJ", 3.6},
		{"V.A", "W", 1},
		{"V/A", "Ohm", 1},
		{"Ohm-1", "S", 1},
		{"km/h", "m/s", 1 / 3.6},
		{"m3/h", "L/min", 1000.0 / 60},
		{"kg.m/s2", "N", 1},
		{"N/m2", "Pa", 1},
		{"bar", "kPa", 100},
		{"%", "1", 0.01},
		{"{cycle}", "1", 1},
		{"{cycle}/d", "Hz", 1.0 / 86400},
		{"10*3.m", "km", 1},
		{"J/(kg.K)", "m2/(s2.K)", 1},
		{"/s", "Hz", 1},
		{"dam", "m", 10},
		{"Cel/min", "K/s", 1.0 / 60},
		{"min", "s", 60},
		{"wk", "d", 7},
		{"[degF]", "K", 5.0 / 9},
		{"Pa.m3", "J", 1},
	} {
		from, err := unit.Parse(c.from)
		require.NoError(t, err)
		to, err := unit.Parse(c.to)
		require.NoError(t, err)
		assert.True(t, from.SameDimension(to), "%s and %s", c.from, c.to)
		assert.InEpsilon(t, c.factor, from.Factor(to), 1e-12, "%s in %s", c.from, c.to)
	}
}

func TestUnitsAreEqualWhenNumbersMeanTheSame(t *testing.T) {
	v, a, w := unit.MustParse("V"), unit.MustParse("A"), unit.MustParse("W")
	assert.True(t, v.Mul(a).Equal(w))
	assert.True(t, w.Div(v).Equal(a))
	assert.False(t, unit.MustParse("kW").Equal(w))
	assert.False(t, v.Equal(a))
	assert.True(t, unit.MustParse("{cycle}").Equal(unit.One))
	assert.False(t, unit.MustParse("Cel").Equal(unit.MustParse("K")), "scales with different zeros")
	assert.True(t, unit.MustParse("Cel").Derived().Equal(unit.MustParse("K")), "a difference has no zero")
	square, ok := v.Pow(2)
	require.True(t, ok)
	root, ok := square.Pow(0.5)
	require.True(t, ok)
	assert.True(t, root.Equal(v))
	_, ok = v.Pow(0.3)
	assert.False(t, ok)
	_, ok = v.Pow(math.Inf(1))
	assert.False(t, ok)
}

func TestComputedUnitsHaveCommonNames(t *testing.T) {
	v, a, h := unit.MustParse("V"), unit.MustParse("A"), unit.MustParse("h")
	assert.Equal(t, "W", v.Mul(a).String())
	assert.Equal(t, "W.h", v.Mul(a).Mul(h).String())
	assert.Equal(t, "Ohm", v.Div(a).String())
	assert.Equal(t, "1", v.Div(v).String())
	assert.Equal(t, "m2.kg.s-3.K", v.Mul(a).Mul(unit.MustParse("K")).String())
}

func TestWrongUnitsSayWhatIsMeant(t *testing.T) {
	for code, want := range map[string]string{
		"":        `write "1"`,
		"Ah":      `did you mean "A.h"?`,
		"°C":      `did you mean "Cel"?`,
		"volt":    `did you mean "V"?`,
		"ohm":     `did you mean "Ohm"?`,
		"w":       `did you mean "W"?`,
		"kmin":    `unknown unit "kmin"`,
		"A*h":     "write products as A.h",
		"m^2":     "write products as A.h",
		"A.":      "lacks a unit symbol",
		"m//s":    "lacks a unit symbol",
		"(m":      "closing parenthesis",
		"m)":      "unexpected place",
		"{cycle":  "closing brace",
		"{a b}":   "visible ASCII",
		"[degF":   "closing bracket",
		"m999":    "bad exponent",
		"m0":      "bad exponent",
		"m99.m99": "out of range",
		"0":       "out of range",
		"m+":      "bad exponent",
	} {
		_, err := unit.Parse(code)
		require.Error(t, err, code)
		assert.Contains(t, err.Error(), want, code)
	}
	_, err := unit.Parse(strings.Repeat("(", 200) + "m")
	require.ErrorContains(t, err, "nested")
	_, err = unit.Parse(strings.Repeat("m", 300))
	assert.ErrorContains(t, err, "longer than 256")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"V", "A.h", "m/s2", "{cycle}", "10*3", "(m.s)/K", "[degF]", "°C", "m99.m99", "Ygg"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, code string) {
		u, err := unit.Parse(code)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		assert.Equal(t, code, u.String())
		again, err := unit.Parse(u.String())
		require.NoError(t, err)
		assert.True(t, u.Equal(again))
	})
}
