// Package kernel is what the parts of the local AWS endpoint share: the shape of
// an operation, of a resource, of a principal and of the clock. It has no
// behaviour of its own beyond errors; the arrows of every other package of this
// module point here.
package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// An Identity says where the endpoint pretends to be.
type Identity struct {
	Account   string // 12 digits
	Region    string
	Partition string // aws
	Endpoint  string // http://127.0.0.1:PORT
}

// ARN builds an ARN of this account and region.
func (i Identity) ARN(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", i.Partition, service, i.Region, i.Account, resource)
}

// A Principal is who calls: a role's session, a service, or the operator.
type Principal struct {
	ARN     string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, or arn:aws:iam::ACCOUNT:user/operator
	Role    string // role name; empty for the operator and for services
	Service string // events.amazonaws.com and the like, when AWS itself calls

	// SourceARN is the resource on whose behalf a service calls, such as a
	// rule's ARN: the aws:SourceArn of resource policies. Empty otherwise.
	SourceARN string
}

// A Handler answers one operation. c.Input has been validated against the
// service's model; the output is marshalled to JSON by member names, validated
// and encoded in the service's protocol. A *Error becomes the service's error;
// any other error is a 500 that is logged.
type Handler func(ctx context.Context, c *Call) (any, error)

// A Call is one authenticated invocation of an operation.
type Call struct {
	Identity
	Service   string // signing name and model, such as iotsitewise
	Operation string
	Principal Principal
	Input     json.RawMessage // an object by the model's member names; timestamps are epoch seconds, blobs base64

	// Conditions are the condition keys that the operation adds to those every
	// call has, such as s3:prefix or iam:PassedToService; a handler sets them
	// before it calls Authorize.
	Conditions map[string][]string

	// Authorizer decides; the gateway sets it. Handlers use Authorize.
	Authorizer func(p Principal, action string, resources []string) error
	authorized bool
}

// Decode unmarshals the input.
func (c *Call) Decode(v any) error { return json.Unmarshal(c.Input, v) }

// Authorize checks that the caller may perform action (service:Operation) on
// every one of resources, and returns the service's AccessDenied error when
// not. Every handler calls it at least once before it answers; the gateway
// answers 500 for a handler that forgot.
func (c *Call) Authorize(action string, resources ...string) error {
	c.authorized = true
	return c.Authorizer(c.Principal, action, resources)
}

// Exempt says that the operation needs no permission, such as
// sts:GetCallerIdentity: whoever signed may call it.
func (c *Call) Exempt() { c.authorized = true }

// Authorized reports whether Authorize or Exempt was called.
func (c *Call) Authorized() bool { return c.authorized }

// An Error is an error in a service's own words.
type Error struct {
	Status  int    // HTTP status
	Code    string // shape name, such as ResourceNotFoundException
	Message string
	Fields  map[string]any // further members of the error's shape
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an Error.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// A Service is a set of operations under one signing name.
type Service interface {
	// Name is the model's name, such as iotsitewise, states, events, batch.
	Name() string
	// Operations are the implemented ones. Any other operation of the model is
	// refused by the gateway, by name.
	Operations() map[string]Handler
}

// An Invoker calls an operation of any service on behalf of a principal, in
// process: how a state machine's task, a rule's target or a schedule acts. The
// same validation and authorization apply as to a request over HTTP. Input and
// output are by the model's member names.
type Invoker interface {
	Invoke(ctx context.Context, p Principal, service, operation string, input any) (json.RawMessage, error)
}

// A Resource is one resource of a template, its intrinsics resolved.
type Resource struct {
	Stack      string
	LogicalID  string
	Type       string // AWS::Batch::JobQueue
	Properties json.RawMessage
	Assembly   string // folder of the cdk.out it came from
}

// Decode unmarshals the properties.
func (r *Resource) Decode(v any) error { return json.Unmarshal(r.Properties, v) }

// A Physical is what became of a resource: what Ref and Fn::GetAtt answer.
type Physical struct {
	Ref        string
	Attributes map[string]any // by attribute name, such as Arn
}

// A Provider creates resources of the types it lists.
type Provider interface {
	// Provides maps a CloudFormation type to the function that creates it.
	// Creating a resource that exists with the same properties is no change.
	Provides() map[string]func(ctx context.Context, r *Resource) (Physical, error)
}

// A Clock is business time. It steps from one due timer to the next and never
// moves while work is in flight; having reached wall time it runs with it.
type Clock interface {
	// Now is the current business time.
	Now() time.Time
	// At runs f once, on its own goroutine and as work in flight, when business
	// time reaches t, at once when it has. cancel is safe to call at any time.
	At(t time.Time, f func()) (cancel func())
	// Begin marks work in flight until done is called; done may be called twice.
	Begin() (done func())
}

// LambdaHost runs functions.
type LambdaHost interface {
	// InvokeFunction runs a function by ARN or name with a payload and returns
	// its payload. functionError is "" or Unhandled or Handled, with the error
	// object as payload. Authorization is the caller's business.
	InvokeFunction(ctx context.Context, function string, payload []byte) (result []byte, functionError string, err error)
}

// A RoleSession makes the credentials of a child process that acts as a role.
type RoleSession interface {
	// Environment returns the environment variables, complete and built from
	// nothing, of a process that acts as the role (ARN or name).
	Environment(role string) ([]string, error)
	// Assume returns the principal of a role that a service acts as, after the
	// role's trust policy admitted the service (states.amazonaws.com).
	Assume(role, service string) (Principal, error)
}

// ResourcePolicies holds the policies of resources that are not IAM's own,
// such as a queue's or a topic's.
type ResourcePolicies interface {
	// SetResourcePolicy replaces the policy document of the resource; an empty
	// policy removes it. A document that cannot be evaluated is an error.
	SetResourcePolicy(resource string, policy json.RawMessage) error
}
