// Package runindexmem is an index of runs in memory, for tests.
package runindexmem

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/livetwin/livetwin/internal/runindex"
)

var _ runindex.Index = (*Index)(nil)

// An Index keeps runs and alarm states in memory. The zero Index is empty; it
// is safe for concurrent use.
type Index struct {
	mu     sync.Mutex
	runs   map[series][]runindex.Run
	alarms map[series][]runindex.AlarmState
}

type series struct{ asset, name string }

// PutRun implements runindex.Index.
func (x *Index) PutRun(ctx context.Context, run runindex.Run) error {
	if err := cmp.Or(ctx.Err(), run.Check()); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.runs == nil {
		x.runs = make(map[series][]runindex.Run)
	}
	run.WindowEnd, run.Watermark, run.Values = run.WindowEnd.UTC(), run.Watermark.UTC(), maps.Clone(run.Values)
	key := series{run.Asset, run.Calibration}
	x.runs[key] = put(x.runs[key], run, func(a, b runindex.Run) int {
		return cmp.Or(a.WindowEnd.Compare(b.WindowEnd), cmp.Compare(a.ID, b.ID))
	})
	return nil
}

// PutAlarm implements runindex.Index.
func (x *Index) PutAlarm(ctx context.Context, state runindex.AlarmState) error {
	if err := cmp.Or(ctx.Err(), state.Check()); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.alarms == nil {
		x.alarms = make(map[series][]runindex.AlarmState)
	}
	state.Time = state.Time.UTC()
	key := series{state.Asset, state.Alarm}
	x.alarms[key] = put(x.alarms[key], state, func(a, b runindex.AlarmState) int { return a.Time.Compare(b.Time) })
	return nil
}

// Runs implements runindex.Index.
func (x *Index) Runs(ctx context.Context, asset, calibration string, from, to time.Time, order runindex.Order) iter.Seq2[runindex.Run, error] {
	return func(yield func(runindex.Run, error) bool) {
		x.mu.Lock()
		runs := slices.Clone(x.runs[series{asset, calibration}])
		x.mu.Unlock()
		each(ctx, runs, func(r runindex.Run) time.Time { return r.WindowEnd }, from, to, order, yield)
	}
}

// Alarms implements runindex.Index.
func (x *Index) Alarms(ctx context.Context, asset, alarm string, from, to time.Time, order runindex.Order) iter.Seq2[runindex.AlarmState, error] {
	return func(yield func(runindex.AlarmState, error) bool) {
		x.mu.Lock()
		states := slices.Clone(x.alarms[series{asset, alarm}])
		x.mu.Unlock()
		each(ctx, states, func(a runindex.AlarmState) time.Time { return a.Time }, from, to, order, yield)
	}
}

// put inserts v in order, or replaces its equal.
func put[T any](list []T, v T, compare func(a, b T) int) []T {
	i, found := slices.BinarySearchFunc(list, v, compare)
	if found {
		list[i] = v
		return list
	}
	return slices.Insert(list, i, v)
}

// each yields what lies within the range, in order.
func each[T any](ctx context.Context, list []T, at func(T) time.Time, from, to time.Time, order runindex.Order, yield func(T, error) bool) {
	if order == runindex.Descending {
		slices.Reverse(list)
	}
	for _, v := range list {
		if err := ctx.Err(); err != nil {
			var none T
			yield(none, err)
			return
		}
		if t := at(v); t.After(from) && !t.After(to) && !yield(v, nil) {
			return
		}
	}
}
