package events_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/events"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
)

func newBus(t *testing.T) (*servicetest.World, *events.Service) {
	t.Helper()
	w := servicetest.New(t)
	queues := sqs.New(sqs.Config{Identity: w.Identity, Clock: w.Clock})
	s := events.New(events.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Log: w.Log})
	t.Cleanup(s.Close)
	w.Add(queues, s)
	for _, name := range []string{"all", "dead"} {
		w.MustDeploy(queues, "AWS::SQS::Queue", `{"QueueName":"`+name+`"}`)
	}
	return w, s
}

const queue = "arn:aws:sqs:us-east-1:000000000000:all"

func rule(name, target string) string {
	return `{"Name":"` + name + `","EventPattern":{"source":["app"],"detail":{"kind":["a"]}},"Targets":[{"Id":"T0",` + target + `}]}`
}

func received(w *servicetest.World, queue string) []string {
	var out []string
	messages, _ := w.Must("sqs", "ReceiveMessage", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/`+queue+`","MaxNumberOfMessages":10}`)["Messages"].([]any)
	for _, m := range messages {
		out = append(out, m.(map[string]any)["Body"].(string))
	}
	return out
}

const put = `{"Entries":[{"Source":"app","DetailType":"Happened","Resources":["r"],"Detail":"{\"kind\":\"a\",\"value\":\"say \\\"hi\\\"\",\"n\":[1,2]}"}]}`

func TestAnEventReachesItsTarget(t *testing.T) {
	w, s := newBus(t)
	w.MustDeploy(s, "AWS::Events::Rule", rule("r", `"Arn":"`+queue+`"`))
	out := w.Must("events", "PutEvents", put)
	w.Must("events", "PutEvents", strings.Replace(put, `\"a\"`, `\"b\"`, 1))
	w.Settle()
	got := received(w, "all")
	require.Len(t, got, 1)
	var event map[string]any
	require.NoError(t, json.Unmarshal([]byte(got[0]), &event))
	assert.Equal(t, out["Entries"].([]any)[0].(map[string]any)["EventId"], event["id"])
	delete(event, "id")
	text, err := json.Marshal(event)
	require.NoError(t, err)
	assert.JSONEq(t, `{"version":"0","detail-type":"Happened","source":"app","account":"000000000000","time":"2026-01-02T00:00:00Z","region":"us-east-1",
		"resources":["r"],"detail":{"kind":"a","value":"say \"hi\"","n":[1,2]}}`, string(text))
	call := w.Calls("sqs", "SendMessage")[0]
	assert.Equal(t, "events.amazonaws.com", call.Principal.Service, "the queue's policy decides")
	assert.Equal(t, "arn:aws:events:us-east-1:000000000000:rule/r", call.Principal.SourceARN)
}

func TestInputsOfTargets(t *testing.T) {
	for name, c := range map[string]struct{ target, want string }{
		"constant":    {`"Input":"{\"a\":1}"`, `{"a":1}`},
		"path":        {`"InputPath":"$.detail.n[1]"`, `2`},
		"object path": {`"InputPath":"$.detail"`, `{"kind":"a","value":"say \"hi\"","n":[1,2]}`},
		"transformer": {
			`"InputTransformer":{"InputPathsMap":{"v":"$.detail.value","n":"$.detail.n"},"InputTemplate":"{\"text\":\"got <v> of <n>\",\"v\":<v>,\"n\":<n>,\"rule\":<aws.events.rule-name>}"}`,
			`{"text":"got say \"hi\" of [1,2]","v":"say \"hi\"","n":[1,2],"rule":"r"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newBus(t)
			w.MustDeploy(s, "AWS::Events::Rule", rule("r", `"Arn":"`+queue+`",`+c.target))
			w.Must("events", "PutEvents", put)
			w.Settle()
			got := received(w, "all")
			require.Len(t, got, 1)
			assert.JSONEq(t, c.want, got[0])
		})
	}
}

func TestAStateMachineIsStartedAsTheTargetsRole(t *testing.T) {
	w, s := newBus(t)
	const machine = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
	failures := 2
	w.Handle("states", "StartExecution", func(_ context.Context, c *kernel.Call) (any, error) {
		assert.Equal(t, "starter", c.Principal.Role)
		if failures--; failures >= 0 {
			return nil, kernel.Errorf(503, "ServiceUnavailable", "busy")
		}
		return map[string]any{"executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:1", "startDate": 0}, c.Authorize("states:StartExecution", machine)
	})
	_, err := w.Deploy(s, "AWS::Events::Rule", rule("r", `"Arn":"`+machine+`"`))
	require.ErrorContains(t, err, "RoleArn is required")
	w.MustDeploy(s, "AWS::Events::Rule", rule("r", `"Arn":"`+machine+`","RoleArn":"arn:aws:iam::000000000000:role/starter"`))
	w.Must("events", "PutEvents", put)
	w.Settle()
	assert.Len(t, w.Calls("states", "StartExecution"), 1, "a retry takes business time")
	w.Advance(time.Minute)
	assert.Len(t, w.Calls("states", "StartExecution"), 3)
}

func TestWhatCannotBeDeliveredIsADeadLetter(t *testing.T) {
	w, s := newBus(t)
	w.MustDeploy(s, "AWS::Events::Rule", rule("r", `"Arn":"arn:aws:sqs:us-east-1:000000000000:none","DeadLetterConfig":{"Arn":"arn:aws:sqs:us-east-1:000000000000:dead"}`))
	w.Must("events", "PutEvents", put)
	w.Settle()
	got := received(w, "dead")
	require.Len(t, got, 1)
	assert.Contains(t, got[0], `"detail-type":"Happened"`, "the event as it was put")
}

func TestEntriesThatAreRefused(t *testing.T) {
	w, _ := newBus(t)
	out := w.Must("events", "PutEvents", `{"Entries":[
		{"Source":"aws.batch","DetailType":"x","Detail":"{}"},{"Source":"app","DetailType":"x","Detail":"[]"},{"Source":"app","DetailType":"x","Detail":"{"},
		{"Source":"app","DetailType":"x"},{"Source":"app","DetailType":"x","Detail":"{}","EventBusName":"none"},{"Source":"app","DetailType":"x","Detail":"{}"}]}`)
	assert.EqualValues(t, 5, out["FailedEntryCount"])
	var codes []any
	for _, e := range out["Entries"].([]any) {
		codes = append(codes, e.(map[string]any)["ErrorCode"])
	}
	assert.Equal(t, []any{"NotAuthorizedForSourceException", "MalformedDetail", "MalformedDetail", "InvalidArgument", "InvalidArgument", nil}, codes)
}

func TestACustomBusAndAnotherBusAsTarget(t *testing.T) {
	w, s := newBus(t)
	w.MustDeploy(s, "AWS::Events::EventBus", `{"Name":"site"}`)
	w.MustDeploy(s, "AWS::Events::Rule", rule("forward", `"Arn":"arn:aws:events:us-east-1:000000000000:event-bus/site"`))
	ref := w.MustDeploy(s, "AWS::Events::Rule", strings.Replace(rule("r", `"Arn":"`+queue+`"`), `{"Name"`, `{"EventBusName":"site","Name"`, 1))
	assert.Equal(t, "arn:aws:events:us-east-1:000000000000:rule/site/r", ref.Attributes["Arn"])
	w.Must("events", "PutEvents", put)
	w.Settle()
	assert.Len(t, received(w, "all"), 1)
}

func TestServicesOfAWSEmitAndObserve(t *testing.T) {
	w, s := newBus(t)
	var seen []events.Event
	s.Observe(func(e events.Event) { seen = append(seen, e) })
	w.MustDeploy(s, "AWS::Events::Rule", `{"Name":"r","EventPattern":{"source":["aws.batch"]},"Targets":[{"Id":"T0","Arn":"`+queue+`"}]}`)
	require.NoError(t, s.Emit("aws.batch", "Batch Job State Change", []string{"arn:job"}, map[string]string{"status": "FAILED"}))
	require.Len(t, seen, 1, "observers see it before Emit returns")
	w.Settle()
	assert.Len(t, received(w, "all"), 1)
	require.Error(t, s.Emit("aws.batch", "x", nil, []string{"not an object"}))
}

func TestRulesThroughTheAPI(t *testing.T) {
	w, _ := newBus(t)
	w.Must("events", "PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"app\"]}"}`)
	out := w.Must("events", "PutTargets", `{"Rule":"r","Targets":[{"Id":"1","Arn":"`+queue+`"},{"Id":"2","Arn":"arn:aws:kinesis:us-east-1:0:stream/x"}]}`)
	assert.EqualValues(t, 1, out["FailedEntryCount"])
	assert.Equal(t, "ENABLED", w.Must("events", "DescribeRule", `{"Name":"r"}`)["State"])
	assert.Len(t, w.Must("events", "ListRules", `{"NamePrefix":"r"}`)["Rules"], 1)
	assert.Len(t, w.Must("events", "ListTargetsByRule", `{"Rule":"r"}`)["Targets"], 1)
	assert.Equal(t, true, w.Must("events", "TestEventPattern", `{"EventPattern":"{\"source\":[\"app\"]}","Event":"{\"source\":\"app\"}"}`)["Result"])
	w.Must("events", "PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"app\"]}","State":"DISABLED"}`)
	w.Must("events", "PutEvents", put)
	w.Settle()
	assert.Empty(t, received(w, "all"))
	for input, want := range map[string]string{
		`{"Name":"r","EventPattern":"{\"source\":\"app\"}"}`:                         "InvalidEventPatternException",
		`{"Name":"r","ScheduleExpression":"rate(1 hour)"}`:                           "EventBridge Scheduler",
		`{"Name":"r","EventBusName":"none","EventPattern":"{\"source\":[\"app\"]}"}`: "ResourceNotFoundException",
	} {
		_, err := w.Call("events", "PutRule", input)
		require.ErrorContains(t, err, want)
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	w, s := newBus(t)
	for properties, want := range map[string]string{
		`{"Name":"r","ScheduleExpression":"rate(1 hour)"}`: "AWS::Scheduler::Schedule",
		`{"Name":"r"}`: "EventPattern is missing",
		`{"Name":"r","EventPattern":{"source":"app"}}`:                              "source: must be",
		rule("r", `"Arn":"`+queue+`","Input":"{","InputPath":"$.x"`):                "only one of",
		rule("r", `"Arn":"`+queue+`","InputTransformer":{"InputTemplate":"<who>"}`): "<who>",
		rule("r", `"Arn":"`+queue+`","RoleArn":"arn:aws:iam::0:role/untrusted"`):    "AssumeRole",
		rule("r", `"Arn":"`+queue+`","KinesisParameters":{}`):                       "KinesisParameters",
	} {
		_, err := w.Deploy(s, "AWS::Events::Rule", properties)
		require.ErrorContains(t, err, want)
	}
}
