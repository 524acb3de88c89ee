package states_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/events"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
)

// The expected outputs follow from the Amazon States Language and the Step
// Functions developer guide, "Transforming data with JSONata".
func TestDataFlow(t *testing.T) {
	for name, c := range map[string]struct{ startAt, states, input, want string }{
		"pass hands on its input":     {"A", `"A":{"Type":"Pass","End":true}`, `{"a":[1,2.50]}`, `{"a":[1,2.5]}`},
		"output replaces it":          {"A", `"A":{"Type":"Pass","Output":{"b":"{% $states.input.a + 1 %}","c":["{% 'x' %}",null,1]},"End":true}`, `{"a":1}`, `{"b":2,"c":["x",null,1]}`},
		"assign sees the old values":  {"A", `"A":{"Type":"Pass","Assign":{"x":1,"y":2},"Next":"B"},"B":{"Type":"Pass","Assign":{"x":"{% $y %}","y":"{% $x %}"},"Output":"{% [$x, $y] %}","Next":"C"},"C":{"Type":"Succeed","Output":"{% [$states.input, $x, $y] %}"}`, `{}`, `[1,2,2,1]`},
		"the first rule that holds":   {"A", `"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n > 5 %}","Next":"B"},{"Condition":"{% $states.input.n > 1 %}","Output":"{% 'second' %}","Next":"C"}],"Default":"B"},"B":{"Type":"Fail"},"C":{"Type":"Succeed"}`, `{"n":3}`, `"second"`},
		"the default":                 {"A", `"A":{"Type":"Choice","Output":"none","Choices":[{"Condition":"{% false %}","Next":"B"}],"Default":"C"},"B":{"Type":"Fail"},"C":{"Type":"Succeed"}`, `{}`, `"none"`},
		"parallel: branches in order": {"A", `"A":{"Type":"Parallel","Arguments":"{% $states.input.n %}","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Output":"{% $states.input + 1 %}","End":true}}},{"StartAt":"C","States":{"C":{"Type":"Pass","End":true}}}],"Output":"{% {'r': $states.result} %}","End":true}`, `{"n":1}`, `{"r":[2,1]}`},
		"map: items in order":         {"A", `"A":{"Type":"Map","Items":"{% $states.input.l %}","ItemSelector":{"v":"{% $states.context.Map.Item.Value %}","i":"{% $states.context.Map.Item.Index %}"},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Output":"{% $states.input.v * 10 + $states.input.i %}","End":true}}},"End":true}`, `{"l":[5,6,7]}`, `[50,61,72]`},
		"map over the input":          {"A", `"A":{"Type":"Map","MaxConcurrency":1,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},"End":true}`, `[]`, `[]`},
		"outer variables are read":    {"A", `"A":{"Type":"Pass","Assign":{"k":3},"Next":"M"},"M":{"Type":"Map","Items":[1,2],"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"own":"{% $k * $states.input %}"},"Next":"C"},"C":{"Type":"Pass","Output":"{% $own %}","End":true}}},"End":true}`, `{}`, `[3,6]`},
		"context":                     {"A", `"A":{"Type":"Pass","Output":"{% [$states.context.State.Name, $states.context.Execution.Input.a, $states.context.StateMachine.Name, $states.context.Execution.StartTime] %}","End":true}`, `{"a":7}`, `["A",7,"m","2026-01-02T00:00:00.000Z"]`},
	} {
		t.Run(name, func(t *testing.T) {
			assertOutput(t, c.want, newFlow(t).run(c.startAt, c.states, c.input))
		})
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct{ states, input, error, cause string }{
		"Fail":                 {`"A":{"Type":"Fail","Error":"{% 'Too' & 'Bad' %}","Cause":"because"}`, `{}`, "TooBad", "because"},
		"undefined":            {`"A":{"Type":"Pass","Output":"{% $states.input.none %}","End":true}`, `{}`, "States.QueryEvaluationError", "undefined"},
		"not a condition":      {`"A":{"Type":"Choice","Choices":[{"Condition":"{% 1 %}","Next":"B"}]},"B":{"Type":"Succeed"}`, `{}`, "States.QueryEvaluationError", "true or false"},
		"no choice":            {`"A":{"Type":"Choice","Choices":[{"Condition":"{% false %}","Next":"B"}]},"B":{"Type":"Succeed"}`, `{}`, "States.NoChoiceMatched", "Default"},
		"not items":            {`"A":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}},"End":true}`, `{"a":1}`, "States.QueryEvaluationError", "want an array"},
		"too much data":        {`"A":{"Type":"Pass","Output":"{% $join($map($range(1,4000,1), function($v){$pad('x', 80)})) %}","End":true}`, `{}`, "States.DataLimitExceeded", "262144"},
		"an item fails":        {`"A":{"Type":"Map","Items":[1,2,3],"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Choice","Choices":[{"Condition":"{% $states.input = 2 %}","Next":"C"}],"Default":"D"},"C":{"Type":"Fail","Error":"Two"},"D":{"Type":"Wait","Seconds":60,"End":true}}},"End":true}`, `{}`, "Two", ""},
		"unknown function":     {`"A":{"Type":"Task","Resource":"` + functionARN + `none","End":true}`, `{}`, "Lambda.ResourceNotFoundException", "none"},
		"field of the API":     {`"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Arguments":"{% {'QueueUrl':'q','MessageBody':'b','Colour':'red'} %}","End":true}`, `{}`, "States.Runtime", "Colour"},
		"error of the service": {`"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Arguments":{"QueueUrl":"http://127.0.0.1:4566/000000000000/none","MessageBody":"b"},"End":true}`, `{}`, "SQS.QueueDoesNotExistException", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			assertFailed(t, c.error, c.cause, newFlow(t).run("A", c.states, c.input))
		})
	}
}

