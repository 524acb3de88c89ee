// Package gateway is the one port of the local endpoint. It takes requests as
// the AWS SDKs send them, verifies who signed them, finds the service that the
// signature names, and answers in the service's own protocol. It decides
// nothing that a service should decide.
package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/apimodel"
	"github.com/livetwin/livetwin/test/awslocal/gateway/sigv4"
	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// ControlPrefix is where the endpoint's own interface is, outside of AWS's.
const ControlPrefix = "/_awslocal/"

// maxBody is the limit of a request's body in bytes, except to engines that
// take their bodies as a stream.
const maxBody = 16 << 20

// An Engine is a service that speaks its protocol itself: S3 and DynamoDB. The
// request's signature has been verified; the engine authorizes.
type Engine interface {
	Serve(w http.ResponseWriter, r *http.Request, c Caller)
	// Streams reports whether the engine checks the hash of the body itself.
	Streams() bool
}

// An InvokableEngine can be called from inside the endpoint too.
type InvokableEngine interface {
	Engine
	Invoke(ctx context.Context, c Caller, operation string, input json.RawMessage) (json.RawMessage, error)
}

// A Caller is who calls an engine, and how to ask whether they may.
type Caller struct {
	Principal kernel.Principal
	RequestID string
	Authorize func(action string, resources []string, conditions map[string][]string) error
}

// A Gateway serves the endpoint.
type Gateway struct {
	identity  kernel.Identity
	hosts     []string // names under which the endpoint is addressed, with port
	authority *iam.Authority
	models    *apimodel.Models
	control   *http.ServeMux

	mu       sync.RWMutex
	services map[string]*service
	engines  map[string]Engine
}

// A service is a kernel.Service with what is needed for every call.
type service struct {
	name       string
	model      *apimodel.Service
	operations map[string]kernel.Handler
}

var (
	_ kernel.Invoker = (*Gateway)(nil)
	_ http.Handler   = (*Gateway)(nil)
)

// New returns a gateway without services.
func New(identity kernel.Identity, authority *iam.Authority, models *apimodel.Models) (*Gateway, error) {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(identity.Endpoint, "http://"))
	if err != nil {
		return nil, fmt.Errorf("read the endpoint %s: %w", identity.Endpoint, err)
	}
	g := &Gateway{
		identity: identity, authority: authority, models: models, control: http.NewServeMux(),
		services: map[string]*service{}, engines: map[string]Engine{},
	}
	for _, name := range []string{host, "localhost"} {
		for _, prefix := range []string{"", "api.", "data."} { // the SDK's host prefixes
			g.hosts = append(g.hosts, prefix+name+":"+port)
		}
	}
	g.Control("GET "+ControlPrefix+"usage", answer(func() any { return authority.Usage() }))
	g.Control("GET "+ControlPrefix+"operations", answer(func() any { return g.operations() }))
	return g, nil
}

