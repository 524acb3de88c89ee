package lambda

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// maxEvent is the limit of an asynchronous request, in bytes.
const maxEvent = 1 << 20

// eventConfig is how a function's asynchronous invocations are retried.
type eventConfig struct {
	retries   int // after the first attempt
	onFailure string
	onSuccess string
}

var defaultEvents = eventConfig{retries: 2}

// Enqueue invokes a function asynchronously: a failed attempt is repeated one
// and then two minutes later (business time), and what no attempt could handle
// goes to the function's dead-letter queue or failure destination.
func (h *Host) Enqueue(name string, payload []byte) error {
	f, err := h.function(name)
	if err != nil {
		return err
	}
	if len(payload) > maxEvent {
		return kernel.Errorf(http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", maxEvent)
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		return kernel.Errorf(http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: the payload is not JSON")
	}
	h.mu.Lock()
	config, ok := h.retries[f.name]
	h.mu.Unlock()
	if !ok {
		config = defaultEvents
	}
	e := &event{host: h, fn: f, id: requestID(), payload: payload, config: config}
	done := clock.Begin(h.config.Clock, "event for function "+f.name)
	h.events.Go(func() {
		defer done()
		e.attempt(1)
	})
	return nil
}

// An event is an asynchronous invocation.
type event struct {
	host    *Host
	fn      *function
	id      string
	payload []byte
	config  eventConfig
}

// attempt runs the n-th attempt, as work in flight, and plans the next.
func (e *event) attempt(n int) {
	if e.host.ctx.Err() != nil {
		return
	}
	result, functionError, err := e.host.InvokeFunction(e.host.ctx, e.fn.name, e.payload)
	if err == nil && functionError == "" {
		e.deliver(e.config.onSuccess, "Success", n, result, "")
		return
	}
	if n <= e.config.retries {
		wait := time.Duration(n) * time.Minute
		e.host.config.Clock.At(e.host.config.Clock.Now().Add(wait), func() { e.attempt(n + 1) })
		return
	}
	if err != nil {
		result, functionError = failure("ServiceException", "%s", err), "Unhandled"
	}
	e.deadLetter(result)
	e.deliver(e.config.onFailure, "RetriesExhausted", n, result, functionError)
}

// deadLetter sends the event to the function's dead-letter queue or topic.
func (e *event) deadLetter(result []byte) {
	if e.fn.deadLetter == "" {
		return
	}
	var said struct{ ErrorMessage string }
	if json.Unmarshal(result, &said) != nil {
		said.ErrorMessage = string(result)
	}
	attribute := func(kind, v string) map[string]any { return map[string]any{"DataType": kind, "StringValue": v} }
	e.send(e.fn.deadLetter, string(e.payload), map[string]any{
		"RequestID":    attribute("String", e.id),
		"ErrorCode":    attribute("Number", "200"),
		"ErrorMessage": attribute("String", said.ErrorMessage[:min(len(said.ErrorMessage), 1024)]),
	})
}

// deliver sends the record of an invocation to a destination.
func (e *event) deliver(target, condition string, attempts int, result []byte, functionError string) {
	if target == "" {
		return
	}
	answer := json.RawMessage(result)
	if !json.Valid(answer) {
		answer = json.RawMessage("null")
	}
	response := map[string]any{"statusCode": http.StatusOK, "executedVersion": "$LATEST"}
	if functionError != "" {
		response["functionError"] = functionError
	}
	record, err := json.Marshal(map[string]any{
		"version": "1.0", "timestamp": e.host.config.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"requestContext": map[string]any{
			"requestId": e.id, "functionArn": e.fn.arn + ":$LATEST", "condition": condition, "approximateInvokeCount": attempts,
		},
		"requestPayload": json.RawMessage(e.payload), "responseContext": response, "responsePayload": answer,
	})
	if err != nil {
		slog.Error("could not write the record of an invocation", "function", e.fn.name, "error", err)
		return
	}
	e.send(target, string(record), nil)
}

// send sends a message to a queue or topic, as the function's role.
func (e *event) send(target, body string, attributes map[string]any) {
	role := e.fn.role[strings.LastIndexByte(e.fn.role, '/')+1:]
	id := e.host.config.Identity
	p := kernel.Principal{ARN: "arn:" + id.Partition + ":sts::" + id.Account + ":assumed-role/" + role + "/" + e.fn.name, Role: role}
	var err error
	switch parts := strings.SplitN(target, ":", 6); {
	case len(parts) == 6 && parts[2] == "sqs":
		input := map[string]any{"QueueUrl": id.Endpoint + "/" + parts[4] + "/" + parts[5], "MessageBody": body}
		if attributes != nil {
			input["MessageAttributes"] = attributes
		}
		_, err = e.host.config.Invoker.Invoke(e.host.ctx, p, "sqs", "SendMessage", input)
	case len(parts) == 6 && parts[2] == "sns":
		input := map[string]any{"TopicArn": target, "Message": body}
		if attributes != nil {
			input["MessageAttributes"] = attributes
		}
		_, err = e.host.config.Invoker.Invoke(e.host.ctx, p, "sns", "Publish", input)
	default:
		err = kernel.Errorf(http.StatusBadRequest, "InvalidParameterValueException", "%s is neither a queue nor a topic", target)
	}
	if err != nil {
		slog.Error("an event that no attempt could handle is lost", "function", e.fn.name, "target", target, "error", err)
	}
}
