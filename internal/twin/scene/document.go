package scene

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The scene document of TwinMaker's viewers, specVersion 1.0.

type document struct {
	SpecVersion     string             `json:"specVersion"`
	Version         string             `json:"version"`
	Unit            string             `json:"unit"`
	Properties      map[string]any     `json:"properties"`
	Nodes           []docNode          `json:"nodes"`
	RootNodeIndexes []int              `json:"rootNodeIndexes"`
	Cameras         []camera           `json:"cameras"`
	Rules           map[string]ruleMap `json:"rules"`
}

type docNode struct {
	Name                string         `json:"name"`
	Transform           transform      `json:"transform"`
	TransformConstraint map[string]any `json:"transformConstraint"`
	Children            []int          `json:"children"`
	Components          []any          `json:"components"`
	Properties          map[string]any `json:"properties"`
}

type transform struct {
	Position [3]float64 `json:"position"`
	Rotation [3]float64 `json:"rotation"` // radians
	Scale    [3]float64 `json:"scale"`
}

type ruleMap struct {
	Statements []statement `json:"statements"`
}

type statement struct {
	Expression string `json:"expression"`
	Target     string `json:"target"`
}

type camera struct {
	CameraType string  `json:"cameraType"`
	FOV        float64 `json:"fov"`
	Near       float64 `json:"near"`
	Far        float64 `json:"far"`
	Zoom       float64 `json:"zoom"`
}

// fileURI is a file's name until the document is encoded.
type fileURI string

type modelRef struct {
	Type          string  `json:"type"`
	URI           fileURI `json:"uri"`
	ModelType     string  `json:"modelType"`
	UnitOfMeasure string  `json:"unitOfMeasure"`
	CastShadow    bool    `json:"castShadow"`
	ReceiveShadow bool    `json:"receiveShadow"`
}

type shader struct {
	Type             string      `json:"type"`
	RuleBasedMapID   string      `json:"ruleBasedMapId"`
	ValueDataBinding dataBinding `json:"valueDataBinding"`
}

type entityBinding struct {
	Type             string      `json:"type"`
	ValueDataBinding dataBinding `json:"valueDataBinding"`
}

type tag struct {
	Type             string         `json:"type"`
	Icon             string         `json:"icon"`
	RuleBasedMapID   string         `json:"ruleBasedMapId,omitempty"`
	ValueDataBinding dataBinding    `json:"valueDataBinding"`
	NavLink          map[string]any `json:"navLink"`
	Offset           [3]float64     `json:"offset"`
}

type light struct {
	Type          string         `json:"type"`
	LightType     string         `json:"lightType"`
	LightSettings map[string]any `json:"lightSettings"`
}

type cameraRef struct {
	Type        string `json:"type"`
	CameraIndex int    `json:"cameraIndex"`
}

type dataBinding struct {
	DataBindingContext bindingContext `json:"dataBindingContext"`
}

type bindingContext struct {
	EntityID      string `json:"entityId"`
	ComponentName string `json:"componentName,omitempty"`
	PropertyName  string `json:"propertyName,omitempty"`
}

// encode writes the document with the addresses of files.
func (d document) encode(uri func(file string) string) ([]byte, error) {
	resolved := d
	resolved.Nodes = make([]docNode, len(d.Nodes))
	for i, n := range d.Nodes {
		components := make([]any, len(n.Components))
		for j, c := range n.Components {
			if m, ok := c.(modelRef); ok {
				m.URI = fileURI(uri(string(m.URI)))
				c = m
			}
			components[j] = c
		}
		n.Components = components
		resolved.Nodes[i] = n
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // rules compare with <
	enc.SetIndent("", " ")
	if err := enc.Encode(resolved); err != nil {
		return nil, fmt.Errorf("encode a scene: %w", err)
	}
	return []byte(b.String()), nil
}
