package twinmaker

import (
	"fmt"
	"slices"
)

// object is a JSON object by the API model's member names.
type object = map[string]any

// with adds a member unless it is empty.
func with(o object, name, value string) object {
	if value != "" {
		o[name] = value
	}
	return o
}

// A dataType is the API's DataType.
type dataType struct {
	kind, unit         string
	allowed            []value
	nested             *dataType
	relationshipType   string
	targetComponentTyp string
}

var dataTypes = []string{"STRING", "LONG", "BOOLEAN", "INTEGER", "DOUBLE", "LIST", "MAP", "RELATIONSHIP"}

func newDataType(t *typeTemplate) (*dataType, error) {
	if t == nil {
		return nil, fmt.Errorf("it needs a DataType")
	}
	if !slices.Contains(dataTypes, t.Type) {
		return nil, fmt.Errorf("the data type %q is none of %v", t.Type, dataTypes)
	}
	d := &dataType{kind: t.Type, unit: t.UnitOfMeasure}
	if (t.Type == "LIST" || t.Type == "MAP") != (t.NestedType != nil) {
		return nil, fmt.Errorf("a LIST and a MAP have a NestedType, a %s has not", t.Type)
	}
	if t.Relationship != nil {
		if t.Type != "RELATIONSHIP" {
			return nil, fmt.Errorf("only a RELATIONSHIP has a Relationship")
		}
		d.relationshipType, d.targetComponentTyp = t.Relationship.RelationshipType, t.Relationship.TargetComponentTypeID
	}
	if t.NestedType != nil {
		var err error
		if d.nested, err = newDataType(t.NestedType); err != nil {
			return nil, fmt.Errorf("NestedType: %w", err)
		}
	}
	var allowed []value // d has none while they are checked
	for i := range t.AllowedValues {
		v, err := newValue(&t.AllowedValues[i], d)
		if err != nil {
			return nil, fmt.Errorf("AllowedValues: %w", err)
		}
		allowed = append(allowed, v)
	}
	d.allowed = allowed
	return d, nil
}

func (d *dataType) describe() object {
	o := with(object{"type": d.kind}, "unitOfMeasure", d.unit)
	if d.nested != nil {
		o["nestedType"] = d.nested.describe()
	}
	if d.kind == "RELATIONSHIP" {
		r := with(object{}, "relationshipType", d.relationshipType)
		o["relationship"] = with(r, "targetComponentTypeId", d.targetComponentTyp)
	}
	if len(d.allowed) > 0 {
		o["allowedValues"] = d.allowed
	}
	return o
}

// A value is the API's DataValue: an object with one member.
type value = object

// maxElements is how many elements a list or map may have.
const maxElements = 50

// newValue checks a value of a template against its type.
func newValue(t *valueTemplate, d *dataType) (value, error) {
	set := object{}
	put := func(name string, is bool, v any) {
		if is {
			set[name] = v
		}
	}
	put("booleanValue", t.BooleanValue != nil, t.BooleanValue)
	put("doubleValue", t.DoubleValue != nil, t.DoubleValue)
	put("integerValue", t.IntegerValue != nil, t.IntegerValue)
	put("longValue", t.LongValue != nil, t.LongValue)
	put("stringValue", t.StringValue != nil, t.StringValue)
	put("expression", t.Expression != nil, t.Expression)
	put("listValue", t.ListValue != nil, t.ListValue)
	put("mapValue", t.MapValue != nil, t.MapValue)
	put("relationshipValue", t.RelationshipValue != nil, t.RelationshipValue)
	if len(set) != 1 {
		return nil, fmt.Errorf("a value has exactly one member, not %d", len(set))
	}
	if _, ok := set[memberOf[d.kind]]; !ok && t.Expression == nil {
		return nil, fmt.Errorf("a value of type %s is a %s", d.kind, memberOf[d.kind])
	}
	switch {
	case t.StringValue != nil:
		if n := len([]rune(*t.StringValue)); n < 1 || n > 256 {
			return nil, fmt.Errorf("a string has 1 to 256 characters, not %d", n)
		}
	case t.ListValue != nil:
		list := make([]value, 0, len(t.ListValue))
		for i := range t.ListValue {
			v, err := newValue(&t.ListValue[i], d.nested)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i+1, err)
			}
			list = append(list, v)
		}
		set["listValue"] = list
	case t.MapValue != nil:
		entries := object{}
		for k, e := range t.MapValue {
			v, err := newValue(&e, d.nested)
			if err != nil {
				return nil, fmt.Errorf("entry %q: %w", k, err)
			}
			entries[k] = v
		}
		set["mapValue"] = entries
	case t.RelationshipValue != nil:
		r := with(object{}, "targetEntityId", t.RelationshipValue.TargetEntityID)
		set["relationshipValue"] = with(r, "targetComponentName", t.RelationshipValue.TargetComponentName)
	}
	if max(len(t.ListValue), len(t.MapValue)) > maxElements {
		return nil, fmt.Errorf("a list or map has at most %d elements", maxElements)
	}
	return set, allowedValue(set, d)
}

func allowedValue(v value, d *dataType) error {
	if len(d.allowed) == 0 {
		return nil
	}
	for _, a := range d.allowed {
		if equal(a, v) {
			return nil
		}
	}
	return fmt.Errorf("the value is none of the allowed ones")
}

var memberOf = map[string]string{
	"STRING": "stringValue", "LONG": "longValue", "BOOLEAN": "booleanValue", "INTEGER": "integerValue", "DOUBLE": "doubleValue",
	"LIST": "listValue", "MAP": "mapValue", "RELATIONSHIP": "relationshipValue",
}

// equal compares two values by their text: scalars only have allowed values.
func equal(a, b value) bool {
	for name, x := range a {
		y, ok := b[name]
		if !ok || scalarText(x) != scalarText(y) {
			return false
		}
	}
	return len(a) == len(b)
}

func scalarText(v any) string {
	switch p := v.(type) {
	case *bool:
		return fmt.Sprint(*p)
	case *float64:
		return fmt.Sprint(*p)
	case *int32:
		return fmt.Sprint(*p)
	case *int64:
		return fmt.Sprint(*p)
	case *string:
		return *p
	default:
		return fmt.Sprint(v)
	}
}
