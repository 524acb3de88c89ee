package dataconnector_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/dataconnector"
)

// Rows at or before the start are a known defect of connectors.
func TestASourceThatBeginsTooEarly(t *testing.T) {
	r := request("rpm")
	r.StartTime = base.Format(time.RFC3339Nano)
	_, err := handler(careless(series(3, time.Second))).Handle(t.Context(), r)
	var failure *dataconnector.SourceError
	require.ErrorAs(t, err, &failure)
	assert.ErrorContains(t, err, "outside of what")
}

func TestSourcesThatBreakTheContract(t *testing.T) {
	sample := func(at time.Time, v dataconnector.Value) dataconnector.Sample {
		return dataconnector.Sample{Time: at, Value: v}
	}
	one := dataconnector.Double(1)
	for says, samples := range map[string][]dataconnector.Sample{
		"out of order":                 {sample(base.Add(1), one), sample(base, one)},
		"out of order: mend":           {sample(base, one), sample(base, one)},
		"outside of what":              {sample(base.AddDate(200, 0, 0), one)},
		"NaN":                          {sample(base, dataconnector.Double(math.NaN()))},
		"+Inf":                         {sample(base, dataconnector.List(dataconnector.Double(math.Inf(1))))},
		"string of 0 characters":       {sample(base, dataconnector.String(""))},
		"string of 257 characters":     {sample(base, dataconnector.String(strings.Repeat("é", 257)))},
		"a list of 51":                 {sample(base, dataconnector.List(slices.Repeat([]dataconnector.Value{one}, 51)...))},
		"has no type":                  {sample(base, dataconnector.Value{})},
		"of property rpm could not be": {sample(base, dataconnector.Value{})},
	} {
		t.Run(says, func(t *testing.T) {
			_, err := handler(careless(samples)).Handle(t.Context(), request("rpm"))
			var failure *dataconnector.SourceError
			require.ErrorAs(t, err, &failure)
			assert.ErrorContains(t, err, says)
		})
	}
}

// A careless reader yields what it has, whatever it is asked.
type careless []dataconnector.Sample

func (c careless) Samples(context.Context, dataconnector.PropertyRef, time.Time, time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		for _, s := range c {
			if !yield(s, nil) {
				return
			}
		}
	}
}

var errDown = errors.New("connection reset")

// A faulty reader fails after n samples.
type faulty struct {
	source
	after int
}

func (f faulty) Samples(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		n := 0
		for s, err := range f.source.Samples(ctx, p, from, to) {
			if n == f.after {
				s, err = dataconnector.Sample{}, errDown
			}
			if !yield(s, err) || err != nil {
				return
			}
			n++
		}
	}
}

func TestASourceThatDiesIsAnErrorAndNoShortPage(t *testing.T) {
	for _, order := range []string{"ASCENDING", "DESCENDING"} {
		for _, after := range []int{0, 1, 4} {
			r := request("rpm")
			r.OrderByTime, r.MaxResults = order, 4
			_, err := handler(faulty{source{"rpm": series(5, time.Second)}, after}).Handle(t.Context(), r)
			var failure *dataconnector.SourceError
			require.ErrorAs(t, err, &failure, "%s after %d", order, after)
			require.ErrorIs(t, err, errDown)
			assert.Equal(t, "rpm", failure.Property)
		}
	}
}

// A silent reader ends when its context does, as if there was nothing more.
type silent struct{}

func (silent) Samples(ctx context.Context, _ dataconnector.PropertyRef, _, _ time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(func(dataconnector.Sample, error) bool) { <-ctx.Done() }
}

func TestTheDeadlineLeavesTimeToAnswer(t *testing.T) {
	deadline := time.Now().Add(550 * time.Millisecond) // of which half a second is kept
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	_, err := handler(silent{}).Handle(ctx, request("rpm"))
	require.ErrorContains(t, err, "did not answer in time")
	require.NoError(t, ctx.Err(), "the invocation's own time is not used up")
}
