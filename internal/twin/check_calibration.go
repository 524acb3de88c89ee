package twin

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/twin/definition"
	"github.com/livetwin/livetwin/internal/twin/schedule"
	"github.com/livetwin/livetwin/internal/twin/unit"
)

// Defaults of a calibration.
const (
	defaultMethod      = "unscented"
	defaultTransform   = "identity"
	defaultStart       = Duration(7 * 24 * time.Hour)
	defaultConsistency = 0.999
)

var (
	defaultQuantiles = []float64{0.05, 0.5, 0.95}
	defaultCoverage  = [2]float64{0.5, 1}
)

func (a *analysis) checkCalibrations() {
	models := a.t.AssetModels.Names()
	for name, c := range a.t.Calibrations.All() {
		p := path("calibrations").at(name)
		a.name(p, "a calibration", name, modelName, a.source.key)
		a.text(p.at("title"), c.Title)
		a.componentName(p, name)
		a.choice(p.at("method"), c.Method, "unscented")
		if bad := schedule.Check(c.Schedule); bad != nil {
			a.reportValue(p.at("schedule"), fmt.Sprintf("%s: %s", p.at("schedule"), bad.What), bad.Expected, bad.Do)
		}
		known := a.reference(p.at("assetModel"), "asset model", c.AssetModel, models, path("assetModels"))
		physics, described := a.describe(p, c.Model)
		b := binding{a: a, p: p, c: c, owner: a.modelOf(c.AssetModel), known: known, physics: physics, described: described, misspelt: map[string]bool{}}
		b.checkInputs()
		b.checkObservations()
		b.checkParameters()
		b.checkConstants()
		a.checkRun(p, c)
		a.quantiles(p.at("quantiles"), c.Quantiles)
		b.checkPublish(name)
	}
}

// describe looks a physics model up.
func (a *analysis) describe(p path, name string) (plant.Description, bool) {
	if a.source.isBroken(p.at("model")) {
		return plant.Description{}, false
	}
	if a.t.options.models == nil {
		a.name(p.at("model"), p.at("model").String(), name, modelName, a.source.value)
		return plant.Description{}, false
	}
	d, ok := a.t.options.models(name)
	if !ok {
		a.reportValue(p.at("model"), fmt.Sprintf("%s names the unknown physics model %q", p.at("model"), shorten(name)), "a package below internal/plant", "")
	}
	return d, ok
}

// componentName checks that a calibration or alarm can be a component of an
// entity.
func (a *analysis) componentName(p path, name string) {
	switch {
	case name == TelemetryComponent || name == RelationshipsComponent:
		a.reportKey(p, fmt.Sprintf("%s has the name of a component that every entity has", p), "another name", "rename it")
	case p[0] == 'a' && a.t.Calibrations.Has(name):
		a.reportKey(p, fmt.Sprintf("the alarm %s has the name of a calibration", name), "a name of its own: both are components of an entity", "rename it")
	}
}

// checkRun checks how telemetry is cut and what promotes a challenger.
func (a *analysis) checkRun(p path, c Calibration) {
	window, gates := p.at("window"), p.at("gates")
	if q := window.at("start"); a.source.has(q) && c.Window.Start <= 0 {
		a.reportValue(q, fmt.Sprintf("%s is %s", q, c.Window.Start), "more than 0s", "")
	}
	if g := c.Gates.MinScoreGain; g < 0 {
		a.reportValue(gates.at("minScoreGain"), fmt.Sprintf("%s is %v", gates.at("minScoreGain"), g), "0 or more", "")
	}
	if g := c.Gates.Consistency; g != nil && (*g <= 0 || *g >= 1) {
		a.reportValue(gates.at("consistency"), fmt.Sprintf("%s is %v", gates.at("consistency"), *g), "a probability between 0 and 1", "")
	}
	if g := c.Gates.Coverage; g != nil && (g[0] < 0 || g[1] > 1 || g[0] >= g[1]) {
		a.reportValue(gates.at("coverage"), fmt.Sprintf("%s is [%v, %v]", gates.at("coverage"), g[0], g[1]), "a band from 0 to 1, the lower limit first", "")
	}
}

