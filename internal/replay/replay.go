// Package replay writes recorded telemetry to a historian as if it happened:
// CSV files become series of assets (Load), their times are kept or fitted to
// what the historian accepts (Keep, Fit), and samples are written in the order
// of time over all assets, a chunk at a time (Write), at a pace that a Pacer
// sets.
package replay

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// A Pacer holds a replay back.
type Pacer interface {
	// WaitUntil returns when business time has reached t, at once when it has.
	WaitUntil(ctx context.Context, t time.Time) error
}

// AtOnce is the Pacer that does not wait: for recordings that have been fitted
// to the past.
type AtOnce struct{}

// WaitUntil implements Pacer.
func (AtOnce) WaitUntil(ctx context.Context, _ time.Time) error { return ctx.Err() }

// DefaultChunk is how much time is written at once when Options leave it out.
// It divides the periods of usual schedules, see Write.
const DefaultChunk = 5 * time.Minute

// Options of Write.
type Options struct {
	Timeline Timeline
	Pacer    Pacer
	Chunk    time.Duration      // 0 is DefaultChunk
	Progress func(now Progress) // called after every chunk; nil is nobody
}

// Progress says how far a replay is.
type Progress struct {
	Samples, Of int       // written (or refused), and all
	Until       time.Time // the last sample written, in the historian's time
	Rejected    int
}

// A Result is what became of a recording.
type Result struct {
	Samples    int // that the historian took
	NotNumbers int // of them, NaN and NULL
	Bad        int // of them, of quality BAD
	Rejections []telemetry.Rejection
	First      time.Time // of the samples, in the historian's time
	Last       time.Time
}

// attempts is how many attempts a chunk gets; an adapter retries by itself what
// is throttled, this is for a connection that broke.
const attempts = 3

// Write writes a recording. Time is cut into chunks that end at multiples of
// Options.Chunk, and a chunk is written when business time reaches a
// millisecond before its end. So a schedule that fires at the end of a chunk
// finds every sample up to that instant, and none is older than a chunk when
// it arrives. Samples that the historian refuses are in the result; an error
// says up to when everything is written, and writing again is safe.
func Write(ctx context.Context, w telemetry.Writer, r *Recording, o Options) (Result, error) {
	if o.Chunk == 0 {
		o.Chunk = DefaultChunk
	}
	var (
		res   Result
		chunk []telemetry.Point
		end   time.Time
		done  Progress
	)
	done.Of = r.Samples()
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		if err := o.Pacer.WaitUntil(ctx, end.Add(-time.Millisecond)); err != nil {
			return fmt.Errorf("wait for %s: %w", end.Format(time.RFC3339), err)
		}
		rejected, err := write(ctx, w, chunk)
		if err != nil {
			since := "nothing is written for certain"
			if !done.Until.IsZero() {
				since = "everything up to " + done.Until.Format(time.RFC3339Nano) + " is written"
			}
			return fmt.Errorf("write telemetry: %s, replaying again is safe: %w", since, err)
		}
		res.Rejections = append(res.Rejections, rejected...)
		done.Samples += len(chunk)
		done.Until = chunk[len(chunk)-1].Sample.Time
		done.Rejected = len(res.Rejections)
		if o.Progress != nil {
			o.Progress(done)
		}
		chunk = chunk[:0]
		return nil
	}
	for p := range points(r) {
		p.Sample.Time = o.Timeline.At(p.Sample.Time)
		if p.Sample.Time.After(end) {
			if err := flush(); err != nil {
				return Result{}, err
			}
			end = chunkEnd(p.Sample.Time, o.Chunk)
		}
		chunk = append(chunk, p)
		res.count(p.Sample)
	}
	if err := flush(); err != nil {
		return Result{}, err
	}
	res.Samples -= len(res.Rejections)
	return res, nil
}

func (r *Result) count(s telemetry.Sample) {
	if r.First.IsZero() {
		r.First = s.Time
	}
	r.Last = s.Time
	r.Samples++
	if s.Quality == telemetry.Bad {
		r.Bad++
		if s.Null || math.IsNaN(s.Value) {
			r.NotNumbers++
		}
	}
}

// chunkEnd is the first multiple of d at or after t.
func chunkEnd(t time.Time, d time.Duration) time.Time {
	if end := t.Truncate(d); end.Equal(t) {
		return end
	}
	return t.Truncate(d).Add(d)
}

func write(ctx context.Context, w telemetry.Writer, points []telemetry.Point) ([]telemetry.Rejection, error) {
	var err error
	for attempt := range attempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Duration(attempt) * time.Second):
			}
		}
		var rejected []telemetry.Rejection
		if rejected, err = w.Write(ctx, points); err == nil || ctx.Err() != nil {
			return rejected, err
		}
	}
	return nil, fmt.Errorf("%d attempts: %w", attempts, err)
}
