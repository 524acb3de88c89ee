package apimodel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// maxFormElements bounds how many elements of one list or map a form may hold.
const maxFormElements = 1000

// decodeForm reads a request of the query protocol.
func (s *Service) decodeForm(r *http.Request, body []byte) (string, json.RawMessage, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil, malformed(fmt.Errorf("the form cannot be read: %w", err))
	}
	if len(values) == 0 {
		values = r.URL.Query()
	}
	op, ok := s.operations[values.Get("Action")]
	if !ok {
		return "", nil, kernel.Errorf(http.StatusBadRequest, "InvalidAction", "Could not find operation %q of %s", shorten([]byte(values.Get("Action"))), s.name)
	}
	if op.input == nil {
		return op.name, json.RawMessage("{}"), nil
	}
	f := form{used: map[string]bool{"Action": true, "Version": true}, values: values}
	for name := range values {
		f.names = append(f.names, name)
	}
	slices.Sort(f.names)
	if err := f.structure(op.input, ""); err != nil {
		return op.name, nil, malformed(err)
	}
	var unknown []string
	for _, name := range f.names {
		if !f.used[name] && !strings.HasPrefix(name, "X-Amz-") && name != "AUTHPARAMS" {
			unknown = append(unknown, fmt.Sprintf("Parameter '%s' is not known to the API model of this operation", shorten([]byte(name))))
		}
	}
	if len(unknown) > 0 {
		return op.name, nil, s.invalid(unknown[:min(len(unknown), maxViolations)])
	}
	input, err := s.checkInput(f.out, op.input)
	return op.name, input, err
}

// A form turns flat parameters into nested JSON, led by the shape.
type form struct {
	values url.Values
	names  []string // sorted
	used   map[string]bool
	out    []byte
}

// has reports whether a parameter is key or lies below it.
func (f *form) has(key string) bool {
	if _, ok := f.values[key]; ok {
		return true
	}
	i, _ := slices.BinarySearch(f.names, key+".")
	return i < len(f.names) && strings.HasPrefix(f.names[i], key+".")
}

func (f *form) structure(s *shape, prefix string) error {
	f.out = append(f.out, '{')
	n := 0
	for _, m := range s.members {
		key := prefix + m.wire
		if !f.has(key) {
			continue
		}
		if n > 0 {
			f.out = append(f.out, ',')
		}
		n++
		f.quote(m.wire)
		f.out = append(f.out, ':')
		if err := f.value(m.shape, key, m.flattened); err != nil {
			return err
		}
	}
	f.out = append(f.out, '}')
	return nil
}

func (f *form) value(s *shape, key string, flattened bool) error {
	switch s.kind { //nolint:exhaustive // the others are scalars
	case kindStructure:
		return f.structure(s, key+".")
	case kindList:
		return f.list(s, key, flattened)
	case kindMap:
		return f.dictionary(s, key, flattened)
	default:
		return f.scalar(s, key)
	}
}

func (f *form) scalar(s *shape, key string) error {
	v := f.values.Get(key)
	f.used[key] = true
	switch s.kind { //nolint:exhaustive // the others are text
	case kindBoolean, kindInteger, kindLong, kindFloat, kindDouble:
		if json.Valid([]byte(v)) {
			f.out = append(f.out, bytes.TrimSpace([]byte(v))...)
			return nil
		}
	case kindTimestamp:
		if t, err := parseInstant(v); err == nil {
			f.out = t.append(f.out, formatUnix)
			return nil
		}
	default:
	}
	f.quote(v)
	return nil
}

func (f *form) list(s *shape, key string, flattened bool) error {
	if _, empty := f.values[key]; empty { // Key= is an empty list
		f.used[key] = true
	}
	if !flattened && !s.flattened {
		name := s.elemName
		if name == "" {
			name = "member"
		}
		key += "." + name
	}
	f.out = append(f.out, '[')
	for i := 1; f.has(key + "." + strconv.Itoa(i)); i++ {
		if i > maxFormElements {
			return fmt.Errorf("%s has more than %d elements", key, maxFormElements)
		}
		if i > 1 {
			f.out = append(f.out, ',')
		}
		if err := f.value(s.elem, key+"."+strconv.Itoa(i), false); err != nil {
			return err
		}
	}
	f.out = append(f.out, ']')
	return nil
}

func (f *form) dictionary(s *shape, key string, flattened bool) error {
	if !flattened && !s.flattened {
		key += ".entry"
	}
	keyName, valueName := s.keyName, s.elemName
	if keyName == "" {
		keyName = "key"
	}
	if valueName == "" {
		valueName = "value"
	}
	f.out = append(f.out, '{')
	for i := 1; f.has(key + "." + strconv.Itoa(i)); i++ {
		if i > maxFormElements {
			return fmt.Errorf("%s has more than %d elements", key, maxFormElements)
		}
		if i > 1 {
			f.out = append(f.out, ',')
		}
		entry := key + "." + strconv.Itoa(i) + "."
		f.used[entry+keyName] = true
		f.quote(f.values.Get(entry + keyName))
		f.out = append(f.out, ':')
		if err := f.value(s.elem, entry+valueName, false); err != nil {
			return err
		}
	}
	f.out = append(f.out, '}')
	return nil
}

func (f *form) quote(v string) {
	b := binder{out: f.out}
	b.quote(v)
	f.out = b.out
}
