package sqs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
)

const url = `"QueueUrl":"http://127.0.0.1:4566/000000000000/work"`

func newQueue(t *testing.T, properties string) (*servicetest.World, *sqs.Service) {
	t.Helper()
	w := servicetest.New(t)
	s := sqs.New(sqs.Config{Identity: w.Identity, Clock: w.Clock, Policies: w})
	w.Add(s)
	w.MustDeploy(s, "AWS::SQS::Queue", `{"QueueName":"dead"}`)
	p := w.MustDeploy(s, "AWS::SQS::Queue", `{"QueueName":"work"`+properties+`}`)
	assert.Equal(t, "http://127.0.0.1:4566/000000000000/work", p.Ref)
	assert.Equal(t, "arn:aws:sqs:us-east-1:000000000000:work", p.Attributes["Arn"])
	return w, s
}

func receive(w *servicetest.World, more string) []any {
	m, _ := w.Must("sqs", "ReceiveMessage", `{`+url+more+`}`)["Messages"].([]any)
	return m
}

// The checksum of the body is one of the MD5 test suite (RFC 1321, A.5).
func TestAMessageIsReceivedOnceUntilItBecomesVisibleAgain(t *testing.T) {
	w, _ := newQueue(t, `,"VisibilityTimeout":"60"`)
	sent := w.Must("sqs", "SendMessage", `{`+url+`,"MessageBody":"abc","MessageAttributes":{"k":{"DataType":"String","StringValue":"v"}}}`)
	assert.Equal(t, "900150983cd24fb0d6963f7d28e17f72", sent["MD5OfMessageBody"])
	first := receive(w, `,"MessageAttributeNames":["All"],"AttributeNames":["All"]`)
	require.Len(t, first, 1)
	m := first[0].(map[string]any)
	assert.Equal(t, "abc", m["Body"])
	assert.Equal(t, "1", m["Attributes"].(map[string]any)["ApproximateReceiveCount"])
	assert.Equal(t, map[string]any{"k": map[string]any{"DataType": "String", "StringValue": "v"}}, m["MessageAttributes"])
	assert.Equal(t, sent["MD5OfMessageAttributes"], m["MD5OfMessageAttributes"])
	assert.Empty(t, receive(w, ""))

	w.Advance(61 * time.Second)
	again := receive(w, "")
	require.Len(t, again, 1)
	w.Must("sqs", "DeleteMessage", `{`+url+`,"ReceiptHandle":"`+m["ReceiptHandle"].(string)+`"}`)
	w.Advance(122 * time.Second)
	again = receive(w, "")
	require.Len(t, again, 1, "the handle of an earlier receive deletes nothing")
	w.Must("sqs", "DeleteMessage", `{`+url+`,"ReceiptHandle":"`+again[0].(map[string]any)["ReceiptHandle"].(string)+`"}`)
	w.Advance(time.Hour)
	assert.Empty(t, receive(w, ""))
}

func TestDelayRetentionAndRedrive(t *testing.T) {
	w, _ := newQueue(t, `,"DelaySeconds":10,"VisibilityTimeout":1,"MessageRetentionPeriod":100,
		"RedrivePolicy":{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":2}`)
	w.Must("sqs", "SendMessage", `{`+url+`,"MessageBody":"poison"}`)
	assert.Empty(t, receive(w, ""), "delayed")
	for i := range 2 {
		w.Advance(time.Duration(10+2*i) * time.Second)
		assert.Len(t, receive(w, ""), 1)
	}
	w.Advance(20 * time.Second)
	assert.Empty(t, receive(w, ""), "received twice: it goes to the dead-letter queue")
	dead := w.Must("sqs", "ReceiveMessage", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/dead","MessageSystemAttributeNames":["DeadLetterQueueSourceArn"]}`)["Messages"].([]any)
	require.Len(t, dead, 1)
	assert.Equal(t, "arn:aws:sqs:us-east-1:000000000000:work", dead[0].(map[string]any)["Attributes"].(map[string]any)["DeadLetterQueueSourceArn"])

	w.Must("sqs", "SendMessage", `{`+url+`,"MessageBody":"old"}`)
	w.Advance(150 * time.Second)
	assert.Empty(t, receive(w, ""), "kept for 100 s only")
}

func TestAttributesAndPurge(t *testing.T) {
	w, s := newQueue(t, "")
	w.MustDeploy(s, "AWS::SQS::QueuePolicy", `{"Queues":["http://127.0.0.1:4566/000000000000/work"],"PolicyDocument":{"Statement":[]}}`)
	w.Must("sqs", "SendMessage", `{`+url+`,"MessageBody":"one"}`)
	w.Must("sqs", "SendMessage", `{`+url+`,"MessageBody":"two","DelaySeconds":60}`)
	attributes := w.Must("sqs", "GetQueueAttributes", `{`+url+`,"AttributeNames":["All"]}`)["Attributes"].(map[string]any)
	assert.Equal(t, "1", attributes["ApproximateNumberOfMessages"])
	assert.Equal(t, "1", attributes["ApproximateNumberOfMessagesDelayed"])
	assert.JSONEq(t, `{"Statement":[]}`, attributes["Policy"].(string))
	w.Must("sqs", "PurgeQueue", `{`+url+`}`)
	attributes = w.Must("sqs", "GetQueueAttributes", `{`+url+`,"AttributeNames":["ApproximateNumberOfMessages"]}`)["Attributes"].(map[string]any)
	assert.Equal(t, map[string]any{"ApproximateNumberOfMessages": "0"}, attributes)
	assert.Len(t, w.Must("sqs", "ListQueues", `{"QueueNamePrefix":"d"}`)["QueueUrls"], 1)
	assert.Equal(t, "http://127.0.0.1:4566/000000000000/work", w.Must("sqs", "GetQueueUrl", `{"QueueName":"work"}`)["QueueUrl"])
}

func TestWhatIsRefused(t *testing.T) {
	w, s := newQueue(t, "")
	_, err := w.Call("sqs", "SendMessage", `{"QueueUrl":"http://127.0.0.1:4566/000000000000/none","MessageBody":"x"}`)
	require.ErrorContains(t, err, "QueueDoesNotExist")
	_, err = w.Call("sqs", "SendMessage", `{`+url+`,"MessageBody":"x","MessageGroupId":"g"}`)
	require.ErrorContains(t, err, "standard queue")
	_, err = w.Call("sqs", "ReceiveMessage", `{`+url+`,"MaxNumberOfMessages":11}`)
	require.ErrorContains(t, err, "1 to 10")
	_, err = w.Deploy(s, "AWS::SQS::Queue", `{"QueueName":"a.fifo","FifoQueue":true}`)
	require.ErrorContains(t, err, "FIFO")
	_, err = w.Deploy(s, "AWS::SQS::QueuePolicy", `{"Queues":["http://x/none"],"PolicyDocument":{}}`)
	require.ErrorContains(t, err, "none")
	w.Deny(func(_ kernel.Principal, action, resource string) bool {
		return action == "sqs:SendMessage" && resource == "arn:aws:sqs:us-east-1:000000000000:work"
	})
	_, err = w.Call("sqs", "SendMessage", `{`+url+`,"MessageBody":"x"}`)
	e := &kernel.Error{}
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 403, e.Status)
}
