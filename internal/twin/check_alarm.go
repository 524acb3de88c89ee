package twin

import (
	"fmt"

	"github.com/livetwin/livetwin/internal/twin/definition"
)

// Comparisons of alarms.
var comparisons = []string{
	string(definition.Greater), string(definition.GreaterOrEqual), string(definition.Less),
	string(definition.LessOrEqual), string(definition.Equal), string(definition.NotEqual),
}

func (a *analysis) checkAlarms() {
	for name, alarm := range a.t.Alarms.All() {
		p := path("alarms").at(name)
		if a.name(p, "an alarm", name, modelName, a.source.key) {
			a.componentName(p, name)
		}
		a.text(p.at("title"), alarm.Title)
		a.choice(p.at("comparison"), alarm.Comparison, comparisons...)
		if !a.reference(p.at("assetModel"), "asset model", alarm.AssetModel, a.t.AssetModels.Names(), path("assetModels")) {
			continue
		}
		m := a.modelOf(alarm.AssetModel)
		var published []string
		for _, n := range m.names {
			if m.properties[n].kind == definition.Published {
				published = append(published, n)
			}
		}
		if x, ok := m.properties[alarm.Property]; ok && x.kind != definition.Published {
			a.reportValue(p.at("property"), fmt.Sprintf("%s watches %s, %s", p, alarm.Property, article(x.kind)),
				"a property that a calibration publishes: "+oneOf(published), "an alarm's state is computed where the value is published")
			continue
		}
		a.reference(p.at("property"), "published property of "+alarm.AssetModel, alarm.Property, published, path("calibrations"))
	}
}
