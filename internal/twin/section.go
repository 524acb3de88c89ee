package twin

import (
	"iter"
	"slices"
)

// A Section maps names to values and keeps the order in which they were
// declared. The zero value is empty and ready to use.
type Section[V any] struct {
	names  []string
	values map[string]V
}

// Get returns the value of name and whether there is one.
func (s Section[V]) Get(name string) (V, bool) {
	v, ok := s.values[name]
	return v, ok
}

// Has reports whether name is declared.
func (s Section[V]) Has(name string) bool {
	_, ok := s.values[name]
	return ok
}

// Len returns the number of names.
func (s Section[V]) Len() int { return len(s.names) }

// Names returns the names in the order of their declaration.
func (s Section[V]) Names() []string { return slices.Clone(s.names) }

// All yields names and values in the order of their declaration.
func (s Section[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range s.names {
			if !yield(name, s.values[name]) {
				return
			}
		}
	}
}

// Set declares name, or replaces its value in place.
func (s *Section[V]) Set(name string, value V) {
	if s.values == nil {
		s.values = make(map[string]V)
	}
	if _, ok := s.values[name]; !ok {
		s.names = append(s.names, name)
	}
	s.values[name] = value
}

// Delete removes name, if it is declared.
func (s *Section[V]) Delete(name string) {
	if _, ok := s.values[name]; !ok {
		return
	}
	delete(s.values, name)
	s.names = slices.DeleteFunc(s.names, func(n string) bool { return n == name })
}

// IsZero reports whether the section is empty.
func (s Section[V]) IsZero() bool { return len(s.names) == 0 }

// JSONSchemaAlias makes the schema of a section that of a JSON object.
func (Section[V]) JSONSchemaAlias() any { return map[string]V{} }
