package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// TestComponentType holds component-type.json equal to what the example twin
// compiles to, and the compiled types to what this connector serves.
func TestComponentType(t *testing.T) {
	site, err := twin.Load("../../examples/battery-storage/twin.yaml")
	require.NoError(t, err)
	compiled, err := site.Compile()
	require.NoError(t, err)
	var types []componentType
	for _, c := range compiled.ComponentTypes {
		if c.Connector != "calibration" {
			continue
		}
		types = append(types, componentTypeOf(c))
		assert.Equal(t, "dataReader", c.Reader)
		for _, p := range c.Properties {
			if p.External && !p.TimeSeries {
				assert.Fail(t, "this connector serves time series only", "%s of %s", p.Name, c.ID)
			}
		}
	}
	golden.JSON(t, "component-type.json", types)

	cell := types[0]
	assert.ElementsMatch(t, []string{asset, calibration}, cell.Functions["dataReader"].RequiredProperties)
	for _, metric := range definition.RunMetrics() {
		assert.Contains(t, cell.PropertyDefinitions, metric.Name)
	}
	for _, output := range compiled.Definition.Calibrations[0].Outputs {
		assert.Contains(t, cell.PropertyDefinitions, output.Property)
	}
	assert.Equal(t, []string{alarmKey}, types[1].Functions["dataReader"].RequiredProperties)
}

// A componentType is a component type in the shape of TwinMaker's API.
type (
	componentType struct {
		ComponentTypeID     string              `json:"componentTypeId"`
		ExtendsFrom         []string            `json:"extendsFrom,omitempty"`
		PropertyDefinitions map[string]property `json:"propertyDefinitions"`
		Functions           map[string]function `json:"functions"`
	}
	property struct {
		DataType           map[string]string `json:"dataType"`
		IsRequiredInEntity bool              `json:"isRequiredInEntity"`
		IsExternalID       bool              `json:"isExternalId"`
		IsStoredExternally bool              `json:"isStoredExternally"`
		IsTimeSeries       bool              `json:"isTimeSeries"`
	}
	function struct {
		Scope              string   `json:"scope"`
		RequiredProperties []string `json:"requiredProperties"`
		ImplementedBy      string   `json:"implementedBy"` // a function of the deployment
	}
)

func componentTypeOf(c twin.ComponentType) componentType {
	t := componentType{
		ComponentTypeID: c.ID, ExtendsFrom: c.ExtendsFrom, PropertyDefinitions: make(map[string]property),
		Functions: map[string]function{c.Reader: {Scope: "ENTITY", RequiredProperties: c.RequiredProperties, ImplementedBy: "connector-" + c.Connector}},
	}
	for _, p := range c.Properties {
		dataType := map[string]string{"type": p.Type}
		if p.Unit != "" {
			dataType["unitOfMeasure"] = p.Unit
		}
		t.PropertyDefinitions[p.Name] = property{
			DataType: dataType, IsRequiredInEntity: p.Required, IsExternalID: p.ExternalID, IsStoredExternally: p.External, IsTimeSeries: p.TimeSeries,
		}
	}
	return t
}
