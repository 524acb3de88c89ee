package main_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

// worker invokes the function of the test assembly.
type worker struct{ *lambda.Client }

func (w worker) do(t *testing.T, event object) (result any, functionError string) {
	t.Helper()
	payload, err := json.Marshal(event)
	require.NoError(t, err)
	out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("worker"), Payload: payload})
	require.NoError(t, err)
	assert.EqualValues(t, http.StatusOK, out.StatusCode)
	require.NoError(t, json.Unmarshal(out.Payload, &result), "%s", out.Payload)
	return result, aws.ToString(out.FunctionError)
}

func TestFunctions(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil), "--from", "2026-01-01T00:00:00Z")
	w := worker{lambda.NewFromConfig(e.Config())}

	t.Run("an environment is used again", func(t *testing.T) {
		first, functionError := w.do(t, object{"do": "echo", "body": "hello"})
		require.Empty(t, functionError)
		second, _ := w.do(t, object{"do": "echo", "body": "hello"})
		assert.Equal(t, "hello", first.(object)["body"])
		assert.InDelta(t, first.(object)["calls"].(float64)+1, second.(object)["calls"], 0)
	})

	t.Run("the environment is that of Lambda and nothing else", func(t *testing.T) {
		result, _ := w.do(t, object{"do": "environment"})
		have := map[string]string{}
		for _, v := range result.([]any) {
			name, value, _ := strings.Cut(v.(string), "=")
			have[name] = value
		}
		for name, want := range map[string]string{
			"AWS_LAMBDA_FUNCTION_NAME": "worker", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_REGION": "eu-west-1",
			"BUCKET": "data-123456789012-blue", "TZ": "UTC", "AWS_ENDPOINT_URL": e.Endpoint, "HTTP_PROXY": e.Endpoint,
			"AWS_LAMBDA_LOG_GROUP_NAME": "/app", "AWS_EC2_METADATA_DISABLED": "true", "_HANDLER": "bootstrap",
		} {
			assert.Equal(t, want, have[name], name)
		}
		assert.NotContains(t, have, "GOPATH")
		assert.NotContains(t, have, "USER")
	})

	t.Run("it acts as its role", func(t *testing.T) {
		result, _ := w.do(t, object{"do": "whoami"})
		assert.Equal(t, "arn:aws:sts::123456789012:assumed-role/reader/worker", result)
	})

	t.Run("errors", func(t *testing.T) {
		for do, want := range map[string]struct{ kind, message string }{
			"fail":  {"errorString", "the valve is stuck"},
			"panic": {"string", "the pump is on fire"},
			"exit":  {"Runtime.ExitError", "Runtime exited with error: exit status 3"},
			"sleep": {"Sandbox.Timedout", "Task timed out after 2.00 seconds"},
			"large": {"Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size"},
		} {
			result, functionError := w.do(t, object{"do": do})
			assert.Equal(t, "Unhandled", functionError, do)
			assert.Equal(t, want.kind, result.(object)["errorType"], do)
			assert.Contains(t, result.(object)["errorMessage"], want.message, do)
			alive, functionError := w.do(t, object{"do": "echo", "body": "still here"})
			require.Empty(t, functionError, "after %s", do)
			assert.Equal(t, "still here", alive.(object)["body"], "after %s", do)
		}
	})

	t.Run("the deadline is the timeout", func(t *testing.T) {
		result, _ := w.do(t, object{"do": "deadline"})
		assert.InDelta(t, 2, result, 0.5)
	})

	t.Run("no more at once than are reserved", func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 5 {
			wg.Go(func() {
				_, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("worker"), Payload: []byte(`{"do":"nap"}`)})
				if err != nil {
					var throttled *types.TooManyRequestsException
					mu.Lock()
					defer mu.Unlock()
					if assert.ErrorAs(t, err, &throttled) {
						refused++
					}
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 3, refused)
	})

	t.Run("a dry run runs nothing", func(t *testing.T) {
		out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("worker"), InvocationType: types.InvocationTypeDryRun, Payload: []byte(`{"do":"exit"}`)})
		require.NoError(t, err)
		assert.EqualValues(t, http.StatusNoContent, out.StatusCode)
		assert.Empty(t, out.Payload)
	})

	t.Run("what it prints is in its log", func(t *testing.T) {
		out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("worker"), LogType: types.LogTypeTail, Payload: []byte(`{"do":"panic"}`)})
		require.NoError(t, err)
		tail, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		require.NoError(t, err)
		assert.Contains(t, string(tail), "START RequestId:")
		assert.Contains(t, string(tail), "the pump is on fire")
		log, err := os.ReadFile(filepath.Join(e.State, "logs", "worker.log"))
		require.NoError(t, err)
		assert.Contains(t, string(log), "going to sleep")
	})

	t.Run("unknown functions", func(t *testing.T) {
		_, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("nobody")})
		var missing *types.ResourceNotFoundException
		require.ErrorAs(t, err, &missing)
		assert.Contains(t, missing.ErrorMessage(), "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nobody")
	})

	t.Run("an event is tried three times and then dead", func(t *testing.T) {
		out, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("worker"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"do":"fail"}`)})
		require.NoError(t, err)
		assert.EqualValues(t, http.StatusAccepted, out.StatusCode)
		queues := sqs.NewFromConfig(e.Config())
		receive := func() []string {
			out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: aws.String(e.Endpoint + "/123456789012/dead"), MessageAttributeNames: []string{"All"},
			})
			require.NoError(t, err)
			var bodies []string
			for _, m := range out.Messages {
				bodies = append(bodies, aws.ToString(m.Body)+" "+aws.ToString(m.MessageAttributes["ErrorMessage"].StringValue))
			}
			return bodies
		}
		advance(t, e, "2026-01-01T00:02:30Z") // one and two minutes of waiting are not over
		assert.Empty(t, receive())
		advance(t, e, "2026-01-01T00:03:00Z")
		assert.Equal(t, []string{`{"do":"fail"} the valve is stuck`}, receive())
	})
}

// advance moves the endpoint's clock and waits until it is there.
func advance(t *testing.T, e *awslocaltest.Endpoint, to string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.Endpoint+"/_awslocal/clock", strings.NewReader(`{"to":"`+to+`"}`))
	require.NoError(t, err)
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
