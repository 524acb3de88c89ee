package states

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/services/states/jsonata"
)

// A machine is a parsed definition.
type machine struct {
	flow
	timeout time.Duration // of an execution, business time; 0: none
}

// A flow is a set of states with an entrance: a machine, a branch, or what a
// Map does with each item.
type flow struct {
	startAt string
	states  map[string]*state
}

// Types of states.
const (
	task     = "Task"
	pass     = "Pass"
	choice   = "Choice"
	wait     = "Wait"
	succeed  = "Succeed"
	fail     = "Fail"
	parallel = "Parallel"
	mapState = "Map"
)

// A state is one parsed state. Which members it has depends on its kind.
type state struct {
	name, kind, next string // next is empty in an end state
	arguments        *expression
	output           *expression
	assign           *expression
	retry            []retrier
	catch            []catcher

	resource  resource    // Task
	timeout   *expression // Task: seconds
	heartbeat *expression // Task: seconds

	choices   []rule // Choice
	byDefault string // Choice

	seconds, timestamp *expression // Wait

	failError, failCause *expression // Fail

	branches []flow // Parallel; one in a Map

	items, itemSelector, maxConcurrency *expression // Map
}

// A rule is one rule of a Choice.
type rule struct {
	condition, output, assign *expression
	next                      string
}

// fields are the members that a state of each type may have in JSONata, beside
// those of every state.
var fields = map[string][]string{
	task:     {"Resource", "Arguments", "Output", "Assign", "Retry", "Catch", "TimeoutSeconds", "HeartbeatSeconds", "Next", "End"},
	pass:     {"Output", "Assign", "Next", "End"},
	choice:   {"Choices", "Default", "Output", "Assign"},
	wait:     {"Seconds", "Timestamp", "Output", "Assign", "Next", "End"},
	succeed:  {"Output"},
	fail:     {"Error", "Cause"},
	parallel: {"Branches", "Arguments", "Output", "Assign", "Retry", "Catch", "Next", "End"},
	mapState: {"Items", "ItemSelector", "ItemProcessor", "MaxConcurrency", "Output", "Assign", "Retry", "Catch", "Next", "End"},
}

// jsonPath are the members that only JSONPath has, and what to use instead.
var jsonPath = map[string]string{
	"Parameters": "Arguments", "InputPath": "Arguments", "OutputPath": "Output", "ResultPath": "Output", "ResultSelector": "Output",
	"Result": "Output", "ItemsPath": "Items", "SecondsPath": "Seconds", "TimestampPath": "Timestamp", "TimeoutSecondsPath": "TimeoutSeconds",
	"HeartbeatSecondsPath": "HeartbeatSeconds", "MaxConcurrencyPath": "MaxConcurrency", "ErrorPath": "Error", "CausePath": "Cause",
	"Iterator": "ItemProcessor", "Variable": "Condition",
}

// A parser reads a definition. It goes on after an error, so that all of them
// are reported at once.
type parser struct {
	engine *jsonata.Engine
	errors []error
	names  map[string]bool
}

