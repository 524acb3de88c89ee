package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/child"
)

type upCommand struct {
	Assembly      string    `arg:"" name:"cdk.out" type:"existingdir" help:"Output folder of cdk synth."`
	Port          int       `default:"4566" help:"Port to listen on, at 127.0.0.1 only; 0 picks a free one."`
	From          time.Time `format:"2006-01-02T15:04:05.999999999Z07:00" help:"Business time to start at, RFC 3339, not after the present; without it business time is wall time."`
	State         string    `default:"build/awslocal" help:"Folder for data, logs and ready.json. What an earlier start left there is kept and used."`
	Tools         string    `default:"node_modules" help:"Folder of the npm packages @dynoxide/linux-x64 and jsonata."`
	Models        string    `default:"build/models" help:"Folder of AWS's API models, written by fetchmodels."`
	DieWithParent bool      `help:"End when the process that started this one has ended."`
}

// Ready is what ready.json says when everything is deployed.
type Ready struct {
	Endpoint        string    `json:"endpoint"`
	Region          string    `json:"region"`
	Account         string    `json:"account"`
	AccessKeyID     string    `json:"accessKeyId"`
	SecretAccessKey string    `json:"secretAccessKey"` //nolint:gosec // of this endpoint and this start only
	Clock           time.Time `json:"clock"`           // business time
}

// Run deploys the assembly and serves it until ctx ends.
func (c *upCommand) Run(parent context.Context) (err error) {
	start := time.Now()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	if c.DieWithParent {
		child.WatchParent(func() { cancel(errors.New("the parent process has ended")) })
	}
	unlock, err := c.claimState()
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(c.Port))
	if err != nil {
		return fmt.Errorf("listen (another endpoint may run; --port 0 picks a free port): %w", err)
	}
	e, err := c.build("http://" + listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, e.close()) }()
	server := &http.Server{Handler: e.gateway, ReadHeaderTimeout: 30 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("serve: %w", err))
		}
	}()
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := e.ready(ctx); err != nil {
		return c.orInterrupted(ctx, parent, err)
	}
	fmt.Printf("awslocal listens at %s, ready after %d ms\n", e.identity.Endpoint, time.Since(start).Milliseconds())
	if err := e.deploy(ctx, os.Stdout); err != nil {
		return c.orInterrupted(ctx, parent, err)
	}
	if err := c.writeReady(e); err != nil {
		return err
	}
	fmt.Printf("deployed after %d ms; interrupt (Ctrl-C) to end\n", time.Since(start).Milliseconds())
	select {
	case <-ctx.Done():
	case name := <-e.engineEnded():
		return fmt.Errorf("the engine of %s ended: see its log in %s", name, c.State)
	}
	return c.orInterrupted(ctx, parent, nil)
}

// orInterrupted makes an ordinary end of a wish to end: a signal, or a parent
// that is gone.
func (c *upCommand) orInterrupted(ctx, parent context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if parent.Err() == nil {
		slog.InfoContext(ctx, "ending", "cause", context.Cause(ctx).Error())
	}
	return nil //nolint:nilerr // what was interrupted failed because it was
}

// claimState makes the state folder and holds it for this process alone.
func (c *upCommand) claimState() (unlock func(), err error) {
	abs, err := filepath.Abs(c.State)
	if err != nil {
		return nil, fmt.Errorf("find the state folder: %w", err)
	}
	c.State = abs
	if err := os.MkdirAll(filepath.Join(abs, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(abs, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the folder that is asked for
	if err != nil {
		return nil, fmt.Errorf("claim the state folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits an int
		return nil, errors.Join(fmt.Errorf("another awslocal runs over the state folder %s", abs), lock.Close())
	}
	if err := os.Remove(filepath.Join(abs, "ready.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("claim the state folder: %w", err), lock.Close())
	}
	return func() {
		_ = os.Remove(filepath.Join(abs, "ready.json")) //nolint:errcheck // nobody is there any more, or nobody ever was
		_ = lock.Close()                                //nolint:errcheck // the process ends
	}, nil
}

// writeReady writes ready.json whole or not at all.
func (c *upCommand) writeReady(e *endpoint) error {
	operator := e.authority.OperatorCredential()
	data, err := json.MarshalIndent(Ready{
		Endpoint: e.identity.Endpoint, Region: e.identity.Region, Account: e.identity.Account,
		AccessKeyID: operator.AccessKeyID, SecretAccessKey: operator.SecretAccessKey, Clock: e.clock.Now(),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("write ready.json: %w", err)
	}
	file := filepath.Join(c.State, "ready.json")
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return fmt.Errorf("write ready.json: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write ready.json: %w", err)
	}
	return nil
}

// closeAll closes in the reverse order, and reports every error.
func closeAll(closers []func() error) error {
	var failed error
	for _, f := range slices.Backward(closers) {
		failed = errors.Join(failed, f())
	}
	return failed
}

// closer makes a closer of a function that cannot fail.
func closer(f func()) func() error {
	return func() error {
		f()
		return nil
	}
}
