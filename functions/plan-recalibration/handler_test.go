package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/livetwin/livetwin/internal/execution/executions3"
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

const bucket = "calibrations"

// twin has four cells, each observed by voltage and temperature, and a
// calibration that no asset follows.
func twin() definition.Definition {
	return definition.Definition{
		Version: definition.Version, Twin: "site",
		Calibrations: []definition.Calibration{
			{
				Spec: spec.Spec{
					Name: "cell-health",
					Observations: map[string]spec.Observation{
						"voltage": {Property: "voltage"}, "surface": {Property: "temperature"},
					},
					Window: spec.Window{Start: 3600},
				},
				Assets: []string{"cell-1", "cell-2", "cell-3", "cell-4"},
			},
			{Spec: spec.Spec{Name: "nothing"}},
		},
	}
}

type world struct {
	handler *handler
	objects *s3mem.Client
	runs    *runindexmem.Index
	logs    bytes.Buffer
}

// newWorld is at noon: cell-1 was calibrated up to 11:00 and has a sample of
// 11:30; cell-2 was calibrated up to its newest sample; cell-3 was never
// calibrated and has a sample of 11:45; cell-4 sent its last two hours ago,
// before the window of a first run.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{objects: new(s3mem.Client), runs: new(runindexmem.Index)}
	var series []telemetry.Alias
	for _, asset := range []string{"cell-1", "cell-2", "cell-3", "cell-4"} {
		series = append(series, telemetry.AliasOf("site", asset, "voltage"), telemetry.AliasOf("site", asset, "temperature"))
	}
	historian := telemetrymem.New(series...)
	sample := func(asset, property string, at time.Time) {
		_, err := historian.Write(t.Context(), []telemetry.Point{{
			Series: telemetry.AliasOf("site", asset, property), Sample: telemetry.Sample{Time: at, Value: 1, Quality: telemetry.Good},
		}})
		require.NoError(t, err)
	}
	sample("cell-1", "voltage", noon.Add(-70*time.Minute))
	sample("cell-1", "temperature", noon.Add(-30*time.Minute))
	sample("cell-2", "voltage", noon.Add(-20*time.Minute))
	sample("cell-3", "voltage", noon.Add(-15*time.Minute))
	sample("cell-4", "voltage", noon.Add(-2*time.Hour))
	store := calibrations3.New(w.objects, bucket)
	for asset, watermark := range map[string]time.Time{"cell-1": noon.Add(-time.Hour), "cell-2": noon.Add(-20 * time.Minute)} {
		key := calibration.Key{Asset: asset, Calibration: "cell-health"}
		_, err := store.SwapChampion(t.Context(), key, calibration.Champion{
			Version: calibration.ChampionVersion, Key: key, Generation: 7, WriteID: "w", StateRun: "r7", Watermark: watermark, WindowEnd: watermark,
		}, "")
		require.NoError(t, err)
	}
	w.handler = &handler{
		twin: twin(), champions: store, executions: executions3.New(w.objects, bucket), telemetry: historian, runs: w.runs,
		observe: observe.New(&w.logs, "site", "local", func() time.Time { return noon }),
	}
	return w
}

func TestPlan(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.json")
		t.Run(name, func(t *testing.T) {
			event, err := os.ReadFile(input)
			require.NoError(t, err)
			w := newWorld(t)
			answer, err := lambda.NewHandler(w.handler.handle).Invoke(t.Context(), event)
			if err != nil {
				golden.JSON(t, "testdata/"+name+".golden.json", err)
				return
			}
			golden.JSON(t, "testdata/"+name+".golden.json", answer)
			var resp response
			require.NoError(t, json.Unmarshal(answer, &resp))
			golden.JSON(t, "testdata/"+name+".manifest.golden.json", w.objects.Objects(bucket)[resp.Manifest])
		})
	}
}

func TestTelemetryAgeIsThatOfTheStalestAsset(t *testing.T) {
	w := newWorld(t)
	_, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", WindowEnd: "2026-01-02T12:00:00Z", Execution: "e"})
	require.NoError(t, err)
	var line map[string]any
	require.NoError(t, json.Unmarshal(bytes.SplitN(w.logs.Bytes(), []byte("\n"), 2)[0], &line))
	assert.InDelta(t, 7200, line["TelemetryAge"], 0)
	assert.Contains(t, line, "_aws")
}

// The same request plans the same runs: what is delivered twice is one run.
func TestAPlanIsRepeatable(t *testing.T) {
	w := newWorld(t)
	req := request{Calibration: "cell-health", WindowEnd: "2026-01-02T12:00:00Z", Execution: "e"}
	first, err := w.handler.handle(t.Context(), req)
	require.NoError(t, err)
	manifest := w.objects.Objects(bucket)[first.Manifest]
	second, err := w.handler.handle(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	assert.Equal(t, manifest, w.objects.Objects(bucket)[second.Manifest])
}

type down struct{ telemetry.Reader }

func (down) Latest(context.Context, []telemetry.Alias) (map[telemetry.Alias]telemetry.Sample, error) {
	return nil, errors.New("connection reset")
}

func TestWhatMayPassIsTransient(t *testing.T) {
	req := request{Calibration: "cell-health", WindowEnd: "2026-01-02T12:00:00Z", Execution: "e"}
	w := newWorld(t)
	w.handler.telemetry = down{}
	assert.Equal(t, "Transient", errorType(t, w.handler, req))

	w = newWorld(t)
	w.objects.Before = func(string, string) error { return errors.New("connection reset") }
	assert.Equal(t, "Transient", errorType(t, w.handler, req))

	w = newWorld(t)
	w.handler.telemetry = telemetrymem.New() // SiteWise does not have the twin's assets
	assert.Equal(t, "Permanent", errorType(t, w.handler, req))
}

func errorType(t *testing.T, h *handler, req request) string {
	t.Helper()
	_, err := h.handle(t.Context(), req)
	var answer messages.InvokeResponse_Error
	require.ErrorAs(t, err, &answer)
	return answer.Type
}

// An idle asset whose champion was never published is published by the next
// execution; one whose last run has its row is left alone.
func TestOverdue(t *testing.T) {
	w := newWorld(t)
	plan := func() response {
		resp, err := w.handler.handle(t.Context(), request{Calibration: "cell-health", WindowEnd: noon.Format(time.RFC3339), Execution: "e"})
		require.NoError(t, err)
		return resp
	}
	assert.Equal(t, [][]string{{"cell-2"}}, plan().Overdue, "cell-2 is idle and has a champion without a row")

	row := runindex.Run{Asset: "cell-2", Calibration: "cell-health", ID: "r6", Generation: 7, WindowEnd: noon.Add(-20 * time.Minute)}
	require.NoError(t, w.runs.PutRun(t.Context(), row))
	assert.Equal(t, [][]string{{"cell-2"}}, plan().Overdue, "the row is another run's")

	row.ID = "r7"
	require.NoError(t, w.runs.PutRun(t.Context(), row))
	assert.Empty(t, plan().Overdue)
}
