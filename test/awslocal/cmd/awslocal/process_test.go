package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

// processes returns those whose command line or environment names the folder.
func processes(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			b, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), file)) // the process may be gone
			if bytes.Contains(b, []byte(folder)) {
				found = append(found, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
				break
			}
		}
	}
	return found
}

func TestNothingIsLeftBehind(t *testing.T) {
	for name, end := range map[string]struct {
		signal syscall.Signal
		code   int
	}{
		"SIGINT":  {syscall.SIGINT, 0},
		"SIGTERM": {syscall.SIGTERM, 0},
		"SIGKILL": {syscall.SIGKILL, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := awslocaltest.Start(t, app(t, nil))
			w := worker{lambda.NewFromConfig(e.Config())}
			_, functionError := w.do(t, object{"do": "echo"})
			require.Empty(t, functionError)
			// awslocal, both engines; functions run where their code is.
			assert.GreaterOrEqual(t, len(processes(t, e.State)), 3)
			assert.GreaterOrEqual(t, len(processes(t, e.Endpoint)), 2, "functions")
			require.NoError(t, e.Cmd.Process.Signal(end.signal))
			assert.Equal(t, end.code, e.Wait(t))
			assert.Eventually(t, func() bool {
				return len(processes(t, e.State))+len(processes(t, e.Endpoint)) == 0
			}, 5*time.Second, 20*time.Millisecond, "left behind: %v %v", processes(t, e.State), processes(t, e.Endpoint))
		})
	}
}

func TestItDiesWithItsParent(t *testing.T) {
	state := t.TempDir()
	program := awslocaltest.Go(t, "./cmd/awslocal")
	command := fmt.Sprintf("'%s' up '%s' --port 0 --state '%s' --tools '%s' --models '%s' --die-with-parent & wait",
		program, app(t, nil), state, awslocaltest.Tools(t), awslocaltest.Models(t))
	parent := exec.Command("sh", "-c", command)
	require.NoError(t, parent.Start())
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(state, "ready.json"))
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait() // it was killed
	assert.Eventually(t, func() bool { return len(processes(t, state)) == 0 }, 5*time.Second, 20*time.Millisecond)
}

func TestItEndsWhenAnEngineDoes(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))
	for _, p := range processes(t, e.State) {
		if strings.Contains(p, "dynoxide") {
			pid, err := strconv.Atoi(strings.Fields(p)[0])
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	assert.Equal(t, 1, e.Wait(t))
	assert.Contains(t, e.Output(), "the engine of DynamoDB ended")
}
