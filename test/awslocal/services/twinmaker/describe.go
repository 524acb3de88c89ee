package twinmaker

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

func active() object { return object{"state": "ACTIVE", "error": object{}} }

type workspaceRequest struct {
	paging

	WorkspaceID     string `json:"workspaceId"`
	ComponentTypeID string `json:"componentTypeId"`
	EntityID        string `json:"entityId"`
	SceneID         string `json:"sceneId"`
}

// open decodes and authorizes a request about a workspace and locks the
// registry for reading; the caller unlocks.
func (s *Service) open(c *kernel.Call, in any, request *workspaceRequest) (*workspace, error) {
	if err := c.Decode(in); err != nil {
		return nil, err
	}
	id := request.WorkspaceID
	if _, after, ok := strings.Cut(id, ":workspace/"); ok {
		id = after
	}
	var resources []string
	for _, r := range [][2]string{{"component-type", request.ComponentTypeID}, {"entity", request.EntityID}, {"scene", request.SceneID}} {
		if r[1] != "" {
			resources = append(resources, s.arn(id, r[0], r[1]))
		}
	}
	if err := s.authorize(c, id, resources...); err != nil {
		return nil, err
	}
	s.registry.mu.RLock()
	w, err := s.registry.workspace(id)
	if err != nil {
		s.registry.mu.RUnlock()
		return nil, err
	}
	return w, nil
}

func (w *workspace) describe() object {
	at := w.created.Unix()
	return with(object{"workspaceId": w.id, "arn": w.arn, "creationDateTime": at, "updateDateTime": at}, "description", w.description)
}

func (s *Service) getWorkspace(_ context.Context, c *kernel.Call) (any, error) {
	var in workspaceRequest
	w, err := s.open(c, &in, &in)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	out := w.describe()
	out["role"], out["s3Location"] = w.role, w.bucket
	return out, nil
}

func (s *Service) listWorkspaces(_ context.Context, c *kernel.Call) (any, error) {
	var in paging
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("iottwinmaker:ListWorkspaces", "*"); err != nil {
		return nil, err
	}
	s.registry.mu.RLock()
	defer s.registry.mu.RUnlock()
	items, next, err := page(in, sorted(s.registry.workspaces), (*workspace).describe)
	return with(object{"workspaceSummaries": items}, "nextToken", next), err
}

func (s *Service) getComponentType(_ context.Context, c *kernel.Call) (any, error) {
	var in workspaceRequest
	w, err := s.open(c, &in, &in)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	ct, ok := w.types[in.ComponentTypeID]
	if !ok {
		return nil, notFound("Component type %s not found in workspace %s", in.ComponentTypeID, w.id)
	}
	functions := object{}
	for name, f := range ct.functions {
		implementation := object{"isNative": f.native}
		if f.lambda != "" {
			implementation["lambda"] = object{"arn": f.lambda}
		}
		o := object{"scope": f.scope, "implementedBy": implementation, "isInherited": f.inherited}
		if len(f.required) > 0 {
			o["requiredProperties"] = f.required
		}
		functions[name] = o
	}
	out := s.summaryOf(w, ct)
	out["workspaceId"] = w.id
	out["isAbstract"], out["isSingleton"], out["isSchemaInitialized"] = ct.abstract, ct.singleton, false
	out["propertyDefinitions"], out["functions"] = describeDefinitions(ct.definitions), functions
	out["extendsFrom"] = append([]string{}, ct.extends...)
	return out, nil
}

func (s *Service) summaryOf(w *workspace, ct *componentType) object {
	at := ct.created.Unix()
	return with(object{
		"arn": s.arn(w.id, "component-type", ct.id), "componentTypeId": ct.id, "creationDateTime": at, "updateDateTime": at, "status": active(),
	}, "description", ct.description)
}

func describeDefinitions(definitions map[string]*definition) object {
	out := object{}
	for name, d := range definitions {
		out[name] = d.describe()
	}
	return out
}

// describe is the API's PropertyDefinitionResponse, with every flag.
func (d *definition) describe() object {
	o := object{
		"dataType": d.dataType.describe(), "isTimeSeries": d.timeSeries, "isRequiredInEntity": d.required, "isExternalId": d.external,
		"isStoredExternally": d.storedExternally, "isImported": d.imported, "isFinal": false, "isInherited": d.inherited,
	}
	if d.defaultValue != nil {
		o["defaultValue"] = d.defaultValue
	}
	if len(d.configuration) > 0 {
		o["configuration"] = d.configuration
	}
	return with(o, "displayName", d.displayName)
}

