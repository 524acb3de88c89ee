package starter_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/internal/twin/starter"
)

func TestTheStarterCompiles(t *testing.T) {
	files := starter.Files()
	require.Contains(t, files, "twin.yaml")
	tw, errs := twin.Parse("twin.yaml", []byte(files["twin.yaml"]))
	require.Empty(t, errs)
	c, err := tw.Compile()
	require.NoError(t, err)
	assert.Len(t, c.Assets, 2)
	assert.Len(t, c.Scenes, 1)
}
