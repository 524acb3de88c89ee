package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
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

// present makes a matcher that a missing field fails.
func present(f func(any) bool) matcher {
	return func(value any, ok bool) bool { return ok && f(value) }
}

// ofString makes a matcher that only strings can pass.
func ofString(f func(string) bool) matcher {
	return present(func(value any) bool { s, ok := value.(string); return ok && f(s) })
}

func compileOperator(operator string, operand any) (matcher, error) {
	switch operator {
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, errors.New("must be true or false")
		}
		return func(_ any, present bool) bool { return present == want }, nil
	case "prefix", "suffix", "equals-ignore-case", "wildcard":
		f, err := compileText(operator, operand)
		if err != nil {
			return nil, err
		}
		return ofString(f), nil
	case "numeric":
		return compileNumeric(operand)
	case "cidr":
		text, _ := operand.(string)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("must be a CIDR block such as 10.0.0.0/24: %w", err)
		}
		return ofString(func(s string) bool {
			address, err := netip.ParseAddr(s)
			return err == nil && prefix.Masked().Contains(address)
		}), nil
	case "anything-but":
		return compileAnythingBut(operand)
	default:
		return nil, errors.New("unrecognized match type")
	}
}

// compileText compiles a comparison of strings.
func compileText(operator string, operand any) (func(string) bool, error) {
	fold := false
	if nested, ok := operand.(map[string]any); ok && len(nested) == 1 && (operator == "prefix" || operator == "suffix") {
		if operand, fold = nested["equals-ignore-case"]; !fold {
			return nil, errors.New("takes a string or an equals-ignore-case")
		}
	}
	want, ok := operand.(string)
	if !ok {
		return nil, errors.New("must be a string")
	}
	switch operator {
	case "prefix":
		return func(s string) bool {
			return len(s) >= len(want) && equal(s[:len(want)], want, fold)
		}, nil
	case "suffix":
		return func(s string) bool {
			return len(s) >= len(want) && equal(s[len(s)-len(want):], want, fold)
		}, nil
	case "equals-ignore-case":
		return func(s string) bool { return strings.EqualFold(s, want) }, nil
	default:
		return compileWildcard(want)
	}
}

func equal(a, b string, fold bool) bool {
	if fold {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// compileWildcard compiles a pattern in which * stands for any run of
// characters, \* for a star and \\ for a backslash.
func compileWildcard(want string) (func(string) bool, error) {
	var parts []string // literal text between stars
	part := strings.Builder{}
	for i := 0; i < len(want); i++ {
		switch {
		case want[i] == '\\' && i+1 < len(want) && (want[i+1] == '*' || want[i+1] == '\\'):
			i++
			part.WriteByte(want[i])
		case want[i] == '\\':
			return nil, fmt.Errorf("invalid escape character at position %d", i)
		case want[i] == '*' && i > 0 && want[i-1] == '*' && part.Len() == 0:
			return nil, fmt.Errorf("consecutive wildcard characters at position %d", i-1)
		case want[i] == '*':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(want[i])
		}
	}
	parts = append(parts, part.String())
	if len(parts) == 1 {
		return func(s string) bool { return s == parts[0] }, nil
	}
	return func(s string) bool {
		first, last := parts[0], parts[len(parts)-1]
		if !strings.HasPrefix(s, first) || !strings.HasSuffix(s[len(first):], last) {
			return false
		}
		s = s[len(first) : len(s)-len(last)]
		for _, p := range parts[1 : len(parts)-1] {
			_, rest, ok := strings.Cut(s, p)
			if !ok {
				return false
			}
			s = rest
		}
		return true
	}, nil
}

func compileNumeric(operand any) (matcher, error) {
	terms, ok := operand.([]any)
	if !ok || len(terms) == 0 || len(terms)%2 != 0 || len(terms) > 4 {
		return nil, errors.New(`must be an array such as [">", 0, "<=", 5]`)
	}
	type bound struct {
		operator string
		limit    float64
	}
	var bounds []bound
	for i := 0; i < len(terms); i += 2 {
		operator, ok := terms[i].(string)
		if !ok || !slices.Contains([]string{"=", "<", "<=", ">", ">="}, operator) {
			return nil, fmt.Errorf("%v is not one of =, <, <=, >, >=", terms[i])
		}
		n, ok := terms[i+1].(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v is not a number", terms[i+1])
		}
		limit, err := n.Float64()
		if err != nil || limit < -5e9 || limit > 5e9 {
			return nil, fmt.Errorf("%s is outside -5.0e9 to 5.0e9", n)
		}
		bounds = append(bounds, bound{operator, limit})
	}
	return present(func(value any) bool {
		n, ok := value.(json.Number)
		if !ok {
			return false
		}
		v, err := n.Float64()
		if err != nil {
			return false
		}
		return !slices.ContainsFunc(bounds, func(b bound) bool {
			switch b.operator {
			case "=":
				return v != b.limit
			case "<":
				return v >= b.limit
			case "<=":
				return v > b.limit
			case ">":
				return v <= b.limit
			default:
				return v < b.limit
			}
		})
	}), nil
}

// compileAnythingBut compiles the negation of values, of prefixes, suffixes,
// wildcards or texts whatever their case.
func compileAnythingBut(operand any) (matcher, error) {
	if nested, ok := operand.(map[string]any); ok {
		if len(nested) != 1 {
			return nil, fmt.Errorf("takes one nested operator, found %d", len(nested))
		}
		for operator, value := range nested {
			if !slices.Contains([]string{"prefix", "suffix", "equals-ignore-case", "wildcard"}, operator) {
				return nil, fmt.Errorf("%s: unsupported inside anything-but", operator)
			}
			values, isList := value.([]any)
			if !isList {
				values = []any{value}
			}
			var tests []func(string) bool
			for _, v := range values {
				f, err := compileText(operator, v)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", operator, err)
				}
				tests = append(tests, f)
			}
			return ofString(func(s string) bool {
				return !slices.ContainsFunc(tests, func(f func(string) bool) bool { return f(s) })
			}), nil
		}
	}
	values, isList := operand.([]any)
	if !isList {
		values = []any{operand}
	}
	if len(values) == 0 {
		return nil, errors.New("an empty array excludes nothing")
	}
	for _, v := range values {
		switch v.(type) {
		case string, json.Number:
		default:
			return nil, errors.New("takes strings or numbers")
		}
	}
	return present(func(value any) bool { return !slices.Contains(values, value) }), nil
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
