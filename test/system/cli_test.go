package system

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every kind of wrong twin is refused by validate with a message of its own,
// and by the synthesis, which gives the same one and leaves no template.
func TestAWrongTwinNeverReachesSynth(t *testing.T) {
	app := built(t, "infra")
	wrong, err := filepath.Glob(filepath.Join(root, "internal/twin/testdata/invalid/*.yaml"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(wrong), 25, "kinds of wrong twins")
	messages := map[string]string{}
	for _, file := range wrong {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			file, err := filepath.Abs(file)
			require.NoError(t, err)
			_, errs, code := run(t, os.Environ(), "validate", file)
			require.Equal(t, 1, code)
			require.Regexp(t, `^`+regexp.QuoteMeta(file)+`:\d+:\d+: `, errs)
			first, _, _ := strings.Cut(strings.TrimPrefix(errs, file), "\n")
			if other, ok := messages[first]; ok {
				t.Errorf("%s and %s have the same message: %s", name, other, first)
			}
			messages[first] = name
		})
	}
	// The CDK CLI, as deployment calls it, on one of them.
	out := t.TempDir()
	file, err := filepath.Abs(wrong[0])
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node_modules/.bin/cdk", "synth", "--strict", "--quiet", "--app", app, "-c", "twin="+file, "-c", "stage=local", "-o", out)
	cmd.Dir = root
	text, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(text), file+":")
	templates, err := filepath.Glob(filepath.Join(out, "*.template.json"))
	require.NoError(t, err)
	assert.Empty(t, templates)
}

// demo runs the demo in a folder of its own below build and returns its report
// without meta.
func demo(t *testing.T, name string, args ...string) map[string]any {
	t.Helper()
	for _, need := range []string{"awslocal", "infra", "lambda/plan-recalibration/bootstrap", "image/calibrate/calibrate", "models"} {
		built(t, need)
	}
	out := "build/test/demo-" + name
	stdout, errs, code := run(t, os.Environ(), append([]string{"demo", "--out", out}, args...)...)
	require.Zero(t, code, "%s\n%s", stdout, errs)
	b, err := os.ReadFile(filepath.Join(root, out, "report.json"))
	require.NoError(t, err)
	var report map[string]any
	require.NoError(t, json.Unmarshal(b, &report))
	require.Contains(t, report, "meta")
	delete(report, "meta")
	page, err := os.Stat(filepath.Join(root, out, "report.html"))
	require.NoError(t, err)
	assert.Positive(t, page.Size())
	assert.Empty(t, processes(out), "processes left behind")
	return report
}

// processes lists the processes whose command line or environment names a
// folder: those that a demo started.
func processes(folder string) []string {
	var found []string
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			b, _ := os.ReadFile(filepath.Join("/proc", e.Name(), file))
			if strings.Contains(string(b), folder) && e.Name() != strconv.Itoa(os.Getpid()) {
				found = append(found, e.Name()+" "+strings.ReplaceAll(string(b), "\x00", " "))
				break
			}
		}
	}
	return found
}

func TestTwoDemosGiveTheSameReport(t *testing.T) {
	args := []string{"--cells", "2", "--cycles", "7"}
	assert.Equal(t, demo(t, "first", args...), demo(t, "second", args...))
}

func TestAnInterruptedDemoLeavesNoProcessBehind(t *testing.T) {
	program := built(t, "livetwin")
	for _, need := range []string{"awslocal", "infra", "lambda/plan-recalibration/bootstrap", "image/calibrate/calibrate", "models"} {
		built(t, need)
	}
	for name, marker := range map[string]string{"synthesising": "logs/synth.log", "replaying": "state/ready.json"} {
		t.Run(name, func(t *testing.T) {
			out := "build/test/demo-interrupted-" + name
			require.NoError(t, os.RemoveAll(filepath.Join(root, out)))
			cmd := exec.Command(program, "demo", "--out", out, "--cycles", "40")
			cmd.Dir = root
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool {
				_, err := os.Stat(filepath.Join(root, out, marker))
				return err == nil
			}, time.Minute, 5*time.Millisecond)
			_, errs, code := run(t, os.Environ(), "demo", "--out", out)
			assert.Equal(t, 3, code)
			assert.Contains(t, errs, "another demo runs in "+out)
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			err := cmd.Wait()
			require.Error(t, err)
			assert.Equal(t, 130, cmd.ProcessState.ExitCode())
			assert.Eventually(t, func() bool { return len(processes(out)) == 0 }, 10*time.Second, 20*time.Millisecond, "%v", processes(out))
		})
	}
}

// The floors of the project, on NASA's cells.
func TestNASA(t *testing.T) {
	const data = "../shared/data/nasa-battery" // relative to the repository
	if _, err := os.Stat(filepath.Join(root, data)); err != nil {
		t.Skipf("SKIPPED: %s is absent", data)
	}
	report := demo(t, "nasa", "--data", data)
	cells := report["cells"].([]any)
	require.Len(t, cells, 3)
	for _, c := range cells {
		cell := c.(map[string]any)
		name := cell["cell"]
		number := func(figure string) float64 {
			v, ok := cell[figure].(float64)
			require.True(t, ok, "%s has no %s", name, figure)
			return v
		}
		assert.InDelta(t, 40, number("recalibrations"), 0, name)
		assert.LessOrEqual(t, number("capacity_rmse_Ah"), 0.011, name)
		assert.LessOrEqual(t, number("capacity_rmse_Ah"), 0.75*number("persistence_rmse_Ah"), name)
		assert.Greater(t, number("frozen_capacity_rmse_Ah"), number("capacity_rmse_Ah"), name)
		assert.GreaterOrEqual(t, number("coverage90"), 0.80, name)
		assert.LessOrEqual(t, number("coverage90"), 0.98, name)
		assert.LessOrEqual(t, number("width90_Ah"), 0.045, name)
		assert.LessOrEqual(t, number("voltage_rmse_V"), 0.013, name)
		assert.LessOrEqual(t, number("voltage_rmse_V"), 0.7*number("last_cycle_voltage_rmse_V"), name)
		for _, q := range []string{"soh", "rul_cycles"} {
			quantiles, ok := cell[q].(map[string]any)
			require.True(t, ok, "%s has no %s", name, q)
			assert.LessOrEqual(t, quantiles["p05"], quantiles["p50"])
			assert.LessOrEqual(t, quantiles["p50"], quantiles["p95"])
		}
	}
}
