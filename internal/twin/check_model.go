package twin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/twin/definition"
	"github.com/livetwin/livetwin/internal/twin/expr"
	"github.com/livetwin/livetwin/internal/twin/unit"
)

func (a *analysis) checkModels() {
	if a.t.AssetModels.Len() == 0 {
		a.reportValue(path("assetModels"), "the twin declares no asset model", "at least one", "")
	}
	for name, m := range a.t.AssetModels.All() {
		p := path("assetModels").at(name)
		a.name(p, "an asset model", name, modelName, a.source.key)
		a.text(p.at("title"), m.Title)
		a.models[name] = a.declare(p, m)
	}
	names := a.t.AssetModels.Names()
	for name, m := range a.t.AssetModels.All() {
		p := path("assetModels").at(name, "hierarchies")
		for hierarchy, h := range m.Hierarchies.All() {
			q := p.at(hierarchy)
			a.name(q, "a hierarchy", hierarchy, propertyName, a.source.key)
			a.reference(q.at("model"), "asset model", h.Model, names, path("assetModels"))
		}
	}
	a.checkModelCycles()
}

// reservedWords cannot be names of properties, because formulas read them as
// operators and constants.
var reservedWords = []string{"and", "or", "not", "true", "false", "none", "if"}

// declare collects the properties of a model.
func (a *analysis) declare(p path, m AssetModel) *model {
	d := &model{properties: map[string]property{}}
	add := func(section, name, code string, prop property) {
		q := p.at(section, name)
		if a.name(q, "a property", name, propertyName, a.source.key) && slices.Contains(reservedWords, name) {
			a.reportKey(q, fmt.Sprintf("%s is a word of formulas", name), "a name that formulas can use", "rename it")
		}
		if before, ok := d.properties[name]; ok {
			a.reportKey(q, fmt.Sprintf("%s is both %s and %s of the model", name, article(before.kind), article(prop.kind)), "one property of a name", "rename one")
			return
		}
		if !a.choice(q.at("type"), string(prop.dataType), string(Double), string(Integer), string(Boolean), string(String)) {
			prop.dataType = ""
		}
		prop.code = code
		prop.unit, prop.hasUnit = a.unit(q.at("unit"), code)
		if prop.hasUnit && (prop.dataType == String || prop.dataType == Boolean) {
			a.reportValue(q.at("unit"), fmt.Sprintf("%s has a unit and the type %s", q, prop.dataType), "a number where there is a unit", "remove the unit")
			prop.hasUnit = false
		}
		d.add(name, prop)
	}
	for name, x := range m.Attributes.All() {
		add("attributes", name, x.Unit, property{kind: definition.Attribute, dataType: x.Type, hasDefault: !x.Default.IsZero()})
		a.scalarValue(p.at("attributes", name, "default"), x.Default, x.Type)
	}
	for name, x := range m.Measurements.All() {
		add("measurements", name, x.Unit, property{kind: definition.Measurement, dataType: x.Type})
	}
	for name, x := range m.Transforms.All() {
		add("transforms", name, x.Unit, property{kind: definition.Transform, dataType: Double})
	}
	for name, x := range m.Metrics.All() {
		add("metrics", name, x.Unit, property{kind: definition.Metric, dataType: Double})
		a.checkWindow(p.at("metrics", name), x)
	}
	return d
}

func article(k definition.Kind) string {
	if k == definition.Attribute {
		return "an attribute"
	}
	return "a " + string(k)
}

// scalarValue checks that the scalar at p is a value of a type.
func (a *analysis) scalarValue(p path, s Scalar, t DataType) {
	if s.IsZero() || !slices.Contains([]DataType{Double, Integer, Boolean, String}, t) {
		return
	}
	if t == String {
		a.text(p, s.String())
	}
	if _, err := s.As(t); err != nil {
		a.reportValue(p, fmt.Sprintf("%s is %q, the attribute is %s", p, shorten(s.String()), t), err.Error(), "")
	}
}

// checkWindow checks the tumbling window of a metric: SiteWise takes 1 minute
// to 1 week.
func (a *analysis) checkWindow(p path, m Metric) {
	window, offset := time.Duration(m.Window), time.Duration(m.Offset)
	if window < time.Minute || window > 7*24*time.Hour || window%time.Minute != 0 {
		a.reportValue(p.at("window"), fmt.Sprintf("%s is %s", p.at("window"), m.Window), "whole minutes from 1m to 1w", "")
		return
	}
	if offset >= window && offset > 0 {
		a.reportValue(p.at("offset"), fmt.Sprintf("%s is %s", p.at("offset"), m.Offset), fmt.Sprintf("less than the window of %s", m.Window), "")
	}
}

