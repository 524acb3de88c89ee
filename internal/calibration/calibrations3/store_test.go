package calibrations3_test

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrations3"
	"github.com/livetwin/livetwin/internal/calibration/calibrationtest"
	"github.com/livetwin/livetwin/internal/s3mem"
)

const (
	bucket   = "calibrations"
	champion = "calibrations/cell-1/cell-health/champion.json"
)

var (
	key     = calibration.Key{Asset: "cell-1", Calibration: "cell-health"}
	errLost = errors.New("connection reset")
)

func TestStore(t *testing.T) {
	calibrationtest.TestStore(t, func(*testing.T) calibration.Store {
		return calibrations3.New(new(s3mem.Client), bucket)
	})
}

func next(generation int64, writeID string) calibration.Champion {
	return calibration.Champion{
		Version: calibration.ChampionVersion, Key: key, Generation: generation, WriteID: writeID,
		ParametersRun: "9f86d081884c7d65", StateRun: "9f86d081884c7d65",
		Watermark: time.Date(2026, 1, 2, 2, 59, 0, 0, time.UTC), WindowEnd: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC),
		Decision: calibration.Decision{Outcome: calibration.Promoted, Reason: "first calibration"},
	}
}

func TestLayout(t *testing.T) {
	client := new(s3mem.Client)
	s := calibrations3.New(client, bucket)
	_, err := s.SwapChampion(t.Context(), key, next(1, "w1"), "")
	require.NoError(t, err)
	require.NoError(t, s.PutArtifact(t.Context(), key, "9f86d081884c7d65", calibration.StateArtifact, []byte{1, 2}))
	assert.Equal(t, []string{champion, "calibrations/cell-1/cell-health/runs/9f86d081884c7d65/state.bin"},
		slices.Sorted(maps.Keys(client.Objects(bucket))))
}

// The write took effect, but its answer was lost: trying again must not take
// this very write for another one's.
func TestALostAnswerIsRecognised(t *testing.T) {
	client := new(s3mem.Client)
	s := calibrations3.New(client, bucket)
	first, err := s.SwapChampion(t.Context(), key, next(1, "w1"), "")
	require.NoError(t, err)

	client.Fault = func(operation, _ string) error {
		if operation == "PutObject" {
			return errLost
		}
		return nil
	}
	_, err = s.SwapChampion(t.Context(), key, next(2, "w2"), first)
	require.ErrorIs(t, err, errLost)
	client.Fault = nil

	again, err := s.SwapChampion(t.Context(), key, next(2, "w2"), first)
	require.NoError(t, err)
	_, revision, err := s.Champion(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, revision, again)
	assert.Equal(t, 2, client.Writes(bucket, champion))

	_, err = s.SwapChampion(t.Context(), key, next(2, "w3"), first)
	require.ErrorIs(t, err, calibration.ErrConflict, "another write from the same state lost")
	assert.ErrorContains(t, err, "generation 2 is there")
}

func TestOneOfManyWins(t *testing.T) {
	client := new(s3mem.Client)
	s := calibrations3.New(client, bucket)
	for _, old := range []calibration.Revision{"", "current"} {
		if old != "" {
			_, revision, err := s.Champion(t.Context(), key)
			require.NoError(t, err)
			old = revision
		}
		var won atomic.Int32
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				_, err := s.SwapChampion(t.Context(), key, next(7, string(rune('a'+i))+string(old)), old)
				if err == nil {
					won.Add(1)
					return
				}
				assert.ErrorIs(t, err, calibration.ErrConflict)
			})
		}
		group.Wait()
		assert.EqualValues(t, 1, won.Load())
	}
	assert.Equal(t, 2, client.Writes(bucket, champion))
}

