package assembly_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/assembly"
)

// scope answers from maps.
type scope struct{}

func (scope) Ref(name string) (any, error) {
	switch name {
	case "Name":
		return "value", nil
	case "List":
		return []any{"a", "b"}, nil
	case "AWS::NoValue":
		return assembly.NoValue{}, nil
	}
	return nil, fmt.Errorf("there is no %s", name)
}
func (scope) GetAtt(id, attribute string) (any, error) { return id + "@" + attribute, nil }
func (scope) Import(name string) (any, error)          { return "import " + name, nil }
func (scope) Condition(name string) (bool, error) {
	if name != "Yes" && name != "No" {
		return false, errors.New("no such condition")
	}
	return name == "Yes", nil
}
func (scope) Mapping(name, top, second string) (any, error) { return name + top + second, nil }
func (scope) Zones(region string) ([]any, error)            { return []any{region + "a", region + "b"}, nil }

func (scope) Dynamic(service, key string) (string, error) {
	if service == "ssm" {
		return "stored " + key, nil
	}
	return "", errors.New("not stored")
}

// decode reads JSON as a template is read.
func decode(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	return v
}

// The results are those of the "Intrinsic function reference" of the
// CloudFormation template reference.
func TestResolve(t *testing.T) {
	for in, want := range map[string]string{
		`{"Ref": "Name"}`:                                                `"value"`,
		`{"Fn::GetAtt": ["A", "Arn"]}`:                                   `"A@Arn"`,
		`{"Fn::GetAtt": "A.Endpoint.Port"}`:                              `"A@Endpoint.Port"`,
		`{"Fn::GetAtt": ["A", {"Ref": "Name"}]}`:                         `"A@value"`,
		`{"Fn::Join": [":", ["a", 1, true]]}`:                            `"a:1:true"`,
		`{"Fn::Join": ["", {"Ref": "List"}]}`:                            `"ab"`,
		`{"Fn::Sub": "${Name} ${A.Arn} ${!Kept}"}`:                       `"value A@Arn ${Kept}"`,
		`{"Fn::Sub": ["${X}-${Name}", {"X": {"Ref": "Name"}}]}`:          `"value-value"`,
		`{"Fn::Select": ["1", {"Ref": "List"}]}`:                         `"b"`,
		`{"Fn::Split": [",", "a,b,"]}`:                                   `["a","b",""]`,
		`{"Fn::ImportValue": {"Fn::Sub": "${Name}:Out"}}`:                `"import value:Out"`,
		`{"Fn::GetAZs": ""}`:                                             `["a","b"]`,
		`{"Fn::FindInMap": ["M", {"Ref": "Name"}, "s"]}`:                 `"Mvalues"`,
		`{"Fn::Base64": "hi"}`:                                           `"aGk="`,
		`{"Fn::If": ["Yes", {"Ref": "Name"}, {"Ref": "Missing"}]}`:       `"value"`,
		`{"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]}`:       `false`,
		`{"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]}`:        `true`,
		`{"Fn::Not": [{"Fn::Equals": ["1", 1]}]}`:                        `false`,
		`{"Fn::Contains": [["1", "2"], "2"]}`:                            `true`,
		`{"Fn::Length": {"Ref": "List"}}`:                                `2`,
		`{"Fn::ToJsonString": {"a": {"Ref": "Name"}}}`:                   `"{\"a\":\"value\"}"`,
		`{"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}]}`: `{"b":[]}`,
		`{"Condition": {"StringEquals": {"Ref": "Name"}}}`:               `{"Condition":{"StringEquals":"value"}}`,
		`"x {{resolve:ssm:/p:1}} y"`:                                     `"x stored /p:1 y"`,
		`12345678901234567890`:                                           `12345678901234567890`,
	} {
		got, err := assembly.Resolve(decode(t, in), scope{})
		require.NoError(t, err, in)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(text), in)
	}
}

