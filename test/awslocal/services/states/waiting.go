package states

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// A wake is why a task that waits goes on.
type wake struct {
	ended   bool // what it waits for has ended
	out     json.RawMessage
	problem *failure
	tooLate bool // TimeoutSeconds have passed
	noPulse bool // HeartbeatSeconds have passed
}

// deadline wakes m when the task's time is up, on the business clock.
func (v *frame) deadline(t taskCall, m *mailbox[wake]) (cancel func()) {
	if t.timeout <= 0 {
		return func() {}
	}
	return clock.At(v.service.clock, v.service.clock.Now().Add(t.timeout), "time-out of "+v.w.name+" in "+v.s.name, func() {
		m.send(wake{tooLate: true})
	})
}

// job submits a Batch job and waits until it has ended.
func (c *caller) job(ctx context.Context, v *frame, t taskCall) (json.RawMessage, *failure) {
	r := v.s.resource
	out, f := c.call(ctx, v, r, t.arguments)
	if f != nil {
		return nil, f
	}
	var submitted struct{ JobId string } //nolint:revive // the API's name
	if err := json.Unmarshal(out, &submitted); err != nil {
		return nil, failf(runtimeError, "answer of SubmitJob: %v", err)
	}
	v.note("TaskSubmitted", v.taskDetails(map[string]any{"output": string(out)}))
	m := newMailbox[wake](v.service.clock, v.w.name)
	defer c.service.jobs.follow(submitted.JobId, m)()
	defer v.deadline(t, m)()
	describe := func(ctx context.Context) (json.RawMessage, string, *failure) {
		out, f := c.invoke(ctx, v, r, "DescribeJobs", map[string]any{"jobs": []string{submitted.JobId}})
		if f != nil {
			return nil, "", f
		}
		var jobs struct {
			Jobs []json.RawMessage `json:"jobs"`
		}
		translated, err := c.shapes.Output("batch", "DescribeJobs", out)
		if err == nil {
			err = json.Unmarshal(translated, &jobs)
		}
		if err != nil || len(jobs.Jobs) != 1 {
			return nil, "", failf(runtimeError, "DescribeJobs knows %d jobs %s: %v", len(jobs.Jobs), submitted.JobId, err)
		}
		var job struct{ Status string }
		if err := json.Unmarshal(jobs.Jobs[0], &job); err != nil {
			return nil, "", failf(runtimeError, "answer of DescribeJobs: %v", err)
		}
		return jobs.Jobs[0], job.Status, nil
	}
	terminate := func(reason string) {
		// The execution may have been stopped: the job is ended nevertheless.
		_, f := c.invoke(context.WithoutCancel(v.ctx), v, r, "TerminateJob", map[string]any{"jobId": submitted.JobId, "reason": reason})
		if f != nil {
			c.service.config.Log.ErrorContext(ctx, "job of a task that ended not terminated", "job", submitted.JobId, "error", f.Error, "cause", f.Cause)
		}
	}
	// The job may have ended before anyone followed it.
	job, status, f := describe(ctx)
	for f == nil && status != "SUCCEEDED" && status != "FAILED" {
		wake, ok := await(v.ctx, v.w, m)
		if !ok {
			terminate("The execution was stopped.")
			return nil, v.stopped()
		}
		if wake.tooLate {
			terminate("The task timed out.")
			return nil, &failure{Error: timeoutError}
		}
		job, status, f = describe(ctx)
	}
	if f != nil {
		return nil, f
	}
	if status == "FAILED" {
		return nil, &failure{Error: taskFailed, Cause: string(job)}
	}
	return job, nil
}

// followers are the tasks that wait for jobs.
type followers struct {
	mu sync.Mutex
	by map[string]*mailbox[wake] // by job id
}

// follow wakes m when the job ends, until cancelled.
func (f *followers) follow(job string, m *mailbox[wake]) (cancel func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]*mailbox[wake]{}
	}
	f.by[job] = m
	return func() {
		f.mu.Lock()
		delete(f.by, job)
		f.mu.Unlock()
		m.close()
	}
}