func (p *parser) errorf(where, format string, args ...any) {
	p.errors = append(p.errors, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

// parse reads a definition, or reports everything that is wrong with it.
func parse(definition []byte, engine *jsonata.Engine) (*machine, error) {
	p := &parser{engine: engine, names: map[string]bool{}}
	var top map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(definition))
	if err := d.Decode(&top); err != nil {
		return nil, fmt.Errorf("definition is not a JSON object: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("definition: more than one JSON value")
	}
	m := &machine{}
	language := p.text(top, "definition", "QueryLanguage")
	for _, name := range slices.Sorted(maps.Keys(top)) {
		switch name {
		case "Comment", "Version", "QueryLanguage", "StartAt", "States":
		case "TimeoutSeconds":
			var seconds int64
			if err := json.Unmarshal(top[name], &seconds); err != nil || seconds < 1 {
				p.errorf("definition", "TimeoutSeconds is %s, want a positive whole number", top[name])
			}
			m.timeout = time.Duration(seconds) * time.Second
		default:
			p.errorf("definition", "unknown field %s", name)
		}
	}
	m.flow = p.flow(top, "definition", language)
	p.scopes(m.flow, nil)
	return m, errors.Join(p.errors...)
}

// text reads a string member, or "" when there is none.
func (p *parser) text(object map[string]json.RawMessage, where, name string) string {
	raw, ok := object[name]
	if !ok {
		return ""
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		p.errorf(where, "%s must be a string", name)
	}
	return s
}

// flow reads StartAt and States of an object.
func (p *parser) flow(object map[string]json.RawMessage, where, language string) flow {
	f := flow{startAt: p.text(object, where, "StartAt"), states: map[string]*state{}}
	var all map[string]map[string]json.RawMessage
	if err := json.Unmarshal(object["States"], &all); err != nil || len(all) == 0 {
		p.errorf(where, "States must be an object with at least one state")
		return f
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if p.names[name] {
			p.errorf("state "+name, "there are two states of this name; names are unique in a state machine")
		}
		p.names[name] = true
		if len(name) > 80 {
			p.errorf("state "+name, "the name is longer than 80 characters")
		}
		f.states[name] = p.state(name, all[name], language)
	}
	if _, ok := f.states[f.startAt]; !ok {
		p.errorf(where, "StartAt is %q, which is not one of its states", f.startAt)
	}
	p.reach(f)
	return f
}

// reach checks that transitions stay inside a flow, that every state can be
// reached, and that the flow can end.
func (p *parser) reach(f flow) {
	reached, ends := map[string]bool{f.startAt: true}, false
	for _, name := range slices.Sorted(maps.Keys(f.states)) {
		s := f.states[name]
		ends = ends || s.next == "" && s.kind != choice
		for _, to := range s.targets() {
			if _, ok := f.states[to]; !ok {
				p.errorf("state "+name, "the next state %q does not exist beside it", to)
			}
			reached[to] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.states)) {
		if !reached[name] {
			p.errorf("state "+name, "no state leads to it")
		}
	}
	if !ends {
		p.errorf("state "+f.startAt, "there is no state in which its flow ends")
	}
}

// targets are the states to which s can lead.
func (s *state) targets() []string {
	var out []string
	add := func(name string) {
		if name != "" {
			out = append(out, name)
		}
	}
	add(s.next)
	add(s.byDefault)
	for _, r := range s.choices {
		add(r.next)
	}
	for _, c := range s.catch {
		add(c.next)
	}
	return out
}

func (p *parser) state(name string, object map[string]json.RawMessage, language string) *state {
	where := "state " + name
	s := &state{name: name, kind: p.text(object, where, "Type")}
	if own := p.text(object, where, "QueryLanguage"); own != "" {
		language = own
	}
	if language != "JSONata" {
		p.errorf(where, "its QueryLanguage is %s; this endpoint runs JSONata only: set QueryLanguage to JSONata", orDefault(language, "JSONPath, the default"))
		return s
	}
	known, ok := fields[s.kind]
	if !ok {
		p.errorf(where, "Type is %q, want one of %s", s.kind, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		return s
	}
	for _, field := range slices.Sorted(maps.Keys(object)) {
		switch {
		case slices.Contains([]string{"Type", "Comment", "QueryLanguage"}, field) || slices.Contains(known, field):
		case jsonPath[strings.TrimSuffix(field, ".$")] != "":
			p.errorf(where, "%s is of JSONPath; a %s state in JSONata has %s", field, s.kind, jsonPath[strings.TrimSuffix(field, ".$")])
		default:
			p.errorf(where, "field %s is not supported in a %s state by this endpoint", field, s.kind)
		}
	}
	p.transition(s, object, where)
	s.arguments = p.expression(object, where, "Arguments")
	s.output = p.expression(object, where, "Output")
	s.assign = p.assignments(object, where)
	s.retry, s.catch = p.retriers(object, where), p.catchers(object, where)
	p.details(s, object, where, language)
	return s
}

// transition reads Next or End.
func (p *parser) transition(s *state, object map[string]json.RawMessage, where string) {
	if !slices.Contains(fields[s.kind], "Next") {
		return
	}
	s.next = p.text(object, where, "Next")
	var end bool
	if raw, ok := object["End"]; ok && json.Unmarshal(raw, &end) != nil {
		p.errorf(where, "End must be true or false")
	}
	if end == (s.next != "") {
		p.errorf(where, "it needs either Next or \"End\": true")
	}
}

// details reads what only states of s's kind have.
func (p *parser) details(s *state, object map[string]json.RawMessage, where, language string) {
	switch s.kind {
	case task:
		var err error
		if s.resource, err = parseResource(p.text(object, where, "Resource")); err != nil {
			p.errorf(where, "%w", err)
		}
		s.timeout, s.heartbeat = p.expression(object, where, "TimeoutSeconds"), p.expression(object, where, "HeartbeatSeconds")
	case choice:
		p.choice(s, object, where)
	case wait:
		s.seconds, s.timestamp = p.expression(object, where, "Seconds"), p.expression(object, where, "Timestamp")
		if (s.seconds == nil) == (s.timestamp == nil) {
			p.errorf(where, "it needs either Seconds or Timestamp")
		}
	case fail:
		s.failError, s.failCause = p.expression(object, where, "Error"), p.expression(object, where, "Cause")
	case parallel:
		var branches []map[string]json.RawMessage
		if err := json.Unmarshal(object["Branches"], &branches); err != nil || len(branches) == 0 {
			p.errorf(where, "Branches must be an array with at least one branch")
		}
		for i, b := range branches {
			s.branches = append(s.branches, p.nested(b, fmt.Sprintf("%s, branch %d", where, i), language))
		}
	case mapState:
		p.mapState(s, object, where, language)
	}
}

// nested reads a flow inside a state.
func (p *parser) nested(object map[string]json.RawMessage, where, language string, more ...string) flow {
	if own := p.text(object, where, "QueryLanguage"); own != "" {
		language = own
	}
	for _, field := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(append(more, "Comment", "StartAt", "States", "QueryLanguage"), field) {
			p.errorf(where, "unknown field %s", field)
		}
	}
	return p.flow(object, where, language)
}

func (p *parser) choice(s *state, object map[string]json.RawMessage, where string) {
	s.byDefault = p.text(object, where, "Default")
	var rules []map[string]json.RawMessage
	if err := json.Unmarshal(object["Choices"], &rules); err != nil || len(rules) == 0 {
		p.errorf(where, "Choices must be an array with at least one rule")
	}
	for i, r := range rules {
		at := fmt.Sprintf("%s, choice %d", where, i)
		for _, field := range slices.Sorted(maps.Keys(r)) {
			if !slices.Contains([]string{"Comment", "Condition", "Next", "Output", "Assign"}, field) {
				p.errorf(at, "field %s is not one of a rule in JSONata: Condition, Next, Output, Assign", field)
			}
		}
		c := rule{
			condition: p.expression(r, at, "Condition"), next: p.text(r, at, "Next"),
			output: p.expression(r, at, "Output"), assign: p.assignments(r, at),
		}
		if c.condition == nil || c.next == "" {
			p.errorf(at, "it needs a Condition and a Next")
		}
		s.choices = append(s.choices, c)
	}
}

func (p *parser) mapState(s *state, object map[string]json.RawMessage, where, language string) {
	s.items, s.itemSelector = p.expression(object, where, "Items"), p.expression(object, where, "ItemSelector")
	s.maxConcurrency = p.expression(object, where, "MaxConcurrency")
	var processor map[string]json.RawMessage
	if err := json.Unmarshal(object["ItemProcessor"], &processor); err != nil || processor == nil {
		p.errorf(where, "ItemProcessor must be an object")
		return
	}
	if raw, ok := processor["ProcessorConfig"]; ok {
		var config struct{ Mode, ExecutionType string }
		if err := json.Unmarshal(raw, &config); err != nil || config.Mode != "" && config.Mode != "INLINE" {
			p.errorf(where, "ItemProcessor's mode is %s; this endpoint runs INLINE maps only", orDefault(config.Mode, "not readable"))
		}
	}
	s.branches = []flow{p.nested(processor, where+", item processor", language, "ProcessorConfig")}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
