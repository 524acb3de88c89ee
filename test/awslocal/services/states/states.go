// Package states is AWS Step Functions: standard workflows whose definitions
// are in JSONata, run on the business clock. Tasks call services as the state
// machine's role, so that its policy decides, through the Lambda, Batch,
// EventBridge, SNS, SQS, DynamoDB, Step Functions and SDK integrations.
//
// Refused by name, at deployment: JSONPath, express workflows, activities,
// distributed maps, and integrations that are not listed. A Wait, a retry and a
// time-out pass on the business clock; a call in flight, during which a stepped
// clock stands still, is bounded by its TimeoutSeconds in wall time.
package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/states/jsonata"
)

// Emitter takes the events of AWS services.
type Emitter interface {
	// Emit puts an event on the default bus.
	Emit(source, detailType string, resources []string, detail any) error
}

// Config is what the service needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Invoker  kernel.Invoker
	Roles    kernel.RoleSession
	Events   Emitter
	JSONata  string // path of jsonata.js of npm's jsonata
	Models   string // folder of the API models: {service}/{version}/api-2.json
	Log      *slog.Logger
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// Service is the workflow service.
type Service struct {
	config Config
	engine *jsonata.Engine
	shapes *Shapes
	runner *runner
	wait   sync.WaitGroup
	jobs   followers
	tokens tokens

	ctx  context.Context //nolint:containedctx // the lifetime of executions, ended by Close
	stop context.CancelFunc

	mu         sync.Mutex
	machines   map[string]*stateMachine // by ARN
	executions map[string]*execution    // by ARN
	order      []*execution             // of starting
}

// A stateMachine is a deployed state machine. Its members don't change: an
// update replaces it, and executions under way keep the one they started with.
type stateMachine struct {
	arn, name, role, definition, revision string
	machine                               *machine
	created                               time.Time // business
	logging, tracing                      json.RawMessage
}

