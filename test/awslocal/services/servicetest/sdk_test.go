package servicetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkbatch "github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	sdkscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	sdksns "github.com/aws/aws-sdk-go-v2/service/sns"
	sdksqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/services/batch"
	"github.com/livetwin/livetwin/test/awslocal/services/events"
	"github.com/livetwin/livetwin/test/awslocal/services/scheduler"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
	"github.com/livetwin/livetwin/test/awslocal/services/sns"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
	"github.com/livetwin/livetwin/test/awslocal/services/states"
)

// The real clients read what the services answer: timestamps, maps, errors by
// their types.
func TestTheSDKUnderstandsTheServices(t *testing.T) {
	library := filepath.Join("..", "..", "..", "..", "node_modules", "jsonata", "jsonata.js")
	if _, err := os.Stat(library); err != nil {
		t.Skipf("jsonata is not installed (npm ci): %v", err)
	}
	models, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go").Output()
	require.NoError(t, err)
	w := servicetest.New(t)
	queues := sqs.New(sqs.Config{Identity: w.Identity, Clock: w.Clock})
	topics := sns.New(sns.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Log: w.Log})
	bus := events.New(events.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Log: w.Log})
	schedules := scheduler.New(scheduler.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Log: w.Log})
	jobs := batch.New(batch.Config{Identity: w.Identity, Clock: w.Clock, Roles: w, Events: bus, StateDir: t.TempDir(), Log: w.Log})
	flows, err := states.New(states.Config{
		Identity: w.Identity, Clock: w.Clock, Invoker: w, Roles: w, Events: bus, JSONata: library,
		Models: filepath.Join(strings.TrimSpace(string(models)), "models", "apis"), Log: w.Log,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, f := range []func(){flows.Close, jobs.Close, schedules.Close, bus.Close, topics.Close} {
			f()
		}
	})
	w.Add(queues, topics, bus, schedules, jobs, flows)
	ctx := t.Context()

	url := w.MustDeploy(queues, "AWS::SQS::Queue", `{"QueueName":"q"}`).Ref
	queueClient := sdksqs.NewFromConfig(apimodeltest.Serve(t, queues).Config())
	_, err = queueClient.SendMessage(ctx, &sdksqs.SendMessageInput{QueueUrl: aws.String(url), MessageBody: aws.String("body")})
	require.NoError(t, err, "the client checks the checksum")
	received, err := queueClient.ReceiveMessage(ctx, &sdksqs.ReceiveMessageInput{QueueUrl: aws.String(url)})
	require.NoError(t, err)
	require.Len(t, received.Messages, 1)
	_, err = queueClient.GetQueueUrl(ctx, &sdksqs.GetQueueUrlInput{QueueName: aws.String("none")})
	missing := &sqstypes.QueueDoesNotExist{}
	require.ErrorAs(t, err, &missing)

	topic := w.MustDeploy(topics, "AWS::SNS::Topic", `{"TopicName":"t"}`).Ref
	_, err = sdksns.NewFromConfig(apimodeltest.Serve(t, topics).Config()).Publish(ctx, &sdksns.PublishInput{TopicArn: aws.String(topic), Message: aws.String("m")})
	require.NoError(t, err)

	put, err := eventbridge.NewFromConfig(apimodeltest.Serve(t, bus).Config()).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{
		{Source: aws.String("app"), DetailType: aws.String("d"), Detail: aws.String("{}"), Time: aws.Time(servicetest.Start)},
	}})
	require.NoError(t, err)
	assert.Zero(t, put.FailedEntryCount)

	scheduleClient := sdkscheduler.NewFromConfig(apimodeltest.Serve(t, schedules).Config())
	_, err = scheduleClient.CreateSchedule(ctx, &sdkscheduler.CreateScheduleInput{
		Name: aws.String("s"), ScheduleExpression: aws.String("rate(1 hour)"), StartDate: aws.Time(servicetest.Start.Add(time.Hour)),
		FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target:             &schedulertypes.Target{Arn: aws.String(topic), RoleArn: aws.String("arn:aws:iam::000000000000:role/r")},
	})
	require.NoError(t, err)
	schedule, err := scheduleClient.GetSchedule(ctx, &sdkscheduler.GetScheduleInput{Name: aws.String("s")})
	require.NoError(t, err)
	assert.Equal(t, servicetest.Start.Add(time.Hour), schedule.StartDate.UTC())

	described, err := sdkbatch.NewFromConfig(apimodeltest.Serve(t, jobs).Config()).DescribeJobs(ctx, &sdkbatch.DescribeJobsInput{Jobs: []string{"none"}})
	require.NoError(t, err)
	assert.Empty(t, described.Jobs)

	machine := w.MustDeploy(flows, "AWS::StepFunctions::StateMachine", `{"StateMachineName":"m","RoleArn":"arn:aws:iam::000000000000:role/r",
		"Definition":{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Output":"{% $states.input.a %}","End":true}}}}`).Ref
	flowClient := sfn.NewFromConfig(apimodeltest.Serve(t, flows).Config())
	started, err := flowClient.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(machine), Input: aws.String(`{"a":[1]}`)})
	require.NoError(t, err)
	assert.Equal(t, servicetest.Start, started.StartDate.UTC(), "business time")
	w.Settle()
	execution, err := flowClient.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
	require.NoError(t, err)
	assert.Equal(t, sfntypes.ExecutionStatusSucceeded, execution.Status)
	assert.JSONEq(t, `[1]`, aws.ToString(execution.Output))
	history, err := flowClient.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: started.ExecutionArn})
	require.NoError(t, err)
	assert.Equal(t, "A", aws.ToString(history.Events[1].StateEnteredEventDetails.Name))
	_, err = flowClient.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: aws.String(machine + "x")})
	none := &sfntypes.StateMachineDoesNotExist{}
	require.ErrorAs(t, err, &none)
}
