package calibration_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrationmem"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/simulate"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrymem"
)

// A reading is one line of a cell's telemetry.
type reading struct {
	time                          time.Time
	voltage, current, temperature float64
}

// cellSpec is the calibration of examples/battery-storage.
func cellSpec() spec.Spec {
	var outputs []spec.Output
	for _, o := range []struct{ name, unit string }{
		{"capacity", "A.h"},
		{"resistance", "Ohm"},
		{"state_of_health", "1"},
		{"next_capacity", "A.h"},
		{"voltage_5min", "V"},
		{"voltage_15min", "V"},
		{"voltage_25min", "V"},
		{"remaining_cycles", "{cycle}"},
	} {
		outputs = append(outputs, spec.Output{Name: o.name, Unit: o.unit, Quantiles: []float64{0.05, 0.5, 0.95}})
	}
	return spec.Spec{
		Version: spec.Version, Name: "cell-health", Model: "cell", Method: "unscented",
		Inputs:       map[string]string{"current": "current", "temperature": "temperature"},
		Observations: map[string]spec.Observation{"voltage": {Property: "voltage", Noise: 0.005}},
		Parameters: map[string]spec.Parameter{
			"capacity":   {Unit: "A.h", Median: 1.9, Deviation: 0.15, Transform: "log"},
			"resistance": {Unit: "Ohm", Median: 0.05, Deviation: 0.5, Transform: "log"},
		},
		Constants: map[string]spec.Constant{
			"rated_capacity":       {Attribute: "rated_capacity"},
			"cutoff_voltage":       {Value: new(2.7)},
			"end_of_life_capacity": {Value: new(1.4)},
		},
		Window:  spec.Window{SegmentGap: 1800, Start: 7 * 86400},
		Gates:   spec.Gates{Consistency: 0.999, Coverage: [2]float64{0.5, 1}},
		Outputs: outputs,
	}
}

// A bench calibrates one asset in memory.
type bench struct {
	t         testing.TB
	spec      spec.Spec
	asset     calibration.Asset
	key       calibration.Key
	store     calibration.Store
	historian *telemetrymem.Historian
	engine    calibration.Engine
}

func newBench(t testing.TB, asset string) *bench {
	b := &bench{
		t: t, spec: cellSpec(),
		asset: calibration.Asset{Twin: "battery", Name: asset, Attributes: map[string]any{"rated_capacity": 2.0}},
		key:   calibration.Key{Asset: asset, Calibration: "cell-health"},
		store: new(calibrationmem.Store),
	}
	b.historian = telemetrymem.New(b.alias("voltage"), b.alias("current"), b.alias("temperature"))
	b.engine = calibration.Engine{Store: b.store, Telemetry: b.historian, Model: all.Model}
	return b
}

func (b *bench) alias(property string) telemetry.Alias {
	return telemetry.AliasOf(b.asset.Twin, b.asset.Name, property)
}

// write stores readings; a value that is NaN is left out.
func (b *bench) write(readings []reading) {
	b.t.Helper()
	var points []telemetry.Point
	for _, r := range readings {
		for _, v := range []struct {
			property string
			value    float64
		}{{"voltage", r.voltage}, {"current", r.current}, {"temperature", r.temperature}} {
			if !math.IsNaN(v.value) {
				points = append(points, telemetry.Point{Series: b.alias(v.property), Sample: telemetry.Sample{Time: r.time, Value: v.value, Quality: telemetry.Good}})
			}
		}
	}
	_, err := b.historian.Write(b.t.Context(), points)
	require.NoError(b.t, err)
}

// generation returns the champion's generation, 0 when there is none.
func (b *bench) generation() int64 {
	c, _, err := b.store.Champion(b.t.Context(), b.key)
	if errors.Is(err, calibration.ErrNotFound) {
		return 0
	}
	require.NoError(b.t, err)
	return c.Generation
}

// run runs the window that ends at a time.
func (b *bench) run(windowEnd time.Time) calibration.Outcome {
	b.t.Helper()
	o, err := b.engine.Run(b.t.Context(), b.spec, b.asset, calibration.NewJob(b.key, b.generation(), windowEnd))
	require.NoError(b.t, err)
	return o
}

