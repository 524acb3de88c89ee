package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A broken step names itself and what to do, and the exit code says whose
// fault it is. The programs that the demo calls are scripts that fail.
func TestADemoThatBreaksNamesTheStep(t *testing.T) {
	twin, err := os.ReadFile(example)
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	put := func(path, text string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
	}
	const head = "time,voltage_V,current_A,temperature_C\n"
	const row = "2026-03-04T08:00:00Z,4.2,-2,30\n"
	put("good/B0032.csv", head+row)
	put("row/B0032.csv", head+"yesterday,4.2,-2,30\n"+row+"2026-03-04T08:00:10Z,four,-2,30\n")
	put("column/B0032.csv", "time,voltage_V\n2026-03-04T08:00:00Z,4.2\n")
	put("unit/B0032.csv", "time,voltage_mV,current_A,temperature_C\n"+row)
	put("other/notes.csv", "who,what\na,b\n")
	put("name/cell one.csv", head+row)
	require.NoError(t, os.MkdirAll("empty", 0o700))

	_, errs, code := livetwin(t, "demo")
	assert.Equal(t, 3, code)
	for _, missing := range []string{"examples/battery-storage/twin.yaml", "build/awslocal", "build/infra", "build/lambda", "make demo"} {
		assert.Contains(t, errs, missing, "nothing is built")
	}

	put("examples/battery-storage/twin.yaml", string(twin))
	put("cdk.json", "{}")
	put("node_modules/.bin/cdk", "#!/bin/sh\necho the app broke >&2\nexit 7\n")
	put("build/awslocal", "#!/bin/sh\necho no such resource >&2\nexit 3\n")
	for _, path := range []string{"build/infra", "build/lambda", "build/image", "build/models"} {
		put(path, "")
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no folder":    {[]string{"--data", "absent"}, 1, []string{"step 1, telemetry", "absent is no folder", "a CSV file per cell"}},
		"empty folder": {[]string{"--data", "empty"}, 1, []string{"step 2, twin", "none of 0 CSV files", "time,voltage_V,current_A,temperature_C"}},
		"other files":  {[]string{"--data", "other"}, 1, []string{"step 2, twin", "none of 1 CSV files"}},
		"bad rows":     {[]string{"--data", "row"}, 1, []string{"step 2, twin", "B0032.csv:2: time", "B0032.csv:4: column voltage_V: \"four\""}},
		"no column":    {[]string{"--data", "column"}, 1, []string{"step 2, twin", "B0032.csv has no usable sample of current"}},
		"wrong unit":   {[]string{"--data", "unit"}, 1, []string{"step 2, twin", "convert the column and name it voltage_V"}},
		"bad name":     {[]string{"--data", "name"}, 1, []string{"step 2, twin", "cell one"}},
		"too many":     {[]string{"--cells", "100"}, 1, []string{"step 1, telemetry", "cells is 100"}},
		"negative":     {[]string{"--cycles=-1"}, 1, []string{"--cycles -1"}},
		"synth":        {[]string{"--data", "good"}, 3, []string{"step 3, synth", "the app broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := livetwin(t, append([]string{"demo"}, c.args...)...)
			assert.Equal(t, c.code, code, errs)
			for _, text := range c.says {
				assert.Contains(t, errs, text)
			}
			assert.LessOrEqual(t, strings.Count(errs, "failed:"), 1, "one step is to blame")
		})
	}
	put("node_modules/.bin/cdk", "#!/bin/sh\nexit 0\n")
	out, errs, code := livetwin(t, "demo", "--data", "good")
	assert.Equal(t, 3, code, errs)
	assert.Contains(t, errs, "step 4, deploy")
	assert.Contains(t, errs, "no such resource")
	assert.Contains(t, out, "follows B0032")
}
