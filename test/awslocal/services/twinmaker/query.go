package twinmaker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// historyPage is the maxResults that TwinMaker passes on when the caller names
// none.
const historyPage = 100

// queryRequest is what GetPropertyValue and GetPropertyValueHistory have in
// common, and the history's own members.
type queryRequest struct {
	workspaceRequest

	ComponentName      string            `json:"componentName"`
	ComponentPath      string            `json:"componentPath"`
	SelectedProperties []string          `json:"selectedProperties"`
	PropertyGroupName  string            `json:"propertyGroupName"`
	TabularConditions  json.RawMessage   `json:"tabularConditions"`
	PropertyFilters    []json.RawMessage `json:"propertyFilters"`
	Interpolation      json.RawMessage   `json:"interpolation"`
	StartTime          string            `json:"startTime"`
	EndTime            string            `json:"endTime"`
	StartDateTime      *float64          `json:"startDateTime"`
	EndDateTime        *float64          `json:"endDateTime"`
	OrderByTime        string            `json:"orderByTime"`
}

// target is what a query is about: a component of an entity, or all components
// of a type.
type target struct {
	workspace *workspace
	entity    *entity    // nil for a query across entities
	component *component // nil for a query across entities
	typ       *componentType
}

func (t *target) definitions() map[string]*definition {
	if t.component != nil {
		return t.component.definitions
	}
	return t.typ.definitions
}

// resolve finds the target of a query. The caller holds the lock.
func (q *queryRequest) resolve(w *workspace) (*target, error) {
	if q.PropertyGroupName != "" || q.TabularConditions != nil {
		return nil, invalid("Tabular data is not supported by the local endpoint")
	}
	t := &target{workspace: w}
	switch {
	case q.EntityID != "":
		e, err := w.entity(q.EntityID)
		if err != nil {
			return nil, err
		}
		name := q.ComponentName
		if name == "" {
			name = q.ComponentPath
		}
		c, ok := e.components[name]
		if !ok {
			return nil, notFound("Component %q not found in entity %s", name, e.id)
		}
		t.entity, t.component, t.typ = e, c, c.typ
	case q.ComponentTypeID != "":
		ct, ok := w.types[q.ComponentTypeID]
		if !ok {
			return nil, notFound("Component type %s not found in workspace %s", q.ComponentTypeID, w.id)
		}
		t.typ = ct
	default:
		return nil, invalid("Specify entityId and componentName, or componentTypeId")
	}
	for _, name := range q.SelectedProperties {
		if t.definitions()[name] == nil {
			return nil, invalid("Property %q is not defined in component type %s", name, t.typ.id)
		}
	}
	return t, nil
}

// span is the range of a query: start exclusive, end inclusive, with the texts
// that the caller wrote.
type span struct {
	start, end         time.Time
	startText, endText string
	descending         bool
}

func (q *queryRequest) span() (span, error) {
	sp := span{descending: q.OrderByTime == "DESCENDING"}
	var err error
	if sp.start, sp.startText, err = bound("start", q.StartTime, q.StartDateTime); err != nil {
		return sp, err
	}
	if sp.end, sp.endText, err = bound("end", q.EndTime, q.EndDateTime); err != nil {
		return sp, err
	}
	if sp.end.Before(sp.start) {
		return sp, invalid("startTime must not be after endTime")
	}
	return sp, nil
}

func bound(name, text string, epoch *float64) (time.Time, string, error) {
	switch {
	case text != "" && epoch != nil:
		return time.Time{}, "", invalid("%sTime and the deprecated %sDateTime must not both be given", name, name)
	case text != "":
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t, text, nil
			}
		}
		return time.Time{}, "", invalid("%sTime %q is not an ISO 8601 time such as 2026-01-02T03:04:05Z", name, text)
	case epoch != nil:
		t := time.UnixMilli(int64(*epoch * 1e3)).UTC()
		return t, t.Format(time.RFC3339Nano), nil
	default:
		return time.Time{}, "", invalid("%sTime is required", name)
	}
}

// reference is the API's EntityPropertyReference.
func (t *target) reference(property string) object {
	o := object{"propertyName": property}
	if t.entity != nil {
		o["entityId"], o["componentName"] = t.entity.id, t.component.name
	}
	return o
}

func (s *Service) getPropertyValueHistory(ctx context.Context, c *kernel.Call) (any, error) {
	var q queryRequest
	w, err := s.open(c, &q, &q.workspaceRequest)
	if err != nil {
		return nil, err
	}
	t, err := q.resolve(w)
	s.registry.mu.RUnlock() // what is deployed does not change; a connector may take its time
	if err != nil {
		return nil, err
	}
	sp, err := q.span()
	if err != nil {
		return nil, err
	}
	for _, name := range q.SelectedProperties {
		if !t.definitions()[name].timeSeries {
			return nil, invalid("Property %q is not a time series", name)
		}
	}
	return s.history(ctx, c, &q, t, sp)
}

// history asks the reader of a component type for time series.
func (s *Service) history(ctx context.Context, c *kernel.Call, q *queryRequest, t *target, sp span) (*historyReply, error) {
	reader := t.typ.reader()
	if t.component == nil {
		reader = t.typ.readerByType()
	}
	switch {
	case reader == nil:
		return nil, invalid("Component type %s has no function that reads its time series", t.typ.id)
	case reader.native && t.component == nil:
		return nil, invalid("A query across entities is not supported for %s", t.typ.id)
	case reader.native:
		return s.nativeHistory(ctx, q, t, sp)
	default:
		return s.connectorHistory(ctx, c, q, t, sp, reader)
	}
}

