package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// accountConcurrency is how many executions AWS runs at once in an account
// whose quota nobody raised.
const accountConcurrency = 1000

// Sessions plays roles for processes.
type Sessions interface {
	// SessionEnvironment returns the complete environment of a process that
	// plays a role under a session name.
	SessionEnvironment(role, name string) ([]string, error)
	// Assume asks the role's trust policy whether a service may play it.
	Assume(role, service string) (kernel.Principal, error)
}

// A Config is what a Host needs.
type Config struct {
	Identity  kernel.Identity
	Clock     kernel.Clock
	Sessions  Sessions
	Authorize func(iam.Request) error
	Policies  kernel.ResourcePolicies
	// Code returns the folder of the asset that is uploaded to key in bucket.
	Code func(bucket, key string) (dir string, ok bool)
	// Logs is the folder of the log files, one per function.
	Logs string
	// Invoker sends what no attempt could handle to a dead-letter queue.
	Invoker kernel.Invoker
}

// A Host holds the functions and runs them.
type Host struct {
	config Config
	ctx    context.Context //nolint:containedctx // ends with Close, outlives every request
	cancel context.CancelFunc
	events sync.WaitGroup // asynchronous invocations

	mu          sync.Mutex
	functions   map[string]*function // by name
	permissions map[string]map[string]json.RawMessage
	retries     map[string]eventConfig
	free        map[string][]*instance // by function name
	all         map[*instance]bool
	closed      bool
}

var (
	_ kernel.LambdaHost = (*Host)(nil)
	_ kernel.Service    = (*Host)(nil)
	_ kernel.Provider   = (*Host)(nil)
)

