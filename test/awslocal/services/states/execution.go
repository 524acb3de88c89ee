package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// States of an execution.
const (
	running   = "RUNNING"
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
	timedOut  = "TIMED_OUT"
	aborted   = "ABORTED"
)

// limit is how large a state's input, output and arguments may be, in bytes,
// and a variable.
const limit = 256 << 10

// An execution is one run of a state machine.
type execution struct {
	service   *runner
	machine   *machine
	of        *stateMachine // nil in a replay
	arn, name string
	principal kernel.Principal // the role's session
	input     json.RawMessage
	started   time.Time // business

	ctx    context.Context //nolint:containedctx // the execution's lifetime
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when status is final and has been announced

	mu           sync.Mutex
	status       string
	output       json.RawMessage
	error, cause string
	stopped      time.Time // business
	history      []historyEvent
	path         []string // names of the states entered
	waiters      []func()
}

// A stop is why an execution ends from outside.
type stop struct {
	status, error, cause string
}

func (s stop) Error() string { return s.status + " " + s.error }

// errTimeout ends a task that took too long.
var errTimeout = errors.New("task timed out")

// run runs the execution to its end. w is its work in flight.
func (x *execution) run(w *worker) {
	defer w.end()
	cancelTimer := func() {}
	if x.machine.timeout > 0 {
		cancelTimer = clock.At(x.service.clock, x.started.Add(x.machine.timeout), "time-out of "+x.arn, func() {
			x.stopWith(stop{status: timedOut})
		})
	}
	x.record(0, "ExecutionStarted", "executionStartedEventDetails", map[string]any{"input": string(x.input), "roleArn": x.roleARN()})
	out, f := x.flow(x.ctx, w, &x.machine.flow, x.input, newScope(nil), nil, 0)
	cancelTimer()
	x.finish(out, f)
}

func (x *execution) roleARN() string {
	if x.of == nil {
		return ""
	}
	return x.of.role
}

// stopWith ends the execution from outside and waits until it has ended. The
// caller is work in flight.
func (x *execution) stopWith(s stop) {
	x.cancel(s)
	<-x.ended
}

// finish settles the execution's status and tells everyone.
func (x *execution) finish(out json.RawMessage, f *failure) {
	x.mu.Lock()
	x.stopped = x.service.clock.Now()
	s, stoppedFromOutside := errors.AsType[stop](context.Cause(x.ctx))
	switch {
	case stoppedFromOutside && f != nil:
		x.status, x.error, x.cause = s.status, s.error, s.cause
	case f != nil:
		x.status, x.error, x.cause = failed, f.Error, f.Cause
	default:
		x.status, x.output = succeeded, out
	}
	kind, details := map[string]string{succeeded: "ExecutionSucceeded", failed: "ExecutionFailed", timedOut: "ExecutionTimedOut", aborted: "ExecutionAborted"}[x.status], map[string]any{}
	if x.status == succeeded {
		details["output"] = string(x.output)
	} else {
		details["error"], details["cause"] = x.error, x.cause
	}
	waiters := x.waiters
	x.waiters = nil
	x.mu.Unlock()
	x.record(0, kind, historyDetails(kind), details)
	x.cancel(nil)
	if x.service.ended != nil {
		x.service.ended(x)
	}
	for _, f := range waiters {
		f()
	}
	close(x.ended)
}

// A scope holds the variables of one flow; those of the flows around it can be
// read.
type scope struct {
	mu     sync.Mutex
	own    map[string]json.RawMessage
	parent *scope
}

func newScope(parent *scope) *scope { return &scope{own: map[string]json.RawMessage{}, parent: parent} }

// all are the variables that can be read.
func (s *scope) all() map[string]json.RawMessage {
	if s == nil {
		return map[string]json.RawMessage{}
	}
	out := s.parent.all()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(out, s.own)
	return out
}

func (s *scope) set(values map[string]json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.own, values)
}

// A frame is one visit of a state.
type frame struct {
	*execution
	ctx      context.Context //nolint:containedctx // the flow's lifetime
	w        *worker
	s        *state
	scope    *scope
	input    json.RawMessage
	item     json.RawMessage // Map in the context object, or nil
	entered  time.Time
	retries  int    // of the state so far
	taskID   string // task token, or ""
	previous int    // id of the last history event of this line
}

// flow runs states from startAt to an end. previous is the history event that
// led here.
func (x *execution) flow(ctx context.Context, w *worker, f *flow, input json.RawMessage, sc *scope, item json.RawMessage, previous int) (json.RawMessage, *failure) {
	name := f.startAt
	for {
		v := &frame{execution: x, ctx: ctx, w: w, s: f.states[name], scope: sc, input: input, item: item, previous: previous}
		out, next, problem := v.visit()
		if problem != nil {
			return nil, problem
		}
		if next == "" {
			return out, nil
		}
		name, input, previous = next, out, v.previous
	}
}

