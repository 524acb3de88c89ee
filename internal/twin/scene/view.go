package scene

import "math"

// lights adds a light from the sky and one from the side.
func (b *builder) lights() {
	b.light("sky", light{Type: "Light", LightType: "Hemisphere", LightSettings: map[string]any{"color": "#ffffff", "groundColor": "#444444", "intensity": 1.2}}, [3]float64{})
	b.light("sun", light{Type: "Light", LightType: "Directional", LightSettings: map[string]any{"color": "#ffffff", "intensity": 1.5, "castShadow": true}}, [3]float64{5, 10, 7})
}

func (b *builder) light(name string, l light, position [3]float64) {
	b.root(docNode{
		Name: "light " + name, Transform: placed(position, [3]float64{}), TransformConstraint: map[string]any{},
		Children: []int{}, Properties: map[string]any{}, Components: []any{l},
	})
}

// fieldOfView of cameras, vertical, in degrees: that of a 50 mm lens before a
// sensor of 50 mm, the default of TwinMaker's viewer.
const fieldOfView = 53.13

// camera adds a camera that looks at its target. Cameras look along -z:
// rotating them by x, then y (Euler order XYZ of three.js applied as R = Rx Ry)
// turns -z to (-sin y, sin x cos y, -cos x cos y).
func (b *builder) camera(c Camera) {
	var d [3]float64
	for i := range d {
		d[i] = c.Target[i] - c.Position[i]
	}
	n := math.Sqrt(d[0]*d[0] + d[1]*d[1] + d[2]*d[2])
	rotation := [3]float64{math.Atan2(d[1], -d[2]), math.Asin(math.Max(-1, math.Min(1, -d[0]/n))), 0}
	b.doc.Cameras = []camera{{CameraType: "Perspective", FOV: fieldOfView, Near: n / 1000, Far: n * 1000, Zoom: 1}}
	b.root(docNode{
		Name: "camera overview", Transform: transform{Position: c.Position, Rotation: rotation, Scale: [3]float64{1, 1, 1}},
		TransformConstraint: map[string]any{}, Children: []int{}, Properties: map[string]any{},
		Components: []any{cameraRef{Type: "Camera", CameraIndex: 0}},
	})
}

// overview returns a camera in front of and above all bodies.
func overview(bodies []Body) *Camera {
	low := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	high := [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for _, body := range bodies {
		for i := range 3 {
			half := math.Max(body.Size[i]/2, 0.5*math.SmallestNonzeroFloat32)
			low[i] = math.Min(low[i], body.Position[i]-half)
			high[i] = math.Max(high[i], body.Position[i]+half)
		}
	}
	c := Camera{}
	radius := 0.0
	for i := range 3 {
		c.Target[i] = (low[i] + high[i]) / 2
		radius = math.Hypot(radius, (high[i]-low[i])/2)
	}
	if radius < 1e-6 {
		radius = 1
	}
	// A sphere of the radius fills the view at radius / sin(fov / 2); half as
	// much again leaves room for tags.
	distance := 1.5 * radius / math.Sin(fieldOfView/2*math.Pi/180)
	sin, cos := math.Sincos(25 * math.Pi / 180)
	c.Position = [3]float64{c.Target[0], c.Target[1] + distance*sin, c.Target[2] + distance*cos}
	return &c
}
