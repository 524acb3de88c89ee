package twin

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// Compile checks the twin and returns what deployment needs. The error is
// [Errors] when the twin has mistakes.
func (t *Twin) Compile() (*Compiled, error) {
	a, errs := analyse(t)
	if err := errs.err(); err != nil {
		return nil, err
	}
	c := &Compiled{Name: t.Name, Title: t.title(), Connectors: t.Connectors.Names()}
	for _, name := range t.modelsByDepth() {
		c.AssetModels = append(c.AssetModels, a.compileModel(name))
	}
	order := t.assetsByDepth()
	for _, name := range slices.Backward(order) {
		c.Assets = append(c.Assets, a.compileAsset(name))
	}
	c.ComponentTypes = a.componentTypes()
	for _, name := range t.entitiesByNeed() {
		c.Entities = append(c.Entities, a.entity(name))
	}
	for name := range t.Scenes.All() {
		s, err := a.compileScene(name)
		if err != nil {
			return nil, fmt.Errorf("compile scene %s: %w", name, err)
		}
		c.Scenes = append(c.Scenes, s)
	}
	c.Definition = a.definition()
	return c, nil
}

func (t *Twin) title() string { return titleOr(t.Title, t.Name) }

func titleOr(title, name string) string {
	if title != "" {
		return title
	}
	return name
}

// modelsByDepth lists asset models, each after those of its hierarchies.
func (t *Twin) modelsByDepth() []string {
	var order []string
	var visit func(name string)
	visit = func(name string) {
		if slices.Contains(order, name) {
			return
		}
		m, _ := t.AssetModels.Get(name)
		for _, h := range m.Hierarchies.All() {
			visit(h.Model)
		}
		order = append(order, name)
	}
	for name := range t.AssetModels.All() {
		visit(name)
	}
	return order
}

// assetsByDepth lists assets, each after its parent.
func (t *Twin) assetsByDepth() []string {
	var order []string
	done := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		if asset, _ := t.Assets.Get(name); asset.Parent != "" {
			visit(asset.Parent)
		}
		order = append(order, name)
	}
	for name := range t.Assets.All() {
		visit(name)
	}
	return order
}

// entitiesByNeed lists assets, each after its parent and those that its
// relationships point to.
func (t *Twin) entitiesByNeed() []string {
	waits := t.waits()
	for kind, edges := range t.Relationships.All() {
		for _, edge := range edges {
			waits[edge.From] = append(waits[edge.From], wait{edge.To, kind})
		}
	}
	var order []string
	done := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, w := range waits[name] {
			visit(w.on)
		}
		order = append(order, name)
	}
	for name := range t.Assets.All() {
		visit(name)
	}
	return order
}

// externalKinds are the words of external ids; published properties are
// measurements in SiteWise.
func externalKind(k definition.Kind) string {
	if k == definition.Published {
		return string(definition.Measurement)
	}
	return string(k)
}

// properties lists the properties of a model as functions know them.
func (a *analysis) properties(name string) []definition.Property {
	m := a.modelOf(name)
	list := make([]definition.Property, 0, len(m.names))
	for _, n := range m.names {
		p := m.properties[n]
		list = append(list, definition.Property{Name: n, Kind: p.kind, Type: string(p.dataType), Unit: p.code})
	}
	return list
}

