// Package plant declares the port of a physics model: anything with states,
// parameters, inputs, outputs and units. Models live in the folders below;
// package all lists them.
package plant

// A Quantity is a named variable of a model.
type Quantity struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // UCUM code
	Doc  string `json:"doc"`
}

// A Constant is a fixed parameter of a model. A constant without a default
// must be given.
type Constant struct {
	Quantity
	Default *float64 `json:"default,omitempty"`
}

// A Description says what a model is made of. Vectors hold their elements in
// the order of its lists.
type Description struct {
	Name       string
	States     []Quantity
	Parameters []Quantity // may be estimated
	Constants  []Constant // fixed: numbers, or attributes of the asset
	Inputs     []Quantity
	Outputs    []Quantity // may be observed
	Published  []Quantity // may be published, as quantiles
}