func TestATaskCallsAFunctionAsTheRole(t *testing.T) {
	f := newFlow(t)
	f.on(func(payload json.RawMessage) (any, *functionError) {
		assert.JSONEq(t, `{"n":2}`, string(payload))
		return map[string]int{"n": 3}, nil
	})
	got := f.run("A", `"A":{"Type":"Task","Resource":"${F}","Arguments":{"n":"{% $states.input.n + 1 %}"},"Assign":{"r":"{% $states.result.n %}"},"Next":"B"},
		"B":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":{"FunctionName":"${F}","Payload":{"n":2}},"Output":"{% [$r, $states.result.Payload.n, $states.result.StatusCode] %}","End":true}`, `{"n":1}`)
	assertOutput(t, `[3,3,200]`, got)
	for _, c := range f.Calls("lambda", "Invoke") {
		assert.Equal(t, "flow", c.Principal.Role)
	}

	f.Deny(func(p kernel.Principal, action, _ string) bool {
		return p.Role == "flow" && action == "lambda:InvokeFunction"
	})
	arn := f.start(`{"n":1}`)
	f.Settle()
	assertFailed(t, "Lambda.AWSLambdaException", "not authorized to perform: lambda:InvokeFunction", f.describe(arn))
}

func TestRetriesWaitOnTheClock(t *testing.T) {
	f := newFlow(t)
	calls := 0
	f.on(func(json.RawMessage) (any, *functionError) {
		if calls++; calls < 4 {
			return nil, &functionError{"Transient", "again"}
		}
		return "done", nil
	})
	require.NoError(t, f.deploy("A", `"A":{"Type":"Task","Resource":"${F}","Retry":[{"ErrorEquals":["Other"]},{"ErrorEquals":["Transient"],"IntervalSeconds":2,"BackoffRate":3,"MaxAttempts":5,"MaxDelaySeconds":10}],"Output":"{% [$states.result, $states.context.State.RetryCount] %}","End":true}`))
	arn := f.start(`{}`)
	f.Settle()
	assert.Len(t, f.Calls("lambda", "Invoke"), 1)
	f.Advance(time.Hour)
	var at []time.Duration
	for _, c := range f.Calls("lambda", "Invoke") {
		at = append(at, c.At.Sub(servicetest.Start))
	}
	// 2 s, 2·3 s, and 2·9 s cut to 10 s
	assert.Equal(t, []time.Duration{0, 2 * time.Second, 8 * time.Second, 18 * time.Second}, at)
	assertOutput(t, `["done",3]`, f.describe(arn))
}

