package states

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An expression is a JSON value in which strings of the form {% … %} are
// JSONata.
type expression struct {
	field   string          // where it stands, for errors: Arguments
	literal json.RawMessage // a value without JSONata in it
	jsonata string
	keys    []string // of an object, sorted
	members []*expression
	kind    byte // 'l' literal, 'j' JSONata, 'o' object, 'a' array
}

// expression reads a member, or returns nil when there is none.
func (p *parser) expression(object map[string]json.RawMessage, where, name string) *expression {
	raw, ok := object[name]
	if !ok {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		p.errorf(where, "%s: %w", name, err)
		return nil
	}
	return p.compile(v, where, name)
}

func (p *parser) compile(v any, where, field string) *expression {
	e := &expression{field: field, kind: 'l'}
	constant := true
	switch v := v.(type) {
	case string:
		source, isJSONata := strings.CutPrefix(v, "{%")
		body, closed := strings.CutSuffix(source, "%}")
		if isJSONata != closed {
			p.errorf(where, "%s: %q starts or ends as JSONata but not both: want {%% … %%}", field, v)
		}
		if isJSONata && closed {
			e.kind, e.jsonata = 'j', strings.TrimSpace(body)
			if err := p.engine.Check(e.jsonata); err != nil {
				p.errorf(where, "%s: the JSONata expression %q: %w", field, e.jsonata, err)
			}
			return e
		}
	case map[string]any:
		e.kind = 'o'
		for _, k := range slices.Sorted(maps.Keys(v)) {
			m := p.compile(v[k], where, field+"/"+k)
			e.keys, e.members = append(e.keys, k), append(e.members, m)
			constant = constant && m.kind == 'l'
		}
	case []any:
		e.kind = 'a'
		for i, x := range v {
			m := p.compile(x, where, fmt.Sprintf("%s[%d]", field, i))
			e.members = append(e.members, m)
			constant = constant && m.kind == 'l'
		}
	}
	if constant {
		b, err := json.Marshal(v)
		if err != nil {
			p.errorf(where, "%s: %w", field, err)
		}
		return &expression{field: field, kind: 'l', literal: b}
	}
	return e
}

var variableName = regexp.MustCompile(`^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]{0,79}$`)

// assignments reads Assign.
func (p *parser) assignments(object map[string]json.RawMessage, where string) *expression {
	e := p.expression(object, where, "Assign")
	if e == nil {
		return nil
	}
	var names map[string]json.RawMessage
	if err := json.Unmarshal(object["Assign"], &names); err != nil {
		p.errorf(where, "Assign must be an object of variables")
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if n == "states" || !variableName.MatchString(n) {
			p.errorf(where, "Assign: %q is not a name for a variable", n)
		}
	}
	return e
}

// assigned are the names that an Assign sets.
func (e *expression) assigned() []string {
	if e == nil {
		return nil
	}
	if e.kind == 'o' {
		return e.keys
	}
	var names map[string]json.RawMessage
	if json.Unmarshal(e.literal, &names) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(names))
}

// scopes checks that no inner flow assigns a variable of an outer one: a
// variable belongs to the flow whose states assign it.
func (p *parser) scopes(f flow, outer map[string]bool) {
	own := maps.Clone(outer)
	if own == nil {
		own = map[string]bool{}
	}
	for _, name := range slices.Sorted(maps.Keys(f.states)) {
		for _, e := range f.states[name].assigns() {
			for _, v := range e.assigned() {
				if outer[v] {
					p.errorf("state "+name, "Assign: variable %q exists outside of its flow and cannot be assigned inside", v)
				}
				own[v] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.states)) {
		for _, b := range f.states[name].branches {
			p.scopes(b, own)
		}
	}
}

func (s *state) assigns() []*expression {
	out := []*expression{s.assign}
	for _, r := range s.choices {
		out = append(out, r.assign)
	}
	for _, c := range s.catch {
		out = append(out, c.assign)
	}
	return out
}

// evaluate yields the value of e. A failure is States.QueryEvaluationError.
func (x *execution) evaluate(e *expression, variables map[string]json.RawMessage) (json.RawMessage, *failure) {
	switch e.kind {
	case 'j':
		v, err := x.service.engine.Evaluate(e.jsonata, variables)
		if err != nil {
			return nil, failf(queryEvaluationError, "The JSONata expression '%s' specified for the field '%s' failed: %v", e.jsonata, e.field, err)
		}
		return v, nil
	case 'o', 'a':
		return x.compose(e, variables)
	default:
		return e.literal, nil
	}
}

// compose evaluates the members of an object or array.
func (x *execution) compose(e *expression, variables map[string]json.RawMessage) (json.RawMessage, *failure) {
	open, end := byte('['), byte(']')
	if e.kind == 'o' {
		open, end = '{', '}'
	}
	out := []byte{open}
	for i, m := range e.members {
		if i > 0 {
			out = append(out, ',')
		}
		if e.kind == 'o' {
			key, err := json.Marshal(e.keys[i])
			if err != nil {
				return nil, failf(queryEvaluationError, "the field '%s': %v", e.field, err)
			}
			out = append(append(out, key...), ':')
		}
		v, f := x.evaluate(m, variables)
		if f != nil {
			return nil, f
		}
		out = append(out, v...)
	}
	return append(out, end), nil
}
