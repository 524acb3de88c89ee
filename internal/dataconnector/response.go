package dataconnector

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Response is the answer to a Request.
type Response struct {
	PropertyValues []PropertyValues `json:"propertyValues"`
	NextToken      string           `json:"nextToken,omitempty"`
}

// PropertyValues are the values of one property on a page.
type PropertyValues struct {
	EntityPropertyReference EntityPropertyReference `json:"entityPropertyReference"`
	Values                  []Sample                `json:"values"`
}

// An EntityPropertyReference names a property as the request does: a component
// name that differs makes rules of scenes ignore the values.
type EntityPropertyReference struct {
	EntityID      string `json:"entityId"`
	ComponentName string `json:"componentName"`
	PropertyName  string `json:"propertyName"`
}

// response returns the answer that a page makes. Properties without a value on
// it are left out.
func (r *Request) response(q query, p page) Response {
	resp := Response{PropertyValues: make([]PropertyValues, 0, len(q.selected))}
	for i, property := range q.selected {
		if len(p.samples[i]) == 0 {
			continue
		}
		resp.PropertyValues = append(resp.PropertyValues, PropertyValues{
			EntityPropertyReference: EntityPropertyReference{
				EntityID: property.EntityID, ComponentName: property.ComponentName, PropertyName: property.PropertyName,
			},
			Values: p.samples[i],
		})
	}
	if p.more {
		resp.NextToken = r.token(q, p.end)
	}
	return resp
}

// MarshalJSON writes the answer without an allocation per number.
func (r Response) MarshalJSON() ([]byte, error) { return r.encode() }

func (r Response) encode() ([]byte, error) {
	count := 0
	for _, p := range r.PropertyValues {
		count += len(p.Values)
	}
	b := make([]byte, 0, 256+256*len(r.PropertyValues)+96*count)
	b = append(b, `{"propertyValues":[`...)
	for i, p := range r.PropertyValues {
		if i > 0 {
			b = append(b, ',')
		}
		reference, err := json.Marshal(p.EntityPropertyReference)
		if err != nil {
			return nil, err
		}
		b = append(b, `{"entityPropertyReference":`...)
		b = append(b, reference...)
		b = append(b, `,"values":[`...)
		for j, s := range p.Values {
			if j > 0 {
				b = append(b, ',')
			}
			if b, err = s.appendTo(b); err != nil {
				return nil, err
			}
		}
		b = append(b, `]}`...)
	}
	b = append(b, ']')
	if r.NextToken != "" { // base64: nothing to escape
		b = append(b, `,"nextToken":"`...)
		b = append(b, r.NextToken...)
		b = append(b, '"')
	}
	return append(b, '}'), nil
}

func (s Sample) appendTo(b []byte) ([]byte, error) {
	b = append(b, `{"time":"`...)
	b = s.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","value":`...)
	b, err := s.Value.appendTo(b)
	return append(b, '}'), err
}

// MarshalJSON writes a value of an answer.
func (s Sample) MarshalJSON() ([]byte, error) { return s.appendTo(nil) }

// UnmarshalJSON reads a value of an answer.
func (s *Sample) UnmarshalJSON(data []byte) error {
	var wire struct {
		Time  time.Time `json:"time"`
		Value Value     `json:"value"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf("a value of a property: %w", err)
	}
	s.Time, s.Value = wire.Time.UTC(), wire.Value
	return nil
}
