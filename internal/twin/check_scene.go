package twin

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/internal/mesh/glb"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

var (
	colorPattern     = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	statementPattern = regexp.MustCompile(`^([a-z][a-z0-9_]*) *(<=|>=|==|!=|<|>) *(?:(-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|'([^'\\]*)'|"([^"\\]*)")$`)
	icons            = []string{"Error", "Warning", "Info", "Video"}
	shapes           = []string{"box", "cylinder", "sphere"}
	sceneUnits       = []string{"m", "cm", "mm"}
)

// maxModel is the largest 3D file that a scene takes, in bytes: unique files
// of scenes may have 100 MB.
const maxModel = 100_000_000

// sceneFiles are the 3D files that a scene names, by name.
type sceneFiles map[string][]byte

func (a *analysis) checkScenes() {
	for name, s := range a.t.Scenes.All() {
		p := path("scenes").at(name)
		a.name(p, "a scene", name, sceneName, a.source.key)
		a.text(p.at("title"), s.Title)
		a.choice(p.at("unit"), s.Unit, sceneUnits...)
		files := sceneFiles{}
		a.scenes[name] = &files
		for rule, statements := range s.Rules.All() {
			a.checkRule(p.at("rules", rule), rule, statements)
		}
		if len(s.Nodes) == 0 {
			a.reportValue(p.at("nodes"), fmt.Sprintf("%s is empty", p.at("nodes")), "at least one node", "")
		}
		for i, n := range s.Nodes {
			a.checkNode(p.at("nodes").index(i), s, n, files)
		}
		a.checkBodies(p, s)
		if s.Camera != nil && s.Camera.Position == s.Camera.Target {
			a.reportValue(p.at("camera"), fmt.Sprintf("%s looks at where it is", p.at("camera")), "a position away from the target", "")
		}
	}
}

func (a *analysis) checkRule(p path, name string, statements []Statement) {
	a.name(p, "a rule", name, modelName, a.source.key)
	if len(statements) == 0 {
		a.reportValue(p, fmt.Sprintf("%s is empty", p), "at least one statement", "")
	}
	for i, s := range statements {
		q := p.index(i)
		a.choice(q.at("icon"), s.Icon, icons...)
		a.color(q.at("color"), s.Color)
		if !statementPattern.MatchString(s.Expression) {
			a.reportValue(q.at("expression"), fmt.Sprintf("%s is %q", q.at("expression"), shorten(s.Expression)), "a property compared with a number or a text, such as state_of_health_p50 < 0.8", "")
		}
	}
}

func (a *analysis) color(p path, color string) {
	if color != "" && !colorPattern.MatchString(color) || color == "" && a.source.has(p) {
		a.reportValue(p, fmt.Sprintf("%s is %q", p, shorten(color)), "#RRGGBB, such as #d13212", "")
	}
}

// subject returns the model of the assets that a node stands for; "" when it
// stands for none.
func (a *analysis) subject(p path, n Node) (model string, ok bool) {
	count := 0
	for _, given := range []bool{n.Name != "", n.Asset != "", n.ForEach != nil} {
		if given {
			count++
		}
	}
	if count != 1 {
		a.reportValue(p, fmt.Sprintf("%s stands for %d things", p, count), "one of asset, forEach and name", "name is for a body that stands for no asset")
		return "", false
	}
	switch {
	case n.Asset != "":
		if !a.reference(p.at("asset"), "asset", n.Asset, a.t.Assets.Names(), path("assets")) {
			return "", false
		}
		asset, _ := a.t.Assets.Get(n.Asset)
		return asset.Model, a.t.AssetModels.Has(asset.Model)
	case n.ForEach != nil:
		return n.ForEach.AssetModel, a.reference(p.at("forEach", "assetModel"), "asset model", n.ForEach.AssetModel, a.t.AssetModels.Names(), path("assetModels"))
	}
	a.name(p.at("name"), "a node", n.Name, assetName, a.source.value)
	return "", true
}

func (a *analysis) checkNode(p path, s Scene, n Node, files sceneFiles) {
	subject, ok := a.subject(p, n)
	a.color(p.at("color"), n.Color)
	switch {
	case (n.Shape != "") == (n.Model != ""):
		if !a.source.isBroken(p.at("shape")) && !a.source.broken[p.at("\x01unknown")] {
			a.reportValue(p, fmt.Sprintf("%s has a shape and a model, or neither", p), "one of shape and model", "")
		}
	case n.Model != "":
		a.checkFile(p.at("model"), n.Model, files)
		for _, key := range []string{"size", "color"} {
			if a.source.has(p.at(key)) {
				a.reportKey(p.at(key), fmt.Sprintf("%s belongs to a shape, the node has a model", p.at(key)), "one of shape and model", "remove it")
			}
		}
	default:
		a.choice(p.at("shape"), n.Shape, shapes...)
		a.checkShape(p, n)
	}
	if n.Step != nil && n.ForEach == nil {
		a.reportKey(p.at("step"), fmt.Sprintf("%s without forEach", p.at("step")), "forEach", "use at for one node")
	}
	if n.Tag == nil {
		return
	}
	if n.Asset == "" && n.ForEach == nil {
		a.reportKey(p.at("tag"), fmt.Sprintf("%s on a node without an asset", p.at("tag")), "asset or forEach", "")
		return
	}
	if ok {
		a.checkTag(p.at("tag"), s, *n.Tag, subject)
	}
}