// follow runs hourly windows over the readings and returns the diagnostics of
// all runs that advanced the champion, in order.
func (b *bench) follow(readings []reading) []calibration.Diagnostics {
	b.t.Helper()
	b.write(readings)
	var all []calibration.Diagnostics
	last := readings[len(readings)-1].time
	watermark := time.Time{}
	at := readings[0].time.Truncate(time.Hour).Add(time.Hour)
	for next := 0; watermark.Before(last); at = at.Add(time.Hour) {
		for next < len(readings) && !readings[next].time.After(watermark) {
			next++
		}
		if readings[next].time.After(at) {
			continue // idle
		}
		o := b.run(at)
		if o.Outcome != calibration.Promoted && o.Outcome != calibration.Rejected {
			continue
		}
		d, err := calibration.ReadDiagnostics(b.t.Context(), b.store, b.key, o.Run)
		require.NoError(b.t, err)
		all = append(all, d)
		watermark = d.Watermark
	}
	return all
}

// simulated returns the telemetry of one simulated cell, blanks and failures
// of the logger included as NaN.
func simulated(t testing.TB, cycles int, faults ...simulate.Fault) []reading {
	t.Helper()
	var out []reading
	value := func(f simulate.Field) float64 {
		if f.Blank {
			return math.NaN()
		}
		return f.Value
	}
	err := simulate.Run(simulate.Config{
		Cells: 1, Cycles: cycles, Seed: 7, Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Faults: faults,
	}, func(d simulate.Discharge) error {
		for _, r := range d.Readings {
			out = append(out, reading{r.Time, value(r.Voltage), value(r.Current), value(r.Temperature)})
		}
		return nil
	})
	require.NoError(t, err)
	return out
}

// A failing store fails its n-th call and every one after it, before or after
// the call took effect.
type failing struct {
	calibration.Store
	left  int
	after bool
}

var errDown = errors.New("the store is down")

func (f *failing) call(do func() error) error {
	f.left--
	if f.left > 0 {
		return do()
	}
	if f.left == 0 && f.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errDown
}

func (f *failing) Champion(ctx context.Context, key calibration.Key) (c calibration.Champion, r calibration.Revision, err error) {
	err = f.call(func() (err error) { c, r, err = f.Store.Champion(ctx, key); return err })
	return c, r, err
}

func (f *failing) SwapChampion(ctx context.Context, key calibration.Key, next calibration.Champion, old calibration.Revision) (r calibration.Revision, err error) {
	err = f.call(func() (err error) { r, err = f.Store.SwapChampion(ctx, key, next, old); return err })
	return r, err
}

func (f *failing) PutArtifact(ctx context.Context, key calibration.Key, run calibration.RunID, name string, data []byte) error {
	return f.call(func() error { return f.Store.PutArtifact(ctx, key, run, name, data) })
}

func (f *failing) Artifact(ctx context.Context, key calibration.Key, run calibration.RunID, name string) (b []byte, err error) {
	err = f.call(func() (err error) { b, err = f.Store.Artifact(ctx, key, run, name); return err })
	return b, err
}

// content returns all artifacts of a run but its lineage, and the champion.
func (b *bench) content(run calibration.RunID) map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, name := range calibration.Artifacts() {
		if name == calibration.LineageArtifact {
			continue
		}
		data, err := b.store.Artifact(b.t.Context(), b.key, run, name)
		require.NoError(b.t, err)
		out[name] = string(data)
	}
	c, _, err := b.store.Champion(b.t.Context(), b.key)
	require.NoError(b.t, err)
	out["champion"] = fmt.Sprintf("%+v", c)
	return out
}

// hourAfter is the end of the first hourly window that a segment which ends at
// t is whole in.
func hourAfter(t time.Time) time.Time {
	return t.Add(30 * time.Minute).Truncate(time.Hour).Add(time.Hour)
}

// segments splits readings at gaps of more than half an hour.
func segments(readings []reading) [][]reading {
	var out [][]reading
	for i, r := range readings {
		if i == 0 || r.time.Sub(readings[i-1].time) > 30*time.Minute {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}
