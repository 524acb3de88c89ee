package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/events/delivery"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

const enabled = "ENABLED"

var errNoBus = errors.New("event bus does not exist")

// A rule sends the events of one bus that match to its targets.
type rule struct {
	Name, Description, State, RoleArn string
	arn, bus                          string
	text                              string // of the pattern
	pattern                           *pattern
	managedBy                         string
	targets                           []target
}

// A target is one target of a rule, as in the API and in templates.
type target struct {
	Id               string            `json:"Id"`
	Arn              string            `json:"Arn"`
	RoleArn          string            `json:"RoleArn,omitempty"`
	Input            string            `json:"Input,omitempty"`
	InputPath        string            `json:"InputPath,omitempty"`
	InputTransformer *inputTransformer `json:"InputTransformer,omitempty"`
	DeadLetterConfig *deadLetter       `json:"DeadLetterConfig,omitempty"`
	RetryPolicy      *retryPolicy      `json:"RetryPolicy,omitempty"`
}

type deadLetter struct {
	Arn string `json:"Arn"`
}

type retryPolicy struct {
	MaximumRetryAttempts     *template.Int `json:"MaximumRetryAttempts,omitempty"`
	MaximumEventAgeInSeconds *template.Int `json:"MaximumEventAgeInSeconds,omitempty"`
}

func (p *retryPolicy) apply(t *delivery.Target) {
	if p != nil && p.MaximumRetryAttempts != nil {
		t.Retries = int(*p.MaximumRetryAttempts)
	}
	if p != nil && p.MaximumEventAgeInSeconds != nil {
		t.Age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}
}

// check reports what is wrong with a target.
func (t *target) check() error {
	if t.Id == "" {
		return fmt.Errorf("target %s has no Id", t.Arn)
	}
	inputs := 0
	for _, set := range []bool{t.Input != "", t.InputPath != "", t.InputTransformer != nil} {
		if set {
			inputs++
		}
	}
	if inputs > 1 {
		return fmt.Errorf("target %s: only one of Input, InputPath, or InputTransformer must be provided", t.Id)
	}
	if t.Input != "" && !json.Valid([]byte(t.Input)) {
		return fmt.Errorf("target %s: Input is not JSON", t.Id)
	}
	if t.InputPath != "" && !strings.HasPrefix(t.InputPath, "$") {
		return fmt.Errorf("target %s: InputPath %q does not start with $", t.Id, t.InputPath)
	}
	if t.InputTransformer != nil {
		if err := t.InputTransformer.check(); err != nil {
			return fmt.Errorf("target %s: %w", t.Id, err)
		}
	}
	if err := delivery.Check(t.Arn, &delivery.EventParameters{}); err != nil {
		return fmt.Errorf("target %s: %w", t.Id, err)
	}
	if strings.Contains(t.Arn, ":stateMachine:") && t.RoleArn == "" {
		return fmt.Errorf("target %s: RoleArn is required for target %s", t.Id, t.Arn)
	}
	return nil
}

// input is what the target receives for an event.
func (t *target) input(r *rule, e Event, original string) (string, error) {
	switch {
	case t.Input != "":
		return t.Input, nil
	case t.InputTransformer != nil:
		return t.InputTransformer.apply(r, e)
	case t.InputPath != "" && t.InputPath != "$":
		event, err := e.decoded()
		if err != nil {
			return "", err
		}
		v, err := jsonPath(event, t.InputPath)
		if err != nil {
			return "", fmt.Errorf("input path: %w", err)
		}
		b, err := json.Marshal(v)
		return string(b), err
	case strings.Contains(t.Arn, ":event-bus/"):
		return string(e.Detail), nil
	default:
		return original, nil
	}
}

func (s *Service) ruleARN(bus, name string) string {
	if bus == "default" {
		return s.config.Identity.ARN("events", "rule/"+name)
	}
	return s.config.Identity.ARN("events", "rule/"+bus+"/"+name)
}