// New returns a host without functions. Close ends every process.
func New(config Config) (*Host, error) {
	if err := os.MkdirAll(config.Logs, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of function logs: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Host{
		config: config, ctx: ctx, cancel: cancel, functions: map[string]*function{},
		permissions: map[string]map[string]json.RawMessage{}, retries: map[string]eventConfig{},
		free: map[string][]*instance{}, all: map[*instance]bool{},
	}, nil
}

// Close ends every process and waits for it.
func (h *Host) Close() {
	h.cancel()
	h.mu.Lock()
	h.closed = true
	running := slices.Collect(maps.Keys(h.all))
	h.mu.Unlock()
	var wg sync.WaitGroup
	for _, i := range running {
		wg.Go(i.stop)
	}
	wg.Wait()
	h.events.Wait()
}

func (h *Host) logPath(f *function) string { return filepath.Join(h.config.Logs, f.name+".log") }

// function finds a function by name, partial or full ARN, with a version or
// without.
func (h *Host) function(name string) (*function, error) {
	plain := name
	if i := strings.LastIndex(plain, ":function:"); i >= 0 {
		plain = plain[i+len(":function:"):]
	}
	if account, rest, ok := strings.Cut(plain, ":function:"); ok && account != "" {
		plain = rest
	}
	plain, version, _ := strings.Cut(plain, ":")
	h.mu.Lock()
	f, ok := h.functions[plain]
	h.mu.Unlock()
	if !ok || version != "" && version != "$LATEST" {
		arn := name
		if !strings.HasPrefix(name, "arn:") {
			arn = h.config.Identity.ARN("lambda", "function:"+name)
		}
		return nil, kernel.Errorf(http.StatusNotFound, "ResourceNotFoundException", "Function not found: %s", arn)
	}
	return f, nil
}

// InvokeFunction implements kernel.LambdaHost.
func (h *Host) InvokeFunction(ctx context.Context, name string, payload []byte) (result []byte, functionError string, err error) {
	f, err := h.function(name)
	if err != nil {
		return nil, "", err
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if len(payload) > maxPayload {
		return nil, "", kernel.Errorf(http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload)
	}
	if !json.Valid(payload) {
		return nil, "", kernel.Errorf(http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: the payload is not JSON")
	}
	i, err := h.acquire(f)
	if err != nil {
		return nil, "", err
	}
	done := clock.Begin(h.config.Clock, "function "+f.name)
	outcomes := make(chan outcome, 1)
	go func() {
		defer done()
		outcomes <- h.run(i, f, payload)
	}()
	select {
	case out := <-outcomes:
		return out.payload, out.functionError, nil
	case <-ctx.Done(): // the function runs on without its caller
		return nil, "", fmt.Errorf("invoke %s: %w", f.name, ctx.Err())
	}
}

// run lets an instance handle one event, with the lines that Lambda logs.
func (h *Host) run(i *instance, f *function, payload []byte) outcome {
	id := requestID()
	inv := &invocation{
		id: id, payload: payload, result: make(chan outcome, 1),
		trace: fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=1", h.config.Clock.Now().Unix(), randomHex(12), randomHex(8)),
	}
	h.useServices(f, i)
	h.logf(f, "START RequestId: %s Version: $LATEST\n", id)
	began := time.Now()
	out := i.invoke(h.ctx, inv)
	took := time.Since(began)
	h.logf(f, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\tMemory Size: %d MB\n", id, id, float64(took.Microseconds())/1000, f.memory)
	select {
	case <-i.exited:
		h.forget(i)
	default:
	}
	return out
}

// logf adds lines of Lambda's own to the function's log.
func (h *Host) logf(f *function, format string, args ...any) {
	file, err := os.OpenFile(h.logPath(f), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(file, format, args...)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		slog.Warn("could not write the log of a function", "function", f.name, "error", err)
	}
}

// useServices does what Lambda does with the function's role around every
// invocation: it writes logs and traces. A refusal shows in the usage report;
// the log file is written all the same.
func (h *Host) useServices(f *function, i *instance) {
	p := kernel.Principal{Role: f.role[strings.LastIndexByte(f.role, '/')+1:]}
	p.ARN = "arn:" + h.config.Identity.Partition + ":sts::" + h.config.Identity.Account + ":assumed-role/" + p.Role + "/" + f.name
	use := func(action string, resource string) {
		_ = h.config.Authorize(iam.Request{Principal: p, Action: action, Resources: []string{resource}}) // see above
	}
	group := h.config.Identity.ARN("logs", "log-group:"+f.logGroup)
	if !f.ownLogGroup {
		use("logs:CreateLogGroup", group)
	}
	use("logs:CreateLogStream", group+":log-stream:"+i.stream)
	use("logs:PutLogEvents", group+":log-stream:"+i.stream)
	if f.tracing {
		use("xray:PutTraceSegments", "*")
		use("xray:PutTelemetryRecords", "*")
	}
}

// acquire returns a free instance or starts one.
func (h *Host) acquire(f *function) (*instance, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, kernel.Errorf(http.StatusServiceUnavailable, "ServiceException", "the endpoint is shutting down")
	}
	for free := h.free[f.name]; len(free) > 0; free = h.free[f.name] {
		i := free[len(free)-1]
		h.free[f.name] = free[:len(free)-1]
		select {
		case <-i.exited:
			delete(h.all, i)
			continue
		default:
		}
		if i.fn == f {
			return i, nil
		}
		delete(h.all, i) // of a former deployment
		go i.stop()
	}
	total, own := 0, 0
	for i := range h.all {
		select {
		case <-i.exited:
			delete(h.all, i)
		default:
			total++
			if i.fn.name == f.name {
				own++
			}
		}
	}
	if f.reserved >= 0 && own >= f.reserved || total >= accountConcurrency {
		e := kernel.Errorf(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		e.Fields = map[string]any{"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}
		return nil, e
	}
	i, err := h.start(f)
	if err != nil {
		return nil, err
	}
	h.all[i] = true
	return i, nil
}

// release takes back an instance whose process asks for the next event.
func (h *Host) release(i *instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free[i.fn.name] = append(h.free[i.fn.name], i)
}

func (h *Host) forget(i *instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, i)
	h.free[i.fn.name] = slices.DeleteFunc(h.free[i.fn.name], func(o *instance) bool { return o == i })
}

func requestID() string {
	s := randomHex(16)
	return strings.Join([]string{s[:8], s[8:12], "4" + s[13:16], "8" + s[17:20], s[20:]}, "-")
}
