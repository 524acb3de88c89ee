// Package executiontest is the contract that every store of manifests and
// outcomes passes.
package executiontest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/execution"
)

var end = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// TestStore checks the contract of execution.Store; open returns an empty one.
func TestStore(t *testing.T, open func(t *testing.T) execution.Store) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, execution.Store){
		"manifests":            manifests,
		"outcomes":             outcomes,
		"what is refused":      refused,
		"what is not there":    absent,
		"executions are apart": apart,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func manifest(n int) execution.Manifest {
	m := execution.Manifest{Version: execution.Version, Calibration: "cell-health", WindowEnd: end, Jobs: []calibration.Job{}}
	for i := range n {
		key := calibration.Key{Asset: fmt.Sprintf("cell-%d", i+1), Calibration: "cell-health"}
		m.Jobs = append(m.Jobs, calibration.NewJob(key, int64(i), end))
	}
	return m
}

func outcome(m execution.Manifest, i int, result calibration.Result) calibration.Outcome {
	job := m.Jobs[i]
	return calibration.Outcome{Version: calibration.OutcomeVersion, Key: job.Key, Run: job.Run, Outcome: result, Reason: "because"}
}

func manifests(t *testing.T, s execution.Store) {
	for _, n := range []int{0, 1, 3} {
		m := manifest(n)
		key, err := s.PutManifest(t.Context(), "run-1", m)
		require.NoError(t, err)
		assert.Equal(t, "executions/run-1/manifest.json", key)
		got, err := s.Manifest(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, m, got, "the second write replaces the first")
	}
}

func outcomes(t *testing.T, s execution.Store) {
	const n = 2345 // more than two pages of a listing
	m := manifest(n)
	key, err := s.PutManifest(t.Context(), "big", m)
	require.NoError(t, err)
	want := make(map[int]calibration.Outcome)
	for i := 0; i < n; i += 2 { // every other job left one
		o := outcome(m, i, calibration.Promoted)
		want[i] = o
		require.NoError(t, s.PutOutcome(t.Context(), key, i, o))
	}
	failed := outcome(m, 0, calibration.Failed)
	failed.Error = "no such property"
	want[0] = failed
	require.NoError(t, s.PutOutcome(t.Context(), key, 0, failed), "a later attempt replaces")
	one, err := s.Outcome(t.Context(), key, 0)
	require.NoError(t, err)
	assert.Equal(t, failed, one)
	got, err := s.Outcomes(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func refused(t *testing.T, s execution.Store) {
	other := manifest(1)
	other.Version = 2
	_, err := s.PutManifest(t.Context(), "run-1", other)
	require.ErrorIs(t, err, execution.ErrInvalid)
	require.ErrorContains(t, err, "version 2")

	foreign := manifest(2)
	foreign.Jobs[1].Calibration = "another"
	_, err = s.PutManifest(t.Context(), "run-1", foreign)
	require.ErrorIs(t, err, execution.ErrInvalid)
	require.ErrorContains(t, err, "job 1")

	forged := manifest(2)
	forged.Jobs[1].Generation = 99
	_, err = s.PutManifest(t.Context(), "run-1", forged)
	require.ErrorIs(t, err, execution.ErrInvalid)

	for _, name := range []string{"", "a/b", "..", "arn:aws:states:eu-central-1:1:execution:m:run-1"} {
		_, err = s.PutManifest(t.Context(), name, manifest(1))
		require.ErrorIs(t, err, execution.ErrInvalid, "%q", name)
	}
	for _, key := range []string{"", "manifest.json", "executions/a/b/manifest.json", "calibrations/x/manifest.json"} {
		_, err = s.Manifest(t.Context(), key)
		require.ErrorIs(t, err, execution.ErrInvalid, "%q", key)
		_, err = s.Outcomes(t.Context(), key)
		require.ErrorIs(t, err, execution.ErrInvalid, "%q", key)
	}

	m := manifest(1)
	key, err := s.PutManifest(t.Context(), "run-1", m)
	require.NoError(t, err)
	for _, i := range []int{-1, execution.MaxJobs} {
		require.ErrorIs(t, s.PutOutcome(t.Context(), key, i, outcome(m, 0, calibration.Promoted)), execution.ErrInvalid)
	}
	require.ErrorIs(t, s.PutOutcome(t.Context(), key, 0, outcome(m, 0, "well")), execution.ErrInvalid)
	require.ErrorIs(t, s.PutOutcome(t.Context(), key, 0, outcome(m, 0, calibration.RolledBack)), execution.ErrInvalid)
	aged := outcome(m, 0, calibration.Promoted)
	aged.Version = 7
	require.ErrorIs(t, s.PutOutcome(t.Context(), key, 0, aged), execution.ErrInvalid)
}

func absent(t *testing.T, s execution.Store) {
	_, err := s.Manifest(t.Context(), "executions/never/manifest.json")
	require.ErrorIs(t, err, execution.ErrNotFound)
	_, err = s.Outcome(t.Context(), "executions/never/manifest.json", 0)
	require.ErrorIs(t, err, execution.ErrNotFound)
	got, err := s.Outcomes(t.Context(), "executions/never/manifest.json")
	require.NoError(t, err)
	assert.Empty(t, got)
}

func apart(t *testing.T, s execution.Store) {
	m := manifest(1)
	first, err := s.PutManifest(t.Context(), "run-1", m)
	require.NoError(t, err)
	second, err := s.PutManifest(t.Context(), "run-11", m)
	require.NoError(t, err)
	require.NoError(t, s.PutOutcome(t.Context(), second, 0, outcome(m, 0, calibration.Skipped)))
	got, err := s.Outcomes(t.Context(), first)
	require.NoError(t, err)
	assert.Empty(t, got)
}
