package apimodel

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

// overlayJSON is what the models of aws-sdk-go v1.55.8 lack, by service:
//
//   - validationError: the error code with which the service answers an input
//     that breaks its model (the models do not say; the default is
//     ValidationException);
//   - shapes: new shapes, and constraints that the API reference states in words
//     only, such as ten entries of ten values in a BatchPutAssetPropertyValue;
//     "as" makes a constrained copy under another name instead;
//   - members: members that were added after the models were frozen, or that
//     refer to another shape.
//
//go:embed overlay.json
var overlayJSON []byte

type overlay struct {
	ValidationError string                       `json:"validationError"`
	Shapes          map[string]overlayShape      `json:"shapes"`
	Members         map[string]map[string]rawRef `json:"members"`
}

type overlayShape struct {
	rawShape

	As string `json:"as"`
}

func loadOverlays() (map[string]overlay, error) {
	var o map[string]overlay
	if err := json.Unmarshal(overlayJSON, &o); err != nil {
		return nil, fmt.Errorf("read overlay.json: %w", err)
	}
	return o, nil
}

// apply changes m. An overlay that no longer fits its model is an error.
func (o overlay) apply(m *rawModel) error {
	for name, add := range o.Shapes {
		old, exists := m.Shapes[name]
		switch {
		case add.As != "" && !exists:
			return fmt.Errorf("overlay copies shape %s, which the model lacks", name)
		case add.As != "":
			c := *old
			c.Min, c.Max = add.Min, add.Max
			m.Shapes[add.As] = &c
		case !exists && add.Type == "":
			return fmt.Errorf("overlay constrains shape %s, which the model lacks", name)
		case !exists:
			c := add.rawShape
			m.Shapes[name] = &c
		case add.Type != "":
			return fmt.Errorf("overlay adds shape %s, which the model has by now", name)
		default:
			if add.Min != nil {
				old.Min = add.Min
			}
			if add.Max != nil {
				old.Max = add.Max
			}
			if add.Pattern != "" {
				old.Pattern = add.Pattern
			}
		}
	}
	for name, members := range o.Members {
		s, ok := m.Shapes[name]
		if !ok {
			return fmt.Errorf("overlay adds members to shape %s, which the model lacks", name)
		}
		for member, ref := range members {
			if _, ok := m.Shapes[ref.Shape]; !ok {
				return fmt.Errorf("overlay member %s.%s refers to unknown shape %s", name, member, ref.Shape)
			}
			s.Members[member] = ref
		}
	}
	return nil
}
