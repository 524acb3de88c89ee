package states

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *Service) startExecution(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ StateMachineArn, Name, Input, TraceHeader string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:StartExecution", in.StateMachineArn); err != nil {
		return nil, err
	}
	m, err := s.machineByARN(in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	x, err := s.start(m, in.Name, in.Input)
	if err != nil {
		return nil, err
	}
	return map[string]any{"executionArn": x.arn, "startDate": epoch(x.started)}, nil
}

// execution decodes an executionArn, authorizes action on it and finds it.
func (s *Service) execution(c *kernel.Call, action string, in *struct{ ExecutionArn string }) (*execution, error) {
	if err := c.Decode(in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:"+action, in.ExecutionArn); err != nil {
		return nil, err
	}
	return s.find(in.ExecutionArn)
}

func (s *Service) stopExecution(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ ExecutionArn string }
	x, err := s.execution(c, "StopExecution", &in)
	if err != nil {
		return nil, err
	}
	var reason struct{ Error, Cause string }
	if err := c.Decode(&reason); err != nil {
		return nil, err
	}
	defer clock.Begin(s.config.Clock, "stop of "+x.arn)()
	x.stopWith(stop{status: aborted, error: reason.Error, cause: reason.Cause})
	x.mu.Lock()
	defer x.mu.Unlock()
	return map[string]any{"stopDate": epoch(x.stopped)}, nil
}

func (s *Service) describeExecution(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ ExecutionArn string }
	x, err := s.execution(c, "DescribeExecution", &in)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.summary()
	out["input"], out["inputDetails"] = string(x.input), map[string]any{"included": true}
	if x.output != nil {
		out["output"], out["outputDetails"] = string(x.output), map[string]any{"included": true}
	}
	if x.error != "" {
		out["error"] = x.error
	}
	if x.cause != "" {
		out["cause"] = x.cause
	}
	return out, nil
}

// summary is what lists show of an execution; x.mu is held.
func (x *execution) summary() map[string]any {
	out := map[string]any{
		"executionArn": x.arn, "stateMachineArn": x.of.arn, "name": x.name, "status": x.status, "startDate": epoch(x.started), "redriveCount": 0,
	}
	if x.status != running {
		out["stopDate"] = epoch(x.stopped)
	}
	return out
}

// page cuts a list; a token is the number of entries before the page.
func page[T any](list []T, token string, limit, most int) (items []T, next string, err error) {
	from := 0
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(list) {
			return nil, "", kernel.Errorf(400, "InvalidToken", "Invalid Token: '%s'", token)
		}
	}
	if limit <= 0 || limit > most {
		limit = most
	}
	to := min(from+limit, len(list))
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return list[from:to], next, nil
}

func (s *Service) listExecutions(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		StateMachineArn, StatusFilter, NextToken, MapRunArn, RedriveFilter string
		MaxResults                                                         int
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:ListExecutions", in.StateMachineArn); err != nil {
		return nil, err
	}
	if in.MapRunArn != "" || in.RedriveFilter != "" {
		return nil, kernel.Errorf(400, "ValidationException", "mapRunArn and redriveFilter are not implemented by this endpoint")
	}
	if _, err := s.machineByARN(in.StateMachineArn); err != nil {
		return nil, err
	}
	all := s.list(func(x *execution) bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.of.arn == in.StateMachineArn && (in.StatusFilter == "" || x.status == in.StatusFilter)
	})
	chosen, next, err := page(all, in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, x := range chosen {
		x.mu.Lock()
		list = append(list, x.summary())
		x.mu.Unlock()
	}
	return withToken(map[string]any{"executions": list}, next), nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["nextToken"] = next
	}
	return out
}

