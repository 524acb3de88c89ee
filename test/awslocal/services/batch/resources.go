package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// An environment is a compute environment.
type environment struct {
	name, arn, state, kind string // kind: FARGATE or FARGATE_SPOT
	maxvCPUs               int
}

// A queue sends jobs to its environments.
type queue struct {
	name, arn, state string
	priority         int
	environments     []*environment
}

// spot reports whether jobs of the queue run on Fargate Spot.
func (q *queue) spot() bool { return q.environments[0].kind == "FARGATE_SPOT" }

// A definition is one revision of a job definition.
type definition struct {
	name, arn  string
	revision   int
	container  container
	image      *image
	parameters map[string]string
	strategy   *strategy
	timeout    time.Duration
	properties json.RawMessage // as deployed: the same again is no new revision
}

// container are the properties of a job's container that matter here; the
// others are accepted and have no effect.
type container struct {
	Image, JobRoleArn, ExecutionRoleArn string
	Command                             []string
	Environment                         []variable
	ResourceRequirements                []struct{ Type, Value string }

	LogConfiguration, NetworkConfiguration, FargatePlatformConfiguration, RuntimePlatform template.Ignored
	EphemeralStorage, ReadonlyRootFilesystem, User, LinuxParameters, Ulimits, Privileged  template.Ignored

	// Secrets, Volumes and MountPoints would change what the program sees.
	Secrets, Volumes, MountPoints []json.RawMessage
}

// A variable is one variable of a job's environment.
type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::Batch::ComputeEnvironment": s.createEnvironment,
		"AWS::Batch::JobQueue":           s.createQueue,
		"AWS::Batch::JobDefinition":      s.createDefinition,
		"AWS::Batch::SchedulingPolicy":   s.createSchedulingPolicy,
	}
}

func (s *Service) createSchedulingPolicy(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Name            string
		FairsharePolicy template.Ignored
		Tags            template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	arn := s.config.Identity.ARN("batch", "scheduling-policy/"+template.Name(r, p.Name, 128))
	return kernel.Physical{Ref: arn, Attributes: map[string]any{"Arn": arn}}, nil
}

