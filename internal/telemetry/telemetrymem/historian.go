// Package telemetrymem is a historian in memory, for tests.
package telemetrymem

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/livetwin/livetwin/internal/telemetry"
)

var (
	_ telemetry.Reader = (*Historian)(nil)
	_ telemetry.Writer = (*Historian)(nil)
)

// A Historian keeps series in memory. It knows the series it was made with;
// it is safe for concurrent use.
type Historian struct {
	mu     sync.Mutex
	series map[telemetry.Alias][]telemetry.Sample // ascending in time
}

// New returns a historian that knows the given series, all empty.
func New(series ...telemetry.Alias) *Historian {
	h := &Historian{series: make(map[telemetry.Alias][]telemetry.Sample, len(series))}
	for _, alias := range series {
		h.series[alias] = nil
	}
	return h
}

// Samples implements telemetry.Reader.
func (h *Historian) Samples(ctx context.Context, series telemetry.Alias, from, to time.Time) iter.Seq2[telemetry.Sample, error] {
	return func(yield func(telemetry.Sample, error) bool) {
		h.mu.Lock()
		samples, known := h.series[series]
		samples = slices.Clone(samples)
		h.mu.Unlock()
		if !known {
			yield(telemetry.Sample{}, fmt.Errorf("read %s: %w", series, telemetry.ErrNotFound))
			return
		}
		for _, s := range samples {
			if err := ctx.Err(); err != nil {
				yield(telemetry.Sample{}, fmt.Errorf("read %s: %w", series, err))
				return
			}
			if s.Time.After(from) && !s.Time.After(to) && !yield(s, nil) {
				return
			}
		}
	}
}

// Latest implements telemetry.Reader.
func (h *Historian) Latest(_ context.Context, series []telemetry.Alias) (map[telemetry.Alias]telemetry.Sample, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	latest := make(map[telemetry.Alias]telemetry.Sample, len(series))
	for _, alias := range series {
		samples, known := h.series[alias]
		if !known {
			return nil, fmt.Errorf("latest value of %s: %w", alias, telemetry.ErrNotFound)
		}
		if n := len(samples); n > 0 {
			latest[alias] = samples[n-1]
		}
	}
	return latest, nil
}

// Write implements telemetry.Writer. Points of a series that the historian
// does not know are rejected.
func (h *Historian) Write(ctx context.Context, points []telemetry.Point) ([]telemetry.Rejection, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("write %d points: %w", len(points), err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var rejected []telemetry.Rejection
	for _, p := range points {
		samples, known := h.series[p.Series]
		if !known {
			rejected = append(rejected, telemetry.Rejection{
				Point: p, Code: "ResourceNotFoundException", Reason: "no series has this alias",
			})
			continue
		}
		p.Sample.Time = p.Sample.Time.UTC()
		i, found := slices.BinarySearchFunc(samples, p.Sample.Time, func(s telemetry.Sample, t time.Time) int {
			return s.Time.Compare(t)
		})
		if found {
			samples[i] = p.Sample
		} else {
			samples = slices.Insert(samples, i, p.Sample)
		}
		h.series[p.Series] = samples
	}
	return rejected, nil
}
