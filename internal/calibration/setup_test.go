package calibration_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrymem"
)

func TestASpecThatDoesNotFitIsAPermanentError(t *testing.T) {
	for want, spoil := range map[string]func(b *bench){
		`no model "tank": known are`:                  func(b *bench) { b.spec.Model = "tank" },
		"spec has version 2":                          func(b *bench) { b.spec.Version = 2 },
		`method is "particle", expected unscented`:    func(b *bench) { b.spec.Method = "particle" },
		"input temperature of model cell":             func(b *bench) { delete(b.spec.Inputs, "temperature") },
		"inputs.pressure: model cell has no such":     func(b *bench) { b.spec.Inputs["pressure"] = "p" },
		"observations: none; model cell has voltage":  func(b *bench) { b.spec.Observations = nil },
		"observations.charge: model cell has no such": func(b *bench) { b.spec.Observations["charge"] = spec.Observation{Property: "q", Noise: 1} },
		"observations.voltage.noise is 0 V":           func(b *bench) { b.spec.Observations["voltage"] = spec.Observation{Property: "voltage"} },
		"parameters.mass: model cell has no such":     func(b *bench) { b.spec.Parameters["mass"] = spec.Parameter{} },
		"parameter capacity of model cell":            func(b *bench) { delete(b.spec.Parameters, "capacity") },
		"parameters.capacity.unit is V":               func(b *bench) { b.capacity(func(p *spec.Parameter) { p.Unit = "V" }) },
		"median is -1, expected a positive number":    func(b *bench) { b.capacity(func(p *spec.Parameter) { p.Median = -1 }) },
		"deviation is 0, expected a positive number":  func(b *bench) { b.capacity(func(p *spec.Parameter) { p.Deviation = 0 }) },
		"transform is identity, the model needs log":  func(b *bench) { b.capacity(func(p *spec.Parameter) { p.Transform = "identity" }) },
		`transform is "sqrt"`:                         func(b *bench) { b.capacity(func(p *spec.Parameter) { p.Transform = "sqrt" }) },
		`the asset has no attribute "rated_capacity"`: func(b *bench) { b.asset.Attributes = nil },
		"expected a number":                           func(b *bench) { b.asset.Attributes["rated_capacity"] = "two" },
		"constants.colour: model cell has no such":    func(b *bench) { b.spec.Constants["colour"] = spec.Constant{Value: new(1.0)} },
		"constant cutoff_voltage (":                   func(b *bench) { delete(b.spec.Constants, "cutoff_voltage") },
		"cutoff_voltage is 5 V, expected less than":   func(b *bench) { b.spec.Constants["cutoff_voltage"] = spec.Constant{Value: new(5.0)} },
		"is a constant too":                           func(b *bench) { b.spec.Constants["capacity"] = spec.Constant{Value: new(2.0)} },
		"window.segmentGap is 0 s":                    func(b *bench) { b.spec.Window.SegmentGap = 0 },
		"window.start is 0 s":                         func(b *bench) { b.spec.Window.Start = 0 },
		`model cell has no output "age"`:              func(b *bench) { b.spec.Outputs[0].Name = "age" },
		"capacity is in V, model cell has it in A.h":  func(b *bench) { b.spec.Outputs[0].Unit = "V" },
		"has quantile 5":                              func(b *bench) { b.spec.Outputs[0].Quantiles[0] = 5 },
		"series /battery/cell-1/voltage":              func(b *bench) { b.engine.Telemetry = telemetrymem.New(b.alias("current"), b.alias("temperature")) },
	} {
		t.Run(want, func(t *testing.T) {
			b := newBench(t, "cell-1")
			spoil(b)
			_, err := b.engine.Run(t.Context(), b.spec, b.asset, calibration.NewJob(b.key, 0, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)))
			require.ErrorIs(t, err, calibration.ErrPermanent)
			assert.ErrorContains(t, err, want)
		})
	}
}

func (b *bench) capacity(change func(*spec.Parameter)) {
	p := b.spec.Parameters["capacity"]
	change(&p)
	b.spec.Parameters["capacity"] = p
}
