package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrations3"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/runindex/runindexmem"
	"github.com/livetwin/livetwin/internal/s3mem"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrymem"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func twin() definition.Definition {
	return definition.Definition{
		Version: definition.Version, Twin: "site",
		Calibrations: []definition.Calibration{{
			Spec:   spec.Spec{Name: "cell-health"},
			Assets: []string{"cell-1", "cell-2", "cell-3"},
			Outputs: []definition.Output{
				{Property: "soh_p05", Name: "soh", Quantile: 0.05},
				{Property: "soh_p50", Name: "soh", Quantile: 0.5},
				{Property: "new_p50", Name: "new", Quantile: 0.5}, // which no run has made yet
			},
		}},
		Alarms: []definition.Alarm{
			{
				Name: "low-health", Calibration: "cell-health", Property: "soh_p50", Comparison: definition.Less, Threshold: 0.8,
				Assets: []string{"cell-1", "cell-2"},
			},
			{Name: "new", Calibration: "cell-health", Property: "new_p50", Comparison: definition.Greater, Assets: []string{"cell-1"}},
		},
	}
}

type world struct {
	handler   *handler
	objects   *s3mem.Client
	historian *telemetrymem.Historian
	runs      *runindexmem.Index
}

func newWorld() *world {
	var series []telemetry.Alias
	for _, asset := range []string{"cell-1", "cell-2", "cell-3"} {
		series = append(series, telemetry.AliasOf("site", asset, "soh_p05"), telemetry.AliasOf("site", asset, "soh_p50"))
	}
	w := &world{objects: new(s3mem.Client), historian: telemetrymem.New(series...), runs: new(runindexmem.Index)}
	w.handler = &handler{
		twin: twin(), stage: "local", champions: calibrations3.New(w.objects, "calibrations"), telemetry: w.historian, runs: w.runs,
		observe: observe.New(io.Discard, "site", "local", func() time.Time { return noon }),
	}
	return w
}

// crown writes a champion and the diagnostics of its run: state of health is soh.
func (w *world) crown(t *testing.T, asset string, outcome calibration.Result, generation int64, end time.Time, soh float64) {
	t.Helper()
	key := calibration.Key{Asset: asset, Calibration: "cell-health"}
	run := calibration.NewRunID(key, generation-1, end)
	gain := 0.25
	decision := calibration.Decision{Outcome: outcome, Reason: "because", Gain: &gain}
	data, err := json.Marshal(calibration.Diagnostics{
		Version: calibration.DiagnosticsVersion, Key: key, Run: run, WindowEnd: end, Watermark: end.Add(-time.Minute), Decision: decision,
		ChallengerScores: calibration.Scores{Count: 10, LogScore: 2, NIS: 1, Coverage90: 0.9},
		ChampionScores:   &calibration.Scores{Count: 10, LogScore: 1, NIS: 1.5, Coverage90: 0.8},
		Predictions: []calibration.Prediction{
			{Output: "soh", Quantile: 0.05, Value: soh - 0.125}, {Output: "soh", Quantile: 0.5, Value: soh},
		},
	})
	require.NoError(t, err)
	store := w.handler.champions
	require.NoError(t, store.PutArtifact(t.Context(), key, run, calibration.DiagnosticsArtifact, data))
	_, revision, err := store.Champion(t.Context(), key)
	if err != nil {
		require.ErrorIs(t, err, calibration.ErrNotFound)
	}
	_, err = store.SwapChampion(t.Context(), key, calibration.Champion{
		Version: calibration.ChampionVersion, Key: key, Generation: generation, WriteID: string(run) + asset, ParametersRun: run, StateRun: run,
		Watermark: end.Add(-time.Minute), WindowEnd: end, Decision: decision,
	}, revision)
	require.NoError(t, err)
}

// published is everything that publishing has written.
type published struct {
	Values map[telemetry.Alias][]telemetry.Sample
	Runs   []runindex.Run
	Alarms []runindex.AlarmState
}

