package batch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/child"
	"github.com/livetwin/livetwin/test/awslocal/clock"
)

// How long a program may take to end after SIGTERM, in wall time: Fargate gives
// 30 s.
const stopGrace = 30 * time.Second

// What Batch says of an attempt's end.
const (
	exited      = "Essential container in task exited"
	timedOut    = "Job attempt duration exceeded timeout"
	interrupted = "Your Spot Task was interrupted."
)

// run makes one attempt of a job whose dependencies are met.
func (s *Service) run(j *job) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return
	}
	s.mu.Lock()
	if j.ended() {
		s.mu.Unlock()
		return
	}
	number := len(j.attempts) + 1
	j.log = j.stream(number)
	j.kill = nil
	plan := s.plan(j, number)
	began := s.config.Clock.Now()
	a := []announcement{s.set(j, starting, ""), s.set(j, running, "")}
	s.mu.Unlock()
	s.emit(a...)

	end := s.execute(j, number, plan)
	s.finish(j, attempt{ending: end, started: began, log: j.log})
}

// finish records an attempt, and starts the next or ends the job.
func (s *Service) finish(j *job, a attempt) {
	defer clock.Begin(s.config.Clock, "batch job "+j.name+" "+j.id+" ends")()
	s.mu.Lock()
	a.stopped = s.config.Clock.Now()
	j.attempts = append(j.attempts, a)
	j.last, j.kill, j.queued = a.ending, nil, false
	var out []announcement
	switch {
	case s.ctx.Err() != nil:
		rest(j)
	case j.terminate != "":
		out = append(out, s.set(j, failed, j.terminate))
	case a.exitCode != nil && *a.exitCode == 0 && a.statusReason == exited:
		out = append(out, s.set(j, succeeded, exited))
	case !a.final && j.strategy.retries(len(j.attempts), a.ending):
		out = append(out, s.set(j, runnable, a.statusReason))
		s.dispatch(j)
	default:
		out = append(out, s.set(j, failed, a.statusReason))
	}
	if j.ended() {
		out = append(out, s.settle(j)...)
	}
	s.mu.Unlock()
	s.emit(out...)
}

// fileName is the name of a job's files: a child's id has a colon.
func (j *job) fileName() string { return j.name + "-" + strings.ReplaceAll(j.id, ":", "-") }

// execute runs the program once and says how it ended.
func (s *Service) execute(j *job, number int, plan interference) ending {
	cmd, cleanup, err := s.command(j, number)
	if err != nil {
		return ending{statusReason: "Task failed to start", reason: err.Error(), final: true}
	}
	defer cleanup()
	out, err := s.openLog(j)
	if err != nil {
		return ending{statusReason: "Task failed to start", reason: err.Error(), final: true}
	}
	defer out.Close() //nolint:errcheck // what was logged has been written
	stop := make(chan stopping, 4)
	counted := &countingWriter{to: out, limit: plan.killAfterBytes, reached: func() { stop <- stopping{signal: syscall.SIGKILL} }}
	cmd.Stdout, cmd.Stderr = counted, counted
	// A grandchild that keeps the output open must not keep the job running.
	cmd.WaitDelay = time.Second
	if err := child.Start(cmd); err != nil {
		return ending{statusReason: "Task failed to start", reason: err.Error(), final: true}
	}
	s.mu.Lock()
	j.kill = func(reason string) {
		select {
		case stop <- stopping{signal: syscall.SIGTERM, reason: reason, final: true}:
		default: // it is being stopped already
		}
	}
	if j.terminate != "" {
		j.kill(j.terminate)
	}
	s.mu.Unlock()
	return s.supervise(j, cmd, stop, plan)
}

// A stopping is a reason to end a program before it ends by itself.
type stopping struct {
	signal syscall.Signal
	reason string // the attempt's statusReason; empty: as if it had died by itself
	final  bool
}

// supervise waits for a started program, or stops it.
func (s *Service) supervise(j *job, cmd *exec.Cmd, stop chan stopping, plan interference) ending {
	exit := make(chan struct{})
	var waited error
	go func() {
		waited = cmd.Wait()
		close(exit)
	}()
	after := func(d time.Duration, what stopping) func() bool {
		if d <= 0 {
			return func() bool { return true }
		}
		return time.AfterFunc(d, func() {
			select {
			case stop <- what:
			case <-exit:
			}
		}).Stop
	}
	defer after(j.timeout, stopping{signal: syscall.SIGTERM, reason: timedOut, final: true})()
	defer after(plan.killAfter, stopping{signal: syscall.SIGKILL})()
	defer after(plan.interruptAfter, stopping{signal: syscall.SIGTERM, reason: interrupted})()
	reason, final := exited, false
	select {
	case <-exit:
	case what := <-stop:
		if what.reason != "" {
			reason, final = what.reason, what.final
		}
		s.end(cmd, exit, what.signal)
	case <-s.ctx.Done():
		s.end(cmd, exit, syscall.SIGKILL)
	}
	<-exit
	// What the program left behind in its group ends with it, as in a container.
	if err := child.Kill(cmd); err != nil {
		s.config.Log.Error("job's process group not killed", "job", j.id, "error", err.Error())
	}
	if _, ok := errors.AsType[*exec.ExitError](waited); waited != nil && !ok && !errors.Is(waited, exec.ErrWaitDelay) {
		return ending{statusReason: "Task failed", reason: waited.Error()}
	}
	code := exitCode(cmd.ProcessState)
	return ending{exitCode: &code, statusReason: reason, final: final}
}

