package sitewise

import (
	"context"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// object is a JSON object by the model's member names.
type object = map[string]any

// with adds a member unless it is empty.
func with(o object, name, value string) object {
	if value != "" {
		o[name] = value
	}
	return o
}

func seconds(t time.Time) int64 { return t.Unix() }

func active() object { return object{"state": "ACTIVE"} }

func (s *Service) describeAsset(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		AssetID           string `json:"assetId"`
		ExcludeProperties bool   `json:"excludeProperties"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	a, err := s.findAsset(c, in.AssetID)
	if err != nil {
		return nil, err
	}
	properties := []object{}
	for _, p := range a.properties {
		if in.ExcludeProperties {
			break
		}
		o := s.describedProperty(p)
		delete(o, "type")
		properties = append(properties, o)
	}
	out := object{
		"assetId": a.id, "assetArn": a.arn, "assetName": a.name, "assetModelId": a.model.id, "assetProperties": properties,
		"assetHierarchies": a.describedHierarchies(), "assetCreationDate": seconds(a.created), "assetLastUpdateDate": seconds(a.updated),
		"assetStatus": active(), "assetCompositeModels": []object{}, "assetCompositeModelSummaries": []object{},
	}
	with(out, "assetDescription", a.description)
	return with(out, "assetExternalId", a.externalID), nil
}

// findAsset resolves and authorizes an asset.
func (s *Service) findAsset(c *kernel.Call, id string) (*asset, error) {
	a, err := s.registry.asset(id)
	resource := s.identity.ARN("iotsitewise", "asset/"+id)
	if a != nil {
		resource = a.arn
	}
	if denied := c.Authorize("iotsitewise:"+c.Operation, resource); denied != nil {
		return nil, denied
	}
	return a, err
}

func (a *asset) describedHierarchies() []object {
	list := []object{}
	for _, h := range a.model.hierarchies {
		list = append(list, with(object{"id": h.id, "name": h.name}, "externalId", h.externalID))
	}
	return list
}

func (s *Service) describedProperty(p *property) object {
	o := object{
		"id": p.id, "name": p.name, "dataType": p.dataType, "type": p.describedType(),
		"path": []object{{"id": p.asset.id, "name": p.asset.name}, {"id": p.id, "name": p.name}},
		"notification": object{
			"topic": "$aws/sitewise/asset-models/" + p.asset.model.id + "/assets/" + p.asset.id + "/properties/" + p.id,
			"state": p.notification,
		},
	}
	with(o, "alias", p.alias)
	with(o, "externalId", p.externalID)
	return with(o, "unit", p.unit)
}

// describedType is the API's PropertyType.
func (p *modelProperty) describedType() object {
	variables := []object{}
	for _, v := range p.variables {
		variables = append(variables, object{"name": v.name, "value": with(object{"propertyId": v.propertyID}, "hierarchyId", v.hierarchyID)})
	}
	switch p.kind {
	case attribute:
		return object{"attribute": with(object{}, "defaultValue", p.defaultValue)}
	case measurement:
		return object{"measurement": object{}}
	case transform:
		return object{"transform": object{"expression": p.source, "variables": variables}}
	case metric:
	}
	tumbling := with(object{"interval": p.window.text}, "offset", p.window.offsetText)
	return object{"metric": object{"expression": p.source, "variables": variables, "window": object{"tumbling": tumbling}}}
}

func (s *Service) describeAssetModel(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		AssetModelID      string `json:"assetModelId"`
		ExcludeProperties bool   `json:"excludeProperties"`
		Version           string `json:"assetModelVersion"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	m, err := s.findModel(c, in.AssetModelID)
	if err != nil {
		return nil, err
	}
	properties := []object{}
	for _, p := range m.properties {
		if !in.ExcludeProperties {
			properties = append(properties, m.describedProperty(p))
		}
	}
	hierarchies := []object{}
	for _, h := range m.hierarchies {
		hierarchies = append(hierarchies, with(object{"id": h.id, "name": h.name, "childAssetModelId": h.childModelID}, "externalId", h.externalID))
	}
	out := object{
		"assetModelId": m.id, "assetModelArn": m.arn, "assetModelName": m.name, "assetModelType": m.kind,
		"assetModelDescription": m.description, "assetModelProperties": properties, "assetModelHierarchies": hierarchies,
		"assetModelCompositeModels": []object{}, "assetModelCompositeModelSummaries": []object{},
		"assetModelCreationDate": seconds(m.created), "assetModelLastUpdateDate": seconds(m.updated), "assetModelStatus": active(),
	}
	return with(out, "assetModelExternalId", m.externalID), nil
}

func (s *Service) findModel(c *kernel.Call, id string) (*model, error) {
	m, err := s.registry.model(id)
	resource := s.identity.ARN("iotsitewise", "asset-model/"+id)
	if m != nil {
		resource = m.arn
	}
	if denied := c.Authorize("iotsitewise:"+c.Operation, resource); denied != nil {
		return nil, denied
	}
	return m, err
}

func (m *model) describedProperty(p *modelProperty) object {
	o := object{
		"id": p.id, "name": p.name, "dataType": p.dataType, "type": p.describedType(),
		"path": []object{{"id": m.id, "name": m.name}, {"id": p.id, "name": p.name}},
	}
	with(o, "externalId", p.externalID)
	return with(o, "unit", p.unit)
}

func (s *Service) describeAssetProperty(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		AssetID    string `json:"assetId"`
		PropertyID string `json:"propertyId"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	a, err := s.findAsset(c, in.AssetID)
	if err != nil {
		return nil, err
	}
	p, err := a.property(in.PropertyID)
	if err != nil {
		return nil, err
	}
	out := object{"assetId": a.id, "assetName": a.name, "assetModelId": a.model.id, "assetProperty": s.describedProperty(p)}
	return with(out, "assetExternalId", a.externalID), nil
}

func (s *Service) describeTimeSeries(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Alias      string `json:"alias"`
		AssetID    string `json:"assetId"`
		PropertyID string `json:"propertyId"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	p, err := s.find(c, propertyRef{AssetID: in.AssetID, PropertyID: in.PropertyID, PropertyAlias: in.Alias})
	if err != nil {
		return nil, err
	}
	return s.describedSeries(p), nil
}

func (s *Service) describedSeries(p *property) object {
	id := p.asset.id + ":" + p.id
	o := object{
		"assetId": p.asset.id, "propertyId": p.id, "timeSeriesId": id, "dataType": p.dataType,
		"timeSeriesCreationDate": seconds(p.created), "timeSeriesLastUpdateDate": seconds(p.created),
		"timeSeriesArn": s.identity.ARN("iotsitewise", "time-series/"+id),
	}
	return with(o, "alias", p.alias)
}
