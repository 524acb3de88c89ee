package apimodel

import (
	"maps"
	"slices"
)

// An OperationStatus says how the endpoint treats one operation.
type OperationStatus struct {
	Service     string `json:"service"`
	Operation   string `json:"operation"`
	Implemented bool   `json:"implemented"` // validated against the model, both ways; refused by name when false
}

// Coverage lists every operation of the model, sorted, with whether it is among
// the implemented ones. An implemented operation that the model lacks could
// never be reached, so it is listed as well, for a test to find.
func (s *Service) Coverage(implemented []string) []OperationStatus {
	names := make(map[string]bool, len(s.operations))
	for name := range s.operations {
		names[name] = false
	}
	for _, name := range implemented {
		names[name] = true
	}
	list := make([]OperationStatus, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		list = append(list, OperationStatus{Service: s.name, Operation: name, Implemented: names[name]})
	}
	return list
}

// UnreadablePatterns lists the patterns of the model's inputs and outputs that
// no regular expression engine here can read, and that are therefore not
// checked.
func (s *Service) UnreadablePatterns() []string {
	var list []string
	for _, sh := range s.shapes.done {
		if sh.pattern == nil {
			continue
		}
		if _, ok := sh.pattern.compile().(anything); ok {
			list = append(list, sh.name+": "+sh.pattern.source)
		}
	}
	slices.Sort(list)
	return list
}
