package apimodel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// kind is the type of a shape.
type kind int

const (
	kindStructure kind = iota
	kindList
	kindMap
	kindString
	kindInteger // 32 bits
	kindLong    // 64 bits
	kindFloat
	kindDouble
	kindBoolean
	kindBlob
	kindTimestamp
	kindDocument
)

var kinds = map[string]kind{
	"structure": kindStructure, "list": kindList, "map": kindMap, "string": kindString, "character": kindString,
	"integer": kindInteger, "long": kindLong, "float": kindFloat, "double": kindDouble, "boolean": kindBoolean,
	"blob": kindBlob, "timestamp": kindTimestamp,
}

// A shape is one compiled type of a model.
type shape struct {
	name string
	kind kind

	// structure
	members  []*member // sorted by name
	byWire   map[string]*member
	byName   map[string]*member
	required []int // indices into members
	union    bool
	payload  *member
	stream   bool // an event stream

	// list, map
	elem, key *shape
	flattened bool
	elemName  string // of a list's or map's element in XML and forms
	keyName   string

	// constraints: of a number its value, of anything else its length
	min, max       float64
	hasMin, hasMax bool
	pattern        *pattern
	enum           map[string]struct{}
	enumList       []string
	format         string // of a timestamp, when the model says

	// of an error
	exception  bool
	errorCode  string
	statusCode int
}

// A member is one member of a structure.
type member struct {
	name      string
	wire      string // its name in a body
	index     int
	shape     *shape
	location  string // "", uri, querystring, header, headers, statusCode
	locName   string // its name at location
	format    string // of a timestamp, when the member says
	flattened bool
	jsonValue bool
	required  bool
}

func (s *shape) eventStream() bool {
	if s.stream {
		return true
	}
	for _, m := range s.members {
		if m.shape.stream {
			return true
		}
	}
	return false
}

// bound reports whether the members of s come from anywhere but the body.
func (s *shape) bound() bool {
	return s.payload != nil || slices.ContainsFunc(s.members, func(m *member) bool { return m.location != "" })
}

// compiler turns raw shapes into shapes, each once: models are recursive.
type compiler struct {
	raw  map[string]*rawShape
	done map[string]*shape
}

func newCompiler(raw map[string]*rawShape) *compiler {
	return &compiler{raw: raw, done: make(map[string]*shape, len(raw))}
}

func (c *compiler) compile(name string) (*shape, error) {
	if s, ok := c.done[name]; ok {
		return s, nil
	}
	r, ok := c.raw[name]
	if !ok {
		return nil, fmt.Errorf("shape %s is not in the model", name)
	}
	k, ok := kinds[r.Type]
	if !ok {
		return nil, fmt.Errorf("shape %s has type %q, which is not supported", name, r.Type)
	}
	if r.Document {
		k = kindDocument
	}
	s := &shape{
		name: name, kind: k, union: r.Union, stream: r.EventStream, flattened: r.Flattened,
		format: r.TimestampFormat, exception: r.Exception || r.Error != nil,
	}
	c.done[name] = s
	if err := s.constrain(r); err != nil {
		return nil, fmt.Errorf("shape %s: %w", name, err)
	}
	if r.Error != nil {
		s.errorCode, s.statusCode = r.Error.Code, r.Error.HTTPStatusCode
	}
	if s.exception && s.statusCode == 0 {
		s.statusCode = 400
		if r.Fault {
			s.statusCode = 500
		}
	}
	var err error
	switch k { //nolint:exhaustive // scalars have no parts
	case kindStructure:
		err = c.structure(s, r)
	case kindList:
		s.elemName = r.Member.LocationName
		s.elem, err = c.compile(r.Member.Shape)
	case kindMap:
		s.keyName, s.elemName = r.Key.LocationName, r.Value.LocationName
		if s.key, err = c.compile(r.Key.Shape); err == nil {
			s.elem, err = c.compile(r.Value.Shape)
		}
	default:
	}
	if err != nil {
		return nil, fmt.Errorf("shape %s: %w", name, err)
	}
	return s, nil
}

func (s *shape) constrain(r *rawShape) error {
	var err error
	if r.Min != nil {
		s.hasMin = true
		if s.min, err = strconv.ParseFloat(r.Min.String(), 64); err != nil {
			return fmt.Errorf("min: %w", err)
		}
	}
	if r.Max != nil {
		s.hasMax = true
		if s.max, err = strconv.ParseFloat(r.Max.String(), 64); err != nil {
			return fmt.Errorf("max: %w", err)
		}
	}
	if len(r.Enum) > 0 {
		s.enumList = r.Enum
		s.enum = make(map[string]struct{}, len(r.Enum))
		for _, e := range r.Enum {
			s.enum[e] = struct{}{}
		}
	}
	if r.Pattern != "" {
		s.pattern = newPattern(r.Pattern)
	}
	return nil
}

func (c *compiler) structure(s *shape, r *rawShape) error {
	s.byWire = make(map[string]*member, len(r.Members))
	s.byName = make(map[string]*member, len(r.Members))
	for i, name := range slices.Sorted(maps.Keys(r.Members)) {
		ref := r.Members[name]
		ms, err := c.compile(ref.Shape)
		if err != nil {
			return err
		}
		m := &member{
			name: name, wire: name, index: i, shape: ms, location: ref.Location, locName: ref.LocationName,
			format: ref.TimestampFormat, flattened: ref.Flattened || ms.flattened, jsonValue: ref.JSONValue,
			required: slices.Contains(r.Required, name),
		}
		if m.location == "" && ref.LocationName != "" {
			m.wire = ref.LocationName
		}
		if m.location != "" && m.locName == "" {
			m.locName = name
		}
		if m.format == "" {
			m.format = ms.format
		}
		s.members = append(s.members, m)
		s.byWire[m.wire] = m
		s.byName[name] = m
		if m.required {
			s.required = append(s.required, i)
		}
		if name == r.Payload {
			s.payload = m
		}
	}
	if r.Payload != "" && s.payload == nil {
		return fmt.Errorf("payload member %s is missing", r.Payload)
	}
	return nil
}
