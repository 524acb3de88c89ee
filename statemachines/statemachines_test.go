package statemachines_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/events"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/statemachines"
)

const root = ".." // of the repository

// substituted is the definition as deployment leaves it.
func substituted() string {
	arn := "arn:aws:lambda:us-east-1:111122223333:function:"
	return strings.NewReplacer(
		"${PlanRecalibration}", arn+"plan", "${CollectOutcomes}", arn+"collect", "${PublishPredictions}", arn+"publish",
		"${SpotQueue}", "arn:spot", "${OnDemandQueue}", "arn:on-demand", "${JobDefinition}", "arn:calibrate",
		"${Twin}", "battery-storage", "${Stage}", "prod",
	).Replace(statemachines.Recalibrate)
}

// node runs a program of Node in the repository, where node_modules is, or
// skips the test, loudly, on a machine without it.
func node(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: no node on this machine; the definition is not checked")
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules", "jsonata")); err != nil {
		t.Skip("SKIPPED: no node_modules; run npm ci; the definition is not checked")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = root, bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, stderr.String())
	return out
}

func TestPlaceholders(t *testing.T) {
	assert.Equal(t, []string{
		"CollectOutcomes", "JobDefinition", "OnDemandQueue", "PlanRecalibration", "PublishPredictions", "SpotQueue", "Stage", "Twin",
	}, statemachines.Placeholders(statemachines.Recalibrate))
	assert.Empty(t, statemachines.Placeholders(substituted()))
}

func TestDefinitionIsValid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "definition.json")
	require.NoError(t, os.WriteFile(file, []byte(substituted()), 0o600))
	node(t, nil, "node_modules/asl-validator/dist/bin/asl-validator.js", "--json-path", file)
}

// JSONPath and JSONata do not mix: the definition has JSONata only.
func TestDefinitionIsJSONata(t *testing.T) {
	for _, field := range []string{"InputPath", "OutputPath", "ResultPath", "ResultSelector", "Parameters", "ItemsPath", `.$"`} {
		assert.NotContains(t, statemachines.Recalibrate, `"`+field)
	}
	assert.Contains(t, statemachines.Recalibrate, `"QueryLanguage": "JSONata"`)
}

// What the definition writes in words of others is what they call it.
func TestDefinitionKnowsTheWordsOfOthers(t *testing.T) {
	assert.Contains(t, statemachines.Recalibrate, "'Name': '"+string(env.Manifest)+"'")
	assert.Contains(t, statemachines.Recalibrate, "'Source': '"+events.SourceCalibration+"'")
	assert.Contains(t, statemachines.Recalibrate, "'DetailType': '"+events.TypeRecalibrationFailed+"'")
}

// An expression of the definition, by where it is: State.Field…
var expression = regexp.MustCompile(`(?s)^\{%(.*)%\}$`)

func expressions(v any, path string, found map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			next := path + "." + key
			switch key {
			case "States", "ItemProcessor":
				next = path
			}
			expressions(child, strings.TrimPrefix(next, "."), found)
		}
	case []any:
		for i, child := range v {
			expressions(child, fmt.Sprintf("%s.%d", path, i), found)
		}
	case string:
		if m := expression.FindStringSubmatch(v); m != nil {
			found[path] = strings.TrimSpace(m[1])
		}
	}
}

func parsed(t *testing.T) map[string]string {
	t.Helper()
	var definition any
	require.NoError(t, json.Unmarshal([]byte(substituted()), &definition))
	found := map[string]string{}
	expressions(definition, "", found)
	require.Greater(t, len(found), 20)
	return found
}

type question struct {
	Expression string         `json:"expression"`
	Bindings   map[string]any `json:"bindings,omitempty"`
}

func evaluate(t *testing.T, questions []question) []struct {
	Result json.RawMessage
	Error  string
} {
	t.Helper()
	data, err := json.Marshal(questions)
	require.NoError(t, err)
	var answers []struct {
		Result json.RawMessage
		Error  string
	}
	require.NoError(t, json.Unmarshal(node(t, data, "statemachines/testdata/evaluate.mjs"), &answers))
	require.Len(t, answers, len(questions))
	return answers
}

func TestEveryExpressionParses(t *testing.T) {
	var questions []question
	var where []string
	for path, e := range parsed(t) {
		where, questions = append(where, path), append(questions, question{Expression: e})
	}
	for i, answer := range evaluate(t, questions) {
		assert.Empty(t, answer.Error, where[i])
	}
}

