package apimodel

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxViolations is how many broken constraints an error lists.
const maxViolations = 10

// A walker copies a JSON value from src to out, renames members on the way, and
// notes every constraint of its shape that the value breaks.
type walker struct {
	dec        *jsontext.Decoder
	out        []byte
	path       []segment
	violations []string
	response   bool // names are model names to be written as wire names, timestamps in wire format
}

// A segment is a step of a path into a value: a member or map key, or an index.
type segment struct {
	name  string
	index int // from 1; 0 for a name
}

var strict = []jsontext.Options{jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false)}

// check reads src, which must hold exactly one value of shape s, and returns it
// rewritten, or the constraints it breaks, or the error that made reading stop.
func check(src []byte, s *shape, response bool) (out []byte, violations []string, err error) {
	w := &walker{
		dec:      jsontext.NewDecoder(bytes.NewBuffer(src), strict...),
		out:      make([]byte, 0, len(src)+16),
		response: response,
	}
	if err := w.value(s, ""); err != nil {
		return nil, w.violations, err
	}
	if _, err := w.dec.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext documents the bare io.EOF
		return nil, w.violations, fmt.Errorf("more follows the JSON value at byte %d", w.dec.InputOffset())
	}
	return w.out, w.violations, nil
}

// value copies one value of shape s. format is that of a timestamp, when its
// member says one.
func (w *walker) value(s *shape, format string) error {
	switch k := w.dec.PeekKind(); s.kind { //nolint:exhaustive // the others are scalars
	case kindStructure:
		if k != '{' {
			return w.mistyped("an object")
		}
		return w.structure(s)
	case kindList:
		if k != '[' {
			return w.mistyped("an array")
		}
		return w.list(s)
	case kindMap:
		if k != '{' {
			return w.mistyped("an object")
		}
		return w.dictionary(s)
	case kindDocument:
		v, err := w.dec.ReadValue()
		w.out = append(w.out, v...)
		return err
	default:
		return w.scalar(s, format)
	}
}

