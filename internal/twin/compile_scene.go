package twin

import (
	"github.com/livetwin/livetwin/internal/twin/scene"
)

// compileScene writes a scene's document and its 3D files.
func (a *analysis) compileScene(name string) (scene.Scene, error) {
	s, _ := a.t.Scenes.Get(name)
	plan := scene.Plan{ID: name, Title: titleOr(s.Title, name), Unit: s.Unit}
	for rule, statements := range s.Rules.All() {
		r := scene.Rule{Name: rule}
		for _, x := range statements {
			r.Statements = append(r.Statements, scene.Statement{Expression: x.Expression, Icon: x.Icon, Color: x.Color})
		}
		plan.Rules = append(plan.Rules, r)
	}
	for _, n := range s.Nodes {
		for i, body := range a.t.bodies(n) {
			plan.Bodies = append(plan.Bodies, a.body(n, body, i, *a.scenes[name]))
		}
	}
	if s.Camera != nil {
		plan.Camera = &scene.Camera{Position: s.Camera.Position, Target: s.Camera.Target}
	}
	return scene.Build(plan)
}

// body returns the i-th body of a node.
func (a *analysis) body(n Node, name string, i int, files sceneFiles) scene.Body {
	b := scene.Body{Name: name, Title: name, Shape: n.Shape, Color: n.Color}
	if n.Model != "" {
		b.File = &scene.File{Name: n.Model, Data: files[n.Model]}
	}
	if n.Size != nil {
		b.Size = *n.Size
	}
	if n.At != nil {
		b.Position = *n.At
	}
	if n.Step != nil {
		for axis := range b.Position {
			b.Position[axis] += float64(i) * n.Step[axis]
		}
	}
	if n.Rotate != nil {
		b.Rotation = *n.Rotate
	}
	if n.Name != "" {
		return b
	}
	asset, _ := a.t.Assets.Get(name)
	b.Title, b.Entity = titleOr(asset.Title, name), name
	if n.Tag != nil {
		b.Tag = &scene.Tag{Component: n.Tag.Component, Property: n.Tag.Property, Rule: n.Tag.Rule, Icon: n.Tag.Icon}
		if n.Tag.Offset != nil {
			b.Tag.Offset = *n.Tag.Offset
		}
	}
	return b
}
