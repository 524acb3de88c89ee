package lambda

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/child"
)

const (
	// initTimeout is how long a function may take to ask for its first event.
	initTimeout = 10 * time.Second
	// settleTimeout is how long the end of an invocation waits for the process
	// to ask for the next event or to end.
	settleTimeout = time.Second
	// maxPayload is the limit of a synchronous request or response, in bytes.
	maxPayload = 6 << 20
)

// An instance is one execution environment: a process and the Runtime API that
// it talks to. It handles one invocation at a time.
type instance struct {
	fn     *function
	stream string // log stream
	cmd    *exec.Cmd
	server *http.Server
	log    *os.File

	ready  chan struct{}    // closed by the first call for an event
	work   chan *invocation // what the process works on next
	idle   func(*instance)  // called when the process asks for the next event
	again  chan struct{}    // gets a value when the process asks for a further event
	exited chan struct{}    // closed when the process has ended
	exit   error            // how it ended; valid after exited

	mu        sync.Mutex
	started   bool
	current   *invocation
	initError []byte
}

// An invocation is one event on its way through an instance.
type invocation struct {
	id      string
	payload []byte
	trace   string
	began   time.Time // wall time when the process took it
	result  chan outcome
}

// An outcome is what came of an invocation.
type outcome struct {
	payload       []byte
	functionError string // empty, or Unhandled
}

// start starts a process for the function. It returns before the process asks
// for work. Once started, the process is only ended by stop.
func (h *Host) start(fn *function) (*instance, error) {
	stream := h.config.Clock.Now().UTC().Format("2006/01/02") + "/[$LATEST]" + randomHex(16)
	session, err := h.config.Sessions.SessionEnvironment(fn.role, fn.name)
	if err != nil {
		return nil, fmt.Errorf("play the role of function %s: %w", fn.name, err)
	}
	file, err := os.OpenFile(h.logPath(fn), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of function %s: %w", fn.name, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for function %s: %w", fn.name, err), file.Close())
	}
	i := &instance{
		fn: fn, stream: stream, log: file, ready: make(chan struct{}), work: make(chan *invocation),
		idle: h.release, again: make(chan struct{}, 1), exited: make(chan struct{}),
	}
	i.server = &http.Server{Handler: i.routes(), ReadHeaderTimeout: time.Minute}
	go func() {
		if err := i.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("the runtime API of a function failed", "function", fn.name, "error", err)
		}
	}()
	i.cmd = exec.Command(fn.dir + "/bootstrap") //nolint:gosec // running the deployed code is the purpose
	i.cmd.Dir = fn.dir
	i.cmd.Env = fn.environment(session, listener.Addr().String(), stream)
	i.cmd.Stdout, i.cmd.Stderr = file, file
	if err := child.Start(i.cmd); err != nil {
		return nil, errors.Join(err, i.server.Close(), file.Close())
	}
	go i.wait()
	return i, nil
}

// wait collects the process and fails what it was working on.
func (i *instance) wait() {
	i.exit = i.cmd.Wait()
	if err := child.Kill(i.cmd); err != nil { // what it left behind
		slog.Warn("could not end the children of a function", "function", i.fn.name, "error", err)
	}
	close(i.exited)
	if err := errors.Join(i.server.Close(), i.log.Close()); err != nil {
		slog.Warn("could not clean up after a function", "function", i.fn.name, "error", err)
	}
}

func (i *instance) stop() {
	if err := child.Kill(i.cmd); err != nil {
		slog.Error("could not end a function", "function", i.fn.name, "error", err)
		return
	}
	<-i.exited
}

