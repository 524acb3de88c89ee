package calibration_test

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrationmem"
	"github.com/livetwin/livetwin/internal/calibration/scorecard"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/plant/cell"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrymem"
)

// nasa is the folder of the NASA data, relative to this package.
var nasa = filepath.Join("..", "..", "..", "shared", "data", "nasa-battery")

// A reading is one line of a cell's telemetry.
type reading struct {
	time                          time.Time
	voltage, current, temperature float64
}

// nasaCell reads a cell's telemetry; it skips the test where the data is absent.
func nasaCell(t testing.TB, cell string) []reading {
	t.Helper()
	f, err := os.Open(filepath.Join(nasa, cell+".csv"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NASA's telemetry is not at %s", nasa)
	}
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	out := make([]reading, 0, len(rows))
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339Nano, row[0])
		require.NoError(t, err)
		r := reading{time: at}
		for i, v := range []*float64{&r.voltage, &r.current, &r.temperature} {
			*v, err = strconv.ParseFloat(row[2+i], 64)
			require.NoError(t, err)
		}
		out = append(out, r)
	}
	return out
}

// cellSpec is the calibration of examples/battery-storage.
func cellSpec() spec.Spec {
	var outputs []spec.Output
	for _, o := range []struct{ name, unit string }{
		{"capacity", "A.h"}, {"resistance", "Ohm"}, {"state_of_health", "1"}, {"next_capacity", "A.h"},
		{"voltage_5min", "V"}, {"voltage_15min", "V"}, {"voltage_25min", "V"}, {"remaining_cycles", "{cycle}"},
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

// capacityCard is the scorecard of a cell.
func capacityCard(runs []calibration.Diagnostics) scorecard.Card {
	return scorecard.Of(runs, scorecard.Selection{
		Quantity: cell.Capacity, Trajectory: cell.Voltage, Persistence: cell.Persistence, Frozen: cell.Frozen,
	})
}

// The floors are those the project sets itself for these cells; the same
// stated priors hold for all three.
func TestNASA(t *testing.T) {
	for _, name := range []string{"B0029", "B0030", "B0031"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, name)
			runs := b.follow(nasaCell(t, name))
			c := capacityCard(runs)
			t.Logf("%+v", c)
			assert.Len(t, runs, 40)
			assert.Equal(t, 35, c.Segments)
			assert.LessOrEqual(t, c.RMSE, 0.011, "A.h")
			assert.LessOrEqual(t, c.RMSE, 0.75*c.PersistenceRMSE)
			assert.GreaterOrEqual(t, c.Coverage90, 0.80)
			assert.LessOrEqual(t, c.Coverage90, 0.98)
			assert.LessOrEqual(t, c.Width90, 0.045, "A.h")
			assert.LessOrEqual(t, c.TrajectoryRMSE, 0.013, "V")
			assert.LessOrEqual(t, c.TrajectoryRMSE, 0.7*c.BaselineRMSE)
		})
	}
}
