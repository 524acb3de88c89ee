package calibration

import (
	"context"
	"fmt"
	"time"

	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/telemetry"
)

// An Engine runs calibrations.
type Engine struct {
	Store     Store
	Telemetry telemetry.Reader
	// Model returns the model of that name; all.Model in production.
	Model func(name string) (plant.Model, error)
	// Lineage describes the attempt for lineage.json; nothing else depends on it.
	Lineage Lineage
}

// Lineage says who ran a run, and when, on the wall's clock.
type Lineage struct {
	Attempt   int               // 1 for the first
	Execution string            // of the state machine
	Job       string            // the Batch job's id
	Versions  map[string]string // of the program and what it was built with
	Now       func() time.Time
}

// Run carries out a job of the calibration sp of an asset.
//
// A nil error means that the job is done: promoted, rejected, superseded or
// skipped. An error is permanent ([ErrPermanent]), or transient
// ([ErrTransient]) and the job may be run again with the same result.
func (e *Engine) Run(ctx context.Context, sp spec.Spec, asset Asset, job Job) (Outcome, error) {
	if err := job.Check(); err != nil {
		return Outcome{}, err
	}
	if _, err := e.Model(sp.Model); err != nil {
		return Outcome{}, fmt.Errorf("%w: calibration %s: %w", ErrPermanent, sp.Name, err)
	}
	_ = asset
	return Outcome{}, fmt.Errorf("%w: calibration %s: method %q is unknown", ErrPermanent, sp.Name, sp.Method)
}
