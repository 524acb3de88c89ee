package twin_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/internal/twin/definition"
	"github.com/livetwin/livetwin/internal/twin/scene"
)

// everything returns the twin that uses every key, in a folder with its model.
func everything(t *testing.T) *twin.Twin {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	cube, err := scene.Shape("box", [3]float64{1, 1, 1}, "")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "models"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "models", "cube.glb"), cube, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "twin.yaml"), text, 0o600))
	tw, err := twin.Load(filepath.Join(dir, "twin.yaml"))
	require.NoError(t, err)
	return tw
}

func compile(t *testing.T, tw *twin.Twin) *twin.Compiled {
	t.Helper()
	c, err := tw.Compile()
	require.NoError(t, err)
	return c
}

// TestCompiled keeps what deployment gets of two twins, without their scenes.
func TestCompiled(t *testing.T) {
	example, err := twin.Load(example, twin.WithModels(all.Describe))
	require.NoError(t, err)
	for name, tw := range map[string]*twin.Twin{"example": example, "everything": everything(t)} {
		t.Run(name, func(t *testing.T) {
			c := compile(t, tw)
			c.Scenes = nil
			golden.JSON(t, "testdata/"+name+".compiled.golden.json", c)
		})
	}
}

func TestCompilingTwiceGivesTheSame(t *testing.T) {
	tw := everything(t)
	one, two := compile(t, tw), compile(t, tw)
	assert.Equal(t, one, two)
	a, err := one.Definition.JSON()
	require.NoError(t, err)
	b, err := two.Definition.JSON()
	require.NoError(t, err)
	assert.True(t, bytes.Equal(a, b))
}

// TestResourcesComeAfterWhatTheyReferTo: CloudFormation needs a child's id
// where its parent is written, TwinMaker a parent's id where its child is.
func TestResourcesComeAfterWhatTheyReferTo(t *testing.T) {
	c := compile(t, everything(t))
	seen := map[string]bool{}
	for _, m := range c.AssetModels {
		for _, h := range m.Hierarchies {
			assert.True(t, seen["model "+h.ChildModel], "%s comes before %s", m.Name, h.ChildModel)
		}
		seen["model "+m.Name] = true
	}
	for _, a := range c.Assets {
		for _, child := range a.Children {
			assert.True(t, seen["asset "+child.Asset], "%s comes before %s", a.Name, child.Asset)
		}
		seen["asset "+a.Name] = true
	}
	types := map[string]bool{twin.SiteWiseConnectorType: true}
	for _, ct := range c.ComponentTypes {
		types[ct.ID] = true
	}
	for _, e := range c.Entities {
		assert.True(t, e.Parent == "" || seen["entity "+e.Parent], "%s comes before %s", e.ID, e.Parent)
		seen["entity "+e.ID] = true
		for _, component := range e.Components {
			for _, p := range component.Properties {
				for _, target := range p.Targets {
					assert.True(t, seen["entity "+target], "%s comes before %s", e.ID, target)
				}
			}
			assert.True(t, types[component.Type], "component %s has the unknown type %s", component.Name, component.Type)
		}
	}
}

func TestFormulasCarryConstantsAndVariables(t *testing.T) {
	c := compile(t, everything(t))
	property := func(model, name string) twin.CompiledProperty {
		for _, m := range c.AssetModels {
			for _, p := range m.Properties {
				if m.Name == model && p.Name == name {
					return p
				}
			}
		}
		t.Fatalf("no %s.%s", model, name)
		return twin.CompiledProperty{}
	}
	p := property("pump", "fahrenheit")
	assert.Equal(t, "outside * 1.8 + 32", p.Expression)
	assert.Equal(t, []twin.FormulaVar{{Name: "outside", Property: "outside"}}, p.Variables)
	p = property("line", "total_power")
	assert.Equal(t, "sum(pump_power) * 1", p.Expression)
	assert.Equal(t, []twin.FormulaVar{{Name: "pump_power", Hierarchy: "pumps", Property: "power"}}, p.Variables)
	assert.Equal(t, "1h", p.Window)
	assert.Equal(t, "30m", p.Offset)
	assert.Equal(t, definition.Published, property("pump", "efficiency_p10").Kind)
}

func TestEveryKeySurvivesMarshal(t *testing.T) {
	tw := everything(t)
	text, err := tw.Marshal()
	require.NoError(t, err)
	source, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	for line := range strings.SplitSeq(string(source), "\n") {
		if key, _, ok := strings.Cut(strings.TrimLeft(line, " -{"), ":"); ok && !strings.HasPrefix(key, "#") {
			assert.Contains(t, string(text), key+":")
		}
	}
	file := filepath.Join(t.TempDir(), "twin.yaml")
	text = bytes.ReplaceAll(text, []byte("model: models/cube.glb"), []byte("shape: box, size: [1, 1, 1]"))
	require.NoError(t, os.WriteFile(file, text, 0o600))
	again, err := twin.Load(file)
	require.NoError(t, err, "%s", text)
	want, got := compile(t, tw), compile(t, again)
	want.Scenes, got.Scenes = nil, nil
	assert.Equal(t, want, got)
}

func TestATwinThatCannotBeRead(t *testing.T) {
	_, err := twin.Load(filepath.Join(t.TempDir(), "twin.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestDurations(t *testing.T) {
	for text, seconds := range map[string]float64{"90s": 90, "15m": 900, "1h30m": 5400, "7d": 604800, "1w": 604800, "2w1d": 1296000, "0s": 0} {
		d, err := twin.ParseDuration(text)
		require.NoError(t, err, text)
		assert.InDelta(t, seconds, d.Seconds(), 0)
		again, err := twin.ParseDuration(d.String())
		require.NoError(t, err)
		assert.Equal(t, d, again, d.String())
	}
	for _, text := range []string{"", "15", "m", "1.5h", "-1h", "1m1h", "1h1h", "1y", "99999999999w", "999999999w", "1h "} {
		_, err := twin.ParseDuration(text)
		assert.ErrorContains(t, err, "15m", "%q", text)
	}
}
