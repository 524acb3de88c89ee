package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// reportTime is how long a job may take to report its end after it was told to
// stop: Batch kills 30 seconds after SIGTERM.
const reportTime = 10 * time.Second

// A job is one attempt at one job of a manifest.
type job struct {
	twin       definition.Definition
	manifest   string // key in the calibrations bucket
	index      int
	executions execution.Store
	calibrate  func(context.Context, spec.Spec, calibration.Asset, calibration.Job) (calibration.Outcome, error)
	observe    *observe.Observer
}

// names gives the errors of a job their kinds. Permanent comes first: an
// engine may mark what it cannot judge as transient.
var names = step.Names{
	{Is: calibration.ErrPermanent, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: execution.ErrInvalid, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: execution.ErrNotFound, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: calibration.ErrConflict, Name: string(step.Conflict), Kind: step.Conflict},
}

// done is the kind of a job that ended well: like one that found its work done.
const done = step.Superseded

// run carries the job out, leaves its outcome behind, and returns the kind of
// its end, which decides the exit code.
func (j *job) run(ctx context.Context) step.Kind {
	log := j.observe.With("manifest", j.manifest, "index", j.index)
	planned, err := j.planned(ctx)
	if err != nil {
		kind := names.Kind(err)
		log.ErrorContext(ctx, "job cannot be read", "error", err, "kind", kind)
		return kind
	}
	log = log.With("asset", planned.Asset, "calibration", planned.Calibration, "run", planned.Run)
	log.InfoContext(ctx, "run started", "generation", planned.Generation, "window_end", planned.WindowEnd)
	outcome, err := j.attempt(ctx, planned)
	kind := done
	if err != nil {
		kind = names.Kind(err)
		outcome = calibration.Outcome{
			Version: calibration.OutcomeVersion, Key: planned.Key, Run: planned.Run,
			Outcome: calibration.Failed, Reason: string(kind) + " error", Error: err.Error(),
		}
	}
	if reportErr := j.report(ctx, outcome); reportErr != nil {
		logEnd(ctx, log, outcome, kind)
		log.ErrorContext(ctx, "outcome not stored", "error", reportErr)
		if kind == done {
			return names.Kind(reportErr) // the next attempt finds its run done
		}
		return kind
	}
	logEnd(ctx, log, outcome, kind)
	return kind
}

// planned returns the job of the manifest at the index.
func (j *job) planned(ctx context.Context) (calibration.Job, error) {
	m, err := j.executions.Manifest(ctx, j.manifest)
	if err != nil {
		return calibration.Job{}, err
	}
	if j.index >= len(m.Jobs) {
		return calibration.Job{}, step.Permanentf("index %d of the array job is beyond the %d jobs of %s: the array's size must be the manifest's", j.index, len(m.Jobs), j.manifest)
	}
	return m.Jobs[j.index], nil
}

// attempt runs the calibration that the job names.
func (j *job) attempt(ctx context.Context, planned calibration.Job) (calibration.Outcome, error) {
	c, ok := j.twin.Calibration(planned.Calibration)
	if !ok {
		return calibration.Outcome{}, step.Permanentf("twin %s has no calibration %q: it was deployed anew since the plan; plan again", j.twin.Twin, planned.Calibration)
	}
	asset, ok := j.twin.Asset(planned.Asset)
	if !ok {
		return calibration.Outcome{}, step.Permanentf("twin %s has no asset %q: it was deployed anew since the plan; plan again", j.twin.Twin, planned.Asset)
	}
	outcome, err := j.calibrate(ctx, c.Spec, calibration.Asset{Twin: j.twin.Twin, Name: asset.Name, Attributes: asset.Attributes}, planned)
	if err != nil && ctx.Err() != nil {
		// The text only: whatever the engine made of the interruption, the run may be repeated.
		return outcome, step.Mark(step.Transient, errors.New("stopped before its end: "+err.Error()))
	}
	return outcome, err
}

// report stores the outcome, also when the job was told to stop.
func (j *job) report(ctx context.Context, outcome calibration.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTime)
	defer cancel()
	return j.executions.PutOutcome(ctx, j.manifest, j.index, outcome)
}

func logEnd(ctx context.Context, log *slog.Logger, outcome calibration.Outcome, kind step.Kind) {
	if outcome.Outcome == calibration.Failed {
		log.ErrorContext(ctx, "run failed", "error", outcome.Error, "kind", kind)
		return
	}
	log.InfoContext(ctx, "run ended", "outcome", outcome.Outcome, "reason", outcome.Reason)
}
