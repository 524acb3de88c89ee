package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

// asApp makes this test binary the app: the runtime of the CDK reads its
// environment when the program starts.
const asApp = "INFRA_TEST_AS_APP"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// synth runs the app as the CDK CLI does: context and output folder come from
// the environment. It returns the folder, and what the app says on failure.
func synth(t *testing.T, file, stage string) (out, said string) {
	t.Helper()
	data, err := json.Marshal(map[string]string{"twin": file, "stage": stage})
	require.NoError(t, err)
	out = filepath.Join(t.TempDir(), "cdk.out")
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), asApp+"=1", "CDK_CONTEXT_JSON="+string(data), "CDK_OUTDIR="+out, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err = cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "the app succeeded, or did not start: %v", err)
	assert.Equal(t, 1, exit.ExitCode())
	return out, stderr.String()
}

// says checks that the app says this, first and once; what follows is noise of
// the CDK's runtime when it ends.
func says(t *testing.T, want, said string) {
	t.Helper()
	assert.True(t, strings.HasPrefix(said, want+"\n"), said)
	assert.NotContains(t, said, "goroutine ", "a stack trace helps nobody here")
}

// nothingIn checks that no template was written.
func nothingIn(t *testing.T, out string) {
	t.Helper()
	templates, err := filepath.Glob(filepath.Join(out, "*.json"))
	require.NoError(t, err)
	assert.Empty(t, templates)
}

// A wrong twin gets the words of livetwin validate, and nothing is synthesised.
func TestWrongTwinsAreNotSynthesised(t *testing.T) {
	file := filepath.Join(t.TempDir(), "twin.yaml")
	example, err := os.ReadFile("../examples/battery-storage/twin.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(example, "\ncolour: blue\n"...), 0o600))
	_, want := twin.Load(file, twin.WithModels(all.Describe))
	require.ErrorContains(t, want, file+":")

	out, said := synth(t, file, "local")
	says(t, want.Error(), said)
	nothingIn(t, out)
}

func TestWrongStagesAreNamed(t *testing.T) {
	out, said := synth(t, "../examples/battery-storage/twin.yaml", "staging")
	says(t, "stage \"staging\": there is no infra/stage/staging.yaml; expected one of dev, local, prod", said)
	nothingIn(t, out)
}

func TestMissingContextIsNamed(t *testing.T) {
	_, said := synth(t, "", "local")
	says(t, "context value twin is not set: run cdk with -c twin=VALUE", said)
}
