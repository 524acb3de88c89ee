// Package golden compares what a test got with a checked file, and rewrites
// the file when UPDATE_GOLDEN=1 is set.
package golden

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// update reports whether golden files are to be rewritten.
func update() bool { return os.Getenv("UPDATE_GOLDEN") == "1" }

// JSON compares got, marshalled, with the JSON in the file at path. The order
// of an object's keys and white space do not count. A json.RawMessage or
// []byte is taken as JSON.
func JSON(t *testing.T, path string, got any) {
	t.Helper()
	if raw, ok := got.([]byte); ok {
		got = json.RawMessage(raw)
	}
	data, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err, "marshal what the test got")
	if update() {
		write(t, path, append(data, '\n'))
		return
	}
	assert.JSONEq(t, string(read(t, path)), string(data), "%s differs; make golden rewrites it", path)
}

// Text compares got with the file at path, to the byte.
func Text(t *testing.T, path, got string) {
	t.Helper()
	if update() {
		write(t, path, []byte(got))
		return
	}
	assert.Equal(t, string(read(t, path)), got, "%s differs; make golden rewrites it", path)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err, "read a golden file; make golden writes a missing one")
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, data, 0o600))
}
