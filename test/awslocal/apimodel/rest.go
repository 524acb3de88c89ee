package apimodel

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// decodeREST binds path, query, headers and body to the members of the input.
func (s *Service) decodeREST(r *http.Request, body []byte) (string, json.RawMessage, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", nil, malformed(fmt.Errorf("the query string cannot be read: %w", err))
	}
	op, labels := s.routes.find(r.Method, r.URL.EscapedPath(), q)
	if op == nil {
		return "", nil, unknownOperation("%s %s is no operation of %s", r.Method, shorten([]byte(r.URL.Path)), s.name)
	}
	if op.input == nil || !op.input.bound() {
		input, err := s.CheckInput(op.name, body)
		return op.name, input, err
	}
	b := binder{s: op.input, labels: labels, query: q, header: r.Header}
	merged, err := b.merge(body)
	if err != nil {
		return op.name, nil, malformed(err)
	}
	input, err := s.checkInput(merged, op.input)
	return op.name, input, err
}

// A binder collects the members of an input from where they are bound.
type binder struct {
	s      *shape
	labels map[string]string
	query  url.Values
	header http.Header
	out    []byte
}

// merge writes one JSON object of wire names: bound members, then the body's.
func (b *binder) merge(body []byte) ([]byte, error) {
	b.out = append(make([]byte, 0, len(body)+256), '{')
	taken := make(map[string]bool) // query parameters that belong to a member
	for _, m := range b.s.members {
		if m.location == "querystring" {
			taken[m.locName] = true
		}
	}
	for _, m := range b.s.members {
		if err := b.member(m, taken); err != nil {
			return nil, err
		}
	}
	rest := bytes.TrimSpace(body)
	switch {
	case b.s.payload != nil:
		b.payload(b.s.payload, body, rest)
	case len(rest) > 0:
		if err := b.body(rest); err != nil {
			return nil, err
		}
	}
	return append(bytes.TrimSuffix(b.out, []byte(",")), '}'), nil
}

// body appends the members of a body object. One that is bound elsewhere is
// refused: it would silently win or lose.
func (b *binder) body(rest []byte) error {
	if rest[0] != '{' || rest[len(rest)-1] != '}' {
		return fmt.Errorf("the body is not a JSON object")
	}
	b.out = append(b.out, bytes.TrimSpace(rest[1:len(rest)-1])...)
	return nil // checkInput reads it; a duplicate of a bound member is a duplicate name there
}

func (b *binder) payload(m *member, body, rest []byte) {
	switch {
	case m.shape.kind == kindBlob:
		if len(body) == 0 {
			return
		}
		b.name(m)
		b.out = append(b.out, '"')
		b.out = base64.StdEncoding.AppendEncode(b.out, body)
		b.out = append(b.out, '"', ',')
	case m.shape.kind == kindString:
		if len(body) == 0 {
			return
		}
		b.name(m)
		b.quote(string(body))
		b.out = append(b.out, ',')
	case len(rest) > 0:
		b.name(m)
		b.out = append(append(b.out, rest...), ',')
	}
}

func (b *binder) member(m *member, taken map[string]bool) error {
	switch m.location {
	case "uri":
		v, ok := b.labels[m.locName]
		if !ok {
			return nil
		}
		b.name(m)
		return b.scalar(m.shape, m.format, formatISO, v)
	case "querystring":
		return b.parameter(m, taken)
	case "header":
		values := b.header.Values(m.locName)
		if len(values) == 0 {
			return nil
		}
		b.name(m)
		if m.shape.kind == kindList {
			return b.list(m.shape, formatRFC, strings.Split(strings.Join(values, ","), ","))
		}
		if m.jsonValue {
			raw, err := base64.StdEncoding.DecodeString(values[0])
			if err != nil {
				return fmt.Errorf("header %s is not base64: %w", m.locName, err)
			}
			return b.scalar(m.shape, m.format, formatRFC, string(raw))
		}
		return b.scalar(m.shape, m.format, formatRFC, values[0])
	case "headers":
		b.name(m)
		b.out = append(b.out, '{')
		for name, values := range b.header {
			if suffix, ok := cutPrefixFold(name, m.locName); ok {
				b.quote(strings.ToLower(suffix))
				b.out = append(b.out, ':')
				b.quote(values[0])
				b.out = append(b.out, ',')
			}
		}
		b.out = append(bytes.TrimSuffix(b.out, []byte(",")), '}', ',')
	default:
	}
	return nil
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

func (b *binder) parameter(m *member, taken map[string]bool) error {
	if m.shape.kind == kindMap { // every parameter that no other member takes
		b.name(m)
		b.out = append(b.out, '{')
		for name, values := range b.query {
			if taken[name] {
				continue
			}
			b.quote(name)
			b.out = append(b.out, ':')
			if m.shape.elem.kind == kindList {
				if err := b.list(m.shape.elem, formatISO, values); err != nil {
					return err
				}
				continue
			}
			if err := b.scalar(m.shape.elem, "", formatISO, values[0]); err != nil {
				return err
			}
		}
		b.out = append(bytes.TrimSuffix(b.out, []byte(",")), '}', ',')
		return nil
	}
	values, ok := b.query[m.locName]
	if !ok {
		return nil
	}
	b.name(m)
	if m.shape.kind == kindList {
		return b.list(m.shape, formatISO, values)
	}
	return b.scalar(m.shape, m.format, formatISO, values[0])
}

func (b *binder) list(s *shape, timeFormat string, values []string) error {
	b.out = append(b.out, '[')
	for _, v := range values {
		if err := b.scalar(s.elem, "", timeFormat, strings.TrimSpace(v)); err != nil {
			return err
		}
	}
	b.out = append(bytes.TrimSuffix(b.out, []byte(",")), ']', ',')
	return nil
}

// scalar writes the text of a bound member as JSON by its type. Text that is no
// value of the type stays a string, which checkInput then names.
func (b *binder) scalar(s *shape, format, defaultFormat, v string) error {
	switch s.kind { //nolint:exhaustive // the others are text
	case kindInteger, kindLong, kindFloat, kindDouble:
		if f, err := strconv.ParseFloat(v, 64); err == nil && json.Valid([]byte(v)) && f == f {
			b.out = append(b.out, v...)
			break
		}
		b.quote(v)
	case kindBoolean:
		if v == "true" || v == "false" {
			b.out = append(b.out, v...)
			break
		}
		b.quote(v)
	case kindTimestamp:
		b.time(v, format, defaultFormat)
	default:
		b.quote(v)
	}
	b.out = append(b.out, ',')
	return nil
}

// time writes a timestamp as the member's body format expects it, after reading
// it in its location's. SDKs disagree on query strings, so both are taken.
func (b *binder) time(v, format, defaultFormat string) {
	if format == "" {
		format = defaultFormat
	}
	t, err := parseInstant(v)
	if err != nil || format == formatUnix {
		t, err = parseEpoch(v)
	}
	if err != nil {
		b.quote(v)
		return
	}
	b.out = t.append(b.out, formatUnix)
}

func (b *binder) name(m *member) {
	b.quote(m.wire)
	b.out = append(b.out, ':')
}

func (b *binder) quote(v string) {
	q, err := json.Marshal(strings.ToValidUTF8(v, "\uFFFD"))
	if err != nil { // a valid UTF-8 string marshals
		q = []byte(`""`)
	}
	b.out = append(b.out, q...)
}
