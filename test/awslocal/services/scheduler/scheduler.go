// Package scheduler is Amazon EventBridge Scheduler: schedules on the business
// clock that invoke their target as their role.
//
// A rate schedule without a start date is due for the first time one period
// after it was created. AWS documents that it starts at once; a first
// invocation at the moment of deployment would say nothing about business time.
// With a start date it is due at that date and every period after, as in AWS.
// A flexible window is used at its start.
package scheduler

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/events/delivery"
)

// Config is what the service needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Invoker  kernel.Invoker
	Roles    kernel.RoleSession
	Log      *slog.Logger
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// Service is the scheduler.
type Service struct {
	config  Config
	courier *delivery.Courier

	mu        sync.Mutex
	groups    map[string]bool
	schedules map[string]*schedule // by ARN
}

// New returns the service. Close ends it.
func New(c Config) *Service {
	return &Service{
		config: c, courier: delivery.New(delivery.Config(c)),
		groups: map[string]bool{"default": true}, schedules: map[string]*schedule{},
	}
}

// Close cancels what is due, ends deliveries under way and waits for them.
func (s *Service) Close() {
	s.mu.Lock()
	for _, x := range s.schedules {
		x.cancel()
	}
	s.mu.Unlock()
	s.courier.Close()
}

// Name implements kernel.Service.
func (s *Service) Name() string { return "scheduler" }

// A schedule is one schedule as it is set.
type schedule struct {
	definition
	arn      string
	created  time.Time
	modified time.Time
	when     expression
	cancel   func() // of the timer of the next invocation
}

// A definition is what the API and a template say of a schedule.
type definition struct {
	Name, GroupName, Description                   string
	ScheduleExpression, ScheduleExpressionTimezone string
	State, ActionAfterCompletion, KmsKeyArn        string
	StartDate, EndDate                             *time.Time
	FlexibleTimeWindow                             window
	Target                                         target
}

type window struct {
	Mode                   string `json:"Mode"`
	MaximumWindowInMinutes int    `json:"MaximumWindowInMinutes,omitempty"`
}

type target struct {
	Arn                   string                 `json:"Arn"`
	RoleArn               string                 `json:"RoleArn"`
	Input                 string                 `json:"Input,omitempty"`
	DeadLetterConfig      *deadLetter            `json:"DeadLetterConfig,omitempty"`
	RetryPolicy           *retryPolicy           `json:"RetryPolicy,omitempty"`
	EventBridgeParameters *eventBridgeParameters `json:"EventBridgeParameters,omitempty"`
}

type deadLetter struct {
	Arn string `json:"Arn,omitempty"`
}

type retryPolicy struct {
	MaximumEventAgeInSeconds *int `json:"MaximumEventAgeInSeconds,omitempty"`
	MaximumRetryAttempts     *int `json:"MaximumRetryAttempts,omitempty"`
}

type eventBridgeParameters struct {
	DetailType string `json:"DetailType"`
	Source     string `json:"Source"`
}

func (d *definition) arn(id kernel.Identity) string {
	return id.ARN("scheduler", "schedule/"+d.GroupName+"/"+d.Name)
}

