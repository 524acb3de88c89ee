package twin_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

const example = "../../examples/battery-storage/twin.yaml"

func TestTheExampleIsGood(t *testing.T) {
	tw, err := twin.Load(example, twin.WithModels(all.Describe))
	require.NoError(t, err)
	c, err := tw.Compile()
	require.NoError(t, err)
	assert.Equal(t, "battery-storage", c.Name)
	if dir := os.Getenv("TRY"); dir != "" {
		b, err := c.Definition.JSON()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "definition.json"), b, 0o600))
		doc, err := c.Scenes[0].Document(func(f string) string { return "s3://bucket/" + f })
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "scene.json"), doc, 0o600))
		for _, f := range c.Scenes[0].Files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600))
		}
	}
}
