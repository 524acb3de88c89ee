package twin_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/twin"
)

func load(t *testing.T) *twin.Twin {
	t.Helper()
	tw, err := twin.Load(example)
	require.NoError(t, err)
	return tw
}

func TestAMarshalledTwinIsTheSameTwin(t *testing.T) {
	tw := load(t)
	text, err := tw.Marshal()
	require.NoError(t, err)
	again, errs := twin.Parse("marshalled", text)
	require.Empty(t, errs, "%s", text)
	want, err := tw.Compile()
	require.NoError(t, err)
	got, err := again.Compile()
	require.NoError(t, err)
	assert.Equal(t, want, got)
	if file := os.Getenv("TRY"); file != "" {
		require.NoError(t, os.WriteFile(file+"/marshalled.yaml", text, 0o600))
	}
}

func TestAssetsOfAModelAreReplaced(t *testing.T) {
	names := []string{"B0029", "B0030"}
	tw, err := load(t).WithAssets("cell", names)
	require.NoError(t, err)
	c, err := tw.Compile()
	require.NoError(t, err)

	cells := c.Definition.Calibrations[0].Assets
	assert.Equal(t, names, cells)
	assert.Equal(t, names, c.Definition.Alarms[0].Assets)
	rack, ok := c.Definition.Asset("rack-1")
	require.True(t, ok)
	assert.Equal(t, "site-1", rack.Parent)
	edges, _ := tw.Relationships.Get("feeds")
	assert.Equal(t, []twin.Relationship{{From: "B0029", To: "rack-1"}, {From: "B0030", To: "rack-1"}}, edges)
	doc, err := c.Scenes[0].Document(func(file string) string { return file })
	require.NoError(t, err)
	assert.Contains(t, string(doc), `"entityId": "B0030"`)
	assert.NotContains(t, string(doc), "cell-1")
}

func TestAssetsAreNotReplacedWithoutAPattern(t *testing.T) {
	tw := load(t)
	for _, c := range []struct {
		model string
		names []string
		want  string
	}{
		{"rack", []string{"r2"}, "is a part of rack-1"},
		{"cel", []string{"B1"}, `no asset of model "cel"`},
		{"cell", nil, "want at least one"},
		{"cell", []string{"rack-1"}, "belongs to an asset of model rack"},
		{"cell", []string{"B1", "B1"}, "given twice"},
		{"cell", []string{"not good"}, `bad name "not good"`},
	} {
		_, err := tw.WithAssets(c.model, c.names)
		assert.ErrorContains(t, err, c.want)
	}
}
