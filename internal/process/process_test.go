package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/process"
)

// alive reports whether a process exists and is not just waiting to be reaped
// (in a container nobody may reap an orphan).
func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// grandchild starts a shell that starts a sleep, both of which ignore SIGTERM
// when asked to, and returns the sleep's pid.
func grandchild(t *testing.T, trap string) (*process.Group, int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pid")
	g, err := process.Start(exec.Command("sh", "-c", trap+`sleep 600 & echo $! > `+file+`; wait`))
	require.NoError(t, err)
	var pid int
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(file)
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
	return g, pid
}

func TestStopTakesGrandchildrenAlong(t *testing.T) {
	g, pid := grandchild(t, "")
	require.NoError(t, g.Stop(10*time.Second))
	require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 5*time.Millisecond)
	require.Error(t, g.Err())
	require.NoError(t, g.Stop(time.Second), "stopping twice is harmless")
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	g, pid := grandchild(t, "trap '' TERM; ")
	require.NoError(t, g.Stop(50*time.Millisecond))
	require.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 5*time.Millisecond)
	exit, ok := errors.AsType[*exec.ExitError](g.Err())
	require.True(t, ok)
	assert.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
}

func TestRunErrorsShowTheEndOfTheLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "logs", "x.log")
	err := process.Run(t.Context(), exec.Command("sh", "-c", "seq 100; echo it broke >&2; exit 3"), log)
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "it broke")
	assert.NotContains(t, err.Error(), "\n    80\n")
	require.NoError(t, process.Run(t.Context(), exec.Command("true"), log))
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := process.Run(ctx, exec.Command("sleep", "600"), filepath.Join(t.TempDir(), "x.log"))
	require.ErrorIs(t, err, context.Canceled)
}
