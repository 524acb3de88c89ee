// Package dataconnectortest is the conformance suite that every data connector
// passes: its Reader keeps its contract, and through the framework it answers
// TwinMaker's requests page by page without losing or repeating a value.
package dataconnectortest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/dataconnector"
)

// dawn is where clients that want the latest value begin.
var dawn = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)

// TestReader checks a Reader against a source that holds exactly the samples
// want of property p, at least two, in ascending order of time.
func TestReader(t *testing.T, r dataconnector.Reader, p dataconnector.PropertyRef, want []dataconnector.Sample) {
	t.Helper()
	require.GreaterOrEqual(t, len(want), 2, "the suite needs two samples or more")
	s := suite{reader: r, property: p, want: want}
	t.Run("bounds", s.bounds)
	t.Run("empty ranges", s.empty)
	t.Run("stopping and ranging again", s.stopping)
	t.Run("a context that ended is an error", s.cancelled)
	t.Run("concurrent use", s.concurrent)
	if _, ok := r.(dataconnector.Reverser); ok {
		t.Run("backwards", s.backwards)
	}
	t.Run("pages", s.pages)
}

type suite struct {
	reader   dataconnector.Reader
	property dataconnector.PropertyRef
	want     []dataconnector.Sample
}

func (s suite) first() time.Time { return s.want[0].Time }
func (s suite) last() time.Time  { return s.want[len(s.want)-1].Time }

func collect(t *testing.T, samples iter.Seq2[dataconnector.Sample, error]) []dataconnector.Sample {
	t.Helper()
	got := []dataconnector.Sample{}
	for v, err := range samples {
		require.NoError(t, err)
		got = append(got, v)
	}
	return got
}

func (s suite) read(t *testing.T, from, to time.Time) []dataconnector.Sample {
	t.Helper()
	return collect(t, s.reader.Samples(t.Context(), s.property, from, to))
}

// cuts are the indices at which ranges begin and end: all of a short series,
// some of a long one.
func (s suite) cuts() []int {
	var cuts []int
	for i := range s.want {
		if i < 3 || i >= len(s.want)-3 || i%max(1, len(s.want)/5) == 0 {
			cuts = append(cuts, i)
		}
	}
	return cuts
}

func (s suite) bounds(t *testing.T) {
	equal(t, s.want, s.read(t, dawn, s.last()), "everything, from 1899")
	equal(t, s.want, s.read(t, s.first().Add(-1), s.last().Add(time.Hour)), "everything, from a nanosecond before")
	for _, from := range s.cuts() {
		for _, to := range s.cuts() {
			if from > to {
				continue
			}
			equal(t, s.want[from+1:to+1], s.read(t, s.want[from].Time, s.want[to].Time), "after sample %d up to %d", from, to)
			equal(t, s.want[from:to], s.read(t, s.want[from].Time.Add(-1), s.want[to].Time.Add(-1)), "a nanosecond earlier")
		}
	}
}

func (s suite) empty(t *testing.T) {
	assert.Empty(t, s.read(t, s.last(), s.last().Add(time.Hour)), "after the last")
	assert.Empty(t, s.read(t, dawn, s.first().Add(-1)), "before the first")
	assert.Empty(t, s.read(t, s.first(), s.first()), "from an instant to itself")
	assert.Empty(t, s.read(t, s.last(), s.first()), "backwards")
}

func (s suite) stopping(t *testing.T) {
	samples := s.reader.Samples(t.Context(), s.property, dawn, s.last())
	for range 2 {
		for v, err := range samples {
			require.NoError(t, err)
			equal(t, s.want[:1], []dataconnector.Sample{v}, "the first")
			break
		}
	}
	equal(t, s.want, collect(t, samples), "ranging again starts again")
}

func (s suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range s.reader.Samples(ctx, s.property, dawn, s.last()) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
}

func (s suite) concurrent(t *testing.T) {
	var group sync.WaitGroup
	results := make([]error, 4)
	for i := range results {
		group.Go(func() {
			n := 0
			for _, err := range s.reader.Samples(t.Context(), s.property, dawn, s.last()) {
				results[i] = errors.Join(results[i], err)
				n++
			}
			assert.Equal(t, len(s.want), n)
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(results...))
}

func (s suite) backwards(t *testing.T) {
	r := s.reader.(dataconnector.Reverser)
	for _, from := range s.cuts() {
		for _, to := range s.cuts() {
			if from > to {
				continue
			}
			want := slices.Clone(s.want[from+1 : to+1])
			slices.Reverse(want)
			equal(t, want, collect(t, r.SamplesBackward(t.Context(), s.property, s.want[from].Time, s.want[to].Time)), "from sample %d back to %d", to, from)
		}
	}
	assert.Empty(t, collect(t, r.SamplesBackward(t.Context(), s.property, s.last(), s.first())))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range r.SamplesBackward(ctx, s.property, dawn, s.last()) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
}

// pages reads everything through the framework, in pages of several sizes and
// both orders.
func (s suite) pages(t *testing.T) {
	handler := dataconnector.NewHandler(s.reader, slog.New(slog.DiscardHandler))
	sizes := []int{1, 2, 3, len(s.want), len(s.want) + 1, 0}
	if len(s.want) > 50 {
		sizes = []int{7, len(s.want) / 3, 0, dataconnector.MaxPage}
	}
	for _, order := range []string{"ASCENDING", "DESCENDING"} {
		want := slices.Clone(s.want)
		if order == "DESCENDING" {
			slices.Reverse(want)
		}
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s by %d", order, size), func(t *testing.T) {
				request := Request(s.property)
				request.OrderByTime, request.MaxResults = order, size
				request.StartTime, request.EndTime = dawn.Format(time.RFC3339Nano), s.last().Format(time.RFC3339Nano)
				equal(t, want, s.all(t, handler, request), "pages put together")
			})
		}
	}
}

// all follows nextToken to the end.
func (s suite) all(t *testing.T, handler *dataconnector.Handler, request dataconnector.Request) []dataconnector.Sample {
	t.Helper()
	var got []dataconnector.Sample
	for range 2 + len(s.want) {
		resp := Invoke(t, handler, request)
		n := 0
		for _, values := range resp.PropertyValues {
			assert.Equal(t, dataconnector.EntityPropertyReference{
				EntityID: s.property.EntityID, ComponentName: s.property.ComponentName, PropertyName: s.property.PropertyName,
			}, values.EntityPropertyReference)
			got = append(got, values.Values...)
			n += len(values.Values)
		}
		if request.MaxResults > 0 {
			assert.LessOrEqual(t, n, request.MaxResults)
		}
		if resp.NextToken == "" {
			return got
		}
		require.Positive(t, n, "a page that has a successor is not empty")
		request.NextToken = resp.NextToken
	}
	require.Fail(t, "pages do not come to an end")
	return nil
}

func equal(t *testing.T, want, got []dataconnector.Sample, format string, args ...any) {
	t.Helper()
	if !assert.Len(t, got, len(want), "%s", fmt.Sprintf(format, args...)) {
		return
	}
	for i, s := range got {
		assert.True(t, want[i].Time.Equal(s.Time), "%s: sample %d is at %s, expected %s", fmt.Sprintf(format, args...), i, s.Time, want[i].Time)
		assert.Equal(t, want[i].Value, s.Value, "%s: sample %d", fmt.Sprintf(format, args...), i)
	}
}
