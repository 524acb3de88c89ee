package assembly

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A Template is a CloudFormation template. Values hold strings, json.Number,
// bool, nil, []any and map[string]any.
type Template struct {
	Parameters map[string]Parameter
	Mappings   map[string]any
	Conditions map[string]any
	Rules      map[string]Rule
	Resources  map[string]Resource
	Outputs    map[string]Output
}

// A Parameter is a parameter's declaration.
type Parameter struct {
	Type          string
	Default       any
	Description   string
	AllowedValues []any
	NoEcho        any
}

// A Rule is a rule that the parameters must pass.
type Rule struct {
	RuleCondition any
	Assertions    []struct {
		Assert            any
		AssertDescription string
	}
}

// A Resource is a resource as the template has it.
type Resource struct {
	Type       string
	Condition  string
	DependsOn  []string
	Properties map[string]any
	Metadata   map[string]any
}

// An Output is an output's declaration.
type Output struct {
	Description string
	Condition   string
	Value       any
	Export      map[string]any
}

// ParseTemplate reads a template in JSON.
func ParseTemplate(data []byte) (*Template, error) {
	var raw struct {
		AWSTemplateFormatVersion string
		Description              string
		Metadata                 any
		Transform                any
		Parameters               map[string]Parameter
		Mappings                 map[string]any
		Conditions               map[string]any
		Rules                    map[string]Rule
		Resources                map[string]struct {
			Type                string
			Condition           string
			DependsOn           any
			Properties          map[string]any
			Metadata            map[string]any
			DeletionPolicy      any
			UpdateReplacePolicy any
			UpdatePolicy        any
			CreationPolicy      any
		}
		Outputs map[string]Output
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	if raw.Transform != nil && !onlyLanguageExtensions(raw.Transform) {
		return nil, fmt.Errorf("the template's Transform %v is not implemented here", raw.Transform)
	}
	t := &Template{
		Parameters: raw.Parameters, Mappings: raw.Mappings, Conditions: raw.Conditions,
		Rules: raw.Rules, Outputs: raw.Outputs, Resources: map[string]Resource{},
	}
	for id, r := range raw.Resources {
		if r.Type == "" {
			return nil, fmt.Errorf("the resource %s has no Type", id)
		}
		if r.CreationPolicy != nil {
			return nil, fmt.Errorf("the resource %s has a CreationPolicy, which is not implemented here", id)
		}
		out := Resource{Type: r.Type, Condition: r.Condition, Properties: r.Properties, Metadata: r.Metadata}
		switch d := r.DependsOn.(type) {
		case nil:
		case string:
			out.DependsOn = []string{d}
		case []any:
			for _, one := range d {
				s, ok := one.(string)
				if !ok {
					return nil, fmt.Errorf("the resource %s: DependsOn holds %v, expected logical ids", id, one)
				}
				out.DependsOn = append(out.DependsOn, s)
			}
		default:
			return nil, fmt.Errorf("the resource %s: DependsOn is neither a logical id nor a list of them", id)
		}
		t.Resources[id] = out
	}
	return t, nil
}

func onlyLanguageExtensions(transform any) bool {
	if list, ok := transform.([]any); ok {
		return !slices.ContainsFunc(list, func(v any) bool { return v != "AWS::LanguageExtensions" })
	}
	return transform == "AWS::LanguageExtensions"
}

// IDs returns the logical ids of the resources, sorted.
func (t *Template) IDs() []string { return slices.Sorted(maps.Keys(t.Resources)) }
