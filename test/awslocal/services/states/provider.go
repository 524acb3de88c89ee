package states

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::StepFunctions::StateMachine": s.createStateMachine,
	}
}

func (s *Service) createStateMachine(ctx context.Context, r *kernel.Resource) (kernel.Physical, error) {
	defer clock.Begin(s.config.Clock, "deployment of "+r.LogicalID)()
	var p struct {
		StateMachineName, StateMachineType, RoleArn, DefinitionString string
		Definition                                                    json.RawMessage
		DefinitionS3Location                                          json.RawMessage
		DefinitionSubstitutions                                       map[string]any
		LoggingConfiguration, TracingConfiguration                    json.RawMessage
		EncryptionConfiguration, Tags                                 template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	switch {
	case p.StateMachineType != "" && p.StateMachineType != "STANDARD":
		return kernel.Physical{}, template.Errorf(r, "StateMachineType is %s; this endpoint runs STANDARD workflows only", p.StateMachineType)
	case len(p.DefinitionS3Location) > 0:
		return kernel.Physical{}, template.Errorf(r, "DefinitionS3Location is not implemented by this endpoint; use DefinitionString")
	case (p.DefinitionString == "") == (len(p.Definition) == 0):
		return kernel.Physical{}, template.Errorf(r, "it needs either DefinitionString or Definition")
	}
	definition := p.DefinitionString
	if definition == "" {
		definition = string(p.Definition)
	}
	definition = replace(definition, p.DefinitionSubstitutions)
	machine, err := s.check(definition)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "invalid state machine definition:\n%w", err)
	}
	principal, err := s.config.Roles.Assume(p.RoleArn, "states.amazonaws.com")
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "Step Functions cannot assume the role: %w", err)
	}
	jobs, executions := machine.follows()
	if jobs {
		err = s.manageRule(ctx, principal, "StepFunctionsGetEventsForBatchJobsRule", `{"source":["aws.batch"],"detail-type":["Batch Job State Change"]}`)
	}
	if executions && err == nil {
		err = s.manageRule(ctx, principal, "StepFunctionsGetEventsForStepFunctionsExecutionRule", `{"source":["aws.states"],"detail-type":["Step Functions Execution Status Change"]}`)
	}
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	name := template.Name(r, p.StateMachineName, 80)
	m := &stateMachine{
		arn: s.config.Identity.ARN("states", "stateMachine:"+name), name: name, role: p.RoleArn, definition: definition, revision: newID(),
		machine: machine, created: s.config.Clock.Now(), logging: p.LoggingConfiguration, tracing: p.TracingConfiguration,
	}
	s.mu.Lock()
	if old, ok := s.machines[m.arn]; ok {
		m.created = old.created
	}
	s.machines[m.arn] = m
	s.mu.Unlock()
	return kernel.Physical{Ref: m.arn, Attributes: map[string]any{"Arn": m.arn, "Name": name, "StateMachineRevisionId": m.revision}}, nil
}

// replace puts DefinitionSubstitutions into a definition.
func replace(definition string, values map[string]any) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		text := fmt.Sprint(values[k])
		if encoded, err := json.Marshal(text); err == nil {
			text = string(encoded[1 : len(encoded)-1]) // placeholders stand inside strings
		}
		pairs = append(pairs, "${"+k+"}", text)
	}
	return strings.NewReplacer(pairs...).Replace(definition)
}

// manageRule makes, as the state machine's role, the rule by which Step
// Functions follows jobs or executions: AWS refuses to create a state machine
// whose role may not.
func (s *Service) manageRule(ctx context.Context, p kernel.Principal, name, pattern string) error {
	for _, call := range []struct {
		operation string
		input     any
	}{
		{"PutRule", map[string]any{"Name": name, "EventPattern": pattern}},
		{"PutTargets", map[string]any{"Rule": name, "Targets": []any{map[string]any{"Id": "StepFunctions", "Arn": s.config.Identity.ARN("states", "managed")}}}},
		{"DescribeRule", map[string]any{"Name": name}},
	} {
		if _, err := s.config.Invoker.Invoke(ctx, p, "events", call.operation, call.input); err != nil {
			return fmt.Errorf("the role is not authorized to create managed-rule %s: %w", name, err)
		}
	}
	return nil
}