func (s *Service) createEnvironment(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		ComputeEnvironmentName, Type, State, ServiceRole string
		ComputeResources                                 struct {
			Type                       string
			MaxvCpus                   template.Int
			Subnets, SecurityGroupIds  []string
			UpdateToLatestImageVersion template.Bool
			Tags                       template.Ignored
		}
		ReplaceComputeEnvironment   template.Bool
		UpdatePolicy, Tags, Context template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if kind := p.ComputeResources.Type; kind != "FARGATE" && kind != "FARGATE_SPOT" {
		return kernel.Physical{}, template.Errorf(r, "ComputeResources.Type is %q; this endpoint has FARGATE and FARGATE_SPOT", kind)
	}
	if len(p.ComputeResources.Subnets) == 0 {
		return kernel.Physical{}, template.Errorf(r, "ComputeResources.Subnets is empty: Fargate needs a subnet")
	}
	name := template.Name(r, p.ComputeEnvironmentName, 128)
	e := &environment{
		name: name, arn: s.config.Identity.ARN("batch", "compute-environment/"+name), state: orEnabled(p.State),
		kind: p.ComputeResources.Type, maxvCPUs: int(p.ComputeResources.MaxvCpus),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.environments[e.arn]; ok {
		*old = *e // queues keep their pointer
	} else {
		s.environments[e.arn] = e
	}
	return kernel.Physical{Ref: e.arn, Attributes: map[string]any{"ComputeEnvironmentArn": e.arn}}, nil
}

func orEnabled(state string) string {
	if state == "" {
		return "ENABLED"
	}
	return state
}

func (s *Service) createQueue(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		JobQueueName, State, SchedulingPolicyArn, JobQueueType string
		Priority                                               template.Int
		ComputeEnvironmentOrder                                []struct {
			Order              template.Int
			ComputeEnvironment string
		}
		JobStateTimeLimitActions []json.RawMessage
		Tags                     template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if len(p.JobStateTimeLimitActions) > 0 {
		return kernel.Physical{}, template.Errorf(r, "JobStateTimeLimitActions is not implemented by this endpoint; use a time-out of the state machine")
	}
	slices.SortStableFunc(p.ComputeEnvironmentOrder, func(a, b struct {
		Order              template.Int
		ComputeEnvironment string
	},
	) int {
		return int(a.Order - b.Order)
	})
	name := template.Name(r, p.JobQueueName, 128)
	q := &queue{name: name, arn: s.config.Identity.ARN("batch", "job-queue/"+name), state: orEnabled(p.State), priority: int(p.Priority)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range p.ComputeEnvironmentOrder {
		e, ok := s.environments[o.ComputeEnvironment]
		if !ok {
			e, ok = s.environments[s.config.Identity.ARN("batch", "compute-environment/"+o.ComputeEnvironment)]
		}
		if !ok {
			return kernel.Physical{}, template.Errorf(r, "compute environment %s does not exist", o.ComputeEnvironment)
		}
		q.environments = append(q.environments, e)
	}
	if len(q.environments) == 0 {
		return kernel.Physical{}, template.Errorf(r, "ComputeEnvironmentOrder is empty")
	}
	if old, ok := s.queues[q.arn]; ok {
		*old = *q // jobs keep their pointer
	} else {
		s.queues[q.arn] = q
	}
	return kernel.Physical{Ref: q.arn, Attributes: map[string]any{"JobQueueArn": q.arn}}, nil
}

func (s *Service) createDefinition(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		JobDefinitionName, Type       string
		ContainerProperties           *container
		RetryStrategy                 *strategy
		Timeout                       struct{ AttemptDurationSeconds template.Int }
		Parameters                    map[string]string
		PlatformCapabilities          []string
		PropagateTags                 template.Bool
		SchedulingPriority            template.Int
		ResourceRetentionPolicy, Tags template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if p.Type != "container" || p.ContainerProperties == nil {
		return kernel.Physical{}, template.Errorf(r, "Type is %q; this endpoint runs jobs of type container with ContainerProperties", p.Type)
	}
	d := &definition{
		name: template.Name(r, p.JobDefinitionName, 128), container: *p.ContainerProperties, parameters: p.Parameters,
		strategy: p.RetryStrategy, timeout: time.Duration(p.Timeout.AttemptDurationSeconds) * time.Second, properties: r.Properties,
	}
	if err := s.complete(d, r.Assembly); err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	revisions := s.definitions[d.name]
	if n := len(revisions); n > 0 && sameJSON(revisions[n-1].properties, d.properties) {
		revisions[n-1].image = d.image // its folder may have moved
		return kernel.Physical{Ref: revisions[n-1].arn, Attributes: map[string]any{"JobDefinitionArn": revisions[n-1].arn}}, nil
	}
	d.revision = len(revisions) + 1
	d.arn = s.config.Identity.ARN("batch", fmt.Sprintf("job-definition/%s:%d", d.name, d.revision))
	s.definitions[d.name] = append(revisions, d)
	return kernel.Physical{Ref: d.arn, Attributes: map[string]any{"JobDefinitionArn": d.arn}}, nil
}

// complete finds the program of a definition and reports what cannot be run.
func (s *Service) complete(d *definition, assembly string) error {
	c := d.container
	if len(c.Secrets)+len(c.Volumes)+len(c.MountPoints) > 0 {
		return fmt.Errorf("ContainerProperties: Secrets, Volumes and MountPoints are not implemented by this endpoint")
	}
	if c.ExecutionRoleArn == "" {
		return fmt.Errorf("ContainerProperties.ExecutionRoleArn is missing: Fargate needs one")
	}
	if err := d.strategy.check(); err != nil {
		return err
	}
	if d.timeout != 0 && d.timeout < time.Minute {
		return fmt.Errorf("Timeout.AttemptDurationSeconds is %.0f, Batch wants at least 60", d.timeout.Seconds())
	}
	m, err := findImage(assembly, c.Image, s.config.Identity)
	if err != nil {
		return err
	}
	words := m.entrypoint
	if len(words) == 0 {
		words = c.Command
	}
	if len(words) == 0 {
		words = m.cmd
	}
	if _, err := m.program(words); err != nil {
		return err
	}
	d.image = m
	return nil
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
