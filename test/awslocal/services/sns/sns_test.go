package sns_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
	"github.com/livetwin/livetwin/test/awslocal/services/sns"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
)

const topic = "arn:aws:sns:us-east-1:000000000000:alarms"

func newTopic(t *testing.T) (*servicetest.World, *sns.Service) {
	t.Helper()
	w := servicetest.New(t)
	queues := sqs.New(sqs.Config{Identity: w.Identity, Clock: w.Clock})
	s := sns.New(sns.Config{Identity: w.Identity, Clock: w.Clock, Invoker: w, Policies: w, Log: w.Log})
	t.Cleanup(s.Close)
	w.Add(queues, s)
	for _, name := range []string{"raw", "wrapped", "dead"} {
		w.MustDeploy(queues, "AWS::SQS::Queue", `{"QueueName":"`+name+`"}`)
	}
	assert.Equal(t, topic, w.MustDeploy(s, "AWS::SNS::Topic", `{"TopicName":"alarms","Subscription":[{"Protocol":"email","Endpoint":"ops@example.com"}]}`).Ref)
	return w, s
}

func bodies(w *servicetest.World, queue string) []string {
	var out []string
	messages, _ := w.Must("sqs", "ReceiveMessage", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/`+queue+`","MaxNumberOfMessages":10}`)["Messages"].([]any)
	for _, m := range messages {
		out = append(out, m.(map[string]any)["Body"].(string))
	}
	return out
}

func TestPublishReachesEverySubscriber(t *testing.T) {
	w, s := newTopic(t)
	invoked := make(chan map[string]any, 1)
	w.Handle("lambda", "Invoke", func(_ context.Context, c *kernel.Call) (any, error) {
		var in struct{ Payload []byte }
		var event map[string]any
		if err := c.Authorize("lambda:InvokeFunction", "*"); err != nil {
			return nil, err
		}
		require.NoError(t, c.Decode(&in))
		require.NoError(t, json.Unmarshal(in.Payload, &event))
		assert.Equal(t, topic, c.Principal.SourceARN)
		assert.Equal(t, "sns.amazonaws.com", c.Principal.Service)
		invoked <- event
		return map[string]any{"StatusCode": 202}, nil
	})
	for _, p := range []string{
		`"Protocol":"sqs","Endpoint":"arn:aws:sqs:us-east-1:000000000000:raw","RawMessageDelivery":true`,
		`"Protocol":"sqs","Endpoint":"arn:aws:sqs:us-east-1:000000000000:wrapped"`,
		`"Protocol":"lambda","Endpoint":"arn:aws:lambda:us-east-1:000000000000:function:notify"`,
	} {
		w.MustDeploy(s, "AWS::SNS::Subscription", `{"TopicArn":"`+topic+`",`+p+`}`)
	}
	w.MustDeploy(s, "AWS::SNS::TopicPolicy", `{"Topics":["`+topic+`"],"PolicyDocument":{"Statement":[]}}`)
	w.Must("sns", "Publish", `{"TopicArn":"`+topic+`","Subject":"Alarm","Message":"health is low"}`)
	w.Settle()
	assert.Equal(t, []string{"health is low"}, bodies(w, "raw"))
	wrapped := bodies(w, "wrapped")
	require.Len(t, wrapped, 1)
	var envelope map[string]any
	require.NoError(t, json.Unmarshal([]byte(wrapped[0]), &envelope))
	assert.Equal(t, "health is low", envelope["Message"])
	assert.Equal(t, "2026-01-02T00:00:00.000Z", envelope["Timestamp"], "business time")
	record := (<-invoked)["Records"].([]any)[0].(map[string]any)
	assert.Equal(t, "Alarm", record["Sns"].(map[string]any)["Subject"])
	assert.Len(t, w.Must("sns", "ListSubscriptionsByTopic", `{"TopicArn":"`+topic+`"}`)["Subscriptions"], 4)
	assert.Equal(t, "4", w.Must("sns", "GetTopicAttributes", `{"TopicArn":"`+topic+`"}`)["Attributes"].(map[string]any)["SubscriptionsConfirmed"])
	assert.Len(t, w.Must("sns", "ListTopics", `{}`)["Topics"], 1)

	server := httptest.NewServer(s.MailHandler())
	defer server.Close()
	res, err := http.Get(server.URL) //nolint:noctx // a test
	require.NoError(t, err)
	defer res.Body.Close()
	mail, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.JSONEq(t, `[{"time":"2026-01-02T00:00:00Z","topic":"`+topic+`","protocol":"email","endpoint":"ops@example.com","subject":"Alarm","message":"health is low"}]`, string(mail))
}

func TestWhatCannotBeDeliveredIsADeadLetter(t *testing.T) {
	w, s := newTopic(t)
	w.MustDeploy(s, "AWS::SNS::Subscription", `{"TopicArn":"`+topic+`","Protocol":"sqs","Endpoint":"arn:aws:sqs:us-east-1:000000000000:raw",
		"RedrivePolicy":{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}}`)
	w.Deny(func(p kernel.Principal, action, resource string) bool {
		return p.Service == "sns.amazonaws.com" && action == "sqs:SendMessage" && resource == "arn:aws:sqs:us-east-1:000000000000:raw"
	})
	w.Must("sns", "Publish", `{"TopicArn":"`+topic+`","Message":"m"}`)
	w.Settle()
	assert.Empty(t, bodies(w, "raw"))
	assert.Len(t, bodies(w, "dead"), 1)
}

func TestWhatIsRefused(t *testing.T) {
	w, s := newTopic(t)
	for input, want := range map[string]string{
		`{"TopicArn":"arn:aws:sns:us-east-1:000000000000:none","Message":"m"}`: "NotFoundException",
		`{"TopicArn":"` + topic + `","Message":"m","MessageStructure":"json"}`: "MessageStructure",
		`{"TopicArn":"` + topic + `","Message":""}`:                            "Empty message",
	} {
		_, err := w.Call("sns", "Publish", input)
		require.ErrorContains(t, err, want)
	}
	for properties, want := range map[string]string{
		`"Protocol":"sqs","Endpoint":"arn:x","FilterPolicy":{"a":["b"]}`: "FilterPolicy",
		`"Protocol":"firehose","Endpoint":"arn:x"`:                       "firehose",
		`"Protocol":"sqs"`: "needs an endpoint",
	} {
		_, err := w.Deploy(s, "AWS::SNS::Subscription", `{"TopicArn":"`+topic+`",`+properties+`}`)
		require.ErrorContains(t, err, want)
	}
	_, err := w.Deploy(s, "AWS::SNS::Topic", `{"FifoTopic":true}`)
	require.ErrorContains(t, err, "FIFO")
}
