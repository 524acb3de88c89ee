package main_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

// The README's table of operations is what the endpoint says it implements;
// UPDATE_GOLDEN=1 writes it.
func TestReadme(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))
	resp, err := http.Get(e.Endpoint + "/_awslocal/operations")
	require.NoError(t, err)
	defer resp.Body.Close()
	var operations map[string][]string
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&operations))
	const (
		file   = "../../README.md"
		header = "| Service | Operations |\n|---|---|\n"
	)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, table, ok := strings.Cut(string(data), header)
	require.True(t, ok)
	var want strings.Builder
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		want.WriteString("| " + name + " | " + strings.Join(operations[name], ", ") + " |\n")
	}
	want.WriteString("| s3 | through versitygw: buckets, objects, versions, tags, multipart, CORS; refused by name: " +
		"what `services/s3/action.go` does not list |\n| dynamodb | through dynoxide: those in `services/dynamodb/action.go` |\n")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, []byte(before+header+want.String()), 0o600))
		return
	}
	assert.Equal(t, want.String(), table)
}
