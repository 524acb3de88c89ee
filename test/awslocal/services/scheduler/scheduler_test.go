package scheduler_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/scheduler"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
)

const machine = "arn:aws:states:us-east-1:000000000000:stateMachine:recalibrate"

// newScheduler has schedules that start executions, which started records.
func newScheduler(t *testing.T) (*servicetest.World, *scheduler.Service, *atomic.Pointer[kernel.Error]) {
	t.Helper()
	w := servicetest.New(t)
	queues := sqs.New(sqs.Config{Identity: w.Identity, Clock: w.Clock})
	s := scheduler.New(scheduler.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Log: w.Log})
	t.Cleanup(s.Close)
	w.Add(queues, s)
	w.MustDeploy(queues, "AWS::SQS::Queue", `{"QueueName":"dead"}`)
	var failure atomic.Pointer[kernel.Error]
	w.Handle("states", "StartExecution", func(_ context.Context, c *kernel.Call) (any, error) {
		if err := c.Authorize("states:StartExecution", machine); err != nil {
			return nil, err
		}
		assert.Equal(t, "schedules", c.Principal.Role)
		if e := failure.Load(); e != nil {
			return nil, e
		}
		return map[string]any{"executionArn": "arn:aws:states:us-east-1:000000000000:execution:recalibrate:1", "startDate": 0}, nil
	})
	return w, s, &failure
}

func schedule(expression, more string) string {
	return `{"Name":"nightly","FlexibleTimeWindow":{"Mode":"OFF"},"ScheduleExpression":"` + expression + `"` + more + `,"Target":{"Arn":"` + machine + `",
		"RoleArn":"arn:aws:iam::000000000000:role/schedules","Input":"{\"windowEnd\":\"<aws.scheduler.scheduled-time>\",\"attempt\":\"<aws.scheduler.attempt-number>\",\"schedule\":\"<aws.scheduler.schedule-arn>\",\"id\":\"<aws.scheduler.execution-id>\"}",
		"DeadLetterConfig":{"Arn":"arn:aws:sqs:us-east-1:000000000000:dead"},"RetryPolicy":{"MaximumRetryAttempts":3,"MaximumEventAgeInSeconds":600}}}`
}

// windows are the scheduled times that the target was given, as durations after
// the start, and checks that the target was called at these times.
func windows(t *testing.T, w *servicetest.World) []string {
	t.Helper()
	out := []string{}
	for _, c := range w.Calls("states", "StartExecution") {
		var in struct{ Input string }
		require.NoError(t, json.Unmarshal(c.Input, &in))
		var payload struct{ WindowEnd, Schedule, ID string }
		require.NoError(t, json.Unmarshal([]byte(in.Input), &payload))
		assert.Equal(t, "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly", payload.Schedule)
		assert.NotEmpty(t, payload.ID)
		assert.Equal(t, c.At.Format(time.RFC3339), payload.WindowEnd)
		out = append(out, payload.WindowEnd)
	}
	return out
}

