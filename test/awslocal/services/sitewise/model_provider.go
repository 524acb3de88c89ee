package sitewise

import (
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/formula"
)

// modelProperty is a property of an asset model.
type modelProperty struct {
	id, logicalID, externalID, name string
	dataType, unit                  string
	kind                            propertyKind
	defaultValue                    string
	expression                      *formula.Expr
	source                          string
	variables                       []variable
	window                          window
}

type propertyKind int

const (
	attribute propertyKind = iota
	measurement
	transform
	metric
)

var typeNames = map[string]propertyKind{"Attribute": attribute, "Measurement": measurement, "Transform": transform, "Metric": metric}

// A variable of an expression is a property of the same asset or, with a
// hierarchy, of its children there.
type variable struct {
	name, propertyID, hierarchyID string
}

var (
	namePattern       = regexp.MustCompile(`^[^\x00-\x1F\x7F]{1,256}$`)
	variablePattern   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	externalIDPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z_\-0-9.:]*[a-zA-Z0-9]+$`)
	uuidPattern       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// createModel provides AWS::IoTSiteWise::AssetModel.
func (s *Service) createModel(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var t modelTemplate
	if err := decodeTemplate(r, &t); err != nil {
		return kernel.Physical{}, err
	}
	fail := func(format string, args ...any) (kernel.Physical, error) {
		return kernel.Physical{}, fmt.Errorf("asset model %q: %w", t.AssetModelName, fmt.Errorf(format, args...))
	}
	if !namePattern.MatchString(t.AssetModelName) {
		return fail("AssetModelName must have 1 to 256 characters and no control characters")
	}
	if len(t.AssetModelCompositeModels) > 0 {
		return fail("AssetModelCompositeModels are not supported by the local endpoint")
	}
	if t.AssetModelExternalID != "" && !externalIDPattern.MatchString(t.AssetModelExternalID) {
		return fail("AssetModelExternalId %q does not match %s", t.AssetModelExternalID, externalIDPattern)
	}
	kind := t.AssetModelType
	if kind == "" {
		kind = "ASSET_MODEL"
	}
	if kind != "ASSET_MODEL" {
		return fail("AssetModelType %s is not supported by the local endpoint", kind)
	}

	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	id := uuid("asset-model", t.AssetModelName)
	now := s.clock.Now()
	m := &model{
		id: id, arn: s.identity.ARN("iotsitewise", "asset-model/"+id), name: t.AssetModelName, description: t.AssetModelDescription,
		externalID: t.AssetModelExternalID, kind: kind, created: now, updated: now, digest: sha256.Sum256(r.Properties),
	}
	physical := kernel.Physical{Ref: id, Attributes: map[string]any{"AssetModelId": id, "AssetModelArn": m.arn}}
	old := s.registry.models[id]
	if old != nil {
		if old.digest == m.digest {
			return physical, nil
		}
		m.created = old.created
		if slices.ContainsFunc(mapValues(s.registry.assets), func(a *asset) bool { return a.model == old }) {
			return fail("it exists with other properties and has assets; the local endpoint does not update deployed models, start it with an empty state")
		}
	}
	for _, other := range s.registry.models {
		if other.id != id && m.externalID != "" && other.externalID == m.externalID {
			return fail("external id %s belongs to asset model %q already", m.externalID, other.name)
		}
	}
	if err := s.hierarchies(m, t.AssetModelHierarchies); err != nil {
		return fail("%w", err)
	}
	if err := s.properties(m, t.AssetModelProperties); err != nil {
		return fail("%w", err)
	}
	s.registry.models[id] = m
	return physical, nil
}

func mapValues[K comparable, V any](m map[K]V) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

func (s *Service) hierarchies(m *model, templates []hierarchyTemplate) error {
	for _, t := range templates {
		if !namePattern.MatchString(t.Name) {
			return fmt.Errorf("hierarchy %q: Name must have 1 to 256 characters", t.Name)
		}
		if t.LogicalID == "" && t.ExternalID == "" && t.ID == "" {
			return fmt.Errorf("hierarchy %q needs a LogicalId, an ExternalId or an Id", t.Name)
		}
		child, err := s.registry.modelLocked(t.ChildAssetModelID)
		if err != nil && t.ChildAssetModelID != m.id { // a model may contain itself
			return fmt.Errorf("hierarchy %q: %w", t.Name, err)
		}
		h := modelHierarchy{id: t.ID, logicalID: t.LogicalID, externalID: t.ExternalID, name: t.Name, childModelID: m.id}
		if child != nil {
			h.childModelID = child.id
		}
		if h.id == "" {
			h.id = uuid("hierarchy", m.id, t.Name)
		}
		for _, other := range m.hierarchies {
			if other.name == h.name || other.id == h.id || h.logicalID != "" && other.logicalID == h.logicalID {
				return fmt.Errorf("hierarchy %q is there twice (by name, id or logical id)", h.name)
			}
		}
		m.hierarchies = append(m.hierarchies, h)
	}
	return nil
}

func (s *Service) properties(m *model, templates []propertyTemplate) error {
	for i := range templates {
		p, err := newProperty(m, &templates[i])
		if err != nil {
			return fmt.Errorf("property %q: %w", templates[i].Name, err)
		}
		for _, other := range m.properties {
			if other.name == p.name || other.id == p.id || p.logicalID != "" && other.logicalID == p.logicalID {
				return fmt.Errorf("property %q is there twice (by name, id or logical id)", p.name)
			}
		}
		m.properties = append(m.properties, p)
	}
	for i, p := range m.properties { // all are known now
		t := templates[i].Type.Transform
		if p.kind == metric {
			t = templates[i].Type.Metric
		}
		if p.kind == transform || p.kind == metric {
			if err := s.expression(m, p, t); err != nil {
				return fmt.Errorf("property %q: %w", p.name, err)
			}
		}
	}
	return cyclic(m)
}

func newProperty(m *model, t *propertyTemplate) (*modelProperty, error) {
	kind, ok := typeNames[t.Type.TypeName]
	switch {
	case !namePattern.MatchString(t.Name):
		return nil, fmt.Errorf("Name must have 1 to 256 characters") //nolint:staticcheck // a property's name
	case !ok:
		return nil, fmt.Errorf("type name %q is none of Attribute, Measurement, Transform, Metric", t.Type.TypeName)
	case t.LogicalID == "" && t.ExternalID == "" && t.ID == "":
		return nil, fmt.Errorf("it needs a LogicalId, an ExternalId or an Id")
	case t.ID != "" && !uuidPattern.MatchString(t.ID):
		return nil, fmt.Errorf("the Id %q is no UUID", t.ID)
	case !slices.Contains([]string{"STRING", "INTEGER", "DOUBLE", "BOOLEAN"}, t.DataType):
		return nil, fmt.Errorf("data type %q is none of STRING, INTEGER, DOUBLE, BOOLEAN", t.DataType)
	case (kind == transform || kind == metric) && t.DataType != "DOUBLE" && t.DataType != "STRING":
		return nil, fmt.Errorf("a %s has the data type DOUBLE or STRING, not %s", t.Type.TypeName, t.DataType)
	case kind != attribute && t.Type.Attribute != nil:
		return nil, fmt.Errorf("only an Attribute has a default value")
	case (kind == transform) != (t.Type.Transform != nil), (kind == metric) != (t.Type.Metric != nil):
		return nil, fmt.Errorf("a %s needs its own expression and no other", t.Type.TypeName)
	}
	p := &modelProperty{
		id: t.ID, logicalID: t.LogicalID, externalID: t.ExternalID, name: t.Name, dataType: t.DataType, unit: t.Unit, kind: kind,
	}
	if p.id == "" {
		p.id = uuid("property", m.id, t.Name)
	}
	if t.Type.Attribute != nil && t.Type.Attribute.DefaultValue != nil {
		p.defaultValue = *t.Type.Attribute.DefaultValue
		if _, err := parseValue(p.dataType, p.defaultValue); err != nil {
			return nil, fmt.Errorf("default value: %w", err)
		}
	}
	return p, nil
}

// expression resolves the variables of a transform or metric and parses it.
func (s *Service) expression(m *model, p *modelProperty, t *expressionTemplate) error {
	var names []string
	for _, v := range t.Variables {
		if !variablePattern.MatchString(v.Name) || slices.Contains(names, v.Name) {
			return fmt.Errorf("variable %q is there twice or does not match %s", v.Name, variablePattern)
		}
		if len(v.Value.PropertyPath) > 0 && string(v.Value.PropertyPath) != "null" {
			return fmt.Errorf("variable %q: a PropertyPath is not supported by the local endpoint; use PropertyLogicalId", v.Name)
		}
		names = append(names, v.Name)
		in := variable{name: v.Name}
		of := m
		if h := first(v.Value.HierarchyLogicalID, v.Value.HierarchyID, v.Value.HierarchyExternalID); h != "" {
			if p.kind != metric {
				return fmt.Errorf("variable %q: only a metric can use properties of child assets", v.Name)
			}
			i := slices.IndexFunc(m.hierarchies, func(mh modelHierarchy) bool {
				return mh.logicalID == h || mh.id == h || mh.externalID == h
			})
			if i < 0 {
				return fmt.Errorf("variable %q: the model has no hierarchy %q", v.Name, h)
			}
			in.hierarchyID = m.hierarchies[i].id
			var err error
			if of, err = s.registry.modelLocked(m.hierarchies[i].childModelID); err != nil {
				return fmt.Errorf("variable %q: %w", v.Name, err)
			}
		}
		ref := first(v.Value.PropertyLogicalID, v.Value.PropertyID, v.Value.PropertyExternalID)
		i := slices.IndexFunc(of.properties, func(mp *modelProperty) bool {
			return mp.id == ref || mp.logicalID != "" && mp.logicalID == ref || mp.externalID != "" && mp.externalID == ref
		})
		if i < 0 {
			return fmt.Errorf("variable %q: asset model %q has no property %q", v.Name, of.name, ref)
		}
		in.propertyID = of.properties[i].id
		p.variables = append(p.variables, in)
	}
	use := formula.Transform
	if p.kind == metric {
		use = formula.Metric
		if t.Window == nil || t.Window.Tumbling == nil {
			return fmt.Errorf("a Metric needs a tumbling Window")
		}
		var err error
		if p.window, err = parseWindow(t.Window.Tumbling.Interval, t.Window.Tumbling.Offset); err != nil {
			return err
		}
	}
	var err error
	p.source = t.Expression
	if p.expression, err = formula.Parse(t.Expression, names, use); err != nil {
		return fmt.Errorf("expression %q: %w", t.Expression, err)
	}
	if p.kind == transform && !slices.ContainsFunc(p.variables, func(v variable) bool { return m.kindOf(v.propertyID) != attribute }) {
		return fmt.Errorf("a Transform needs at least one input that is not an attribute")
	}
	return nil
}

func (m *model) kindOf(propertyID string) propertyKind {
	for _, p := range m.properties {
		if p.id == propertyID {
			return p.kind
		}
	}
	return attribute
}

func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// cyclic finds a property that is computed from itself.
func cyclic(m *model) error {
	state := map[string]int{} // 1 on the way, 2 done
	var visit func(p *modelProperty) error
	visit = func(p *modelProperty) error {
		switch state[p.id] {
		case 1:
			return fmt.Errorf("property %q is computed from itself", p.name)
		case 2:
			return nil
		}
		state[p.id] = 1
		for _, v := range p.variables {
			if v.hierarchyID != "" {
				continue
			}
			i := slices.IndexFunc(m.properties, func(o *modelProperty) bool { return o.id == v.propertyID })
			if err := visit(m.properties[i]); err != nil {
				return err
			}
		}
		state[p.id] = 2
		return nil
	}
	for _, p := range m.properties {
		if err := visit(p); err != nil {
			return err
		}
	}
	return nil
}
