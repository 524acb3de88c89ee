package glb_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/qmuntal/gltf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/mesh"
	"github.com/livetwin/livetwin/internal/mesh/glb"
)

func parts() []glb.Part {
	return []glb.Part{
		{Name: "floor", Mesh: mesh.Box([3]float64{2, 0.1, 1}), Color: glb.Color{R: 0x5f, G: 0x6b, B: 0x7a}},
		{Name: "tank", Mesh: mesh.Cylinder([3]float64{0.5, 1, 0.4}), Color: glb.Color{R: 255}},
		{Name: "ball", Mesh: mesh.Sphere([3]float64{0.1, 0.2, 0.3}), Color: glb.Color{R: 10, G: 10, B: 10}},
	}
}

func TestAFileHoldsItsParts(t *testing.T) {
	data, err := glb.Encode(parts())
	require.NoError(t, err)
	var doc gltf.Document
	require.NoError(t, gltf.NewDecoder(bytes.NewReader(data)).Decode(&doc))
	var names []string
	for _, i := range doc.Scenes[0].Nodes {
		names = append(names, doc.Nodes[i].Name)
	}
	assert.Equal(t, []string{"floor", "tank", "ball"}, names)
	// sRGB 255 is 1 in linear light, and 10 is 10/255/12.92 (IEC 61966-2-1).
	assert.InDelta(t, 1, doc.Materials[1].PBRMetallicRoughness.BaseColorFactor[0], 1e-9)
	assert.InDelta(t, 10.0/255/12.92, doc.Materials[2].PBRMetallicRoughness.BaseColorFactor[0], 1e-9)
}

func TestEqualPartsMakeEqualBytes(t *testing.T) {
	one, err := glb.Encode(parts())
	require.NoError(t, err)
	two, err := glb.Encode(parts())
	require.NoError(t, err)
	assert.Equal(t, one, two)
}

func TestPartsThatMakeNoFile(t *testing.T) {
	p := parts()[0]
	_, err := glb.Encode([]glb.Part{p, p})
	require.ErrorContains(t, err, `name "floor"`)
	p.Name = ""
	_, err = glb.Encode([]glb.Part{p})
	require.ErrorContains(t, err, "want one of its own")
	_, err = glb.Encode([]glb.Part{{Name: "empty"}})
	require.ErrorContains(t, err, "0 indices")
}

func TestSniff(t *testing.T) {
	data, err := glb.Encode(parts())
	require.NoError(t, err)
	sniff := func(b []byte) error { return glb.Sniff(bytes.NewReader(b), int64(len(b))) }
	require.NoError(t, sniff(data))
	require.ErrorContains(t, sniff(data[:8]), "less than a header")
	require.ErrorContains(t, sniff([]byte("solid cube facet")), `begins with "soli"`)
	require.ErrorContains(t, sniff(data[:len(data)-4]), "its header says")
	old := bytes.Clone(data)
	old[4] = 1
	require.ErrorContains(t, sniff(old), "version 1")
}

// report prints the messages of Khronos' validator for the file on its input.
const report = `
const data = new Uint8Array(require("fs").readFileSync(0));
require("gltf-validator").validateBytes(data).then((r) => { for (const m of r.issues.messages) console.log(m.severity, m.code, m.message, m.pointer); });
`

// TestTheValidatorAcceptsFiles runs Khronos' glTF-Validator: no error, no
// warning, not even a hint.
func TestTheValidatorAcceptsFiles(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: GLB files are not validated")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(root, "node_modules", "gltf-validator")); err != nil {
		t.Skip("node_modules/gltf-validator is not installed, run npm ci: GLB files are not validated")
	}
	data, err := glb.Encode(parts())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), node, "-e", report)
	cmd.Dir, cmd.Stdin = root, bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out))
}
