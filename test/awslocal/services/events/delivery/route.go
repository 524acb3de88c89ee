package delivery

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// A call is one operation; the zero call does nothing.
type call struct {
	service, operation string
	input              any
}

// universal is the prefix of Scheduler's universal targets:
// arn:aws:scheduler:::aws-sdk:{service}:{apiAction}.
const universal = "arn:aws:scheduler:::aws-sdk:"

// sdkNames are services that universal targets call other than their models.
var sdkNames = map[string]string{"sfn": "states", "eventbridge": "events"}

// Check reports whether ARN is a target that this endpoint can deliver to.
func Check(arn string, event *EventParameters) error {
	_, err := route(kernel.Identity{Partition: "aws"}, Target{ARN: arn, Event: event}, "{}")
	return err
}

// route says which operation delivers input to t.
func route(id kernel.Identity, t Target, input string) (call, error) {
	if action, ok := strings.CutPrefix(t.ARN, universal); ok {
		return universalCall(action, input)
	}
	parts := strings.SplitN(t.ARN, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return call{}, fmt.Errorf("target %q is not an ARN", t.ARN)
	}
	resource := parts[5]
	switch service := parts[2]; {
	case service == "lambda" && strings.HasPrefix(resource, "function:"):
		return call{"lambda", "Invoke", map[string]any{
			"FunctionName": t.ARN, "InvocationType": "Event", "Payload": base64.StdEncoding.EncodeToString([]byte(input)),
		}}, nil
	case service == "states" && strings.HasPrefix(resource, "stateMachine:"):
		return call{"states", "StartExecution", map[string]any{"stateMachineArn": t.ARN, "input": input}}, nil
	case service == "states" && resource == "managed":
		return call{}, nil // how Step Functions itself follows jobs
	case service == "sqs":
		return call{"sqs", "SendMessage", map[string]any{"QueueUrl": queueURL(id, t.ARN), "MessageBody": input}}, nil
	case service == "sns":
		return call{"sns", "Publish", map[string]any{"TopicArn": t.ARN, "Message": input}}, nil
	case service == "logs":
		return call{}, nil // log groups do nothing here
	case service == "events" && strings.HasPrefix(resource, "event-bus/"):
		if t.Event == nil {
			return call{}, fmt.Errorf("target %s is an event bus and needs a source and a detail type", t.ARN)
		}
		entry := map[string]any{
			"EventBusName": t.ARN, "Source": t.Event.Source, "DetailType": t.Event.DetailType, "Detail": input,
		}
		if len(t.Event.Resources) > 0 {
			entry["Resources"] = t.Event.Resources
		}
		return call{"events", "PutEvents", map[string]any{"Entries": []any{entry}}}, nil
	default:
		return call{}, fmt.Errorf("target %s: this endpoint delivers to functions, state machines, queues, topics, event buses and log groups, not to %s %s", t.ARN, service, resource)
	}
}

func universalCall(action, input string) (call, error) {
	service, operation, ok := strings.Cut(action, ":")
	if !ok || service == "" || operation == "" {
		return call{}, fmt.Errorf("universal target %q: want %s{service}:{apiAction}", universal+action, universal)
	}
	if name, ok := sdkNames[service]; ok {
		service = name
	}
	var arguments map[string]json.RawMessage
	if err := json.Unmarshal([]byte(input), &arguments); err != nil {
		return call{}, fmt.Errorf("input of universal target %s is not a JSON object: %w", universal+action, err)
	}
	return call{service, strings.ToUpper(operation[:1]) + operation[1:], arguments}, nil
}

func queueURL(id kernel.Identity, arn string) string {
	return id.Endpoint + "/" + id.Account + "/" + template.LastOf(arn, ":")
}
