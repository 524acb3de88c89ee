package twin

import "fmt"

// Limits of CloudFormation on one stack's template, less what a stack holds
// besides the twin.
const (
	maxResources     = 500
	maxTemplate      = 1_000_000 // bytes
	otherResources   = 40
	resourceOverhead = 700 // bytes of a resource's type, policies and metadata, as CDK writes it
	propertyOverhead = 120 // bytes of an element of a list of properties, without its name and alias
)

// checkSize refuses twins that do not fit into a stack.
func (a *analysis) checkSize() {
	t := a.t
	telemetry := t.AssetModels.Len() + t.Assets.Len()
	twin := t.Assets.Len() + t.Calibrations.Len() + t.Alarms.Len() + t.Scenes.Len() + 1
	do := "split the plant into several twins; bulk import, which has no such limit, is not there yet"
	if n := max(telemetry, twin) + otherResources; n > maxResources {
		a.reportKey(path("assets"), fmt.Sprintf("%d assets need %d resources in a stack", t.Assets.Len(), n), fmt.Sprintf("at most %d", maxResources), do)
		return
	}
	if n := a.templateSize(); n > maxTemplate {
		a.reportKey(path("assets"), fmt.Sprintf("%d assets need a template of about %d bytes", t.Assets.Len(), n), fmt.Sprintf("at most %d", maxTemplate), do)
	}
}

// templateSize estimates the larger one of the templates that the assets and
// the entities make, in bytes.
func (a *analysis) templateSize() int {
	assets, entities := 0, 0
	for name := range a.t.AssetModels.All() {
		m := a.modelOf(name)
		properties := 0
		for _, property := range m.names {
			properties += propertyOverhead + len(property)
		}
		assets += resourceOverhead + 2*properties
	}
	for name, asset := range a.t.Assets.All() {
		assets += resourceOverhead
		for _, property := range a.modelOf(asset.Model).names {
			assets += propertyOverhead + len(a.t.Name) + len(name) + 2*len(property)
		}
		entities += resourceOverhead + propertyOverhead*4
		for _, c := range a.t.Calibrations.All() {
			if c.AssetModel == asset.Model {
				entities += 4 * propertyOverhead
			}
		}
		for _, alarm := range a.t.Alarms.All() {
			if alarm.AssetModel == asset.Model {
				entities += 3 * propertyOverhead
			}
		}
	}
	for _, edges := range a.t.Relationships.All() {
		entities += propertyOverhead * len(edges)
	}
	return max(assets, entities)
}
