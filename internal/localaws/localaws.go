// Package localaws starts the local AWS endpoint (the program awslocal) for a
// demo or a test, and speaks its control interface: the stepped clock, faults
// and the report of permissions. Everything else is said to it through the
// plain AWS SDK with Config, or by child processes with Environment.
package localaws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/livetwin/livetwin/internal/process"
)

// Bounds on the wall clock: a start that takes longer has hung, and so has a
// step of the clock.
const (
	startTimeout = 60 * time.Second
	stepTimeout  = 3 * time.Minute
	stopGrace    = 8 * time.Second
)

// Options of Start. Paths may be relative to the working folder.
type Options struct {
	Program  string    // of awslocal
	Assembly string    // the folder cdk.out to deploy
	State    string    // folder for its state; what an earlier start left there is removed
	From     time.Time // business time to start at
	Args     []string  // further arguments
	Log      string    // file for what it prints
}

// An Endpoint is a running local AWS.
type Endpoint struct {
	ready Ready
	group *process.Group
	log   string
	http  *http.Client
}

// Ready is what awslocal says of itself when it has deployed the assembly.
type Ready struct {
	Endpoint        string `json:"endpoint"` // http://127.0.0.1:PORT
	Region          string `json:"region"`
	Account         string `json:"account"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"` //nolint:gosec // of a local endpoint that is gone with its state
}

// Start starts the endpoint and returns when everything in the assembly is
// deployed. The caller ends it with Stop.
func Start(ctx context.Context, o Options) (*Endpoint, error) {
	if err := os.RemoveAll(o.State); err != nil {
		return nil, fmt.Errorf("remove the state of an earlier start: %w", err)
	}
	if err := os.MkdirAll(o.State, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the local endpoint's state: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"up", o.Assembly, "--port", strconv.Itoa(port),
		"--from", o.From.UTC().Format(time.RFC3339Nano), "--state", o.State,
	}, o.Args...)
	log, err := process.OpenLog(o.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()                       // the child has its own copy
	cmd := exec.Command(o.Program, args...) //nolint:gosec,noctx // our own program; its end is Stop's business
	cmd.Stdout, cmd.Stderr = log, log
	group, err := process.Start(cmd)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{group: group, log: o.Log, http: &http.Client{Transport: &http.Transport{}}}
	if err := e.waitReady(ctx, filepath.Join(o.State, "ready.json")); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

// freePort finds a port that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (e *Endpoint) waitReady(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(file) //nolint:gosec // below our own state folder
		if err == nil && json.Unmarshal(b, &e.ready) == nil && e.ready.Endpoint != "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-e.group.Done():
			return fmt.Errorf("the local endpoint ended before it was ready: %w\n%s", e.group.Err(), process.Tail(e.log, 15))
		case <-ctx.Done():
			return fmt.Errorf("the local endpoint is not ready: %w\n%s", context.Cause(ctx), process.Tail(e.log, 15))
		}
	}
}

// Stop ends the endpoint and everything that it started.
func (e *Endpoint) Stop() error {
	e.http.CloseIdleConnections()
	return e.group.Stop(stopGrace)
}

// Done is closed when the endpoint has ended.
func (e *Endpoint) Done() <-chan struct{} { return e.group.Done() }

// Ready returns where the endpoint is and how to sign for it.
func (e *Endpoint) Ready() Ready { return e.ready }

// Config returns the configuration of AWS SDK clients that call the endpoint as
// its operator. Hosts that the SDK prefixes (data.127.0.0.1) are reached by way
// of the endpoint as their proxy.
func (e *Endpoint) Config() (aws.Config, error) {
	at, err := url.Parse(e.ready.Endpoint)
	if err != nil {
		return aws.Config{}, fmt.Errorf("address of the local endpoint: %w", err)
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if r.URL.Host == at.Host {
				return nil, nil //nolint:nilnil // no proxy and no error, says net/http
			}
			return at, nil
		}
	})
	return aws.Config{
		Region:       e.ready.Region,
		BaseEndpoint: aws.String(e.ready.Endpoint),
		HTTPClient:   client,
		Credentials:  credentials.NewStaticCredentialsProvider(e.ready.AccessKeyID, e.ready.SecretAccessKey, ""),
	}, nil
}

// Environment returns the variables of a process that calls the endpoint as its
// operator with plain SDK configuration, complete and built from nothing but
// PATH, HOME and what is in extra (NAME=value).
func (e *Endpoint) Environment(extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC",
		"AWS_REGION=" + e.ready.Region, "AWS_DEFAULT_REGION=" + e.ready.Region,
		"AWS_ACCESS_KEY_ID=" + e.ready.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + e.ready.SecretAccessKey,
		"AWS_ENDPOINT_URL=" + e.ready.Endpoint, "HTTP_PROXY=" + e.ready.Endpoint,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	}, extra...)
}

// WaitUntil moves the endpoint's clock to t, step by step from one due event
// to the next, and returns when nothing is in flight there. A time in the past
// is no change.
func (e *Endpoint) WaitUntil(ctx context.Context, t time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, fmt.Errorf("the clock did not reach %s within %s", t.UTC().Format(time.RFC3339), stepTimeout))
	defer cancel()
	err := e.Control(ctx, http.MethodPost, "clock", map[string]string{"to": t.UTC().Format(time.RFC3339Nano)}, nil)
	if refused, ok := errors.AsType[*ControlError](err); ok && refused.Status == http.StatusConflict {
		return nil
	}
	if err != nil {
		return fmt.Errorf("move the clock to %s: %w", t.UTC().Format(time.RFC3339), err)
	}
	return nil
}

// A ControlError is what the control interface answers instead of doing it.
type ControlError struct {
	Status  int // of HTTP
	Message string
}

func (e *ControlError) Error() string {
	return fmt.Sprintf("the local endpoint answers %d: %s", e.Status, e.Message)
}

// Control calls /_awslocal/{name}. in and out are JSON; nil is none.
func (e *Endpoint) Control(ctx context.Context, method, name string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a request of the control interface: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, e.ready.Endpoint+"/_awslocal/"+name, body)
	if err != nil {
		return fmt.Errorf("call the control interface: %w", err)
	}
	res, err := e.http.Do(req)
	if err != nil {
		select {
		case <-e.group.Done():
			return fmt.Errorf("the local endpoint has ended: %w\n%s", err, process.Tail(e.log, 15))
		default:
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("call the control interface: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the control interface's answer: %w", err)
	}
	if res.StatusCode >= 300 {
		return &ControlError{Status: res.StatusCode, Message: strings.TrimSpace(string(b))}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the control interface's answer to %s %s: %w", method, name, err)
	}
	return nil
}
