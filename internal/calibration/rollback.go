package calibration

import (
	"context"
	"errors"
	"fmt"
)

// History yields the champions of key from the newest to the oldest that can
// be followed: the champion in force, then the one that its run read, and so
// on. It stops before the first whose artifacts are gone.
func History(ctx context.Context, store Store, key Key, visit func(Champion) (more bool)) error {
	champion, _, err := store.Champion(ctx, key)
	if err != nil {
		return fmt.Errorf("history of %s: %w", key, classify(err))
	}
	for {
		if err := champion.Check(); err != nil {
			return fmt.Errorf("history of %s: %w", key, err)
		}
		if !visit(champion) {
			return nil
		}
		d, err := ReadDiagnostics(ctx, store, key, champion.StateRun)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("history of %s: %w", key, err)
		}
		if champion.Decision.Outcome == RolledBack {
			// A rollback kept its state run: the champion which that run wrote
			// is rebuilt from what the run reports.
			if champion, err = d.wrote(); err != nil {
				return fmt.Errorf("history of %s: %w", key, err)
			}
			continue
		}
		if d.Champion == nil {
			return nil
		}
		champion = *d.Champion
	}
}

// wrote returns the champion that the run which d reports wrote.
func (d Diagnostics) wrote() (Champion, error) {
	c := Champion{
		Version: ChampionVersion, Key: d.Key, Generation: 1, ParametersRun: d.Run, StateRun: d.Run,
		Watermark: d.Watermark, WindowEnd: d.WindowEnd, Decision: d.Decision,
	}
	if d.Champion != nil {
		c.Generation = d.Champion.Generation + 1
		if d.Decision.Outcome == Rejected {
			c.ParametersRun = d.Champion.ParametersRun
		}
	}
	return c.withWriteID()
}

// Rollback restores the parameters that were in force at a generation, or with
// generation 0 those in force before the present ones, under a new generation.
// State and watermark stay: no sample is assimilated twice. With an empty
// writeID the write is named by its content. It returns the champion written;
// a generation that cannot be found, or whose parameters are in force already,
// is a permanent error, a lost race is ErrConflict.
func Rollback(ctx context.Context, store Store, key Key, generation int64, writeID string) (Champion, error) {
	current, revision, err := store.Champion(ctx, key)
	if err != nil {
		return Champion{}, fmt.Errorf("roll back %s: %w", key, classify(err))
	}
	if err := current.Check(); err != nil {
		return Champion{}, fmt.Errorf("roll back %s: %w", key, err)
	}
	if current.Decision.Outcome == RolledBack && writeID != "" && current.WriteID == writeID {
		return current, nil // an earlier attempt of this rollback
	}
	target, err := rollbackTarget(ctx, store, current, generation)
	if err != nil {
		return Champion{}, fmt.Errorf("roll back %s: %w", key, err)
	}
	if _, err := store.Artifact(ctx, key, target.ParametersRun, PosteriorArtifact); err != nil {
		return Champion{}, fmt.Errorf("roll back %s to generation %d: %w", key, target.Generation, classify(err))
	}
	next := current
	next.Generation++
	next.ParametersRun = target.ParametersRun
	next.Decision = Decision{
		Outcome: RolledBack, From: target.Generation,
		Reason: fmt.Sprintf("parameters of generation %d (run %s) restored in place of those of run %s",
			target.Generation, target.ParametersRun, current.ParametersRun),
	}
	if next, err = next.withWriteID(); err != nil {
		return Champion{}, err
	}
	if writeID != "" {
		next.WriteID = writeID
	}
	if _, err := store.SwapChampion(ctx, key, next, revision); err != nil {
		return Champion{}, fmt.Errorf("roll back %s: %w", key, classify(err))
	}
	return next, nil
}

// rollbackTarget finds the champion whose parameters are to be restored. With
// generation 0 it is the last one with other parameters than those in force,
// before they came into force.
func rollbackTarget(ctx context.Context, store Store, current Champion, generation int64) (Champion, error) {
	var target Champion
	seen := current.Decision.Outcome != RolledBack // the generation that current restored, or current itself
	err := History(ctx, store, current.Key, func(c Champion) bool {
		switch {
		case generation > 0:
			if c.Generation == generation {
				target = c
			}
		case !seen:
			seen = c.Generation <= current.Decision.From
		case c.ParametersRun != current.ParametersRun:
			target = c
		}
		return target.Generation == 0
	})
	if err != nil {
		return target, err
	}
	if target.Generation == 0 {
		if generation > 0 {
			return target, fmt.Errorf("%w: no generation %d in the history of %s, the newest is %d", ErrPermanent, generation, current.Key, current.Generation)
		}
		return target, fmt.Errorf("%w: %s has no older parameters than those of run %s", ErrPermanent, current.Key, current.ParametersRun)
	}
	if target.ParametersRun == current.ParametersRun {
		return target, fmt.Errorf("%w: the parameters of generation %d (run %s) are in force already", ErrPermanent, target.Generation, target.ParametersRun)
	}
	return target, nil
}
