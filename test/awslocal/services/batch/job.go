package batch

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
)

// States of a job.
const (
	pending   = "PENDING"
	runnable  = "RUNNABLE"
	starting  = "STARTING"
	running   = "RUNNING"
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
)

// A job is a plain job, an array job or a child of one. Service.mu guards what
// changes after submission.
type job struct {
	id, arn, name string
	queue         *queue
	definition    *definition
	command       []string // nil: the image's
	environment   []variable
	parameters    map[string]string
	strategy      *strategy
	timeout       time.Duration // of an attempt, wall time; 0: none
	dependsOn     []*job
	size          int  // of an array; 0 otherwise
	index         int  // of a child
	parent        *job // of a child
	children      []*job

	status                    string
	statusReason              string
	last                      ending
	created, started, stopped time.Time // business
	attempts                  []attempt
	log                       string // log stream name
	terminate                 string // the reason of TerminateJob
	kill                      func(reason string)
	done                      func() // of the work in flight; nil when there is none
	queued                    bool   // an attempt was dispatched
}

// An attempt is one run of a job's program that has ended.
type attempt struct {
	ending
	started, stopped time.Time // business
	log              string
}

// An ending is how an attempt ended.
type ending struct {
	exitCode     *int
	reason       string // of the container
	statusReason string // of the attempt
	final        bool   // never tried again, whatever the strategy
}

func (j *job) ended() bool { return j.status == succeeded || j.status == failed }

// begin marks j as work in flight; Service.mu is held.
func (s *Service) begin(j *job) {
	if j.done == nil {
		j.done = clock.Begin(s.config.Clock, "batch job "+j.name+" "+j.id)
	}
}

// rest ends the work in flight of j; Service.mu is held.
func rest(j *job) {
	if j.done != nil {
		j.done()
		j.done = nil
	}
}

// An announcement is an event to emit once Service.mu is free, and the work
// that ends when it has been seen.
type announcement struct {
	resources []string
	detail    map[string]any
	after     func()
}

// announce makes the event of j's present state; Service.mu is held. A job that
// has ended stays work in flight until its followers have seen that it ended.
func (s *Service) announce(j *job) announcement {
	a := announcement{resources: []string{j.arn}, detail: s.detail(j), after: func() {}}
	if j.ended() && j.done != nil {
		a.after, j.done = j.done, nil
	}
	return a
}

// emit tells the bus what happened.
func (s *Service) emit(announcements ...announcement) {
	for _, a := range announcements {
		if err := s.config.Events.Emit("aws.batch", "Batch Job State Change", a.resources, a.detail); err != nil {
			s.config.Log.Error("job event not emitted", "job", a.detail["jobId"], "error", err.Error())
		}
		a.after()
	}
}

// set moves j to a state; Service.mu is held.
func (s *Service) set(j *job, status, reason string) announcement {
	j.status = status
	if reason != "" {
		j.statusReason = reason
	}
	now := s.config.Clock.Now()
	switch status {
	case running:
		if j.started.IsZero() {
			j.started = now
		}
	case succeeded, failed:
		j.stopped = now
	}
	return s.announce(j)
}

// settle goes on with everything that waits for j, which has ended: its array
// and the jobs that depend on it. Service.mu is held.
func (s *Service) settle(j *job) []announcement {
	var out []announcement
	if p := j.parent; p != nil && !p.ended() && !slices.ContainsFunc(p.children, func(c *job) bool { return !c.ended() }) {
		if slices.ContainsFunc(p.children, func(c *job) bool { return c.status == failed }) {
			out = append(out, s.set(p, failed, "Array Child Job failed"))
		} else {
			out = append(out, s.set(p, succeeded, ""))
		}
		out = append(out, s.settle(p)...)
	}
	for _, d := range s.order {
		if d.ended() || !slices.Contains(d.dependsOn, j) {
			continue
		}
		if j.status == failed {
			out = append(out, s.fail(d, "Dependent Job failed")...)
		} else {
			out = append(out, s.ready(d)...)
		}
	}
	return out
}

// fail ends j, and its children, without a run; Service.mu is held.
func (s *Service) fail(j *job, reason string) []announcement {
	var out []announcement
	for _, c := range j.children {
		if !c.ended() {
			out = append(out, s.set(c, failed, reason))
		}
	}
	if j.ended() {
		return out
	}
	out = append(out, s.set(j, failed, reason))
	return append(out, s.settle(j)...)
}

