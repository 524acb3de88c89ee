package assembly

import (
	"slices"
	"strings"
)

// References returns the names that the intrinsic functions in v refer to:
// resources, parameters and pseudo parameters, sorted.
func References(v any) []string {
	set := map[string]bool{}
	references(v, set)
	out := make([]string, 0, len(set))
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func references(v any, set map[string]bool) {
	switch x := v.(type) {
	case []any:
		for _, item := range x {
			references(item, set)
		}
	case map[string]any:
		name, arg, ok := function(x)
		switch {
		case ok && name == "Ref":
			if id, ok := arg.(string); ok {
				set[id] = true
			}
		case ok && name == "Fn::GetAtt":
			getAttReferences(arg, set)
		case ok && name == "Fn::Sub":
			subReferences(arg, set)
		default:
			for _, item := range x {
				references(item, set)
			}
		}
	}
}

func getAttReferences(arg any, set map[string]bool) {
	if text, ok := arg.(string); ok {
		id, _, _ := strings.Cut(text, ".")
		set[id] = true
	}
	if list, ok := arg.([]any); ok && len(list) == 2 {
		if id, ok := list[0].(string); ok {
			set[id] = true
		}
		references(list[1], set)
	}
}

func subReferences(arg any, set map[string]bool) {
	text, _ := arg.(string)
	var vars map[string]any
	if list, ok := arg.([]any); ok && len(list) == 2 {
		text, _ = list[0].(string)
		vars, _ = list[1].(map[string]any)
		references(list[1], set)
	}
	for _, m := range substitution.FindAllStringSubmatch(text, -1) {
		if m[1] == "!" {
			continue
		}
		if _, own := vars[m[2]]; !own {
			id, _, _ := strings.Cut(m[2], ".")
			set[id] = true
		}
	}
}
