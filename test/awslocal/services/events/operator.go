package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

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
