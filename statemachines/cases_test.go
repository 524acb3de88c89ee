package statemachines_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A recorded execution, as README.md says.
type recorded struct {
	Name      string
	Execution string
	Input     json.RawMessage
	Replies   map[string][]struct {
		Output json.RawMessage
		Error  string
		Cause  string
	}
	Arguments map[string][]json.RawMessage
	Status    string
	Output    json.RawMessage
	Error     string
	Cause     string
	Path      []string
}

type state struct {
	Type    string
	Next    string
	Default string
	End     bool
	Choices []struct{ Next string }
	Catch   []struct{ Next string }

	ItemProcessor *processor
	parent        string // the Map that it is in
}

type processor struct {
	StartAt string
	States  map[string]*state
}

// flat collects the states of a processor and of those inside of it.
func flat(p *processor, parent string, into map[string]*state) {
	for name, s := range p.States {
		s.parent = parent
		into[name] = s
		if s.ItemProcessor != nil {
			flat(s.ItemProcessor, name, into)
		}
	}
}

// follows reports whether an execution may enter to after from.
func follows(states map[string]*state, from, to string) bool {
	s := states[from]
	next := []string{s.Next, s.Default}
	for _, c := range s.Choices {
		next = append(next, c.Next)
	}
	for _, c := range s.Catch {
		next = append(next, c.Next)
	}
	if s.ItemProcessor != nil {
		next = append(next, s.ItemProcessor.StartAt)
	}
	if slices.Contains(next, to) {
		return true
	}
	if (s.End || s.Type == "Map") && s.parent != "" { // the Map's next iteration, or what follows it
		return states[s.parent].ItemProcessor.StartAt == to || follows(states, s.parent, to)
	}
	return false
}

// The interpreter of the local endpoint takes the definition down the recorded
// paths, with the recorded arguments and results. The endpoint knows nothing of
// this system: it is a program that make builds.
func TestRecordedExecutionsReplay(t *testing.T) {
	program := filepath.Join(root, "build", "awslocal")
	if _, err := os.Stat(program); err != nil {
		t.Skip("SKIPPED: no build/awslocal; run make build; recorded executions are not replayed")
	}
	files, err := filepath.Glob("recalibrate/testdata/*.json")
	require.NoError(t, err)
	args := append([]string{
		"replay", "--tools", filepath.Join(root, "node_modules"),
		"--set", "Twin=battery-storage", "--set", "Stage=local", "recalibrate/definition.asl.json",
	}, files...)
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, len(files), strings.Count(string(out), "ok "))
}

// Recorded executions are walks through the definition: a state that is renamed
// or a transition that is moved shows here, whoever replays them.
func TestRecordedExecutionsAreWalks(t *testing.T) {
	var definition processor
	require.NoError(t, json.Unmarshal([]byte(substituted()), &definition))
	states := map[string]*state{}
	flat(&definition, "", states)

	files, err := filepath.Glob("recalibrate/testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	entered := map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var c recorded
			require.NoError(t, json.Unmarshal(data, &c))
			require.NotEmpty(t, c.Path)
			assert.Equal(t, definition.StartAt, c.Path[0])
			for i, name := range c.Path {
				require.Contains(t, states, name)
				entered[name] = true
				if i > 0 {
					assert.True(t, follows(states, c.Path[i-1], name), "%s cannot follow %s", name, c.Path[i-1])
				}
			}
			for name, replies := range c.Replies {
				require.Contains(t, states, name)
				assert.Equal(t, "Task", states[name].Type, name)
				assert.Contains(t, c.Path, name)
				for _, r := range replies {
					assert.NotEqual(t, r.Output == nil, r.Error == "", "%s answers an output or an error", name)
				}
			}
			for _, name := range c.Path {
				if states[name].Type == "Task" {
					assert.NotEmpty(t, c.Replies[name], "%s has no reply", name)
				}
			}
			switch c.Status {
			case "SUCCEEDED":
				assert.NotEmpty(t, c.Output)
				assert.Empty(t, c.Error)
			case "FAILED":
				assert.NotEmpty(t, c.Error)
			default:
				assert.Fail(t, "status", "%s", c.Status)
			}
		})
	}
	for name := range states {
		assert.True(t, entered[name], "no recorded execution enters %s", name)
	}
}
