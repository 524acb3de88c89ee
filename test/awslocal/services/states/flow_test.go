package states_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/events"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
	"github.com/livetwin/livetwin/test/awslocal/services/states"
)

// library is npm's jsonata, or the test is skipped.
func library(tb testing.TB) string {
	tb.Helper()
	file := filepath.Join("..", "..", "..", "..", "node_modules", "jsonata", "jsonata.js")
	if _, err := os.Stat(file); err != nil {
		tb.Skipf("jsonata is not installed (npm ci): %v", err)
	}
	return file
}

var models = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go").Output()
	return filepath.Join(strings.TrimSpace(string(out)), "models", "apis"), err
})

// A flow is the service with a bus, queues and functions made of Go.
type flow struct {
	*servicetest.World
	t   *testing.T
	s   *states.Service
	bus *events.Service

	mu        sync.Mutex
	functions map[string]func(payload json.RawMessage) (any, *functionError)
}

type functionError struct{ kind, message string }

func newFlow(t *testing.T) *flow {
	t.Helper()
	file := library(t)
	dir, err := models()
	require.NoError(t, err)
	w := servicetest.New(t)
	f := &flow{World: w, t: t, functions: map[string]func(json.RawMessage) (any, *functionError){}}
	f.bus = events.New(events.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Log: w.Log})
	f.s, err = states.New(states.Config{
		Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Events: f.bus, JSONata: file, Models: dir, Log: w.Log,
	})
	require.NoError(t, err)
	queues := sqs.New(sqs.Config{Identity: w.Identity, Clock: w.Clock})
	w.Add(f.bus, f.s, queues)
	w.MustDeploy(queues, "AWS::SQS::Queue", `{"QueueName":"work"}`)
	w.Handle("lambda", "Invoke", f.invoke)
	f.bus.Observe(func(e events.Event) { f.s.Observe(e.Source, e.DetailType, e.Detail) })
	t.Cleanup(func() { f.s.Close(); f.bus.Close() })
	return f
}

func (f *flow) invoke(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		FunctionName string
		Payload      []byte
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("lambda:InvokeFunction", in.FunctionName); err != nil {
		return nil, err
	}
	f.mu.Lock()
	function := f.functions[in.FunctionName[strings.LastIndex(in.FunctionName, ":")+1:]]
	f.mu.Unlock()
	if function == nil {
		return nil, kernel.Errorf(404, "ResourceNotFoundException", "Function not found: %s", in.FunctionName)
	}
	out, failure := function(in.Payload)
	answer := map[string]any{"StatusCode": 200, "ExecutedVersion": "$LATEST"}
	if failure != nil {
		out = map[string]string{"errorType": failure.kind, "errorMessage": failure.message}
		answer["FunctionError"] = "Unhandled"
	}
	text, err := json.Marshal(out)
	answer["Payload"] = base64.StdEncoding.EncodeToString(text)
	return answer, err
}

// on sets what the function f does.
func (f *flow) on(function func(json.RawMessage) (any, *functionError)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.functions["f"] = function
}

const functionARN = "arn:aws:lambda:us-east-1:000000000000:function:"

// deploy deploys a definition of JSONata states.
func (f *flow) deploy(startAt, states string) error {
	f.t.Helper()
	return f.deployDefinition(fmt.Sprintf(`{"QueryLanguage":"JSONata","StartAt":%q,"States":{%s}}`, startAt, states))
}

func (f *flow) deployDefinition(definition string) error {
	f.t.Helper()
	properties, err := json.Marshal(map[string]any{
		"StateMachineName": "m", "RoleArn": "arn:aws:iam::000000000000:role/flow", "DefinitionString": definition,
		"DefinitionSubstitutions": map[string]any{"F": functionARN + "f"},
	})
	require.NoError(f.t, err)
	_, err = f.Deploy(f.s, "AWS::StepFunctions::StateMachine", string(properties))
	return err
}

// start starts an execution with an input.
func (f *flow) start(input string) string {
	f.t.Helper()
	text, err := json.Marshal(map[string]string{"stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m", "input": input})
	require.NoError(f.t, err)
	return f.Must("states", "StartExecution", string(text))["executionArn"].(string)
}

func (f *flow) describe(arn string) map[string]any {
	f.t.Helper()
	return f.Must("states", "DescribeExecution", fmt.Sprintf(`{"executionArn":%q}`, arn))
}

// run deploys states, runs them with an input and returns the output.
func (f *flow) run(startAt, states, input string) map[string]any {
	f.t.Helper()
	require.NoError(f.t, f.deploy(startAt, states))
	arn := f.start(input)
	f.Settle()
	return f.describe(arn)
}

func assertOutput(t *testing.T, want string, got map[string]any) {
	t.Helper()
	require.Equal(t, "SUCCEEDED", got["status"], "%v: %v", got["error"], got["cause"])
	assert.JSONEq(t, want, got["output"].(string))
}

func assertFailed(t *testing.T, name, cause string, got map[string]any) {
	t.Helper()
	require.Equal(t, "FAILED", got["status"])
	assert.Equal(t, name, got["error"])
	if cause != "" {
		assert.Contains(t, got["cause"], cause)
	}
}