// quantiles checks a list of quantiles.
func (a *analysis) quantiles(p path, quantiles []float64) {
	if !a.source.has(p) || a.source.isBroken(p) {
		return
	}
	if len(quantiles) == 0 {
		a.reportValue(p, fmt.Sprintf("%s is empty", p), "at least one quantile", "remove it for 0.05, 0.5 and 0.95")
	}
	last := 0.0
	for i, q := range quantiles {
		switch percent := q * 100; {
		case a.source.isBroken(p.index(i)):
			return
		case q <= 0 || q >= 1 || math.Abs(percent-math.Round(percent)) > 1e-9:
			a.reportValue(p.index(i), fmt.Sprintf("%s is %v", p.index(i), q), "a whole percentage from 0.01 to 0.99", "")
			return
		case q <= last:
			a.reportValue(p.index(i), fmt.Sprintf("%s is %v after %v", p.index(i), q, last), "quantiles in ascending order, each once", "")
			return
		}
		last = q
	}
}

// A binding checks what a calibration ties together: properties of an asset
// model and quantities of a physics model.
type binding struct {
	a         *analysis
	p         path
	c         Calibration
	owner     *model
	known     bool // the asset model
	physics   plant.Description
	described bool            // the physics model
	misspelt  map[string]bool // quantities that were probably meant by names that do not exist
}

// quantity finds a quantity of the physics model.
func (b binding) quantity(p path, noun, name string, candidates []plant.Quantity) (plant.Quantity, bool) {
	if !b.described {
		b.a.name(p, "a quantity of a physics model", name, propertyName, b.a.source.key)
		return plant.Quantity{}, false
	}
	var names []string
	for _, q := range candidates {
		if q.Name == name {
			return q, true
		}
		names = append(names, q.Name)
	}
	b.misspelt[nearest(name, names)] = true
	b.a.reportKey(p, fmt.Sprintf("the physics model %s has no %s %q", b.c.Model, noun, shorten(name)), oneOf(names), didYouMean(name, names))
	return plant.Quantity{}, false
}

// lacks reports whether a quantity that the physics model needs was left out,
// and not just misspelt.
func (b binding) lacks(name string, given bool) bool {
	return b.described && !given && !b.misspelt[name] && !b.a.source.broken[b.p.at("\x01unknown")]
}

// property finds a property of the asset model whose values are numbers and
// come in as a series.
func (b binding) property(p path, name string) (property, bool) {
	if !b.known {
		return property{}, false
	}
	if !b.a.reference(p, "property of "+b.c.AssetModel, name, b.owner.names, path("assetModels").at(b.c.AssetModel)) {
		return property{}, false
	}
	x := b.owner.properties[name]
	if x.dataType == "" { // reported
		return property{}, false
	}
	if x.kind != definition.Measurement && x.kind != definition.Transform || !x.numeric() {
		b.a.reportValue(p, fmt.Sprintf("%s is %s of type %s", name, article(x.kind), x.dataType), "a measurement or transform with numbers", "")
		return property{}, false
	}
	return x, true
}

// sameUnit checks that a value in one unit is what the physics model takes.
func (b binding) sameUnit(p path, what string, got unit.Unit, known bool, want plant.Quantity) {
	u, err := unit.Parse(want.Unit)
	if !known || err != nil || got.Equal(u) {
		return
	}
	b.a.reportValue(p, fmt.Sprintf("%s is in %s, %s of the physics model %s is in %s", what, got, want.Name, b.c.Model, want.Unit),
		want.Unit, "convert it in a transform")
}

// declared checks a unit that is written beside a quantity.
func (b binding) declared(p path, code string, want plant.Quantity) {
	got, ok := b.a.unit(p, code)
	if u, err := unit.Parse(want.Unit); ok && want.Name != "" && err == nil && !got.Equal(u) {
		b.a.reportValue(p, fmt.Sprintf("%s is %s, %s of the physics model %s is in %s", p, code, want.Name, b.c.Model, want.Unit), want.Unit, "")
	}
}

func (b binding) checkInputs() {
	p := b.p.at("inputs")
	for name, bound := range b.c.Inputs.All() {
		q, described := b.quantity(p.at(name), "input", name, b.physics.Inputs)
		if x, ok := b.property(p.at(name), bound); ok && described {
			b.sameUnit(p.at(name), bound, x.unit, x.hasUnit, q)
		}
	}
	for _, q := range b.physics.Inputs {
		if b.lacks(q.Name, b.c.Inputs.Has(q.Name)) {
			b.a.reportKey(p, fmt.Sprintf("%s lacks %s, an input of the physics model %s", p, q.Name, b.c.Model), "a property for every input", fmt.Sprintf("add %s: and a property in %s", q.Name, q.Unit))
		}
	}
}

