// Package mesh is geometry made of triangles. Formats that hold it live in the
// folders below.
package mesh

// Triangles is an indexed mesh. Coordinates are right-handed with y up, in the
// unit of the scene; three indices make a triangle, counter-clockwise seen from
// outside. Normals have length 1 and belong to the position of their index.
type Triangles struct {
	Positions [][3]float32
	Normals   [][3]float32
	Indices   []uint32
}

// vertex adds a position and its normal, and returns its index.
func (t *Triangles) vertex(position, normal [3]float64) uint32 {
	i := uint32(len(t.Positions)) //nolint:gosec // shapes have some hundred vertices
	t.Positions = append(t.Positions, single(position))
	t.Normals = append(t.Normals, single(unit(normal)))
	return i
}

// face adds triangles.
func (t *Triangles) face(indices ...uint32) { t.Indices = append(t.Indices, indices...) }

func single(v [3]float64) [3]float32 {
	return [3]float32{float32(v[0]), float32(v[1]), float32(v[2])}
}
