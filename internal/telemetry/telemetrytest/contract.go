// Package telemetrytest is the contract that every historian's adapter passes.
package telemetrytest

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// A Historian is read and written.
type Historian interface {
	telemetry.Reader
	telemetry.Writer
}

// base is where the contract's telemetry starts: with a part of a millisecond,
// since the SDK truncates query bounds to milliseconds and an adapter must not.
var base = time.Date(2026, 1, 2, 3, 0, 0, 123_456_789, time.UTC)

// TestHistorian checks the contract of telemetry.Reader and telemetry.Writer.
// open returns a historian that knows the given series, all empty.
// The telemetry it writes lies within five hours after 2026-01-02T03:00:00Z.
func TestHistorian(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, func(t *testing.T, series ...telemetry.Alias) Historian){
		"bounds are half open, to the nanosecond": bounds,
		"one sample per instant, in order":        order,
		"quality, NaN and NULL survive":           quality,
		"many samples, several pages":             pages,
		"latest":                                  latest,
		"unknown series":                          unknown,
		"stopping early and cancelling":           stopping,
	} {
		t.Run(name, func(t *testing.T) { check(t, open) })
	}
}

func alias(property string) telemetry.Alias {
	return telemetry.AliasOf("contract", "cell-1", property)
}

func good(at time.Time, v float64) telemetry.Sample {
	return telemetry.Sample{Time: at, Value: v, Quality: telemetry.Good}
}

func write(t *testing.T, h Historian, series telemetry.Alias, samples ...telemetry.Sample) {
	t.Helper()
	points := make([]telemetry.Point, len(samples))
	for i, s := range samples {
		points[i] = telemetry.Point{Series: series, Sample: s}
	}
	rejected, err := h.Write(t.Context(), points)
	require.NoError(t, err)
	require.Empty(t, rejected)
}

func read(t *testing.T, h Historian, series telemetry.Alias, from, to time.Time) []telemetry.Sample {
	t.Helper()
	var samples []telemetry.Sample
	for s, err := range h.Samples(t.Context(), series, from, to) {
		require.NoError(t, err)
		samples = append(samples, s)
	}
	return samples
}

func bounds(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage := alias("voltage")
	h := open(t, voltage)
	var all []telemetry.Sample
	for i := range 5 { // one nanosecond apart: inside one millisecond
		all = append(all, good(base.Add(time.Duration(i)), float64(i)))
	}
	write(t, h, voltage, all...)
	for from := range all {
		for to := from; to < len(all); to++ {
			got := read(t, h, voltage, all[from].Time, all[to].Time)
			assert.Equal(t, all[from+1:to+1], append([]telemetry.Sample{}, got...), "from %d to %d", from, to)
		}
	}
	assert.Equal(t, all, read(t, h, voltage, base.Add(-time.Hour), base.Add(time.Hour)), "everything")
	assert.Empty(t, read(t, h, voltage, base.Add(time.Hour), base.Add(2*time.Hour)), "after everything")
}

func order(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage := alias("voltage")
	h := open(t, voltage)
	second, third := base.Add(time.Second), base.Add(2*time.Second)
	write(t, h, voltage, good(third, 3), good(base, 1), good(second, 2))
	write(t, h, voltage, good(second, 20))                   // replaces
	write(t, h, voltage, good(base, 10), good(base, 100))    // the later of two wins
	zoned := second.In(time.FixedZone("CET", 3600))          // the same instant
	got := read(t, h, voltage, base.Add(-1), zoned.Add(1e9)) // up to third
	assert.Equal(t, []telemetry.Sample{good(base, 100), good(second, 20), good(third, 3)}, got)
}