// checkModelCycles reports hierarchies in which a model contains itself.
func (a *analysis) checkModelCycles() {
	state := map[string]int{} // 1: on the way, 2: done
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		state[name] = 1
		m, _ := a.t.AssetModels.Get(name)
		for hierarchy, h := range m.Hierarchies.All() {
			switch state[h.Model] {
			case 1:
				i := slices.Index(append(way, name), h.Model)
				circle := append(slices.Clone(append(way, name)[i:]), h.Model)
				a.reportValue(path("assetModels").at(name, "hierarchies", hierarchy, "model"),
					fmt.Sprintf("the asset model %s contains itself: %s", h.Model, strings.Join(circle, " → ")), "models without a cycle", "remove one of these hierarchies")
			case 0:
				if a.t.AssetModels.Has(h.Model) {
					visit(h.Model, append(way, name))
				}
			}
		}
		state[name] = 2
	}
	for name := range a.t.AssetModels.All() {
		if state[name] == 0 {
			visit(name, nil)
		}
	}
}

// checkFormulas checks the expressions of transforms and metrics.
func (a *analysis) checkFormulas() {
	for name, m := range a.t.AssetModels.All() {
		p := path("assetModels").at(name)
		for property, x := range m.Transforms.All() {
			a.checkFormula(name, p.at("transforms", property), property, formulaSource{x.Expression, x.Constants, Section[Variable]{}, false})
		}
		for property, x := range m.Metrics.All() {
			a.checkVariables(name, p.at("metrics", property), x)
			a.checkFormula(name, p.at("metrics", property), property, formulaSource{x.Expression, x.Constants, x.Variables, true})
		}
		a.checkFormulaCycles(name)
	}
}

type formulaSource struct {
	expression string
	constants  Section[Quantity]
	variables  Section[Variable]
	metric     bool
}

// checkVariables checks the variables of a metric over properties of children.
func (a *analysis) checkVariables(owner string, p path, m Metric) {
	parent, _ := a.t.AssetModels.Get(owner)
	for name, v := range m.Variables.All() {
		q := p.at("variables", name)
		a.name(q, "a variable", name, propertyName, a.source.key)
		if _, ok := a.modelOf(owner).properties[name]; ok {
			a.reportKey(q, fmt.Sprintf("the variable %s has the name of a property of the model", name), "a name of its own", "rename it")
		}
		if !a.reference(q.at("hierarchy"), "hierarchy", v.Hierarchy, parent.Hierarchies.Names(), path("assetModels").at(owner)) {
			continue
		}
		h, _ := parent.Hierarchies.Get(v.Hierarchy)
		if a.t.AssetModels.Has(h.Model) {
			a.reference(q.at("property"), "property of "+h.Model, v.Property, a.modelOf(h.Model).names, path("assetModels").at(h.Model))
		}
	}
}

// child returns the property that a variable of a metric names.
func (a *analysis) child(owner string, v Variable) (property, bool) {
	parent, _ := a.t.AssetModels.Get(owner)
	h, ok := parent.Hierarchies.Get(v.Hierarchy)
	if !ok {
		return property{}, false
	}
	p, ok := a.modelOf(h.Model).properties[v.Property]
	return p, ok
}

func (a *analysis) checkFormula(owner string, p path, name string, f formulaSource) {
	q := p.at("expression")
	a.checkConstants(owner, p, f)
	if a.source.isBroken(q) {
		return
	}
	formula, bad := expr.Parse(f.expression)
	if bad != nil {
		a.reportFormula(q, bad)
		return
	}
	self := a.modelOf(owner).properties[name]
	scope := expr.Scope{Metric: f.metric, Lookup: a.lookup(owner, f), Unknown: a.unknownVariable(owner, f)}
	result, mistakes := formula.Check(scope)
	for _, m := range mistakes {
		if strings.HasPrefix(m.What, "unknown name") && a.source.broken[path("assetModels").at(owner, "\x01unknown")] {
			continue
		}
		a.reportFormula(q, m)
	}
	if len(mistakes) > 0 {
		return
	}
	if result.Type == expr.Text {
		a.reportValue(q, fmt.Sprintf("%s gives a text", q), "a number", "")
	}
	if self.hasUnit {
		if what, do := result.Mismatch(self.unit); what != "" {
			a.reportValue(p.at("unit"), fmt.Sprintf("%s is %s but %s", p.at("unit"), self.code, what), result.Unit.String(), do)
		}
	}
	if n := len(formula.Render(f.numbers())); n > expr.MaxLength {
		a.reportValue(q, fmt.Sprintf("%s has %d characters", q, n), fmt.Sprintf("at most %d", expr.MaxLength), "move a part to a property of its own")
	}
	self.formula = formula
	a.modelOf(owner).properties[name] = self
}