// check completes d with defaults and reports what is wrong with it.
func (s *Service) check(d *definition) (expression, error) {
	if d.GroupName == "" {
		d.GroupName = "default"
	}
	if d.State == "" {
		d.State = "ENABLED"
	}
	if d.ActionAfterCompletion == "" {
		d.ActionAfterCompletion = "NONE"
	}
	if d.ScheduleExpressionTimezone == "" {
		d.ScheduleExpressionTimezone = "UTC"
	}
	when, err := parseExpression(d.ScheduleExpression, d.ScheduleExpressionTimezone)
	if err != nil {
		return nil, err
	}
	if mode := d.FlexibleTimeWindow.Mode; mode != "OFF" && mode != "FLEXIBLE" {
		return nil, fmt.Errorf("FlexibleTimeWindow.Mode is %q, want OFF or FLEXIBLE", mode)
	}
	if d.State != "ENABLED" && d.State != "DISABLED" {
		return nil, fmt.Errorf("the State is %q, want ENABLED or DISABLED", d.State)
	}
	if d.StartDate != nil && d.EndDate != nil && !d.StartDate.Before(*d.EndDate) {
		return nil, fmt.Errorf("StartDate %s is not before EndDate %s", d.StartDate.Format(time.RFC3339), d.EndDate.Format(time.RFC3339))
	}
	if err := delivery.Check(d.Target.Arn, d.Target.event()); err != nil {
		return nil, err
	}
	if d.Target.RoleArn == "" {
		return nil, fmt.Errorf("Target.RoleArn is missing: a schedule invokes %s as a role", d.Target.Arn)
	}
	if _, err := s.config.Roles.Assume(d.Target.RoleArn, "scheduler.amazonaws.com"); err != nil {
		return nil, fmt.Errorf("the execution role you provide must allow AWS EventBridge Scheduler to assume the role: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.groups[d.GroupName] {
		return nil, fmt.Errorf("schedule group %s does not exist", d.GroupName)
	}
	return when, nil
}

func (t target) event() *delivery.EventParameters {
	if t.EventBridgeParameters == nil {
		return nil
	}
	return &delivery.EventParameters{Source: t.EventBridgeParameters.Source, DetailType: t.EventBridgeParameters.DetailType}
}

// set adds a schedule or replaces one, which then keeps its time of creation.
func (s *Service) set(d definition) (*schedule, error) {
	when, err := s.check(&d)
	if err != nil {
		return nil, err
	}
	now := s.config.Clock.Now()
	x := &schedule{definition: d, arn: d.arn(s.config.Identity), created: now, modified: now, when: when, cancel: func() {}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.schedules[x.arn]; ok {
		old.cancel()
		x.created = old.created
	}
	s.schedules[x.arn] = x
	s.arm(x, now)
	return x, nil
}

// arm sets the timer of the first invocation after t; s.mu is held.
func (s *Service) arm(x *schedule, t time.Time) {
	if x.State != "ENABLED" {
		return
	}
	anchor := x.created.Truncate(time.Second)
	if x.StartDate != nil {
		anchor = x.StartDate.UTC()
		if before := anchor.Add(-1); t.Before(before) {
			t = before
		}
	}
	due, ok := x.when.next(t, anchor)
	if _, isRate := x.when.(every); isRate && x.StartDate != nil && t.Before(anchor) {
		due = anchor // the start date is itself an occurrence
	}
	if !ok || x.EndDate != nil && due.After(*x.EndDate) {
		if x.ActionAfterCompletion == "DELETE" && x.State == "ENABLED" {
			delete(s.schedules, x.arn)
		}
		return
	}
	x.cancel = clock.At(s.config.Clock, due, x.arn, func() { s.fire(x, due) })
}

// fire invokes the target of x for the time at which it was due.
func (s *Service) fire(x *schedule, due time.Time) {
	s.mu.Lock()
	current := s.schedules[x.arn] == x
	if current {
		s.arm(x, due)
	}
	s.mu.Unlock()
	if !current {
		return
	}
	id := s.config.Identity
	execution := newID()
	scheduled := due.UTC().Format("2006-01-02T15:04:05Z")
	input := func(attempt int) string {
		if x.Target.Input == "" {
			return defaultInput(id, x.arn, execution, scheduled)
		}
		return strings.NewReplacer(
			"<aws.scheduler.scheduled-time>", scheduled, "<aws.scheduler.execution-id>", execution,
			"<aws.scheduler.schedule-arn>", x.arn, "<aws.scheduler.attempt-number>", strconv.Itoa(attempt),
		).Replace(x.Target.Input)
	}
	t := delivery.Target{
		ARN: x.Target.Arn, Role: x.Target.RoleArn, Service: "scheduler.amazonaws.com", Source: x.arn,
		Retries: delivery.DefaultAttempts, Age: delivery.DefaultAge, Event: x.Target.event(),
	}
	if x.Target.DeadLetterConfig != nil {
		t.DeadLetter = x.Target.DeadLetterConfig.Arn
	}
	if p := x.Target.RetryPolicy; p != nil && p.MaximumRetryAttempts != nil {
		t.Retries = *p.MaximumRetryAttempts
	}
	if p := x.Target.RetryPolicy; p != nil && p.MaximumEventAgeInSeconds != nil {
		t.Age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}
	s.courier.Deliver(t, delivery.Payload{
		Input:      func(attempt int) (string, error) { return input(attempt), nil },
		DeadLetter: input(1),
		Attributes: map[string]string{"SCHEDULE_ARN": x.arn, "SCHEDULED_TIME": scheduled, "EXECUTION_ID": execution},
	})
}

// defaultInput is what a target without Input receives.
func defaultInput(id kernel.Identity, arn, execution, scheduled string) string {
	b, err := json.Marshal(map[string]any{
		"version": "0", "id": execution, "detail-type": "Scheduled Event", "source": "aws.scheduler", "account": id.Account,
		"time": scheduled, "region": id.Region, "resources": []string{arn}, "detail": "{}",
	})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(b)
}

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// list are the schedules that hold, by ARN.
func (s *Service) list(hold func(*schedule) bool) []*schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*schedule
	for _, arn := range slices.Sorted(maps.Keys(s.schedules)) {
		if hold(s.schedules[arn]) {
			out = append(out, s.schedules[arn])
		}
	}
	return out
}

// find returns a schedule, or nil.
func (s *Service) find(arn string) *schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schedules[arn]
}

// remove deletes a schedule and reports whether there was one.
func (s *Service) remove(arn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.schedules[arn]
	if ok {
		x.cancel()
		delete(s.schedules, arn)
	}
	return ok
}
