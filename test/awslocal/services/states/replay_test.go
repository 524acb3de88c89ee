package states_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/services/states"
)

const replayed = `{"QueryLanguage":"JSONata","StartAt":"Plan","States":{
	"Plan":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:plan","Arguments":{"run":"{% $states.context.Execution.Name %}"},
		"Retry":[{"ErrorEquals":["Transient"],"MaxAttempts":1,"IntervalSeconds":3600}],"Next":"Each"},
	"Each":{"Type":"Map","ItemProcessor":{"StartAt":"Work","States":{"Work":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync","Arguments":{"JobName":"{% $string($states.input) %}"},"End":true}}},"End":true}}}`

const recorded = `{"name":"two items","execution":"e1","input":{"a":1},"replies":{"Plan":[{"error":"Transient"},{"output":[1,2]}],"Work":[{"output":"x"},{"output":"y"}]},
	"arguments":{"Plan":[{"run":"e1"},{"run":"e1"}],"Work":[{"JobName":"1"},{"JobName":"2"}]},"status":"SUCCEEDED","output":["x","y"],"path":["Plan","Each","Work","Work"]}`

func TestReplay(t *testing.T) {
	r, err := states.NewReplayer(library(t))
	require.NoError(t, err)
	c, err := states.ParseCase([]byte(recorded))
	require.NoError(t, err)
	require.NoError(t, r.Replay(t.Context(), []byte(replayed), c))

	for name, change := range map[string]func(*states.Case){
		"output is":              func(c *states.Case) { c.Output = json.RawMessage(`["x"]`) },
		"status is":              func(c *states.Case) { c.Status, c.Error = "FAILED", "E" },
		"path is":                func(c *states.Case) { c.Path = []string{"Plan"} },
		"arguments of Work":      func(c *states.Case) { c.Arguments["Work"][1] = json.RawMessage(`{}`) },
		"1 replies were not":     func(c *states.Case) { c.Replies["Plan"] = append(c.Replies["Plan"], states.Reply{}) },
		"attempt 2 has no reply": func(c *states.Case) { c.Replies["Work"] = c.Replies["Work"][:1] },
	} {
		c, err := states.ParseCase([]byte(recorded))
		require.NoError(t, err)
		change(&c)
		require.ErrorContains(t, r.Replay(t.Context(), []byte(replayed), c), name)
	}
	_, err = states.ParseCase([]byte(`{"nmae":"x"}`))
	require.ErrorContains(t, err, "nmae")
	require.ErrorContains(t, r.Replay(t.Context(), []byte(`{}`), c), "States")
}