func (a *analysis) compileModel(name string) CompiledModel {
	m, _ := a.t.AssetModels.Get(name)
	c := CompiledModel{Name: name, Title: titleOr(m.Title, name)}
	for _, p := range a.properties(name) {
		x := CompiledProperty{Property: p, ExternalID: externalKind(p.Kind) + "." + p.Name}
		formula := a.modelOf(name).properties[p.Name].formula
		switch p.Kind {
		case definition.Attribute:
			attribute, _ := m.Attributes.Get(p.Name)
			x.Default = defaultText(attribute)
		case definition.Transform:
			t, _ := m.Transforms.Get(p.Name)
			f := formulaSource{constants: t.Constants}
			x.Expression = formula.Render(f.numbers())
			x.Variables = formulaVars(formula.Variables(), f)
		case definition.Metric:
			t, _ := m.Metrics.Get(p.Name)
			f := formulaSource{constants: t.Constants, variables: t.Variables}
			x.Expression = formula.Render(f.numbers())
			x.Variables = formulaVars(formula.Variables(), f)
			x.Window = sitewiseInterval(t.Window)
			if t.Offset > 0 {
				x.Offset = sitewiseInterval(t.Offset)
			}
		case definition.Measurement, definition.Published:
		}
		c.Properties = append(c.Properties, x)
	}
	for hierarchy, h := range m.Hierarchies.All() {
		c.Hierarchies = append(c.Hierarchies, CompiledHierarchy{Name: hierarchy, ExternalID: "hierarchy." + hierarchy, ChildModel: h.Model})
	}
	return c
}

// defaultText writes an attribute's default as SiteWise reads it.
func defaultText(a Attribute) string {
	if a.Default.IsZero() {
		return ""
	}
	v, _ := a.Default.As(a.Type) // checked by analyse
	if f, ok := v.(float64); ok {
		return formatNumber(f)
	}
	return fmt.Sprint(v)
}

// formulaVars lists the variables of a formula, without its constants.
func formulaVars(names []string, f formulaSource) []FormulaVar {
	var vars []FormulaVar
	for _, name := range names {
		if f.constants.Has(name) {
			continue
		}
		if v, ok := f.variables.Get(name); ok {
			vars = append(vars, FormulaVar{Name: name, Hierarchy: v.Hierarchy, Property: v.Property})
			continue
		}
		vars = append(vars, FormulaVar{Name: name, Property: name})
	}
	return vars
}

// sitewiseInterval writes a duration with one unit, as SiteWise takes it.
func sitewiseInterval(d Duration) string {
	for _, u := range durationUnits {
		if time.Duration(d)%u.unit == 0 {
			return strconv.FormatInt(int64(time.Duration(d)/u.unit), 10) + string(u.name)
		}
	}
	return strconv.FormatInt(int64(d.Seconds()), 10) + "s"
}

func (a *analysis) compileAsset(name string) CompiledAsset {
	asset, _ := a.t.Assets.Get(name)
	c := CompiledAsset{Name: name, Title: titleOr(asset.Title, name), Model: asset.Model}
	for _, p := range a.modelOf(asset.Model).names {
		c.Properties = append(c.Properties, AssetProperty{Name: p, Alias: a.alias(name, p)})
	}
	for child, x := range a.t.Assets.All() {
		if x.Parent != name {
			continue
		}
		hierarchy := x.Hierarchy
		if hierarchy == "" {
			m, _ := a.t.AssetModels.Get(asset.Model)
			hierarchy = hierarchiesFor(m, x.Model)[0]
		}
		c.Children = append(c.Children, AssetChild{Hierarchy: hierarchy, Asset: child})
	}
	for _, p := range a.modelOf(asset.Model).names {
		if s, ok := asset.Attributes.Get(p); ok {
			t := a.modelOf(asset.Model).properties[p].dataType
			v, _ := s.As(t) // checked by analyse
			c.Overrides = append(c.Overrides, AttributeValue{Property: p, Alias: a.alias(name, p), Type: t, Value: v})
		}
	}
	return c
}

func (a *analysis) alias(asset, property string) string {
	return string(telemetry.AliasOf(a.t.Name, asset, property))
}

