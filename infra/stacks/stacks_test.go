package stacks_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/infra/stacks"
	"github.com/livetwin/livetwin/infra/stage"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

const root = "../.." // of the repository

// A template is a synthesised template.
type template struct {
	Resources  map[string]resource
	Parameters map[string]map[string]any
	Outputs    map[string]any
}

type resource struct {
	Type                string
	Properties          map[string]any
	DependsOn           any
	DeletionPolicy      string
	UpdateReplacePolicy string
}

// A synthesised deployment: its templates by stack (telemetry, …), and the
// folder of its cloud assembly.
type synthesised struct {
	deployment deployment.Deployment
	templates  map[string]template
	raw        map[string]string
	folder     string
	findings   []string // errors and warnings of the library and of cdk-nag
}

var (
	mu    sync.Mutex
	cache = map[string]*synthesised{}
	work  string
)

func TestMain(m *testing.M) {
	var err error
	if work, err = os.MkdirTemp("", "stacks"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(work)
	os.Exit(code) // no jsii.Close: it races with itself
}

// example is the example twin on a stage, synthesised once for the package.
func example(t *testing.T, name string) *synthesised {
	t.Helper()
	st, err := stage.Load(name)
	require.NoError(t, err)
	if name == "local" {
		st.Architecture = stage.X86 // whatever machine the test runs on
	}
	return synth(t, name, st, compile(t, filepath.Join(root, "examples/battery-storage/twin.yaml")))
}

func compile(t *testing.T, file string) *twin.Compiled {
	t.Helper()
	definition, err := twin.Load(file, twin.WithModels(all.Describe))
	require.NoError(t, err)
	compiled, err := definition.Compile()
	require.NoError(t, err)
	return compiled
}

// synth synthesises a twin as the app does, with stubs for what make builds:
// a test needs a clean tree only.
func synth(t *testing.T, name string, st stage.Stage, compiled *twin.Compiled) *synthesised {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if s, ok := cache[name]; ok {
		return s
	}
	d := deployment.Deployment{Twin: compiled, Stage: st, Build: filepath.Join(work, "build")}
	stubs(t, d)
	require.NoError(t, stacks.Check(d))

	out := filepath.Join(work, "out-"+name)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(out), Context: flags(t)})
	stacks.Guard(app)
	telemetry := stacks.NewTelemetry(app, d)
	recalibration, err := stacks.NewRecalibration(app, d, telemetry)
	require.NoError(t, err)
	connectors := stacks.NewConnectors(app, d, recalibration)
	last, err := stacks.NewTwin(app, d, recalibration, connectors)
	require.NoError(t, err)
	app.Synth(nil)

	s := &synthesised{deployment: d, templates: map[string]template{}, raw: map[string]string{}, folder: out}
	for what, stack := range map[string]awscdk.Stack{
		"telemetry": telemetry.Stack, "recalibration": recalibration.Stack, "connectors": connectors.Stack, "twin": last.Stack,
	} {
		if stack == nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(out, d.Name(what)+".template.json"))
		require.NoError(t, err)
		var tmpl template
		require.NoError(t, json.Unmarshal(data, &tmpl))
		s.templates[what], s.raw[what] = tmpl, string(data)
		s.findings = append(s.findings, findings(t, filepath.Join(out, *stack.StackName()+".metadata.json"))...)
	}
	cache[name] = s
	return s
}

// findings reads the errors and warnings that synthesis left about a stack.
func findings(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var metadata map[string][]struct {
		Type string
		Data any
	}
	require.NoError(t, json.Unmarshal(data, &metadata))
	var found []string
	for path, entries := range metadata {
		for _, e := range entries {
			if e.Type == "aws:cdk:error" || e.Type == "aws:cdk:warning" {
				found = append(found, fmt.Sprintf("%s: %v", path, e.Data))
			}
		}
	}
	return found
}

// flags is the context of cdk.json, so that tests see what synthesis makes.
func flags(t *testing.T) *map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	require.NoError(t, err)
	var config struct{ Context map[string]any }
	require.NoError(t, json.Unmarshal(data, &config))
	return &config.Context
}

// stubs makes the folders that assets are taken from.
func stubs(t *testing.T, d deployment.Deployment) {
	t.Helper()
	write := func(file, content string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	for _, name := range []string{"plan-recalibration", "collect-outcomes", "publish-predictions", "complete-deployment", "connector-calibration"} {
		write(filepath.Join(d.Lambda(name), "bootstrap"), name+" for "+d.Stage.Architecture)
	}
	write(filepath.Join(d.Image("calibrate"), "Dockerfile"), "FROM scratch\n")
	write(filepath.Join(d.Image("calibrate"), "calibrate"), "calibrate for "+d.Stage.Architecture)
}

// of yields the resources of a type in every template.
func (s *synthesised) of(typ string) map[string]resource {
	found := map[string]resource{}
	for what, tmpl := range s.templates {
		for id, r := range tmpl.Resources {
			if r.Type == typ {
				found[what+"/"+id] = r
			}
		}
	}
	return found
}

// at returns what is below a path of keys, nil when there is nothing.
func at(v any, path ...string) any {
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func TestSynthesisIsClean(t *testing.T) {
	for _, name := range stage.Names() {
		assert.Empty(t, example(t, name).findings, name)
	}
}

// What a twin needs not has no resources: no connector, calibration or scene.
func TestSmallTwins(t *testing.T) {
	small := overrides(t)
	assert.Empty(t, small.findings)
	assert.Empty(t, small.of("AWS::Scheduler::Schedule"))
	assert.Empty(t, small.of("AWS::IoTTwinMaker::Scene"))
}

func TestUnknownConnectorsAreRefused(t *testing.T) {
	compiled := *compile(t, filepath.Join(root, "examples/battery-storage/twin.yaml"))
	compiled.Connectors = []string{"calibration", "historian"}
	st, err := stage.Load("local")
	require.NoError(t, err)
	err = stacks.Check(deployment.Deployment{Twin: &compiled, Stage: st})
	assert.EqualError(t, err, "connectors: historian: there is no such data connector; expected one of calibration")
}

func TestLongNamesAreRefused(t *testing.T) {
	compiled := *compile(t, filepath.Join(root, "examples/battery-storage/twin.yaml"))
	compiled.Name = strings.Repeat("a", 30)
	st, err := stage.Load("local")
	require.NoError(t, err)
	err = stacks.Check(deployment.Deployment{Twin: &compiled, Stage: st})
	assert.ErrorContains(t, err, "has 66 characters and AWS allows 64; shorten the twin's name by 2")
}
