package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An inputTransformer writes a target's input from values of the event.
type inputTransformer struct {
	InputPathsMap map[string]string
	InputTemplate string
}

var placeholder = regexp.MustCompile(`<[A-Za-z0-9_.-]+>`)

// reserved are the placeholders that need no path.
const (
	ruleARN       = "aws.events.rule-arn"
	ruleName      = "aws.events.rule-name"
	ingestionTime = "aws.events.event.ingestion-time"
	wholeEvent    = "aws.events.event"
	wholeJSON     = "aws.events.event.json"
)

// check reports a template that names a value it does not define, or one that
// can yield no JSON.
func (t *inputTransformer) check() error {
	if t.InputTemplate == "" {
		return errors.New("InputTransformer: InputTemplate is empty")
	}
	for name, path := range t.InputPathsMap {
		if strings.HasPrefix(name, "aws.") {
			return fmt.Errorf("InputTransformer: the name %s is reserved", name)
		}
		if !strings.HasPrefix(path, "$") {
			return fmt.Errorf("InputTransformer: path %q of %s does not start with $", path, name)
		}
	}
	for _, p := range placeholder.FindAllString(t.InputTemplate, -1) {
		name := p[1 : len(p)-1]
		if _, ok := t.InputPathsMap[name]; ok || name == ruleARN || name == ruleName || name == ingestionTime || name == wholeEvent || name == wholeJSON {
			continue
		}
		return fmt.Errorf("InputTransformer: InputTemplate uses %s, which InputPathsMap does not define", p)
	}
	return nil
}

// apply writes the input for an event. Inside quotes a value is inserted as
// text, elsewhere as JSON. A value that the event lacks is an error: what AWS
// writes then is not JSON.
func (t *inputTransformer) apply(r *rule, e Event) (string, error) {
	event, err := e.decoded()
	if err != nil {
		return "", err
	}
	values := map[string]any{
		ruleARN: r.arn, ruleName: r.Name, ingestionTime: e.Time.Format("2006-01-02T15:04:05Z"), wholeEvent: event, wholeJSON: event,
	}
	for name, path := range t.InputPathsMap {
		if values[name], err = jsonPath(event, path); err != nil {
			return "", fmt.Errorf("input transformer: <%s>: %w", name, err)
		}
	}
	var out strings.Builder
	last := 0
	for _, span := range placeholder.FindAllStringIndex(t.InputTemplate, -1) {
		out.WriteString(t.InputTemplate[last:span[0]])
		last = span[1]
		text, err := insertion(values[t.InputTemplate[span[0]+1:span[1]-1]], quoted(t.InputTemplate[:span[0]]))
		if err != nil {
			return "", err
		}
		out.WriteString(text)
	}
	out.WriteString(t.InputTemplate[last:])
	if !json.Valid([]byte(out.String())) {
		return "", fmt.Errorf("input transformer: the result is not JSON: %.200s", out.String())
	}
	return out.String(), nil
}

// insertion is a value as JSON, or as the inside of a JSON string.
func insertion(value any, inString bool) (string, error) {
	text, isText := value.(string)
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("input transformer: %w", err)
	}
	if !inString {
		return string(encoded), nil
	}
	if !isText {
		text = string(encoded)
	}
	encoded, err = json.Marshal(text)
	if err != nil {
		return "", fmt.Errorf("input transformer: %w", err)
	}
	return string(encoded[1 : len(encoded)-1]), nil
}

// quoted reports whether JSON text ends inside a string.
func quoted(before string) bool {
	inside := false
	for i := 0; i < len(before); i++ {
		switch {
		case before[i] == '\\' && inside:
			i++
		case before[i] == '"':
			inside = !inside
		}
	}
	return inside
}

// jsonPath returns what a path of the simple form $.a.b[0] finds in v.
func jsonPath(v any, path string) (any, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, fmt.Errorf("path %q does not start with $", path)
	}
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, "["):
			index, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				return nil, fmt.Errorf("path %q: [ without ]", path)
			}
			if name := strings.Trim(index, `'"`); name != index {
				object, _ := v.(map[string]any)
				if v, ok = object[name]; !ok {
					return nil, fmt.Errorf("path %q: the event has no %s", path, name)
				}
			} else {
				i, err := strconv.Atoi(index)
				list, _ := v.([]any)
				if err != nil || i < 0 || i >= len(list) {
					return nil, fmt.Errorf("path %q: the event has no element %s", path, index)
				}
				v = list[i]
			}
			rest = after
		case strings.HasPrefix(rest, "."):
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			name := rest[1 : 1+end]
			object, _ := v.(map[string]any)
			if v, ok = object[name]; !ok {
				return nil, fmt.Errorf("path %q: the event has no %s", path, name)
			}
			rest = rest[1+end:]
		default:
			return nil, fmt.Errorf("path %q: only $.name and [index] steps are supported", path)
		}
	}
	return v, nil
}