func TestResolveErrorsNameThePlace(t *testing.T) {
	for in, want := range map[string]string{
		`{"Role": {"Arn": [{"Ref": "Nobody"}]}}`:          "Role: Arn: [0]: Ref: there is no Nobody",
		`{"A": {"Fn::Cidr": ["10.0.0.0/16", 6, 5]}}`:      "A: Fn::Cidr: this intrinsic function is not implemented",
		`{"A": {"Fn::Select": [2, ["a"]]}}`:               "there is no item 2",
		`{"A": {"Fn::Join": ["", [["nested"]]]}}`:         "expected a text",
		`{"A": {"Fn::If": ["Maybe", 1, 2]}}`:              "no such condition",
		`{"A": "{{resolve:secretsmanager:x}}"}`:           "A: {{resolve:secretsmanager:x}}: not stored",
		`{"A": {"Fn::Sub": "${Name} and ${Nobody}"}}`:     "${Nobody}: there is no Nobody",
		`{"A": {"Fn::GetAtt": ["A"]}}`:                    "expected [logical id, attribute]",
		`{"A": {"Fn::Sub": {"Ref": "Name"}}}`:             "expected a text",
		`{"A": {"Fn::Not": ["yes"]}}`:                     "yes is not a condition",
		`{"A": {"Fn::Select": ["one", {"Ref": "List"}]}}`: "is not a number",
	} {
		_, err := assembly.Resolve(decode(t, in), scope{})
		require.ErrorContains(t, err, want, in)
	}
}

func TestReferences(t *testing.T) {
	got := assembly.References(decode(t, `{
		"a": {"Ref": "A"}, "b": [{"Fn::GetAtt": ["B", {"Ref": "C"}]}, {"Fn::GetAtt": "D.Arn"}],
		"s": {"Fn::Sub": ["${E} ${F.Arn} ${!G} ${H}", {"H": {"Ref": "I"}}]},
		"i": {"Fn::If": ["Yes", {"Ref": "J"}, {"Fn::Join": ["", [{"Ref": "K"}]]}]}
	}`))
	assert.Equal(t, []string{"A", "B", "C", "D", "E", "F", "I", "J", "K"}, got)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

func stackArtifact(environment, dependencies string) string {
	return `{"type":"aws:cloudformation:stack","environment":"` + environment + `","properties":{"templateFile":"t.json"},"dependencies":` + dependencies + `}`
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"manifest.json": `{"artifacts":{"A":` + stackArtifact("aws://123456789012/eu-west-1", `["C"]`) + `,"B":` + stackArtifact("aws://unknown-account/unknown-region", `[]`) +
			`,"C":` + stackArtifact("aws://123456789012/eu-west-1", `["B","nothing"]`) + `,"S":{"type":"cdk:cloud-assembly","properties":{"directoryName":"stage"}}}}`,
		"t.json":              `{"Resources":{}}`,
		"stage/manifest.json": `{"artifacts":{"D":` + stackArtifact("aws://123456789012/eu-west-1", `["E"]`) + `,"E":` + stackArtifact("aws://123456789012/eu-west-1", `["E.assets"]`) + `,"E.assets":{"type":"cdk:asset-manifest","properties":{"file":"e.json"}}}}`,
		"stage/t.json":        `{"Resources":{}}`,
		"stage/e.json":        `{"files":{"h":{"source":{"path":"../asset.h","packaging":"zip"},"destinations":{"d":{"bucketName":"assets-${AWS::AccountId}-${AWS::Region}","objectKey":"h.zip"}}}}}`,
	})
	a, err := assembly.Load(dir)
	require.NoError(t, err)
	var order []string
	for _, s := range a.Stacks {
		order = append(order, s.Name)
	}
	assert.Equal(t, []string{"B", "C", "A", "E", "D"}, order)
	asset, ok := a.Asset("assets-123456789012-eu-west-1", "h.zip")
	require.True(t, ok)
	assert.Equal(t, filepath.Join(dir, "asset.h"), asset.Path, "assets of a stage lie beside it")
}

