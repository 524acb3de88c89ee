// Package executionmem keeps manifests and outcomes in memory, for tests.
package executionmem

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/execution"
)

var _ execution.Store = (*Store)(nil)

// A Store keeps manifests and outcomes in memory. The zero Store is empty; it
// is safe for concurrent use.
type Store struct {
	mu        sync.Mutex
	manifests map[string]execution.Manifest
	outcomes  map[string]map[int]calibration.Outcome // by manifest
}

// PutManifest implements execution.Store.
func (s *Store) PutManifest(ctx context.Context, name string, m execution.Manifest) (string, error) {
	key, err := execution.ManifestKey(name)
	if err := cmp.Or(err, m.Check(), ctx.Err()); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manifests == nil {
		s.manifests = make(map[string]execution.Manifest)
	}
	m.Jobs = slices.Clone(m.Jobs)
	s.manifests[key] = m
	return key, nil
}

// Manifest implements execution.Store.
func (s *Store) Manifest(ctx context.Context, key string) (execution.Manifest, error) {
	_, err := execution.Of(key)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return execution.Manifest{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.manifests[key]
	if !ok {
		return m, fmt.Errorf("%w: manifest %s", execution.ErrNotFound, key)
	}
	m.Jobs = slices.Clone(m.Jobs)
	return m, nil
}

// PutOutcome implements execution.Store.
func (s *Store) PutOutcome(ctx context.Context, manifest string, index int, o calibration.Outcome) error {
	_, err := execution.OutcomeKey(manifest, index)
	if err := cmp.Or(err, execution.CheckOutcome(o), ctx.Err()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outcomes == nil {
		s.outcomes = make(map[string]map[int]calibration.Outcome)
	}
	if s.outcomes[manifest] == nil {
		s.outcomes[manifest] = make(map[int]calibration.Outcome)
	}
	s.outcomes[manifest][index] = o
	return nil
}

// Outcome implements execution.Store.
func (s *Store) Outcome(ctx context.Context, manifest string, index int) (calibration.Outcome, error) {
	_, err := execution.OutcomeKey(manifest, index)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return calibration.Outcome{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.outcomes[manifest][index]
	if !ok {
		return o, fmt.Errorf("%w: outcome %d of %s", execution.ErrNotFound, index, manifest)
	}
	return o, nil
}

// Outcomes implements execution.Store.
func (s *Store) Outcomes(ctx context.Context, manifest string) (map[int]calibration.Outcome, error) {
	_, err := execution.Of(manifest)
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	outcomes := make(map[int]calibration.Outcome)
	maps.Copy(outcomes, s.outcomes[manifest])
	return outcomes, nil
}
