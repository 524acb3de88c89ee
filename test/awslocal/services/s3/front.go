// Package s3 is S3: a front that decides, by the policies of roles and buckets,
// which calls reach the storage engine (versitygw, a process of its own), and
// passes those on as they are signed.
package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/livetwin/livetwin/test/awslocal/child"
	"github.com/livetwin/livetwin/test/awslocal/gateway"
	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// startTimeout is how long the engine may take until it accepts connections.
const startTimeout = 10 * time.Second

// A Config is what S3 needs.
type Config struct {
	Region   string
	State    string // folder of buckets and of the engine's log
	Keyring  iam.Keyring
	Policies kernel.ResourcePolicies
	// Engine returns the command that runs the engine on a socket over a
	// folder; the keyring comes in the environment variable EngineKey.
	Engine func(socket, dir string) *exec.Cmd
}

// EngineKey is the environment variable that hands the keyring to the engine,
// in hexadecimal digits.
const EngineKey = "AWSLOCAL_ENGINE_KEY"

// S3 is the front and its engine.
type S3 struct {
	config Config
	socket string
	cmd    *exec.Cmd
	exited chan struct{}
	proxy  *httputil.ReverseProxy
	client *s3.Client
	http   *http.Client
}

var (
	_ gateway.Engine  = (*S3)(nil)
	_ kernel.Provider = (*S3)(nil)
)

// Start starts the engine and returns without waiting for it: see Ready.
func Start(config Config) (*S3, error) {
	if err := os.MkdirAll(config.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of S3: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(config.State, "engine.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of S3: %w", err)
	}
	defer log.Close() //nolint:errcheck // the child has its own
	s := &S3{config: config, socket: fmt.Sprintf("@awslocal-s3-%d-%d", os.Getpid(), time.Now().UnixNano()), exited: make(chan struct{})}
	s.cmd = config.Engine(s.socket, config.State)
	s.cmd.Env = append(s.cmd.Env, EngineKey+"="+hex.EncodeToString(config.Keyring))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := child.Start(s.cmd); err != nil {
		return nil, err
	}
	go func() {
		if err := s.cmd.Wait(); err != nil {
			slog.Debug("the engine of S3 ended", "error", err)
		}
		close(s.exited)
	}()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.socket)
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
	}
	s.http = &http.Client{Transport: transport}
	s.proxy = &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host
			r.Out.Host = r.In.Host // signed
			r.Out.Header.Del("Expect")
		},
		ModifyResponse: s.hideMissing,
		ErrorHandler:   proxyError,
	}
	s.client = s3.New(s3.Options{
		Region: config.Region, BaseEndpoint: aws.String("http://127.0.0.1"), UsePathStyle: true, HTTPClient: s.http,
		Credentials: credentials.NewStaticCredentialsProvider(iam.OperatorKey, config.Keyring.Secret(iam.OperatorKey), ""),
	})
	return s, nil
}

// Ready waits until the engine takes requests.
func (s *S3) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", s.socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the engine of S3 ended at once: see %s", filepath.Join(s.config.State, "engine.log"))
		case <-ctx.Done():
			return fmt.Errorf("wait for the engine of S3: %w", errors.Join(ctx.Err(), err))
		case <-time.After(time.Millisecond):
		}
	}
}

// Close ends the engine and waits for it.
func (s *S3) Close() error {
	return child.Stop(s.cmd, s.exited, 2*time.Second)
}

// Streams implements gateway.Engine: versitygw checks the payload's hash.
func (s *S3) Streams() bool { return true }

