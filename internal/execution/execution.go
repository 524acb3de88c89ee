// Package execution is what the steps of one recalibration hand to each other
// besides their inputs: the manifest that the plan writes, with one job per
// index of the Batch array, and the outcome that each job leaves behind.
package execution

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/calibration"
)

// Version is the version of the manifest that this program reads and writes.
const Version = 1

// MaxJobs is how many jobs a manifest may hold: the size of a Batch array.
const MaxJobs = 10_000

// Errors of a Store.
var (
	// ErrNotFound reports an absent manifest or outcome.
	ErrNotFound = errors.New("execution: not found")
	// ErrInvalid reports a manifest, outcome, name or key that cannot be right;
	// trying again does not help.
	ErrInvalid = errors.New("execution: invalid")
)

// A Manifest is the plan of one execution: job i is carried out by child i of
// the array.
type Manifest struct {
	Version     int               `json:"version"`
	Calibration string            `json:"calibration"`
	WindowEnd   time.Time         `json:"windowEnd"`
	Jobs        []calibration.Job `json:"jobs"`
}

// Check returns ErrInvalid when the manifest is of another version or
// contradicts itself.
func (m Manifest) Check() error {
	if m.Version != Version {
		return fmt.Errorf("%w: manifest has version %d, this program reads version %d: deploy the functions and the job's image from the same release",
			ErrInvalid, m.Version, Version)
	}
	if len(m.Jobs) > MaxJobs {
		return fmt.Errorf("%w: manifest has %d jobs; an array job of AWS Batch holds %d: split the calibration into several", ErrInvalid, len(m.Jobs), MaxJobs)
	}
	for i, job := range m.Jobs {
		if job.Calibration != m.Calibration || !job.WindowEnd.Equal(m.WindowEnd) {
			return fmt.Errorf("%w: job %d of the manifest of %s at %s is of %s at %s", ErrInvalid, i,
				m.Calibration, m.WindowEnd.Format(time.RFC3339Nano), job.Calibration, job.WindowEnd.Format(time.RFC3339Nano))
		}
		if err := job.Check(); err != nil {
			return fmt.Errorf("%w: job %d: %w", ErrInvalid, i, err)
		}
	}
	return nil
}

// A Store keeps manifests and outcomes. Every write replaces what was there.
type Store interface {
	// PutManifest stores the manifest of an execution and returns its key.
	PutManifest(ctx context.Context, execution string, m Manifest) (key string, err error)

	// Manifest returns the manifest stored under key, or ErrNotFound.
	Manifest(ctx context.Context, key string) (Manifest, error)

	// PutOutcome stores the outcome of the job at index of a manifest.
	PutOutcome(ctx context.Context, manifest string, index int, o calibration.Outcome) error

	// Outcome returns the outcome of the job at index of a manifest, or ErrNotFound.
	Outcome(ctx context.Context, manifest string, index int) (calibration.Outcome, error)

	// Outcomes returns the outcomes that the jobs of a manifest left, by index.
	Outcomes(ctx context.Context, manifest string) (map[int]calibration.Outcome, error)
}

// name is the name of an execution of a state machine.
var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

const (
	folder = "executions/"
	file   = "/manifest.json"
)

// ManifestKey returns the key of the manifest of an execution. A name that no
// execution can have is ErrInvalid.
func ManifestKey(execution string) (string, error) {
	if !name.MatchString(execution) {
		return "", fmt.Errorf("%w: execution is %q; expected its name ($states.context.Execution.Name): 1 to 80 letters, digits, '-' and '_'", ErrInvalid, execution)
	}
	return folder + execution + file, nil
}

// Of returns the execution whose manifest has a key, or ErrInvalid.
func Of(manifest string) (string, error) {
	middle, begins := strings.CutPrefix(manifest, folder)
	execution, ends := strings.CutSuffix(middle, file)
	if !begins || !ends || !name.MatchString(execution) {
		return "", fmt.Errorf("%w: manifest is %q; expected executions/{execution}/manifest.json, as plan-recalibration returns it", ErrInvalid, manifest)
	}
	return execution, nil
}

// OutcomePrefix returns the prefix of the keys of the outcomes of a manifest.
func OutcomePrefix(manifest string) (string, error) {
	execution, err := Of(manifest)
	if err != nil {
		return "", err
	}
	return folder + execution + "/outcomes/", nil
}

// OutcomeKey returns the key of the outcome of the job at index of a manifest.
func OutcomeKey(manifest string, index int) (string, error) {
	prefix, err := OutcomePrefix(manifest)
	if err != nil {
		return "", err
	}
	if index < 0 || index >= MaxJobs {
		return "", fmt.Errorf("%w: index of a job is %d; expected 0 to %d", ErrInvalid, index, MaxJobs-1)
	}
	return fmt.Sprintf("%s%d.json", prefix, index), nil
}

// CheckOutcome returns ErrInvalid when an outcome is of another version or
// does not say how the job ended.
func CheckOutcome(o calibration.Outcome) error {
	if o.Version != calibration.OutcomeVersion {
		return fmt.Errorf("%w: outcome of %s has version %d, this program reads version %d: deploy the functions and the job's image from the same release",
			ErrInvalid, o.Key, o.Version, calibration.OutcomeVersion)
	}
	switch o.Outcome {
	case calibration.Promoted, calibration.Rejected, calibration.Superseded, calibration.Skipped, calibration.Failed:
		return nil
	case calibration.RolledBack:
	}
	return fmt.Errorf("%w: outcome of %s is %q; expected promoted, rejected, superseded, skipped or failed", ErrInvalid, o.Key, o.Outcome)
}
