// Package plant declares the port of a physics model: anything with states,
// parameters, inputs, outputs and units. Models live in the folders below;
// package all lists them.
//
// A [Model] describes itself and makes instances. An [Instance] computes: it
// moves a state over a step and says what would be measured. All state is in
// vectors that the caller holds, so that an estimator may move many states
// (sigma points, particles, members of an ensemble) through one instance.
// A plant that is observed in segments with pauses between them, and changes
// from one to the next, also is a [Segmented].
package plant

// A Quantity is a named variable of a model.
type Quantity struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // UCUM code
	Doc  string `json:"doc"`
}

// A Transform maps a parameter to the unbounded coordinate that it is
// estimated in.
type Transform string

// The transforms: ln p, ln (p−lower)/(upper−p), and p itself.
const (
	Log      Transform = "log"
	Logit    Transform = "logit"
	Identity Transform = "identity"
)

// A Prior is what is known of a parameter before any telemetry: its median and
// its standard deviation in the coordinate of its transform (for Log a
// relative one).
type Prior struct {
	Median    float64
	Deviation float64
	Transform Transform
	Lower     float64 // of Logit
	Upper     float64 // of Logit
}

// A Parameter of a model may be estimated. One without a prior of its own is
// estimated only if the calibration states one.
type Parameter struct {
	Quantity
	Prior *Prior
	// Transform is the one that the model needs it to be estimated in; "" is
	// any.
	Transform Transform
	// Drift is the standard deviation of what the parameter moves by from one
	// segment to the next, in the coordinate of its transform.
	Drift float64
}

// A Constant is a fixed parameter of a model. A constant without a default
// must be given.
type Constant struct {
	Quantity
	Default *float64
}

// A Description says what a model is made of. Vectors hold their elements in
// the order of its lists.
type Description struct {
	Name       string
	States     []Quantity
	Parameters []Parameter
	Constants  []Constant // numbers, or attributes of the asset
	Inputs     []Quantity
	Outputs    []Quantity // may be observed
	// Published may be published as quantiles, besides parameters. One that is
	// named as a parameter is published in its place.
	Published []Quantity
}

// A Model is a kind of plant.
type Model interface {
	// Describe returns the model's quantities. The lists must not be changed.
	Describe() Description

	// New returns an instance with the given constants, by name; those with a
	// default may be absent. The error names a constant that is missing or
	// makes no sense.
	New(constants map[string]float64) (Instance, error)
}

// An Instance is one plant. It is not safe for concurrent use.
type Instance interface {
	// Start writes the states' means and standard deviations when nothing is
	// known but the inputs u and the parameters p.
	Start(x, deviation, p, u []float64)

	// Step moves the state x over dt seconds, in place, under parameters p,
	// while the inputs go linearly from u0 to u1.
	Step(x, p, u0, u1 []float64, dt float64)

	// Noise writes the variances that dt seconds add to the states.
	Noise(variance []float64, dt float64)

	// Output writes what would be measured in state x at inputs u to y.
	Output(y, x, p, u []float64)
}

// Correlated is implemented by instances whose parameters are not independent
// in their priors and drifts, such as the knots of a curve.
type Correlated interface {
	// Correlation of parameters i and j in the coordinates of their
	// transforms; 1 for i = j.
	Correlation(i, j int) float64
}
