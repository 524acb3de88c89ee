// Package cell models a lithium-ion cell that is discharged, recharged and
// ages.
//
// Within a discharge it is a Thevenin cell. With s the state of charge, v the
// voltage over the RC element and I the current (negative while the cell
// discharges, A),
//
//	ds/dt = I / (3600 C)
//	dv/dt = −v/τ + I R₁/τ
//	V     = U(s) + v + I R a(T)
//
// C is the capacity (A.h), R and R₁ the ohmic and the polarisation resistance
// (Ohm) and a(T) Arrhenius's factor for the temperature at the onset of the
// load; what the cell's own warming does is part of the curve. See Plett,
// "Battery Management Systems", vol. 1 (Artech House, 2015), chapter 2.
//
// The open-circuit voltage U is the curve of Chen and Rincón-Mora (IEEE Trans.
// Energy Conversion 21(2), 2006, eq. 4) plus a correction by a cubic through
// knots whose values are parameters: the literature's curve is only the prior,
// telemetry teaches the cell's own at its rate and temperature.
//
// s = 0 is where the terminal voltage meets the cut-off under load and s = 1 a
// cell that rests at full_voltage, so that C is what the latter delivers; cells
// that rest at another voltage begin elsewhere. What a discharge delivers moves
// from one to the next as file ageing.go says; that, and not C, is published as
// the capacity.
package cell

import (
	"fmt"
	"math"

	"github.com/livetwin/livetwin/internal/plant"
)

// States, parameters, inputs and outputs, in the order of the description.
const (
	charge       = iota // s
	polarisation        // v, V
	states
)

const (
	capacity   = iota // C, A.h
	resistance        // R, Ohm
	r1                // R₁, Ohm
	firstKnot         // V; one per knot
	parameters = firstKnot + len(knots)
)

const (
	current     = iota // A
	temperature        // Cel
)

// Model is a lithium-ion cell.
type Model struct{}

var _ plant.Model = Model{}

// Describe implements [plant.Model].
func (Model) Describe() plant.Description {
	d := plant.Description{
		Name: "cell",
		States: []plant.Quantity{
			{Name: "state_of_charge", Unit: "1", Doc: "charge left above the cut-off, over capacity"},
			{Name: "polarisation", Unit: "V", Doc: "voltage over the RC element"},
		},
		Parameters: []plant.Parameter{
			{Quantity: plant.Quantity{Name: "capacity", Unit: "A.h", Doc: "charge from the full voltage at rest down to the cut-off voltage under load"}, Transform: plant.Log},
			{Quantity: plant.Quantity{Name: "resistance", Unit: "Ohm", Doc: "ohmic resistance at 45 Cel"}, Transform: plant.Log, Drift: 0.02},
			{
				Quantity: plant.Quantity{Name: "polarisation_resistance", Unit: "Ohm", Doc: "resistance of the RC element"},
				Prior:    &plant.Prior{Median: 0.02, Deviation: 0.5, Transform: plant.Log}, Transform: plant.Log, Drift: 0.02,
			},
		},
		Constants: []plant.Constant{
			{Quantity: plant.Quantity{Name: "rated_capacity", Unit: "A.h", Doc: "capacity that state of health is relative to"}},
			{Quantity: plant.Quantity{Name: "cutoff_voltage", Unit: "V", Doc: "terminal voltage that ends a discharge"}},
			{Quantity: plant.Quantity{Name: "end_of_life_capacity", Unit: "A.h", Doc: "capacity at which the cell is worn out"}},
			{Quantity: plant.Quantity{Name: "full_voltage", Unit: "V", Doc: "voltage at rest of a full cell"}, Default: new(4.2)},
			{Quantity: plant.Quantity{Name: "polarisation_time", Unit: "s", Doc: "time constant of the RC element"}, Default: new(60.0)},
		},
		Inputs: []plant.Quantity{
			{Name: "current", Unit: "A", Doc: "negative while the cell discharges"},
			{Name: "temperature", Unit: "Cel", Doc: "of the cell's surface"},
		},
		Outputs: []plant.Quantity{
			{Name: "voltage", Unit: "V", Doc: "at the terminals"},
		},
		Published: []plant.Quantity{
			{Name: Capacity, Unit: "A.h", Doc: "measured capacity of the next discharge after a usual rest"},
			{Name: "state_of_health", Unit: "1", Doc: "capacity over rated capacity"},
			{Name: "next_capacity", Unit: "A.h", Doc: "measured capacity of the next discharge, its pause not known yet"},
			{Name: "voltage_5min", Unit: "V", Doc: "terminal voltage 5 min into the next discharge at the last one's mean current, or the cut-off voltage if that is met before"},
			{Name: "voltage_15min", Unit: "V", Doc: "the same after 15 min"},
			{Name: "voltage_25min", Unit: "V", Doc: "the same after 25 min"},
			{Name: "remaining_cycles", Unit: "{cycle}", Doc: "discharges until the capacity falls to the end-of-life capacity; absent where it is beyond 1000"},
		},
	}
	for _, s := range knots {
		d.Parameters = append(d.Parameters, plant.Parameter{
			Quantity: plant.Quantity{
				Name: fmt.Sprintf("ocv_correction_%03.0f", 1000*s), Unit: "V",
				Doc: fmt.Sprintf("of the literature's open-circuit voltage at state of charge %g", s),
			},
			// ±0.2 V is the spread of published curves of LiCoO₂ cells, and of
			// what a rate of 2C takes from them.
			Prior:     &plant.Prior{Deviation: 0.2, Transform: plant.Identity},
			Transform: plant.Identity,
			// A cell at 2C loses of the order of 0.1 V in 100 cycles; the knee
			// moves more than the plateau.
			Drift: 0.003 + 0.01*math.Exp(-s/0.03),
		})
	}
	return d
}

// cell is one cell; it implements [plant.Segmented] and [plant.Correlated].
type cell struct {
	rated, cutoff, endOfLife, full, tau float64

	dt, decay float64 // exp(−dt/τ) of the last dt
}

var (
	_ plant.Segmented  = (*cell)(nil)
	_ plant.Correlated = (*cell)(nil)
)

// New implements [plant.Model].
func (m Model) New(constants map[string]float64) (plant.Instance, error) {
	value := make(map[string]float64)
	for _, c := range m.Describe().Constants {
		v, ok := constants[c.Name]
		switch {
		case ok:
		case c.Default != nil:
			v = *c.Default
		default:
			return nil, fmt.Errorf("model cell: constant %s (%s, %s) is missing", c.Name, c.Doc, c.Unit)
		}
		if !(v > 0) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("model cell: constant %s is %g %s, expected a positive number", c.Name, v, c.Unit)
		}
		value[c.Name] = v
	}
	c := &cell{
		rated: value["rated_capacity"], cutoff: value["cutoff_voltage"], endOfLife: value["end_of_life_capacity"],
		full: value["full_voltage"], tau: value["polarisation_time"],
	}
	if c.cutoff >= c.full {
		return nil, fmt.Errorf("model cell: constant cutoff_voltage is %g V, expected less than full_voltage, %g V", c.cutoff, c.full)
	}
	return c, nil
}