func (a *analysis) reportFormula(p path, m *expr.Error) {
	a.report(p, a.source.scalarOffset(p, m.Offset), fmt.Sprintf("%s: %s", p, m.What), m.Expected, m.Do)
}

func (a *analysis) checkConstants(owner string, p path, f formulaSource) {
	for name, c := range f.constants.All() {
		q := p.at("constants", name)
		a.name(q, "a constant", name, propertyName, a.source.key)
		a.unit(q.at("unit"), c.Unit)
		_, isProperty := a.modelOf(owner).properties[name]
		if isProperty || f.variables.Has(name) {
			a.reportKey(q, fmt.Sprintf("the constant %s has the name of a property or variable", name), "a name of its own", "rename it")
		}
	}
}

// numbers returns the values of the constants.
func (f formulaSource) numbers() map[string]float64 {
	values := map[string]float64{}
	for name, c := range f.constants.All() {
		values[name] = c.Value
	}
	return values
}

// lookup resolves the names of a formula.
func (a *analysis) lookup(owner string, f formulaSource) func(string) (expr.Variable, bool) {
	return func(name string) (expr.Variable, bool) {
		if p, ok := a.modelOf(owner).properties[name]; ok {
			return variable(p), true
		}
		if c, ok := f.constants.Get(name); ok {
			code := c.Unit
			if code == "" {
				code = "1"
			}
			u, err := unit.Parse(code)
			return expr.Variable{Type: expr.Number, Unit: u, HasUnit: err == nil, Constant: true}, true
		}
		v, ok := f.variables.Get(name)
		if !ok {
			return expr.Variable{}, false
		}
		p, known := a.child(owner, v)
		if !known {
			return expr.Variable{Child: true}, true // reported
		}
		x := variable(p)
		x.Child, x.Attribute, x.Aggregate = true, false, false
		return x, true
	}
}

// variable describes a property to the checker of formulas.
func variable(p property) expr.Variable {
	v := expr.Variable{Unit: p.unit, HasUnit: p.hasUnit, Attribute: p.kind == definition.Attribute, Aggregate: p.kind == definition.Metric}
	switch p.dataType {
	case Double, Integer:
		v.Type = expr.Number
	case Boolean:
		v.Type, v.Unit, v.HasUnit = expr.Number, unit.One, true
	case String:
		v.Type = expr.Text
	}
	return v
}

func (a *analysis) unknownVariable(owner string, f formulaSource) func(string) (expected, do string) {
	return func(name string) (string, string) {
		names := slices.Concat(a.modelOf(owner).names, f.variables.Names(), f.constants.Names())
		return "a property of " + owner + ", or a constant: " + oneOf(names), didYouMean(name, names)
	}
}

// checkFormulaCycles reports formulas that need their own value.
func (a *analysis) checkFormulaCycles(owner string) {
	m := a.modelOf(owner)
	state := map[string]int{}
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		state[name] = 1
		way = append(way, name)
		if f := m.properties[name].formula; f != nil {
			for _, used := range f.Variables() {
				switch state[used] {
				case 1:
					circle := append(slices.Clone(way[slices.Index(way, used):]), used)
					a.reportValue(a.formulaPath(owner, name), fmt.Sprintf("%s is computed from itself: %s", used, strings.Join(circle, " → ")), "formulas without a cycle", "")
				case 0:
					visit(used, way)
				}
			}
		}
		state[name] = 2
	}
	for _, name := range m.names {
		if state[name] == 0 {
			visit(name, nil)
		}
	}
}

func (a *analysis) formulaPath(owner, name string) path {
	section := "transforms"
	if a.modelOf(owner).properties[name].kind == definition.Metric {
		section = "metrics"
	}
	return path("assetModels").at(owner, section, name, "expression")
}
