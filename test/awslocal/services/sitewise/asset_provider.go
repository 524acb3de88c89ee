package sitewise

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// maxAlias is the longest property alias, in characters.
const maxAlias = 2048

// createAsset provides AWS::IoTSiteWise::Asset.
func (s *Service) createAsset(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var t assetTemplate
	if err := decodeTemplate(r, &t); err != nil {
		return kernel.Physical{}, err
	}
	if !namePattern.MatchString(t.AssetName) {
		return kernel.Physical{}, fmt.Errorf("asset %q: AssetName must have 1 to 256 characters and no control characters", t.AssetName)
	}
	if t.AssetExternalID != "" && !externalIDPattern.MatchString(t.AssetExternalID) {
		return kernel.Physical{}, fmt.Errorf("asset %q: AssetExternalId %q does not match %s", t.AssetName, t.AssetExternalID, externalIDPattern)
	}
	s.registry.mu.Lock()
	a, err := s.newAsset(r, &t)
	s.registry.mu.Unlock()
	if err != nil {
		return kernel.Physical{}, fmt.Errorf("asset %q: %w", t.AssetName, err)
	}
	return kernel.Physical{Ref: a.id, Attributes: map[string]any{"AssetId": a.id, "AssetArn": a.arn}}, nil
}

// newAsset builds, checks and registers an asset, all or nothing. The caller
// holds the registry's lock.
func (s *Service) newAsset(r *kernel.Resource, t *assetTemplate) (*asset, error) {
	id := uuid("asset", r.Stack, r.LogicalID)
	digest := sha256.Sum256(r.Properties)
	if old, ok := s.registry.assets[id]; ok {
		if old.digest == digest {
			return old, nil
		}
		return nil, fmt.Errorf("it exists with other properties; the local endpoint does not update deployed assets, start it with an empty state")
	}
	m, err := s.registry.modelLocked(t.AssetModelID)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	a := &asset{
		id: id, arn: s.identity.ARN("iotsitewise", "asset/"+id), name: t.AssetName, description: t.AssetDescription,
		externalID: t.AssetExternalID, model: m, created: now, updated: now, children: map[string][]*asset{}, digest: digest,
	}
	for _, other := range s.registry.assets {
		if a.externalID != "" && other.externalID == a.externalID {
			return nil, fmt.Errorf("external id %s belongs to asset %q already", a.externalID, other.name)
		}
	}
	for _, mp := range m.properties {
		p := &property{modelProperty: mp, asset: a, unit: mp.unit, notification: "DISABLED", created: now}
		p.series = s.seriesOf(p.seriesName())
		a.properties = append(a.properties, p)
	}
	if err := s.assetProperties(a, t.AssetProperties); err != nil {
		return nil, err
	}
	children, err := s.children(a, t.AssetHierarchies)
	if err != nil {
		return nil, err
	}
	s.registry.assets[a.id] = a
	for _, p := range a.properties {
		if p.alias != "" {
			s.registry.aliases[p.alias] = p
		}
	}
	for hierarchy, list := range children {
		a.children[hierarchy] = list
		for _, child := range list {
			child.parent, child.parentHierarchy = a, hierarchy
		}
	}
	if err := s.connect(a); err != nil {
		return nil, err
	}
	return a, s.defaults(a)
}

