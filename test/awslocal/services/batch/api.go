package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

func clientError(format string, args ...any) *kernel.Error {
	return kernel.Errorf(400, "ClientException", format, args...)
}

var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)

// A submission is the input of SubmitJob.
type submission struct {
	JobName, JobQueue, JobDefinition string
	ArrayProperties                  struct{ Size int }
	DependsOn                        []struct{ JobID, Type string }
	Parameters                       map[string]string
	ContainerOverrides               struct {
		Command     []string
		Environment []variable
	}
	RetryStrategy *strategy
	Timeout       struct{ AttemptDurationSeconds int }

	NodeOverrides, EksPropertiesOverride, EcsPropertiesOverride json.RawMessage
}

func (s *Service) submitJob(_ context.Context, c *kernel.Call) (any, error) {
	var in submission
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	defer clock.Begin(s.config.Clock, "batch submits "+in.JobName)()
	s.mu.Lock()
	q := s.queues[s.arn("job-queue/", in.JobQueue)]
	d := s.definition(in.JobDefinition)
	s.mu.Unlock()
	// Batch wants permission on the definition, by its name where the caller
	// gave no revision, and on the queue.
	resources := []string{s.arn("job-definition/", in.JobDefinition), s.arn("job-queue/", in.JobQueue)}
	if err := c.Authorize("batch:SubmitJob", resources...); err != nil {
		return nil, err
	}
	if err := in.check(q, d); err != nil {
		return nil, err
	}
	s.mu.Lock()
	j, err := s.submit(in, q, d)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	announcements := s.ready(j)
	if j.status == pending {
		announcements = append([]announcement{s.announce(j)}, announcements...)
	}
	s.mu.Unlock()
	s.emit(announcements...)
	return map[string]any{"jobArn": j.arn, "jobName": j.name, "jobId": j.id}, nil
}

// arn is ref when it is an ARN, and else that of a resource by its name.
func (s *Service) arn(prefix, ref string) string {
	if strings.HasPrefix(ref, "arn:") {
		return ref
	}
	return s.config.Identity.ARN("batch", prefix+ref)
}

// definition finds a job definition by ARN, name or name:revision, or nil; the
// latest revision where there is none. s.mu is held.
func (s *Service) definition(ref string) *definition {
	name, revision, _ := strings.Cut(template.LastOf(ref, "/"), ":")
	revisions := s.definitions[name]
	for _, d := range slices.Backward(revisions) {
		if revision == "" || fmt.Sprint(d.revision) == revision {
			return d
		}
	}
	return nil
}

func (in *submission) check(q *queue, d *definition) error {
	switch {
	case q == nil:
		return clientError("JobQueue %s not found", in.JobQueue)
	case d == nil:
		return clientError("JobDefinition %s not found", in.JobDefinition)
	case q.state != "ENABLED":
		return clientError("JobQueue %s is disabled", in.JobQueue)
	case !jobName.MatchString(in.JobName):
		return clientError("Job name %q should match %s", in.JobName, jobName)
	case in.ArrayProperties.Size != 0 && (in.ArrayProperties.Size < 2 || in.ArrayProperties.Size > 10000):
		return clientError("Array size is %d, it must be from 2 to 10000", in.ArrayProperties.Size)
	case in.Timeout.AttemptDurationSeconds != 0 && in.Timeout.AttemptDurationSeconds < 60:
		return clientError("timeout.attemptDurationSeconds is %d, it must be at least 60", in.Timeout.AttemptDurationSeconds)
	case len(in.NodeOverrides)+len(in.EksPropertiesOverride)+len(in.EcsPropertiesOverride) > 0:
		return clientError("node, EKS and ECS property overrides are not implemented by this endpoint")
	case len(in.DependsOn) > 20:
		return clientError("a job can depend on at most 20 jobs")
	}
	for _, v := range in.ContainerOverrides.Environment {
		if strings.HasPrefix(v.Name, "AWS_BATCH") {
			return clientError("environment variable %s: the prefix AWS_BATCH is reserved", v.Name)
		}
	}
	if err := in.RetryStrategy.check(); err != nil {
		return clientError("%v", err)
	}
	return nil
}