func TestRetriesEndAndCatchersTakeOver(t *testing.T) {
	f := newFlow(t)
	f.on(func(json.RawMessage) (any, *functionError) { return nil, &functionError{"Permanent", "no such cell"} })
	require.NoError(t, f.deploy("A", `"A":{"Type":"Task","Resource":"${F}","Retry":[{"ErrorEquals":["States.TaskFailed"],"MaxAttempts":1,"JitterStrategy":"FULL"}],
		"Catch":[{"ErrorEquals":["Other"],"Next":"C"},{"ErrorEquals":["States.ALL"],"Assign":{"e":"{% $states.errorOutput.Error %}"},"Output":"{% $parse($states.errorOutput.Cause).errorMessage %}","Next":"B"}],"Next":"C"},
		"B":{"Type":"Pass","Output":"{% [$e, $states.input] %}","End":true},"C":{"Type":"Fail"}`))
	arn := f.start(`{}`)
	f.Advance(time.Hour)
	assertOutput(t, `["Permanent","no such cell"]`, f.describe(arn))
	assert.Len(t, f.Calls("lambda", "Invoke"), 2)
}

func TestWaitingTakesBusinessTimeOnly(t *testing.T) {
	f := newFlow(t)
	require.NoError(t, f.deploy("A", `"A":{"Type":"Wait","Seconds":"{% $states.input.s %}","Next":"B"},"B":{"Type":"Wait","Timestamp":"2026-01-03T00:00:00Z","Next":"C"},"C":{"Type":"Pass","Output":"{% $now() %}","End":true}`))
	arn := f.start(`{"s":3600}`)
	f.Advance(time.Hour - 1)
	assert.Equal(t, "RUNNING", f.describe(arn)["status"])
	f.Advance(23 * time.Hour)
	assert.Equal(t, "RUNNING", f.describe(arn)["status"])
	f.Advance(48 * time.Hour)
	assertOutput(t, `"2026-01-03T00:00:00.000Z"`, f.describe(arn))
	assert.InDelta(t, float64(servicetest.Start.Add(24*time.Hour).Unix()), f.describe(arn)["stopDate"], 0)
}

func TestAnExecutionTimesOutOrIsStopped(t *testing.T) {
	f := newFlow(t)
	require.NoError(t, f.deployDefinition(`{"QueryLanguage":"JSONata","TimeoutSeconds":60,"StartAt":"A","States":{"A":{"Type":"Map","Items":[1,2],"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":3600,"End":true}}},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}],"End":true},"C":{"Type":"Succeed"}}}`))
	late, stopped := f.start(`{"n":1}`), f.start(`{"n":2}`)
	f.Advance(30 * time.Second)
	f.Must("states", "StopExecution", fmt.Sprintf(`{"executionArn":%q,"error":"Enough","cause":"seen enough"}`, stopped))
	f.Advance(2 * time.Minute)
	assert.Equal(t, "TIMED_OUT", f.describe(late)["status"])
	got := f.describe(stopped)
	assert.Equal(t, "ABORTED", got["status"])
	assert.Equal(t, "Enough", got["error"])
	assert.Zero(t, f.Clock.State().Timers, "nothing is left of them")
	assert.Zero(t, f.Clock.State().InFlight)
}

