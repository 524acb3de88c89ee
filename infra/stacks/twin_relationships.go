package stacks

import (
	"fmt"
	"strings"

	"github.com/livetwin/livetwin/internal/twin"
)

// An entity waits for its parent and for those that its relationships point to:
// CloudFormation creates entities one after another, and TwinMaker refuses a
// relationship to an entity that does not exist.

// A wait says why one entity waits for another one.
type wait struct {
	on  string
	why string // such as "feeds"
}

// waits returns what each entity waits for, and the errors of relationships
// that would make entities wait for each other.
func waits(entities []twin.Entity) (map[string][]wait, []error) {
	all := map[string][]wait{}
	for _, e := range entities {
		if e.Parent != "" {
			all[e.ID] = append(all[e.ID], wait{on: e.Parent, why: "is below"})
		}
	}
	var errs []error
	for _, e := range entities {
		for _, c := range e.Components {
			for _, p := range c.Properties {
				for _, target := range p.Targets {
					if target == e.ID {
						continue
					}
					if ring := route(all, target, e.ID, nil); ring != nil {
						errs = append(errs, fmt.Errorf("relationships.%s: from %s to %s closes a ring, since %s: entities are created one after another, each after those it points to; "+
							"turn the relationship around, or leave it out", p.Name, e.ID, target, strings.Join(ring, ", ")))
						continue
					}
					all[e.ID] = append(all[e.ID], wait{on: target, why: p.Name})
				}
			}
		}
	}
	return all, errs
}

// route returns the steps by which from waits for to, in words; nil when it
// does not.
func route(all map[string][]wait, from, to string, seen map[string]bool) []string {
	if seen == nil {
		seen = map[string]bool{}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, w := range all[from] {
		step := fmt.Sprintf("%s %s %s", from, w.why, w.on)
		if w.on == to {
			return []string{step}
		}
		if rest := route(all, w.on, to, seen); rest != nil {
			return append([]string{step}, rest...)
		}
	}
	return nil
}

// orderEntities makes each entity wait for those that it needs.
func (t *twinStack) orderEntities() {
	all, _ := waits(t.Twin.Entities) // Check has reported rings
	for _, e := range t.Twin.Entities {
		for _, w := range all[e.ID] {
			t.entities[e.ID].Node().AddDependency(t.entities[w.on])
		}
	}
}
