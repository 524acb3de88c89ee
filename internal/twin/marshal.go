package twin

import (
	"bytes"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// sectionEncoder is a Section of any value.
type sectionEncoder interface{ entries() iter.Seq2[string, any] }

func (s Section[V]) entries() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for name, v := range s.All() {
			if !yield(name, v) {
				return
			}
		}
	}
}

// Marshal writes the twin as YAML. Comments of the file it was read from are
// lost; parsing the result gives the same twin.
func (t *Twin) Marshal() ([]byte, error) {
	n := encodeStruct(reflect.ValueOf(t).Elem())
	var b bytes.Buffer
	dumper, err := yaml.NewDumper(&b, yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("write twin %s: %w", t.Name, err)
	}
	if err := dumper.Dump(n); err != nil {
		return nil, fmt.Errorf("write twin %s: %w", t.Name, err)
	}
	if err := dumper.Close(); err != nil {
		return nil, fmt.Errorf("write twin %s: %w", t.Name, err)
	}
	return b.Bytes(), nil
}

// encode returns the node of a value.
func encode(v reflect.Value) *yaml.Node {
	switch x := v.Interface().(type) {
	case interface{ encode() *yaml.Node }:
		return x.encode()
	case sectionEncoder:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for name, value := range x.entries() {
			n.Content = append(n.Content, textNode(name), encode(reflect.ValueOf(value)))
		}
		return short(n)
	}
	switch v.Kind() { //nolint:exhaustive // documents have no other kinds
	case reflect.Pointer:
		return encode(v.Elem())
	case reflect.Struct:
		return short(encodeStruct(v))
	case reflect.Slice, reflect.Array:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, encode(v.Index(i)))
		}
		return short(n)
	case reflect.String:
		return textNode(v.String())
	case reflect.Int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}
	case reflect.Float64:
		return NumberScalar(v.Float()).encode()
	}
	panic("twin: no encoder for " + v.Type().String())
}

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// encodeStruct writes the keys of a struct, without those that are zero where
// they may be left out.
func encodeStruct(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fieldsOf(v.Type()) {
		x := v.Field(f.index)
		if !f.required && isZero(x) {
			continue
		}
		n.Content = append(n.Content, textNode(f.name), encode(x))
	}
	return n
}

func isZero(v reflect.Value) bool {
	if z, ok := reflect.TypeAssert[interface{ IsZero() bool }](v); ok {
		return z.IsZero()
	}
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// shortest is how much text a mapping or list may hold to be written in one
// line.
const shortest = 72

// short gives a mapping or list without deeper ones that is short the flow
// style, in one line.
func short(n *yaml.Node) *yaml.Node {
	length := 0
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode && (n.Kind != yaml.SequenceNode && len(c.Content) > 0 && c.Style&yaml.FlowStyle == 0) {
			return n
		}
		length += textLength(c)
	}
	nested := slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return c.Kind == yaml.MappingNode && len(c.Content) > 0 })
	if length <= shortest && (n.Kind != yaml.SequenceNode || !nested) {
		n.Style |= yaml.FlowStyle
	}
	return n
}

func textLength(n *yaml.Node) int {
	length := len(n.Value) + 2
	for _, c := range n.Content {
		length += textLength(c)
	}
	if strings.Contains(n.Value, "\n") {
		length += shortest
	}
	return length
}