func quality(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage := alias("voltage")
	h := open(t, voltage)
	write(t, h, voltage,
		good(base, 1),
		telemetry.Sample{Time: base.Add(1e9), Value: 2, Quality: telemetry.Uncertain},
		telemetry.Sample{Time: base.Add(2e9), Value: 3, Quality: telemetry.Bad},
		telemetry.Sample{Time: base.Add(3e9), Value: math.NaN(), Quality: telemetry.Uncertain}, // SiteWise refuses a GOOD one
		telemetry.Sample{Time: base.Add(4e9), Value: math.NaN(), Null: true, Quality: telemetry.Bad},
	)
	got := read(t, h, voltage, base.Add(-1), base.Add(1e12))
	require.Len(t, got, 5)
	assert.Equal(t, telemetry.Uncertain, got[1].Quality)
	assert.Equal(t, telemetry.Bad, got[2].Quality)
	assert.True(t, math.IsNaN(got[3].Value) && !got[3].Null, "a NaN: %+v", got[3])
	assert.True(t, math.IsNaN(got[4].Value) && got[4].Null, "a NULL: %+v", got[4])
	var usable []bool
	for _, s := range got {
		usable = append(usable, s.Usable())
	}
	assert.Equal(t, []bool{true, true, false, false, false}, usable)
}

func pages(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage, current := alias("voltage"), alias("current")
	h := open(t, voltage, current)
	const n = 1234 // more than a hundred requests hold, no multiple of a batch
	var points []telemetry.Point
	var want []telemetry.Sample
	for i := range n {
		s := good(base.Add(time.Duration(i)*10*time.Second), float64(i)/8)
		want = append(want, s)
		points = append(points, telemetry.Point{Series: voltage, Sample: s})
		s.Value = -s.Value
		points = append(points, telemetry.Point{Series: current, Sample: s})
	}
	rejected, err := h.Write(t.Context(), points)
	require.NoError(t, err)
	require.Empty(t, rejected)
	assert.Equal(t, want, read(t, h, voltage, base.Add(-1), base.Add(24*time.Hour)))
	assert.Len(t, read(t, h, current, base, base.Add(24*time.Hour)), n-1)
}

func latest(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage, current, empty := alias("voltage"), alias("current"), alias("temperature")
	h := open(t, voltage, current, empty)
	write(t, h, voltage, good(base.Add(time.Minute), 2), good(base, 1))
	write(t, h, current, good(base, 3))
	got, err := h.Latest(t.Context(), []telemetry.Alias{voltage, current, empty, voltage})
	require.NoError(t, err)
	assert.Equal(t, map[telemetry.Alias]telemetry.Sample{
		voltage: good(base.Add(time.Minute), 2),
		current: good(base, 3),
	}, got)
	none, err := h.Latest(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func unknown(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage, nowhere := alias("voltage"), alias("nowhere")
	h := open(t, voltage)
	var errs []error
	for _, err := range h.Samples(t.Context(), nowhere, base, base.Add(time.Hour)) {
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], telemetry.ErrNotFound)
	require.ErrorContains(t, errs[0], string(nowhere))

	_, err := h.Latest(t.Context(), []telemetry.Alias{voltage, nowhere})
	require.ErrorIs(t, err, telemetry.ErrNotFound)
	require.ErrorContains(t, err, string(nowhere))

	lost := telemetry.Point{Series: nowhere, Sample: good(base, 1)}
	rejected, err := h.Write(t.Context(), []telemetry.Point{lost, {Series: voltage, Sample: good(base, 2)}})
	require.NoError(t, err)
	require.Len(t, rejected, 1, "only the point of the unknown series")
	assert.Equal(t, lost, rejected[0].Point)
	assert.Equal(t, "ResourceNotFoundException", rejected[0].Code)
	assert.NotEmpty(t, rejected[0].Reason)
	assert.Len(t, read(t, h, voltage, base.Add(-1), base), 1)
}

func stopping(t *testing.T, open func(t *testing.T, series ...telemetry.Alias) Historian) {
	voltage := alias("voltage")
	h := open(t, voltage)
	write(t, h, voltage, good(base, 1), good(base.Add(1e9), 2))
	seen := 0
	for _, err := range h.Samples(t.Context(), voltage, base.Add(-1), base.Add(time.Hour)) {
		require.NoError(t, err)
		seen++
		break
	}
	assert.Equal(t, 1, seen)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range h.Samples(ctx, voltage, base.Add(-1), base.Add(time.Hour)) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
	_, err := h.Write(ctx, []telemetry.Point{{Series: voltage, Sample: good(base, 1)}})
	require.ErrorIs(t, err, context.Canceled)
}