func (s *Service) listComponentTypes(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		workspaceRequest

		Filters []struct {
			ExtendsFrom *string `json:"extendsFrom"`
			IsAbstract  *bool   `json:"isAbstract"`
			Namespace   *string `json:"namespace"`
		} `json:"filters"`
	}
	w, err := s.open(c, &in, &in.workspaceRequest)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	types := slices.DeleteFunc(sorted(w.types), func(ct *componentType) bool {
		for _, f := range in.Filters {
			switch {
			case f.ExtendsFrom != nil && !slices.Contains(ct.extends, *f.ExtendsFrom): // direct children only
				return true
			case f.IsAbstract != nil && ct.abstract != *f.IsAbstract:
				return true
			case f.Namespace != nil && !strings.HasPrefix(ct.id, *f.Namespace):
				return true
			}
		}
		return false
	})
	items, next, err := page(in.paging, types, func(ct *componentType) object { return s.summaryOf(w, ct) })
	return with(object{"workspaceId": w.id, "componentTypeSummaries": items}, "nextToken", next), err
}

func (s *Service) getEntity(_ context.Context, c *kernel.Call) (any, error) {
	var in workspaceRequest
	w, err := s.open(c, &in, &in)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	e, err := w.entity(in.EntityID)
	if err != nil {
		return nil, err
	}
	components := object{}
	for name, comp := range e.components {
		properties := object{}
		for property, d := range comp.definitions {
			p := object{"definition": d.describe(), "areAllPropertyValuesReturned": true}
			if v := comp.values[property]; v != nil {
				p["value"] = v
			}
			properties[property] = p
		}
		components[name] = with(object{
			"componentName": name, "componentTypeId": comp.typ.id, "properties": properties, "status": active(),
			"areAllPropertiesReturned": true, "areAllCompositeComponentsReturned": true,
		}, "description", comp.description)
	}
	out := s.summaryOfEntity(w, e)
	out["workspaceId"], out["components"], out["areAllComponentsReturned"] = w.id, components, true
	return out, nil
}

// entity finds an entity; the caller holds the lock.
func (w *workspace) entity(id string) (*entity, error) {
	e, ok := w.entities[id]
	if !ok {
		return nil, notFound("Entity %s not found in workspace %s", id, w.id)
	}
	return e, nil
}

func (s *Service) summaryOfEntity(w *workspace, e *entity) object {
	at := e.created.Unix()
	children := slices.ContainsFunc(slices.Collect(maps.Values(w.entities)), func(o *entity) bool { return o.parent == e.id })
	return with(object{
		"entityId": e.id, "entityName": e.name, "arn": s.arn(w.id, "entity", e.id), "status": active(), "parentEntityId": e.parent,
		"hasChildEntities": children, "creationDateTime": at, "updateDateTime": at,
	}, "description", e.description)
}

func (s *Service) listEntities(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		workspaceRequest

		Filters []struct {
			ParentEntityID  *string `json:"parentEntityId"`
			ComponentTypeID *string `json:"componentTypeId"`
			ExternalID      *string `json:"externalId"`
		} `json:"filters"`
	}
	w, err := s.open(c, &in, &in.workspaceRequest)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	entities := slices.DeleteFunc(sorted(w.entities), func(e *entity) bool {
		for _, f := range in.Filters {
			switch {
			case f.ParentEntityID != nil && e.parent != *f.ParentEntityID:
				return true
			case f.ComponentTypeID != nil && !e.has(w, *f.ComponentTypeID):
				return true
			case f.ExternalID != nil && !e.known(*f.ExternalID):
				return true
			}
		}
		return false
	})
	items, next, err := page(in.paging, entities, func(e *entity) object { return s.summaryOfEntity(w, e) })
	return with(object{"entitySummaries": items}, "nextToken", next), err
}

// known reports whether a property of e that is an external id has a value.
func (e *entity) known(externalID string) bool {
	for _, c := range e.components {
		for name, d := range c.definitions {
			if d.external && stringValue(c.values[name]) == externalID {
				return true
			}
		}
	}
	return false
}

func (s *Service) describeScene(w *workspace, sc *scene) object {
	at := sc.created.Unix()
	return with(object{
		"sceneId": sc.id, "contentLocation": sc.location, "arn": s.arn(w.id, "scene", sc.id), "creationDateTime": at, "updateDateTime": at,
	}, "description", sc.description)
}

func (s *Service) getScene(_ context.Context, c *kernel.Call) (any, error) {
	var in workspaceRequest
	w, err := s.open(c, &in, &in)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	sc, ok := w.scenes[in.SceneID]
	if !ok {
		return nil, notFound("Scene %s not found in workspace %s", in.SceneID, w.id)
	}
	out := s.describeScene(w, sc)
	out["workspaceId"] = w.id
	if len(sc.capabilities) > 0 {
		out["capabilities"] = sc.capabilities
	}
	if len(sc.metadata) > 0 {
		out["sceneMetadata"] = sc.metadata
	}
	return out, nil
}

func (s *Service) listScenes(_ context.Context, c *kernel.Call) (any, error) {
	var in workspaceRequest
	w, err := s.open(c, &in, &in)
	if err != nil {
		return nil, err
	}
	defer s.registry.mu.RUnlock()
	items, next, err := page(in.paging, sorted(w.scenes), func(sc *scene) object { return s.describeScene(w, sc) })
	return with(object{"sceneSummaries": items}, "nextToken", next), err
}
