package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/execution/executionmem"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const manifest = "executions/4a7c/manifest.json"

// planned is the second job of the manifest.
var planned = calibration.NewJob(calibration.Key{Asset: "cell-2", Calibration: "cell-health"}, 3, noon)

type calibrate = func(context.Context, spec.Spec, calibration.Asset, calibration.Job) (calibration.Outcome, error)

// newWorld returns the job at index 1 of a manifest of three.
func newWorld(t *testing.T, run calibrate) (*job, *executionmem.Store, *bytes.Buffer) {
	t.Helper()
	store, logs := new(executionmem.Store), new(bytes.Buffer)
	m := execution.Manifest{Version: execution.Version, Calibration: "cell-health", WindowEnd: noon, Jobs: []calibration.Job{
		calibration.NewJob(calibration.Key{Asset: "cell-1", Calibration: "cell-health"}, 0, noon), planned,
		calibration.NewJob(calibration.Key{Asset: "gone", Calibration: "cell-health"}, 0, noon),
	}}
	_, err := store.PutManifest(t.Context(), "4a7c", m)
	require.NoError(t, err)
	return &job{
		twin: definition.Definition{
			Twin:         "site",
			Assets:       []definition.Asset{{Name: "cell-1"}, {Name: "cell-2", Attributes: map[string]any{"rated_capacity": 2.0}}},
			Calibrations: []definition.Calibration{{Spec: spec.Spec{Name: "cell-health", Model: "cell"}}},
		},
		manifest: manifest, index: 1, executions: store, calibrate: run,
		observe: observe.New(logs, "site", "local", func() time.Time { return noon }),
	}, store, logs
}

func ends(result calibration.Result, err error) calibrate {
	return func(_ context.Context, _ spec.Spec, _ calibration.Asset, j calibration.Job) (calibration.Outcome, error) {
		if err != nil {
			return calibration.Outcome{}, err
		}
		return calibration.Outcome{Version: calibration.OutcomeVersion, Key: j.Key, Run: j.Run, Outcome: result, Reason: "because"}, nil
	}
}

func TestTheJobAtTheIndexIsRun(t *testing.T) {
	var gotSpec spec.Spec
	var gotAsset calibration.Asset
	var gotJob calibration.Job
	j, _, _ := newWorld(t, func(ctx context.Context, sp spec.Spec, a calibration.Asset, j calibration.Job) (calibration.Outcome, error) {
		gotSpec, gotAsset, gotJob = sp, a, j
		return ends(calibration.Promoted, nil)(ctx, sp, a, j)
	})
	assert.Equal(t, step.ExitDone, j.run(t.Context()).ExitCode())
	assert.Equal(t, "cell", gotSpec.Model)
	assert.Equal(t, calibration.Asset{Twin: "site", Name: "cell-2", Attributes: map[string]any{"rated_capacity": 2.0}}, gotAsset)
	assert.Equal(t, planned, gotJob)
}

func TestEndsOfAJob(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied", Fault: smithy.FaultClient}
	for name, c := range map[string]struct {
		run     calibrate
		exit    int
		outcome calibration.Result
		says    string
	}{
		"promoted":   {ends(calibration.Promoted, nil), 0, calibration.Promoted, ""},
		"rejected":   {ends(calibration.Rejected, nil), 0, calibration.Rejected, ""},
		"superseded": {ends(calibration.Superseded, nil), 0, calibration.Superseded, ""},
		"skipped":    {ends(calibration.Skipped, nil), 0, calibration.Skipped, ""},
		"permanent":  {ends("", fmt.Errorf("%w: bad spec", calibration.ErrPermanent)), 64, calibration.Failed, "bad spec"},
		"transient":  {ends("", fmt.Errorf("%w: reset", calibration.ErrTransient)), 75, calibration.Failed, "reset"},
		"conflict":   {ends("", fmt.Errorf("swap: %w", calibration.ErrConflict)), 75, calibration.Failed, "another run"},
		"denied, which the engine takes for transient": {ends("", fmt.Errorf("%w: %w", calibration.ErrTransient, denied)), 64, calibration.Failed, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			j, store, logs := newWorld(t, c.run)
			assert.Equal(t, c.exit, j.run(t.Context()).ExitCode())
			o, err := store.Outcome(t.Context(), manifest, 1)
			require.NoError(t, err)
			assert.Equal(t, c.outcome, o.Outcome)
			assert.Equal(t, planned.Run, o.Run)
			assert.Contains(t, o.Error, c.says)
			assert.Equal(t, c.says == "", o.Error == "")
			for line := range strings.Lines(logs.String()) { // every line says where it belongs
				var fields map[string]any
				require.NoError(t, json.Unmarshal([]byte(line), &fields))
				for key, want := range map[string]any{
					"twin": "site", "stage": "local", "asset": "cell-2", "calibration": "cell-health", "run": string(planned.Run),
				} {
					assert.Equal(t, want, fields[key], "%s of %s", key, line)
				}
			}
		})
	}
}