func (w *world) published(t *testing.T) published {
	t.Helper()
	var p published
	p.Values = make(map[telemetry.Alias][]telemetry.Sample)
	for _, asset := range []string{"cell-1", "cell-2", "cell-3"} {
		for _, property := range []string{"soh_p05", "soh_p50"} {
			alias := telemetry.AliasOf("site", asset, property)
			for s, err := range w.historian.Samples(t.Context(), alias, time.Time{}, noon.AddDate(1, 0, 0)) {
				require.NoError(t, err)
				p.Values[alias] = append(p.Values[alias], s)
			}
		}
		for r, err := range w.runs.Runs(t.Context(), asset, "cell-health", time.Time{}, noon.AddDate(1, 0, 0), runindex.Ascending) {
			require.NoError(t, err)
			p.Runs = append(p.Runs, r)
		}
		for _, alarm := range []string{"low-health", "new"} {
			for a, err := range w.runs.Alarms(t.Context(), asset, alarm, time.Time{}, noon.AddDate(1, 0, 0), runindex.Ascending) {
				require.NoError(t, err)
				p.Alarms = append(p.Alarms, a)
			}
		}
	}
	return p
}

func TestPublish(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.json")
		t.Run(name, func(t *testing.T) {
			event, err := os.ReadFile(input)
			require.NoError(t, err)
			w := newWorld()
			w.crown(t, "cell-1", calibration.Promoted, 1, noon, 0.75)
			w.crown(t, "cell-2", calibration.Rejected, 4, noon, 0.875)
			invoke := func() ([]byte, error) { return lambda.NewHandler(w.handler.handle).Invoke(t.Context(), event) }
			answer, err := invoke()
			golden.JSON(t, "testdata/"+name+".written.golden.json", w.published(t))
			if err != nil {
				golden.JSON(t, "testdata/"+name+".golden.json", err)
				return
			}
			golden.JSON(t, "testdata/"+name+".golden.json", answer)
			written := w.published(t)
			again, err := invoke()
			require.NoError(t, err)
			assert.JSONEq(t, string(answer), string(again), "publishing once more tells the same")
			assert.Equal(t, written, w.published(t), "and changes nothing")
		})
	}
}

// An alarm's life: what it is after each publication, and whether it was told.
func TestAlarmStates(t *testing.T) {
	w := newWorld()
	states := func() (all []runindex.State) {
		for a, err := range w.runs.Alarms(t.Context(), "cell-1", "low-health", time.Time{}, noon.AddDate(1, 0, 0), runindex.Ascending) {
			require.NoError(t, err)
			all = append(all, a.State)
		}
		return all
	}
	operator := func(hour int, state runindex.State) {
		require.NoError(t, w.runs.PutAlarm(t.Context(), runindex.AlarmState{
			Asset: "cell-1", Alarm: "low-health", Time: noon.Add(time.Duration(hour)*time.Hour + time.Minute), State: state, Value: 0.7,
		}))
	}
	for _, step := range []struct {
		hour   int
		soh    float64
		want   []runindex.State
		events int // besides the run's own
		then   runindex.State
	}{
		{0, 0.9, []runindex.State{"NORMAL"}, 1, ""},
		{1, 0.85, []runindex.State{"NORMAL"}, 0, ""},
		{2, 0.79, []runindex.State{"NORMAL", "ACTIVE"}, 1, ""},
		{3, 0.78, []runindex.State{"NORMAL", "ACTIVE"}, 0, runindex.Acknowledged},
		{4, 0.77, []runindex.State{"NORMAL", "ACTIVE", "ACKNOWLEDGED"}, 0, ""},
		{5, 0.81, []runindex.State{"NORMAL", "ACTIVE", "ACKNOWLEDGED", "NORMAL"}, 1, ""},
		{6, 0.7, []runindex.State{"NORMAL", "ACTIVE", "ACKNOWLEDGED", "NORMAL", "ACTIVE"}, 1, runindex.SnoozeDisabled},
		{7, 0.7, []runindex.State{"NORMAL", "ACTIVE", "ACKNOWLEDGED", "NORMAL", "ACTIVE", "SNOOZE_DISABLED"}, 0, ""},
	} {
		w.crown(t, "cell-1", calibration.Promoted, int64(step.hour)+1, noon.Add(time.Duration(step.hour)*time.Hour), step.soh)
		for range 2 { // told twice, the same
			resp, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", Assets: []string{"cell-1"}})
			require.NoError(t, err)
			assert.Len(t, resp.Entries, 1+step.events, "hour %d", step.hour)
			assert.Equal(t, step.want, states(), "hour %d", step.hour)
		}
		if step.then != "" {
			operator(step.hour, step.then)
		}
	}
}

