package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A pattern decides whether an event matches. The semantics are those of the
// EventBridge user guide, "Comparison operators for use in event patterns".
type pattern struct {
	fields map[string]field
	or     [][]*pattern // each list holds when one of its patterns does
}

// A field is a nested pattern, or the alternatives of a leaf.
type field struct {
	nested *pattern
	leaf   []matcher
}

// A matcher tests one value; present is false when the event lacks the field.
type matcher func(value any, present bool) bool

// parsePattern compiles a pattern, or says what is wrong with it and where.
func parsePattern(text []byte) (*pattern, error) {
	v, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("event pattern is not valid: %w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("event pattern is not valid: it must be a JSON object")
	}
	p, err := compile(object, "")
	if err != nil {
		return nil, fmt.Errorf("event pattern is not valid: %w", err)
	}
	return p, nil
}

// decode parses JSON and keeps numbers as they are written: EventBridge does
// not take 300 and 300.0 to be equal.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func compile(object map[string]any, path string) (*pattern, error) {
	if len(object) == 0 {
		return nil, fmt.Errorf("%s: an empty object is not allowed", at(path))
	}
	p := &pattern{fields: map[string]field{}}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		where := path + "." + name
		alternatives, isList := object[name].([]any)
		if name == "$or" && isList && len(alternatives) >= 2 && allObjects(alternatives) {
			list := []*pattern{}
			for i, a := range alternatives {
				nested, err := compile(a.(map[string]any), fmt.Sprintf("%s[%d]", where, i))
				if err != nil {
					return nil, err
				}
				list = append(list, nested)
			}
			p.or = append(p.or, list)
			continue
		}
		switch v := object[name].(type) {
		case map[string]any:
			nested, err := compile(v, where)
			if err != nil {
				return nil, err
			}
			p.fields[name] = field{nested: nested}
		case []any:
			leaf, err := compileLeaf(v, where)
			if err != nil {
				return nil, err
			}
			p.fields[name] = field{leaf: leaf}
		default:
			return nil, fmt.Errorf("%s: must be an object or an array", at(where))
		}
	}
	return p, nil
}

func at(path string) string {
	if path == "" {
		return "pattern"
	}
	return strings.TrimPrefix(path, ".")
}

func allObjects(values []any) bool {
	return !slices.ContainsFunc(values, func(v any) bool { _, ok := v.(map[string]any); return !ok })
}

func compileLeaf(alternatives []any, path string) ([]matcher, error) {
	if len(alternatives) == 0 {
		return nil, fmt.Errorf("%s: an empty array matches nothing", at(path))
	}
	leaf := make([]matcher, 0, len(alternatives))
	for i, a := range alternatives {
		m, err := compileMatcher(a)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", at(path), i, err)
		}
		leaf = append(leaf, m)
	}
	return leaf, nil
}

func compileMatcher(v any) (matcher, error) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) != 1 {
			return nil, fmt.Errorf("a comparison has exactly one operator, found %d", len(v))
		}
		for operator, operand := range v {
			m, err := compileOperator(operator, operand)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", operator, err)
			}
			return m, nil
		}
	case []any:
		return nil, errors.New("an array inside an array is not allowed")
	}
	return present(func(value any) bool { return value == v }), nil
}

// match reports whether an event, or an object in one, matches.
func (p *pattern) match(object map[string]any) bool {
	for name, f := range p.fields {
		value, ok := object[name]
		if !f.match(value, ok) {
			return false
		}
	}
	for _, alternatives := range p.or {
		if !slices.ContainsFunc(alternatives, func(a *pattern) bool { return a.match(object) }) {
			return false
		}
	}
	return true
}

func (f field) match(value any, ok bool) bool {
	if f.nested != nil {
		switch v := value.(type) {
		case map[string]any:
			return f.nested.match(v)
		case []any: // of objects: one of them matches
			return slices.ContainsFunc(v, func(e any) bool { return f.match(e, true) })
		default: // exists: false holds below a field that is missing
			return !ok && f.nested.match(nil)
		}
	}
	if list, isList := value.([]any); isList && len(list) > 0 {
		return slices.ContainsFunc(list, func(e any) bool { return f.match(e, true) })
	}
	if _, isList := value.([]any); isList {
		ok = false // an empty array has no value
	}
	if _, isObject := value.(map[string]any); isObject {
		ok = false // exists looks at leaves only
	}
	return slices.ContainsFunc(f.leaf, func(m matcher) bool { return m(value, ok) })
}
