// Package runindextest is the contract that every index of runs passes.
package runindextest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/runindex"
)

// base has nanoseconds that end in zeros: keys must still order them.
var base = time.Date(2026, 1, 2, 3, 0, 0, 120_000_000, time.UTC)

// Ends of time for the ranges below; latest-value clients ask from 1899.
var (
	dawn = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	dusk = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// TestIndex checks the contract of runindex.Index; open returns an empty one.
func TestIndex(t *testing.T, open func(t *testing.T) runindex.Index) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, runindex.Index){
		"a run comes back as it was stored":       roundTrip,
		"a run stored again replaces":             replace,
		"bounds are half open, to the nanosecond": bounds,
		"order and pages":                         pages,
		"series do not mix":                       separate,
		"alarm states":                            alarms,
		"what cannot be stored":                   refuse,
		"stopping early and cancelling":           stopping,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func run(i int) runindex.Run {
	end := base.Add(time.Duration(i) * time.Hour)
	return runindex.Run{
		Asset: "cell-1", Calibration: "cell-health", ID: fmt.Sprintf("%016x", i), Generation: int64(i) + 1,
		WindowEnd: end, Watermark: end.Add(-time.Minute), Outcome: "promoted", Reason: "better",
		Values: map[string]float64{"state_of_health_p50": 1 - float64(i)/1e4, "nis": 1},
	}
}

func put(t *testing.T, x runindex.Index, runs ...runindex.Run) {
	t.Helper()
	for _, r := range runs {
		require.NoError(t, x.PutRun(t.Context(), r))
	}
}

func runs(t *testing.T, x runindex.Index, from, to time.Time, order runindex.Order) []runindex.Run {
	t.Helper()
	var got []runindex.Run
	for r, err := range x.Runs(t.Context(), "cell-1", "cell-health", from, to, order) {
		require.NoError(t, err)
		got = append(got, r)
	}
	return got
}

func roundTrip(t *testing.T, x runindex.Index) {
	r := run(1)
	r.Reason = "“quoted” & ünïcode, 100 %"
	r.Values = map[string]float64{
		"zero": 0, "negative": -1.5, "third": 1.0 / 3, "tiny": 1e-120, "huge": 1e120, "seventeen digits": 0.1 + 0.2,
		"largest integer": 1 << 53,
	}
	put(t, x, r)
	assert.Equal(t, []runindex.Run{r}, runs(t, x, dawn, dusk, runindex.Ascending))

	bare := run(2)
	bare.Values, bare.Reason, bare.Outcome = nil, "", "rejected"
	put(t, x, bare)
	got := runs(t, x, r.WindowEnd, dusk, runindex.Ascending)
	require.Len(t, got, 1)
	assert.Empty(t, got[0].Values)
	assert.Empty(t, got[0].Reason)
}

func replace(t *testing.T, x runindex.Index) {
	first, second := run(1), run(1)
	second.Outcome = "rejected"
	put(t, x, first, second)
	assert.Equal(t, []runindex.Run{second}, runs(t, x, dawn, dusk, runindex.Ascending))

	other := run(1) // another run that ends at the same instant
	other.ID = "ffffffffffffffff"
	put(t, x, other)
	assert.Equal(t, []runindex.Run{second, other}, runs(t, x, dawn, dusk, runindex.Ascending))
	assert.Equal(t, []runindex.Run{other, second}, runs(t, x, dawn, dusk, runindex.Descending))
}

func bounds(t *testing.T, x runindex.Index) {
	var all []runindex.Run
	for i := range 4 {
		r := run(i)
		r.WindowEnd = base.Add(time.Duration(i))
		all = append(all, r)
	}
	put(t, x, all...)
	for from := range all {
		for to := range all {
			want := all[min(from+1, to+1) : to+1]
			got := runs(t, x, all[from].WindowEnd, all[to].WindowEnd, runindex.Ascending)
			assert.Len(t, got, len(want), "from %d to %d", from, to)
			for i := range min(len(want), len(got)) {
				assert.Equal(t, want[i], got[i])
			}
		}
	}
	assert.Len(t, runs(t, x, time.Time{}, dusk, runindex.Ascending), len(all))
}

func pages(t *testing.T, x runindex.Index) {
	const n = 700 // more than one page of any adapter
	var all []runindex.Run
	for i := range n {
		all = append(all, run(i))
	}
	shuffled := slices.Clone(all)
	slices.SortFunc(shuffled, func(a, b runindex.Run) int { return int(a.Generation*7919%n - b.Generation*7919%n) })
	put(t, x, shuffled...)
	assert.Equal(t, all, runs(t, x, dawn, dusk, runindex.Ascending))
	slices.Reverse(all)
	assert.Equal(t, all, runs(t, x, dawn, dusk, runindex.Descending))
}

func separate(t *testing.T, x runindex.Index) {
	other := run(1)
	other.Asset = "cell-2"
	third := run(1)
	third.Calibration = "cell-health-2"
	put(t, x, other, third)
	assert.Empty(t, runs(t, x, dawn, dusk, runindex.Ascending))
	put(t, x, run(1))
	assert.Len(t, runs(t, x, dawn, dusk, runindex.Ascending), 1)
}

func alarms(t *testing.T, x runindex.Index) {
	states := []runindex.State{runindex.Normal, runindex.Active, runindex.Acknowledged, runindex.SnoozeDisabled}
	var all []runindex.AlarmState
	for i, s := range states {
		all = append(all, runindex.AlarmState{
			Asset: "cell-1", Alarm: "low-health", Time: base.Add(time.Duration(i) * time.Second), State: s, Value: 0.8 - float64(i)/100,
		})
	}
	for i := range all {
		require.NoError(t, x.PutAlarm(t.Context(), all[len(all)-1-i]))
	}
	require.NoError(t, x.PutAlarm(t.Context(), all[1])) // again
	other := all[0]
	other.Alarm = "high-resistance"
	require.NoError(t, x.PutAlarm(t.Context(), other))

	read := func(from, to time.Time, order runindex.Order) []runindex.AlarmState {
		var got []runindex.AlarmState
		for a, err := range x.Alarms(t.Context(), "cell-1", "low-health", from, to, order) {
			require.NoError(t, err)
			got = append(got, a)
		}
		return got
	}
	assert.Equal(t, all, read(dawn, dusk, runindex.Ascending))
	assert.Equal(t, all[1:3], read(all[0].Time, all[2].Time, runindex.Ascending))
	slices.Reverse(all)
	assert.Equal(t, all, read(dawn, dusk, runindex.Descending))
}

func refuse(t *testing.T, x runindex.Index) {
	broken := map[string]func(*runindex.Run){
		"asset":          func(r *runindex.Run) { r.Asset = "" },
		"calibration":    func(r *runindex.Run) { r.Calibration = "a#b" },
		"id":             func(r *runindex.Run) { r.ID = "" },
		"window end":     func(r *runindex.Run) { r.WindowEnd = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"finite number":  func(r *runindex.Run) { r.Values = map[string]float64{"nis": math.NaN()} },
		"a name and a":   func(r *runindex.Run) { r.Values = map[string]float64{"": 1} },
		"value \"gain\"": func(r *runindex.Run) { r.Values = map[string]float64{"gain": math.Inf(1)} },
	}
	for names, breakIt := range broken {
		r := run(1)
		breakIt(&r)
		require.ErrorContains(t, x.PutRun(t.Context(), r), names)
	}
	require.ErrorContains(t, x.PutAlarm(t.Context(), runindex.AlarmState{Asset: "a", Alarm: "b", Time: base, State: "LOUD"}), "LOUD")
	require.Error(t, x.PutAlarm(t.Context(), runindex.AlarmState{Asset: "a", Alarm: "b", Time: base, State: runindex.Active, Value: math.NaN()}))
	assert.Empty(t, runs(t, x, dawn, dusk, runindex.Ascending))
}

func stopping(t *testing.T, x runindex.Index) {
	put(t, x, run(0), run(1))
	seen := 0
	for _, err := range x.Runs(t.Context(), "cell-1", "cell-health", dawn, dusk, runindex.Descending) {
		require.NoError(t, err)
		seen++
		break
	}
	assert.Equal(t, 1, seen)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range x.Runs(ctx, "cell-1", "cell-health", dawn, dusk, runindex.Ascending) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	require.ErrorIs(t, x.PutRun(ctx, run(2)), context.Canceled)
}
