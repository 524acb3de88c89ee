// Package all lists the models that a calibration may name.
package all

import (
	"fmt"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/plant/cell"
)

// models holds one line per model, in order of name.
var models = []plant.Model{
	cell.Model{},
}

// Names returns the names of all models, sorted.
func Names() []string {
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Describe().Name
	}
	slices.Sort(names)
	return names
}

// Model returns the model of that name. The error of an unknown one lists
// those that exist.
func Model(name string) (plant.Model, error) {
	for _, m := range models {
		if m.Describe().Name == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("no model %q: known are %s", name, strings.Join(Names(), ", "))
}

// Describe returns what the model of that name is made of.
func Describe(name string) (plant.Description, bool) {
	m, err := Model(name)
	if err != nil {
		return plant.Description{}, false
	}
	return m.Describe(), true
}