// ready makes j, whose dependencies may have been met, runnable and dispatches
// it; Service.mu is held.
func (s *Service) ready(j *job) []announcement {
	if slices.ContainsFunc(j.dependsOn, func(d *job) bool { return d.status != succeeded }) {
		return nil
	}
	if j.size > 0 {
		var out []announcement
		for _, c := range j.children {
			out = append(out, s.ready(c)...)
		}
		return out
	}
	out := []announcement{s.set(j, runnable, "")}
	s.dispatch(j)
	return out
}

// dispatch starts an attempt of a runnable job when its queue has capacity. A
// job that waits for capacity is not in flight: time passes for it.
// Service.mu is held.
func (s *Service) dispatch(j *job) {
	if j.status != runnable || j.queued || s.ctx.Err() != nil {
		return
	}
	if j.queue.spot() && s.faults.SpotCapacity != nil && !*s.faults.SpotCapacity {
		rest(j)
		return
	}
	j.queued = true
	s.begin(j)
	s.wait.Go(func() { s.run(j) })
}

// index is the value of AWS_BATCH_JOB_ARRAY_INDEX.
func (j *job) arrayIndex() string { return strconv.Itoa(j.index) }

// stream is the log stream of an attempt.
func (j *job) stream(n int) string {
	return fmt.Sprintf("%s/default/%s-%d", j.definition.name, j.fileName(), n)
}

func milli(t time.Time) int64 { return t.UnixMilli() }

// detail is j as DescribeJobs and events show it; Service.mu is held.
func (s *Service) detail(j *job) map[string]any {
	d := map[string]any{
		"jobArn": j.arn, "jobName": j.name, "jobId": j.id, "jobQueue": j.queue.arn, "status": j.status,
		"jobDefinition": j.definition.arn, "createdAt": milli(j.created), "startedAt": int64(0),
		"parameters": j.parameters, "platformCapabilities": []string{"FARGATE"},
		"container": s.container(j),
	}
	dependencies := []map[string]string{}
	for _, dep := range j.dependsOn {
		dependencies = append(dependencies, map[string]string{"jobId": dep.id})
	}
	d["dependsOn"] = dependencies
	if !j.started.IsZero() {
		d["startedAt"] = milli(j.started)
	}
	if !j.stopped.IsZero() {
		d["stoppedAt"] = milli(j.stopped)
	}
	if j.statusReason != "" {
		d["statusReason"] = j.statusReason
	}
	if j.strategy != nil {
		d["retryStrategy"] = j.strategy
	}
	if j.timeout > 0 {
		d["timeout"] = map[string]any{"attemptDurationSeconds": int(j.timeout / time.Second)}
	}
	if j.size > 0 {
		summary := map[string]int{}
		for _, c := range j.children {
			summary[c.status]++
		}
		d["arrayProperties"] = map[string]any{"size": j.size, "statusSummary": summary}
	}
	if j.parent != nil {
		d["arrayProperties"] = map[string]any{"index": j.index}
	}
	attempts := []map[string]any{}
	for _, a := range j.attempts {
		container := map[string]any{"logStreamName": a.log}
		if a.exitCode != nil {
			container["exitCode"] = *a.exitCode
		}
		if a.reason != "" {
			container["reason"] = a.reason
		}
		attempts = append(attempts, map[string]any{
			"container": container, "startedAt": milli(a.started), "stoppedAt": milli(a.stopped), "statusReason": a.statusReason,
		})
	}
	d["attempts"] = attempts
	return d
}

func (s *Service) container(j *job) map[string]any {
	p := j.definition.container
	environment := []variable{}
	for _, v := range merged(p.Environment, j.environment) {
		environment = append(environment, variable{v.Name, v.Value})
	}
	command := p.Command
	if j.command != nil {
		command = j.command
	}
	c := map[string]any{
		"image": p.Image, "command": append([]string{}, substitute(command, j.parameters)...), "environment": environment,
	}
	for name, v := range map[string]string{"jobRoleArn": p.JobRoleArn, "executionRoleArn": p.ExecutionRoleArn, "reason": j.last.reason, "logStreamName": j.log} {
		if v != "" {
			c[name] = v
		}
	}
	if j.last.exitCode != nil {
		c["exitCode"] = *j.last.exitCode
	}
	return c
}
