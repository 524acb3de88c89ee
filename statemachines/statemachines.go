// Package statemachines holds the definitions of this system's state machines:
// one folder each, definition.asl.json in JSONata, and recorded executions in
// testdata.
//
// In a definition ${Name} is replaced at deployment. A name ending in nothing
// else is a function, ${PlanRecalibration} the one in
// functions/plan-recalibration; what else a definition needs is passed by name
// too (see infra/construct.StateMachineProps).
package statemachines

import (
	_ "embed"
	"regexp"
	"slices"
)

// Recalibrate is the definition of the state machine that plans, runs,
// collects and publishes one recalibration.
//
//go:embed recalibrate/definition.asl.json
var Recalibrate string

// placeholder matches ${Name}. JSONata has no ${ of its own in our definitions.
var placeholder = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9]*)\}`)

// Placeholders returns the names that a definition expects, sorted.
func Placeholders(definition string) []string {
	var names []string
	for _, match := range placeholder.FindAllStringSubmatch(definition, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