func (a *analysis) checkShape(p path, n Node) {
	if n.Size == nil {
		a.reportValue(p, fmt.Sprintf("%s lacks size", p), "size: [width, height, depth]", "add it")
		return
	}
	size := *n.Size
	if size[0] <= 0 || size[1] <= 0 || size[2] <= 0 {
		a.reportValue(p.at("size"), fmt.Sprintf("%s is [%v, %v, %v]", p.at("size"), size[0], size[1], size[2]), "three lengths above 0", "")
	}
}

// checkFile reads a 3D file beside the twin and looks for GLB's header.
func (a *analysis) checkFile(p path, name string, files sceneFiles) {
	if a.source.isBroken(p) {
		return
	}
	slashed := filepath.ToSlash(name)
	if !fs.ValidPath(slashed) || !strings.EqualFold(filepath.Ext(name), ".glb") {
		a.reportValue(p, fmt.Sprintf("%s is %q", p, shorten(name)), "a .glb file in the twin's folder or below", "")
		return
	}
	if a.t.options.files == nil {
		a.reportValue(p, fmt.Sprintf("%s names %q, and there is no folder to read it from", p, name), "a twin in a file", "")
		return
	}
	data, err := fs.ReadFile(a.t.options.files, slashed)
	if err != nil {
		a.reportValue(p, fmt.Sprintf("%s: %s cannot be read", p, name), "a file beside the twin", "add the file, or correct its name")
		return
	}
	switch problem := glb.Sniff(bytes.NewReader(data), int64(len(data))); {
	case problem != nil:
		a.reportValue(p, fmt.Sprintf("%s: %s is no GLB: %s", p, name, problem), "binary glTF 2.0", "export it as GLB")
	case len(data) > maxModel:
		a.reportValue(p, fmt.Sprintf("%s: %s has %d bytes", p, name, len(data)), fmt.Sprintf("at most %d", maxModel), "reduce it, or cut it into 3D Tiles")
	default:
		files[name] = data
	}
}

// checkTag checks what a tag is bound to.
func (a *analysis) checkTag(p path, s Scene, tag Tag, subject string) {
	a.choice(p.at("icon"), tag.Icon, icons...)
	components := a.components(subject)
	var names []string
	for _, c := range components {
		names = append(names, c.name)
	}
	i := slices.Index(names, tag.Component)
	bound := a.reference(p.at("component"), "component of "+subject, tag.Component, names, path("calibrations")) &&
		a.reference(p.at("property"), "property of component "+tag.Component, tag.Property, components[i].properties, path("assetModels").at(subject))
	if tag.Rule == "" || !a.reference(p.at("rule"), "rule", tag.Rule, s.Rules.Names(), p.scenePath().at("rules")) || !bound {
		return
	}
	statements, _ := s.Rules.Get(tag.Rule)
	for j, statement := range statements {
		m := statementPattern.FindStringSubmatch(statement.Expression)
		if m != nil && m[1] != tag.Property {
			q := p.scenePath().at("rules", tag.Rule).index(j).at("expression")
			a.reportValue(q, fmt.Sprintf("%s compares %s, the tag is bound to %s", q, m[1], tag.Property), tag.Property, "a rule sees the value that its tag is bound to")
		}
	}
}

// scenePath returns the path of the scene that holds p.
func (p path) scenePath() path {
	parts := strings.SplitN(string(p), "\x00", 3)
	return path(parts[0]).at(parts[1])
}

// A boundComponent is a component of an entity whose values tags may show.
type boundComponent struct {
	name       string
	properties []string
}

// components lists the components of the entities of a model's assets.
func (a *analysis) components(subject string) []boundComponent {
	list := []boundComponent{{TelemetryComponent, a.modelOf(subject).names}}
	for name, c := range a.t.Calibrations.All() {
		if c.AssetModel == subject {
			list = append(list, boundComponent{name, a.calibrationProperties(c)})
		}
	}
	for name, alarm := range a.t.Alarms.All() {
		if alarm.AssetModel == subject {
			list = append(list, boundComponent{name, []string{"alarm_status"}})
		}
	}
	return list
}

// calibrationProperties lists the time series of a calibration's component.
func (a *analysis) calibrationProperties(c Calibration) []string {
	var names []string
	for output, o := range c.Publish.All() {
		for _, q := range c.quantilesOf(o) {
			names = append(names, definition.PropertyOf(output, q))
		}
	}
	for _, m := range definition.RunMetrics() {
		names = append(names, m.Name)
	}
	return names
}

// checkBodies reports nodes of one name: viewers find nodes by their names.
func (a *analysis) checkBodies(p path, s Scene) {
	seen := map[string]path{}
	for i, n := range s.Nodes {
		q := p.at("nodes").index(i)
		for _, name := range a.t.bodies(n) {
			if first, ok := seen[name]; ok {
				a.reportValue(q, fmt.Sprintf("%s makes a second node for %s; the first is %s", q, name, first), "one node for each asset and name", "remove one")
				break
			}
			seen[name] = q
		}
	}
}

// bodies lists the names of the scene's nodes that n makes.
func (t *Twin) bodies(n Node) []string {
	switch {
	case n.ForEach != nil:
		return t.assetsOf(n.ForEach.AssetModel)
	case n.Asset != "":
		return []string{n.Asset}
	case n.Name != "":
		return []string{n.Name}
	}
	return nil
}
