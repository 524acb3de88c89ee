package twin

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalarDecoder is a type that is written as one scalar. The error of decode
// says what was expected.
type scalarDecoder interface{ decode(n *yaml.Node) error }

// sectionDecoder is a Section of any value.
type sectionDecoder interface {
	newValue() any
	store(name string, value any)
}

func (s *Section[V]) newValue() any { return new(V) }

func (s *Section[V]) store(name string, value any) { s.Set(name, *value.(*V)) }

// A decoder reads YAML nodes into Go values, strictly: it reports what does
// not belong and goes on.
type decoder struct {
	source *source
	errs   Errors
}

// report adds a mistake at a position.
func (d *decoder) report(at position, what, expected, do string) {
	d.errs = append(d.errs, Error{File: d.source.file, Line: at.line, Column: at.column, What: what, Expected: expected, Do: do})
}

// wrongType reports that the node at p is not what v needs.
func (d *decoder) wrongType(n *yaml.Node, p path, expected, do string) {
	d.source.broken[p] = true
	d.report(position{n.Line, n.Column}, fmt.Sprintf("%s is %s", p, kindOf(n)), expected, do)
}

// document parses YAML and decodes it into t.
func (d *decoder) document(data []byte, t *Twin) {
	loader, err := yaml.NewLoader(strings.NewReader(string(data)))
	if err != nil {
		d.report(position{}, "the YAML reader did not start: "+err.Error(), "", "")
		return
	}
	var doc yaml.Node
	if err := loader.Load(&doc); err != nil {
		d.syntax(err)
		return
	}
	var second yaml.Node
	if err := loader.Load(&second); err == nil {
		d.report(position{second.Line, 1}, "a second YAML document", "one document in a file", "remove the --- before it, or move it to a file of its own")
		return
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		d.report(position{1, 1}, "the file is empty", "a twin", "run livetwin init to get one to start from")
		return
	}
	d.value(doc.Content[0], reflect.ValueOf(t).Elem(), "")
}

// syntax reports what the YAML parser said.
func (d *decoder) syntax(err error) {
	at, what := position{1, 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if load, ok := errors.AsType[*yaml.LoadError](err); ok {
		at, what = position{max(load.Mark.Line, 1), load.Mark.Column + 1}, load.Message
	}
	if strings.Contains(what, "EOF") {
		d.report(position{1, 1}, "the file is empty", "a twin", "run livetwin init to get one to start from")
		return
	}
	do := ""
	if strings.Contains(what, "cannot start any token") {
		do = "indent with spaces, not tabs, and put text with special characters in quotes"
	}
	d.report(at, "not YAML: "+what, "", do)
}

// value decodes a node into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, p path) {
	d.source.values[p] = n
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.source.broken[p] = true
		d.report(position{n.Line, n.Column}, fmt.Sprintf("%s has an anchor or an alias", p), "neither in a twin", "write the value out")
		return
	}
	if s, ok := reflect.TypeAssert[scalarDecoder](v.Addr()); ok {
		if n.Kind != yaml.ScalarNode {
			d.wrongType(n, p, "a text or a number", "")
			return
		}
		if err := s.decode(n); err != nil {
			d.wrongType(n, p, err.Error(), "")
		}
		return
	}
	if s, ok := reflect.TypeAssert[sectionDecoder](v.Addr()); ok {
		d.section(n, s, p)
		return
	}
	switch v.Kind() { //nolint:exhaustive // other kinds are scalars
	case reflect.Struct:
		d.structure(n, v, p)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), p)
	case reflect.Slice, reflect.Array:
		d.list(n, v, p)
	default:
		d.scalar(n, v, p)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, p path) {
	tag := ""
	if n.Kind == yaml.ScalarNode {
		tag = n.ShortTag()
	}
	switch v.Kind() { //nolint:exhaustive // documents have no other kinds
	case reflect.String:
		if tag == "!!str" {
			v.SetString(n.Value)
			return
		}
		do := ""
		switch tag {
		case "!!int", "!!float", "!!bool", "!!timestamp":
			do = fmt.Sprintf("write it in quotes, %q", n.Value)
		}
		if n.Kind == yaml.SequenceNode && strings.HasSuffix(string(p), "\x00parent") {
			do = "an asset has one parent; use relationships for what else it belongs to"
		}
		d.wrongType(n, p, "a text", do)
	case reflect.Int:
		if f, err := parseNumber(n.Value); err == nil && tag == "!!int" && f >= 0 && f <= 1<<53 {
			v.SetInt(int64(f))
			return
		}
		d.wrongType(n, p, "a whole number that is not negative", "")
	case reflect.Float64:
		if tag == "!!int" || tag == "!!float" {
			if f, err := parseNumber(n.Value); err == nil {
				v.SetFloat(f)
				return
			}
		}
		do := ""
		if n.Kind == yaml.ScalarNode && (n.Style == yaml.SingleQuotedStyle || n.Style == yaml.DoubleQuotedStyle) {
			do = "write it without quotes"
		}
		d.wrongType(n, p, "a finite decimal number", do)
	default:
		panic("twin: no decoder for " + v.Type().String())
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, p path) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, p, "a list", "")
		return
	}
	if v.Kind() == reflect.Array {
		if len(n.Content) != v.Len() {
			d.source.broken[p] = true
			d.report(position{n.Line, n.Column}, fmt.Sprintf("%s has %d elements", p, len(n.Content)), fmt.Sprintf("%d", v.Len()), "")
			return
		}
	} else {
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	}
	for i, c := range n.Content {
		d.value(c, v.Index(i), p.index(i))
	}
}

