package scene_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/mesh/glb"
	"github.com/livetwin/livetwin/internal/twin/scene"
)

func plan() scene.Plan {
	tag := func() *scene.Tag {
		return &scene.Tag{Component: "wear", Property: "efficiency_p50", Rule: "worn", Offset: [3]float64{0, 1, 0}}
	}
	return scene.Plan{
		ID: "overview", Title: "Pumps",
		Rules: []scene.Rule{{Name: "worn", Statements: []scene.Statement{
			{Expression: "efficiency_p50 < 0.5", Icon: "Error", Color: "#d13212"},
			{Expression: "efficiency_p50 >= 0.5", Icon: "Info"},
		}}},
		Bodies: []scene.Body{
			{Name: "floor", Title: "floor", Shape: "box", Size: [3]float64{4, 0.1, 2}},
			{Name: "pump-1", Title: "First", Entity: "pump-1", Shape: "cylinder", Size: [3]float64{0.5, 1, 0.5}, Color: "#2ea597", Position: [3]float64{-1, 0.5, 0}, Rotation: [3]float64{0, 90, 0}, Tag: tag()},
			{Name: "pump-2", Title: "Second", Entity: "pump-2", Shape: "cylinder", Size: [3]float64{0.5, 1, 0.5}, Color: "#2ea597", Position: [3]float64{1, 0.5, 0}, Tag: tag()},
		},
	}
}

func uri(file string) string { return "s3://bucket/scenes/" + file }

func TestDocument(t *testing.T) {
	s, err := scene.Build(plan())
	require.NoError(t, err)
	doc, err := s.Document(uri)
	require.NoError(t, err)
	golden.JSON(t, "testdata/scene.golden.json", doc)
	again, err := s.Document(uri)
	require.NoError(t, err)
	assert.Equal(t, doc, again)
	assert.Contains(t, string(doc), `"efficiency_p50 < 0.5"`, "rules are read by people")
}

// TestDocumentsHoldTogether checks what is fatal in TwinMaker's viewers: an
// index or a rule that does not exist, and a node without a name of its own.
func TestDocumentsHoldTogether(t *testing.T) {
	s, err := scene.Build(plan())
	require.NoError(t, err)
	data, err := s.Document(uri)
	require.NoError(t, err)
	var doc struct {
		SpecVersion     string
		RootNodeIndexes []int
		Cameras         []any
		Rules           map[string]struct {
			Statements []struct{ Expression, Target string }
		}
		Nodes []struct {
			Name       string
			Children   []int
			Components []struct {
				Type           string
				URI            string
				RuleBasedMapID string `json:"ruleBasedMapId"`
				CameraIndex    int
			}
		}
	}
	require.NoError(t, json.Unmarshal(data, &doc))
	assert.Equal(t, "1.0", doc.SpecVersion)
	parents := make([]int, len(doc.Nodes))
	for _, i := range doc.RootNodeIndexes {
		parents[i]++
	}
	files := map[string]bool{}
	for _, f := range s.Files {
		files[uri(f.Name)] = true
		require.NoError(t, glb.Sniff(bytes.NewReader(f.Data), int64(len(f.Data))))
	}
	names := map[string]bool{}
	for _, n := range doc.Nodes {
		assert.False(t, names[n.Name], "%s is the name of two nodes", n.Name)
		names[n.Name] = true
		for _, c := range n.Children {
			parents[c]++
		}
		for _, c := range n.Components {
			if c.RuleBasedMapID != "" {
				assert.Contains(t, doc.Rules, c.RuleBasedMapID)
			}
			if c.Type == "ModelRef" {
				assert.True(t, files[c.URI], "%s is no file of the scene", c.URI)
			}
			if c.Type == "Camera" {
				assert.Less(t, c.CameraIndex, len(doc.Cameras))
			}
		}
	}
	for i, n := range parents {
		assert.Equal(t, 1, n, "node %s has %d parents", doc.Nodes[i].Name, n)
	}
	assert.Equal(t, "iottwinmaker.common.icon:Error", doc.Rules["worn"].Statements[0].Target)
	assert.Equal(t, "iottwinmaker.common.color:#d13212", doc.Rules["worn-color"].Statements[0].Target)
	assert.Len(t, s.Files, 2, "equal shapes share a file")
}

// TestTheCameraLooksAtItsTarget turns the direction -z by the camera's Euler
// angles (three.js, order XYZ: R = Rx Ry Rz).
func TestTheCameraLooksAtItsTarget(t *testing.T) {
	p := plan()
	for _, c := range []scene.Camera{
		{Position: [3]float64{3, 4, 5}, Target: [3]float64{0, 0.5, 0}},
		{Position: [3]float64{-2, 1, 3}, Target: [3]float64{1, 2, 0}},
		{Position: [3]float64{0, 0, 9}},
	} {
		p.Camera = &c
		s, err := scene.Build(p)
		require.NoError(t, err)
		data, err := s.Document(uri)
		require.NoError(t, err)
		var doc struct {
			Nodes []struct {
				Name      string
				Transform struct{ Position, Rotation [3]float64 }
			}
		}
		require.NoError(t, json.Unmarshal(data, &doc))
		node := doc.Nodes[len(doc.Nodes)-1]
		require.Equal(t, "camera overview", node.Name)
		assert.Equal(t, c.Position, node.Transform.Position)
		x, y := node.Transform.Rotation[0], node.Transform.Rotation[1]
		looks := [3]float64{-math.Sin(y), math.Sin(x) * math.Cos(y), -math.Cos(x) * math.Cos(y)}
		distance := math.Sqrt(sq(c.Target[0]-c.Position[0]) + sq(c.Target[1]-c.Position[1]) + sq(c.Target[2]-c.Position[2]))
		for i := range 3 {
			assert.InDelta(t, c.Target[i], c.Position[i]+distance*looks[i], 1e-9)
		}
	}
}

func sq(x float64) float64 { return x * x }

func TestFilesOfAModelKeepTheirBytes(t *testing.T) {
	data, err := scene.Shape("sphere", [3]float64{1, 1, 1}, "#ffffff")
	require.NoError(t, err)
	s, err := scene.Build(scene.Plan{ID: "one", Bodies: []scene.Body{{Name: "a", File: &scene.File{Name: "models/tank.glb", Data: data}}}})
	require.NoError(t, err)
	require.Len(t, s.Files, 1)
	assert.Equal(t, data, s.Files[0].Data)
	assert.Regexp(t, `^tank-[0-9a-f]{8}\.glb$`, s.Files[0].Name)
}

func TestPlansThatMakeNoScene(t *testing.T) {
	for want, body := range map[string]scene.Body{
		`shape "cone"`:   {Name: "a", Shape: "cone", Size: [3]float64{1, 1, 1}},
		"lengths above":  {Name: "a", Shape: "box", Size: [3]float64{1, 0, 1}},
		`color "red"`:    {Name: "a", Shape: "box", Size: [3]float64{1, 1, 1}, Color: "red"},
		`color "#12345"`: {Name: "a", Shape: "box", Size: [3]float64{1, 1, 1}, Color: "#12345"},
	} {
		_, err := scene.Build(scene.Plan{ID: "x", Bodies: []scene.Body{body}})
		require.ErrorContains(t, err, want)
	}
	_, err := scene.Build(scene.Plan{ID: "x", Unit: "ft"})
	assert.ErrorContains(t, err, "want m, cm or mm")
}
