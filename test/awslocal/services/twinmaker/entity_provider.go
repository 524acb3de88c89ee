package twinmaker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

const root = "$ROOT"

func (s *Service) createEntity(ctx context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var t entityTemplate
	if err := decodeTemplate(r, &t); err != nil {
		return kernel.Physical{}, err
	}
	if t.EntityID == "" {
		sum := sha256.Sum256([]byte(r.Stack + "\x00" + r.LogicalID))
		h := hex.EncodeToString(sum[:16])
		t.EntityID = strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	}
	w, e, err := s.newEntity(ctx, r, &t)
	if err != nil {
		return kernel.Physical{}, fmt.Errorf("entity %q: %w", t.EntityID, err)
	}
	p := physical(w.id+"|"+e.id, s.arn(w.id, "entity", e.id), e.created)
	p.Attributes["HasChildEntities"] = false
	return p, nil
}

func (s *Service) newEntity(ctx context.Context, r *kernel.Resource, t *entityTemplate) (*workspace, *entity, error) {
	s.registry.mu.RLock()
	w, err := s.registry.workspace(t.WorkspaceID)
	var old *entity
	if err == nil {
		old = w.entities[t.EntityID]
	}
	s.registry.mu.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !entityPattern.MatchString(t.EntityID) || len(t.EntityID) > 128:
		return nil, nil, fmt.Errorf("EntityId must match %s and have at most 128 characters", entityPattern)
	case t.EntityName == "" || len([]rune(t.EntityName)) > 256:
		return nil, nil, fmt.Errorf("EntityName must have 1 to 256 characters")
	case len(t.CompositeComponents) > 0:
		return nil, nil, fmt.Errorf("CompositeComponents are not supported by the local endpoint")
	}
	if old != nil {
		same, err := unchanged(old.properties, r.Properties)
		if err != nil || same {
			return w, old, err
		}
	}
	e := &entity{
		id: t.EntityID, name: t.EntityName, description: t.Description, parent: t.ParentEntityID, created: s.Clock.Now(),
		components: map[string]*component{}, properties: slices.Clone(r.Properties),
	}
	if e.parent == "" {
		e.parent = root
	}
	s.registry.mu.RLock()
	err = w.build(e, t)
	s.registry.mu.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	for name, c := range e.components { // outside the lock: it calls SiteWise
		if c.typ.id == siteWiseType {
			if err := s.importSchema(ctx, w, c); err != nil {
				return nil, nil, fmt.Errorf("component %q: %w", name, err)
			}
		}
	}
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	w.entities[e.id] = e
	return w, e, nil
}

// build makes and checks the components of an entity.
func (w *workspace) build(e *entity, t *entityTemplate) error {
	if _, ok := w.entities[e.parent]; !ok && e.parent != root {
		return notFound("Parent entity %s not found in workspace %s", e.parent, w.id)
	}
	singletons := map[string]string{}
	for name, ct := range t.Components {
		c, err := w.component(name, &ct)
		if err == nil {
			err = w.targets(e, c)
		}
		if err != nil {
			return fmt.Errorf("component %q: %w", name, err)
		}
		if other, taken := singletons[c.typ.id]; taken && c.typ.singleton {
			return fmt.Errorf("components %q and %q are both of the singleton type %s", other, name, c.typ.id)
		}
		singletons[c.typ.id] = name
		e.components[name] = c
	}
	return nil
}

func (w *workspace) component(name string, t *componentTemplate) (*component, error) {
	switch {
	case !namePattern.MatchString(name):
		return nil, fmt.Errorf("its name must match %s", namePattern)
	case t.ComponentName != "" && t.ComponentName != name:
		return nil, fmt.Errorf("its ComponentName is %q, which is not its key", t.ComponentName)
	case len(t.PropertyGroups) > 0:
		return nil, fmt.Errorf("PropertyGroups are not supported by the local endpoint")
	}
	parents, err := w.ancestors([]string{t.ComponentTypeID})
	if err != nil {
		return nil, err
	}
	typ := parents[0]
	if typ.abstract {
		return nil, invalid("Component type %s is abstract: a property that is stored externally has no function that reads it", typ.id)
	}
	c := &component{name: name, description: t.Description, typ: typ, definitions: map[string]*definition{}, values: map[string]value{}}
	for property, d := range typ.definitions {
		c.definitions[property] = d
		if d.defaultValue != nil {
			c.values[property] = d.defaultValue
		}
	}
	for property, pt := range t.Properties {
		d, ok := c.definitions[property]
		switch {
		case !ok:
			return nil, fmt.Errorf("component type %s has no property %q", typ.id, property)
		case len(pt.Definition) > 0 && string(pt.Definition) != "null":
			return nil, fmt.Errorf("property %q: a Definition in an entity is not supported by the local endpoint", property)
		case pt.Value == nil:
			continue
		case d.storedExternally:
			return nil, fmt.Errorf("property %q is stored externally and has no value here", property)
		}
		if c.values[property], err = newValue(pt.Value, d.dataType); err != nil {
			return nil, fmt.Errorf("property %q: %w", property, err)
		}
	}
	if missing := c.missing(); len(missing) > 0 {
		return nil, fmt.Errorf("the required properties %s have no value", strings.Join(missing, ", "))
	}
	return c, nil
}