func (w *walker) structure(s *shape) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	var small [4]uint64
	seen := small[:]
	if need := (len(s.members) + 63) / 64; need > len(seen) {
		seen = make([]uint64, need)
	}
	names := s.byWire
	if w.response {
		names = s.byName
	}
	w.out = append(w.out, '{')
	count, present := 0, 0
	for w.dec.PeekKind() != '}' {
		raw, err := w.dec.ReadValue()
		if err != nil {
			return err
		}
		m, ok := names[string(unquote(raw))]
		if !ok {
			w.violate("Member '%s' is not known to the API model of this operation", shorten(unquote(raw)))
			if err := w.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if w.dec.PeekKind() == 'n' { // null is absence
			if err := w.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		seen[m.index/64] |= 1 << (m.index % 64)
		present++
		if count > 0 {
			w.out = append(w.out, ',')
		}
		count++
		w.out = append(w.out, '"')
		if w.response {
			w.out = append(w.out, m.wire...)
		} else {
			w.out = append(w.out, m.name...)
		}
		w.out = append(w.out, '"', ':')
		w.path = append(w.path, segment{name: m.name})
		if err := w.value(m.shape, m.format); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	w.out = append(w.out, '}')
	for _, i := range s.required {
		if seen[i/64]&(1<<(i%64)) == 0 {
			w.path = append(w.path, segment{name: s.members[i].name})
			w.violate("Value null at '%s' failed to satisfy constraint: Member must not be null", w.at())
			w.path = w.path[:len(w.path)-1]
		}
	}
	if s.union && present != 1 {
		w.violate("Value at '%s' failed to satisfy constraint: exactly one member of the union %s must be set, not %d", w.at(), s.name, present)
	}
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) list(s *shape) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '[')
	n := 0
	for w.dec.PeekKind() != ']' {
		if n > 0 {
			w.out = append(w.out, ',')
		}
		n++
		w.path = append(w.path, segment{index: n})
		if err := w.value(s.elem, ""); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	w.out = append(w.out, ']')
	w.length(s, n)
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) dictionary(s *shape) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	n := 0
	for w.dec.PeekKind() != '}' {
		raw, err := w.dec.ReadValue()
		if err != nil {
			return err
		}
		key := unquote(raw)
		w.path = append(w.path, segment{name: string(key)})
		w.text(s.key, key)
		if n > 0 {
			w.out = append(w.out, ',')
		}
		n++
		w.out = append(append(w.out, raw...), ':')
		if err := w.value(s.elem, ""); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	w.out = append(w.out, '}')
	w.length(s, n)
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) scalar(s *shape, format string) error {
	k := w.dec.PeekKind()
	if k == '{' || k == '[' || k == 'n' {
		return w.mistyped(wants[s.kind])
	}
	raw, err := w.dec.ReadValue()
	if err != nil {
		return err
	}
	ok := true
	switch s.kind { //nolint:exhaustive // value has taken the others
	case kindString:
		if ok = k == '"'; ok {
			w.text(s, unquote(raw))
		}
	case kindBoolean:
		ok = k == 't' || k == 'f'
	case kindInteger, kindLong:
		var n int64
		bits := 64
		if s.kind == kindInteger {
			bits = 32
		}
		if n, err = strconv.ParseInt(string(raw), 10, bits); err != nil {
			ok = false
		} else {
			w.number(s, float64(n), raw)
		}
	case kindFloat, kindDouble:
		f, err := parseFloat(raw, k == '"')
		if ok = err == nil; ok {
			w.number(s, f, raw)
		}
	case kindBlob:
		if ok = k == '"'; ok {
			b, err := base64.StdEncoding.DecodeString(string(unquote(raw)))
			if ok = err == nil; ok {
				w.length(s, len(b))
			}
		}
	case kindTimestamp:
		return w.timestamp(raw, k == '"', format)
	default:
	}
	if !ok {
		w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must be %s", shorten(raw), w.at(), wants[s.kind])
	}
	w.out = append(w.out, raw...)
	return nil
}

var wants = map[kind]string{
	kindString: "a string", kindBoolean: "a boolean", kindInteger: "an integer of 32 bits", kindLong: "an integer of 64 bits",
	kindFloat: "a number", kindDouble: "a number", kindBlob: "a base64 string", kindTimestamp: "a timestamp",
}

// parseFloat reads a number, or in a string one of the three that JSON lacks.
func parseFloat(raw []byte, quoted bool) (float64, error) {
	if !quoted {
		return strconv.ParseFloat(string(raw), 64)
	}
	switch string(raw) {
	case `"NaN"`:
		return math.NaN(), nil
	case `"Infinity"`:
		return math.Inf(1), nil
	case `"-Infinity"`:
		return math.Inf(-1), nil
	default:
		return 0, strconv.ErrSyntax
	}
}

func (w *walker) timestamp(raw []byte, quoted bool, format string) error {
	var t instant
	var err error
	if quoted {
		t, err = parseInstant(string(unquote(raw)))
	} else {
		t, err = parseEpoch(string(raw))
	}
	wire := format
	if wire == "" {
		wire = formatUnix
	}
	if err == nil && !w.response && quoted != (wire != formatUnix) {
		err = strconv.ErrSyntax // a request keeps to the protocol's format; our own answers may use either
	}
	if err != nil {
		w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must be a timestamp in the format %s", shorten(raw), w.at(), wire)
		w.out = append(w.out, '0')
		return nil //nolint:nilerr // it is one of the violations
	}
	if !w.response {
		wire = formatUnix
	}
	w.out = t.append(w.out, wire)
	return nil
}

// text checks a string.
func (w *walker) text(s *shape, v []byte) {
	if s.hasMin || s.hasMax {
		w.length(s, utf8.RuneCount(v))
	}
	if s.enum != nil {
		if _, ok := s.enum[string(v)]; !ok {
			w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %v", shorten(v), w.at(), s.enumList)
		}
	}
	if s.pattern != nil && !s.pattern.match(v) {
		w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", shorten(v), w.at(), s.pattern.source)
	}
}

func (w *walker) length(s *shape, n int) {
	if s.hasMin && float64(n) < s.min {
		w.violate("Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to %v", w.at(), s.min)
	}
	if s.hasMax && float64(n) > s.max {
		w.violate("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %v", w.at(), s.max)
	}
}

func (w *walker) number(s *shape, v float64, raw []byte) {
	if s.hasMin && v < s.min {
		w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %v", raw, w.at(), s.min)
	}
	if s.hasMax && v > s.max {
		w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must have value less than or equal to %v", raw, w.at(), s.max)
	}
}

// mistyped notes a value of the wrong JSON type and skips it.
func (w *walker) mistyped(want string) error {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return err
	}
	w.violate("Value '%s' at '%s' failed to satisfy constraint: Member must be %s", shorten(raw), w.at(), want)
	w.out = append(w.out, "null"...)
	return nil
}

func (w *walker) violate(format string, args ...any) {
	if len(w.violations) < maxViolations {
		w.violations = append(w.violations, fmt.Sprintf(format, args...))
	}
}

// at writes the path as AWS does: entries.1.member.entryId.
func (w *walker) at() string {
	var b []byte
	for i, s := range w.path {
		if i > 0 {
			b = append(b, '.')
		}
		if s.index == 0 {
			b = append(b, s.name...)
			continue
		}
		b = strconv.AppendInt(b, int64(s.index), 10)
		b = append(b, ".member"...)
	}
	return string(b)
}

// unquote returns the text of a JSON string, without a copy when it can. What
// jsontext accepted it can unquote.
func unquote(raw []byte) []byte {
	if len(raw) >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return raw
	}
	return b
}

// shorten keeps messages readable and payloads out of them.
func shorten(v []byte) string {
	const most = 80
	if len(v) <= most {
		return string(v)
	}
	v = v[:most]
	for len(v) > 0 && !utf8.Valid(v) {
		v = v[:len(v)-1]
	}
	return string(v) + "…"
}
