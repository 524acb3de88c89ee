package dataconnector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// maxSelected is how many properties a request may select.
const maxSelected = 10

// A Request is what TwinMaker sends to a dataReader. Keys that it does not
// have are ignored; of a key that is there twice the last one counts.
type Request struct {
	WorkspaceID        string                     `json:"workspaceId"`
	EntityID           string                     `json:"entityId,omitempty"`
	ComponentName      string                     `json:"componentName,omitempty"`
	ComponentTypeID    string                     `json:"componentTypeId,omitempty"`
	SelectedProperties []string                   `json:"selectedProperties"`
	Properties         map[string]RequestProperty `json:"properties"`
	StartTime          string                     `json:"startTime,omitempty"` // ISO 8601, as the caller wrote it
	EndTime            string                     `json:"endTime,omitempty"`
	StartDateTime      *Epoch                     `json:"startDateTime,omitempty"` // deprecated, still sent
	EndDateTime        *Epoch                     `json:"endDateTime,omitempty"`
	PropertyFilters    []PropertyFilter           `json:"propertyFilters,omitempty"`
	Interpolation      *Interpolation             `json:"interpolation,omitempty"`
	NextToken          string                     `json:"nextToken,omitempty"`
	MaxResults         int                        `json:"maxResults,omitempty"`
	OrderByTime        string                     `json:"orderByTime,omitempty"` // ASCENDING or DESCENDING
}

// A RequestProperty is a property of the component: its definition, and its
// value where it has one in the twin.
type RequestProperty struct {
	Definition Definition `json:"definition"`
	Value      *Value     `json:"value,omitempty"`
}

// A Definition is what a connector uses of a property's definition.
type Definition struct {
	DataType struct {
		Type Type `json:"type"`
	} `json:"dataType"`
	IsExternalID bool `json:"isExternalId"`
	IsTimeSeries bool `json:"isTimeSeries"`
}

// A PropertyFilter asks for the values in a relation to another.
type PropertyFilter struct {
	PropertyName string `json:"propertyName"`
	Operator     string `json:"operator"`
	Value        Value  `json:"value"`
}

// An Interpolation asks for values at regular instants.
type Interpolation struct {
	InterpolationType string `json:"interpolationType"`
	IntervalInSeconds int64  `json:"intervalInSeconds"`
}

// An Epoch is an instant as seconds since 1970, negative before.
type Epoch time.Time

// UnmarshalJSON reads a number, or one in quotes.
func (e *Epoch) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		*e = Epoch(time.Unix(seconds, 0).UTC())
		return nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e12 {
		return fmt.Errorf("an instant is %.40s; expected seconds since 1970", data)
	}
	*e = Epoch(time.UnixMilli(int64(seconds * 1e3)).UTC())
	return nil
}

// MarshalJSON writes a number.
func (e Epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Time(e).Unix(), 10), nil
}

// layouts are the forms of ISO 8601 that clients write. All carry a zone:
// a time without one could be anywhere.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07", "20060102T150405.999999999Z0700"}

// A query is a checked request.
type query struct {
	selected   []PropertyRef
	declared   []Type // of each selected property; "" when it was not told
	start, end time.Time
	descending bool
	size       int
	after      *position // where the page before ended
}

// parse checks a request. Every error is a *RequestError.
func (r *Request) parse() (query, error) {
	q := query{size: DefaultPage}
	if r.EntityID == "" {
		return q, refuse("it names no entity: this connector serves components of entities (dataReader with scope ENTITY), not whole component types")
	}
	if n := len(r.SelectedProperties); n < 1 || n > maxSelected {
		return q, refuse("selectedProperties names %d properties; expected 1 to %d", n, maxSelected)
	}
	if len(r.PropertyFilters) > 0 {
		return q, refuse("propertyFilters are not supported by this connector: leave them out and filter what it answers")
	}
	if r.Interpolation != nil && r.Interpolation.InterpolationType != "" {
		return q, refuse("interpolation is not supported by this connector: leave it out")
	}
	if err := r.parseRange(&q); err != nil {
		return q, err
	}
	r.parseSelection(&q)
	switch {
	case r.MaxResults < 0:
		return q, refuse("maxResults is %d; expected 0 to %d", r.MaxResults, MaxPage)
	case r.MaxResults > 0:
		q.size = min(r.MaxResults, MaxPage)
	}
	if r.NextToken != "" {
		after, err := r.parseToken(q)
		if err != nil {
			return q, err
		}
		q.after = &after
	}
	return q, nil
}

func (r *Request) parseRange(q *query) (err error) {
	switch r.OrderByTime {
	case "", "ASCENDING":
	case "DESCENDING":
		q.descending = true
	default:
		return refuse("orderByTime is %q; expected ASCENDING or DESCENDING", r.OrderByTime)
	}
	if q.start, err = instant("start", r.StartTime, r.StartDateTime); err != nil {
		return err
	}
	if q.end, err = instant("end", r.EndTime, r.EndDateTime); err != nil {
		return err
	}
	if q.end.Before(q.start) {
		return refuse("it ends at %s, before it starts at %s", q.end.Format(time.RFC3339Nano), q.start.Format(time.RFC3339Nano))
	}
	return nil
}

// instant returns an end of the range: the text where there is one.
func instant(which, text string, epoch *Epoch) (time.Time, error) {
	if text == "" {
		if epoch == nil {
			return time.Time{}, refuse("neither %sTime nor %sDateTime is set", which, which)
		}
		return time.Time(*epoch), nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, refuse("%sTime is %.40q; expected ISO 8601 with a zone, such as 2026-01-02T03:00:00Z", which, text)
}

func (r *Request) parseSelection(q *query) {
	attributes := make(map[string]Value)
	for name, p := range r.Properties {
		if p.Value != nil && p.Value.Type() != "" {
			attributes[name] = *p.Value
		}
	}
	for i, name := range r.SelectedProperties {
		if slices.Contains(r.SelectedProperties[:i], name) {
			continue
		}
		q.selected = append(q.selected, PropertyRef{
			WorkspaceID: r.WorkspaceID, EntityID: r.EntityID, ComponentName: r.ComponentName, PropertyName: name, Attributes: attributes,
		})
		q.declared = append(q.declared, r.Properties[name].Definition.DataType.Type)
	}
}

func refuse(format string, args ...any) error {
	return &RequestError{Message: fmt.Sprintf(format, args...)}
}

// decode reads a request.
func decode(payload []byte) (*Request, error) {
	var r Request
	if err := json.Unmarshal(payload, &r); err != nil {
		return nil, refuse("it is no request of TwinMaker: %v", err)
	}
	return &r, nil
}
