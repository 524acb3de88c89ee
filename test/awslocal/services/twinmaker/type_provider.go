package twinmaker

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

var (
	typePattern   = regexp.MustCompile(`^[a-zA-Z_.\-0-9:]{1,256}$`)
	namePattern   = regexp.MustCompile(`^[a-zA-Z_\-0-9]{1,256}$`)
	lambdaPattern = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[/a-zA-Z0-9_-]+$`)
	functionNames = []string{
		"dataReader", "dataReaderByEntity", "dataReaderByComponentType", "dataWriter", "schemaInitializer", "attributePropertyValueReaderByEntity",
	}
)

func (s *Service) createComponentType(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var t componentTypeTemplate
	if err := decodeTemplate(r, &t); err != nil {
		return kernel.Physical{}, err
	}
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	w, ct, err := s.newComponentType(r, &t)
	if err != nil {
		return kernel.Physical{}, fmt.Errorf("component type %q: %w", t.ComponentTypeID, err)
	}
	w.types[ct.id] = ct
	p := physical(w.id+"|"+ct.id, s.arn(w.id, "component-type", ct.id), ct.created)
	p.Attributes["IsAbstract"], p.Attributes["IsSchemaInitialized"] = ct.abstract, false
	return p, nil
}

func (s *Service) newComponentType(r *kernel.Resource, t *componentTypeTemplate) (*workspace, *componentType, error) {
	w, err := s.registry.workspace(t.WorkspaceID)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !typePattern.MatchString(t.ComponentTypeID):
		return nil, nil, fmt.Errorf("ComponentTypeId must match %s", typePattern)
	case namespaceReserved(t.ComponentTypeID):
		return nil, nil, fmt.Errorf("ids that begin with com.amazon. are AWS's own")
	case len(t.CompositeComponentTypes) > 0, len(t.PropertyGroups) > 0:
		return nil, nil, fmt.Errorf("CompositeComponentTypes and PropertyGroups are not supported by the local endpoint")
	}
	if old, ok := w.types[t.ComponentTypeID]; ok {
		same, err := unchanged(old.properties, r.Properties)
		if err != nil || same {
			return w, old, err
		}
	}
	ct := &componentType{
		id: t.ComponentTypeID, description: t.Description, extends: t.ExtendsFrom, singleton: t.IsSingleton, created: s.Clock.Now(),
		definitions: map[string]*definition{}, functions: map[string]*function{}, properties: slices.Clone(r.Properties),
	}
	parents, err := w.ancestors(t.ExtendsFrom)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range parents {
		for name, d := range p.definitions {
			c := *d
			c.inherited = true
			ct.definitions[name] = &c
		}
		for name, f := range p.functions {
			c := *f
			c.inherited = true
			ct.functions[name] = &c
		}
	}
	for name, dt := range t.PropertyDefinitions {
		d, err := newDefinition(&dt, ct.definitions[name])
		if err != nil {
			return nil, nil, fmt.Errorf("property %q: %w", name, err)
		}
		if !namePattern.MatchString(name) {
			return nil, nil, fmt.Errorf("property %q: its name must match %s", name, namePattern)
		}
		ct.definitions[name] = d
	}
	for name, ft := range t.Functions {
		f, err := newFunction(name, &ft, ct)
		if err != nil {
			return nil, nil, fmt.Errorf("function %q: %w", name, err)
		}
		ct.functions[name] = f
	}
	ct.abstract = isAbstract(ct)
	return w, ct, nil
}

// newDefinition checks a definition; inherited is that of a parent, whose type
// it must keep and may leave out.
func newDefinition(t *definitionTemplate, inherited *definition) (*definition, error) {
	d := &definition{
		configuration: t.Configurations, required: t.IsRequiredInEntity, external: t.IsExternalID,
		storedExternally: t.IsStoredExternally, timeSeries: t.IsTimeSeries,
	}
	var err error
	switch {
	case t.DataType == nil && inherited != nil:
		d.dataType = inherited.dataType
	default:
		if d.dataType, err = newDataType(t.DataType); err != nil {
			return nil, err
		}
	}
	if inherited != nil {
		if d.dataType.kind != inherited.dataType.kind {
			return nil, fmt.Errorf("its type is %s in the type it extends, not %s", inherited.dataType.kind, d.dataType.kind)
		}
		d.required = d.required || inherited.required
		d.external = d.external || inherited.external
		d.storedExternally = d.storedExternally || inherited.storedExternally
		d.timeSeries = d.timeSeries || inherited.timeSeries
		d.defaultValue = inherited.defaultValue
	}
	switch {
	case d.timeSeries && !d.storedExternally:
		return nil, fmt.Errorf("a time series is stored externally: set IsStoredExternally")
	case d.storedExternally && t.DefaultValue != nil:
		return nil, fmt.Errorf("what is stored externally has no default value")
	case d.external && d.dataType.kind != "STRING":
		return nil, fmt.Errorf("an external id is a STRING")
	}
	if t.DefaultValue != nil {
		if d.defaultValue, err = newValue(t.DefaultValue, d.dataType); err != nil {
			return nil, fmt.Errorf("DefaultValue: %w", err)
		}
	}
	return d, nil
}

func newFunction(name string, t *functionTemplate, ct *componentType) (*function, error) {
	f := &function{scope: t.Scope, required: t.RequiredProperties}
	switch {
	case !slices.Contains(functionNames, name):
		return nil, fmt.Errorf("it is none of %v", functionNames)
	case t.Scope != "" && t.Scope != "ENTITY" && t.Scope != "WORKSPACE":
		return nil, fmt.Errorf("the scope %q is neither ENTITY nor WORKSPACE", t.Scope)
	case t.ImplementedBy == nil || t.ImplementedBy.Lambda == nil || t.ImplementedBy.IsNative:
		return nil, fmt.Errorf("it must be implemented by a Lambda function; native functions are AWS's own")
	case !lambdaPattern.MatchString(t.ImplementedBy.Lambda.Arn):
		return nil, fmt.Errorf("the Lambda's ARN %q must end with function:NAME, without alias and version", t.ImplementedBy.Lambda.Arn)
	}
	if f.scope == "" {
		f.scope = "ENTITY"
	}
	for _, p := range t.RequiredProperties {
		if _, ok := ct.definitions[p]; !ok {
			return nil, fmt.Errorf("its required property %q is not defined", p)
		}
	}
	f.lambda = t.ImplementedBy.Lambda.Arn
	return f, nil
}

// isAbstract reports whether a property stored externally has no function that
// reads it. An abstract type cannot be attached to an entity.
func isAbstract(ct *componentType) bool {
	for _, d := range ct.definitions {
		if !d.storedExternally {
			continue
		}
		if d.timeSeries && ct.reader() == nil && ct.functions["dataReaderByComponentType"] == nil {
			return true
		}
		if !d.timeSeries && ct.functions["attributePropertyValueReaderByEntity"] == nil {
			return true
		}
	}
	return false
}

// reader is the function that reads time series by entity.
func (ct *componentType) reader() *function {
	if f := ct.functions["dataReaderByEntity"]; f != nil {
		return f
	}
	return ct.functions["dataReader"]
}

// readerByType is the function that reads time series of all entities.
func (ct *componentType) readerByType() *function {
	if f := ct.functions["dataReaderByComponentType"]; f != nil {
		return f
	}
	return ct.functions["dataReader"]
}

// missing lists the properties, sorted, that must have a value and have none.
func (c *component) missing() []string {
	var names []string
	need := map[string]bool{}
	for name, d := range c.definitions {
		if d.required && !d.storedExternally {
			need[name] = true
		}
	}
	for _, f := range c.typ.functions {
		for _, name := range f.required {
			need[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(need)) {
		if c.values[name] == nil {
			names = append(names, name)
		}
	}
	return names
}
