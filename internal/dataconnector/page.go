package dataconnector

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// A page is the values of one answer.
type page struct {
	samples [][]Sample // by selected property, in the order of the request
	count   int
	end     position // of the last sample
	more    bool
}

// A stream is one selected property, in the order of the request.
type stream struct {
	next func() (Sample, error, bool)
	head Sample
	ok   bool // head holds a sample
}

// read fills one page by merging the series of the selected properties.
func (q query) read(ctx context.Context, r Reader) (page, error) {
	p := page{samples: make([][]Sample, len(q.selected))}
	streams := make([]stream, len(q.selected))
	for i := range streams {
		samples := q.series(ctx, r, i)
		next, stop := iter.Pull2(samples)
		defer stop()
		streams[i].next = next
		if err := streams[i].advance(); err != nil {
			return p, q.failed(ctx, i, err)
		}
	}
	for p.count < q.size {
		i := q.first(streams)
		if i < 0 {
			return p, nil
		}
		s := &streams[i]
		if p.samples[i] == nil {
			p.samples[i] = make([]Sample, 0, q.size/len(streams)+1)
		}
		p.samples[i] = append(p.samples[i], s.head)
		p.count++
		p.end = position{s.head.Time, i}
		if err := s.advance(); err != nil {
			return p, q.failed(ctx, i, err)
		}
	}
	p.more = q.first(streams) >= 0
	return p, nil
}

// advance moves to the next sample.
func (s *stream) advance() error {
	var err error
	s.head, err, s.ok = s.next()
	if s.ok && err != nil {
		return err
	}
	return nil
}

// first returns the stream whose head comes first, -1 when all are at their end.
func (q query) first(streams []stream) int {
	first := -1
	for i, s := range streams {
		if !s.ok {
			continue
		}
		if first < 0 || q.before(s.head.Time, streams[first].head.Time) {
			first = i
		}
	}
	return first
}

func (q query) before(a, b time.Time) bool {
	if q.descending {
		return a.After(b)
	}
	return a.Before(b)
}

// bounds returns the range of property i that is left, after the page before.
func (q query) bounds(i int) (from, to time.Time) {
	from, to = q.start, q.end
	if q.after == nil {
		return from, to
	}
	// At the instant of the page's end, properties up to its own are done.
	done := i <= q.after.index
	switch at := q.after.time; {
	case q.descending && done:
		to = at.Add(-1)
	case q.descending:
		to = at
	case done:
		from = at
	default:
		from = at.Add(-1)
	}
	return from, to
}

// series yields what is left of property i in the order of the request, each
// sample checked.
func (q query) series(ctx context.Context, r Reader, i int) iter.Seq2[Sample, error] {
	from, to := q.bounds(i)
	property := q.selected[i]
	var samples iter.Seq2[Sample, error]
	switch reverser, ok := r.(Reverser); {
	case !from.Before(to):
		samples = func(func(Sample, error) bool) {}
	case !q.descending:
		samples = r.Samples(ctx, property, from, to)
	case ok:
		samples = reverser.SamplesBackward(ctx, property, from, to)
	default:
		samples = newest(r.Samples(ctx, property, from, to), q.size+1)
	}
	return func(yield func(Sample, error) bool) {
		var last time.Time
		n := 0
		for s, err := range samples {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				s, err = q.checked(s, i)
			}
			if err == nil && (!s.Time.After(from) || s.Time.After(to)) {
				err = fmt.Errorf("the reader yielded the instant %s, outside of what it was asked for, (%s, %s]: mend the connector",
					s.Time.Format(time.RFC3339Nano), from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano))
			}
			if err == nil && n > 0 && !q.before(last, s.Time) {
				err = fmt.Errorf("the reader yielded the instant %s after %s, out of order: mend the connector",
					s.Time.Format(time.RFC3339Nano), last.Format(time.RFC3339Nano))
			}
			if !yield(s, err) || err != nil {
				return
			}
			last, n = s.Time, n+1
		}
		if err := ctx.Err(); err != nil {
			yield(Sample{}, err) // a source that ends early does not pass for a whole one
		}
	}
}

// checked returns the sample with its value in the declared type.
func (q query) checked(s Sample, i int) (Sample, error) {
	v, err := s.Value.as(q.declared[i])
	if err == nil {
		err = v.check()
	}
	if err != nil {
		return s, fmt.Errorf("at %s: %w", s.Time.Format(time.RFC3339Nano), err)
	}
	return Sample{Time: s.Time.UTC(), Value: v}, nil
}

// newest yields the last n samples in descending order.
func newest(samples iter.Seq2[Sample, error], n int) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		ring := make([]Sample, 0, n)
		oldest := 0
		for s, err := range samples {
			switch {
			case err != nil:
				yield(Sample{}, err)
				return
			case len(ring) < n:
				ring = append(ring, s)
			default:
				ring[oldest] = s
				oldest = (oldest + 1) % n
			}
		}
		for _, s := range slices.Backward(slices.Concat(ring[oldest:], ring[:oldest])) {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// failed returns the error of reading property i.
func (q query) failed(ctx context.Context, i int, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("the source did not answer in time; ask for a shorter range or fewer properties: %w", err)
	}
	return &SourceError{Property: q.selected[i].PropertyName, Err: err}
}
