package calibration_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrationmem"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrymem"
)

// A tank drains through a valve and is filled by a pump:
// dh/dt = u − k h, with k to be learned; it has no segments.
type tank struct{}

func (tank) Describe() plant.Description {
	return plant.Description{
		Name:       "tank",
		States:     []plant.Quantity{{Name: "level", Unit: "m"}},
		Parameters: []plant.Parameter{{Quantity: plant.Quantity{Name: "drain", Unit: "s-1"}}},
		Inputs:     []plant.Quantity{{Name: "inflow", Unit: "m/s"}},
		Outputs:    []plant.Quantity{{Name: "level", Unit: "m"}},
	}
}

func (t tank) New(map[string]float64) (plant.Instance, error) { return t, nil }

func (tank) Start(x, deviation, _, _ []float64) { x[0], deviation[0] = 1, 1 }

func (tank) Step(x, p, u0, _ []float64, dt float64) {
	equilibrium := u0[0] / p[0]
	x[0] = equilibrium + (x[0]-equilibrium)*math.Exp(-p[0]*dt)
}

func (tank) Noise(variance []float64, dt float64) { variance[0] = 1e-8 * dt }

func (tank) Output(y, x, _, _ []float64) { y[0] = x[0] }

// The telemetry of a plant without segments is assimilated up to the window's
// end; state goes on from window to window, and the drain is found.
func TestAPlantWithoutSegments(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	key := calibration.Key{Asset: "tank-1", Calibration: "drain"}
	level, inflow := telemetry.AliasOf("works", "tank-1", "level"), telemetry.AliasOf("works", "tank-1", "inflow")
	historian := telemetrymem.New(level, inflow)
	rng := rand.New(rand.NewPCG(1, 2))
	const drain, noise = 0.002, 0.01
	h := 0.7
	var points []telemetry.Point
	for k := range 720 { // two hours
		at := start.Add(time.Duration(10*k) * time.Second)
		u := 0.001
		if k/90%2 == 1 {
			u = 0.003
		}
		points = append(points,
			telemetry.Point{Series: inflow, Sample: telemetry.Sample{Time: at, Value: u, Quality: telemetry.Good}},
			telemetry.Point{Series: level, Sample: telemetry.Sample{Time: at, Value: h + noise*rng.NormFloat64(), Quality: telemetry.Good}})
		x := []float64{h}
		tank{}.Step(x, []float64{drain}, []float64{u}, nil, 10)
		h = x[0]
	}
	_, err := historian.Write(t.Context(), points)
	require.NoError(t, err)

	store := new(calibrationmem.Store)
	engine := calibration.Engine{Store: store, Telemetry: historian, Model: func(string) (plant.Model, error) { return tank{}, nil }}
	sp := spec.Spec{
		Version: spec.Version, Name: "drain", Model: "tank", Method: "unscented",
		Inputs:       map[string]string{"inflow": "inflow"},
		Observations: map[string]spec.Observation{"level": {Property: "level", Noise: noise}},
		Parameters:   map[string]spec.Parameter{"drain": {Unit: "s-1", Median: 0.004, Deviation: 0.7, Transform: "log"}},
		Window:       spec.Window{Start: 7200},
		Gates:        spec.Gates{Consistency: 0.999, Coverage: [2]float64{0.5, 1}},
		Outputs:      []spec.Output{{Name: "drain", Unit: "s-1", Quantiles: []float64{0.05, 0.5, 0.95}}},
	}
	var last calibration.Diagnostics
	assimilated := 0
	for k := range 4 {
		end := start.Add(time.Duration(k+1) * 30 * time.Minute)
		o, err := engine.Run(t.Context(), sp, calibration.Asset{Twin: "works", Name: "tank-1"}, calibration.NewJob(key, int64(k), end))
		require.NoError(t, err)
		last, err = calibration.ReadDiagnostics(t.Context(), store, key, o.Run)
		require.NoError(t, err)
		assimilated += last.Telemetry.Assimilated
		assert.InDelta(t, 1, last.ChallengerScores.NIS, 0.4, "the model is right: χ² over 180 samples, four standard deviations")
		if k == 0 {
			assert.Equal(t, calibration.Promoted, o.Outcome, o.Reason)
		}
	}
	assert.Equal(t, 720, assimilated, "every sample once")
	p, err := calibration.Publication(t.Context(), store, key)
	require.NoError(t, err)
	assert.Less(t, p.Values["drain_p05"], drain)
	assert.Greater(t, p.Values["drain_p95"], drain)
	assert.InDelta(t, drain, p.Values["drain_p50"], 0.05*drain)
}
