package scheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"CreateSchedule": s.create,
		"UpdateSchedule": s.update,
		"DeleteSchedule": s.delete,
		"GetSchedule":    s.get,
		"ListSchedules":  s.listSchedules,
	}
}

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::Scheduler::Schedule":      s.provideSchedule,
		"AWS::Scheduler::ScheduleGroup": s.provideGroup,
	}
}

func (s *Service) provideGroup(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Name string
		Tags template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	name := template.Name(r, p.Name, 64)
	s.mu.Lock()
	s.groups[name] = true
	s.mu.Unlock()
	return kernel.Physical{Ref: name, Attributes: map[string]any{
		"Arn": s.config.Identity.ARN("scheduler", "schedule-group/"+name), "State": "ACTIVE",
	}}, nil
}

func (s *Service) provideSchedule(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var d definition
	if err := template.Decode(r, &d); err != nil {
		return kernel.Physical{}, err
	}
	d.Name = template.Name(r, d.Name, 64)
	x, err := s.set(d)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	return kernel.Physical{Ref: d.Name, Attributes: map[string]any{"Arn": x.arn}}, nil
}

// A request is a definition with the API's timestamps, in seconds since the
// epoch.
type request struct {
	Name, GroupName, Description                   string
	ScheduleExpression, ScheduleExpressionTimezone string
	State, ActionAfterCompletion, KmsKeyArn        string
	StartDate, EndDate                             *float64
	FlexibleTimeWindow                             window
	Target                                         json.RawMessage
	ClientToken                                    string
}

// definition reads a create or update request. A target parameter that is not
// implemented is an error.
func (q *request) definition() (definition, error) {
	d := definition{
		Name: q.Name, GroupName: q.GroupName, Description: q.Description, ScheduleExpression: q.ScheduleExpression,
		ScheduleExpressionTimezone: q.ScheduleExpressionTimezone, State: q.State, ActionAfterCompletion: q.ActionAfterCompletion,
		KmsKeyArn: q.KmsKeyArn, StartDate: fromEpoch(q.StartDate), EndDate: fromEpoch(q.EndDate), FlexibleTimeWindow: q.FlexibleTimeWindow,
	}
	decoder := json.NewDecoder(bytes.NewReader(q.Target))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d.Target); err != nil {
		return d, kernel.Errorf(400, "ValidationException", "Target: %v", err)
	}
	return d, nil
}

func (s *Service) put(c *kernel.Call, action string, exists bool) (any, error) {
	var in request
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if in.GroupName == "" {
		in.GroupName = "default"
	}
	key := definition{Name: in.Name, GroupName: in.GroupName}
	arn := key.arn(s.config.Identity)
	if err := c.Authorize("scheduler:"+action, arn); err != nil {
		return nil, err
	}
	switch found := s.find(arn) != nil; {
	case exists && !found:
		return nil, kernel.Errorf(404, "ResourceNotFoundException", "Schedule %s does not exist.", in.Name)
	case !exists && found:
		return nil, kernel.Errorf(409, "ConflictException", "Schedule %s already exists.", in.Name)
	}
	d, err := in.definition()
	if err != nil {
		return nil, err
	}
	if err := c.Authorize("iam:PassRole", d.Target.RoleArn); err != nil {
		return nil, err
	}
	x, err := s.set(d)
	if err != nil {
		return nil, kernel.Errorf(400, "ValidationException", "%v", err)
	}
	return map[string]any{"ScheduleArn": x.arn}, nil
}

func (s *Service) create(_ context.Context, c *kernel.Call) (any, error) {
	return s.put(c, "CreateSchedule", false)
}

func (s *Service) update(_ context.Context, c *kernel.Call) (any, error) {
	return s.put(c, "UpdateSchedule", true)
}

// named reads the name in a request and authorizes action on the schedule.
func (s *Service) named(c *kernel.Call, action string) (arn, name string, err error) {
	var in struct{ Name, GroupName string }
	if err := c.Decode(&in); err != nil {
		return "", "", err
	}
	if in.GroupName == "" {
		in.GroupName = "default"
	}
	key := definition{Name: in.Name, GroupName: in.GroupName}
	arn = key.arn(s.config.Identity)
	return arn, in.Name, c.Authorize("scheduler:"+action, arn)
}

func (s *Service) delete(_ context.Context, c *kernel.Call) (any, error) {
	arn, name, err := s.named(c, "DeleteSchedule")
	if err != nil {
		return nil, err
	}
	if !s.remove(arn) {
		return nil, kernel.Errorf(404, "ResourceNotFoundException", "Schedule %s does not exist.", name)
	}
	return map[string]any{}, nil
}

func (s *Service) get(_ context.Context, c *kernel.Call) (any, error) {
	arn, name, err := s.named(c, "GetSchedule")
	if err != nil {
		return nil, err
	}
	x := s.find(arn)
	if x == nil {
		return nil, kernel.Errorf(404, "ResourceNotFoundException", "Schedule %s does not exist.", name)
	}
	out := map[string]any{
		"Arn": x.arn, "Name": x.Name, "GroupName": x.GroupName, "State": x.State, "ActionAfterCompletion": x.ActionAfterCompletion,
		"ScheduleExpression": x.ScheduleExpression, "ScheduleExpressionTimezone": x.ScheduleExpressionTimezone,
		"FlexibleTimeWindow": x.FlexibleTimeWindow, "Target": x.Target,
		"CreationDate": epoch(x.created), "LastModificationDate": epoch(x.modified),
	}
	if x.Description != "" {
		out["Description"] = x.Description
	}
	if x.StartDate != nil {
		out["StartDate"] = epoch(*x.StartDate)
	}
	if x.EndDate != nil {
		out["EndDate"] = epoch(*x.EndDate)
	}
	return out, nil
}

func (s *Service) listSchedules(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ GroupName, NamePrefix, State string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("scheduler:ListSchedules", s.config.Identity.ARN("scheduler", "schedule/*/*")); err != nil {
		return nil, err
	}
	schedules := []map[string]any{}
	for _, x := range s.list(func(x *schedule) bool {
		return (in.GroupName == "" || x.GroupName == in.GroupName) && (in.State == "" || x.State == in.State) && strings.HasPrefix(x.Name, in.NamePrefix)
	}) {
		schedules = append(schedules, map[string]any{
			"Arn": x.arn, "Name": x.Name, "GroupName": x.GroupName, "State": x.State, "Target": map[string]any{"Arn": x.Target.Arn},
			"CreationDate": epoch(x.created), "LastModificationDate": epoch(x.modified),
		})
	}
	return map[string]any{"Schedules": schedules}, nil
}

func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }

func fromEpoch(seconds *float64) *time.Time {
	if seconds == nil {
		return nil
	}
	t := time.UnixMilli(int64(math.Round(*seconds * 1e3))).UTC()
	return &t
}