func TestExpressions(t *testing.T) {
	failures := func(n int) (list []any) {
		for i := range n {
			list = append(list, map[string]any{"asset": fmt.Sprintf("cell-%d", i+1), "error": "no outcome"})
		}
		return list
	}
	states := func(input any) map[string]any {
		return map[string]any{"input": input, "context": map[string]any{"Execution": map[string]any{"Name": "4a7c:1"}}}
	}
	// JSONata leaves an undefined element out of an array, and takes a sequence
	// of one for the one: each case has one, several and none where that shows.
	for _, c := range []struct {
		name, path string
		bindings   map[string]any
		want       string
	}{
		{
			"a job is plain", "Calibrate.Arguments",
			map[string]any{"states": states(nil), "calibration": "cell-health", "manifest": "executions/4a7c/manifest.json", "size": 1},
			`{"JobName": "cell-health-4a7c-1", "JobQueue": "arn:spot", "JobDefinition": "arn:calibrate",
			  "ContainerOverrides": {"Environment": [{"Name": "LIVETWIN_MANIFEST", "Value": "executions/4a7c/manifest.json"}]}}`,
		},
		{
			"two are an array", "Calibrate on demand.Arguments",
			map[string]any{"states": states(nil), "calibration": "cell-health", "manifest": "m", "size": 2},
			`{"JobName": "cell-health-4a7c-1", "JobQueue": "arn:on-demand", "JobDefinition": "arn:calibrate",
			  "ContainerOverrides": {"Environment": [{"Name": "LIVETWIN_MANIFEST", "Value": "m"}]}, "ArrayProperties": {"Size": 2}}`,
		},
		{
			"a job's name has 128 characters at most", "Calibrate.Arguments",
			map[string]any{"states": states(nil), "calibration": strings.Repeat("c", 130), "manifest": "m", "size": 1},
			`{"JobName": "` + strings.Repeat("c", 128) + `", "JobQueue": "arn:spot", "JobDefinition": "arn:calibrate",
			  "ContainerOverrides": {"Environment": [{"Name": "LIVETWIN_MANIFEST", "Value": "m"}]}}`,
		},
		{"no events", "Publish.Announce.Items", map[string]any{"states": states(map[string]any{"entries": []any{}})}, `[]`},
		{"one event", "Publish.Announce.Items", map[string]any{"states": states(map[string]any{"entries": []any{1}})}, `[[1]]`},
		{
			"eleven events", "Publish.Announce.Items",
			map[string]any{"states": states(map[string]any{"entries": []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}})},
			`[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [11]]`,
		},
		{"all is published", "Publish.Assign.unpublished", map[string]any{"states": map[string]any{"result": []any{
			map[string]any{"unpublished": []any{}}, map[string]any{"unpublished": []any{}},
		}}}, `[]`},
		{"nothing was to publish", "Publish.Assign.unpublished", map[string]any{"states": map[string]any{"result": []any{}}}, `[]`},
		{"one is not published", "Publish.Assign.unpublished", map[string]any{"states": map[string]any{"result": []any{
			map[string]any{"unpublished": []any{}}, map[string]any{"unpublished": []any{"cell-1"}, "error": "Permanent"},
		}}}, `["cell-1"]`},
		{"none failed", "Announce failures.Items", map[string]any{"failed": []any{}}, `[]`},
		{"one failed", "Announce failures.Items", map[string]any{"failed": []any{1}}, `[[1]]`},
		{
			"one failure is told", "Announce failures.Put failures.Arguments.Entries",
			map[string]any{"states": states(failures(1)), "calibration": "cell-health", "windowEnd": "2026-01-02T03:00:00Z"},
			`[{"Source": "livetwin.calibration", "DetailType": "Recalibration Failed", "Detail": {"twin": "battery-storage", "stage": "prod",
			  "id": "4a7c:1/cell-1", "asset": "cell-1", "calibration": "cell-health", "execution": "4a7c:1", "windowEnd": "2026-01-02T03:00:00Z", "error": "no outcome"}}]`,
		},
		{"the execution succeeds", "Any failed?.Choices.0.Condition", map[string]any{"counts": map[string]any{"failed": 0}, "unpublished": []any{}}, `false`},
		{"an asset failed", "Any failed?.Choices.0.Condition", map[string]any{"counts": map[string]any{"failed": 1}, "unpublished": []any{}}, `true`},
		{"an asset is not published", "Any failed?.Choices.0.Condition", map[string]any{"counts": map[string]any{"failed": 0}, "unpublished": []any{"a"}}, `true`},
		{
			"the cause names assets", "Assets failed.Cause",
			map[string]any{"counts": map[string]any{"failed": 1}, "failed": failures(1), "unpublished": []any{"cell-9"}},
			`"1 failed (cell-1: no outcome), 1 not published (cell-9)"`,
		},
		{
			"the cause is short", "Assets failed.Cause",
			map[string]any{"counts": map[string]any{"failed": 3000}, "failed": failures(200), "unpublished": []any{}},
			`"3000 failed (cell-1: no outcome; cell-2: no outcome; cell-3: no outcome; cell-4: no outcome; cell-5: no outcome; cell-6: no outcome; cell-7: no outcome; cell-8: no outcome; cell-9: no outcome; cell-10: no outcome; …), 0 not published"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, ok := parsed(t)[c.path]
			require.True(t, ok, "no expression at %s", c.path)
			answer := evaluate(t, []question{{e, c.bindings}})[0]
			require.Empty(t, answer.Error)
			assert.JSONEq(t, c.want, string(answer.Result))
		})
	}
}
