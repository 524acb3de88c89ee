// Package calibrationtest is the contract that every calibration.Store keeps.
package calibrationtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
)

// champion returns the champion that the n-th write of a key might make.
func champion(key calibration.Key, n int64) calibration.Champion {
	end := time.Date(2026, 1, 2, 3, 0, 0, 123456789, time.UTC).Add(time.Duration(n) * time.Hour)
	run := calibration.NewRunID(key, n-1, end)
	return calibration.Champion{
		Version: calibration.ChampionVersion, Key: key, Generation: n, WriteID: fmt.Sprintf("write-%d", n),
		ParametersRun: run, StateRun: run, Watermark: end.Add(-time.Hour), WindowEnd: end,
		Decision: calibration.Decision{Outcome: calibration.Promoted, Reason: "better", Gain: new(0.25)},
	}
}

// TestStore runs the contract against the stores that open makes, each empty.
func TestStore(t *testing.T, open func(t *testing.T) calibration.Store) {
	key := calibration.Key{Asset: "cell-1", Calibration: "cell-health"}
	other := calibration.Key{Asset: "cell-2", Calibration: "cell-health"}
	run := calibration.NewRunID(key, 0, time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC))

	t.Run("an absent champion is not found", func(t *testing.T) {
		_, _, err := open(t).Champion(t.Context(), key)
		require.ErrorIs(t, err, calibration.ErrNotFound)
	})
	t.Run("a champion comes back as it was written", func(t *testing.T) {
		s := open(t)
		want := champion(key, 1)
		written, err := s.SwapChampion(t.Context(), key, want, "")
		require.NoError(t, err)
		got, revision, err := s.Champion(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, written, revision)
		assert.NotEmpty(t, revision)
		_, _, err = s.Champion(t.Context(), other)
		require.ErrorIs(t, err, calibration.ErrNotFound)
	})
	t.Run("a swap at another revision is a conflict and changes nothing", func(t *testing.T) {
		s := open(t)
		first, err := s.SwapChampion(t.Context(), key, champion(key, 1), "")
		require.NoError(t, err)
		second, err := s.SwapChampion(t.Context(), key, champion(key, 2), first)
		require.NoError(t, err)
		assert.NotEqual(t, first, second)
		for _, old := range []calibration.Revision{"", first, `"no-such-revision"`} {
			_, err = s.SwapChampion(t.Context(), key, champion(key, 3), old)
			require.ErrorIs(t, err, calibration.ErrConflict)
		}
		got, revision, err := s.Champion(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, champion(key, 2), got)
		assert.Equal(t, second, revision)
	})
	t.Run("a swap where none is stored needs an empty revision", func(t *testing.T) {
		s := open(t)
		_, err := s.SwapChampion(t.Context(), key, champion(key, 1), `"some-revision"`)
		require.ErrorIs(t, err, calibration.ErrConflict)
		_, _, err = s.Champion(t.Context(), key)
		require.ErrorIs(t, err, calibration.ErrNotFound)
	})
	t.Run("a retried swap succeeds with the same revision", func(t *testing.T) {
		s := open(t)
		first, err := s.SwapChampion(t.Context(), key, champion(key, 1), "")
		require.NoError(t, err)
		again, err := s.SwapChampion(t.Context(), key, champion(key, 1), "")
		require.NoError(t, err)
		assert.Equal(t, first, again)
	})
	t.Run("of swaps at once one wins", func(t *testing.T) {
		s := open(t)
		first, err := s.SwapChampion(t.Context(), key, champion(key, 1), "")
		require.NoError(t, err)
		var wg sync.WaitGroup
		failures := make([]error, 8)
		for i := range failures {
			wg.Go(func() {
				next := champion(key, 2)
				next.WriteID = fmt.Sprintf("writer-%d", i)
				_, failures[i] = s.SwapChampion(t.Context(), key, next, first)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range failures {
			if err == nil {
				won++
			} else {
				require.ErrorIs(t, err, calibration.ErrConflict)
			}
		}
		assert.Equal(t, 1, won)
	})
	t.Run("artifacts", func(t *testing.T) {
		s := open(t)
		_, err := s.Artifact(t.Context(), key, run, calibration.StateArtifact)
		require.ErrorIs(t, err, calibration.ErrNotFound)
		data := []byte{0, 1, 2, 0xff, '\n'}
		for range 2 { // the same bytes again are no change
			require.NoError(t, s.PutArtifact(t.Context(), key, run, calibration.StateArtifact, data))
		}
		data[0] = 9 // the store keeps what it was given
		got, err := s.Artifact(t.Context(), key, run, calibration.StateArtifact)
		require.NoError(t, err)
		assert.Equal(t, []byte{0, 1, 2, 0xff, '\n'}, got)
		for _, miss := range []struct {
			key  calibration.Key
			run  calibration.RunID
			name string
		}{{other, run, calibration.StateArtifact}, {key, "0123456789abcdef", calibration.StateArtifact}, {key, run, calibration.PredictionsArtifact}} {
			_, err = s.Artifact(t.Context(), miss.key, miss.run, miss.name)
			require.ErrorIs(t, err, calibration.ErrNotFound)
		}
	})
	t.Run("other bytes under the same name replace it", func(t *testing.T) {
		// An attempt that died before the champion was written leaves artifacts;
		// telemetry may have arrived since.
		s := open(t)
		require.NoError(t, s.PutArtifact(t.Context(), key, run, calibration.InputsArtifact, []byte("one")))
		require.NoError(t, s.PutArtifact(t.Context(), key, run, calibration.InputsArtifact, []byte("two")))
		got, err := s.Artifact(t.Context(), key, run, calibration.InputsArtifact)
		require.NoError(t, err)
		assert.Equal(t, "two", string(got))
	})
	t.Run("an artifact without bytes", func(t *testing.T) {
		s := open(t)
		require.NoError(t, s.PutArtifact(t.Context(), key, run, calibration.PredictionsArtifact, nil))
		got, err := s.Artifact(t.Context(), key, run, calibration.PredictionsArtifact)
		require.NoError(t, err)
		assert.Empty(t, got)
	})
	t.Run("a cancelled context is an error, not an absence", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := s.Champion(ctx, key)
		require.Error(t, err)
		require.NotErrorIs(t, err, calibration.ErrNotFound)
	})
}
