package mesh

import "math"

// segments is how many sides stand for a circle. The outline of a polygon of n
// sides leaves a circle of radius r by r(1−cos π/n): 0.5 % for 32.
const segments = 32

func unit(v [3]float64) [3]float64 {
	n := math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2])
	return [3]float64{v[0] / n, v[1] / n, v[2] / n}
}

// Box returns a box around the origin with the given width (x), height (y) and
// depth (z).
func Box(size [3]float64) Triangles {
	var t Triangles
	for axis := range 3 {
		u, v := (axis+1)%3, (axis+2)%3
		for _, side := range []float64{1, -1} {
			var corners [4]uint32
			for i, at := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
				var p, n [3]float64
				p[axis], p[u], p[v] = side*size[axis]/2, side*at[0]*size[u]/2, at[1]*size[v]/2
				n[axis] = side
				corners[i] = t.vertex(p, n)
			}
			t.face(corners[0], corners[1], corners[2], corners[0], corners[2], corners[3])
		}
	}
	return t
}

// Cylinder returns an upright cylinder around the origin that fills a box of
// the given width, height and depth.
func Cylinder(size [3]float64) Triangles {
	var t Triangles
	rx, rz, half := size[0]/2, size[2]/2, size[1]/2
	circle := func(i int) (x, z float64) {
		sin, cos := math.Sincos(2 * math.Pi * float64(i%segments) / segments)
		return cos, sin
	}
	for i := range segments + 1 {
		x, z := circle(i)
		normal := [3]float64{x / rx, 0, z / rz}
		bottom := t.vertex([3]float64{rx * x, -half, rz * z}, normal)
		t.vertex([3]float64{rx * x, half, rz * z}, normal)
		if i < segments {
			t.face(bottom, bottom+1, bottom+3, bottom, bottom+3, bottom+2)
		}
	}
	for _, side := range []float64{1, -1} {
		normal := [3]float64{0, side, 0}
		centre := t.vertex([3]float64{0, side * half, 0}, normal)
		for i := range segments {
			x, z := circle(i)
			t.vertex([3]float64{rx * x, side * half, rz * z}, normal)
		}
		for i := range uint32(segments) {
			this, next := centre+1+i, centre+1+(i+1)%segments
			if side > 0 {
				this, next = next, this
			}
			t.face(centre, this, next)
		}
	}
	return t
}

// Sphere returns an ellipsoid around the origin that fills a box of the given
// width, height and depth.
func Sphere(size [3]float64) Triangles {
	const rings = segments / 2
	var t Triangles
	r := [3]float64{size[0] / 2, size[1] / 2, size[2] / 2}
	vertex := func(ring, i int) uint32 {
		sinT, cosT := math.Sincos(math.Pi * float64(ring) / rings)
		sinP, cosP := math.Sincos(2 * math.Pi * float64(i%segments) / segments)
		n := [3]float64{sinT * cosP, cosT, sinT * sinP}
		return t.vertex([3]float64{r[0] * n[0], r[1] * n[1], r[2] * n[2]}, [3]float64{n[0] / r[0], n[1] / r[1], n[2] / r[2]})
	}
	top := vertex(0, 0)
	for ring := 1; ring < rings; ring++ {
		for i := range segments + 1 {
			vertex(ring, i)
		}
	}
	bottom := vertex(rings, 0)
	row := func(ring int) uint32 { return top + 1 + uint32((ring-1)*(segments+1)) } //nolint:gosec // at most 16 rings of 33
	for i := range uint32(segments) {
		t.face(top, row(1)+i+1, row(1)+i)
		for ring := 1; ring < rings-1; ring++ {
			a, b := row(ring)+i, row(ring+1)+i
			t.face(a, a+1, b+1, a, b+1, b)
		}
		t.face(bottom, row(rings-1)+i, row(rings-1)+i+1)
	}
	return t
}
