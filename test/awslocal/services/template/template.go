// Package template reads the properties of CloudFormation resources strictly:
// a property that a provider does not know is an error that names it, because
// a property that is silently dropped is a difference to AWS.
package template

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Decode decodes the properties of r into v, a pointer to a struct. An unknown
// property or one of the wrong type is an error that names the resource.
func Decode(r *kernel.Resource, v any) error {
	properties := r.Properties
	if len(bytes.TrimSpace(properties)) == 0 {
		properties = json.RawMessage(`{}`)
	}
	d := json.NewDecoder(bytes.NewReader(properties))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return Errorf(r, "properties: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Errorf(r, "properties: more than one JSON value")
	}
	return nil
}

// Errorf is an error about a resource, with its stack, logical id and type.
func Errorf(r *kernel.Resource, format string, args ...any) error {
	return fmt.Errorf("%s/%s (%s): %w", r.Stack, r.LogicalID, r.Type, fmt.Errorf(format, args...))
}

// Name returns name, or, when it is empty, what CloudFormation would make up:
// {stack}-{logical id}-{suffix} of at most limit characters. The suffix is a
// hash of stack and logical id, so that two deployments agree.
func Name(r *kernel.Resource, name string, limit int) string {
	if name != "" {
		return name
	}
	sum := sha256.Sum256([]byte(r.Stack + "/" + r.LogicalID))
	suffix := "-" + base32.StdEncoding.EncodeToString(sum[:])[:12]
	base := r.Stack + "-" + r.LogicalID
	return base[:min(len(base), limit-len(suffix))] + suffix
}

// An Int is a whole number; CloudFormation takes it as a JSON string too.
type Int int64

// UnmarshalJSON implements json.Unmarshaler.
func (i *Int) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(unquoted(b), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a whole number", b)
	}
	*i = Int(n)
	return nil
}

// A Bool is a boolean; CloudFormation takes it as a JSON string too.
type Bool bool

// UnmarshalJSON implements json.Unmarshaler.
func (v *Bool) UnmarshalJSON(b []byte) error {
	parsed, err := strconv.ParseBool(unquoted(b))
	if err != nil || !slices.Contains([]string{"true", "false"}, unquoted(b)) {
		return fmt.Errorf("%s is neither true nor false", b)
	}
	*v = Bool(parsed)
	return nil
}

func unquoted(b []byte) string {
	var s string
	if json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}

// Ignored is a property that has no effect here, such as tags; it takes any
// value.
type Ignored = json.RawMessage

// LastOf returns what follows the last separator in s: the name in an ARN or URL.
func LastOf(s, separator string) string {
	return s[strings.LastIndex(s, separator)+1:]
}