// Observe takes an event of the default bus: a task that waits for a job goes
// on when the job has ended. The caller is work in flight.
func (s *Service) Observe(source, detailType string, detail json.RawMessage) {
	if source != "aws.batch" || detailType != "Batch Job State Change" {
		return
	}
	var job struct {
		JobID  string `json:"jobId"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal(detail, &job); err != nil || job.Status != "SUCCEEDED" && job.Status != "FAILED" {
		return
	}
	s.jobs.mu.Lock()
	m := s.jobs.by[job.JobID]
	s.jobs.mu.Unlock()
	if m != nil {
		m.send(wake{ended: true})
	}
}

// startExecution starts another state machine, and waits for it when asked to.
func (c *caller) startExecution(ctx context.Context, v *frame, t taskCall) (json.RawMessage, *failure) {
	r := v.s.resource
	var in map[string]json.RawMessage
	if err := json.Unmarshal(t.arguments, &in); err != nil {
		return nil, failf(runtimeError, "Arguments of the state '%s' must be an object: %v", v.s.name, err)
	}
	if err := asText(in, "Input"); err != nil {
		return nil, failf(runtimeError, "Arguments of the state '%s': %v", v.s.name, err)
	}
	arguments, err := json.Marshal(in)
	if err != nil {
		return nil, failf(runtimeError, "Arguments of the state '%s': %v", v.s.name, err)
	}
	if r.token {
		return c.withToken(v, t, func() *failure {
			_, f := c.call(ctx, v, r, arguments)
			return f
		})
	}
	out, f := c.call(ctx, v, r, arguments)
	if f != nil || !r.sync {
		return out, f
	}
	var started struct{ ExecutionArn string }
	if err := json.Unmarshal(out, &started); err != nil {
		return nil, failf(runtimeError, "answer of StartExecution: %v", err)
	}
	v.note("TaskSubmitted", v.taskDetails(map[string]any{"output": string(out)}))
	return c.nested(ctx, v, t, started.ExecutionArn)
}

// nested waits for an execution that a task started.
func (c *caller) nested(ctx context.Context, v *frame, t taskCall, arn string) (json.RawMessage, *failure) {
	m := newMailbox[wake](v.service.clock, v.w.name)
	defer m.close()
	defer v.deadline(t, m)()
	c.service.whenEnded(arn, func() { m.send(wake{ended: true}) })
	w, ok := await(v.ctx, v.w, m)
	stopNested := func(cause string) {
		_, f := c.invoke(context.WithoutCancel(v.ctx), v, v.s.resource, "StopExecution", map[string]any{"executionArn": arn, "cause": cause})
		if f != nil {
			c.service.config.Log.ErrorContext(ctx, "execution that a task started not stopped", "execution", arn, "error", f.Error, "cause", f.Cause)
		}
	}
	switch {
	case !ok:
		stopNested("The execution that started it was stopped.")
		return nil, v.stopped()
	case w.tooLate:
		stopNested("The task that started it timed out.")
		return nil, &failure{Error: timeoutError}
	}
	out, f := c.invoke(ctx, v, v.s.resource, "DescribeExecution", map[string]any{"executionArn": arn})
	if f != nil {
		return nil, f
	}
	result, err := c.shapes.Output("states", "DescribeExecution", out)
	if err != nil {
		return nil, failf(runtimeError, "answer of DescribeExecution: %v", err)
	}
	var described map[string]json.RawMessage
	if err := json.Unmarshal(result, &described); err != nil {
		return nil, failf(runtimeError, "answer of DescribeExecution: %v", err)
	}
	if string(described["Status"]) != `"SUCCEEDED"` {
		return nil, &failure{Error: taskFailed, Cause: string(result)}
	}
	if v.s.resource.asObject {
		for _, name := range []string{"Input", "Output"} {
			var text string
			if json.Unmarshal(described[name], &text) == nil && json.Valid([]byte(text)) {
				described[name] = json.RawMessage(text)
			}
		}
		if result, err = json.Marshal(described); err != nil {
			return nil, failf(runtimeError, "answer of DescribeExecution: %v", err)
		}
	}
	return result, nil
}

// withToken makes a call and waits until its token comes back.
func (c *caller) withToken(v *frame, t taskCall, call func() *failure) (json.RawMessage, *failure) {
	m := newMailbox[wake](v.service.clock, v.w.name)
	defer m.close()
	defer c.service.tokens.add(v.taskID, &pulse{frame: v, mailbox: m, every: t.heartbeat})()
	defer v.deadline(t, m)()
	if f := call(); f != nil {
		return nil, f
	}
	w, ok := await(v.ctx, v.w, m)
	switch {
	case !ok:
		return nil, v.stopped()
	case w.tooLate:
		return nil, &failure{Error: timeoutError}
	case w.noPulse:
		return nil, &failure{Error: heartbeatTimeout}
	}
	return w.out, w.problem
}

// tokens are the tasks that wait for their token.
type tokens struct {
	mu sync.Mutex
	by map[string]*pulse
}

// A pulse is a task that waits for its token, and its heartbeat.
type pulse struct {
	*frame
	mailbox *mailbox[wake]
	every   time.Duration // 0: no heartbeat is expected
	cancel  func()        // of the timer of the next heartbeat
}

// beat starts the time to the next heartbeat; tokens.mu is held.
func (p *pulse) beat() {
	if p.cancel != nil {
		p.cancel()
	}
	p.cancel = func() {}
	if p.every > 0 {
		p.cancel = clock.At(p.service.clock, p.service.clock.Now().Add(p.every), "heartbeat of "+p.w.name+" in "+p.s.name, func() {
			p.mailbox.send(wake{noPulse: true})
		})
	}
}

func (t *tokens) add(token string, p *pulse) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]*pulse{}
	}
	t.by[token] = p
	p.beat()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		p.cancel()
		delete(t.by, token)
	}
}

// with does something to the task that waits for a token.
func (t *tokens) with(token string, f func(*pulse)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, ok := t.by[token]
	if !ok {
		return kernel.Errorf(400, "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
	}
	f(p)
	return nil
}
