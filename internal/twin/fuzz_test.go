package twin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

// FuzzParse feeds damaged twins: none may panic, every mistake has a position
// and a text, and a twin without mistakes compiles and survives Marshal.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	require.NoError(f, err)
	for _, file := range append(files, "testdata/everything.yaml", example) {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		if len(data) < 8000 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tw, errs := twin.Parse("twin.yaml", data, twin.WithModels(all.Describe))
		for _, e := range errs {
			assert.Positive(t, e.Line, e.Error())
			assert.Positive(t, e.Column, e.Error())
			assert.LessOrEqual(t, e.Line, strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+strings.Count(string(data), "\u0085")+strings.Count(string(data), "\u2028")+strings.Count(string(data), "\u2029")+2, e.Error())
			assert.NotEmpty(t, e.What)
		}
		if len(errs) > 0 {
			return
		}
		_, err := tw.Compile()
		require.NoError(t, err)
		text, err := tw.Marshal()
		require.NoError(t, err)
		_, errs = twin.Parse("marshalled", text, twin.WithModels(all.Describe))
		require.Empty(t, errs, "%s", text)
	})
}
