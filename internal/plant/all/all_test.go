package all_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/plant/all"
)

func TestModelsDescribeThemselves(t *testing.T) {
	require.NotEmpty(t, all.Names())
	for _, name := range all.Names() {
		m, err := all.Model(name)
		require.NoError(t, err)
		d, ok := all.Describe(name)
		require.True(t, ok)
		assert.Equal(t, name, d.Name)
		assert.Equal(t, m.Describe(), d)
		seen := map[string]bool{}
		for _, p := range d.Parameters {
			assert.NotEmpty(t, p.Unit, p.Name)
			assert.False(t, seen[p.Name], "%s twice", p.Name)
			seen[p.Name] = true
		}
		published := map[string]bool{}
		for _, q := range d.Published {
			assert.NotEmpty(t, q.Unit, q.Name)
			assert.False(t, published[q.Name], "%s twice", q.Name)
			published[q.Name] = true
			for _, p := range d.Parameters {
				if p.Name == q.Name {
					assert.Equal(t, p.Unit, q.Unit, "%s is published in place of the parameter", q.Name)
				}
			}
		}
	}
}

func TestAnUnknownModel(t *testing.T) {
	_, err := all.Model("tank")
	require.ErrorContains(t, err, `no model "tank": known are cell`)
	_, ok := all.Describe("tank")
	assert.False(t, ok)
}
