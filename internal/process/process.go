// Package process runs child processes that must not outlive their parent: each
// leads a process group of its own, so that ending it takes all that it started
// along, and it is told to end when the parent dies without a chance to do so.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Group is a running child with everything that it started.
type Group struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; read after done is closed
}

// forks starts every child on one thread that is never given back: the kernel
// sends the parent-death signal when the thread that forked a child ends.
var forks = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
})

// Start starts a command in a process group of its own. The caller ends it
// with Stop.
func Start(cmd *exec.Cmd) (*Group, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	cmd.WaitDelay = 2 * time.Second // a grandchild that keeps the output open does not keep Wait
	started := make(chan error, 1)
	forks() <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	g := &Group{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		g.err = cmd.Wait()
	}()
	return g, nil
}

// Done is closed when the child has ended.
func (g *Group) Done() <-chan struct{} { return g.done }

// Err says how the child ended; it is meant to be called after Done is closed,
// and waits until then.
func (g *Group) Err() error {
	<-g.done
	return g.err
}

// Stop asks the group to end (SIGTERM), kills what is left after grace, and
// returns when the child is gone. How the child ended is no error.
func (g *Group) Stop(grace time.Duration) error {
	select {
	case <-g.done:
		// Children that the child left behind go with it.
		return g.signal(syscall.SIGKILL)
	default:
	}
	if err := g.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-g.done:
	case <-timer.C:
	}
	err := g.signal(syscall.SIGKILL)
	<-g.done
	return err
}

// Kill ends the group at once and returns when the child is gone.
func (g *Group) Kill() error {
	err := g.signal(syscall.SIGKILL)
	<-g.done
	return err
}

func (g *Group) signal(s syscall.Signal) error {
	if err := syscall.Kill(-g.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to %s: %w", s, g.cmd.Path, err)
	}
	return nil
}

// Run runs a command to its end, its output in a log file. When ctx ends first
// the group is stopped. An error holds the end of the log.
func Run(ctx context.Context, cmd *exec.Cmd, logFile string) error {
	log, err := OpenLog(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	g, err := Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-g.Done():
		if err := g.Err(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, Tail(logFile, 15))
		}
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s: %w", cmd.Args[0], context.Cause(ctx)), g.Stop(3*time.Second))
	}
}

// OpenLog makes an empty log file and the folder it is in.
func OpenLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of a log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // the caller names its log
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	return f, nil
}

// Tail returns the last lines of a log file for an error message, indented and
// headed by the file's path; a file that cannot be read has none.
func Tail(path string, lines int) string {
	b, err := os.ReadFile(path) //nolint:gosec // a log of ours
	if err != nil || len(b) == 0 {
		return "  (" + path + " is empty)"
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "  the end of " + path + ":\n    " + strings.Join(all, "\n    ")
}
