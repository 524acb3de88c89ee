package events

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// An Event is one event on a bus.
type Event struct {
	ID         string
	Bus        string
	Source     string
	DetailType string
	Account    string
	Region     string
	Time       time.Time // business
	Resources  []string
	Detail     json.RawMessage // an object
}

// MarshalJSON writes the event as targets receive it.
func (e Event) MarshalJSON() ([]byte, error) {
	resources := e.Resources
	if resources == nil {
		resources = []string{}
	}
	return json.Marshal(struct {
		Version    string          `json:"version"`
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Time       string          `json:"time"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}{"0", e.ID, e.DetailType, e.Source, e.Account, e.Time.UTC().Format("2006-01-02T15:04:05Z"), e.Region, resources, e.Detail})
}

// decoded is the event as patterns and paths see it.
func (e Event) decoded() (map[string]any, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	v, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("decode event %s: %w", e.ID, err)
	}
	return v.(map[string]any), nil
}

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