// visit runs one state: its work, retries and catchers.
func (v *frame) visit() (out json.RawMessage, next string, problem *failure) {
	if f := v.stopped(); f != nil {
		return nil, "", f
	}
	v.entered = v.service.clock.Now()
	v.enter()
	if len(v.input) > limit {
		return nil, "", v.tooLarge("input", len(v.input))
	}
	attempts := make([]int, len(v.s.retry))
	for {
		out, next, problem = v.work()
		if problem == nil {
			v.exit(out)
			return out, next, nil
		}
		if f := v.stopped(); f != nil {
			return nil, "", f
		}
		delay, again := v.retryDelay(problem, attempts)
		if !again {
			break
		}
		if f := v.sleep(delay); f != nil {
			return nil, "", f
		}
		v.retries++
	}
	for _, c := range v.s.catch {
		if problem.among(c.errorEquals) {
			if out, problem = v.caught(c, problem); problem != nil {
				return nil, "", problem
			}
			v.exit(out)
			return out, c.next, nil
		}
	}
	return nil, "", problem
}

// stopped is the failure of a flow whose context has ended.
func (v *frame) stopped() *failure {
	if v.ctx.Err() == nil {
		return nil
	}
	return &failure{Error: runtimeError, Cause: fmt.Sprint(context.Cause(v.ctx))}
}

func (v *frame) tooLarge(what string, size int) *failure {
	return failf(dataLimitExceeded, "The state/task '%s' returned or was given a %s with a size of %d bytes, exceeding the maximum number of bytes service limit %d.", v.s.name, what, size, limit)
}

// work does what the state is for, once.
func (v *frame) work() (out json.RawMessage, next string, problem *failure) {
	switch v.s.kind {
	case task:
		out, problem = v.task()
	case parallel:
		out, problem = v.parallel()
	case mapState:
		out, problem = v.mapItems()
	case choice:
		return v.choose()
	case wait:
		out, problem = v.input, v.wait()
	case fail:
		return nil, "", v.fail()
	default: // Pass, Succeed
		out = v.input
	}
	if problem != nil {
		return nil, "", problem
	}
	var result json.RawMessage
	if v.s.kind == task || v.s.kind == parallel || v.s.kind == mapState {
		result = out
		if len(result) > limit {
			return nil, "", v.tooLarge("result", len(result))
		}
	}
	out, problem = v.conclude(out, v.s.output, v.s.assign, v.bindings(result, nil))
	return out, v.s.next, problem
}

// conclude evaluates Output and Assign, both with the variables as they were.
func (v *frame) conclude(out json.RawMessage, output, assign *expression, variables map[string]json.RawMessage) (json.RawMessage, *failure) {
	var values map[string]json.RawMessage
	if assign != nil {
		text, f := v.evaluate(assign, variables)
		if f != nil {
			return nil, f
		}
		if err := json.Unmarshal(text, &values); err != nil {
			return nil, failf(queryEvaluationError, "Assign of the state '%s': %v", v.s.name, err)
		}
		for n, value := range values {
			if len(value) > limit {
				return nil, v.tooLarge("variable "+n, len(value))
			}
		}
	}
	if output != nil {
		var f *failure
		if out, f = v.evaluate(output, variables); f != nil {
			return nil, f
		}
	}
	if len(out) > limit {
		return nil, v.tooLarge("output", len(out))
	}
	v.scope.set(values)
	return out, nil
}

// caught is the output of a catcher.
func (v *frame) caught(c catcher, problem *failure) (json.RawMessage, *failure) {
	errorOutput, err := json.Marshal(problem)
	if err != nil {
		return nil, failf(runtimeError, "error output: %v", err)
	}
	return v.conclude(errorOutput, c.output, c.assign, v.bindings(nil, errorOutput))
}

// bindings are what an expression of this state may refer to.
func (v *frame) bindings(result, errorOutput json.RawMessage) map[string]json.RawMessage {
	all := v.scope.all()
	states := map[string]json.RawMessage{"input": v.input, "context": v.contextObject()}
	if result != nil {
		states["result"] = result
	}
	if errorOutput != nil {
		states["errorOutput"] = errorOutput
	}
	text, err := json.Marshal(states)
	if err != nil {
		text = []byte(`{}`) // every part has been parsed before
	}
	all["states"] = text
	return all
}

const timeFormat = "2006-01-02T15:04:05.000Z"

// contextObject is $states.context.
func (v *frame) contextObject() json.RawMessage {
	c := map[string]any{
		"Execution": map[string]any{
			"Id": v.arn, "Name": v.name, "Input": v.execution.input, "RoleArn": v.roleARN(),
			"StartTime": v.started.Format(timeFormat), "RedriveCount": 0,
		},
		"State": map[string]any{"Name": v.s.name, "EnteredTime": v.entered.Format(timeFormat), "RetryCount": v.retries},
	}
	if v.of != nil {
		c["StateMachine"] = map[string]any{"Id": v.of.arn, "Name": v.of.name}
	}
	if v.item != nil {
		c["Map"] = map[string]any{"Item": v.item}
	}
	if v.taskID != "" {
		c["Task"] = map[string]any{"Token": v.taskID}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return json.RawMessage(`{}`) // every part has been parsed before
	}
	return text
}

// optional evaluates e, or yields nil when there is none.
func (v *frame) optional(e *expression) (json.RawMessage, *failure) {
	if e == nil {
		return nil, nil
	}
	return v.evaluate(e, v.bindings(nil, nil))
}