// end stops the process group of cmd: at once, or with time to say goodbye.
func (s *Service) end(cmd *exec.Cmd, exit <-chan struct{}, signal syscall.Signal) {
	kill := func() error { return child.Stop(cmd, exit, stopGrace) }
	if signal == syscall.SIGKILL {
		kill = func() error { return child.Kill(cmd) }
	}
	if err := kill(); err != nil {
		s.config.Log.Error("job not stopped", "program", cmd.Path, "error", err.Error())
	}
}

// exitCode is a container's exit code: 128 and the signal when one ended it.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// command prepares the program of an attempt in a working folder of its own,
// which cleanup removes.
func (s *Service) command(j *job, number int) (cmd *exec.Cmd, cleanup func(), err error) {
	p := j.definition.container
	for role, what := range map[string]string{p.JobRoleArn: "job role", p.ExecutionRoleArn: "execution role"} {
		if role == "" {
			continue
		}
		if _, err := s.config.Roles.Assume(role, "ecs-tasks.amazonaws.com"); err != nil {
			return nil, nil, fmt.Errorf("ECS was unable to assume the %s %q: %w", what, role, err)
		}
	}
	var environment []string
	if p.JobRoleArn != "" {
		if environment, err = s.config.Roles.Environment(p.JobRoleArn); err != nil {
			return nil, nil, fmt.Errorf("credentials of the job role: %w", err)
		}
	}
	m := j.definition.image
	command := p.Command
	if j.command != nil {
		command = j.command
	}
	if len(command) == 0 {
		command = m.cmd
	}
	words := append(slices.Clone(m.entrypoint), substitute(command, j.parameters)...)
	program, err := m.program(words)
	if err != nil {
		return nil, nil, err
	}
	folder := filepath.Join(s.config.StateDir, "batch", fmt.Sprintf("%s-%d", j.fileName(), number))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, fmt.Errorf("working folder of the job: %w", err)
	}
	cleanup = func() {
		if err := os.RemoveAll(folder); err != nil {
			s.config.Log.Error("working folder of the job not removed", "job", j.id, "error", err.Error())
		}
	}
	cmd = exec.Command(program, words[1:]...) //nolint:gosec,noctx // the deployed image's program; supervise ends it
	cmd.Args[0] = words[0]
	cmd.Dir = folder
	if dir, err := m.host(m.workdir); err == nil {
		cmd.Dir = dir
	}
	cmd.Env = s.environment(j, number, environment, folder)
	return cmd, cleanup, nil
}

// environment is that of an attempt; what comes later wins.
func (s *Service) environment(j *job, number int, role []string, folder string) []string {
	e := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "HOME=" + folder}
	e = append(e, role...)
	e = append(e, "TMPDIR="+folder)
	e = append(e, j.definition.image.env...)
	for _, v := range merged(j.definition.container.Environment, j.environment) {
		e = append(e, v.Name+"="+v.Value)
	}
	e = append(e, "AWS_BATCH_JOB_ID="+j.id, "AWS_BATCH_JQ_NAME="+j.queue.name,
		"AWS_BATCH_CE_NAME="+j.queue.environments[0].name, "AWS_BATCH_JOB_ATTEMPT="+strconv.Itoa(number))
	if j.parent != nil {
		e = append(e, "AWS_BATCH_JOB_ARRAY_INDEX="+j.arrayIndex(), "AWS_BATCH_JOB_ARRAY_SIZE="+strconv.Itoa(j.parent.size))
	}
	return e
}

// openLog opens the log of a job; its attempts follow one another in it.
func (s *Service) openLog(j *job) (*os.File, error) {
	folder := filepath.Join(s.config.StateDir, "logs", "batch")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder of job logs: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, j.fileName()+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // a job's name and id are safe in paths
	if err != nil {
		return nil, fmt.Errorf("job log: %w", err)
	}
	return f, nil
}

// A countingWriter calls reached once after limit bytes; 0 is no limit.
type countingWriter struct {
	to      io.Writer
	limit   int64
	written atomic.Int64
	fired   atomic.Bool
	reached func()
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if total := w.written.Add(int64(n)); w.limit > 0 && total >= w.limit && w.fired.CompareAndSwap(false, true) {
		w.reached()
	}
	return n, err
}

// program is the host's file of the first word of a command.
func (m *image) program(words []string) (string, error) {
	if len(words) == 0 {
		return "", errors.New("neither the image nor the job says which program to run")
	}
	if !strings.Contains(words[0], "/") {
		return "", fmt.Errorf("program %q: name it by its path in the image, such as /app/program", words[0])
	}
	file, err := m.host(m.absolute(words[0]))
	if err != nil {
		return "", err
	}
	return file, checkProgram(file)
}

// substitute replaces words of the form Ref::name by parameters; one that is
// not set stays, as in Batch.
func substitute(words []string, parameters map[string]string) []string {
	out := slices.Clone(words)
	for i, w := range out {
		if name, ok := strings.CutPrefix(w, "Ref::"); ok {
			if v, ok := parameters[name]; ok {
				out[i] = v
			}
		}
	}
	return out
}

// merged are the variables of a definition with those of a job over them.
func merged(base, over []variable) []variable {
	out := slices.Clone(base)
	for _, v := range over {
		if i := slices.IndexFunc(out, func(o variable) bool { return o.Name == v.Name }); i >= 0 {
			out[i] = v
		} else {
			out = append(out, v)
		}
	}
	return out
}
