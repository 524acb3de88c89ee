package calibration

import (
	"context"
	"errors"
)

// Errors of a Store.
var (
	// ErrNotFound reports an absent champion or artifact.
	ErrNotFound = errors.New("calibration: not found")
	// ErrConflict reports that another run wrote the champion first.
	ErrConflict = errors.New("calibration: champion was written by another run")
)

// A Key names one calibration of one asset.
type Key struct {
	Asset       string `json:"asset"`
	Calibration string `json:"calibration"`
}

// A Revision names one stored state of a champion (S3's ETag); "" is absence.
type Revision string

// A Store keeps champions and the artifacts of runs.
type Store interface {
	// Champion returns the champion of key and its revision, or ErrNotFound.
	Champion(ctx context.Context, key Key) (Champion, Revision, error)

	// SwapChampion replaces the champion at revision old ("" when there must be
	// none) by next. It returns ErrConflict, and changes nothing, when the stored
	// revision is another one. A retry after a lost answer is recognised by
	// next.WriteID and succeeds.
	SwapChampion(ctx context.Context, key Key, next Champion, old Revision) (Revision, error)

	// PutArtifact stores an artifact of a run, such as state.bin. Storing the
	// same bytes again is no change.
	PutArtifact(ctx context.Context, key Key, run RunID, name string, data []byte) error

	// Artifact returns an artifact of a run, or ErrNotFound.
	Artifact(ctx context.Context, key Key, run RunID, name string) ([]byte, error)
}