// The times follow from the EventBridge Scheduler user guide, "Schedule types",
// for the World's start on Friday 2026-01-02 at 00:00 UTC; Berlin is one hour
// ahead in winter.
func TestSchedulesFire(t *testing.T) {
	for name, c := range map[string]struct {
		properties string
		until      time.Duration
		want       []string
	}{
		"rate, first after one period": {
			schedule("rate(1 hour)", ""), 3 * time.Hour, []string{"2026-01-02T01:00:00Z", "2026-01-02T02:00:00Z", "2026-01-02T03:00:00Z"},
		},
		"rate from a start date on": {
			schedule("rate(2 hours)", `,"StartDate":"2026-01-02T00:30:00Z"`), 3 * time.Hour, []string{"2026-01-02T00:30:00Z", "2026-01-02T02:30:00Z"},
		},
		"until an end date": {
			schedule("rate(1 hour)", `,"EndDate":"2026-01-02T02:30:00Z"`), 6 * time.Hour, []string{"2026-01-02T01:00:00Z", "2026-01-02T02:00:00Z"},
		},
		"cron in a time zone": {
			schedule("cron(0 3 * * ? *)", `,"ScheduleExpressionTimezone":"Europe/Berlin"`), 30 * time.Hour, []string{"2026-01-02T02:00:00Z", "2026-01-03T02:00:00Z"},
		},
		"cron: the last Friday of the month": {
			schedule("cron(0 12 ? * 6L *)", ""), 60 * 24 * time.Hour, []string{"2026-01-30T12:00:00Z", "2026-02-27T12:00:00Z"},
		},
		"cron in a minute that daylight saving skips": { // 2026-03-29 02:30 does not exist in Berlin
			schedule("cron(30 2 29,30 3 ? 2026)", `,"ScheduleExpressionTimezone":"Europe/Berlin"`), 100 * 24 * time.Hour, []string{"2026-03-30T00:30:00Z"},
		},
		"at": {
			schedule("at(2026-01-02T05:00:00)", `,"ScheduleExpressionTimezone":"America/New_York"`), 48 * time.Hour, []string{"2026-01-02T10:00:00Z"},
		},
		"at a time that has passed": {schedule("at(2026-01-01T05:00:00)", ""), 48 * time.Hour, []string{}},
		"disabled":                  {schedule("rate(1 hour)", `,"State":"DISABLED"`), 6 * time.Hour, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			w, s, _ := newScheduler(t)
			w.MustDeploy(s, "AWS::Scheduler::Schedule", c.properties)
			w.Advance(c.until)
			assert.Equal(t, c.want, windows(t, w))
		})
	}
}

func TestAFailedInvocationIsTriedAgainOnTheClockAndThenADeadLetter(t *testing.T) {
	w, s, failure := newScheduler(t)
	failure.Store(kernel.Errorf(500, "InternalServerException", "broken"))
	w.MustDeploy(s, "AWS::Scheduler::Schedule", schedule("at(2026-01-02T01:00:00)", ""))
	w.Advance(2 * time.Hour)
	calls := w.Calls("states", "StartExecution")
	require.Len(t, calls, 4, "once and three retries")
	var delays []time.Duration
	for i, c := range calls {
		assert.Contains(t, string(c.Input), `\"attempt\":\"`+string(rune('1'+i))+`\"`)
		delays = append(delays, c.At.Sub(servicetest.Start.Add(time.Hour)))
	}
	assert.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}, delays)
	message := deadLetter(t, w)
	assert.Contains(t, message["Body"], `"windowEnd":"2026-01-02T01:00:00Z"`)
	attributes := message["MessageAttributes"].(map[string]any)
	assert.Equal(t, "MaximumRetryAttempts", attributes["EXHAUSTED_RETRY_CONDITION"].(map[string]any)["StringValue"])
	assert.Equal(t, "InternalServerException", attributes["ERROR_CODE"].(map[string]any)["StringValue"])
}

func TestWhatIsNotAllowedIsADeadLetterAtOnce(t *testing.T) {
	w, s, _ := newScheduler(t)
	w.Deny(func(p kernel.Principal, action, _ string) bool {
		return action == "states:StartExecution" && p.Role == "schedules"
	})
	w.MustDeploy(s, "AWS::Scheduler::Schedule", schedule("at(2026-01-02T01:00:00)", ""))
	w.Advance(2 * time.Hour)
	assert.Len(t, w.Calls("states", "StartExecution"), 1)
	deadLetter(t, w)
}

