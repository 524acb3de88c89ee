package env_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/env"
)

func TestGetNamesTheVariableAndWhatItHolds(t *testing.T) {
	t.Setenv(string(env.RunsTable), "")
	_, err := env.RunsTable.Get()
	require.EqualError(t, err, "environment variable LIVETWIN_RUNS_TABLE is not set; it holds the name of the table of runs, set by deployment")

	t.Setenv(string(env.RunsTable), "battery-storage-local-runs")
	table, err := env.RunsTable.Get()
	require.NoError(t, err)
	assert.Equal(t, "battery-storage-local-runs", table)
}

func TestObject(t *testing.T) {
	t.Setenv(string(env.Definition), "s3://assets/abc/def.json")
	got, err := env.Definition.Object()
	require.NoError(t, err)
	assert.Equal(t, env.Object{Bucket: "assets", Key: "abc/def.json"}, got)
	assert.Equal(t, "s3://assets/abc/def.json", got.String())

	for _, bad := range []string{"assets/def.json", "s3://assets", "s3://assets/", "s3:///def.json"} {
		t.Setenv(string(env.Definition), bad)
		_, err := env.Definition.Object()
		assert.ErrorContains(t, err, "expected s3://bucket/key", bad)
	}
}

func TestInt(t *testing.T) {
	t.Setenv(string(env.BatchArrayIndex), "")
	n, err := env.BatchArrayIndex.Int(0)
	require.NoError(t, err)
	assert.Equal(t, 0, n)

	t.Setenv(string(env.BatchArrayIndex), "17")
	n, err = env.BatchArrayIndex.Int(0)
	require.NoError(t, err)
	assert.Equal(t, 17, n)

	for _, bad := range []string{"-1", "x", "1.5"} {
		t.Setenv(string(env.BatchArrayIndex), bad)
		_, err = env.BatchArrayIndex.Int(0)
		assert.ErrorContains(t, err, "expected a whole number from 0", bad)
	}
}

func TestEveryVariableSaysWhatItHolds(t *testing.T) {
	for _, v := range []env.Var{
		env.Twin, env.Stage, env.Definition, env.CalibrationsBucket, env.RunsTable,
		env.Manifest, env.BatchArrayIndex, env.BatchAttempt,
	} {
		assert.NotEmpty(t, v.Holds(), v)
	}
}