// New returns the service. Close ends it.
func New(c Config) (*Service, error) {
	engine, err := jsonata.New(c.JSONata, c.Clock.Now)
	if err != nil {
		return nil, fmt.Errorf("step functions: %w", err)
	}
	s := &Service{
		config: c, engine: engine, shapes: NewShapes(c.Models),
		machines: map[string]*stateMachine{}, executions: map[string]*execution{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.runner = &runner{
		clock: c.Clock, engine: engine, wait: &s.wait, ended: s.announceEnd,
		tasks: &caller{service: s, invoker: c.Invoker, shapes: s.shapes},
	}
	return s, nil
}

// Close aborts what is running and waits for it.
func (s *Service) Close() {
	s.mu.Lock() // no execution starts after this
	s.stop()
	s.mu.Unlock()
	s.wait.Wait()
}

// Name implements kernel.Service.
func (s *Service) Name() string { return "states" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"StartExecution":                   s.startExecution,
		"StopExecution":                    s.stopExecution,
		"DescribeExecution":                s.describeExecution,
		"DescribeStateMachineForExecution": s.describeStateMachineForExecution,
		"ListExecutions":                   s.listExecutions,
		"GetExecutionHistory":              s.getExecutionHistory,
		"DescribeStateMachine":             s.describeStateMachine,
		"ListStateMachines":                s.listStateMachines,
		"ValidateStateMachineDefinition":   s.validateDefinition,
		"SendTaskSuccess":                  s.sendTaskSuccess,
		"SendTaskFailure":                  s.sendTaskFailure,
		"SendTaskHeartbeat":                s.sendTaskHeartbeat,
	}
}

var executionName = regexp.MustCompile(`^[^\s<>{}\[\]?*"#%\\^|~` + "`" + `$&,;:/\x00-\x1f\x7f-\x{9f}]{1,80}$`)

// start starts an execution, or finds the one that was started with the same
// name and input and is still running.
func (s *Service) start(m *stateMachine, name, input string) (*execution, error) {
	if name == "" {
		name = newID()
	}
	if !executionName.MatchString(name) {
		return nil, kernel.Errorf(400, "InvalidName", "Invalid Name: '%s'", name)
	}
	if input == "" {
		input = "{}"
	}
	if !json.Valid([]byte(input)) {
		return nil, kernel.Errorf(400, "InvalidExecutionInput", "Invalid State Machine Execution Input: it is not JSON")
	}
	if len(input) > limit {
		return nil, kernel.Errorf(400, "InvalidExecutionInput", "Invalid State Machine Execution Input: it has %d bytes, the limit is %d", len(input), limit)
	}
	principal, err := s.config.Roles.Assume(m.role, "states.amazonaws.com")
	if err != nil {
		return nil, fmt.Errorf("role of the state machine: %w", err)
	}
	x := &execution{
		service: s.runner, machine: m.machine, of: m, name: name, principal: principal, input: json.RawMessage(input),
		arn: s.config.Identity.ARN("states", "execution:"+m.name+":"+name), started: s.config.Clock.Now(),
		ended: make(chan struct{}), status: running,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, kernel.Errorf(503, "ServiceUnavailable", "the endpoint is closing")
	}
	if old, ok := s.executions[x.arn]; ok {
		old.mu.Lock()
		same := old.status == running && string(old.input) == input
		old.mu.Unlock()
		if !same {
			return nil, kernel.Errorf(400, "ExecutionAlreadyExists", "Execution Already Exists: '%s'", x.arn)
		}
		return old, nil
	}
	x.ctx, x.cancel = context.WithCancelCause(s.ctx)
	s.executions[x.arn] = x
	s.order = append(s.order, x)
	w := newWorker(s.config.Clock, "execution "+m.name+"/"+name)
	s.wait.Go(func() {
		s.announce(x)
		x.run(w)
	})
	return x, nil
}

// announce emits the event of x's status.
func (s *Service) announce(x *execution) {
	x.mu.Lock()
	detail := map[string]any{
		"executionArn": x.arn, "stateMachineArn": x.of.arn, "name": x.name, "status": x.status, "startDate": x.started.UnixMilli(),
		"stopDate": nil, "input": string(x.input), "output": nil, "error": nil, "cause": nil,
		"inputDetails": map[string]bool{"included": true}, "outputDetails": nil,
	}
	if x.status != running {
		detail["stopDate"] = x.stopped.UnixMilli()
	}
	if x.output != nil {
		detail["output"], detail["outputDetails"] = string(x.output), map[string]bool{"included": true}
	}
	if x.error != "" || x.cause != "" {
		detail["error"], detail["cause"] = x.error, x.cause
	}
	x.mu.Unlock()
	if err := s.config.Events.Emit("aws.states", "Step Functions Execution Status Change", []string{x.arn}, detail); err != nil {
		s.config.Log.Error("execution event not emitted", "execution", x.arn, "error", err.Error())
	}
}

// announceEnd logs and emits that x has ended.
func (s *Service) announceEnd(x *execution) {
	x.mu.Lock()
	log := s.config.Log.With("execution", x.arn, "status", x.status)
	if x.status != succeeded {
		last := ""
		if len(x.path) > 0 {
			last = x.path[len(x.path)-1]
		}
		cause := x.cause
		log = log.With("error", x.error, "cause", cause[:min(len(cause), 2000)], "last_state", last)
	}
	bad := x.status != succeeded
	x.mu.Unlock()
	if bad {
		log.Warn("execution ended")
	} else {
		log.Info("execution ended")
	}
	s.announce(x)
}

// whenEnded calls f, by someone in flight, when an execution has ended; at once
// when it has.
func (s *Service) whenEnded(arn string, f func()) {
	s.mu.Lock()
	x, ok := s.executions[arn]
	s.mu.Unlock()
	if !ok {
		f()
		return
	}
	x.mu.Lock()
	ended := x.status != running
	if !ended {
		x.waiters = append(x.waiters, f)
	}
	x.mu.Unlock()
	if ended {
		f()
	}
}

// find returns an execution.
func (s *Service) find(arn string) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.executions[arn]
	if !ok {
		return nil, kernel.Errorf(400, "ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
	}
	return x, nil
}

// machineByARN returns a deployed state machine.
func (s *Service) machineByARN(arn string) (*stateMachine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.machines[arn]
	if !ok {
		return nil, kernel.Errorf(400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
	}
	return m, nil
}

// check parses a definition and checks it against the API models.
func (s *Service) check(definition string) (*machine, error) {
	m, err := parse([]byte(definition), s.engine)
	if err != nil {
		return nil, err
	}
	var problems []error
	m.each(func(st *state) {
		if st.kind != task {
			return
		}
		r := st.resource
		if err := s.shapes.Has(r.service, r.operation); err != nil {
			problems = append(problems, fmt.Errorf("state %s: Resource %s: %w", st.name, r.arn, err))
			return
		}
		for _, field := range st.argumentNames() {
			if r.function == "" && !s.shapes.accepts(r.service, r.operation, field) {
				problems = append(problems, fmt.Errorf("state %s: Arguments: the field %q is not supported by Step Functions", st.name, field))
			}
		}
	})
	return m, errors.Join(problems...)
}

// argumentNames are the fields of Arguments as far as the definition shows.
func (s *state) argumentNames() []string {
	if s.arguments == nil {
		return nil
	}
	return s.arguments.assigned()
}

// each visits every state, those of branches and items too.
func (f *flow) each(visit func(*state)) {
	for _, s := range f.states {
		visit(s)
		for i := range s.branches {
			s.branches[i].each(visit)
		}
	}
}

// follows reports whether a state waits for a job, and whether one waits
// for an execution.
func (m *machine) follows() (jobs, executions bool) {
	m.each(func(s *state) {
		jobs = jobs || s.kind == task && s.resource.sync && s.resource.service == "batch"
		executions = executions || s.kind == task && s.resource.sync && s.resource.service == "states"
	})
	return jobs, executions
}

// list are the executions that hold, the latest first.
func (s *Service) list(hold func(*execution) bool) []*execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*execution
	for _, x := range slices.Backward(s.order) {
		if hold(x) {
			out = append(out, x)
		}
	}
	return out
}
