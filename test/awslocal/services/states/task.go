package states

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/states/jsonata"
)

// A runner is what executions run on: the service, or a replay.
type runner struct {
	clock  kernel.Clock
	engine *jsonata.Engine
	wait   waitGroup
	tasks  taskRunner
	ended  func(*execution) // told of every end; may be nil
	serial bool             // branches and items one after another
}

// A waitGroup starts goroutines that are waited for.
type waitGroup interface{ Go(func()) }

// A taskRunner does what a Task asks for. The worker is in flight when run is
// called and when it returns.
type taskRunner interface {
	run(v *frame, c taskCall) (json.RawMessage, *failure)
}

// A taskCall is one attempt of a task.
type taskCall struct {
	arguments json.RawMessage
	timeout   time.Duration // 0: none
	heartbeat time.Duration // 0: none
}

// task evaluates the arguments and has the task run.
func (v *frame) task() (json.RawMessage, *failure) {
	r := v.s.resource
	if r.token {
		v.taskID = newToken()
	}
	c := taskCall{arguments: v.input}
	var f *failure
	if v.s.arguments != nil {
		if c.arguments, f = v.evaluate(v.s.arguments, v.bindings(nil, nil)); f != nil {
			return nil, f
		}
	}
	if len(c.arguments) > limit {
		return nil, v.tooLarge("set of arguments", len(c.arguments))
	}
	if v.s.timeout != nil {
		if c.timeout, f = v.seconds(v.s.timeout); f != nil {
			return nil, f
		}
	}
	if v.s.heartbeat != nil {
		if c.heartbeat, f = v.seconds(v.s.heartbeat); f != nil {
			return nil, f
		}
	}
	v.scheduled(c)
	out, f := v.service.tasks.run(v, c)
	v.settled(out, f)
	return out, f
}