// setRule adds or replaces a rule and keeps its targets.
func (s *Service) setRule(r rule) (*rule, error) {
	if r.text != "" {
		p, err := parsePattern([]byte(r.text))
		if err != nil {
			return nil, err
		}
		r.pattern = p
	}
	if r.State == "" {
		r.State = enabled
	}
	r.arn = s.ruleARN(r.bus, r.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	rules, ok := s.buses[r.bus]
	if !ok {
		return nil, fmt.Errorf("%w: %s", errNoBus, r.bus)
	}
	if old, ok := rules[r.Name]; ok {
		r.targets = old.targets
	}
	rules[r.Name] = &r
	return &r, nil
}

func (s *Service) putRule(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Name, ScheduleExpression, EventPattern, State, Description, RoleArn, EventBusName string
		Tags                                                                              json.RawMessage
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	bus := busName(in.EventBusName)
	if err := c.Authorize("events:PutRule", s.ruleARN(bus, in.Name)); err != nil {
		return nil, err
	}
	if in.ScheduleExpression != "" {
		return nil, kernel.Errorf(400, "ValidationException", "rules with a ScheduleExpression are not implemented by this endpoint; use EventBridge Scheduler")
	}
	managed := ""
	if strings.HasPrefix(in.Name, "StepFunctions") {
		managed = "states.amazonaws.com"
	}
	r, err := s.setRule(rule{
		Name: in.Name, Description: in.Description, State: in.State, RoleArn: in.RoleArn, bus: bus, text: in.EventPattern, managedBy: managed,
	})
	if errors.Is(err, errNoBus) {
		return nil, kernel.Errorf(400, "ResourceNotFoundException", "%v", err)
	}
	if err != nil {
		return nil, kernel.Errorf(400, "InvalidEventPatternException", "%v", err)
	}
	return map[string]any{"RuleArn": r.arn}, nil
}

// rule finds the rule of a call; s.mu is held.
func (s *Service) rule(c *kernel.Call, action, bus, name string) (*rule, error) {
	if err := c.Authorize("events:"+action, s.ruleARN(busName(bus), name)); err != nil {
		return nil, err
	}
	r, ok := s.buses[busName(bus)][name]
	if !ok {
		return nil, kernel.Errorf(400, "ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", name, busName(bus))
	}
	return r, nil
}

func (s *Service) putTargets(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Rule, EventBusName string
		Targets            []target
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(c, "PutTargets", in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	failed := []map[string]any{}
	for _, t := range in.Targets {
		if err := t.check(); err != nil {
			failed = append(failed, map[string]any{"TargetId": t.Id, "ErrorCode": "ValidationException", "ErrorMessage": err.Error()})
			continue
		}
		r.targets = append(slices.DeleteFunc(slices.Clone(r.targets), func(o target) bool { return o.Id == t.Id }), t)
	}
	return map[string]any{"FailedEntryCount": len(failed), "FailedEntries": failed}, nil
}

func (r *rule) describe() map[string]any {
	d := map[string]any{"Name": r.Name, "Arn": r.arn, "State": r.State, "EventBusName": r.bus}
	for k, v := range map[string]string{"EventPattern": r.text, "Description": r.Description, "RoleArn": r.RoleArn, "ManagedBy": r.managedBy} {
		if v != "" {
			d[k] = v
		}
	}
	return d
}

func (s *Service) describeRule(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Name, EventBusName string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(c, "DescribeRule", in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	return r.describe(), nil
}

func (s *Service) listRules(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ NamePrefix, EventBusName string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	bus := busName(in.EventBusName)
	if err := c.Authorize("events:ListRules", s.ruleARN(bus, "*")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.buses[bus])) {
		if strings.HasPrefix(name, in.NamePrefix) {
			list = append(list, s.buses[bus][name].describe())
		}
	}
	return map[string]any{"Rules": list}, nil
}

func (s *Service) listTargetsByRule(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Rule, EventBusName string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(c, "ListTargetsByRule", in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Targets": append([]target{}, r.targets...)}, nil
}

func (s *Service) testEventPattern(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ EventPattern, Event string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("events:TestEventPattern", "*"); err != nil {
		return nil, err
	}
	p, err := parsePattern([]byte(in.EventPattern))
	if err != nil {
		return nil, kernel.Errorf(400, "InvalidEventPatternException", "%v", err)
	}
	v, err := decode([]byte(in.Event))
	object, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, kernel.Errorf(400, "ValidationException", "Parameter Event is not valid: it must be a JSON object.")
	}
	return map[string]any{"Result": p.match(object)}, nil
}

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::Events::EventBus": s.createBus,
		"AWS::Events::Rule":     s.createRule,
	}
}

func (s *Service) createBus(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Name, Description string
		DeadLetterConfig  template.Ignored
		Tags              template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if p.Name == "" || p.Name == "default" || strings.Contains(p.Name, "/") {
		return kernel.Physical{}, template.Errorf(r, "Name is %q: an event bus needs a name of its own, without a slash", p.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buses[p.Name]; !ok {
		s.buses[p.Name] = map[string]*rule{}
	}
	return kernel.Physical{Ref: p.Name, Attributes: map[string]any{"Arn": s.busARN(p.Name), "Name": p.Name}}, nil
}

func (s *Service) createRule(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Name, Description, State, RoleArn, EventBusName, ScheduleExpression string
		EventPattern                                                        json.RawMessage
		Targets                                                             []target
		Tags                                                                template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if p.ScheduleExpression != "" {
		return kernel.Physical{}, template.Errorf(r, "ScheduleExpression is not implemented by this endpoint; use AWS::Scheduler::Schedule")
	}
	if len(p.EventPattern) == 0 {
		return kernel.Physical{}, template.Errorf(r, "EventPattern is missing")
	}
	for _, t := range p.Targets {
		if err := t.check(); err != nil {
			return kernel.Physical{}, template.Errorf(r, "%w", err)
		}
		if t.RoleArn != "" {
			if _, err := s.config.Roles.Assume(t.RoleArn, "events.amazonaws.com"); err != nil {
				return kernel.Physical{}, template.Errorf(r, "target %s: %w", t.Id, err)
			}
		}
	}
	bus := busName(p.EventBusName)
	made, err := s.setRule(rule{
		Name: template.Name(r, p.Name, 64), Description: p.Description, State: p.State, RoleArn: p.RoleArn, bus: bus, text: string(p.EventPattern),
	})
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	s.mu.Lock()
	made.targets = p.Targets
	s.mu.Unlock()
	ref := made.Name
	if bus != "default" {
		ref = bus + "|" + made.Name
	}
	return kernel.Physical{Ref: ref, Attributes: map[string]any{"Arn": made.arn}}, nil
}

// fromEpoch is the time of a timestamp in seconds since the epoch.
func fromEpoch(seconds float64) time.Time {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(part*1e3))*1e6).UTC()
}
