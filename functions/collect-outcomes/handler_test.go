package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/execution/executionmem"
	"github.com/livetwin/livetwin/internal/execution/executions3"
	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/s3mem"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// plan stores a manifest of n jobs.
func plan(t *testing.T, store execution.Store, name string, n int) (execution.Manifest, string) {
	t.Helper()
	m := execution.Manifest{Version: execution.Version, Calibration: "cell-health", WindowEnd: noon, Jobs: []calibration.Job{}}
	for i := range n {
		m.Jobs = append(m.Jobs, calibration.NewJob(calibration.Key{Asset: fmt.Sprintf("cell-%d", i+1), Calibration: "cell-health"}, 0, noon))
	}
	key, err := store.PutManifest(t.Context(), name, m)
	require.NoError(t, err)
	return m, key
}

func leave(t *testing.T, store execution.Store, m execution.Manifest, key string, i int, result calibration.Result, text string) {
	t.Helper()
	require.NoError(t, store.PutOutcome(t.Context(), key, i, calibration.Outcome{
		Version: calibration.OutcomeVersion, Key: m.Jobs[i].Key, Run: m.Jobs[i].Run, Outcome: result, Reason: "because", Error: text,
	}))
}

// mixed leaves every outcome: of 26 jobs, 1 and 2 failed, 3 left nothing, 4
// was superseded, 5 skipped, 6 rejected, the others were promoted.
func mixed(t *testing.T) *executionmem.Store {
	t.Helper()
	store := new(executionmem.Store)
	m, key := plan(t, store, "mixed", 26)
	leave(t, store, m, key, 0, calibration.Failed, "no such property")
	leave(t, store, m, key, 1, calibration.Failed, strings.Repeat("é", 500))
	leave(t, store, m, key, 3, calibration.Superseded, "")
	leave(t, store, m, key, 4, calibration.Skipped, "")
	leave(t, store, m, key, 5, calibration.Rejected, "")
	for i := 6; i < 26; i++ {
		leave(t, store, m, key, i, calibration.Promoted, "")
	}
	return store
}

func newHandlerOver(store execution.Store, w io.Writer) *handler {
	return &handler{executions: store, observe: observe.New(w, "site", "local", func() time.Time { return noon })}
}

func TestCollect(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.json")
		t.Run(name, func(t *testing.T) {
			event, err := os.ReadFile(input)
			require.NoError(t, err)
			answer, err := lambda.NewHandler(newHandlerOver(mixed(t), io.Discard).handle).Invoke(t.Context(), event)
			if err != nil {
				golden.JSON(t, "testdata/"+name+".golden.json", err)
				return
			}
			golden.JSON(t, "testdata/"+name+".golden.json", answer)
		})
	}
}

func TestThousandsOfFailuresFitTheState(t *testing.T) {
	const n = 5000
	store := new(executionmem.Store)
	_, key := plan(t, store, "big", n)
	resp, err := newHandlerOver(store, io.Discard).handle(t.Context(), request{Calibration: "cell-health", Manifest: key, Execution: "big", Size: n})
	require.NoError(t, err)
	assert.Equal(t, n, resp.Counts.Failed, "all are counted")
	data, err := json.Marshal(resp)
	require.NoError(t, err)
	assert.Less(t, len(data), 256<<10, "the state of an execution holds 256 KiB")
	assert.True(t, utf8.Valid(data))
}

func TestForeignOutcomesAreRefused(t *testing.T) {
	store := new(executionmem.Store)
	m, key := plan(t, store, "x", 2)
	require.NoError(t, store.PutOutcome(t.Context(), key, 1, calibration.Outcome{
		Version: calibration.OutcomeVersion, Key: m.Jobs[0].Key, Run: m.Jobs[0].Run, Outcome: calibration.Promoted,
	}))
	_, err := newHandlerOver(store, io.Discard).handle(t.Context(), request{Calibration: "cell-health", Manifest: key, Execution: "x", Size: 2})
	var answer messages.InvokeResponse_Error
	require.ErrorAs(t, err, &answer)
	assert.Equal(t, "Permanent", answer.Type)
	assert.Contains(t, answer.Message, "outcome 1")
}

func TestAStoreThatIsDownIsTransient(t *testing.T) {
	client := &s3mem.Client{Before: func(string, string) error { return errors.New("connection reset") }}
	_, err := newHandlerOver(executions3.New(client, "b"), io.Discard).handle(t.Context(),
		request{Calibration: "cell-health", Manifest: "executions/x/manifest.json", Execution: "x", Size: 1})
	var answer messages.InvokeResponse_Error
	require.ErrorAs(t, err, &answer)
	assert.Equal(t, "Transient", answer.Type)
}

func TestMetrics(t *testing.T) {
	var logs bytes.Buffer
	_, err := newHandlerOver(mixed(t), &logs).handle(t.Context(),
		request{Calibration: "cell-health", Manifest: "executions/mixed/manifest.json", Execution: "mixed", Size: 26})
	require.NoError(t, err)
	var line map[string]any
	require.NoError(t, json.Unmarshal(bytes.SplitN(logs.Bytes(), []byte("\n"), 2)[0], &line))
	assert.InDelta(t, 20, line["PromotedRuns"], 0)
	assert.InDelta(t, 1, line["RejectedRuns"], 0)
	assert.InDelta(t, 3, line["FailedRuns"], 0)
}
