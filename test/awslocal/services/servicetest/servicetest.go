// Package servicetest puts services together for tests without a network: an
// invoker that checks every input and output against AWS's models, roles, and a
// stepped clock. It fails the test when a service acts while nothing is in
// flight, answers without having asked whether the caller may, or gives an
// answer that AWS could not give.
package servicetest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel"
	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Start is the business time at which every World begins.
var Start = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// Operator is who tests call as.
var Operator = kernel.Principal{ARN: "arn:aws:iam::000000000000:user/operator"}

// A Call is one operation that was invoked.
type Call struct {
	Principal kernel.Principal
	Service   string
	Operation string
	Input     json.RawMessage
	At        time.Time // business
}

// A World is what services live in.
type World struct {
	Identity kernel.Identity
	Clock    *clock.Clock
	Log      *slog.Logger

	t      testing.TB
	models *apimodel.Models

	mu       sync.Mutex
	handlers map[string]kernel.Handler // by service:Operation
	denied   func(p kernel.Principal, action, resource string) bool
	calls    []Call
}

var (
	_ kernel.Invoker          = (*World)(nil)
	_ kernel.RoleSession      = (*World)(nil)
	_ kernel.ResourcePolicies = (*World)(nil)
)

// New returns a World whose clock stands at Start.
func New(t testing.TB) *World {
	t.Helper()
	c, err := clock.New(Start, clock.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &World{
		Identity: apimodeltest.Identity, Clock: c, Log: slog.New(slog.DiscardHandler), t: t, models: apimodeltest.Models(t),
		handlers: map[string]kernel.Handler{}, denied: func(kernel.Principal, string, string) bool { return false },
	}
}

// Add adds the operations of services.
func (w *World) Add(services ...kernel.Service) {
	for _, s := range services {
		for operation, h := range s.Operations() {
			w.Handle(s.Name(), operation, h)
		}
	}
}

// Handle sets what answers one operation.
func (w *World) Handle(service, operation string, h kernel.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[service+":"+operation] = h
}

// Deny sets which calls are not authorized; nothing is denied without it.
func (w *World) Deny(f func(p kernel.Principal, action, resource string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denied = f
}

// Invoke implements kernel.Invoker.
func (w *World) Invoke(ctx context.Context, p kernel.Principal, service, operation string, input any) (json.RawMessage, error) {
	if p.ARN != Operator.ARN {
		assert.NotZero(w.t, w.clockInFlight(), "%s:%s is called while nothing is in flight", service, operation)
	}
	raw, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	model, err := w.models.Service(service)
	if err != nil {
		return nil, err
	}
	if raw, err = model.CheckInput(operation, raw); err != nil {
		return nil, err
	}
	w.mu.Lock()
	h, denied := w.handlers[service+":"+operation], w.denied
	w.calls = append(w.calls, Call{p, service, operation, raw, w.Clock.Now()})
	w.mu.Unlock()
	if h == nil {
		return nil, kernel.Errorf(501, "NotImplemented", "%s:%s", service, operation)
	}
	c := &kernel.Call{Identity: w.Identity, Service: service, Operation: operation, Principal: p, Input: raw}
	c.Authorizer = func(p kernel.Principal, action string, resources []string) error {
		for _, r := range resources {
			if denied(p, action, r) {
				return kernel.Errorf(403, "AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s", p.ARN, action, r)
			}
		}
		return nil
	}
	out, err := h(ctx, c)
	if err != nil {
		return nil, err
	}
	assert.True(w.t, c.Authorized(), "%s:%s answered without asking whether the caller may", service, operation)
	checked, err := model.CheckOutput(operation, out)
	assert.NoError(w.t, err, "%s:%s gave an answer that AWS could not give", service, operation)
	return checked, err
}

func (w *World) clockInFlight() int { return w.Clock.State().InFlight }

// Call calls an operation as the operator and decodes its answer.
func (w *World) Call(service, operation, input string) (map[string]any, error) {
	out, err := w.Invoke(w.t.Context(), Operator, service, operation, json.RawMessage(input))
	if err != nil {
		return nil, err
	}
	var v map[string]any
	return v, json.Unmarshal(out, &v)
}

// Must is Call where an error ends the test.
func (w *World) Must(service, operation, input string) map[string]any {
	w.t.Helper()
	out, err := w.Call(service, operation, input)
	require.NoError(w.t, err)
	return out
}

// Calls are the calls of one operation so far.
func (w *World) Calls(service, operation string) []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.calls), func(c Call) bool { return c.Service != service || c.Operation != operation })
}

// Deploy creates a resource.
func (w *World) Deploy(p kernel.Provider, kind, properties string) (kernel.Physical, error) {
	w.t.Helper()
	create := p.Provides()[kind]
	require.NotNil(w.t, create, "nobody provides %s", kind)
	return create(w.t.Context(), &kernel.Resource{Stack: "Stack", LogicalID: "Resource", Type: kind, Properties: json.RawMessage(properties)})
}

// MustDeploy is Deploy where an error ends the test.
func (w *World) MustDeploy(p kernel.Provider, kind, properties string) kernel.Physical {
	w.t.Helper()
	out, err := w.Deploy(p, kind, properties)
	require.NoError(w.t, err)
	return out
}

// Advance advances the clock to a time after Start.
func (w *World) Advance(after time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute) // a stuck clock names what hangs
	defer cancel()
	require.NoError(w.t, w.Clock.Advance(ctx, Start.Add(after)))
}

// Settle waits until nothing is in flight.
func (w *World) Settle() {
	w.t.Helper()
	w.Advance(w.Clock.Now().Sub(Start))
}

// Environment implements kernel.RoleSession.
func (w *World) Environment(role string) ([]string, error) { return []string{"ROLE=" + role}, nil }

// Assume implements kernel.RoleSession. A role whose name ends in untrusted
// trusts nobody.
func (w *World) Assume(role, service string) (kernel.Principal, error) {
	if strings.HasSuffix(role, "untrusted") {
		return kernel.Principal{}, kernel.Errorf(403, "AccessDeniedException", "%s is not authorized to perform: sts:AssumeRole on resource: %s", service, role)
	}
	name := role[strings.LastIndex(role, "/")+1:]
	return kernel.Principal{ARN: fmt.Sprintf("arn:aws:sts::000000000000:assumed-role/%s/%s", name, service), Role: name}, nil
}

// SetResourcePolicy implements kernel.ResourcePolicies.
func (w *World) SetResourcePolicy(_ string, policy json.RawMessage) error {
	if !json.Valid(policy) {
		return fmt.Errorf("policy is not JSON")
	}
	return nil
}