func TestEventsArePutAndFailedEntriesFail(t *testing.T) {
	f := newFlow(t)
	var seen []events.Event
	f.bus.Observe(func(e events.Event) {
		if e.Source != "aws.states" {
			seen = append(seen, e)
		}
	})
	got := f.run("A", `"A":{"Type":"Task","Resource":"arn:aws:states:::events:putEvents","Arguments":{"Entries":[{"Source":"{% $states.input.source %}","DetailType":"Happened","Detail":{"a":1}}]},"Output":"{% $states.result.FailedEntryCount %}","End":true}`, `{"source":"app"}`)
	assertOutput(t, `0`, got)
	require.Len(t, seen, 1)
	assert.JSONEq(t, `{"a":1}`, string(seen[0].Detail))
	assert.Contains(t, seen[0].Resources, got["executionArn"], "Step Functions says who put the event")
	arn := f.start(`{"source":"aws.app"}`)
	f.Settle()
	assertFailed(t, "EventBridge.FailedEntry", "NotAuthorizedForSource", f.describe(arn))
}

func TestAMessageMayBeAnObject(t *testing.T) {
	f := newFlow(t)
	got := f.run("A", `"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Arguments":{"QueueUrl":"http://127.0.0.1:4566/000000000000/work","MessageBody":{"a":1}},"Next":"B"},
		"B":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sqs:receiveMessage","Arguments":{"QueueUrl":"http://127.0.0.1:4566/000000000000/work"},"Output":"{% $states.result.Messages[0].Body %}","End":true}`, `{}`)
	assertOutput(t, `"{\"a\":1}"`, got)
}

