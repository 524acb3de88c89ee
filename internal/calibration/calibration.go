// Package calibration keeps the parameters of an asset's physics model in step
// with its telemetry. A run takes one window of telemetry of one asset, scores
// every sample before it is assimilated, lets a challenger (state and
// parameters estimated together) compete with the champion (parameters frozen)
// on the same one-step forecasts, and advances state and watermark in one
// conditional write of the champion, whether the challenger won or not. So a
// sample is assimilated exactly once, and two runs that overlap cannot both win.
package calibration

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Kinds of errors besides [ErrConflict] and [ErrNotFound]: the kind decides the
// exit code, the error name in a state machine, retry and alarm.
var (
	// ErrPermanent marks an error that a retry cannot mend: a wrong spec, an
	// unknown format, data that no model can follow.
	ErrPermanent = errors.New("calibration: permanent error")
	// ErrTransient marks an error that a retry may mend: a store or a
	// historian that did not answer.
	ErrTransient = errors.New("calibration: transient error")
)

// A RunID names one run of one calibration of one asset: 16 hex digits.
type RunID string

// NewRunID returns the id of the run that advances the champion at generation
// (0 when there is none) to the end of a window. The same job delivered twice
// is the same run.
func NewRunID(key Key, generation int64, windowEnd time.Time) RunID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %s",
		key.Asset, key.Calibration, generation, windowEnd.UTC().Format(time.RFC3339Nano)))
	return RunID(hex.EncodeToString(sum[:8]))
}

// ChampionVersion is the version of champion.json that this program reads and writes.
const ChampionVersion = 1

// A Champion is the calibration in force of one asset: the content of
// champion.json, the only pointer that moves.
type Champion struct {
	Version int `json:"version"`
	Key
	Generation    int64     `json:"generation"`    // 1 for the first, one more at every write
	WriteID       string    `json:"writeId"`       // differs between any two different writes
	ParametersRun RunID     `json:"parametersRun"` // the run whose posterior.json holds the parameters in force
	StateRun      RunID     `json:"stateRun"`      // the run that advanced state and watermark last
	Watermark     time.Time `json:"watermark"`     // time of the newest assimilated sample
	WindowEnd     time.Time `json:"windowEnd"`     // end of the window of StateRun
	Decision      Decision  `json:"decision"`      // why the champion is as it is
}

// Check returns a permanent error when the champion's format is unknown.
func (c Champion) Check() error {
	if c.Version != ChampionVersion {
		return fmt.Errorf("%w: champion.json of %s has version %d, this program knows %d: deploy the program that wrote it, or a newer one",
			ErrPermanent, c.Key, c.Version, ChampionVersion)
	}
	return nil
}

// String returns "asset/calibration".
func (k Key) String() string { return k.Asset + "/" + k.Calibration }

// A Result says how a run ended.
type Result string

// The results of a run; Failed is not returned by an Engine but written by
// those who report a run that ended in an error. RolledBack is the decision
// in a champion that Rollback wrote.
const (
	Promoted   Result = "promoted"   // the challenger's parameters are in force
	Rejected   Result = "rejected"   // the champion's parameters stay; state and watermark advanced
	Superseded Result = "superseded" // another run advanced the champion; nothing was changed
	Skipped    Result = "skipped"    // no whole segment of telemetry; nothing was changed
	Failed     Result = "failed"
	RolledBack Result = "rolled-back"
)

// A Decision is the outcome of the last write of a champion, with its reason in words.
type Decision struct {
	Outcome Result `json:"outcome"`
	Reason  string `json:"reason"`
	// Gain is the mean log score per observation that the challenger gained
	// over the champion, in nats; absent for a first calibration and a rollback.
	Gain *float64 `json:"gain,omitempty"`
	// From is the generation whose parameters a rollback restored.
	From int64 `json:"from,omitempty"`
}

// A Job is one run that a plan asks for.
type Job struct {
	Key
	Run        RunID     `json:"run"`
	Generation int64     `json:"generation"` // of the champion to advance; 0 when there is none
	WindowEnd  time.Time `json:"windowEnd"`
}

// NewJob returns the job that advances the champion at generation (0 when
// there is none) to windowEnd.
func NewJob(key Key, generation int64, windowEnd time.Time) Job {
	windowEnd = windowEnd.UTC()
	return Job{Key: key, Run: NewRunID(key, generation, windowEnd), Generation: generation, WindowEnd: windowEnd}
}

// Check returns a permanent error when the job contradicts itself.
func (j Job) Check() error {
	if want := NewRunID(j.Key, j.Generation, j.WindowEnd); j.Run != want {
		return fmt.Errorf("%w: job of %s names run %q, its generation %d and window end %s make it %q: plan it again",
			ErrPermanent, j.Key, j.Run, j.Generation, j.WindowEnd.Format(time.RFC3339Nano), want)
	}
	return nil
}

// An Asset is the equipment that is calibrated, as the twin describes it.
type Asset struct {
	Twin       string         `json:"twin"`
	Name       string         `json:"name"`
	Attributes map[string]any `json:"attributes"` // numbers and strings
}

// OutcomeVersion is the version of an Outcome's format.
const OutcomeVersion = 1

// An Outcome reports how a job ended.
type Outcome struct {
	Version int `json:"version"`
	Key
	Run     RunID  `json:"run"`
	Outcome Result `json:"outcome"`
	Reason  string `json:"reason"`
	Error   string `json:"error,omitempty"` // of a failed job
}

// withWriteID returns the champion with a write id that is a digest of all
// else in it: a retried attempt of a run makes the same write, no other does.
func (c Champion) withWriteID() (Champion, error) {
	c.WriteID = ""
	b, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("%w: champion of %s: %w", ErrPermanent, c.Key, err)
	}
	sum := sha256.Sum256(b)
	c.WriteID = hex.EncodeToString(sum[:16])
	return c, nil
}
