package scene

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/livetwin/livetwin/internal/mesh"
	"github.com/livetwin/livetwin/internal/mesh/glb"
)

// A Plan is what a scene shows.
type Plan struct {
	ID     string
	Title  string
	Unit   string // of lengths: m (the default), cm or mm
	Rules  []Rule
	Bodies []Body
	Camera *Camera // by default, all bodies are in view
}

// A Rule chooses an icon, and a colour, by the first statement that holds.
type Rule struct {
	Name       string
	Statements []Statement
}

// A Statement holds while its expression does.
type Statement struct {
	Expression string // such as state_of_health_p50 < 0.8
	Icon       string // Error, Warning, Info or Video
	Color      string // #RRGGBB; may be empty
}

// A Body is a shape or a file at a place.
type Body struct {
	Name     string // unique in the scene
	Title    string
	Entity   string // that it stands for; empty for none
	Shape    string // box, cylinder or sphere; empty when there is a file
	Size     [3]float64
	Color    string // #RRGGBB of a shape
	File     *File
	Position [3]float64 // of the centre
	Rotation [3]float64 // about x, y and z, in degrees
	Tag      *Tag
}

// A Tag shows a property of a component of the body's entity.
type Tag struct {
	Component string
	Property  string
	Rule      string // empty for none
	Icon      string // while no rule decides; Info by default
	Offset    [3]float64
}

// A Camera looks from a position to a target.
type Camera struct {
	Position [3]float64
	Target   [3]float64
}

// defaultColor of shapes: a neutral grey.
const defaultColor = "#8d99a8"

// units are the words of scene documents for units of length.
var units = map[string]string{"": "meters", "m": "meters", "cm": "centimeters", "mm": "millimeters"}

// Build lays a plan out as a scene with its files.
func Build(p Plan) (Scene, error) {
	unit, ok := units[p.Unit]
	if !ok {
		return Scene{}, fmt.Errorf("build scene %s: unit %q: want m, cm or mm", p.ID, p.Unit)
	}
	b := builder{scene: Scene{ID: p.ID, Title: p.Title}, files: map[string]bool{}, rules: map[string]bool{}}
	b.doc = document{SpecVersion: "1.0", Version: "1", Unit: unit, Properties: map[string]any{}, Rules: map[string]ruleMap{}}
	b.doc.Nodes, b.doc.RootNodeIndexes = []docNode{}, []int{}
	for _, r := range p.Rules {
		b.rule(r)
	}
	for _, body := range p.Bodies {
		if err := b.body(body, unit); err != nil {
			return Scene{}, fmt.Errorf("build scene %s: node %s: %w", p.ID, body.Name, err)
		}
	}
	b.lights()
	camera := p.Camera
	if camera == nil {
		camera = overview(p.Bodies)
	}
	b.camera(*camera)
	b.scene.doc = b.doc
	return b.scene, nil
}

type builder struct {
	scene Scene
	doc   document
	files map[string]bool
	rules map[string]bool // rules that also choose a colour
}

// colors is the suffix of the rule that chooses colours.
const colors = "-color"

// rule adds a map of rules for icons, and one for colours when statements have
// some.
func (b *builder) rule(r Rule) {
	icons, shades := ruleMap{Statements: []statement{}}, ruleMap{Statements: []statement{}}
	for _, s := range r.Statements {
		icons.Statements = append(icons.Statements, statement{s.Expression, "iottwinmaker.common.icon:" + s.Icon})
		if s.Color != "" {
			shades.Statements = append(shades.Statements, statement{s.Expression, "iottwinmaker.common.color:" + s.Color})
		}
	}
	b.doc.Rules[r.Name] = icons
	if len(shades.Statements) > 0 {
		b.doc.Rules[r.Name+colors] = shades
		b.rules[r.Name] = true
	}
}

