package states

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A retrier says how to retry errors.
type retrier struct {
	errorEquals []string
	interval    time.Duration
	maxAttempts int
	backoff     float64
	maxDelay    time.Duration // 0: none
	jitter      bool
}

// A catcher says where to go on after errors.
type catcher struct {
	errorEquals    []string
	output, assign *expression
	next           string
}

// errorNames reads ErrorEquals.
func (p *parser) errorNames(object map[string]json.RawMessage, where string, last bool) []string {
	var names []string
	if err := json.Unmarshal(object["ErrorEquals"], &names); err != nil || len(names) == 0 {
		p.errorf(where, "ErrorEquals must be an array with at least one error name")
	}
	if slices.Contains(names, "States.ALL") && (len(names) > 1 || !last) {
		p.errorf(where, "States.ALL must stand alone, and last")
	}
	return names
}

func (p *parser) retriers(object map[string]json.RawMessage, where string) []retrier {
	raw, ok := object["Retry"]
	if !ok {
		return nil
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		p.errorf(where, "Retry must be an array of objects")
	}
	var out []retrier
	for i, o := range list {
		at := fmt.Sprintf("%s, retry %d", where, i)
		var r struct {
			ErrorEquals     []string
			Comment         string
			IntervalSeconds *int
			MaxAttempts     *int
			BackoffRate     *float64
			MaxDelaySeconds *int
			JitterStrategy  string
		}
		d := json.NewDecoder(bytes.NewReader(list2raw(o)))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			p.errorf(at, "%w", err)
			continue
		}
		x := retrier{
			errorEquals: p.errorNames(o, at, i == len(list)-1), interval: time.Second, maxAttempts: 3, backoff: 2,
			jitter: r.JitterStrategy == "FULL",
		}
		if r.IntervalSeconds != nil {
			x.interval = time.Duration(*r.IntervalSeconds) * time.Second
		}
		if r.MaxAttempts != nil {
			x.maxAttempts = *r.MaxAttempts
		}
		if r.BackoffRate != nil {
			x.backoff = *r.BackoffRate
		}
		if r.MaxDelaySeconds != nil {
			x.maxDelay = time.Duration(*r.MaxDelaySeconds) * time.Second
		}
		if x.interval < time.Second || x.maxAttempts < 0 || x.backoff < 1 || r.MaxDelaySeconds != nil && x.maxDelay <= x.interval ||
			!slices.Contains([]string{"", "NONE", "FULL"}, r.JitterStrategy) {
			p.errorf(at, "want IntervalSeconds ≥ 1, MaxAttempts ≥ 0, BackoffRate ≥ 1, MaxDelaySeconds > IntervalSeconds, JitterStrategy NONE or FULL")
		}
		out = append(out, x)
	}
	return out
}

func list2raw(o map[string]json.RawMessage) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // raw messages that were parsed before
	}
	return b
}

func (p *parser) catchers(object map[string]json.RawMessage, where string) []catcher {
	raw, ok := object["Catch"]
	if !ok {
		return nil
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		p.errorf(where, "Catch must be an array of objects")
	}
	var out []catcher
	for i, o := range list {
		at := fmt.Sprintf("%s, catch %d", where, i)
		for _, field := range slices.Sorted(maps.Keys(o)) {
			if !slices.Contains([]string{"Comment", "ErrorEquals", "Next", "Output", "Assign"}, field) {
				p.errorf(at, "field %s is not one of a catcher in JSONata: ErrorEquals, Next, Output, Assign", field)
			}
		}
		c := catcher{
			errorEquals: p.errorNames(o, at, i == len(list)-1), next: p.text(o, at, "Next"),
			output: p.expression(o, at, "Output"), assign: p.assignments(o, at),
		}
		if c.next == "" {
			p.errorf(at, "it needs a Next")
		}
		out = append(out, c)
	}
	return out
}
