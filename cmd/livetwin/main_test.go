package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const example = "../../examples/battery-storage/twin.yaml"

// livetwin runs a command line as main does.
func livetwin(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return out.String(), errs.String(), code
}

func TestValidateNamesEveryMistake(t *testing.T) {
	out, errs, code := livetwin(t, "validate", example)
	assert.Zero(t, code, errs)
	assert.Contains(t, out, "battery-storage is valid")

	wrong := filepath.Join(t.TempDir(), "twin.yaml")
	require.NoError(t, os.WriteFile(wrong, []byte("version: 1\ntwin: Bad Name\nassetModel: {}\n"), 0o600))
	out, errs, code = livetwin(t, "validate", wrong)
	assert.Equal(t, 1, code)
	assert.Empty(t, out)
	assert.Contains(t, errs, wrong+":2:7: ")
	assert.Contains(t, errs, wrong+":3:1: ")
}

func TestInitWritesATwinThatValidatesAndOverwritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	_, errs, code := livetwin(t, "init", dir)
	require.Zero(t, code, errs)
	file := filepath.Join(dir, "twin.yaml")
	_, errs, code = livetwin(t, "validate", file)
	require.Zero(t, code, errs)
	require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
	_, errs, code = livetwin(t, "init", dir)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "exists")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(kept))
}

func TestSimulateAndReplayAgreeOnTheFormat(t *testing.T) {
	dir := t.TempDir()
	_, errs, code := livetwin(t, "simulate", dir, "--cells", "3", "--cycles", "2", "--fault", "2:1:-0.05")
	require.Zero(t, code, errs)
	out, errs, code := livetwin(t, "replay", dir, "--twin", example, "--dry-run")
	require.Zero(t, code, errs)
	assert.Contains(t, out, "9 series in 3 files")
	assert.Contains(t, out, "capacity.csv skipped")
	assert.Contains(t, out, "column cycle ignored")
	assert.Contains(t, out, "2 segments")
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":             {[]string{"--help"}, 0, ""},
		"no command":       {nil, 2, "expected"},
		"unknown command":  {[]string{"frobnicate"}, 2, "frobnicate"},
		"unknown flag":     {[]string{"validate", "--frob"}, 2, "--frob"},
		"no such file":     {[]string{"validate", "absent.yaml"}, 1, "absent.yaml"},
		"wrong fault":      {[]string{"simulate", t.TempDir(), "--fault", "2-3"}, 1, "CELL:CYCLE:VOLTS"},
		"fault of no cell": {[]string{"simulate", t.TempDir(), "--fault", "9:1:0.1"}, 1, "cells 1 to 3"},
		"wrong start":      {[]string{"simulate", t.TempDir(), "--start", "yesterday"}, 2, "start"},
		"no runs":          {[]string{"status", "--twin", example, "--runs", "0"}, 1, "--runs 0"},
		"generation":       {[]string{"rollback", "--twin", example, "--to=-1", "cell-1", "cell-health"}, 1, "generations count from 1"},
		"demo elsewhere":   {[]string{"demo", "--build", "absent"}, 3, "make demo"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := livetwin(t, c.args...)
			assert.Equal(t, c.code, code, errs)
			assert.Contains(t, errs, c.says)
		})
	}
}

// Every command that needs AWS says what to do when it cannot reach it.
func TestAdviceOnTheWayToAWS(t *testing.T) {
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + closed.Addr().String()
	require.NoError(t, closed.Close())
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"__type":"UnrecognizedClientException","message":"no such key"}`)
	}))
	t.Cleanup(refuses.Close)
	absent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprint(w, `{"Parameters":[],"InvalidParameters":["/livetwin/battery-storage/local/runs-table"]}`)
	}))
	t.Cleanup(absent.Close)
	recorded := t.TempDir()
	_, errs, code := livetwin(t, "simulate", recorded, "--cycles", "1")
	require.Zero(t, code, errs)
	commands := map[string][]string{
		"status":   {"status", "--twin", example},
		"rollback": {"rollback", "--twin", example, "cell-1", "cell-health"},
		"replay":   {"replay", "--twin", example, recorded},
	}
	for name, c := range map[string]struct {
		environment map[string]string
		code        int
		says        string
	}{
		"no credentials": {map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 3, "there are no AWS credentials: set AWS_PROFILE"},
		"no region":      {map[string]string{"AWS_REGION": "", "AWS_ENDPOINT_URL": ""}, 3, "there is no AWS region: set AWS_PROFILE"},
		"nobody there":   {map[string]string{"AWS_ENDPOINT_URL": nobody}, 3, "nobody listens at AWS_ENDPOINT_URL=" + nobody},
		"wrong keys":     {map[string]string{"AWS_ENDPOINT_URL": refuses.URL}, 3, "the keys are not, or no longer, those of this account"},
		"not deployed":   {map[string]string{"AWS_ENDPOINT_URL": absent.URL}, 1, "battery-storage as stage local: not deployed"},
	} {
		for command, args := range commands {
			t.Run(name+"/"+command, func(t *testing.T) {
				for k, v := range map[string]string{
					"AWS_PROFILE": "", "AWS_DEFAULT_REGION": "", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
					"AWS_SESSION_TOKEN": "", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true", "HTTP_PROXY": "",
					"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
				} {
					t.Setenv(k, v)
				}
				for k, v := range c.environment {
					t.Setenv(k, v)
				}
				_, errs, code := livetwin(t, args...)
				assert.Equal(t, c.code, code, errs)
				assert.Contains(t, errs, c.says)
			})
		}
	}
}
