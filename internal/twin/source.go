package twin

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A path names a value in a twin: the keys and indices that lead to it.
type path string

// at returns the path of a key below p.
func (p path) at(keys ...string) path {
	for _, k := range keys {
		if p != "" {
			p += "\x00"
		}
		p += path(k)
	}
	return p
}

// index returns the path of an element of the list p.
func (p path) index(i int) path { return p.at(strconv.Itoa(i)) }

// parent returns the path of what holds p.
func (p path) parent() (path, bool) {
	if p == "" {
		return "", false
	}
	i := strings.LastIndexByte(string(p), 0)
	if i < 0 {
		return "", true
	}
	return p[:i], true
}

// String returns the path as messages show it: assets.cell-1.parent, nodes[0].
func (p path) String() string {
	if p == "" {
		return "the twin"
	}
	var b strings.Builder
	for i, key := range strings.Split(string(p), "\x00") {
		if _, err := strconv.Atoi(key); err == nil {
			b.WriteString("[" + key + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key)
	}
	return b.String()
}

// A position is a line and a column, counted from 1.
type position struct{ line, column int }

// A source knows where the values of a twin were written, and which of them
// could not be read.
type source struct {
	file   string
	keys   map[path]position
	values map[path]*yaml.Node
	broken map[path]bool // reported already, or with unknown keys
}

func newSource(file string) *source {
	return &source{file: file, keys: map[path]position{}, values: map[path]*yaml.Node{}, broken: map[path]bool{}}
}

// value returns the position of the value at p, or of what would hold it.
func (s *source) value(p path) position {
	for {
		if n, ok := s.values[p]; ok {
			return position{n.Line, n.Column}
		}
		next, ok := p.parent()
		if !ok {
			return position{1, 1}
		}
		p = next
	}
}

// key returns the position of the key at p, or of the value for elements of
// lists.
func (s *source) key(p path) position {
	if k, ok := s.keys[p]; ok {
		return k
	}
	return s.value(p)
}

// scalarOffset returns the position of the character at a byte offset in the
// scalar at p. Inside quoted, folded and block scalars that is the scalar's
// own position, because the text there is not the value.
func (s *source) scalarOffset(p path, offset int) position {
	at := s.value(p)
	n, ok := s.values[p]
	if !ok || n.Kind != yaml.ScalarNode || offset < 0 || offset > len(n.Value) {
		return at
	}
	switch quoted := n.Style == yaml.SingleQuotedStyle || n.Style == yaml.DoubleQuotedStyle; {
	case n.Style == 0:
	case quoted:
		if strings.ContainsAny(n.Value, "'\"\\\n") {
			return at
		}
		at.column++
	default:
		return at
	}
	if strings.Contains(n.Value, "\n") {
		return at
	}
	at.column += len([]rune(n.Value[:offset]))
	return at
}

// isBroken reports whether the value at p, or what holds it, was reported as
// unreadable.
func (s *source) isBroken(p path) bool {
	for {
		if s.broken[p] {
			return true
		}
		next, ok := p.parent()
		if !ok || next == "" {
			return false
		}
		p = next
	}
}

// kindOf names the kind of a node in a message.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "the time " + n.Value
	}
	return fmt.Sprintf("the text %q", shorten(n.Value))
}

// shorten cuts long text for a message.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// has reports whether a value was written at p.
func (s *source) has(p path) bool {
	_, ok := s.values[p]
	return ok
}
