package assembly

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Scope is what the intrinsic functions of one stack refer to.
type Scope interface {
	// Ref returns the value of a parameter, pseudo parameter or resource.
	Ref(name string) (any, error)
	// GetAtt returns an attribute of a resource.
	GetAtt(logicalID, attribute string) (any, error)
	// Import returns the value that another stack exports.
	Import(name string) (any, error)
	// Condition returns the value of a condition of the template.
	Condition(name string) (bool, error)
	// Mapping returns a value of the template's Mappings.
	Mapping(name, top, second string) (any, error)
	// Zones returns the availability zones of a region.
	Zones(region string) ([]any, error)
	// Dynamic returns the value of a reference {{resolve:service:key}}.
	Dynamic(service, key string) (string, error)
}

// NoValue is the value of AWS::NoValue: the property that has it is left out.
type NoValue struct{}

var (
	substitution = regexp.MustCompile(`\$\{(!?)([^{}]+)\}`)
	dynamic      = regexp.MustCompile(`\{\{resolve:([^:{}]+):([^{}]+)\}\}`)
)

// Resolve returns v with its intrinsic functions replaced by their values.
// Errors name the path to the function.
func Resolve(v any, s Scope) (any, error) {
	switch x := v.(type) {
	case string:
		return resolveDynamic(x, s)
	case []any:
		out := make([]any, 0, len(x))
		for i, item := range x {
			r, err := Resolve(item, s)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			if _, none := r.(NoValue); !none {
				out = append(out, r)
			}
		}
		return out, nil
	case map[string]any:
		if name, arg, ok := function(x); ok {
			r, err := call(name, arg, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return r, nil
		}
		out := make(map[string]any, len(x))
		for key, item := range x {
			r, err := Resolve(item, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			if _, none := r.(NoValue); !none {
				out[key] = r
			}
		}
		return out, nil
	}
	return v, nil
}

// function returns the intrinsic function that the object is.
func function(x map[string]any) (name string, arg any, ok bool) {
	if len(x) != 1 {
		return "", nil, false
	}
	for name, arg = range x {
	}
	if name == "Condition" {
		_, ok = arg.(string)
		return name, arg, ok
	}
	return name, arg, name == "Ref" || strings.HasPrefix(name, "Fn::")
}

func resolveDynamic(text string, s Scope) (any, error) {
	if !strings.Contains(text, "{{resolve:") {
		return text, nil
	}
	var failed error
	out := dynamic.ReplaceAllStringFunc(text, func(m string) string {
		parts := dynamic.FindStringSubmatch(m)
		v, err := s.Dynamic(parts[1], parts[2])
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", m, err)
		}
		return v
	})
	return out, failed
}

func call(name string, arg any, s Scope) (any, error) {
	switch name {
	case "Ref":
		id, ok := arg.(string)
		if !ok {
			return nil, fmt.Errorf("expected a logical id, have %v", arg)
		}
		return s.Ref(id)
	case "Fn::GetAtt":
		id, attribute, err := getAtt(arg, s)
		if err != nil {
			return nil, err
		}
		return s.GetAtt(id, attribute)
	case "Fn::Sub":
		return sub(arg, s)
	case "Fn::If":
		return branch(arg, s)
	case "Condition":
		return s.Condition(arg.(string))
	}
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("this intrinsic function is not implemented here")
	}
	resolved, err := Resolve(arg, s)
	if err != nil {
		return nil, err
	}
	return f(resolved, s)
}

var functions = map[string]func(arg any, s Scope) (any, error){
	"Fn::Join":         join,
	"Fn::Select":       selectItem,
	"Fn::Split":        split,
	"Fn::ImportValue":  importValue,
	"Fn::GetAZs":       zones,
	"Fn::FindInMap":    findInMap,
	"Fn::Base64":       encode,
	"Fn::Equals":       equals,
	"Fn::And":          and,
	"Fn::Or":           or,
	"Fn::Not":          not,
	"Fn::Contains":     contains,
	"Fn::Length":       length,
	"Fn::ToJsonString": toJSON,
}

func getAtt(arg any, s Scope) (id, attribute string, err error) {
	if text, ok := arg.(string); ok {
		id, attribute, ok = strings.Cut(text, ".")
		if ok {
			return id, attribute, nil
		}
	}
	list, ok := arg.([]any)
	if !ok || len(list) != 2 {
		return "", "", fmt.Errorf("expected [logical id, attribute], have %v", arg)
	}
	id, ok = list[0].(string)
	if !ok {
		return "", "", fmt.Errorf("expected a logical id, have %v", list[0])
	}
	name, err := Resolve(list[1], s)
	if err != nil {
		return "", "", err
	}
	attribute, err = Text(name)
	return id, attribute, err
}

func sub(arg any, s Scope) (any, error) {
	text, ok := arg.(string)
	var vars map[string]any
	if list, isList := arg.([]any); isList && len(list) == 2 {
		text, ok = list[0].(string)
		vars, _ = list[1].(map[string]any)
	}
	if !ok {
		return nil, fmt.Errorf("expected a text, or [text, variables], have %v", arg)
	}
	var failed error
	out := substitution.ReplaceAllStringFunc(text, func(m string) string {
		parts := substitution.FindStringSubmatch(m)
		if parts[1] == "!" {
			return "${" + parts[2] + "}"
		}
		v, err := subValue(parts[2], vars, s)
		if err == nil {
			var t string
			if t, err = Text(v); err == nil {
				return t
			}
		}
		if failed == nil {
			failed = fmt.Errorf("%s: %w", m, err)
		}
		return ""
	})
	if failed != nil {
		return nil, failed
	}
	return resolveDynamic(out, s)
}

func subValue(name string, vars map[string]any, s Scope) (any, error) {
	if v, ok := vars[name]; ok {
		return Resolve(v, s)
	}
	if id, attribute, ok := strings.Cut(name, "."); ok {
		return s.GetAtt(id, attribute)
	}
	return s.Ref(name)
}

func branch(arg any, s Scope) (any, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 3 {
		return nil, fmt.Errorf("expected [condition, then, else], have %v", arg)
	}
	name, ok := list[0].(string)
	if !ok {
		return nil, fmt.Errorf("expected the name of a condition, have %v", list[0])
	}
	yes, err := s.Condition(name)
	if err != nil {
		return nil, err
	}
	if yes {
		return Resolve(list[1], s)
	}
	return Resolve(list[2], s)
}

// Text returns the text of a scalar as CloudFormation joins it.
func Text(v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case json.Number:
		return x.String(), nil
	case bool:
		return strconv.FormatBool(x), nil
	case int:
		return strconv.Itoa(x), nil
	}
	return "", fmt.Errorf("expected a text, have %v", v)
}
