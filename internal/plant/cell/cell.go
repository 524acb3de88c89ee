// Package cell models a lithium-ion cell that ages.
package cell

import "github.com/livetwin/livetwin/internal/plant"

// Model is a Thevenin cell with a capacity that moves from cycle to cycle.
type Model struct{}

var _ plant.Model = Model{}

// Describe implements [plant.Model].
func (Model) Describe() plant.Description {
	return plant.Description{
		Name: "cell",
		States: []plant.Quantity{
			{Name: "state_of_charge", Unit: "1", Doc: "charge left over capacity"},
			{Name: "polarisation", Unit: "V", Doc: "voltage over the RC element"},
		},
		Parameters: []plant.Quantity{
			{Name: "capacity", Unit: "A.h", Doc: "charge from full down to the cut-off voltage"},
			{Name: "resistance", Unit: "Ohm", Doc: "ohmic resistance"},
		},
		Constants: []plant.Constant{
			{Quantity: plant.Quantity{Name: "rated_capacity", Unit: "A.h", Doc: "capacity that state of health is relative to"}},
			{Quantity: plant.Quantity{Name: "cutoff_voltage", Unit: "V", Doc: "terminal voltage that ends a discharge"}},
			{Quantity: plant.Quantity{Name: "end_of_life_capacity", Unit: "A.h", Doc: "capacity at which the cell is worn out"}},
		},
		Inputs: []plant.Quantity{
			{Name: "current", Unit: "A", Doc: "negative while the cell discharges"},
			{Name: "temperature", Unit: "Cel", Doc: "of the cell's surface"},
		},
		Outputs: []plant.Quantity{
			{Name: "voltage", Unit: "V", Doc: "at the terminals"},
		},
		Published: []plant.Quantity{
			{Name: "capacity", Unit: "A.h", Doc: "of the last discharge"},
			{Name: "resistance", Unit: "Ohm", Doc: "ohmic, at the last discharge's mean temperature"},
			{Name: "state_of_health", Unit: "1", Doc: "capacity over rated capacity"},
			{Name: "next_capacity", Unit: "A.h", Doc: "of the next discharge"},
			{Name: "voltage_5min", Unit: "V", Doc: "terminal voltage 5 min into the next discharge at the last one's mean current"},
			{Name: "voltage_15min", Unit: "V", Doc: "the same after 15 min"},
			{Name: "voltage_25min", Unit: "V", Doc: "the same after 25 min"},
			{Name: "remaining_cycles", Unit: "{cycle}", Doc: "discharges until the end-of-life capacity"},
		},
	}
}