// AddService adds a service under its model's name, which is also its signing
// name. An operation that the model does not have is an error.
func (g *Gateway) AddService(s kernel.Service) error {
	model, err := g.models.Service(s.Name())
	if err != nil {
		return fmt.Errorf("add the service %s: %w", s.Name(), err)
	}
	added := &service{s.Name(), model, s.Operations()}
	for name := range added.operations {
		if !model.HasOperation(name) {
			return fmt.Errorf("add the service %s: its API model has no operation %s", s.Name(), name)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.services[s.Name()] = added
	return nil
}

// AddEngine adds an engine under its signing name.
func (g *Gateway) AddEngine(name string, e Engine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.engines[name] = e
}

// Control adds a handler of the endpoint's own interface; pattern is that of
// http.ServeMux, its path below ControlPrefix.
func (g *Gateway) Control(pattern string, h http.Handler) { g.control.Handle(pattern, h) }

func (g *Gateway) find(name string) (*service, Engine) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.services[name], g.engines[name]
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Amzn-Requestid", id)
	if !slices.Contains(g.hosts, r.Host) {
		// Programs reach other plain-http hosts through us as their proxy.
		reject(w, "", kernel.Errorf(http.StatusBadGateway, "HostNotReachable",
			"the local endpoint %s has no way to the host %s (%s %s)", g.identity.Endpoint, r.Host, r.Method, r.URL.Path))
		return
	}
	if strings.HasPrefix(r.URL.Path, ControlPrefix) {
		g.control.ServeHTTP(w, r)
		return
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		g.preflight(w, r)
		return
	}
	signature, err := sigv4.Parse(r)
	if err != nil {
		reject(w, guess(r), signatureError(guess(r), err))
		return
	}
	service, engine := g.find(signature.Service)
	if service == nil && engine == nil {
		reject(w, signature.Service, notImplemented("the local endpoint does not have the service %s", signature.Service))
		return
	}
	body, err := g.readBody(r, engine)
	if err != nil {
		reject(w, signature.Service, err)
		return
	}
	principal, err := g.authenticate(r, signature, body, engine)
	if err != nil {
		reject(w, signature.Service, signatureError(signature.Service, err))
		return
	}
	if engine != nil {
		engine.Serve(w, r, g.caller(signature.Service, principal, id))
		return
	}
	if r.Header.Get("Origin") != "" {
		allowOrigin(w.Header())
	}
	g.serve(w, r, service, principal, body)
}

// readBody returns the whole body, and leaves one to read in r; an engine that
// streams reads it itself.
func (g *Gateway) readBody(r *http.Request, e Engine) ([]byte, error) {
	if e != nil && e.Streams() {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, kernel.Errorf(http.StatusBadRequest, "RequestBodyBrokenOff", "read the request's body: %v", err)
	}
	if len(body) > maxBody {
		return nil, kernel.Errorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "the request's body is larger than %d bytes", maxBody)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// authenticate returns who signed the request.
func (g *Gateway) authenticate(r *http.Request, s *sigv4.Signature, body []byte, e Engine) (kernel.Principal, error) {
	now := time.Now()
	principal, ok := g.authority.Caller(s.AccessKey, now)
	if !ok {
		return principal, &sigv4.Error{Kind: sigv4.Unknown, Message: "The security token included in the request is invalid: nobody has the access key " + s.AccessKey + " here"}
	}
	secret, token := g.authority.Secrets(s.AccessKey)
	if s.Token != token {
		return principal, &sigv4.Error{Kind: sigv4.Token, Message: "The security token included in the request is invalid."}
	}
	if s.Region != g.identity.Region {
		return principal, &sigv4.Error{Kind: sigv4.Mismatch, Message: "Credential should be scoped to a valid region: '" + g.identity.Region + "', not '" + s.Region + "'."}
	}
	hash := sigv4.UnsignedPayload
	switch given := r.Header.Get("X-Amz-Content-Sha256"); {
	case s.Presigned && s.Service == "s3":
	case e != nil && e.Streams():
		hash = given
	default:
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	return principal, s.Verify(r, secret, hash, now)
}

func (g *Gateway) caller(service string, p kernel.Principal, id string) Caller {
	return Caller{Principal: p, RequestID: id, Authorize: func(action string, resources []string, conditions map[string][]string) error {
		return denial(service, g.authority.Authorize(iam.Request{Principal: p, Action: action, Resources: resources, Conditions: conditions}))
	}}
}

// serve answers one operation of a service.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, s *service, p kernel.Principal, body []byte) {
	operation, input, err := s.model.DecodeRequest(r, body)
	if err == nil {
		var out any
		if out, err = g.call(r.Context(), s, p, operation, input); err == nil {
			err = s.model.EncodeResponse(w, operation, out)
			if err == nil {
				return
			}
		}
	}
	if e, ok := errors.AsType[*kernel.Error](err); ok {
		s.model.EncodeError(w, e)
		return
	}
	slog.ErrorContext(r.Context(), "an operation failed", "service", s.name, "operation", operation, "error", err)
	s.model.EncodeError(w, kernel.Errorf(http.StatusInternalServerError, "InternalFailure", "%s:%s failed inside the local endpoint: %v", s.name, operation, err))
}

// call runs the handler of an operation.
func (g *Gateway) call(ctx context.Context, s *service, p kernel.Principal, operation string, input json.RawMessage) (any, error) {
	handler, ok := s.operations[operation]
	if !ok {
		return nil, notImplemented("the local endpoint does not implement %s:%s", s.name, operation)
	}
	c := &kernel.Call{Identity: g.identity, Service: s.name, Operation: operation, Principal: p, Input: input}
	c.Authorizer = func(p kernel.Principal, action string, resources []string) error {
		return denial(s.name, g.authority.Authorize(iam.Request{Principal: p, Action: action, Resources: resources, Conditions: c.Conditions}))
	}
	out, err := handler(ctx, c)
	if err == nil && !c.Authorized() {
		return nil, fmt.Errorf("%s:%s answered without asking whether the caller may", s.name, operation)
	}
	return out, err
}

// Invoke implements kernel.Invoker.
func (g *Gateway) Invoke(ctx context.Context, p kernel.Principal, name, operation string, input any) (json.RawMessage, error) {
	raw, ok := input.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(input); err != nil {
			return nil, fmt.Errorf("invoke %s:%s: %w", name, operation, err)
		}
	}
	s, engine := g.find(name)
	if e, ok := engine.(InvokableEngine); ok {
		return e.Invoke(ctx, g.caller(name, p, requestID()), operation, raw)
	}
	if s == nil {
		return nil, notImplemented("the local endpoint does not have %s:%s for calls from inside", name, operation)
	}
	raw, err := s.model.CheckInput(operation, raw)
	if err != nil {
		return nil, err
	}
	out, err := g.call(ctx, s, p, operation, raw)
	if err != nil {
		return nil, err
	}
	return s.model.CheckOutput(operation, out)
}

// operations lists what is implemented, by service. Engines implement more than
// they list: they speak for themselves.
func (g *Gateway) operations() map[string][]string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := map[string][]string{}
	for name, s := range g.services {
		out[name] = slices.Sorted(maps.Keys(s.operations))
	}
	return out
}

// answer makes a handler of the endpoint's own interface that tells a value.
func answer(value func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(value()); err != nil {
			slog.WarnContext(r.Context(), "could not send a report", "path", r.URL.Path, "error", err)
		}
	})
}

func requestID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails, see crypto/rand
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}
