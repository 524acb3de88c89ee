// Package calibrationmem is a store of calibrations in memory, for tests and
// for calibrating offline.
package calibrationmem

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/livetwin/livetwin/internal/calibration"
)

var _ calibration.Store = (*Store)(nil)

// A Store keeps champions and artifacts in memory. The zero value is empty and
// ready to use, by several goroutines at once.
type Store struct {
	mu        sync.Mutex
	champions map[calibration.Key]versioned
	artifacts map[artifact][]byte
}

type versioned struct {
	champion calibration.Champion
	writes   int
}

func (v versioned) revision() calibration.Revision {
	if v.writes == 0 {
		return ""
	}
	return calibration.Revision(strconv.Itoa(v.writes))
}

type artifact struct {
	key  calibration.Key
	run  calibration.RunID
	name string
}

// Champion implements calibration.Store.
func (s *Store) Champion(ctx context.Context, key calibration.Key) (calibration.Champion, calibration.Revision, error) {
	if err := ctx.Err(); err != nil {
		return calibration.Champion{}, "", fmt.Errorf("champion of %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.champions[key]
	if !ok {
		return calibration.Champion{}, "", fmt.Errorf("champion of %s: %w", key, calibration.ErrNotFound)
	}
	return v.champion, v.revision(), nil
}

// SwapChampion implements calibration.Store.
func (s *Store) SwapChampion(ctx context.Context, key calibration.Key, next calibration.Champion, old calibration.Revision) (calibration.Revision, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("swap champion of %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.champions[key]
	if v.revision() != old {
		if v.champion.WriteID == next.WriteID {
			return v.revision(), nil
		}
		return "", fmt.Errorf("swap champion of %s: %w", key, calibration.ErrConflict)
	}
	if s.champions == nil {
		s.champions = map[calibration.Key]versioned{}
	}
	v = versioned{next, v.writes + 1}
	s.champions[key] = v
	return v.revision(), nil
}

// PutArtifact implements calibration.Store.
func (s *Store) PutArtifact(ctx context.Context, key calibration.Key, run calibration.RunID, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s of run %s of %s: %w", name, run, key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.artifacts == nil {
		s.artifacts = map[artifact][]byte{}
	}
	s.artifacts[artifact{key, run, name}] = bytes.Clone(data)
	return nil
}

// Artifact implements calibration.Store.
func (s *Store) Artifact(ctx context.Context, key calibration.Key, run calibration.RunID, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s of run %s of %s: %w", name, run, key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.artifacts[artifact{key, run, name}]
	if !ok {
		return nil, fmt.Errorf("%s of run %s of %s: %w", name, run, key, calibration.ErrNotFound)
	}
	return slices.Clone(data), nil
}