func (s *Service) getExecutionHistory(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ ExecutionArn string }
	x, err := s.execution(c, "GetExecutionHistory", &in)
	if err != nil {
		return nil, err
	}
	var how struct {
		MaxResults   int
		ReverseOrder bool
		NextToken    string
	}
	if err := c.Decode(&how); err != nil {
		return nil, err
	}
	x.mu.Lock()
	all := slices.Clone(x.history)
	x.mu.Unlock()
	if how.ReverseOrder {
		slices.Reverse(all)
	}
	chosen, next, err := page(all, how.NextToken, how.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, h := range chosen {
		list = append(list, h.describe())
	}
	return withToken(map[string]any{"events": list}, next), nil
}

func (s *Service) describeStateMachine(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ StateMachineArn string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:DescribeStateMachine", in.StateMachineArn); err != nil {
		return nil, err
	}
	m, err := s.machineByARN(in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"stateMachineArn": m.arn, "name": m.name, "status": "ACTIVE", "definition": m.definition, "roleArn": m.role, "type": "STANDARD",
		"creationDate": epoch(m.created), "revisionId": m.revision,
	}, nil
}

func (s *Service) describeStateMachineForExecution(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ ExecutionArn string }
	x, err := s.execution(c, "DescribeStateMachineForExecution", &in)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"stateMachineArn": x.of.arn, "name": x.of.name, "definition": x.of.definition, "roleArn": x.of.role,
		"updateDate": epoch(x.of.created), "revisionId": x.of.revision,
	}, nil
}

func (s *Service) listStateMachines(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		NextToken  string
		MaxResults int
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:ListStateMachines", s.config.Identity.ARN("states", "stateMachine:*")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen, next, err := page(slices.Sorted(maps.Keys(s.machines)), in.NextToken, in.MaxResults, 1000)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, arn := range chosen {
		m := s.machines[arn]
		list = append(list, map[string]any{"stateMachineArn": arn, "name": m.name, "type": "STANDARD", "creationDate": epoch(m.created)})
	}
	return withToken(map[string]any{"stateMachines": list}, next), nil
}

func (s *Service) validateDefinition(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Definition, Type, Severity string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:ValidateStateMachineDefinition", "*"); err != nil {
		return nil, err
	}
	diagnostics, result := []map[string]any{}, "OK"
	if _, problem := s.check(in.Definition); problem != nil {
		result = "FAIL"
		diagnostics = append(diagnostics, map[string]any{"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": problem.Error()})
	}
	return map[string]any{"result": result, "diagnostics": diagnostics}, nil
}

// A tokenCall is what the three operations on task tokens take.
type tokenCall struct{ TaskToken, Output, Error, Cause string }

// returned does something to the task that waits for a token. Step Functions
// asks for permission on the state machine whose task it is.
func (s *Service) returned(c *kernel.Call, action string, f func(*pulse, tokenCall) error) (any, error) {
	var in tokenCall
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("states:"+action, s.config.Identity.ARN("states", "stateMachine:*")); err != nil {
		return nil, err
	}
	defer clock.Begin(s.config.Clock, action)()
	var problem error
	if err := s.tokens.with(in.TaskToken, func(p *pulse) { problem = f(p, in) }); err != nil {
		return nil, err
	}
	return map[string]any{}, problem
}

func (s *Service) sendTaskSuccess(_ context.Context, c *kernel.Call) (any, error) {
	return s.returned(c, "SendTaskSuccess", func(p *pulse, in tokenCall) error {
		if !json.Valid([]byte(in.Output)) {
			return kernel.Errorf(400, "InvalidOutput", "Invalid Output: it is not JSON")
		}
		p.mailbox.send(wake{ended: true, out: json.RawMessage(in.Output)})
		return nil
	})
}

func (s *Service) sendTaskFailure(_ context.Context, c *kernel.Call) (any, error) {
	return s.returned(c, "SendTaskFailure", func(p *pulse, in tokenCall) error {
		p.mailbox.send(wake{ended: true, problem: &failure{Error: in.Error, Cause: in.Cause}})
		return nil
	})
}

func (s *Service) sendTaskHeartbeat(_ context.Context, c *kernel.Call) (any, error) {
	return s.returned(c, "SendTaskHeartbeat", func(p *pulse, _ tokenCall) error {
		p.beat()
		return nil
	})
}