func (b binding) checkObservations() {
	p := b.p.at("observations")
	if b.c.Observations.Len() == 0 {
		b.a.reportValue(p, fmt.Sprintf("%s is empty", p), "at least one observation", "")
	}
	for name, o := range b.c.Observations.All() {
		q, described := b.quantity(p.at(name), "output", name, b.physics.Outputs)
		if x, ok := b.property(p.at(name, "property"), o.Property); ok && described {
			b.sameUnit(p.at(name, "property"), o.Property, x.unit, x.hasUnit, q)
		}
		if o.Noise <= 0 {
			b.a.reportValue(p.at(name, "noise"), fmt.Sprintf("%s is %v", p.at(name, "noise"), o.Noise), "a standard deviation above 0", "")
		}
	}
}

func (b binding) checkParameters() {
	p := b.p.at("parameters")
	if b.c.Parameters.Len() == 0 {
		b.a.reportValue(p, fmt.Sprintf("%s is empty", p), "at least one parameter to estimate", "")
	}
	var candidates []plant.Quantity
	for _, x := range b.physics.Parameters {
		candidates = append(candidates, x.Quantity)
	}
	for name, x := range b.c.Parameters.All() {
		q, _ := b.quantity(p.at(name), "parameter", name, candidates)
		b.declared(p.at(name, "unit"), x.Unit, q)
		b.a.choice(p.at(name, "transform"), x.Transform, "identity", "log", "logit")
		b.prior(p.at(name), x)
	}
	for _, x := range b.physics.Parameters {
		if x.Prior != nil || !b.lacks(x.Name, b.c.Parameters.Has(x.Name)) {
			continue
		}
		b.a.reportKey(p, fmt.Sprintf("%s lacks %s, a parameter of the physics model %s", p, x.Name, b.c.Model), "a prior for every parameter", fmt.Sprintf("add %s: with a prior in %s", x.Name, x.Unit))
	}
}

// prior checks the numbers of a prior.
func (b binding) prior(p path, x Parameter) {
	if x.Deviation <= 0 {
		b.a.reportValue(p.at("deviation"), fmt.Sprintf("%s is %v", p.at("deviation"), x.Deviation), "a standard deviation above 0", "")
	}
	if x.Lower != nil && x.Upper != nil && *x.Lower >= *x.Upper {
		b.a.reportValue(p.at("lower"), fmt.Sprintf("%s is %v, upper is %v", p.at("lower"), *x.Lower, *x.Upper), "a lower bound below the upper one", "")
		return
	}
	switch x.Transform {
	case "log":
		if x.Median <= 0 {
			b.a.reportValue(p.at("median"), fmt.Sprintf("%s is %v in log space", p.at("median"), x.Median), "a median above 0", "")
		}
	case "logit":
		if x.Lower == nil || x.Upper == nil {
			b.a.reportKey(p, fmt.Sprintf("%s is in logit space without bounds", p), "lower and upper", "add both")
			return
		}
	}
	if x.Lower != nil && x.Median <= *x.Lower || x.Upper != nil && x.Median >= *x.Upper {
		b.a.reportValue(p.at("median"), fmt.Sprintf("%s is %v", p.at("median"), x.Median), "a median between the bounds", "")
	}
}