// targets checks that the entities of relationships exist, e itself included,
// and are of the type that the relationship asks for.
func (w *workspace) targets(e *entity, c *component) error {
	for property, v := range c.values {
		d := c.definitions[property].dataType
		list := []value{v}
		if nested, ok := v["listValue"].([]value); ok {
			list, d = nested, d.nested
		}
		for _, one := range list {
			r, ok := one["relationshipValue"].(object)
			if !ok {
				continue
			}
			id, _ := r["targetEntityId"].(string)
			target, ok := w.entities[id]
			if !ok && id != e.id {
				return fmt.Errorf("property %q: %w", property, notFound("the target entity %q of the relationship was not found in workspace %s; deploy it first", id, w.id))
			}
			if target != nil && d.targetComponentTyp != "" && !target.has(w, d.targetComponentTyp) {
				return fmt.Errorf("property %q: the target entity %q has no component of type %s", property, id, d.targetComponentTyp)
			}
		}
	}
	return nil
}

// has reports whether e has a component of a type or of one that extends it.
func (e *entity) has(w *workspace, typeID string) bool {
	for _, c := range e.components {
		if w.descends(c.typ, typeID) {
			return true
		}
	}
	return false
}

// importSchema gives a SiteWise component the properties of its asset, as the
// native schema initializer does.
func (s *Service) importSchema(ctx context.Context, w *workspace, c *component) error {
	p, err := s.Roles.Assume(w.role, "iottwinmaker.amazonaws.com")
	if err != nil {
		return fmt.Errorf("assume the workspace's role: %w", err)
	}
	assetID, modelID := stringValue(c.values["sitewiseAssetId"]), stringValue(c.values["sitewiseAssetModelId"])
	raw, err := s.Invoker.Invoke(ctx, p, "iotsitewise", "DescribeAsset", object{"assetId": assetID})
	if err != nil {
		return fmt.Errorf("read the SiteWise asset: %w", err)
	}
	var asset struct {
		ModelID    string         `json:"assetModelId"`
		Properties []siteWiseProp `json:"assetProperties"`
	}
	if err := json.Unmarshal(raw, &asset); err != nil {
		return fmt.Errorf("read the SiteWise asset: %w", err)
	}
	if asset.ModelID != modelID {
		return fmt.Errorf("the SiteWise asset %s is of model %s, not of sitewiseAssetModelId %s", assetID, asset.ModelID, modelID)
	}
	raw, err = s.Invoker.Invoke(ctx, p, "iotsitewise", "DescribeAssetModel", object{"assetModelId": modelID})
	if err != nil {
		return fmt.Errorf("read the SiteWise asset model: %w", err)
	}
	var model struct {
		Properties []struct {
			ID   string                     `json:"id"`
			Type map[string]json.RawMessage `json:"type"`
		} `json:"assetModelProperties"`
	}
	if err := json.Unmarshal(raw, &model); err != nil {
		return fmt.Errorf("read the SiteWise asset model: %w", err)
	}
	attributes := map[string]bool{}
	for _, mp := range model.Properties {
		_, attributes[mp.ID] = mp.Type["attribute"]
	}
	for _, ap := range asset.Properties {
		c.definitions[propertyPrefix+ap.ID] = &definition{
			dataType: &dataType{kind: ap.DataType, unit: ap.Unit}, displayName: ap.Name,
			storedExternally: true, timeSeries: !attributes[ap.ID], imported: true,
		}
	}
	return nil
}

// propertyPrefix begins the names of properties that are imported from SiteWise.
const propertyPrefix = "Property_"

type siteWiseProp struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	DataType string `json:"dataType"`
	Unit     string `json:"unit"`
}

func stringValue(v value) string {
	switch t := v["stringValue"].(type) {
	case *string:
		return *t
	case string:
		return t
	default:
		return ""
	}
}