// Upload puts an object, as the operator does with assets at deployment.
func (s *S3) Upload(ctx context.Context, bucket, key string, body io.ReadSeeker) error {
	if _, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body}); err != nil {
		return fmt.Errorf("upload s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

// Exists reports whether the bucket holds an object under key.
func (s *S3) Exists(ctx context.Context, bucket, key string) (bool, error) {
	_, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok && e.HTTPStatusCode() == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for s3://%s/%s: %w", bucket, key, err)
	}
	return true, nil
}

type contextKey int

const callKey contextKey = iota

// call is a request on its way to the engine.
type call struct {
	caller gateway.Caller
	bucket string
	reads  bool // it asks for one object
}

// Serve implements gateway.Engine.
func (s *S3) Serve(w http.ResponseWriter, r *http.Request, c gateway.Caller) {
	w.Header().Del("X-Amzn-Requestid") // the engine has its own
	p, err := plan(r)
	if err == nil {
		for _, need := range p.needs {
			if err = c.Authorize(need.action, need.resources, need.conditions); err != nil {
				break
			}
		}
	}
	if err != nil {
		e, ok := errors.AsType[*kernel.Error](err)
		if !ok {
			slog.ErrorContext(r.Context(), "an S3 request failed", "error", err)
			e = kernel.Errorf(http.StatusInternalServerError, "InternalError", "%v", err)
		}
		drain(r)
		gateway.WriteXMLError(w, "s3", e)
		return
	}
	ctx := context.WithValue(r.Context(), callKey, &call{c, p.bucket, p.reads})
	s.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// drain reads the rest of a small body, so that the connection can be used on.
func drain(r *http.Request) { _, _ = io.CopyN(io.Discard, r.Body, 1<<20) } //nolint:errcheck // best effort

// hideMissing turns the engine's answer that an object does not exist into
// AccessDenied when the caller may not list the bucket, as S3 does.
func (s *S3) hideMissing(resp *http.Response) error {
	c, ok := resp.Request.Context().Value(callKey).(*call)
	if !ok || !c.reads || resp.StatusCode != http.StatusNotFound {
		return nil
	}
	err := c.caller.Authorize("s3:ListBucket", []string{bucketARN(c.bucket)}, nil)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*kernel.Error](err); ok {
		return &hidden{e}
	}
	return err
}

// hidden carries the denial to the proxy's error handler.
type hidden struct{ denial *kernel.Error }

func (h *hidden) Error() string { return h.denial.Error() }

func proxyError(w http.ResponseWriter, r *http.Request, err error) {
	if h, ok := errors.AsType[*hidden](err); ok {
		gateway.WriteXMLError(w, "s3", h.denial)
		return
	}
	if errors.Is(r.Context().Err(), context.Canceled) {
		return
	}
	slog.ErrorContext(r.Context(), "the engine of S3 did not answer", "error", err)
	gateway.WriteXMLError(w, "s3", kernel.Errorf(http.StatusServiceUnavailable, "ServiceUnavailable", "the storage engine did not answer: %v", err))
}

// Preflight answers a browser's question about a bucket by the bucket's rules.
func (s *S3) Preflight(w http.ResponseWriter, r *http.Request) bool {
	bucket, _ := split(r.URL)
	probe, err := http.NewRequestWithContext(r.Context(), http.MethodOptions, "http://127.0.0.1"+r.URL.EscapedPath(), nil) //nolint:gosec // dials the engine's socket only
	if err != nil || bucket == "" {
		return false
	}
	if _, err := s.client.HeadBucket(r.Context(), &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		return false // no bucket of ours: a service's path
	}
	probe.Header = r.Header.Clone()
	resp, err := s.http.Do(probe) //nolint:gosec // as above
	if err != nil {
		proxyError(w, r, err)
		return true
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) //nolint:errcheck // the browser is gone
	return true
}

func bucketARN(bucket string) string { return "arn:aws:s3:::" + bucket }

func split(u *url.URL) (bucket, key string) {
	path := u.Path
	if path != "" && path[0] == '/' {
		path = path[1:]
	}
	for i := range len(path) {
		if path[i] == '/' {
			return path[:i], path[i+1:]
		}
	}
	return path, ""
}

// Done is closed when the engine has ended.
func (s *S3) Done() <-chan struct{} { return s.exited }
