package sitewise

import (
	"context"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// listPage is how many items a list operation returns unless the request says.
const listPage = 50

type paging struct {
	NextToken  string `json:"nextToken"`
	MaxResults int    `json:"maxResults"`
}

// page cuts one page out of all and writes it under name. The token holds how
// many items were read: models and assets only ever grow here, in a stable
// order, during one deployment.
func page[T any](in paging, all []T, name string, describe func(T) object) (any, error) {
	at := 0
	if err := decodeToken(in.NextToken, &at); err != nil {
		return nil, err
	}
	if at < 0 || at > len(all) {
		return nil, invalid("The nextToken is not one that this operation returned")
	}
	limit := in.MaxResults
	if limit == 0 {
		limit = listPage
	}
	end := min(at+limit, len(all))
	items := []object{}
	for _, x := range all[at:end] {
		items = append(items, describe(x))
	}
	out := object{name: items}
	if end < len(all) {
		out["nextToken"] = encodeToken(end)
	}
	return out, nil
}

func (s *Service) listAssetModels(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		paging

		Types []string `json:"assetModelTypes"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("iotsitewise:ListAssetModels", "*"); err != nil {
		return nil, err
	}
	models := slices.DeleteFunc(s.registry.sortedModels(), func(m *model) bool {
		return len(in.Types) > 0 && !slices.Contains(in.Types, m.kind)
	})
	return page(in.paging, models, "assetModelSummaries", func(m *model) object {
		o := object{
			"id": m.id, "arn": m.arn, "name": m.name, "description": m.description, "assetModelType": m.kind,
			"creationDate": seconds(m.created), "lastUpdateDate": seconds(m.updated), "status": active(),
		}
		return with(o, "externalId", m.externalID)
	})
}

func (s *Service) listAssets(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		paging

		AssetModelID string `json:"assetModelId"`
		Filter       string `json:"filter"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("iotsitewise:ListAssets", s.identity.ARN("iotsitewise", "asset-model/"+first(in.AssetModelID, "*"))); err != nil {
		return nil, err
	}
	if in.Filter != "TOP_LEVEL" && in.AssetModelID == "" {
		return nil, invalid("assetModelId is required unless filter is TOP_LEVEL")
	}
	keep := func(a *asset) bool { return a.parent == nil }
	if in.AssetModelID != "" {
		m, err := s.registry.model(in.AssetModelID)
		if err != nil {
			return nil, err
		}
		keep = func(a *asset) bool { return a.model == m && (in.Filter != "TOP_LEVEL" || a.parent == nil) }
	}
	return page(in.paging, s.registry.sortedAssets(keep), "assetSummaries", summary)
}

func summary(a *asset) object {
	o := object{
		"id": a.id, "arn": a.arn, "name": a.name, "assetModelId": a.model.id, "creationDate": seconds(a.created),
		"lastUpdateDate": seconds(a.updated), "status": active(), "hierarchies": a.describedHierarchies(),
	}
	with(o, "description", a.description)
	return with(o, "externalId", a.externalID)
}

func (s *Service) listAssociatedAssets(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		paging

		AssetID     string `json:"assetId"`
		HierarchyID string `json:"hierarchyId"`
		Direction   string `json:"traversalDirection"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	a, err := s.findAsset(c, in.AssetID)
	if err != nil {
		return nil, err
	}
	s.registry.mu.RLock()
	defer s.registry.mu.RUnlock()
	var list []*asset
	switch in.Direction {
	case "PARENT":
		if in.HierarchyID != "" {
			return nil, invalid("hierarchyId must not be given when traversalDirection is PARENT")
		}
		if a.parent != nil {
			list = append(list, a.parent)
		}
	default:
		if in.HierarchyID == "" {
			return nil, invalid("hierarchyId is required when traversalDirection is CHILD")
		}
		external := strings.TrimPrefix(in.HierarchyID, "externalId:")
		i := slices.IndexFunc(a.model.hierarchies, func(h modelHierarchy) bool {
			return h.id == in.HierarchyID || external != in.HierarchyID && h.externalID == external
		})
		if i < 0 {
			return nil, notFound("Hierarchy with id %s not found in asset %s", in.HierarchyID, a.id)
		}
		list = a.children[a.model.hierarchies[i].id]
	}
	return page(in.paging, list, "assetSummaries", summary)
}

func (s *Service) listAssetProperties(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		paging

		AssetID string `json:"assetId"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	a, err := s.findAsset(c, in.AssetID)
	if err != nil {
		return nil, err
	}
	return page(in.paging, a.properties, "assetPropertySummaries", func(p *property) object {
		o := s.describedProperty(p)
		for _, name := range []string{"name", "dataType", "type"} { // a summary has none of these
			delete(o, name)
		}
		return o
	})
}

func (s *Service) listAssetModelProperties(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		paging

		AssetModelID string `json:"assetModelId"`
		Version      string `json:"assetModelVersion"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	m, err := s.findModel(c, in.AssetModelID)
	if err != nil {
		return nil, err
	}
	return page(in.paging, m.properties, "assetModelPropertySummaries", m.describedProperty)
}

func (s *Service) listTimeSeries(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		paging

		AssetID     string `json:"assetId"`
		AliasPrefix string `json:"aliasPrefix"`
		Type        string `json:"timeSeriesType"`
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("iotsitewise:ListTimeSeries", s.identity.ARN("iotsitewise", "time-series/*")); err != nil {
		return nil, err
	}
	keep := func(*asset) bool { return in.Type != "DISASSOCIATED" } // none exist here
	if in.AssetID != "" {
		one, err := s.registry.asset(in.AssetID)
		if err != nil {
			return nil, err
		}
		keep = func(a *asset) bool { return a == one && in.Type != "DISASSOCIATED" }
	}
	var list []*property
	for _, a := range s.registry.sortedAssets(keep) {
		for _, p := range a.properties {
			if strings.HasPrefix(p.alias, in.AliasPrefix) {
				list = append(list, p)
			}
		}
	}
	return page(in.paging, list, "TimeSeriesSummaries", s.describedSeries)
}
