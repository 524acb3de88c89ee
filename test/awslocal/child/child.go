// Package child starts the processes that must not outlive the endpoint:
// engines, functions and jobs. Each gets its own process group, so that killing
// it takes what it started with it, and dies with this process even when that
// is killed without a chance to clean up.
package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// starter runs every fork on one thread that lives as long as the process: the
// kernel sends a child's parent-death signal when the thread that forked it
// ends, not when the process does.
type starter struct {
	once     sync.Once
	requests chan startRequest
}

type startRequest struct {
	cmd   *exec.Cmd
	reply chan error
}

var forks starter

func (s *starter) start(cmd *exec.Cmd) error {
	s.once.Do(func() {
		s.requests = make(chan startRequest)
		go func() {
			runtime.LockOSThread() // never unlocked: see starter
			for r := range s.requests {
				r.reply <- r.cmd.Start()
			}
		}()
	})
	reply := make(chan error, 1)
	s.requests <- startRequest{cmd, reply}
	return <-reply
}

// Start starts cmd in a process group of its own that is killed with this
// process. The caller waits with cmd.Wait and ends it with Kill or Stop.
func Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := forks.start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return nil
}

// Kill ends the whole group of a started cmd at once. A process that has ended
// is no error. The caller still waits for cmd.
func Kill(cmd *exec.Cmd) error { return signal(cmd, syscall.SIGKILL) }

func signal(cmd *exec.Cmd, sig syscall.Signal) error {
	if cmd.Process == nil {
		return nil
	}
	if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to %s: %w", sig, cmd.Path, err)
	}
	return nil
}

// Stop asks the group of cmd to end, waits up to grace (wall time) for done,
// which the caller closes when its Wait returned, and then kills it.
func Stop(cmd *exec.Cmd, done <-chan struct{}, grace time.Duration) error {
	if err := signal(cmd, syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	}
	if err := Kill(cmd); err != nil {
		return err
	}
	<-done
	return nil
}

// WatchParent calls gone once when the process that started this one has
// ended, which it notices within a tenth of a second (wall time). It returns at
// once and watches until the process ends.
func WatchParent(gone func()) {
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(100 * time.Millisecond)
		}
		gone()
	}()
}