func (b binding) checkConstants() {
	p := b.p.at("constants")
	var candidates []plant.Quantity
	for _, x := range b.physics.Constants {
		candidates = append(candidates, x.Quantity)
	}
	for name, x := range b.c.Constants.All() {
		q, _ := b.quantity(p.at(name), "constant", name, candidates)
		switch {
		case (x.Value != nil) == (x.Attribute != ""):
			b.a.reportKey(p.at(name), fmt.Sprintf("%s has a value and an attribute, or neither", p.at(name)), "one of value and attribute", "")
		case x.Value != nil:
			b.declared(p.at(name, "unit"), x.Unit, q)
			if q.Name != "" && x.Unit == "" && q.Unit != "1" {
				b.a.reportKey(p.at(name), fmt.Sprintf("%s has no unit", p.at(name)), "unit: "+q.Unit, "add it")
			}
		default:
			b.attribute(p.at(name, "attribute"), x.Attribute, q)
		}
	}
	for _, x := range b.physics.Constants {
		if x.Default == nil && b.lacks(x.Name, b.c.Constants.Has(x.Name)) {
			b.a.reportKey(b.p, fmt.Sprintf("%s lacks %s, a constant of the physics model %s", p, x.Name, b.c.Model), "a value or an attribute for it", fmt.Sprintf("add %s: {value: …, unit: %s}", x.Name, x.Unit))
		}
	}
}

// attribute checks an attribute that holds a constant: every asset has it.
func (b binding) attribute(p path, name string, want plant.Quantity) {
	var attributes []string
	for _, n := range b.owner.names {
		if b.owner.properties[n].kind == definition.Attribute {
			attributes = append(attributes, n)
		}
	}
	if !b.known || !b.a.reference(p, "attribute of "+b.c.AssetModel, name, attributes, path("assetModels").at(b.c.AssetModel)) {
		return
	}
	x := b.owner.properties[name]
	if !x.numeric() && x.dataType != "" {
		b.a.reportValue(p, fmt.Sprintf("%s is an attribute of type %s", name, x.dataType), "a number", "")
		return
	}
	if want.Name != "" {
		b.sameUnit(p, name, x.unit, x.hasUnit, want)
	}
	for _, asset := range b.a.t.assetsOf(b.c.AssetModel) {
		got, _ := b.a.t.Assets.Get(asset)
		if !x.hasDefault && !got.Attributes.Has(name) {
			b.a.reportKey(path("assets").at(asset), fmt.Sprintf("%s has no %s, which the calibration takes as a constant", asset, name), "a value", "set it, or give the attribute a default")
		}
	}
}

func (b binding) checkPublish(name string) {
	p := b.p.at("publish")
	if b.c.Publish.Len() == 0 {
		b.a.reportValue(p, fmt.Sprintf("%s is empty", p), "at least one output", "")
	}
	candidates := slices.Clone(b.physics.Published)
	for _, x := range b.physics.Parameters {
		if !slices.ContainsFunc(candidates, func(q plant.Quantity) bool { return q.Name == x.Name }) {
			candidates = append(candidates, x.Quantity)
		}
	}
	for output, o := range b.c.Publish.All() {
		q, _ := b.quantity(p.at(output), "published quantity", output, candidates)
		b.declared(p.at(output, "unit"), o.Unit, q)
		b.a.quantiles(p.at(output, "quantiles"), o.Quantiles)
		if b.known {
			b.a.publish(p.at(output), name, b.c, output, o)
		}
	}
}

// publish declares the properties that hold the quantiles of an output.
func (a *analysis) publish(p path, calibration string, c Calibration, output string, o Output) {
	u, err := unit.Parse(o.Unit)
	for _, q := range c.quantilesOf(o) {
		name := definition.PropertyOf(output, q)
		if before, ok := a.models[c.AssetModel].properties[name]; ok {
			what := fmt.Sprintf("%s is published as %s, which is %s of %s", output, name, article(before.kind), c.AssetModel)
			if before.calibration != "" {
				what = fmt.Sprintf("%s is published as %s, which calibration %s publishes", output, name, before.calibration)
			}
			a.reportKey(p, what, "a property of its own", "rename the other, or leave this out")
			return
		}
		if slices.ContainsFunc(definition.RunMetrics(), func(m definition.RunMetric) bool { return m.Name == name }) {
			a.reportKey(p, fmt.Sprintf("%s is a metric of every run", name), "another name", "")
			return
		}
		a.models[c.AssetModel].add(name, property{kind: definition.Published, dataType: Double, code: o.Unit, unit: u, hasUnit: err == nil, calibration: calibration})
	}
}

// quantilesOf returns the quantiles at which an output is published.
func (c Calibration) quantilesOf(o Output) []float64 {
	switch {
	case len(o.Quantiles) > 0:
		return o.Quantiles
	case len(c.Quantiles) > 0:
		return c.Quantiles
	}
	return defaultQuantiles
}
