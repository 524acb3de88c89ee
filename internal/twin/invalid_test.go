package twin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

// TestWrongTwins parses every wrong twin in testdata/invalid. The text beside
// it holds its mistakes, one a line.
func TestWrongTwins(t *testing.T) {
	const dir = "testdata/invalid"
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 30)
	seen := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			tw, errs := twin.Parse(name+".yaml", data, twin.WithModels(all.Describe), twin.WithFiles(os.DirFS(dir)))
			require.NotEmpty(t, errs)
			assert.Nil(t, tw)
			golden.Text(t, filepath.Join(dir, name+".golden"), errs.Error()+"\n")
			if name != "many-mistakes" {
				assert.Len(t, errs, 1, "one mistake gives one error")
				_, message, _ := strings.Cut(errs.Error(), ": ")
				assert.Empty(t, seen[message], "the same error as another wrong twin")
				seen[message] = name
			}
		})
	}
}