// The window was calibrated anew and says something else: what the first
// publication said of the alarm at its end is taken back.
func TestAWindowPublishedAnew(t *testing.T) {
	w := newWorld()
	publish := func(generation int64, end time.Time, soh float64) int {
		w.crown(t, "cell-1", calibration.Promoted, generation, end, soh)
		resp, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", Assets: []string{"cell-1"}})
		require.NoError(t, err)
		return len(resp.Entries)
	}
	assert.Equal(t, 2, publish(1, noon.Add(-time.Hour), 0.9))
	assert.Equal(t, 2, publish(2, noon, 0.7))
	assert.Equal(t, 1, publish(3, noon, 0.9))
	var last runindex.AlarmState
	for a, err := range w.runs.Alarms(t.Context(), "cell-1", "low-health", time.Time{}, noon, runindex.Ascending) {
		require.NoError(t, err)
		last = a
	}
	assert.Equal(t, runindex.AlarmState{Asset: "cell-1", Alarm: "low-health", Time: noon, State: runindex.Normal, Value: 0.9}, last)
}

// The component types of the twin name these metrics; a run must have them.
func TestRunsHaveTheMetricsOfTheTwin(t *testing.T) {
	w := newWorld()
	w.crown(t, "cell-1", calibration.Promoted, 1, noon, 0.75)
	_, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", Assets: []string{"cell-1"}})
	require.NoError(t, err)
	for _, metric := range definition.RunMetrics() {
		assert.Contains(t, w.published(t).Runs[0].Values, metric.Name)
	}
}

func TestARollbackWithholdsPredictions(t *testing.T) {
	w := newWorld()
	w.crown(t, "cell-1", calibration.RolledBack, 3, noon, 0.5)
	resp, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", Assets: []string{"cell-1"}})
	require.NoError(t, err)
	assert.Empty(t, resp.Entries)
	written := w.published(t)
	assert.Empty(t, written.Values)
	assert.Empty(t, written.Alarms)
	require.Len(t, written.Runs, 1)
	assert.Equal(t, "rolled-back", written.Runs[0].Outcome)
	assert.NotContains(t, written.Runs[0].Values, "soh_p50")
}

// A refusing historian refuses every value; a broken one is down.
type (
	refusing struct{}
	broken   struct{}
)

func (refusing) Write(_ context.Context, points []telemetry.Point) ([]telemetry.Rejection, error) {
	return []telemetry.Rejection{{Point: points[1], Code: "TimestampOutOfRangeException", Reason: "older than seven days"}}, nil
}

func (broken) Write(context.Context, []telemetry.Point) ([]telemetry.Rejection, error) {
	return nil, errors.New("connection reset")
}

func TestFailuresHaveAKind(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		kind   string
		says   string
	}{
		"a refused value":     {func(w *world) { w.handler.telemetry = refusing{} }, "Permanent", "refused 1 of 2 values at 2026-01-02T12:00:00Z, the first of /site/cell-1/soh_p50: TimestampOutOfRangeException"},
		"a historian is down": {func(w *world) { w.handler.telemetry = broken{} }, "Transient", "connection reset"},
		"a store is down":     {func(w *world) { w.objects.Before = func(string, string) error { return errors.New("reset") } }, "Transient", "reset"},
		"a strange champion": {func(w *world) {
			w.objects.Set("calibrations", "calibrations/cell-1/cell-health/champion.json", []byte(`{"version":9}`))
		}, "Permanent", "version 9"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.crown(t, "cell-1", calibration.Promoted, 1, noon, 0.75)
			c.change(w)
			_, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", Assets: []string{"cell-1"}})
			var answer messages.InvokeResponse_Error
			require.ErrorAs(t, err, &answer)
			assert.Equal(t, c.kind, answer.Type)
			assert.Contains(t, answer.Message, c.says)
			assert.Contains(t, answer.Message, "publish cell-health of cell-1")
		})
	}
}

// What may pass makes the whole request worth trying again.
func TestATransientFailureOfOneCounts(t *testing.T) {
	w := newWorld()
	w.crown(t, "cell-2", calibration.Promoted, 1, noon, 0.9)
	w.handler.telemetry = broken{}
	_, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", Assets: []string{"cell-1", "cell-2"}})
	var answer messages.InvokeResponse_Error
	require.ErrorAs(t, err, &answer)
	assert.Equal(t, "Transient", answer.Type)
	assert.Contains(t, answer.Message, "cell-1", "which has no champion")
	assert.Contains(t, answer.Message, "cell-2")
}
