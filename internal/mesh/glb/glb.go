// Package glb writes meshes as GLB, binary glTF 2.0, and recognises such files.
package glb

import (
	"bytes"
	"fmt"
	"math"

	"github.com/qmuntal/gltf"
	"github.com/qmuntal/gltf/modeler"

	"github.com/livetwin/livetwin/internal/mesh"
)

// A Part is a named mesh of one colour.
type Part struct {
	Name  string // unique in the file: viewers find parts by it
	Mesh  mesh.Triangles
	Color Color
}

// A Color is an sRGB colour.
type Color struct{ R, G, B uint8 }

// linear returns the colour in linear light (IEC 61966-2-1), as glTF takes it.
func (c Color) linear() *[4]float64 {
	channel := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return &[4]float64{channel(c.R), channel(c.G), channel(c.B), 1}
}

// Encode returns the parts as one GLB: the same bytes for the same parts. It
// refuses parts without a triangle and names that are used twice.
func Encode(parts []Part) ([]byte, error) {
	doc := gltf.NewDocument()
	doc.Asset.Generator = "Livetwin"
	names := map[string]bool{}
	for i, p := range parts {
		if p.Name == "" || names[p.Name] {
			return nil, fmt.Errorf("encode GLB: part %d has the name %q: want one of its own", i, p.Name)
		}
		names[p.Name] = true
		if len(p.Mesh.Indices) == 0 || len(p.Mesh.Positions) != len(p.Mesh.Normals) {
			return nil, fmt.Errorf("encode GLB: part %s has %d indices, %d positions and %d normals: want triangles with a normal for each position",
				p.Name, len(p.Mesh.Indices), len(p.Mesh.Positions), len(p.Mesh.Normals))
		}
		doc.Materials = append(doc.Materials, &gltf.Material{
			Name: p.Name,
			PBRMetallicRoughness: &gltf.PBRMetallicRoughness{
				BaseColorFactor: p.Color.linear(), MetallicFactor: new(0.1), RoughnessFactor: new(0.6),
			},
		})
		doc.Meshes = append(doc.Meshes, &gltf.Mesh{Name: p.Name, Primitives: []*gltf.Primitive{{
			Attributes: gltf.PrimitiveAttributes{
				gltf.POSITION: modeler.WritePosition(doc, p.Mesh.Positions),
				gltf.NORMAL:   modeler.WriteNormal(doc, p.Mesh.Normals),
			},
			Indices:  new(modeler.WriteIndices(doc, narrow(p.Mesh.Indices, len(p.Mesh.Positions)))),
			Material: new(i),
		}}})
		doc.Nodes = append(doc.Nodes, &gltf.Node{Name: p.Name, Mesh: new(i)})
		doc.Scenes[0].Nodes = append(doc.Scenes[0].Nodes, i)
	}
	var b bytes.Buffer
	if err := gltf.NewEncoder(&b).Encode(doc); err != nil {
		return nil, fmt.Errorf("encode GLB: %w", err)
	}
	return b.Bytes(), nil
}

// narrow returns indices of 16 bits where they suffice.
func narrow(indices []uint32, positions int) any {
	if positions > math.MaxUint16 {
		return indices
	}
	short := make([]uint16, len(indices))
	for i, v := range indices {
		short[i] = uint16(v) //nolint:gosec // less than positions
	}
	return short
}
