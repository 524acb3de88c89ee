// Package dynamodb is DynamoDB: a front that decides which calls reach the
// engine, dynoxide, and hands those on. The engine validates and stores.
package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/child"
	"github.com/livetwin/livetwin/test/awslocal/gateway"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

const (
	startTimeout = 10 * time.Second
	target       = "DynamoDB_20120810."
	maxAnswer    = 64 << 20 // bytes; DynamoDB's own pages are at most 16 MB
)

// A Config is what DynamoDB needs.
type Config struct {
	Identity kernel.Identity
	Program  string // path of dynoxide
	State    string // folder of the tables and of the engine's log
	Policies kernel.ResourcePolicies
}

// DynamoDB is the front and its engine.
type DynamoDB struct {
	config Config
	cmd    *exec.Cmd
	addr   string
	exited chan struct{}
	http   *http.Client
}

var (
	_ gateway.InvokableEngine = (*DynamoDB)(nil)
	_ kernel.Provider         = (*DynamoDB)(nil)
)

// Start starts the engine and returns without waiting for it: see Ready.
func Start(config Config) (*DynamoDB, error) {
	if _, err := os.Stat(config.Program); err != nil {
		return nil, fmt.Errorf("find dynoxide, the engine of DynamoDB (npm ci installs it): %w", err)
	}
	if err := os.MkdirAll(config.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of DynamoDB: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(config.State, "engine.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of DynamoDB: %w", err)
	}
	defer log.Close() //nolint:errcheck // the child has its own
	addr, port, err := freePort()
	if err != nil {
		return nil, err
	}
	d := &DynamoDB{config: config, addr: addr, exited: make(chan struct{})}
	d.cmd = exec.Command(config.Program, "--host", "127.0.0.1", "--port", port, "--db-path", filepath.Join(config.State, "tables.sqlite")) //nolint:gosec // the pinned engine
	d.cmd.Env = []string{"HOME=" + config.State, "TZ=UTC"}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := child.Start(d.cmd); err != nil {
		return nil, err
	}
	go func() {
		if err := d.cmd.Wait(); err != nil {
			slog.Debug("the engine of DynamoDB ended", "error", err)
		}
		close(d.exited)
	}()
	d.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	return d, nil
}

// freePort returns an address nobody listens on: the engine cannot choose one.
func freePort() (addr, port string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", fmt.Errorf("find a port for DynamoDB: %w", err)
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil {
		return "", "", fmt.Errorf("find a port for DynamoDB: %w", err)
	}
	_, port, err = net.SplitHostPort(addr)
	return addr, port, err
}

// Ready waits until the engine takes requests.
func (d *DynamoDB) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-d.exited:
			return fmt.Errorf("the engine of DynamoDB ended at once: see %s", filepath.Join(d.config.State, "engine.log"))
		case <-ctx.Done():
			return fmt.Errorf("wait for the engine of DynamoDB: %w", errors.Join(ctx.Err(), err))
		case <-time.After(time.Millisecond):
		}
	}
}

// Close ends the engine and waits for it.
func (d *DynamoDB) Close() error { return child.Stop(d.cmd, d.exited, 2*time.Second) }

// Streams implements gateway.Engine.
func (d *DynamoDB) Streams() bool { return false }

// Serve implements gateway.Engine.
func (d *DynamoDB) Serve(w http.ResponseWriter, r *http.Request, c gateway.Caller) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), target)
	if !ok {
		gateway.WriteJSONError(w, kernel.Errorf(http.StatusBadRequest, "UnknownOperationException", "the local endpoint does not implement %s", r.Header.Get("X-Amz-Target")))
		return
	}
	input, err := io.ReadAll(r.Body)
	if err != nil {
		gateway.WriteJSONError(w, kernel.Errorf(http.StatusBadRequest, "SerializationException", "read the request: %v", err))
		return
	}
	status, answer, err := d.call(r.Context(), c, operation, input)
	if err != nil {
		e, ok := errors.AsType[*kernel.Error](err)
		if !ok {
			slog.ErrorContext(r.Context(), "a DynamoDB request failed", "operation", operation, "error", err)
			e = kernel.Errorf(http.StatusInternalServerError, "InternalServerError", "%v", err)
		}
		gateway.WriteJSONError(w, e)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(answer) //nolint:errcheck,gosec // JSON of the engine; a client that is gone cannot be told
}

// Invoke implements gateway.InvokableEngine.
func (d *DynamoDB) Invoke(ctx context.Context, c gateway.Caller, operation string, input json.RawMessage) (json.RawMessage, error) {
	status, answer, err := d.call(ctx, c, operation, input)
	if err != nil {
		return nil, err
	}
	if status >= http.StatusBadRequest {
		return nil, readError(status, answer)
	}
	return answer, nil
}

// readError turns the engine's answer into an error in DynamoDB's words.
func readError(status int, answer []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(answer, &fields); err != nil {
		return fmt.Errorf("the engine of DynamoDB answered %d with %q", status, answer)
	}
	e := &kernel.Error{Status: status, Fields: map[string]any{}}
	for name, v := range fields {
		text, _ := v.(string)
		switch strings.ToLower(name) {
		case "__type":
			e.Code = text[strings.LastIndexByte(text, '#')+1:]
		case "message":
			e.Message = text
		default:
			e.Fields[name] = v
		}
	}
	return e
}

// call authorizes and performs an operation.
func (d *DynamoDB) call(ctx context.Context, c gateway.Caller, operation string, input []byte) (status int, answer []byte, err error) {
	needs, err := d.plan(operation, input)
	if err != nil {
		return 0, nil, err
	}
	for _, n := range needs {
		if err := c.Authorize(n.action, n.resources, nil); err != nil {
			return 0, nil, err
		}
	}
	return d.send(ctx, operation, input)
}

// send hands a request to the engine.
func (d *DynamoDB) send(ctx context.Context, operation string, input []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.addr+"/", bytes.NewReader(input))
	if err != nil {
		return 0, nil, fmt.Errorf("call the engine of DynamoDB: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", target+operation)
	// The engine wants to see a credential; the gateway has checked the real one.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20000101/"+d.config.Identity.Region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	req.Header.Set("X-Amz-Date", "20000101T000000Z")
	resp, err := d.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("call the engine of DynamoDB: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of the engine of DynamoDB: %w", err)
	}
	return resp.StatusCode, answer, nil
}

// Done is closed when the engine has ended.
func (d *DynamoDB) Done() <-chan struct{} { return d.exited }