// SIGTERM: the attempt ends, tells so, and is begun again.
func TestAJobThatIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	j, store, _ := newWorld(t, func(ctx context.Context, _ spec.Spec, _ calibration.Asset, _ calibration.Job) (calibration.Outcome, error) {
		stop()
		<-ctx.Done()
		return calibration.Outcome{}, fmt.Errorf("%w: step 7: %w", calibration.ErrPermanent, ctx.Err())
	})
	assert.Equal(t, step.ExitRetry, j.run(ctx).ExitCode())
	o, err := store.Outcome(t.Context(), manifest, 1)
	require.NoError(t, err, "the outcome is stored although the context has ended")
	assert.Equal(t, calibration.Failed, o.Outcome)
	assert.Contains(t, o.Error, "stopped before its end")
}

// A later attempt replaces what a failed one left.
func TestARetryReplacesTheOutcome(t *testing.T) {
	j, store, _ := newWorld(t, ends("", errors.New("reset")))
	assert.Equal(t, step.ExitRetry, j.run(t.Context()).ExitCode())
	j.calibrate = ends(calibration.Promoted, nil)
	assert.Equal(t, step.ExitDone, j.run(t.Context()).ExitCode())
	o, err := store.Outcome(t.Context(), manifest, 1)
	require.NoError(t, err)
	assert.Equal(t, calibration.Promoted, o.Outcome)
}

func TestJobsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*job)
		exit   int
		says   string
	}{
		"beyond the array":    {func(j *job) { j.index = 3 }, 64, "index 3"},
		"no manifest":         {func(j *job) { j.manifest = "executions/other/manifest.json" }, 64, "not found"},
		"an unknown asset":    {func(j *job) { j.index = 2 }, 64, `no asset \"gone\"`},
		"no such calibration": {func(j *job) { j.twin.Calibrations = nil }, 64, `no calibration \"cell-health\"`},
		"a store is down":     {func(j *job) { j.executions = down{j.executions} }, 75, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			j, _, logs := newWorld(t, ends(calibration.Promoted, nil))
			c.change(j)
			assert.Equal(t, c.exit, j.run(t.Context()).ExitCode())
			assert.Contains(t, logs.String(), c.says)
		})
	}
}

type down struct{ execution.Store }

func (down) Manifest(context.Context, string) (execution.Manifest, error) {
	return execution.Manifest{}, errors.New("reset")
}

type mute struct{ execution.Store }

func (mute) PutOutcome(context.Context, string, int, calibration.Outcome) error {
	return errors.New("reset")
}

// Without its outcome a job counts as failed, so it must not end as done.
func TestAnOutcomeThatCannotBeStored(t *testing.T) {
	j, store, _ := newWorld(t, ends(calibration.Promoted, nil))
	j.executions = mute{store}
	assert.Equal(t, step.ExitRetry, j.run(t.Context()).ExitCode())
	j.calibrate = ends("", fmt.Errorf("%w: bad spec", calibration.ErrPermanent))
	assert.Equal(t, step.ExitPermanent, j.run(t.Context()).ExitCode(), "the run's own error counts")
}

func TestSettings(t *testing.T) {
	set := map[env.Var]string{
		env.Twin: "site", env.Stage: "local", env.CalibrationsBucket: "b", env.Manifest: manifest, env.Definition: "s3://assets/abc.json",
		env.BatchArrayIndex: "7", env.BatchAttempt: "2",
	}
	for name, v := range set {
		t.Setenv(string(name), v)
	}
	s, err := readSettings()
	require.NoError(t, err)
	assert.Equal(t, settings{
		twin: "site", stage: "local", bucket: "b", manifest: manifest, definition: env.Object{Bucket: "assets", Key: "abc.json"}, index: 7, attempt: 2,
	}, s)

	t.Setenv(string(env.BatchArrayIndex), "") // a plain job
	s, err = readSettings()
	require.NoError(t, err)
	assert.Zero(t, s.index)

	t.Setenv(string(env.Manifest), "")
	_, err = readSettings()
	require.ErrorContains(t, err, "LIVETWIN_MANIFEST")
	assert.Equal(t, step.ExitPermanent, startError(err).ExitCode())
}
