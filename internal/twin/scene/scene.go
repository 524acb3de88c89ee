// Package scene writes scenes of AWS IoT TwinMaker: the scene document of its
// viewers, specVersion 1.0, and the 3D files that it refers to.
package scene

// A Scene is a compiled scene.
type Scene struct {
	ID    string
	Title string
	Files []File // 3D files that nodes refer to, each once

	doc document
}

// A File is a 3D file of a scene.
type File struct {
	Name string // unique in the twin, such as cylinder-0a1b2c3d.glb
	Data []byte // a GLB
}

// Document returns the scene's JSON. uri gives the address at which viewers
// find a file of the scene by its name, such as s3://bucket/key.
func (s Scene) Document(uri func(file string) string) ([]byte, error) {
	return s.doc.encode(uri)
}
