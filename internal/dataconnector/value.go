package dataconnector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// A Type is the type of a value, as a property's definition names it.
type Type string

// The types of values.
const (
	TypeDouble  Type = "DOUBLE"
	TypeInteger Type = "INTEGER" // 32 bits
	TypeLong    Type = "LONG"    // 64 bits
	TypeString  Type = "STRING"
	TypeBoolean Type = "BOOLEAN"
	TypeList    Type = "LIST"
	TypeMap     Type = "MAP"
)

// Bounds of TwinMaker's API model.
const (
	maxString   = 256 // characters of a string value, at least one
	maxElements = 50  // of a list or map
)

// A Value is a value of one of TwinMaker's types. The zero Value is none.
type Value struct {
	kind     Type
	bits     uint64 // of a number or boolean
	text     string
	elements any // []Value or map[string]Value
}

// Double returns a DOUBLE.
func Double(v float64) Value { return Value{kind: TypeDouble, bits: math.Float64bits(v)} }

// Integer returns an INTEGER.
func Integer(v int32) Value { return Value{kind: TypeInteger, bits: uint64(int64(v))} } // #nosec G115 -- bits, not a number

// Long returns a LONG.
func Long(v int64) Value { return Value{kind: TypeLong, bits: uint64(v)} } // #nosec G115 -- bits, not a number

// String returns a STRING of 1 to 256 characters.
func String(v string) Value { return Value{kind: TypeString, text: v} }

// Boolean returns a BOOLEAN.
func Boolean(v bool) Value {
	if v {
		return Value{kind: TypeBoolean, bits: 1}
	}
	return Value{kind: TypeBoolean}
}

// List returns a LIST of up to 50 values.
func List(v ...Value) Value { return Value{kind: TypeList, elements: v} }

// Map returns a MAP of up to 50 values.
func Map(v map[string]Value) Value { return Value{kind: TypeMap, elements: v} }

// Type returns the value's type, "" of the zero Value.
func (v Value) Type() Type { return v.kind }

// Text returns the value of a STRING.
func (v Value) Text() (string, bool) { return v.text, v.kind == TypeString }

// Float returns the value of a number.
func (v Value) Float() (float64, bool) {
	switch v.kind {
	case TypeDouble:
		return math.Float64frombits(v.bits), true
	case TypeInteger, TypeLong:
		return float64(v.int()), true
	case TypeString, TypeBoolean, TypeList, TypeMap:
	}
	return 0, false
}

func (v Value) int() int64 { return int64(v.bits) } // #nosec G115 -- bits, not a number

// check returns an error when TwinMaker does not take the value.
func (v Value) check() error {
	switch v.kind {
	case TypeDouble:
		if f := math.Float64frombits(v.bits); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("the value is %g; expected a finite number: a Reader leaves out what is none", f)
		}
	case TypeString:
		if n := utf8.RuneCountInString(v.text); n < 1 || n > maxString {
			return fmt.Errorf("the value is a string of %d characters; TwinMaker takes 1 to %d", n, maxString)
		}
	case TypeList:
		list, _ := v.elements.([]Value)
		if len(list) > maxElements {
			return fmt.Errorf("the value is a list of %d; TwinMaker takes %d", len(list), maxElements)
		}
		for _, element := range list {
			if err := element.check(); err != nil {
				return err
			}
		}
	case TypeMap:
		m, _ := v.elements.(map[string]Value)
		if len(m) > maxElements {
			return fmt.Errorf("the value is a map of %d; TwinMaker takes %d", len(m), maxElements)
		}
		for _, element := range m {
			if err := element.check(); err != nil {
				return err
			}
		}
	case TypeInteger, TypeLong, TypeBoolean:
	default:
		return fmt.Errorf("the value has no type: make it with Double, String and the like")
	}
	return nil
}

// as returns the value as a declared type: integers widen where nothing is
// lost, everything else must be what was declared.
func (v Value) as(declared Type) (Value, error) {
	const exact = 1 << 53 // integers up to here are doubles too
	switch {
	case declared == "" || v.kind == declared:
		return v, nil
	case declared == TypeLong && v.kind == TypeInteger:
		return Long(v.int()), nil
	case declared == TypeDouble && (v.kind == TypeInteger || v.kind == TypeLong) && v.int() <= exact && v.int() >= -exact:
		return Double(float64(v.int())), nil
	}
	return v, fmt.Errorf("the value is a %s, the property is declared as %s", v.kind, declared)
}

// member is the name of the value's member in TwinMaker's DataValue.
func (v Value) member() string {
	switch v.kind {
	case TypeDouble:
		return "doubleValue"
	case TypeInteger:
		return "integerValue"
	case TypeLong:
		return "longValue"
	case TypeString:
		return "stringValue"
	case TypeBoolean:
		return "booleanValue"
	case TypeList:
		return "listValue"
	case TypeMap:
		return "mapValue"
	}
	return ""
}

// appendTo appends the value as a DataValue; numbers are JSON numbers.
func (v Value) appendTo(b []byte) ([]byte, error) {
	b = append(b, `{"`...)
	b = append(b, v.member()...)
	b = append(b, `":`...)
	switch v.kind {
	case TypeDouble:
		b = strconv.AppendFloat(b, math.Float64frombits(v.bits), 'g', -1, 64)
	case TypeInteger, TypeLong:
		b = strconv.AppendInt(b, v.int(), 10)
	case TypeBoolean:
		b = strconv.AppendBool(b, v.bits == 1)
	case TypeString, TypeList, TypeMap:
		content := v.elements
		if v.kind == TypeString {
			content = v.text
		}
		encoded, err := json.Marshal(content)
		if err != nil {
			return b, err
		}
		b = append(b, encoded...)
	}
	return append(b, '}'), nil
}

// MarshalJSON writes a DataValue of TwinMaker.
func (v Value) MarshalJSON() ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	return v.appendTo(nil)
}

// UnmarshalJSON reads a DataValue of TwinMaker. Members that this program does
// not know (relationships, expressions) leave the value untouched.
func (v *Value) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("a value is %.40s; expected an object such as {\"doubleValue\": 1.5}", data)
	}
	for name, raw := range members {
		if bytes.Equal(raw, []byte("null")) {
			continue
		}
		if err := v.readMember(name, raw); err != nil {
			return fmt.Errorf("%s is %.40s: %w", name, raw, err)
		}
	}
	return nil
}

// readMember reads one member of a DataValue.
func (v *Value) readMember(name string, raw json.RawMessage) error {
	switch name {
	case "doubleValue":
		return read(raw, v, Double)
	case "integerValue":
		return read(raw, v, Integer)
	case "longValue":
		return read(raw, v, Long)
	case "stringValue":
		return read(raw, v, String)
	case "booleanValue":
		return read(raw, v, Boolean)
	case "listValue":
		return read(raw, v, func(list []Value) Value { return List(list...) })
	case "mapValue":
		return read(raw, v, Map)
	}
	return nil
}

func read[T any](raw json.RawMessage, v *Value, of func(T) Value) error {
	var content T
	if err := json.Unmarshal(raw, &content); err != nil {
		return err
	}
	*v = of(content)
	return nil
}