// routes is the Lambda Runtime API.
func (i *instance) routes() http.Handler {
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"invocation/next", i.next)
	mux.HandleFunc("POST "+base+"invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { i.answer(w, r, "") })
	mux.HandleFunc("POST "+base+"invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { i.answer(w, r, "Unhandled") })
	mux.HandleFunc("POST "+base+"init/error", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		i.mu.Lock()
		i.initError = body
		i.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// next hands the process its next event, however long that takes.
func (i *instance) next(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	first := !i.started
	i.started = true
	i.mu.Unlock()
	if first {
		close(i.ready)
	} else {
		i.idle(i)
		select {
		case i.again <- struct{}{}:
		default:
		}
	}
	var inv *invocation
	select {
	case inv = <-i.work:
	case <-r.Context().Done():
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.began.Add(i.fn.timeout).UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", i.fn.arn)
	header.Set("Lambda-Runtime-Trace-Id", inv.trace)
	if _, err := w.Write(inv.payload); err != nil {
		slog.WarnContext(r.Context(), "a function went away while it was handed an event", "function", i.fn.name, "error", err)
	}
}

// answer takes the result of the current invocation.
func (i *instance) answer(w http.ResponseWriter, r *http.Request, functionError string) {
	i.mu.Lock()
	inv := i.current
	if inv != nil && inv.id == r.PathValue("id") {
		i.current = nil
	} else {
		inv = nil
	}
	i.mu.Unlock()
	if inv == nil {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`, http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	switch {
	case err != nil:
		body, functionError = failure("Runtime.TruncatedResponse", "the function's response broke off: %s", err), "Unhandled"
	case len(body) > maxPayload:
		body, functionError = failure("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload), "Unhandled"
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		inv.result <- outcome{body, functionError}
		return
	}
	inv.result <- outcome{body, functionError}
	w.WriteHeader(http.StatusAccepted)
}

// invoke runs one event on an instance that is free, and waits for the result,
// the function's timeout, or the end of its process.
func (i *instance) invoke(ctx context.Context, inv *invocation) outcome {
	initTimer := time.NewTimer(initTimeout)
	defer initTimer.Stop()
	select {
	case <-i.ready:
	case <-i.exited:
		return i.ended(inv)
	case <-initTimer.C:
		i.stop()
		return outcome{failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out during init after %.2f seconds", inv.id, initTimeout.Seconds()), "Unhandled"}
	case <-ctx.Done():
		i.stop()
		return outcome{failure("Sandbox.Stopped", "RequestId: %s Error: the endpoint is shutting down", inv.id), "Unhandled"}
	}
	inv.began = time.Now()
	select {
	case <-i.again: // of the invocation before
	default:
	}
	i.mu.Lock()
	i.current = inv
	i.mu.Unlock()
	timer := time.NewTimer(i.fn.timeout)
	defer timer.Stop()
	timedOut := func() outcome {
		i.stop()
		return outcome{failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", inv.id, i.fn.timeout.Seconds()), "Unhandled"}
	}
	select {
	case i.work <- inv:
	case <-i.exited:
		return i.ended(inv)
	case <-timer.C:
		return timedOut()
	}
	select {
	case out := <-inv.result:
		i.settle()
		return out
	case <-i.exited:
		return i.ended(inv)
	case <-timer.C:
		return timedOut()
	case <-ctx.Done():
		i.stop()
		return outcome{failure("Sandbox.Stopped", "RequestId: %s Error: the endpoint is shutting down", inv.id), "Unhandled"}
	}
}

// settle waits until it is known whether the process goes on: then the next
// invocation finds it free, or finds out that it must start another.
func (i *instance) settle() {
	timer := time.NewTimer(settleTimeout)
	defer timer.Stop()
	select {
	case <-i.again:
	case <-i.exited:
	case <-timer.C:
	}
}

// ended is the outcome of an invocation whose process ended: what it said
// before, if anything.
func (i *instance) ended(inv *invocation) outcome {
	select {
	case out := <-inv.result:
		return out
	default:
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.initError != nil {
		return outcome{i.initError, "Unhandled"}
	}
	how := "exit status 0"
	if i.exit != nil {
		how = i.exit.Error()
	}
	return outcome{failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %s", inv.id, how), "Unhandled"}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) //nolint:errcheck // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
