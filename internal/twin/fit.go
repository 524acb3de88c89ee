package twin

import (
	"fmt"
	"slices"
)

// WithAssets returns a twin in which the assets of one model are replaced by
// others of the given names, with the same parent and attributes.
// Relationships between them and other assets become relationships of every
// new one; relationships and nodes of scenes that name one of the old assets
// follow it by its place in the order, and are left out when there are fewer
// new ones. Titles are dropped. The result is checked; its positions are those
// in the text that Marshal writes.
//
// The error says when the old assets have children, or differ in parent or
// attributes, so that there is no one pattern to follow.
func (t *Twin) WithAssets(model string, names []string) (*Twin, error) {
	old := t.assetsOf(model)
	if len(old) == 0 {
		return nil, fmt.Errorf("twin %s has no asset of model %q: there is nothing to replace", t.Name, model)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no names for the assets of model %s: want at least one", model)
	}
	pattern, err := t.pattern(old)
	if err != nil {
		return nil, err
	}
	next := *t
	next.Assets = Section[Asset]{}
	placed := false
	for name, asset := range t.Assets.All() {
		if asset.Model != model {
			if slices.Contains(names, name) {
				return nil, fmt.Errorf("the name %s belongs to an asset of model %s", name, asset.Model)
			}
			next.Assets.Set(name, asset)
			continue
		}
		if placed {
			continue
		}
		placed = true
		for i, n := range names {
			if next.Assets.Has(n) {
				return nil, fmt.Errorf("the name %s is given twice (%d)", n, i)
			}
			next.Assets.Set(n, pattern)
		}
	}
	next.Relationships = t.fitRelationships(old, names)
	next.Scenes = t.fitScenes(old, names)
	text, err := next.Marshal()
	if err != nil {
		return nil, err
	}
	fitted, errs := Parse(t.Name+" with other assets", text, WithModels(t.options.models), WithFiles(t.options.files))
	return fitted, errs.err()
}

// pattern returns what the old assets have in common.
func (t *Twin) pattern(old []string) (Asset, error) {
	pattern, _ := t.Assets.Get(old[0])
	pattern.Title = ""
	for _, name := range old {
		asset, _ := t.Assets.Get(name)
		if asset.Parent != pattern.Parent || asset.Hierarchy != pattern.Hierarchy {
			return Asset{}, fmt.Errorf("the assets %s and %s have different parents: their model cannot be replaced as one", old[0], name)
		}
		if !sameScalars(asset.Attributes, pattern.Attributes) {
			return Asset{}, fmt.Errorf("the assets %s and %s have different attributes: their model cannot be replaced as one", old[0], name)
		}
	}
	for child, asset := range t.Assets.All() {
		if slices.Contains(old, asset.Parent) {
			return Asset{}, fmt.Errorf("the asset %s is a part of %s: assets with parts cannot be replaced", child, asset.Parent)
		}
	}
	return pattern, nil
}

func sameScalars(a, b Section[Scalar]) bool {
	if a.Len() != b.Len() {
		return false
	}
	for name, v := range a.All() {
		if w, ok := b.Get(name); !ok || w != v {
			return false
		}
	}
	return true
}

// follow returns the new names that take the place of an old one: itself when
// it stays, the one at its place when only is set, else all.
func follow(name string, old, names []string, all bool) []string {
	i := slices.Index(old, name)
	switch {
	case i < 0:
		return []string{name}
	case all:
		return names
	case i < len(names):
		return names[i : i+1]
	}
	return nil
}

func (t *Twin) fitRelationships(old, names []string) Section[[]Relationship] {
	var fitted Section[[]Relationship]
	for kind, edges := range t.Relationships.All() {
		var list []Relationship
		for _, edge := range edges {
			inside := slices.Contains(old, edge.From) && slices.Contains(old, edge.To)
			for _, from := range follow(edge.From, old, names, !inside) {
				for _, to := range follow(edge.To, old, names, !inside) {
					if e := (Relationship{from, to}); !slices.Contains(list, e) {
						list = append(list, e)
					}
				}
			}
		}
		if len(list) > 0 {
			fitted.Set(kind, list)
		}
	}
	return fitted
}

func (t *Twin) fitScenes(old, names []string) Section[Scene] {
	var fitted Section[Scene]
	for name, s := range t.Scenes.All() {
		var nodes []Node
		for _, n := range s.Nodes {
			if n.Asset == "" {
				nodes = append(nodes, n)
				continue
			}
			for _, asset := range follow(n.Asset, old, names, false) {
				n.Asset = asset
				nodes = append(nodes, n)
			}
		}
		s.Nodes = nodes
		fitted.Set(name, s)
	}
	return fitted
}
