// Package delivery brings an event from EventBridge or a schedule's invocation
// to its target: as a role or as the service, tried again on the business clock
// as the retry policy says, and in the end into a dead-letter queue.
package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// What AWS does without a retry policy, in EventBridge and in Scheduler.
const (
	DefaultAttempts = 185
	DefaultAge      = 24 * time.Hour
)

// Between two attempts pass 1 s, 2 s, 4 s and so on, but not more than
// maxDelay. AWS adds jitter and does not say how long it waits; here two runs
// agree.
const (
	firstDelay = time.Second
	maxDelay   = 10 * time.Minute
)

// A Target is where to deliver, and as whom.
type Target struct {
	ARN     string
	Role    string        // ARN of the role to act as; empty: the service itself
	Service string        // events.amazonaws.com
	Source  string        // ARN of the rule or schedule: aws:SourceArn
	Retries int           // after the first attempt
	Age     time.Duration // in business time, after which there is no further attempt

	DeadLetter      string // queue ARN, or empty
	DeadLetterAsSvc bool   // the queue's policy, not the role, admits the message

	// Event is set when the target is an event bus.
	Event *EventParameters
}

// EventParameters are the envelope of what goes to an event bus.
type EventParameters struct {
	Source, DetailType string
	Resources          []string
}

// A Payload is what to deliver.
type Payload struct {
	Input      func(attempt int) (string, error) // the target's input at the attempt, counted from 1
	DeadLetter string                            // body of the dead letter
	Attributes map[string]string                 // further message attributes of the dead letter
}

// Config is what a Courier needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Invoker  kernel.Invoker
	Roles    kernel.RoleSession
	Log      *slog.Logger
}

// A Courier delivers. It is safe for concurrent use.
type Courier struct {
	config Config
	ctx    context.Context //nolint:containedctx // the lifetime of deliveries, ended by Close
	stop   context.CancelFunc

	mu   sync.Mutex
	wait sync.WaitGroup
}

// New returns a Courier. Close ends it.
func New(c Config) *Courier {
	ctx, stop := context.WithCancel(context.Background())
	return &Courier{config: c, ctx: ctx, stop: stop}
}

// Close ends deliveries under way and waits for them. What waits for another
// attempt is dropped.
func (d *Courier) Close() {
	d.mu.Lock()
	d.stop()
	d.mu.Unlock()
	d.wait.Wait()
}

// Deliver sends p to t, as work in flight.
func (d *Courier) Deliver(t Target, p Payload) {
	d.run(&delivery{Courier: d, target: t, payload: p, began: d.config.Clock.Now()})
}

// run makes the next attempt on its own goroutine.
func (d *Courier) run(x *delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return
	}
	done := clock.Begin(d.config.Clock, "delivery of "+x.target.Source+" to "+x.target.ARN)
	d.wait.Go(func() {
		defer done()
		x.attempt()
	})
}

// A delivery is one payload on its way.
type delivery struct {
	*Courier
	target  Target
	payload Payload
	began   time.Time
	tries   int
}

func (x *delivery) attempt() {
	x.tries++
	err := x.try()
	now := x.config.Clock.Now()
	delay := firstDelay << min(x.tries-1, 20)
	delay = min(delay, maxDelay)
	switch {
	case err == nil || x.ctx.Err() != nil:
	case !retriable(err):
		x.bury(err, "")
	case x.tries > x.target.Retries:
		x.bury(err, "MaximumRetryAttempts")
	case now.Add(delay).Sub(x.began) > x.target.Age:
		x.bury(err, "MaximumEventAgeInSeconds")
	default:
		clock.At(x.config.Clock, now.Add(delay), "retry of "+x.target.Source+" to "+x.target.ARN, func() { x.run(x) })
	}
}

func (x *delivery) try() error {
	p, err := x.principal()
	if err != nil {
		return err
	}
	input, err := x.payload.Input(x.tries)
	if err != nil {
		return permanent{err}
	}
	call, err := route(x.config.Identity, x.target, input)
	if err != nil {
		return permanent{err}
	}
	if call.service == "" {
		return nil // an inert target
	}
	out, err := x.config.Invoker.Invoke(x.ctx, p, call.service, call.operation, call.input)
	if err == nil && call.service == "events" {
		err = failedEntry(out)
	}
	return err
}

func (x *delivery) principal() (kernel.Principal, error) {
	if x.target.Role == "" {
		return service(x.target), nil
	}
	return x.config.Roles.Assume(x.target.Role, x.target.Service)
}

func service(t Target) kernel.Principal {
	return kernel.Principal{ARN: t.Service, Service: t.Service, SourceARN: t.Source}
}

// bury puts the payload into the dead-letter queue, if there is one.
func (x *delivery) bury(cause error, exhausted string) {
	log := x.config.Log.With("source", x.target.Source, "target", x.target.ARN, "attempts", x.tries, "error", cause.Error())
	if x.target.DeadLetter == "" {
		log.ErrorContext(x.ctx, "event lost: it could not be delivered and there is no dead-letter queue")
		return
	}
	code := "InternalError"
	if e, ok := errors.AsType[*kernel.Error](cause); ok {
		code = e.Code
	}
	attributes := map[string]any{
		"ERROR_CODE": text(code), "ERROR_MESSAGE": text(cause.Error()), "TARGET_ARN": text(x.target.ARN),
		"RETRY_ATTEMPTS": text(strconv.Itoa(x.tries - 1)),
	}
	if exhausted != "" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = text(exhausted)
	}
	for k, v := range x.payload.Attributes {
		attributes[k] = text(v)
	}
	p, err := service(x.target), error(nil)
	if !x.target.DeadLetterAsSvc {
		p, err = x.principal()
	}
	if err == nil {
		_, err = x.config.Invoker.Invoke(x.ctx, p, "sqs", "SendMessage", map[string]any{
			"QueueUrl": queueURL(x.config.Identity, x.target.DeadLetter), "MessageBody": x.payload.DeadLetter, "MessageAttributes": attributes,
		})
	}
	if err != nil {
		log.ErrorContext(x.ctx, "event lost: the dead-letter queue did not take it", "queue", x.target.DeadLetter, "queue_error", err.Error())
		return
	}
	log.WarnContext(x.ctx, "event not delivered: it is in the dead-letter queue", "queue", x.target.DeadLetter)
}

func text(s string) map[string]any {
	if s == "" {
		s = "-" // a message attribute must not be empty
	}
	return map[string]any{"DataType": "String", "StringValue": s}
}

// permanent is an error that another attempt cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// retriable reports whether another attempt may help: not when the target does
// not exist, refuses the caller or rejects the input, but when it is throttled
// or broken.
func retriable(err error) bool {
	if _, ok := errors.AsType[permanent](err); ok {
		return false
	}
	e, ok := errors.AsType[*kernel.Error](err)
	return !ok || e.Status == 0 || e.Status == 429 || e.Status >= 500 || strings.Contains(e.Code, "Throttl") || strings.Contains(e.Code, "TooManyRequests")
}

// failedEntry is the error in a PutEvents answer.
func failedEntry(out json.RawMessage) error {
	var answer struct {
		FailedEntryCount int
		Entries          []struct{ ErrorCode, ErrorMessage string }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return fmt.Errorf("answer of PutEvents: %w", err)
	}
	if answer.FailedEntryCount == 0 || len(answer.Entries) == 0 {
		return nil
	}
	return kernel.Errorf(400, answer.Entries[0].ErrorCode, "%s", answer.Entries[0].ErrorMessage)
}