// submit makes a job and its children; s.mu is held.
func (s *Service) submit(in submission, q *queue, d *definition) (*job, error) {
	j := &job{
		id: newID(), name: in.JobName, queue: q, definition: d, command: in.ContainerOverrides.Command,
		environment: in.ContainerOverrides.Environment, parameters: map[string]string{}, strategy: cmp.Or(in.RetryStrategy, d.strategy),
		timeout: cmp.Or(time.Duration(in.Timeout.AttemptDurationSeconds)*time.Second, d.timeout),
		size:    in.ArrayProperties.Size, status: pending, created: s.config.Clock.Now(),
	}
	maps.Copy(j.parameters, d.parameters)
	maps.Copy(j.parameters, in.Parameters)
	for _, dep := range in.DependsOn {
		if dep.Type != "" {
			return nil, clientError("dependsOn of type %s is not implemented by this endpoint; leave the type out", dep.Type)
		}
		on, ok := s.jobs[dep.JobID]
		if !ok {
			return nil, clientError("Job %s in dependsOn does not exist", dep.JobID)
		}
		if on.status == failed {
			return nil, clientError("Job %s in dependsOn has failed", dep.JobID)
		}
		j.dependsOn = append(j.dependsOn, on)
	}
	s.add(j)
	for i := range j.size {
		child := *j
		child.id, child.size, child.index, child.parent, child.children = fmt.Sprintf("%s:%d", j.id, i), 0, i, j, nil
		child.dependsOn = nil // the array waits for them
		j.children = append(j.children, &child)
		s.add(&child)
	}
	return j, nil
}

func (s *Service) add(j *job) {
	j.arn = s.config.Identity.ARN("batch", "job/"+j.id)
	s.jobs[j.id] = j
	s.order = append(s.order, j)
}

