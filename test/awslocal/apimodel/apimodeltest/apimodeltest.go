// Package apimodeltest serves one service of the local endpoint to a real SDK
// client, so that a test speaks the wire protocol and every answer is checked
// against the model. It stands in for the gateway: no signatures, no policies
// but the test's own.
package apimodeltest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Identity is where the test's endpoint pretends to be.
var Identity = kernel.Identity{Account: "000000000000", Region: "us-east-1", Partition: "aws", Endpoint: "http://127.0.0.1:4566"}

// Caller is who the test's requests come from.
var Caller = kernel.Principal{ARN: "arn:aws:sts::000000000000:assumed-role/caller/test", Role: "caller"}

// models are compiled once for all tests of a program.
var models = sync.OnceValues(func() (*apimodel.Models, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module github.com/aws/aws-sdk-go, which holds the models (run go mod download): %w", err)
	}
	return apimodel.Load(filepath.Join(strings.TrimSpace(string(out)), "models", "apis"))
})

// Models returns the models out of the module cache.
func Models(tb testing.TB) *apimodel.Models {
	tb.Helper()
	m, err := models()
	require.NoError(tb, err)
	return m
}

// A Server serves one service.
type Server struct {
	Model *apimodel.Service

	handlers map[string]kernel.Handler
	address  string

	mu      sync.Mutex
	allowed func(p kernel.Principal, action string, resources []string) error
	actions []string
}

// Serve starts a server for svc; it ends with the test. An operation that
// answers without asking Authorize, and an answer that breaks the model, is a
// 500 and fails the test.
func Serve(tb testing.TB, svc kernel.Service) *Server {
	tb.Helper()
	model, err := Models(tb).Service(svc.Name())
	require.NoError(tb, err)
	s := &Server{
		Model: model, handlers: svc.Operations(),
		allowed: func(kernel.Principal, string, []string) error { return nil },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tb.Errorf("read a request: %v", err)
			return
		}
		s.serve(r.Context(), tb, w, r, body)
	}))
	tb.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// Authorize replaces the policy, which allows everything at first.
func (s *Server) Authorize(f func(p kernel.Principal, action string, resources []string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = f
}

// Actions returns the actions asked for since the last call.
func (s *Server) Actions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.actions
	s.actions = nil
	return a
}

func (s *Server) authorize(p kernel.Principal, action string, resources []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions = append(s.actions, action)
	return s.allowed(p, action, resources)
}

func (s *Server) serve(ctx context.Context, tb testing.TB, w http.ResponseWriter, r *http.Request, body []byte) {
	operation, input, err := s.Model.DecodeRequest(r, body)
	if err != nil {
		s.fail(tb, w, err)
		return
	}
	handle, ok := s.handlers[operation]
	if !ok {
		s.fail(tb, w, kernel.Errorf(http.StatusNotImplemented, "NotImplemented", "%s is not implemented", operation))
		return
	}
	call := &kernel.Call{
		Identity: Identity, Service: s.Model.Name(), Operation: operation, Principal: Caller, Input: input, Authorizer: s.authorize,
	}
	out, err := handle(ctx, call)
	if err == nil && !call.Authorized() {
		tb.Errorf("%s answered without asking Authorize", operation)
	}
	if err == nil {
		err = s.Model.EncodeResponse(w, operation, out)
	}
	if err != nil {
		s.fail(tb, w, err)
	}
}

func (s *Server) fail(tb testing.TB, w http.ResponseWriter, err error) {
	e, ok := err.(*kernel.Error) //nolint:errorlint // handlers return it bare
	if !ok {
		tb.Errorf("answer 500: %v", err)
		e = kernel.Errorf(http.StatusInternalServerError, "InternalFailure", "%v", err)
	}
	s.Model.EncodeError(w, e)
}

// Config is an SDK configuration whose client reaches the server under any host
// name, so that host prefixes such as data. need no name service.
func (s *Server) Config() aws.Config { return Config(s.address) }

// Config is Server.Config for a server in another process, by its host and port.
func Config(address string) aws.Config {
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 8,
	}}
	return aws.Config{
		Region: Identity.Region, HTTPClient: client, BaseEndpoint: aws.String("http://" + address),
		Credentials:      credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
		RetryMaxAttempts: 1,
	}
}

// Do calls an operation in process as p, checked as a request over HTTP is.
func (s *Server) Do(ctx context.Context, p kernel.Principal, operation string, input any) (json.RawMessage, error) {
	raw, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	checked, err := s.Model.CheckInput(operation, raw)
	if err != nil {
		return nil, err
	}
	out, err := s.handlers[operation](ctx, &kernel.Call{
		Identity: Identity, Service: s.Model.Name(), Operation: operation, Principal: p, Input: checked, Authorizer: s.authorize,
	})
	if err != nil {
		return nil, err
	}
	return s.Model.CheckOutput(operation, out)
}