// definition returns what functions read.
func (a *analysis) definition() definition.Definition {
	d := definition.Definition{
		Version: definition.Version, Twin: a.t.Name, Title: a.t.title(),
		Models: []definition.Model{}, Assets: []definition.Asset{}, Calibrations: []definition.Calibration{}, Alarms: []definition.Alarm{},
	}
	for name, m := range a.t.AssetModels.All() {
		d.Models = append(d.Models, definition.Model{Name: name, Title: titleOr(m.Title, name), Properties: a.properties(name)})
	}
	for name, asset := range a.t.Assets.All() {
		d.Assets = append(d.Assets, definition.Asset{
			Name: name, Title: titleOr(asset.Title, name), Model: asset.Model, Parent: asset.Parent, Attributes: a.attributeValues(asset),
		})
	}
	for name, c := range a.t.Calibrations.All() {
		d.Calibrations = append(d.Calibrations, a.compileCalibration(name, c))
	}
	for name, alarm := range a.t.Alarms.All() {
		d.Alarms = append(d.Alarms, definition.Alarm{
			Name: name, Title: titleOr(alarm.Title, name), Property: alarm.Property,
			Calibration: a.modelOf(alarm.AssetModel).properties[alarm.Property].calibration,
			Comparison:  definition.Comparison(alarm.Comparison), Threshold: alarm.Threshold,
			Assets: nonNil(a.t.assetsOf(alarm.AssetModel)),
		})
	}
	return d
}

// attributeValues returns the value of every attribute that has one.
func (a *analysis) attributeValues(asset Asset) map[string]any {
	m, _ := a.t.AssetModels.Get(asset.Model)
	values := map[string]any{}
	for name, attribute := range m.Attributes.All() {
		s, ok := asset.Attributes.Get(name)
		if !ok {
			s = attribute.Default
		}
		if s.IsZero() {
			continue
		}
		values[name], _ = s.As(attribute.Type) // checked by analyse
	}
	return values
}

// compileCalibration fills the defaults of a calibration in.
func (a *analysis) compileCalibration(name string, c Calibration) definition.Calibration {
	s := spec.Spec{
		Version: spec.Version, Name: name, Model: c.Model, Method: c.Method,
		Inputs: map[string]string{}, Observations: map[string]spec.Observation{},
		Parameters: map[string]spec.Parameter{}, Constants: map[string]spec.Constant{},
		Window: spec.Window{SegmentGap: c.Window.SegmentGap.Seconds(), Start: c.Window.Start.Seconds()},
		Gates:  spec.Gates{MinScoreGain: c.Gates.MinScoreGain, Consistency: defaultConsistency, Coverage: defaultCoverage},
		Seed:   uint64(c.Seed), //nolint:gosec // decoding refuses negative numbers
	}
	if s.Method == "" {
		s.Method = defaultMethod
	}
	if c.Window.Start == 0 {
		s.Window.Start = defaultStart.Seconds()
	}
	if c.Gates.Consistency != nil {
		s.Gates.Consistency = *c.Gates.Consistency
	}
	if c.Gates.Coverage != nil {
		s.Gates.Coverage = *c.Gates.Coverage
	}
	maps.Insert(s.Inputs, c.Inputs.All())
	for output, o := range c.Observations.All() {
		s.Observations[output] = spec.Observation{Property: o.Property, Noise: o.Noise}
	}
	for parameter, p := range c.Parameters.All() {
		x := spec.Parameter{Unit: p.Unit, Median: p.Median, Deviation: p.Deviation, Transform: p.Transform, Lower: p.Lower, Upper: p.Upper}
		if x.Transform == "" {
			x.Transform = defaultTransform
		}
		s.Parameters[parameter] = x
	}
	for constant, k := range c.Constants.All() {
		s.Constants[constant] = spec.Constant{Value: k.Value, Attribute: k.Attribute}
	}
	compiled := definition.Calibration{
		Title: titleOr(c.Title, name), Model: c.AssetModel, Schedule: c.Schedule, Assets: nonNil(a.t.assetsOf(c.AssetModel)),
	}
	for output, o := range c.Publish.All() {
		quantiles := slices.Clone(c.quantilesOf(o))
		s.Outputs = append(s.Outputs, spec.Output{Name: output, Unit: o.Unit, Quantiles: quantiles})
		for _, q := range quantiles {
			compiled.Outputs = append(compiled.Outputs, definition.Output{Property: definition.PropertyOf(output, q), Name: output, Quantile: q, Unit: o.Unit})
		}
	}
	compiled.Spec = s
	return compiled
}

// nonNil makes an empty list one that JSON writes as [].
func nonNil(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