// newToken makes a task token.
func newToken() string {
	b := make([]byte, 48)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// caller runs tasks by calling services as the execution's role.
type caller struct {
	service *Service
	invoker kernel.Invoker
	shapes  *Shapes
}

func (c *caller) run(v *frame, t taskCall) (json.RawMessage, *failure) {
	r := v.s.resource
	ctx, cancel := v.ctx, context.CancelFunc(func() {})
	if t.timeout > 0 {
		// While a call is in flight business time stands still in a stepped
		// clock: what bounds the call itself is wall time.
		ctx, cancel = context.WithTimeoutCause(v.ctx, t.timeout, errTimeout)
	}
	defer cancel()
	switch {
	case r.function != "":
		return c.function(ctx, v, r.function, t.arguments)
	case r.service == "lambda" && !r.sdk:
		return c.lambda(ctx, v, t)
	case r.service == "batch" && r.sync:
		return c.job(ctx, v, t)
	case r.service == "states" && !r.sdk:
		return c.startExecution(ctx, v, t)
	}
	arguments, err := prepare(v, t.arguments)
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
	if f == nil && r.service == "events" && !r.sdk {
		f = failedEntries(out)
	}
	return out, f
}

// call calls an operation, translating names both ways.
func (c *caller) call(ctx context.Context, v *frame, r resource, arguments json.RawMessage) (json.RawMessage, *failure) {
	input, err := c.shapes.Input(r.service, r.operation, arguments)
	if err != nil {
		return nil, failf(runtimeError, "Arguments of the state '%s': %v", v.s.name, err)
	}
	out, f := c.invoke(ctx, v, r, r.operation, input)
	if f != nil {
		return nil, f
	}
	result, err := c.shapes.Output(r.service, r.operation, out)
	if err != nil {
		return nil, failf(runtimeError, "result of the state '%s': %v", v.s.name, err)
	}
	return result, nil
}

// invoke calls an operation of r's service by the model's names.
func (c *caller) invoke(ctx context.Context, v *frame, r resource, operation string, input any) (json.RawMessage, *failure) {
	out, err := c.invoker.Invoke(ctx, v.principal, r.service, operation, input)
	if err == nil {
		return out, nil
	}
	if f := v.stopped(); f != nil {
		return nil, f
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		return nil, &failure{Error: timeoutError}
	}
	return nil, named(r, err)
}

// lambdaErrors are the errors that the Lambda integration knows by name; any
// other is Lambda.AWSLambdaException.
var lambdaErrors = map[string]bool{
	"ServiceException": true, "TooManyRequestsException": true, "ResourceNotFoundException": true, "InvalidParameterValueException": true,
	"RequestTooLargeException": true, "ResourceNotReadyException": true, "ResourceConflictException": true,
}

// named is a service's error as a state machine sees it.
func named(r resource, err error) *failure {
	e, ok := errors.AsType[*kernel.Error](err)
	if !ok {
		return &failure{Error: r.prefix + ".SdkClientException", Cause: err.Error()}
	}
	cause := fmt.Sprintf("%s (Service: %s, Status Code: %d)", e.Message, r.prefix, e.Status)
	name := e.Code[strings.LastIndexAny(e.Code, ".#")+1:]
	switch {
	case r.service == "lambda" && !r.sdk && !lambdaErrors[name]:
		name = "AWSLambdaException"
	case !strings.HasSuffix(name, "Exception"):
		name += "Exception"
	}
	return &failure{Error: r.prefix + "." + name, Cause: cause}
}

// function invokes a function and yields its result.
func (c *caller) function(ctx context.Context, v *frame, name string, payload json.RawMessage) (json.RawMessage, *failure) {
	answer, f := c.invokeFunction(ctx, v, map[string]any{
		"FunctionName": name, "InvocationType": "RequestResponse", "Payload": base64.StdEncoding.EncodeToString(payload),
	})
	if f != nil {
		return nil, f
	}
	return answer.payload, nil
}

// A functionAnswer is what Lambda answered.
type functionAnswer struct {
	status  int
	version string
	payload json.RawMessage // null when there is none
}

func (c *caller) invokeFunction(ctx context.Context, v *frame, input map[string]any) (*functionAnswer, *failure) {
	out, f := c.invoke(ctx, v, v.s.resource, "Invoke", input)
	if f != nil {
		return nil, f
	}
	var answer struct {
		StatusCode      int
		FunctionError   string
		ExecutedVersion string
		Payload         []byte
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, failf("Lambda.SdkClientException", "answer of Lambda: %v", err)
	}
	if len(answer.Payload) == 0 {
		answer.Payload = []byte("null")
	}
	if answer.FunctionError != "" {
		var e struct {
			ErrorType string `json:"errorType"`
		}
		if json.Unmarshal(answer.Payload, &e) != nil || e.ErrorType == "" {
			e.ErrorType = "Lambda.Unknown"
		}
		return nil, &failure{Error: e.ErrorType, Cause: string(answer.Payload)}
	}
	if !json.Valid(answer.Payload) {
		return nil, failf(runtimeError, "the function's result is not JSON: %.200s", answer.Payload)
	}
	return &functionAnswer{status: answer.StatusCode, version: answer.ExecutedVersion, payload: answer.Payload}, nil
}

// lambda is the integration lambda:invoke.
func (c *caller) lambda(ctx context.Context, v *frame, t taskCall) (json.RawMessage, *failure) {
	var input map[string]json.RawMessage
	if err := json.Unmarshal(t.arguments, &input); err != nil {
		return nil, failf(runtimeError, "Arguments of the state '%s' must be an object: %v", v.s.name, err)
	}
	call := map[string]any{}
	for k, value := range input {
		switch k {
		case "Payload":
			call[k] = base64.StdEncoding.EncodeToString(value)
		case "FunctionName", "InvocationType", "Qualifier", "ClientContext", "LogType":
			call[k] = value
		default:
			return nil, failf(runtimeError, "Arguments of the state '%s': the field %q is not supported by Step Functions", v.s.name, k)
		}
	}
	if v.s.resource.token {
		return c.withToken(v, t, func() *failure {
			_, f := c.invokeFunction(ctx, v, call)
			return f
		})
	}
	answer, f := c.invokeFunction(ctx, v, call)
	if f != nil {
		return nil, f
	}
	out, err := json.Marshal(map[string]any{"StatusCode": answer.status, "ExecutedVersion": orDefault(answer.version, "$LATEST"), "Payload": answer.payload})
	if err != nil {
		return nil, failf(runtimeError, "result of the state '%s': %v", v.s.name, err)
	}
	return out, nil
}

// failedEntries is the failure in an answer of PutEvents.
func failedEntries(out json.RawMessage) *failure {
	var answer struct{ FailedEntryCount int }
	if err := json.Unmarshal(out, &answer); err != nil {
		return failf(runtimeError, "answer of PutEvents: %v", err)
	}
	if answer.FailedEntryCount == 0 {
		return nil
	}
	return &failure{Error: "EventBridge.FailedEntry", Cause: string(out)}
}

// prepare does what optimized integrations do with arguments: texts may be
// given as JSON, and events say which execution put them.
func prepare(v *frame, arguments json.RawMessage) (json.RawMessage, error) {
	r := v.s.resource
	if r.sdk {
		return arguments, nil
	}
	switch r.service {
	case "events":
		var in struct{ Entries []map[string]json.RawMessage }
		if err := json.Unmarshal(arguments, &in); err != nil {
			return nil, err
		}
		for i, e := range in.Entries {
			if err := asText(e, "Detail"); err != nil {
				return nil, err
			}
			var resources []string
			if raw, ok := e["Resources"]; ok {
				if err := json.Unmarshal(raw, &resources); err != nil {
					return nil, fmt.Errorf("Entries[%d].Resources: %w", i, err)
				}
			}
			resources = append(resources, v.arn)
			if v.of != nil {
				resources = append(resources, v.of.arn)
			}
			text, err := json.Marshal(resources)
			if err != nil {
				return nil, err
			}
			e["Resources"] = text
		}
		return json.Marshal(in)
	case "sns", "sqs":
		var in map[string]json.RawMessage
		if err := json.Unmarshal(arguments, &in); err != nil {
			return nil, err
		}
		field := map[string]string{"sns": "Message", "sqs": "MessageBody"}[r.service]
		if err := asText(in, field); err != nil {
			return nil, err
		}
		return json.Marshal(in)
	default:
		return arguments, nil
	}
}

// asText turns a member that is not a string into its JSON text.
func asText(object map[string]json.RawMessage, name string) error {
	raw, ok := object[name]
	if !ok || len(raw) > 0 && raw[0] == '"' {
		return nil
	}
	text, err := json.Marshal(string(raw))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	object[name] = text
	return nil
}
