package definition_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

func compiled(t *testing.T) definition.Definition {
	t.Helper()
	tw, errs := twin.Parse("twin.yaml", []byte(strings.ReplaceAll(source, "\t", "  ")))
	require.Empty(t, errs)
	c, err := tw.Compile()
	require.NoError(t, err)
	return c.Definition
}

const source = `
version: 1
twin: pumps
assetModels:
	pump:
		attributes:
			stages: {type: INTEGER, default: 3}
			serial: {type: STRING}
			rated: {type: DOUBLE, unit: kW, default: 7}
			spare: {type: BOOLEAN, default: false}
		measurements:
			power: {type: DOUBLE, unit: kW}
assets:
	pump-1: {model: pump, attributes: {serial: P-0001, rated: 7.5}}
calibrations:
	wear:
		assetModel: pump
		model: pump
		schedule: rate(1 day)
		observations: {power: {property: power, noise: 0.1}}
		parameters: {efficiency: {unit: "1", median: 0.7, deviation: 0.1}}
		publish: {efficiency: {unit: "1", quantiles: [0.01, 0.5, 0.99]}}
alarms:
	worn: {assetModel: pump, property: efficiency_p50, comparison: LESS, threshold: 0.5}
connectors: {calibration: {}}
`

func TestADefinitionReadsBack(t *testing.T) {
	d := compiled(t)
	data, err := d.JSON()
	require.NoError(t, err)
	again, err := definition.Parse(data)
	require.NoError(t, err)
	assert.Equal(t, d, again)
	assert.Equal(t, map[string]any{"stages": int64(3), "serial": "P-0001", "rated": 7.5, "spare": false}, again.Assets[0].Attributes)

	c, ok := again.Calibration("wear")
	require.True(t, ok)
	assert.Equal(t, []string{"pump-1"}, c.Assets)
	assert.Equal(t, []definition.Output{
		{Property: "efficiency_p01", Name: "efficiency", Quantile: 0.01, Unit: "1"},
		{Property: "efficiency_p50", Name: "efficiency", Quantile: 0.5, Unit: "1"},
		{Property: "efficiency_p99", Name: "efficiency", Quantile: 0.99, Unit: "1"},
	}, c.Outputs)
	assert.Equal(t, "unscented", c.Spec.Method, "a default")
	assert.Len(t, again.AlarmsOn("wear", "pump-1"), 1)
	assert.Empty(t, again.AlarmsOn("wear", "pump-2"))
}

func TestEqualDefinitionsHaveOneHash(t *testing.T) {
	one, err := compiled(t).Hash()
	require.NoError(t, err)
	two, err := compiled(t).Hash()
	require.NoError(t, err)
	assert.Equal(t, one, two)
	other := compiled(t)
	other.Alarms[0].Threshold = 0.6
	three, err := other.Hash()
	require.NoError(t, err)
	assert.NotEqual(t, one, three)
}

func TestADefinitionIsReadStrictly(t *testing.T) {
	data, err := compiled(t).JSON()
	require.NoError(t, err)
	for old, c := range map[string]struct{ next, want string }{
		`"version": 1,`:           {`"version": 2,`, "version 2, this program reads version 1"},
		`"twin": "pumps",`:        {`"twin": "pumps", "colour": "red",`, "colour"},
		`"model": "pump",`:        {`"model": "pomp",`, `unknown model "pomp"`},
		`"serial": "P-0001"`:      {`"power": 3`, "no attribute of model pump"},
		`"calibration": "wear",`:  {`"calibration": "tear",`, `unknown calibration "tear"`},
		`"pump-1"` + "\n   ],\n":  {`"pump-9"` + "\n   ],\n", `unknown asset "pump-9"`},
		"\n}\n":                   {"\n}\n{}", "after top-level value"},
		`"title": "pumps",`:       {`"title": "pumps"`, "parse a compiled twin"},
		`"schedule": "rate(1 day`: {`"schedule": 3, "x": "`, "parse a compiled twin"},
	} {
		require.Contains(t, string(data), old)
		_, err := definition.Parse([]byte(strings.Replace(string(data), old, c.next, 1)))
		assert.ErrorContains(t, err, c.want)
	}
}

func TestComparisons(t *testing.T) {
	assert.True(t, definition.Less.Holds(0.7, 0.8))
	assert.False(t, definition.Less.Holds(0.8, 0.8))
	assert.True(t, definition.LessOrEqual.Holds(0.8, 0.8))
	assert.True(t, definition.Greater.Holds(0.9, 0.8))
	assert.True(t, definition.GreaterOrEqual.Holds(0.8, 0.8))
	assert.True(t, definition.Equal.Holds(1, 1))
	assert.True(t, definition.NotEqual.Holds(1, 2))
	assert.False(t, definition.Less.Holds(math.NaN(), 0.8), "nothing holds of what is no number")
	assert.False(t, definition.Comparison("BELOW").Holds(1, 2))
}

// TestPropertiesAreNamedAsCalibrationsPublishThem keeps the two ends of a
// published value together.
func TestPropertiesAreNamedAsCalibrationsPublishThem(t *testing.T) {
	for percent := 1; percent < 100; percent++ {
		q := float64(percent) / 100
		assert.Equal(t, calibration.QuantileName("x", q), definition.PropertyOf("x", q))
	}
}
