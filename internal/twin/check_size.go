package twin

import "fmt"

// Limits of CloudFormation on one stack's template.
const (
	maxResources = 500
	maxTemplate  = 1_000_000 // bytes
)

// What a stack holds besides the twin, and what resources take in a template,
// in bytes: as measured in templates of the example, rounded up by a tenth.
const (
	otherResources    = 40
	otherBytes        = 30_000
	resourceBytes     = 700  // an asset or asset model without properties
	propertyBytes     = 60   // a property of an asset, without its name and alias
	definitionBytes   = 250  // a property of an asset model or component type
	entityBytes       = 1400 // an entity with its telemetry
	componentBytes    = 600  // a further component of an entity
	relationshipBytes = 130
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
	assets, entities := otherBytes, otherBytes
	for name := range a.t.AssetModels.All() {
		assets += resourceBytes + definitionBytes*len(a.modelOf(name).names)
	}
	for _, c := range a.t.Calibrations.All() {
		entities += resourceBytes + definitionBytes*len(a.calibrationProperties(c))
	}
	for name, asset := range a.t.Assets.All() {
		assets += resourceBytes
		for _, property := range a.modelOf(asset.Model).names {
			assets += propertyBytes + len(a.t.Name) + len(name) + 2*len(property)
		}
		entities += entityBytes
		for _, c := range a.t.Calibrations.All() {
			if c.AssetModel == asset.Model {
				entities += componentBytes
			}
		}
		for _, alarm := range a.t.Alarms.All() {
			if alarm.AssetModel == asset.Model {
				entities += componentBytes
			}
		}
	}
	for _, edges := range a.t.Relationships.All() {
		sources := map[string]bool{}
		for _, edge := range edges {
			sources[edge.From] = true
		}
		entities += componentBytes*len(sources) + relationshipBytes*len(edges)
	}
	return max(assets, entities)
}