func (s *Service) describeJobs(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Jobs []string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("batch:DescribeJobs", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := []map[string]any{}
	for _, id := range in.Jobs {
		if j, ok := s.jobs[template.LastOf(id, "/")]; ok {
			jobs = append(jobs, s.detail(j))
		}
	}
	return map[string]any{"jobs": jobs}, nil
}

func (s *Service) listJobs(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		JobQueue, ArrayJobID, JobStatus, MultiNodeJobID, NextToken string
		MaxResults                                                 int
		Filters                                                    []json.RawMessage
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("batch:ListJobs", "*"); err != nil {
		return nil, err
	}
	if len(in.Filters) > 0 || in.MultiNodeJobID != "" || (in.JobQueue == "") == (in.ArrayJobID == "") {
		return nil, clientError("this endpoint lists the jobs of one jobQueue or one arrayJobId, without filters")
	}
	if in.JobStatus == "" && in.ArrayJobID == "" {
		in.JobStatus = running // as Batch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.queues[s.arn("job-queue/", in.JobQueue)]; in.JobQueue != "" && !ok {
		return nil, clientError("Job queue %s does not exist", in.JobQueue)
	}
	list, after := []map[string]any{}, in.NextToken
	limit := in.MaxResults
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	for _, j := range s.order {
		ofArray := j.parent != nil && j.parent.id == in.ArrayJobID
		ofQueue := in.ArrayJobID == "" && j.parent == nil && j.queue.arn == s.arn("job-queue/", in.JobQueue)
		switch {
		case !ofArray && !ofQueue, in.JobStatus != "" && j.status != in.JobStatus:
			continue
		case after != "":
			if j.id == after {
				after = ""
			}
			continue
		case len(list) == limit:
			return map[string]any{"jobSummaryList": list, "nextToken": list[limit-1]["jobId"]}, nil
		}
		list = append(list, s.summary(j))
	}
	return map[string]any{"jobSummaryList": list}, nil
}

// summary is the part of a job's detail that lists show; s.mu is held.
func (s *Service) summary(j *job) map[string]any {
	d := s.detail(j)
	out := map[string]any{}
	for _, k := range []string{"jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt", "jobDefinition"} {
		if v, ok := d[k]; ok {
			out[k] = v
		}
	}
	if _, ok := d["arrayProperties"]; ok {
		out["arrayProperties"] = map[string]any{"size": j.size, "index": j.index}
	}
	return out
}

// stopJob is TerminateJob, and CancelJob when runningToo is false.
func (s *Service) stopJob(c *kernel.Call, action string, runningToo bool) (any, error) {
	var in struct{ JobID, Reason string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("batch:"+action, s.config.Identity.ARN("batch", "job/"+in.JobID)); err != nil {
		return nil, err
	}
	defer clock.Begin(s.config.Clock, "batch stops "+in.JobID)()
	s.mu.Lock()
	j, ok := s.jobs[in.JobID]
	if !ok || j.ended() { // Batch: no error, and nothing happens
		s.mu.Unlock()
		return map[string]any{}, nil
	}
	var out []announcement
	for _, t := range append(slices.Clone(j.children), j) {
		switch {
		case t.ended() || t.size > 0 && len(t.children) > 0 && slices.ContainsFunc(t.children, func(x *job) bool { return x.queued }):
		case t.queued && runningToo:
			t.terminate = in.Reason
			if t.kill != nil {
				t.kill(in.Reason)
			}
		case t.queued:
		default:
			out = append(out, s.fail(t, in.Reason)...)
		}
	}
	s.mu.Unlock()
	s.emit(out...)
	return map[string]any{}, nil
}

func (s *Service) terminateJob(_ context.Context, c *kernel.Call) (any, error) {
	return s.stopJob(c, "TerminateJob", true)
}

func (s *Service) cancelJob(_ context.Context, c *kernel.Call) (any, error) {
	return s.stopJob(c, "CancelJob", false)
}

func (s *Service) describeJobQueues(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ JobQueues []string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("batch:DescribeJobQueues", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, arn := range slices.Sorted(maps.Keys(s.queues)) {
		q := s.queues[arn]
		if len(in.JobQueues) > 0 && !slices.Contains(in.JobQueues, q.name) && !slices.Contains(in.JobQueues, arn) {
			continue
		}
		order := []map[string]any{}
		for i, e := range q.environments {
			order = append(order, map[string]any{"order": i + 1, "computeEnvironment": e.arn})
		}
		list = append(list, map[string]any{
			"jobQueueName": q.name, "jobQueueArn": arn, "state": q.state, "status": "VALID", "priority": q.priority, "computeEnvironmentOrder": order,
		})
	}
	return map[string]any{"jobQueues": list}, nil
}

func (s *Service) describeComputeEnvironments(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ ComputeEnvironments []string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("batch:DescribeComputeEnvironments", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, arn := range slices.Sorted(maps.Keys(s.environments)) {
		e := s.environments[arn]
		if len(in.ComputeEnvironments) > 0 && !slices.Contains(in.ComputeEnvironments, e.name) && !slices.Contains(in.ComputeEnvironments, arn) {
			continue
		}
		list = append(list, map[string]any{
			"computeEnvironmentName": e.name, "computeEnvironmentArn": arn, "type": "MANAGED", "state": e.state, "status": "VALID",
		})
	}
	return map[string]any{"computeEnvironments": list}, nil
}

func (s *Service) describeJobDefinitions(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		JobDefinitions            []string
		JobDefinitionName, Status string
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("batch:DescribeJobDefinitions", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.definitions)) {
		for _, d := range s.definitions[name] {
			named := in.JobDefinitionName == "" || in.JobDefinitionName == name
			listed := len(in.JobDefinitions) == 0 || slices.Contains(in.JobDefinitions, d.arn) || slices.Contains(in.JobDefinitions, fmt.Sprintf("%s:%d", name, d.revision))
			if !named || !listed || in.Status != "" && in.Status != "ACTIVE" {
				continue
			}
			list = append(list, map[string]any{
				"jobDefinitionName": name, "jobDefinitionArn": d.arn, "revision": d.revision, "status": "ACTIVE", "type": "container",
				"containerProperties": map[string]any{"image": d.container.Image, "jobRoleArn": d.container.JobRoleArn, "executionRoleArn": d.container.ExecutionRoleArn},
			})
		}
	}
	return map[string]any{"jobDefinitions": list}, nil
}
