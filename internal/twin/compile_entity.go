package twin

import (
	"slices"

	"github.com/livetwin/livetwin/internal/twin/definition"
)

func (a *analysis) calibrationType(name string) string { return a.t.Name + ".calibration." + name }

func (a *analysis) alarmType(name string) string { return a.t.Name + ".alarm." + name }

func (a *analysis) relationshipsType() string { return a.t.Name + "." + RelationshipsComponent }

// componentTypes lists the component types of calibrations, alarms and
// relationships.
func (a *analysis) componentTypes() []ComponentType {
	var types []ComponentType
	for name, c := range a.t.Calibrations.All() {
		t := ComponentType{
			ID: a.calibrationType(name), Title: titleOr(c.Title, name),
			Properties: []PropertyDefinition{
				{Name: "asset", Title: "Asset", Type: string(String), Required: true},
				{Name: "calibration", Title: "Calibration", Type: string(String), Required: true},
			},
			Connector: "calibration", Reader: "dataReader", RequiredProperties: []string{"asset", "calibration"},
		}
		for output, o := range c.Publish.All() {
			for _, q := range c.quantilesOf(o) {
				t.Properties = append(t.Properties, series(definition.PropertyOf(output, q), o.Unit))
			}
		}
		for _, m := range definition.RunMetrics() {
			t.Properties = append(t.Properties, series(m.Name, m.Unit))
		}
		types = append(types, t)
	}
	for name, alarm := range a.t.Alarms.All() {
		types = append(types, ComponentType{
			ID: a.alarmType(name), Title: titleOr(alarm.Title, name), ExtendsFrom: []string{BasicAlarmType},
			Connector: "calibration", Reader: "dataReader", RequiredProperties: []string{"alarm_key"},
		})
	}
	if a.t.Relationships.Len() > 0 {
		t := ComponentType{ID: a.relationshipsType(), Title: "Relationships"}
		for kind := range a.t.Relationships.All() {
			t.Properties = append(t.Properties, PropertyDefinition{Name: kind, Title: kind, Type: RelationshipsProperty, RelationshipType: kind})
		}
		types = append(types, t)
	}
	return types
}

// series defines a property whose values a connector serves.
func series(name, unit string) PropertyDefinition {
	return PropertyDefinition{Name: name, Title: name, Type: string(Double), Unit: unit, External: true, TimeSeries: true}
}

// entity returns the entity of an asset.
func (a *analysis) entity(name string) Entity {
	asset, _ := a.t.Assets.Get(name)
	e := Entity{ID: name, Title: titleOr(asset.Title, name), Parent: asset.Parent}
	e.Components = append(e.Components, Component{
		Name: TelemetryComponent, Type: SiteWiseConnectorType,
		Properties: []ComponentProperty{{Name: "sitewiseAssetId", AssetID: name}, {Name: "sitewiseAssetModelId", AssetModelID: asset.Model}},
	})
	for calibration, c := range a.t.Calibrations.All() {
		if c.AssetModel == asset.Model {
			e.Components = append(e.Components, Component{
				Name: calibration, Type: a.calibrationType(calibration),
				Properties: []ComponentProperty{{Name: "asset", Text: name}, {Name: "calibration", Text: calibration}},
			})
		}
	}
	for alarm, x := range a.t.Alarms.All() {
		if x.AssetModel == asset.Model {
			e.Components = append(e.Components, Component{
				Name: alarm, Type: a.alarmType(alarm), Properties: []ComponentProperty{{Name: "alarm_key", Text: AlarmKey(name, alarm)}},
			})
		}
	}
	relationships := Component{Name: RelationshipsComponent, Type: a.relationshipsType()}
	for kind, edges := range a.t.Relationships.All() {
		p := ComponentProperty{Name: kind}
		for _, edge := range edges {
			if edge.From == name && !slices.Contains(p.Targets, edge.To) {
				p.Targets = append(p.Targets, edge.To)
			}
		}
		if len(p.Targets) > 0 {
			relationships.Properties = append(relationships.Properties, p)
		}
	}
	if len(relationships.Properties) > 0 {
		e.Components = append(e.Components, relationships)
	}
	return e
}

// AlarmKey returns the external id of an alarm of an asset.
func AlarmKey(asset, alarm string) string { return asset + "#" + alarm }