func TestLoadErrors(t *testing.T) {
	good := map[string]string{"t.json": `{"Resources":{"R":{"Type":"T"}}}`}
	one := func(environment, dependencies string) string {
		return `{"artifacts":{"A":` + stackArtifact(environment, dependencies) + `,"B":` + stackArtifact("aws://123456789012/eu-west-1", `["A"]`) + `}}`
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":          {nil, "has no manifest.json"},
		"no stack":         {map[string]string{"manifest.json": `{}`}, "names no stack"},
		"two accounts":     {map[string]string{"manifest.json": one("aws://210987654321/eu-west-1", `[]`)}, "another one for 210987654321"},
		"two regions":      {map[string]string{"manifest.json": one("aws://123456789012/us-east-1", `[]`)}, "one account in one region"},
		"circle":           {map[string]string{"manifest.json": one("aws://123456789012/eu-west-1", `["B"]`)}, "in a circle"},
		"environment":      {map[string]string{"manifest.json": one("here", `[]`)}, `the environment "here" is not`},
		"transform":        {map[string]string{"manifest.json": one("aws://123456789012/eu-west-1", `[]`), "t.json": `{"Transform":"AWS::Serverless-2016-10-31","Resources":{}}`}, "AWS::Serverless-2016-10-31 is not implemented"},
		"unknown section":  {map[string]string{"manifest.json": one("aws://123456789012/eu-west-1", `[]`), "t.json": `{"Hooks":{}}`}, `"Hooks"`},
		"typeless":         {map[string]string{"manifest.json": one("aws://123456789012/eu-west-1", `[]`), "t.json": `{"Resources":{"R":{}}}`}, "the resource R has no Type"},
		"DependsOn":        {map[string]string{"manifest.json": one("aws://123456789012/eu-west-1", `[]`), "t.json": `{"Resources":{"R":{"Type":"T","DependsOn":[1]}}}`}, "the resource R: DependsOn"},
		"CreationPolicy":   {map[string]string{"manifest.json": one("aws://123456789012/eu-west-1", `[]`), "t.json": `{"Resources":{"R":{"Type":"T","CreationPolicy":{}}}}`}, "CreationPolicy"},
		"executable asset": {map[string]string{"manifest.json": `{"artifacts":{"A":` + stackArtifact("aws://123456789012/eu-west-1", `[]`) + `,"M":{"type":"cdk:asset-manifest","properties":{"file":"m.json"}}}}`, "m.json": `{"files":{"h":{"source":{"executable":["make"]}}}}`}, "made by running make"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, good)
			write(t, dir, c.files)
			_, err := assembly.Load(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// bucket keeps what is uploaded.
type bucket map[string][]byte

func (bucket) EnsureBucket(context.Context, string) error { return nil }
func (b bucket) Upload(_ context.Context, name, key string, body io.ReadSeeker) error {
	data, err := io.ReadAll(body)
	b[name+"/"+key] = data
	return err
}

func TestPublish(t *testing.T) {
	publish := func() bucket {
		dir := t.TempDir()
		source := func(path, packaging, key string) string {
			return `{"source":{"path":"` + path + `","packaging":"` + packaging + `"},"destinations":{"d":{"bucketName":"b","objectKey":"` + key + `"}}}`
		}
		write(t, dir, map[string]string{
			"manifest.json": `{"artifacts":{"A":` + stackArtifact("aws://123456789012/eu-west-1", `[]`) + `,"M":{"type":"cdk:asset-manifest","properties":{"file":"m.json"}}}}`,
			"m.json": `{"files":{"c0de":` + source("code", "zip", "c0de.zip") + `,"da7a":` + source("data", "zip", "da7a.zip") + `,"f11e":` +
				source("file.txt", "file", "f11e.txt") + `,"7e":` + source("A.template.json", "file", "7e.json") + `}}`,
			"t.json": `{"Resources":{
				"F":{"Type":"AWS::Lambda::Function","Properties":{"Code":{"S3Bucket":"b","S3Key":"c0de.zip"}}},
				"C":{"Type":"Custom::X","Properties":{"Archive":"da7a.zip"}}}}`,
			"code/bootstrap": "program", "data/a.txt": "a", "data/sub/b.txt": "b", "file.txt": "text", "A.template.json": "{}",
		})
		a, err := assembly.Load(dir)
		require.NoError(t, err)
		out := bucket{}
		require.NoError(t, a.Publish(t.Context(), out))
		return out
	}
	got := publish()
	assert.Len(t, got, 2, "neither templates nor code that runs from its folder")
	assert.Equal(t, "text", string(got["b/f11e.txt"]))
	assert.True(t, bytes.Equal(got["b/da7a.zip"], publish()["b/da7a.zip"]), "the same files give the same bytes")
}