// assetProperties applies aliases, units and notification states.
func (s *Service) assetProperties(a *asset, templates []assetPropertyTemplate) error {
	seen := map[*property]bool{}
	for _, t := range templates {
		ref := first(t.LogicalID, t.ID, t.ExternalID)
		i := slices.IndexFunc(a.properties, func(p *property) bool {
			return ref != "" && (p.logicalID == ref || p.id == ref || p.externalID == ref)
		})
		if i < 0 {
			return fmt.Errorf("asset model %q has no property %q", a.model.name, ref)
		}
		p := a.properties[i]
		if seen[p] {
			return fmt.Errorf("property %q is there twice", p.name)
		}
		seen[p] = true
		switch t.NotificationState {
		case "", "DISABLED":
		case "ENABLED":
			p.notification = "ENABLED"
		default:
			return fmt.Errorf("property %q: NotificationState %q is neither ENABLED nor DISABLED", p.name, t.NotificationState)
		}
		if t.Unit != "" {
			p.unit = t.Unit
		}
		if t.Alias == "" {
			continue
		}
		if len([]rune(t.Alias)) > maxAlias || strings.ContainsFunc(t.Alias, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
			return fmt.Errorf("property %q: the alias has more than %d characters or a control character", p.name, maxAlias)
		}
		if other, taken := s.registry.aliases[t.Alias]; taken {
			return fmt.Errorf("property %q: alias %s belongs to property %q of asset %q already", p.name, t.Alias, other.name, other.asset.name)
		}
		for q := range seen {
			if q != p && q.alias == t.Alias {
				return fmt.Errorf("properties %q and %q have the same alias %s", q.name, p.name, t.Alias)
			}
		}
		p.alias = t.Alias
	}
	return nil
}

// children finds the child assets by hierarchy id.
func (s *Service) children(a *asset, templates []assetHierarchyTemplate) (map[string][]*asset, error) {
	byHierarchy := map[string][]*asset{}
	claimed := map[*asset]bool{}
	for _, t := range templates {
		ref := first(t.LogicalID, t.ID, t.ExternalID)
		i := slices.IndexFunc(a.model.hierarchies, func(h modelHierarchy) bool {
			return ref != "" && (h.logicalID == ref || h.id == ref || h.externalID == ref)
		})
		if i < 0 {
			return nil, fmt.Errorf("asset model %q has no hierarchy %q", a.model.name, ref)
		}
		h := a.model.hierarchies[i]
		child, err := s.registry.assetLocked(t.ChildAssetID)
		if err != nil {
			return nil, fmt.Errorf("hierarchy %q: %w", h.name, err)
		}
		if child.model.id != h.childModelID {
			return nil, fmt.Errorf("hierarchy %q: asset %q is of model %q, which is not the hierarchy's", h.name, child.name, child.model.name)
		}
		if child.parent != nil || claimed[child] {
			return nil, fmt.Errorf("hierarchy %q: asset %q has a parent already", h.name, child.name)
		}
		claimed[child] = true
		byHierarchy[h.id] = append(byHierarchy[h.id], child)
	}
	return byHierarchy, nil
}

// connect makes the computations of a's transforms and metrics and hangs them
// on their inputs. Children come before parents, so all inputs exist.
func (s *Service) connect(a *asset) error {
	for _, p := range a.properties {
		if p.kind == transform || p.kind == metric {
			p.compute = newComputation(p)
		}
	}
	for _, p := range a.properties {
		if p.compute == nil {
			continue
		}
		for _, v := range p.variables {
			owners := []*asset{a}
			if v.hierarchyID != "" {
				owners = a.children[v.hierarchyID]
			}
			for _, owner := range owners {
				in, err := owner.property(v.propertyID)
				if err != nil {
					return err
				}
				p.compute.inputs[v.name] = append(p.compute.inputs[v.name], in)
				in.dependents = append(in.dependents, p.compute)
				for _, point := range in.series.Range(minTime, maxTime) { // what an earlier run stored
					p.compute.touch(in, point.Time)
				}
			}
		}
	}
	return nil
}

// defaults gives attributes their default values, as of now, unless they have
// one already.
func (s *Service) defaults(a *asset) error {
	var entries []tqv.Entry
	for _, p := range a.properties {
		if p.kind != attribute || p.defaultValue == "" || p.series.Len() > 0 {
			continue
		}
		v, err := parseValue(p.dataType, p.defaultValue)
		if err != nil {
			return err
		}
		point := tqv.Point{Time: tqv.Nanos(p.created), Value: v}
		entries = append(entries, tqv.Entry{Series: p.seriesName(), Points: []tqv.Point{point}})
		p.series.Put(point)
	}
	if len(entries) == 0 {
		return nil
	}
	return s.append(entries)
}