func (s *Service) getPropertyValue(ctx context.Context, c *kernel.Call) (any, error) {
	var q queryRequest
	w, err := s.open(c, &q, &q.workspaceRequest)
	if err != nil {
		return nil, err
	}
	t, err := q.resolve(w)
	s.registry.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if t.component == nil {
		return nil, invalid("GetPropertyValue needs entityId and componentName")
	}
	if q.NextToken != "" {
		return nil, invalid("The nextToken is not one that this operation returned")
	}
	out := object{}
	var external []string
	for _, name := range q.SelectedProperties {
		d := t.definitions()[name]
		latest := object{"propertyReference": t.reference(name)}
		switch {
		case d.timeSeries:
			v, err := s.latest(ctx, c, &q, t, name)
			if err != nil {
				return nil, err
			}
			if v != nil {
				latest["propertyValue"] = v
			}
		case d.storedExternally:
			external = append(external, name)
			continue
		case t.component.values[name] != nil:
			latest["propertyValue"] = t.component.values[name]
		}
		out[name] = latest
	}
	if len(external) > 0 {
		values, err := s.attributes(ctx, c, t, external)
		if err != nil {
			return nil, err
		}
		for name, v := range values {
			out[name] = v
		}
	}
	return object{"propertyValues": out}, nil
}

// latest asks for the newest value of a time series, as clients do: backwards
// from now.
func (s *Service) latest(ctx context.Context, c *kernel.Call, q *queryRequest, t *target, name string) (json.RawMessage, error) {
	one := *q
	one.SelectedProperties, one.MaxResults, one.OrderByTime = []string{name}, 1, "DESCENDING"
	epoch := time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	now := s.Clock.Now().UTC()
	sp := span{start: epoch, end: now, startText: epoch.Format(time.RFC3339), endText: now.Format(time.RFC3339Nano), descending: true}
	reply, err := s.history(ctx, c, &one, t, sp)
	if err != nil {
		return nil, err
	}
	for _, p := range reply.PropertyValues {
		if p.Reference.PropertyName == name && len(p.Values) > 0 {
			return p.Values[0].Value, nil
		}
	}
	return nil, nil
}

// historyReply is a reply of a time series connector and of the operation.
type historyReply struct {
	PropertyValues []seriesReply `json:"propertyValues"`
	NextToken      string        `json:"nextToken,omitempty"`
}

type seriesReply struct {
	Reference struct {
		EntityID           string            `json:"entityId,omitempty"`
		ComponentName      string            `json:"componentName,omitempty"`
		ComponentPath      string            `json:"componentPath,omitempty"`
		PropertyName       string            `json:"propertyName"`
		ExternalIDProperty map[string]string `json:"externalIdProperty,omitempty"`
	} `json:"entityPropertyReference"`
	Values []sampleReply `json:"values"`
}

type sampleReply struct {
	Time      string          `json:"time,omitempty"`
	Timestamp json.Number     `json:"timestamp,omitempty"`
	Value     json.RawMessage `json:"value"`
}

// checkReply holds a connector to what was asked of it.
func (q *queryRequest) checkReply(r *historyReply, t *target, sp span, limit int) error {
	for i := range r.PropertyValues {
		p := &r.PropertyValues[i]
		name := p.Reference.PropertyName
		if !slices.Contains(q.SelectedProperties, name) {
			return fmt.Errorf("propertyValues %d is of property %q, which was not asked for", i+1, name)
		}
		if t.entity != nil && (p.Reference.EntityID != t.entity.id || p.Reference.ComponentName != t.component.name) {
			return fmt.Errorf("propertyValues %d names entity %q and component %q; the request names %q and %q",
				i+1, p.Reference.EntityID, p.Reference.ComponentName, t.entity.id, t.component.name)
		}
		if t.entity == nil && len(p.Reference.ExternalIDProperty) == 0 {
			return fmt.Errorf("propertyValues %d has no externalIdProperty, so no entity can be found for it", i+1)
		}
		if len(p.Values) > limit {
			return fmt.Errorf("property %q has %d values; at most %d were asked for", name, len(p.Values), limit)
		}
		if err := checkSamples(p.Values, t.definitions()[name], sp); err != nil {
			return fmt.Errorf("property %q: %w", name, err)
		}
	}
	return nil
}

func checkSamples(samples []sampleReply, d *definition, sp span) error {
	var last time.Time
	for i, v := range samples {
		at, err := time.Parse(time.RFC3339Nano, v.Time)
		switch {
		case err != nil:
			return fmt.Errorf("value %d: its time %q is not ISO 8601", i+1, v.Time)
		case !at.After(sp.start) || at.After(sp.end):
			return fmt.Errorf("value %d: its time %s is outside of (%s, %s]", i+1, v.Time, sp.startText, sp.endText)
		case i > 0 && sp.descending && at.After(last), i > 0 && !sp.descending && at.Before(last):
			return fmt.Errorf("value %d: its time %s is out of order", i+1, v.Time)
		case !hasMember(v.Value, memberOf[d.dataType.kind]):
			return fmt.Errorf("value %d: the type is %s, so it must have a %s and nothing else", i+1, d.dataType.kind, memberOf[d.dataType.kind])
		}
		last = at
	}
	return nil
}

// hasMember reports whether a value has exactly the one member.
func hasMember(raw json.RawMessage, name string) bool {
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &members)
	_, ok := members[name]
	return err == nil && ok && len(members) == 1
}