func deadLetter(t *testing.T, w *servicetest.World) map[string]any {
	t.Helper()
	messages := w.Must("sqs", "ReceiveMessage", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/dead","MessageAttributeNames":["All"]}`)["Messages"].([]any)
	require.Len(t, messages, 1)
	return messages[0].(map[string]any)
}

func TestAPI(t *testing.T) {
	w, _, _ := newScheduler(t)
	create := strings.Replace(schedule("rate(1 hour)", `,"StartDate":1767315600`), `"ScheduleExpression"`, `"ActionAfterCompletion":"DELETE","ScheduleExpression"`, 1)
	w.Must("scheduler", "CreateSchedule", create)
	_, err := w.Call("scheduler", "CreateSchedule", create)
	require.ErrorContains(t, err, "ConflictException")
	got := w.Must("scheduler", "GetSchedule", `{"Name":"nightly"}`)
	assert.Equal(t, "rate(1 hour)", got["ScheduleExpression"])
	assert.InDelta(t, 1767315600, got["StartDate"], 0)
	w.Must("scheduler", "UpdateSchedule", schedule("rate(1 hour)", `,"EndDate":1767321000`))
	assert.Len(t, w.Must("scheduler", "ListSchedules", `{"NamePrefix":"night"}`)["Schedules"], 1)
	w.Advance(6 * time.Hour)
	assert.Equal(t, []string{"2026-01-02T01:00:00Z", "2026-01-02T02:00:00Z"}, windows(t, w))
	w.Must("scheduler", "DeleteSchedule", `{"Name":"nightly"}`)
	_, err = w.Call("scheduler", "GetSchedule", `{"Name":"nightly"}`)
	require.ErrorContains(t, err, "ResourceNotFoundException")
}

func TestACompletedScheduleIsDeletedWhenItSaysSo(t *testing.T) {
	w, _, _ := newScheduler(t)
	w.Must("scheduler", "CreateSchedule", schedule("at(2026-01-02T01:00:00)", `,"ActionAfterCompletion":"DELETE"`))
	w.Advance(2 * time.Hour)
	assert.Len(t, windows(t, w), 1)
	_, err := w.Call("scheduler", "GetSchedule", `{"Name":"nightly"}`)
	require.ErrorContains(t, err, "ResourceNotFoundException")
}

func TestWithoutInputTheTargetGetsAScheduledEvent(t *testing.T) {
	w, s, _ := newScheduler(t)
	w.MustDeploy(s, "AWS::Scheduler::Schedule", `{"Name":"nightly","FlexibleTimeWindow":{"Mode":"OFF"},"ScheduleExpression":"rate(1 minute)","Target":{
		"Arn":"`+machine+`","RoleArn":"arn:aws:iam::000000000000:role/schedules"}}`)
	w.Advance(time.Minute)
	calls := w.Calls("states", "StartExecution")
	require.Len(t, calls, 1)
	assert.Contains(t, string(calls[0].Input), `\"detail-type\":\"Scheduled Event\"`)
}

func TestSchedulesThatAreRefused(t *testing.T) {
	w, s, _ := newScheduler(t)
	for properties, want := range map[string]string{
		schedule("rate(1 hours)", ""):                                                        "singular",
		schedule("rate(0 hours)", ""):                                                        "rate(value unit)",
		schedule("rate(5 weeks)", ""):                                                        "rate(value unit)",
		schedule("cron(61 * * * ? *)", ""):                                                   "cron(61",
		schedule("at(tomorrow)", ""):                                                         "at(yyyy",
		schedule("every hour", ""):                                                           "want rate(",
		schedule("rate(1 hour)", `,"ScheduleExpressionTimezone":"Mars/Olympus"`):             "Mars/Olympus",
		schedule("rate(1 hour)", `,"GroupName":"none"`):                                      "group none does not exist",
		strings.Replace(schedule("rate(1 hour)", ""), "role/schedules", "role/untrusted", 1): "must allow AWS EventBridge Scheduler to assume the role",
		strings.Replace(schedule("rate(1 hour)", ""), machine, "arn:aws:kinesis:us-east-1:0:stream/s", 1): "kinesis",
		strings.Replace(schedule("rate(1 hour)", ""), `"Mode":"OFF"`, `"Mode":"SOMETIMES"`, 1):            "SOMETIMES",
	} {
		_, err := w.Deploy(s, "AWS::Scheduler::Schedule", properties)
		require.ErrorContains(t, err, want)
	}
}
