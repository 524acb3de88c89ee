package iam

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one key under one operator of a statement's Condition.
type condition struct {
	operator string // as written
	key      string // lower case
	values   []string
	match    func(have, want string) bool
	negated  bool
	ifExists bool
	null     bool
	forAll   bool // ForAllValues:, true for an absent key
	forAny   bool
}

// operators are the condition operators by their base name. A negated one is
// true if no wanted value matches.
var operators = map[string]struct {
	match   func(have, want string) bool
	negated bool
	valid   func(want string) error
}{
	"StringEquals":              {match: equal},
	"StringNotEquals":           {match: equal, negated: true},
	"StringEqualsIgnoreCase":    {match: strings.EqualFold},
	"StringNotEqualsIgnoreCase": {match: strings.EqualFold, negated: true},
	"StringLike":                {match: like},
	"StringNotLike":             {match: like, negated: true},
	"ArnEquals":                 {match: arnLike},
	"ArnLike":                   {match: arnLike},
	"ArnNotEquals":              {match: arnLike, negated: true},
	"ArnNotLike":                {match: arnLike, negated: true},
	"Bool":                      {match: strings.EqualFold, valid: validBool},
	"Null":                      {valid: validBool},
	"NumericEquals":             {match: numeric(func(c int) bool { return c == 0 }), valid: validNumber},
	"NumericNotEquals":          {match: numeric(func(c int) bool { return c == 0 }), negated: true, valid: validNumber},
	"NumericLessThan":           {match: numeric(func(c int) bool { return c < 0 }), valid: validNumber},
	"NumericLessThanEquals":     {match: numeric(func(c int) bool { return c <= 0 }), valid: validNumber},
	"NumericGreaterThan":        {match: numeric(func(c int) bool { return c > 0 }), valid: validNumber},
	"NumericGreaterThanEquals":  {match: numeric(func(c int) bool { return c >= 0 }), valid: validNumber},
	"DateEquals":                {match: date(func(c int) bool { return c == 0 }), valid: validDate},
	"DateNotEquals":             {match: date(func(c int) bool { return c == 0 }), negated: true, valid: validDate},
	"DateLessThan":              {match: date(func(c int) bool { return c < 0 }), valid: validDate},
	"DateLessThanEquals":        {match: date(func(c int) bool { return c <= 0 }), valid: validDate},
	"DateGreaterThan":           {match: date(func(c int) bool { return c > 0 }), valid: validDate},
	"DateGreaterThanEquals":     {match: date(func(c int) bool { return c >= 0 }), valid: validDate},
	"IpAddress":                 {match: inNetwork, valid: validNetwork},
	"NotIpAddress":              {match: inNetwork, negated: true, valid: validNetwork},
}

func compileConditions(raw map[string]map[string]stringList) ([]condition, error) {
	var out []condition
	for written, keys := range raw {
		name := written
		var c condition
		if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
			name, c.forAll = rest, true
		}
		if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
			name, c.forAny = rest, true
		}
		if rest, ok := strings.CutSuffix(name, "IfExists"); ok {
			name, c.ifExists = rest, true
		}
		op, ok := operators[name]
		if !ok {
			return nil, fmt.Errorf("the condition operator %q is not implemented here; it would have to be before this policy can be evaluated", written)
		}
		c.operator, c.match, c.negated, c.null = written, op.match, op.negated, name == "Null"
		for key, values := range keys {
			if op.valid != nil {
				for _, v := range values {
					if err := op.valid(v); err != nil {
						return nil, fmt.Errorf("condition %s of %s: %w", written, key, err)
					}
				}
			}
			one := c
			one.key, one.values = strings.ToLower(key), values
			out = append(out, one)
		}
	}
	slices.SortFunc(out, func(a, b condition) int {
		return strings.Compare(a.operator+a.key, b.operator+b.key)
	})
	return out, nil
}

// holds evaluates the condition against the request's keys (lower case).
func (c *condition) holds(keys map[string][]string) bool {
	have, ok := keys[c.key]
	if c.null {
		return slices.Contains(lower(c.values), strconv.FormatBool(!ok))
	}
	if !ok || len(have) == 0 {
		return c.ifExists || c.forAll || c.negated && !c.forAny
	}
	one := func(h string) bool {
		for _, w := range c.values {
			if c.match(h, substitute(w, keys)) {
				return !c.negated
			}
		}
		return c.negated
	}
	if c.forAll || c.negated && !c.forAny {
		return !slices.ContainsFunc(have, func(h string) bool { return !one(h) })
	}
	return slices.ContainsFunc(have, one)
}

// substitute replaces policy variables: ${key}, ${key, 'default'}, ${*}, ${?}
// and ${$}. An absent key without a default leaves text that matches nothing.
func substitute(pattern string, keys map[string][]string) string {
	if !strings.Contains(pattern, "${") {
		return pattern
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString("${" + rest)
			return b.String()
		}
		key, fallback, hasDefault := strings.Cut(name, ",")
		switch v := keys[strings.ToLower(strings.TrimSpace(key))]; {
		case name == "*" || name == "?" || name == "$":
			b.WriteString(name)
		case len(v) == 1:
			b.WriteString(v[0])
		case hasDefault:
			b.WriteString(strings.Trim(strings.TrimSpace(fallback), "'"))
		default:
			b.WriteString("\x00")
		}
		pattern = after
	}
}

func equal(have, want string) bool { return have == want }

func like(have, want string) bool { return glob(want, have) }

// arnLike matches the six parts of an ARN one by one, so that a wildcard does
// not reach over a colon before the resource.
func arnLike(have, want string) bool {
	h, w := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	if len(h) != 6 || len(w) != 6 {
		return want == "*"
	}
	for i := range h {
		if !glob(w[i], h[i]) {
			return false
		}
	}
	return true
}

func numeric(ok func(int) bool) func(have, want string) bool {
	return func(have, want string) bool {
		h, err1 := strconv.ParseFloat(have, 64)
		w, err2 := strconv.ParseFloat(want, 64)
		switch {
		case err1 != nil || err2 != nil:
			return false
		case h < w:
			return ok(-1)
		case h > w:
			return ok(1)
		}
		return ok(0)
	}
}

func date(ok func(int) bool) func(have, want string) bool {
	return func(have, want string) bool {
		h, err1 := parseDate(have)
		w, err2 := parseDate(want)
		return err1 == nil && err2 == nil && ok(h.Compare(w))
	}
}

func parseDate(s string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Parse(time.DateOnly, s)
}

func inNetwork(have, want string) bool {
	addr, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	if network, err := netip.ParsePrefix(want); err == nil {
		return network.Contains(addr)
	}
	return want == have
}

func validBool(s string) error {
	if !strings.EqualFold(s, "true") && !strings.EqualFold(s, "false") {
		return fmt.Errorf("%q is not true or false", s)
	}
	return nil
}

func validNumber(s string) error {
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return fmt.Errorf("%q is not a number", s)
	}
	return nil
}

func validDate(s string) error {
	if _, err := parseDate(s); err != nil {
		return fmt.Errorf("%q is not a date as in 2006-01-02T15:04:05Z", s)
	}
	return nil
}

func validNetwork(s string) error {
	if _, err := netip.ParsePrefix(s); err == nil {
		return nil
	}
	if _, err := netip.ParseAddr(s); err != nil {
		return fmt.Errorf("%q is neither an address nor a network", s)
	}
	return nil
}
