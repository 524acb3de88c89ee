// Package step says what an error means to the workflow that runs a step: its
// kind decides the error name a state machine matches, the exit code a Batch
// job ends with, and so what is retried and what raises an alarm.
package step

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// A Kind is the meaning of an error. Its text is the error name that state
// machines match when no Names entry gives a narrower one.
type Kind string

// The kinds of errors.
const (
	// Permanent: trying again cannot help; somebody must change something.
	Permanent Kind = "Permanent"
	// Transient: the same attempt may succeed later.
	Transient Kind = "Transient"
	// Conflict: somebody else wrote first; a new attempt starts from what they wrote.
	Conflict Kind = "Conflict"
	// Superseded: somebody else has done the work; nothing is left to do.
	Superseded Kind = "Superseded"
)

// Exit codes of a job. Batch retries ExitRetry and ends on everything else;
// the numbers are those of sysexits.h (EX_USAGE, EX_TEMPFAIL).
const (
	ExitDone      = 0
	ExitPermanent = 64
	ExitRetry     = 75
)

// ExitCode returns the code a job of this kind of error ends with.
func (k Kind) ExitCode() int {
	switch k {
	case Superseded:
		return ExitDone
	case Transient, Conflict:
		return ExitRetry
	case Permanent:
		return ExitPermanent
	}
	return ExitPermanent
}

// kindError marks an error with its kind.
type kindError struct {
	kind Kind
	err  error
}

func (e *kindError) Error() string { return e.err.Error() }
func (e *kindError) Unwrap() error { return e.err }

// Mark returns err marked as being of a kind, and nil for nil. The outermost
// mark decides.
func Mark(k Kind, err error) error {
	if err == nil {
		return nil
	}
	return &kindError{kind: k, err: err}
}

// Permanentf is Mark(Permanent, fmt.Errorf(format, args...)).
func Permanentf(format string, args ...any) error {
	return Mark(Permanent, fmt.Errorf(format, args...))
}

// KindOf returns the kind of err: that of its mark; Transient for a context
// that ended and for what the AWS SDK would try again (throttling, time-outs,
// connections, 5xx); Permanent for every other answer of a service that blames
// the caller, such as AccessDenied; and Transient for the rest, since every
// step may be repeated and the number of attempts is bounded.
func KindOf(err error) Kind {
	if marked, ok := errors.AsType[*kindError](err); ok {
		return marked.kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Transient
	}
	if retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary {
		return Transient
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok && answer.ErrorFault() == smithy.FaultClient {
		return Permanent
	}
	return Transient
}

// A Name gives the errors that match Is a name that state machines match, and
// a kind. Kind may be left out: it is then KindOf the error.
type Name struct {
	Is   error
	Name string
	Kind Kind
}

// Names is what a function calls its errors; the first match counts.
type Names []Name

// Kind returns the kind of err.
func (n Names) Kind(err error) Kind {
	if i := n.match(err); i >= 0 && n[i].Kind != "" {
		return n[i].Kind
	}
	return KindOf(err)
}

// Wrap returns err as the answer of a Lambda function: its error type is the
// name of the first match, or its kind. Without it the runtime would report
// the Go type of the outermost error, such as "wrapError". Wrap of nil is nil.
func (n Names) Wrap(err error) error {
	if err == nil {
		return nil
	}
	name := string(n.Kind(err))
	if i := n.match(err); i >= 0 {
		name = n[i].Name
	}
	return messages.InvokeResponse_Error{Type: name, Message: err.Error()}
}

func (n Names) match(err error) int {
	return slices.IndexFunc(n, func(name Name) bool { return errors.Is(err, name.Is) })
}