// S3 answers 409 when two conditional writes are in flight: it says nothing
// about the condition, so the write is tried again.
func TestAWriteInFlightIsNoConflictYet(t *testing.T) {
	client := new(s3mem.Client)
	s := calibrations3.New(client, bucket)
	refusals := 2
	client.Before = func(operation, _ string) error {
		if operation == "PutObject" && refusals > 0 {
			refusals--
			return &smithy.GenericAPIError{Code: "ConditionalRequestConflict", Fault: smithy.FaultClient}
		}
		return nil
	}
	_, err := s.SwapChampion(t.Context(), key, next(1, "w1"), "")
	require.NoError(t, err)
	refusals = 1000
	_, err = s.SwapChampion(t.Context(), key, next(2, "w2"), "")
	require.ErrorIs(t, err, calibration.ErrConflict)
}

func TestAChampionThatIsGoneIsAConflict(t *testing.T) {
	s := calibrations3.New(new(s3mem.Client), bucket)
	_, err := s.SwapChampion(t.Context(), key, next(2, "w2"), `"etag"`)
	require.ErrorIs(t, err, calibration.ErrConflict)
}

func TestTheSameBytesAreNoWrite(t *testing.T) {
	client := new(s3mem.Client)
	s := calibrations3.New(client, bucket)
	put := func(data string) {
		require.NoError(t, s.PutArtifact(t.Context(), key, "r1", calibration.LineageArtifact, []byte(data)))
	}
	put("one")
	put("one")
	place := "calibrations/cell-1/cell-health/runs/r1/lineage.json"
	assert.Equal(t, 1, client.Writes(bucket, place))
	put("two")
	assert.Equal(t, 2, client.Writes(bucket, place))
	got, err := s.Artifact(t.Context(), key, "r1", calibration.LineageArtifact)
	require.NoError(t, err)
	assert.Equal(t, "two", string(got))
}

func TestStrangeObjectsAndNamesAreRefused(t *testing.T) {
	client := new(s3mem.Client)
	s := calibrations3.New(client, bucket)
	for says, data := range map[string]string{
		"is no champion":      `{`,
		"version 2":           `{"version": 2}`,
		"champion of cell-9/": `{"version": 1, "asset": "cell-9", "calibration": "cell-health"}`,
	} {
		client.Set(bucket, champion, []byte(data))
		_, _, err := s.Champion(t.Context(), key)
		require.ErrorIs(t, err, calibration.ErrPermanent)
		require.ErrorContains(t, err, says)
	}
	for _, asset := range []string{"", "..", ".hidden", "a/b", "a b", "ä"} {
		odd := calibration.Key{Asset: asset, Calibration: "cell-health"}
		_, _, err := s.Champion(t.Context(), odd)
		require.ErrorIs(t, err, calibration.ErrPermanent, "%q", asset)
		require.ErrorIs(t, s.PutArtifact(t.Context(), odd, "r1", "x", nil), calibration.ErrPermanent)
		_, err = s.Artifact(t.Context(), key, calibration.RunID(asset), "x")
		require.ErrorIs(t, err, calibration.ErrPermanent)
	}
	_, err := s.SwapChampion(t.Context(), key, next(1, ""), "")
	require.ErrorContains(t, err, "write id")
	other := next(1, "w")
	other.Asset = "cell-2"
	_, err = s.SwapChampion(t.Context(), key, other, "")
	require.ErrorIs(t, err, calibration.ErrPermanent)
}

func TestAnErrorIsNotAbsence(t *testing.T) {
	client := &s3mem.Client{Before: func(string, string) error { return errLost }}
	s := calibrations3.New(client, bucket)
	_, _, err := s.Champion(t.Context(), key)
	require.ErrorIs(t, err, errLost)
	require.NotErrorIs(t, err, calibration.ErrNotFound)
	_, err = s.Artifact(t.Context(), key, "r1", "state.bin")
	require.ErrorIs(t, err, errLost)
	require.ErrorIs(t, s.PutArtifact(t.Context(), key, "r1", "state.bin", nil), errLost)
}
