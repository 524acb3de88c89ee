package twin

import (
	"fmt"
	"strings"
)

func (a *analysis) checkRelationships() {
	assets := a.t.Assets.Names()
	waits := a.t.waits()
	for kind, edges := range a.t.Relationships.All() {
		p := path("relationships").at(kind)
		if a.name(p, "a type of relationship", kind, propertyName, a.source.key) && kind == "is_child_of" {
			a.reportKey(p, "the relationship is_child_of", "a type besides the hierarchy", "use parent for what an asset is a part of")
		}
		seen := map[Relationship]int{}
		for i, edge := range edges {
			q := p.index(i)
			from := a.reference(q.at("from"), "asset", edge.From, assets, path("assets"))
			to := a.reference(q.at("to"), "asset", edge.To, assets, path("assets"))
			if !from || !to {
				continue
			}
			if edge.From == edge.To {
				a.reportValue(q, fmt.Sprintf("%s leads from %s to itself", q, edge.From), "two different assets", "")
				continue
			}
			if first, ok := seen[edge]; ok {
				a.reportValue(q, fmt.Sprintf("%s repeats %s", q, p.index(first)), "each relationship once", "remove one")
				continue
			}
			seen[edge] = i
			if ring := waits.route(edge.To, edge.From); ring != nil {
				a.reportValue(q, fmt.Sprintf("%s closes a ring: %s %s %s, %s", q, edge.From, kind, edge.To, strings.Join(ring, ", ")),
					"relationships that lead out of every ring", "entities are created one after another, each after its parent and those it points to: turn it around, or leave it out")
				continue
			}
			waits[edge.From] = append(waits[edge.From], wait{edge.To, kind})
		}
	}
}

// A wait says which entity must exist before another one, and why.
type wait struct {
	on  string
	why string // is below, or the type of a relationship
}

// waitList holds the waits of every entity. CloudFormation creates entities one
// after another, and TwinMaker refuses relationships to an entity that does not
// exist.
type waitList map[string][]wait

// waits returns the waits that the hierarchy makes.
func (t *Twin) waits() waitList {
	list := waitList{}
	for name, asset := range t.Assets.All() {
		if asset.Parent != "" {
			list[name] = append(list[name], wait{asset.Parent, "is below"})
		}
	}
	return list
}

// route returns the steps by which one entity waits for another, in words; nil
// when it does not.
func (l waitList) route(from, to string) []string {
	seen := map[string]bool{}
	var search func(at string) []string
	search = func(at string) []string {
		seen[at] = true
		for _, w := range l[at] {
			step := fmt.Sprintf("%s %s %s", at, w.why, w.on)
			if w.on == to {
				return []string{step}
			}
			if seen[w.on] {
				continue
			}
			if rest := search(w.on); rest != nil {
				return append([]string{step}, rest...)
			}
		}
		return nil
	}
	return search(from)
}