// entries calls each for every key of a mapping, and reports keys that are no
// text or occur twice.
func (d *decoder) entries(n *yaml.Node, p path, each func(key, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, p, "a mapping", "")
		return false
	}
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value == "" || key.Anchor != "" {
			d.report(position{key.Line, key.Column}, fmt.Sprintf("a key of %s is %s", p, kindOf(key)), "a name", "")
			continue
		}
		if before, ok := first[key.Value]; ok {
			d.report(position{key.Line, key.Column}, fmt.Sprintf("%s is written twice", p.at(key.Value)),
				"each key once", fmt.Sprintf("remove one; the first is in line %d", before.Line))
			continue
		}
		first[key.Value] = key
		d.source.keys[p.at(key.Value)] = position{key.Line, key.Column}
		each(key, value)
	}
	return true
}

func (d *decoder) section(n *yaml.Node, s sectionDecoder, p path) {
	d.entries(n, p, func(key, value *yaml.Node) {
		element := s.newValue()
		d.value(value, reflect.ValueOf(element).Elem(), p.at(key.Value))
		s.store(key.Value, element)
	})
}

// A field is a key of a mapping that is read into a struct.
type field struct {
	name     string
	index    int
	required bool
}

// fieldsOf lists the keys of a struct, from its json tags.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("json")
		if !ok {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		fields = append(fields, field{name: name, index: i, required: !strings.Contains(options, "omit")})
	}
	return fields
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, p path) {
	fields := fieldsOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	written, previous := map[string]bool{}, ""
	var unknown []func()
	ok := d.entries(n, p, func(key, value *yaml.Node) {
		i := slices.Index(names, key.Value)
		if i >= 0 {
			written[key.Value] = true
			previous = key.Value
			d.value(value, v.Field(fields[i].index), p.at(key.Value))
			return
		}
		if n.Style&yaml.FlowStyle != 0 && strings.ContainsAny(key.Value, "()*/+<> ") && previous != "" {
			if d.source.broken[p.at(previous)] {
				return
			}
			d.source.broken[p.at(previous)] = true
			d.report(position{key.Line, key.Column}, fmt.Sprintf("%s is cut off at a comma", p.at(previous)), "no bare comma inside { }", "put the whole value in quotes")
			return
		}
		unknown = append(unknown, func() {
			expected := oneOf(names)
			if len(names) == 0 {
				expected = "no keys: write {}"
			}
			d.report(position{key.Line, key.Column}, fmt.Sprintf("unknown key %q in %s", key.Value, p), expected, didYouMean(key.Value, names))
			// Read a misspelt key as the one that was meant: what follows from
			// it is no mistake of its own.
			if meant := nearest(key.Value, names); meant != "" && !written[meant] {
				written[meant] = true
				d.value(value, v.Field(fields[slices.Index(names, meant)].index), p.at(meant))
				return
			}
			d.source.broken[p.at("\x01unknown")] = true
		})
	})
	for _, report := range unknown {
		report()
	}
	if !ok {
		return
	}
	for _, f := range fields {
		if f.required && !written[f.name] {
			d.source.broken[p.at(f.name)] = true
			do := "add it"
			if p == "" && f.name == "version" {
				do = "add version: 1"
			}
			d.report(d.source.key(p), fmt.Sprintf("%s lacks %s", p, f.name), "", do)
		}
	}
}
