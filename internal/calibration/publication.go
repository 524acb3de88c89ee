package calibration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Published is what a calibration publishes of its last run.
type Published struct {
	Key
	Run        RunID     `json:"run"`
	Generation int64     `json:"generation"`
	WindowEnd  time.Time `json:"windowEnd"` // the instant that the values are published at
	Watermark  time.Time `json:"watermark"`
	Outcome    Result    `json:"outcome"`
	Reason     string    `json:"reason"`
	// Values holds every published quantile, {output}_p{100q}, and the run's
	// metrics: log_score, nis and coverage90 of the calibration in force after
	// the run, gain, samples, late.
	Values map[string]float64 `json:"values"`
}

// QuantileName returns the property that holds a quantile of an output:
// {output}_p05, with at least two digits.
func QuantileName(output string, quantile float64) string {
	s := strconv.FormatFloat(math.Round(quantile*1e6)/1e4, 'f', -1, 64)
	if quantile < 0.0995 {
		s = "0" + s
	}
	return output + "_p" + s
}

// Publication derives from the champion of key, and the artifacts of its runs,
// what is to be published. It is the same however often it is asked for.
// After a rollback the predictions made with the parameters that were rolled
// back are withheld until the next run; the metrics remain. Without a champion
// the error is ErrNotFound.
func Publication(ctx context.Context, store Store, key Key) (Published, error) {
	champion, _, err := store.Champion(ctx, key)
	if err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", key, classify(err))
	}
	if err := champion.Check(); err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", key, err)
	}
	d, err := ReadDiagnostics(ctx, store, key, champion.StateRun)
	if err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", key, err)
	}
	p := Published{
		Key: key, Run: champion.StateRun, Generation: champion.Generation,
		WindowEnd: champion.WindowEnd, Watermark: champion.Watermark,
		Outcome: champion.Decision.Outcome, Reason: champion.Decision.Reason,
		Values: map[string]float64{},
	}
	if champion.Decision.Outcome != RolledBack {
		for _, q := range d.Predictions {
			p.Values[QuantileName(q.Output, q.Quantile)] = q.Value
		}
	}
	scores := d.ChallengerScores
	if d.Decision.Outcome == Rejected && d.ChampionScores != nil {
		scores = *d.ChampionScores
	}
	p.Values["log_score"] = scores.LogScore
	p.Values["nis"] = scores.NIS
	p.Values["coverage90"] = scores.Coverage90
	p.Values["samples"] = float64(d.Telemetry.Assimilated)
	p.Values["late"] = float64(d.Telemetry.Late)
	if d.Decision.Gain != nil {
		p.Values["gain"] = *d.Decision.Gain
	}
	return p, nil
}

// ReadDiagnostics returns the diagnostics of a run. An unknown format is a
// permanent error.
func ReadDiagnostics(ctx context.Context, store Store, key Key, run RunID) (Diagnostics, error) {
	b, err := store.Artifact(ctx, key, run, DiagnosticsArtifact)
	if err != nil {
		return Diagnostics{}, fmt.Errorf("read %s of run %s of %s: %w", DiagnosticsArtifact, run, key, classify(err))
	}
	var head struct{ Version int }
	var d Diagnostics
	if err := json.Unmarshal(b, &head); err != nil {
		return d, fmt.Errorf("%w: %s of run %s of %s: %w", ErrPermanent, DiagnosticsArtifact, run, key, err)
	}
	if head.Version != DiagnosticsVersion {
		return d, fmt.Errorf("%w: %s of run %s of %s has version %d, this program knows %d: use the program that wrote it, or a newer one",
			ErrPermanent, DiagnosticsArtifact, run, key, head.Version, DiagnosticsVersion)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("%w: %s of run %s of %s: %w", ErrPermanent, DiagnosticsArtifact, run, key, err)
	}
	return d, nil
}

// classify marks an error of a Store or a historian that has no kind as transient.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrPermanent) || errors.Is(err, ErrTransient) ||
		errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTransient, err)
}
