// Package schema writes the JSON Schema of twin definitions, which editors use
// to complete, explain and check twin.yaml while it is written. It is made from
// the types of package twin and their comments.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/livetwin/livetwin/internal/twin"
)

// ID is the identity of the schema.
const ID = "urn:livetwin:twin:1"

// names are patterns of the keys of sections, by the type that declares the
// section and the section's key.
var names = map[string]map[string]string{
	"Twin": {
		"assetModels": twin.ModelNamePattern, "assets": twin.AssetNamePattern, "relationships": property,
		"calibrations": twin.ModelNamePattern, "alarms": twin.ModelNamePattern, "scenes": twin.SceneNamePattern,
	},
	"AssetModel": {"attributes": property, "measurements": property, "transforms": property, "metrics": property, "hierarchies": property},
	"Transform":  {"constants": property},
	"Metric":     {"constants": property, "variables": property},
	"Scene":      {"rules": twin.ModelNamePattern},
}

const property = twin.PropertyNamePattern

// Generate returns the schema. sources holds the Go files of package twin at
// its root, for their comments.
func Generate(sources fs.FS) ([]byte, error) {
	comments, err := commentsOf(sources)
	if err != nil {
		return nil, fmt.Errorf("read the comments of package twin: %w", err)
	}
	r := jsonschema.Reflector{
		ExpandedStruct: true,
		Namer:          func(t reflect.Type) string { return t.Name() },
		Mapper:         scalar,
		LookupComment: func(t reflect.Type, field string) string {
			return comments[strings.TrimSuffix(t.Name()+"."+field, ".")]
		},
	}
	s := r.Reflect(&twin.Twin{})
	s.ID = ID
	s.Title = "Livetwin twin definition, version 1"
	constrain("Twin", s)
	for name, d := range s.Definitions {
		constrain(name, d)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode the schema of twins: %w", err)
	}
	return b.Bytes(), nil
}

// scalar maps types that are written as one scalar.
func scalar(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[twin.Duration]():
		return &jsonschema.Schema{
			Type: "string", Pattern: `^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$`, MinLength: new(uint64(2)),
			Description: "A length of time, such as 15m, 1h30m, 7d or 1w.",
		}
	case reflect.TypeFor[twin.Scalar]():
		return &jsonschema.Schema{
			OneOf:       []*jsonschema.Schema{{Type: "string", MinLength: new(uint64(1))}, {Type: "number"}, {Type: "boolean"}},
			Description: "A text, a number, true or false.",
		}
	}
	return nil
}

// constrain adds the patterns of names.
func constrain(name string, s *jsonschema.Schema) {
	for key, pattern := range names[name] {
		if section, ok := s.Properties.Get(key); ok {
			section.PropertyNames = &jsonschema.Schema{Pattern: pattern}
		}
	}
}

// commentsOf reads the comments of exported types and fields, by Type and
// Type.Field.
func commentsOf(sources fs.FS) (map[string]string, error) {
	files, err := fs.Glob(sources, "document*.go")
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no document*.go: want the folder of package twin")
	}
	comments := map[string]string{}
	for _, name := range files {
		data, err := fs.ReadFile(sources, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path.Base(name), err)
		}
		if err := readComments(name, data, comments); err != nil {
			return nil, err
		}
	}
	return comments, nil
}
