package mesh_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/internal/mesh"
)

type vector [3]float64

func at(v [3]float32) vector { return vector{float64(v[0]), float64(v[1]), float64(v[2])} }

func (a vector) minus(b vector) vector { return vector{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func (a vector) dot(b vector) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (a vector) cross(b vector) vector {
	return vector{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// volume is that of a closed surface whose triangles face outwards: the sum of
// the signed volumes of the tetrahedra to the origin (divergence theorem).
func volume(m mesh.Triangles) float64 {
	sum := 0.0
	for i := 0; i < len(m.Indices); i += 3 {
		a, b, c := at(m.Positions[m.Indices[i]]), at(m.Positions[m.Indices[i+1]]), at(m.Positions[m.Indices[i+2]])
		sum += a.dot(b.cross(c)) / 6
	}
	return sum
}

// TestShapesAreClosedAndFaceOutwards compares volumes with those of solids
// whose circles are polygons of 32 sides, and sees that normals fit faces.
func TestShapesAreClosedAndFaceOutwards(t *testing.T) {
	const sides = 32
	polygon := sides * math.Sin(2*math.Pi/sides) / 2 // area in a circle of radius 1
	shapes := map[string]struct {
		build func([3]float64) mesh.Triangles
		share func() float64 // of the box that the shape fills
		delta float64
	}{
		"box":      {mesh.Box, func() float64 { return 1 }, 1e-6},
		"cylinder": {mesh.Cylinder, func() float64 { return polygon / 4 }, 1e-6},
		// A ball's share is π/6; facets of 11.25° leave about 2 % of it out.
		"sphere": {mesh.Sphere, func() float64 { return math.Pi / 6 }, 0.03},
	}
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				length := rapid.Float64Range(0.01, 100)
				size := [3]float64{length.Draw(t, "width"), length.Draw(t, "height"), length.Draw(t, "depth")}
				m := s.build(size)
				require.Len(t, m.Normals, len(m.Positions))
				require.Zero(t, len(m.Indices)%3)
				box := size[0] * size[1] * size[2]
				assert.InDelta(t, s.share(), volume(m)/box, s.delta)
				var low, high vector
				for i, p := range m.Positions {
					n := at(m.Normals[i])
					assert.InDelta(t, 1, n.dot(n), 1e-5, "length of a normal")
					for axis, x := range at(p) {
						low[axis], high[axis] = min(low[axis], x), max(high[axis], x)
					}
				}
				for axis := range 3 {
					assert.InEpsilon(t, size[axis], high[axis]-low[axis], 1e-5, "extent")
				}
				for i := 0; i < len(m.Indices); i += 3 {
					a, b, c := at(m.Positions[m.Indices[i]]), at(m.Positions[m.Indices[i+1]]), at(m.Positions[m.Indices[i+2]])
					face := b.minus(a).cross(c.minus(a))
					assert.Positive(t, face.dot(at(m.Normals[m.Indices[i]])), "a face against its normal")
				}
			})
		})
	}
}
