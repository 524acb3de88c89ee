package executions3_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/execution/executions3"
	"github.com/livetwin/livetwin/internal/execution/executiontest"
	"github.com/livetwin/livetwin/internal/s3mem"
)

const manifest = "executions/run-1/manifest.json"

func TestStore(t *testing.T) {
	executiontest.TestStore(t, func(*testing.T) execution.Store {
		return executions3.New(new(s3mem.Client), "calibrations")
	})
}

func TestStrangeObjectsAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ key, data, says string }{
		"no JSON":           {"executions/run-1/outcomes/0.json", "{", "outcomes/0.json"},
		"another version":   {"executions/run-1/outcomes/0.json", `{"version":9}`, "version 9"},
		"a foreign file":    {"executions/run-1/outcomes/notes.txt", "hello", "notes.txt"},
		"no canonical name": {"executions/run-1/outcomes/007.json", `{"version":1,"outcome":"promoted"}`, "007.json"},
		"too great":         {"executions/run-1/outcomes/10000.json", `{"version":1,"outcome":"promoted"}`, "10000.json"},
	} {
		t.Run(name, func(t *testing.T) {
			client := new(s3mem.Client)
			client.Set("b", c.key, []byte(c.data))
			_, err := executions3.New(client, "b").Outcomes(t.Context(), manifest)
			require.ErrorIs(t, err, execution.ErrInvalid)
			assert.ErrorContains(t, err, c.says)
		})
	}
	client := new(s3mem.Client)
	client.Set("b", manifest, []byte(`{"version":2}`))
	_, err := executions3.New(client, "b").Manifest(t.Context(), manifest)
	require.ErrorIs(t, err, execution.ErrInvalid)
	assert.ErrorContains(t, err, "s3://b/"+manifest)
}

func TestAFailedReadIsNoAbsentOutcome(t *testing.T) {
	down := errors.New("503 Slow Down")
	client := &s3mem.Client{}
	client.Set("b", "executions/run-1/outcomes/0.json", []byte(`{"version":1,"outcome":"promoted"}`))
	client.Before = func(operation, _ string) error {
		if operation == "GetObject" {
			return down
		}
		return nil
	}
	_, err := executions3.New(client, "b").Outcomes(t.Context(), manifest)
	require.ErrorIs(t, err, down)
	_, err = executions3.New(client, "b").Outcome(t.Context(), manifest, 0)
	require.ErrorIs(t, err, down)
}
