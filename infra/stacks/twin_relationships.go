package stacks

import "slices"

// orderRelationships makes entities wait for those that their relationships
// point to, so that no relationship dangles during a deployment. What points at
// each other cannot wait for each other: an order that closes a circle is left
// out, and TwinMaker resolves that relationship when its target appears.
func (t *twinStack) orderRelationships() {
	waits := map[string][]string{}
	for _, e := range t.Twin.Entities {
		if e.Parent != "" {
			waits[e.ID] = append(waits[e.ID], e.Parent)
		}
	}
	for _, e := range t.Twin.Entities {
		for _, c := range e.Components {
			for _, p := range c.Properties {
				for _, target := range p.Targets {
					if target == e.ID || reaches(waits, target, e.ID) {
						continue
					}
					waits[e.ID] = append(waits[e.ID], target)
					t.entities[e.ID].Node().AddDependency(t.entities[target])
				}
			}
		}
	}
}

// reaches reports whether from waits for to, directly or not.
func reaches(waits map[string][]string, from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(name string) bool {
		if name == to {
			return true
		}
		if seen[name] {
			return false
		}
		seen[name] = true
		return slices.ContainsFunc(waits[name], visit)
	}
	return visit(from)
}