// body adds a node for a body and, below it, one for its tag.
func (b *builder) body(body Body, unit string) error {
	file, err := b.file(body)
	if err != nil {
		return err
	}
	node := docNode{
		Name: body.Name, Transform: placed(body.Position, body.Rotation), TransformConstraint: map[string]any{},
		Children: []int{}, Properties: map[string]any{"livetwin.title": body.Title},
		Components: []any{modelRef{Type: "ModelRef", URI: fileURI(file), ModelType: "GLB", UnitOfMeasure: unit, CastShadow: true, ReceiveShadow: true}},
	}
	if t := body.Tag; t != nil && b.rules[t.Rule] {
		node.Components = append(node.Components, shader{Type: "ModelShader", RuleBasedMapID: t.Rule + colors, ValueDataBinding: bind(body)})
	}
	if body.Entity != "" {
		node.Components = append(node.Components, entityBinding{Type: "EntityBinding", ValueDataBinding: dataBinding{bindingContext{EntityID: body.Entity}}})
	}
	parent := b.root(node)
	if body.Tag == nil {
		return nil
	}
	icon := body.Tag.Icon
	if icon == "" {
		icon = "Info"
	}
	b.doc.Nodes = append(b.doc.Nodes, docNode{
		Name: body.Name + " tag", Transform: placed(body.Tag.Offset, [3]float64{}), TransformConstraint: map[string]any{},
		Children: []int{}, Properties: map[string]any{},
		Components: []any{tag{
			Type: "Tag", Icon: "iottwinmaker.common.icon:" + icon, RuleBasedMapID: body.Tag.Rule, ValueDataBinding: bind(body), Offset: [3]float64{},
			NavLink: map[string]any{"params": map[string]string{"entityId": body.Entity, "componentName": body.Tag.Component}},
		}},
	})
	b.doc.Nodes[parent].Children = append(b.doc.Nodes[parent].Children, len(b.doc.Nodes)-1)
	return nil
}

// root adds a node at the top and returns its index.
func (b *builder) root(n docNode) int {
	b.doc.Nodes = append(b.doc.Nodes, n)
	i := len(b.doc.Nodes) - 1
	b.doc.RootNodeIndexes = append(b.doc.RootNodeIndexes, i)
	return i
}

func bind(body Body) dataBinding {
	return dataBinding{bindingContext{EntityID: body.Entity, ComponentName: body.Tag.Component, PropertyName: body.Tag.Property}}
}

// placed returns the transform of a node: rotation is in radians there.
func placed(position, degrees [3]float64) transform {
	t := transform{Position: position, Scale: [3]float64{1, 1, 1}}
	for i, d := range degrees {
		t.Rotation[i] = d * math.Pi / 180
	}
	return t
}

// file returns the name of a body's file, and adds the file to the scene. A
// name carries a part of the content's hash: files are shared and never change.
func (b *builder) file(body Body) (string, error) {
	stem := body.Shape
	var data []byte
	if body.File != nil {
		stem, data = strings.TrimSuffix(path.Base(body.File.Name), path.Ext(body.File.Name)), body.File.Data
	} else {
		var err error
		if data, err = Shape(body.Shape, body.Size, body.Color); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256(data)
	name := stem + "-" + hex.EncodeToString(sum[:4]) + ".glb"
	if !b.files[name] {
		b.files[name] = true
		b.scene.Files = append(b.scene.Files, File{Name: name, Data: data})
	}
	return name, nil
}

// Shape returns a GLB of a box, cylinder or sphere that fills the given width,
// height and depth. color is #RRGGBB, or empty for a grey.
func Shape(shape string, size [3]float64, color string) ([]byte, error) {
	shapes := map[string]func([3]float64) mesh.Triangles{"box": mesh.Box, "cylinder": mesh.Cylinder, "sphere": mesh.Sphere}
	build, ok := shapes[shape]
	if !ok {
		return nil, fmt.Errorf("shape %q: want box, cylinder or sphere", shape)
	}
	for _, s := range size {
		if !(s > 0) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("size %v of a %s: want lengths above 0", size, shape)
		}
	}
	if color == "" {
		color = defaultColor
	}
	rgb, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 24)
	if err != nil || len(color) != 7 {
		return nil, fmt.Errorf("color %q: want #RRGGBB", color)
	}
	c := glb.Color{R: uint8(rgb >> 16), G: uint8(rgb >> 8 & 0xff), B: uint8(rgb & 0xff)} //nolint:gosec // 24 bits
	return glb.Encode([]glb.Part{{Name: shape, Mesh: build(size), Color: c}})
}
