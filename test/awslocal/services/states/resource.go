package states

import (
	"fmt"
	"slices"
	"strings"
)

// A resource is what a Task calls.
type resource struct {
	arn       string
	function  string // ARN of a function that is called directly
	service   string // the model's name, such as batch
	operation string // such as SubmitJob
	prefix    string // of error names, such as Batch
	sync      bool   // wait for the job or execution that was started
	asObject  bool   // .sync:2: its output as JSON, not as text
	token     bool   // wait for a task token
	sdk       bool   // an SDK integration: nothing is added to the call
}

// optimized are the integrations that Step Functions treats specially.
var optimized = map[string]struct {
	resource
	patterns []string
}{
	"lambda:invoke":         {resource{service: "lambda", operation: "Invoke", prefix: "Lambda"}, []string{"", "waitForTaskToken"}},
	"batch:submitJob":       {resource{service: "batch", operation: "SubmitJob", prefix: "Batch"}, []string{"", "sync"}},
	"events:putEvents":      {resource{service: "events", operation: "PutEvents", prefix: "EventBridge"}, []string{"", "waitForTaskToken"}},
	"sns:publish":           {resource{service: "sns", operation: "Publish", prefix: "SNS"}, []string{"", "waitForTaskToken"}},
	"sqs:sendMessage":       {resource{service: "sqs", operation: "SendMessage", prefix: "SQS"}, []string{"", "waitForTaskToken"}},
	"states:startExecution": {resource{service: "states", operation: "StartExecution", prefix: "StepFunctions"}, []string{"", "sync", "sync:2", "waitForTaskToken"}},
	"dynamodb:getItem":      {resource{service: "dynamodb", operation: "GetItem", prefix: "DynamoDB"}, []string{""}},
	"dynamodb:putItem":      {resource{service: "dynamodb", operation: "PutItem", prefix: "DynamoDB"}, []string{""}},
	"dynamodb:updateItem":   {resource{service: "dynamodb", operation: "UpdateItem", prefix: "DynamoDB"}, []string{""}},
	"dynamodb:deleteItem":   {resource{service: "dynamodb", operation: "DeleteItem", prefix: "DynamoDB"}, []string{""}},
}

// sdkServices are the services that SDK integrations name otherwise than their
// models do, and the prefixes of their error names, which are the names of the
// clients in the AWS SDK for Java. A service that is not here is called by its
// model's name, with a capital as prefix.
var sdkServices = map[string]struct{ model, prefix string }{
	"sfn":          {"states", "Sfn"},
	"eventbridge":  {"events", "EventBridge"},
	"dynamodb":     {"dynamodb", "DynamoDb"},
	"iotsitewise":  {"iotsitewise", "IoTSiteWise"},
	"iottwinmaker": {"iottwinmaker", "IoTTwinMaker"},
}

// parseResource reads the Resource of a Task.
func parseResource(arn string) (resource, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return resource{}, fmt.Errorf("its Resource %q is not an ARN", arn)
	}
	if parts[2] == "lambda" && strings.HasPrefix(parts[5], "function:") {
		return resource{arn: arn, function: arn, service: "lambda", operation: "Invoke", prefix: "Lambda"}, nil
	}
	if parts[2] != "states" {
		return resource{}, fmt.Errorf("its Resource %s is neither a function nor an integration of Step Functions", arn)
	}
	if sdk, ok := strings.CutPrefix(parts[5], "aws-sdk:"); ok {
		return parseSDK(arn, sdk)
	}
	name, pattern, _ := strings.Cut(parts[5], ".")
	o, ok := optimized[name]
	if !ok {
		return resource{}, fmt.Errorf("its Resource %s: integration %s is not implemented by this endpoint", arn, name)
	}
	if !slices.Contains(o.patterns, pattern) {
		return resource{}, fmt.Errorf("its Resource %s: %s has no pattern .%s", arn, name, pattern)
	}
	r := o.resource
	r.arn = arn
	r.sync, r.asObject, r.token = strings.HasPrefix(pattern, "sync"), pattern == "sync:2", pattern == "waitForTaskToken"
	return r, nil
}

// parseSDK reads {service}:{action} with an optional .waitForTaskToken.
func parseSDK(arn, text string) (resource, error) {
	text, token := strings.CutSuffix(text, ".waitForTaskToken")
	service, action, ok := strings.Cut(text, ":")
	if !ok || service == "" || action == "" || strings.Contains(action, ".") {
		return resource{}, fmt.Errorf("its Resource %s: want arn:aws:states:::aws-sdk:{service}:{apiAction}", arn)
	}
	model, prefix := service, strings.ToUpper(service[:1])+service[1:]
	if known, ok := sdkServices[service]; ok {
		model, prefix = known.model, known.prefix
	}
	return resource{arn: arn, service: model, operation: strings.ToUpper(action[:1]) + action[1:], prefix: prefix, token: token, sdk: true}, nil
}

// integration is the part of the ARN after arn:aws:states:::, as history events
// show it: the type, and the action with its pattern.
func (r resource) integration() (kind, name string) {
	if r.function != "" {
		return "lambda", r.arn
	}
	rest := r.arn[strings.Index(r.arn, ":::")+3:]
	i := strings.LastIndex(strings.TrimSuffix(rest, ":2"), ":")
	return rest[:i], rest[i+1:]
}
