package schema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/twin/schema"
)

// TestThePublishedSchemaIsThatOfTheTypes keeps docs/twin.schema.json up to date.
func TestThePublishedSchemaIsThatOfTheTypes(t *testing.T) {
	got, err := schema.Generate(os.DirFS(".."))
	require.NoError(t, err)
	golden.Text(t, "../../../docs/twin.schema.json", string(got))
}

func TestEveryKeyIsExplained(t *testing.T) {
	got, err := schema.Generate(os.DirFS(".."))
	require.NoError(t, err)
	type object struct {
		Type                 string
		Ref                  string `json:"$ref"`
		Description          string
		Properties           map[string]object
		AdditionalProperties json.RawMessage
	}
	var s struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(got, &s))
	s.Defs["Twin"] = s.object
	for name, d := range s.Defs {
		if d.Type != "object" {
			continue
		}
		assert.Equal(t, "false", string(d.AdditionalProperties), "%s takes unknown keys", name)
		for key, p := range d.Properties {
			assert.NotEmpty(t, p.Description, "%s.%s has no description", name, key)
		}
	}
}

// validate checks a document against a schema by ajv, which the schema's draft
// names as an implementation. It prints the mistakes, one a line.
const validate = `
const Ajv = require("ajv/dist/2020").default;
const { schema, documents } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const check = new Ajv({ strict: true, strictRequired: false, strictTypes: false, allErrors: true }).compile(schema);
console.log(JSON.stringify(documents.map((d) => check(d) ? [] : check.errors.map((e) => e.instancePath + " " + e.message))));
`

func TestTheSchemaAcceptsGoodTwinsAndRefusesWrongOnes(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the schema is not tried on twins")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(root, "node_modules", "ajv")); err != nil {
		t.Skip("node_modules/ajv is not installed, run npm ci: the schema is not tried on twins")
	}
	s, err := schema.Generate(os.DirFS(".."))
	require.NoError(t, err)

	read := func(file string) any {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var doc any
		require.NoError(t, yaml.Load(data, &doc), file)
		return doc
	}
	documents := []any{read(filepath.Join(root, "examples/battery-storage/twin.yaml")), read("../starter/twin.yaml")}
	// Wrong twins that a schema can tell: shape, types, words and names.
	wrong := []string{
		"unknown-key-alone", "missing-required", "missing-section", "wrong-type-text", "wrong-type-number", "wrong-type-vector",
		"twin-name", "asset-name", "property-name", "data-type", "schedule-words", "scene-shape", "scene-color", "scene-icon",
		"alarm-comparison", "connector-settings", "version-unknown", "second-parent", "calibration-method", "window-text",
	}
	for _, name := range wrong {
		documents = append(documents, read("../testdata/invalid/"+name+".yaml"))
	}
	input, err := json.Marshal(map[string]any{"schema": json.RawMessage(s), "documents": documents})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), node, "-e", validate)
	cmd.Dir, cmd.Stdin = root, bytes.NewReader(input)
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var mistakes [][]string
	require.NoError(t, json.Unmarshal(out, &mistakes))
	require.Len(t, mistakes, len(documents))
	assert.Empty(t, mistakes[0], "the example")
	assert.Empty(t, mistakes[1], "the starter")
	for i, name := range wrong {
		assert.NotEmpty(t, mistakes[2+i], "%s passes", name)
	}
}