func TestAnExecutionStartsAnother(t *testing.T) {
	f := newFlow(t)
	inner, err := json.Marshal(map[string]any{
		"StateMachineName": "inner", "RoleArn": "arn:aws:iam::000000000000:role/inner",
		"DefinitionString": `{"QueryLanguage":"JSONata","StartAt":"W","States":{"W":{"Type":"Wait","Seconds":"{% $states.input.s %}","Next":"P"},"P":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.s = 7 %}","Next":"F"}],"Default":"S"},"F":{"Type":"Fail","Error":"Seven"},"S":{"Type":"Succeed"}}}`,
	})
	require.NoError(t, err)
	f.MustDeploy(f.s, "AWS::StepFunctions::StateMachine", string(inner))
	require.NoError(t, f.deploy("A", `"A":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","Arguments":{"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:inner","Input":{"s":"{% $states.input.s %}"}},"TimeoutSeconds":60,"Output":"{% $states.result.Output %}","End":true}`))
	good, bad, late := f.start(`{"s":5}`), f.start(`{"s":7}`), f.start(`{"s":500}`)
	f.Advance(time.Hour)
	assertOutput(t, `{"s":5}`, f.describe(good))
	assertFailed(t, "States.TaskFailed", "Seven", f.describe(bad))
	assertFailed(t, "States.Timeout", "", f.describe(late))
	list := f.Must("states", "ListExecutions", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:inner","statusFilter":"ABORTED"}`)
	assert.Len(t, list["executions"], 1, "the execution that took too long was stopped")
}

func TestATaskWaitsForItsToken(t *testing.T) {
	f := newFlow(t)
	require.NoError(t, f.deploy("A", `"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","TimeoutSeconds":600,"HeartbeatSeconds":60,"Arguments":{"QueueUrl":"http://127.0.0.1:4566/000000000000/work","MessageBody":"{% $states.context.Task.Token %}"},"End":true}`))
	token := func() string {
		t.Helper()
		f.Settle()
		m := f.Must("sqs", "ReceiveMessage", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/work"}`)["Messages"].([]any)
		require.Len(t, m, 1)
		f.Must("sqs", "PurgeQueue", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/work"}`)
		return m[0].(map[string]any)["Body"].(string)
	}
	done := f.start(`{}`)
	first := token()
	f.Advance(50 * time.Second)
	f.Must("states", "SendTaskHeartbeat", fmt.Sprintf(`{"taskToken":%q}`, first))
	f.Advance(100 * time.Second)
	assert.Equal(t, "RUNNING", f.describe(done)["status"], "the heartbeat kept it alive")
	f.Must("states", "SendTaskSuccess", fmt.Sprintf(`{"taskToken":%q,"output":"{\"ok\":true}"}`, first))
	f.Settle()
	assertOutput(t, `{"ok":true}`, f.describe(done))
	_, err := f.Call("states", "SendTaskSuccess", fmt.Sprintf(`{"taskToken":%q,"output":"{}"}`, first))
	require.ErrorContains(t, err, "TaskTimedOut")

	refused := f.start(`{"n":2}`)
	f.Must("states", "SendTaskFailure", fmt.Sprintf(`{"taskToken":%q,"error":"Refused","cause":"no"}`, token()))
	f.Settle()
	assertFailed(t, "Refused", "no", f.describe(refused))

	silent := f.start(`{"n":3}`)
	f.Advance(time.Hour)
	assertFailed(t, "States.HeartbeatTimeout", "", f.describe(silent))
}

func TestNamesAreIdempotent(t *testing.T) {
	f := newFlow(t)
	require.NoError(t, f.deploy("A", `"A":{"Type":"Wait","Seconds":60,"End":true}`))
	const start = `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m","name":"n","input":"{\"a\":1}"}`
	first := f.Must("states", "StartExecution", start)
	assert.Equal(t, first, f.Must("states", "StartExecution", start))
	_, err := f.Call("states", "StartExecution", strings.Replace(start, "1}", "2}", 1))
	require.ErrorContains(t, err, "ExecutionAlreadyExists")
	f.Advance(time.Hour)
	_, err = f.Call("states", "StartExecution", start)
	require.ErrorContains(t, err, "ExecutionAlreadyExists", "a name is used up for good")
	_, err = f.Call("states", "StartExecution", strings.Replace(start, `"n"`, `"a b"`, 1))
	require.ErrorContains(t, err, "InvalidName")
	_, err = f.Call("states", "StartExecution", strings.Replace(start, `"{\"a\":1}"`, `"{"`, 1))
	require.ErrorContains(t, err, "InvalidExecutionInput")
}

func TestHistoryAndStatusEvents(t *testing.T) {
	f := newFlow(t)
	f.on(func(json.RawMessage) (any, *functionError) { return 1, nil })
	var statuses []string
	f.bus.Observe(func(e events.Event) {
		var d struct{ Status string }
		if err := json.Unmarshal(e.Detail, &d); err != nil { // not on the test's goroutine
			t.Error(err)
		}
		statuses = append(statuses, d.Status)
	})
	got := f.run("A", `"A":{"Type":"Task","Resource":"${F}","Next":"B"},"B":{"Type":"Succeed"}`, `{}`)
	assert.Equal(t, []string{"RUNNING", "SUCCEEDED"}, statuses)
	var kinds []string
	token := ""
	for {
		page := f.Must("states", "GetExecutionHistory", fmt.Sprintf(`{"executionArn":%q,"maxResults":3%s}`, got["executionArn"], token))
		for _, e := range page["events"].([]any) {
			kinds = append(kinds, e.(map[string]any)["type"].(string))
		}
		next, ok := page["nextToken"].(string)
		if !ok {
			break
		}
		token = fmt.Sprintf(`,"nextToken":%q`, next)
	}
	assert.Equal(t, []string{
		"ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited",
		"SucceedStateEntered", "SucceedStateExited", "ExecutionSucceeded",
	}, kinds)
	machine := f.Must("states", "DescribeStateMachine", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:m"}`)
	assert.Equal(t, "STANDARD", machine["type"])
	assert.Len(t, f.Must("states", "ListStateMachines", `{}`)["stateMachines"], 1)
	assert.Equal(t, "FAIL", f.Must("states", "ValidateStateMachineDefinition", `{"definition":"{}"}`)["result"])
}

func TestAMapKeepsToItsConcurrency(t *testing.T) {
	f := newFlow(t)
	var now, most atomic.Int32
	f.on(func(json.RawMessage) (any, *functionError) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		return nil, nil
	})
	got := f.run("A", `"A":{"Type":"Map","Items":"{% $range(1, 30, 1) %}","MaxConcurrency":4,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"${F}","End":true}}},"Output":"{% $count($states.result) %}","End":true}`, `{}`)
	assertOutput(t, `30`, got)
	assert.LessOrEqual(t, most.Load(), int32(4))
}
