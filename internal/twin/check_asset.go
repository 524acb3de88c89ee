package twin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/internal/twin/definition"
)

func (a *analysis) checkAssets() {
	if a.t.Assets.Len() == 0 {
		a.reportValue(path("assets"), "the twin declares no asset", "at least one", "")
	}
	names, models := a.t.Assets.Names(), a.t.AssetModels.Names()
	circular := a.checkAssetCycles()
	for name, asset := range a.t.Assets.All() {
		p := path("assets").at(name)
		a.name(p, "an asset", name, assetName, a.source.key)
		a.text(p.at("title"), asset.Title)
		if a.reference(p.at("model"), "asset model", asset.Model, models, path("assetModels")) {
			a.checkAttributes(p, asset)
		}
		if asset.Parent != "" && a.reference(p.at("parent"), "asset", asset.Parent, names, path("assets")) && !circular[name] {
			a.checkParent(p, asset)
		}
		if asset.Parent == "" && asset.Hierarchy != "" {
			a.reportValue(p.at("hierarchy"), fmt.Sprintf("%s has a hierarchy and no parent", p), "a parent", "add parent, or remove hierarchy")
		}
	}
	a.checkIdentity()
	a.checkTitles()
}

func (a *analysis) checkAttributes(p path, asset Asset) {
	m := a.modelOf(asset.Model)
	var attributes []string
	for _, name := range m.names {
		if m.properties[name].kind == definition.Attribute {
			attributes = append(attributes, name)
		}
	}
	for name, value := range asset.Attributes.All() {
		q := p.at("attributes", name)
		if !slices.Contains(attributes, name) {
			if a.source.broken[path("assetModels").at(asset.Model, "\x01unknown")] || a.source.isBroken(path("assetModels").at(asset.Model, "attributes")) {
				continue
			}
			expected := oneOf(attributes)
			if len(attributes) == 0 {
				expected = "no attributes: the model declares none"
			}
			a.reportKey(q, fmt.Sprintf("%s is no attribute of %s", name, asset.Model), expected, didYouMean(name, attributes))
			continue
		}
		a.scalarValue(q, value, m.properties[name].dataType)
	}
}

// checkParent checks that the parent's model has a hierarchy for the child.
func (a *analysis) checkParent(p path, asset Asset) {
	parent, _ := a.t.Assets.Get(asset.Parent)
	m, ok := a.t.AssetModels.Get(parent.Model)
	if !ok || !a.t.AssetModels.Has(asset.Model) {
		return
	}
	fitting := hierarchiesFor(m, asset.Model)
	if asset.Hierarchy != "" {
		if slices.Contains(fitting, asset.Hierarchy) {
			return
		}
		a.reportValue(p.at("hierarchy"), fmt.Sprintf("%s names %q, which is no hierarchy of %s for %s", p.at("hierarchy"), asset.Hierarchy, parent.Model, asset.Model),
			oneOf(fitting), didYouMean(asset.Hierarchy, fitting))
		return
	}
	switch len(fitting) {
	case 1:
	case 0:
		if a.source.broken[path("assetModels").at(parent.Model, "\x01unknown")] || a.danglingHierarchy(m) {
			return
		}
		a.reportValue(p.at("parent"), fmt.Sprintf("%s: the model %s of %s has no hierarchy for %s", p.at("parent"), parent.Model, asset.Parent, asset.Model),
			"a parent whose model has one", fmt.Sprintf("add to assetModels.%s: hierarchies: {%s: {model: %s}}", parent.Model, strings.ReplaceAll(asset.Model, "-", "_")+"s", asset.Model))
	default:
		a.reportValue(p.at("parent"), fmt.Sprintf("%s: several hierarchies of %s hold %s", p.at("parent"), parent.Model, asset.Model),
			"a hierarchy: "+oneOf(fitting), "add hierarchy to the asset")
	}
}

// hierarchiesFor lists the hierarchies of a model that hold a child model.
func hierarchiesFor(m AssetModel, child string) []string {
	var names []string
	for name, h := range m.Hierarchies.All() {
		if h.Model == child {
			names = append(names, name)
		}
	}
	return names
}

// danglingHierarchy reports whether a hierarchy of m names a model that does
// not exist, which was reported.
func (a *analysis) danglingHierarchy(m AssetModel) bool {
	for _, h := range m.Hierarchies.All() {
		if !a.t.AssetModels.Has(h.Model) {
			return true
		}
	}
	return false
}

// checkAssetCycles reports assets that are parts of themselves, and returns
// those in cycles.
func (a *analysis) checkAssetCycles() map[string]bool {
	done, circular := map[string]bool{}, map[string]bool{}
	for name := range a.t.Assets.All() {
		var way []string
		for at := name; at != "" && !done[at]; {
			if i := slices.Index(way, at); i >= 0 {
				circle := append(slices.Clone(way[i:]), at)
				for _, member := range circle {
					circular[member] = true
				}
				what := fmt.Sprintf("%s is a part of itself: %s", at, strings.Join(circle, " → "))
				if len(circle) == 2 {
					what = fmt.Sprintf("%s is its own parent", at)
				}
				a.reportValue(path("assets").at(way[len(way)-1], "parent"), what, "parents without a cycle", "remove one of these parents")
				break
			}
			way = append(way, at)
			asset, _ := a.t.Assets.Get(at)
			at = asset.Parent
		}
		for _, at := range way {
			done[at] = true
		}
	}
	return circular
}

// checkIdentity reports assets whose names differ in case only: a folder or a
// bucket listing that ignores case would mix them up.
func (a *analysis) checkIdentity() {
	seen := map[string]string{}
	for name := range a.t.Assets.All() {
		folded := strings.ToLower(name)
		if before, ok := seen[folded]; ok {
			a.reportKey(path("assets").at(name), fmt.Sprintf("the assets %s and %s differ in case only", before, name), "names that differ otherwise", "rename one")
			continue
		}
		seen[folded] = name
	}
}

// checkTitles reports assets of one parent with one title: in TwinMaker it is
// the entity's name, by which people tell entities of a parent apart.
func (a *analysis) checkTitles() {
	type sibling struct{ parent, title string }
	seen := map[sibling]string{}
	for name, asset := range a.t.Assets.All() {
		s := sibling{asset.Parent, titleOr(asset.Title, name)}
		if before, ok := seen[s]; ok {
			a.reportKey(path("assets").at(name), fmt.Sprintf("the assets %s and %s have the title %q", before, name, shorten(s.title)), "a title of its own for each asset of a parent", "")
			continue
		}
		seen[s] = name
	}
}
