package twin

// A Scene is a 3D view of the twin.
type Scene struct {
	// What people call the scene.
	Title string `json:"title,omitempty"`
	// Unit of lengths; m by default.
	Unit string `json:"unit,omitempty" jsonschema:"enum=m,enum=cm,enum=mm"`
	// Rules that tags name; the first statement that holds wins.
	Rules Section[[]Statement] `json:"rules,omitzero"`
	// What the scene shows.
	Nodes []Node `json:"nodes"`
	// Where the scene is seen from; by default from where all of it is in view.
	Camera *Camera `json:"camera,omitempty"`
}

// A Statement says how a tag looks while an expression holds.
type Statement struct {
	// The tag's property compared with a number: state_of_health_p50 < 0.8.
	Expression string `json:"expression"`
	// Icon of the tag.
	Icon string `json:"icon" jsonschema:"enum=Error,enum=Warning,enum=Info,enum=Video"`
	// Colour of the node's model while the statement holds, as #RRGGBB.
	Color string `json:"color,omitempty" jsonschema:"pattern=^#[0-9a-fA-F]{6}$"`
}

// A Node is a body in the scene: of one asset, of every asset of a model, or
// of none.
type Node struct {
	// Name of a node that stands for no asset.
	Name string `json:"name,omitempty"`
	// The asset that the node stands for.
	Asset string `json:"asset,omitempty"`
	// Makes one node for every asset of a model.
	ForEach *ForEach `json:"forEach,omitempty"`
	// Shape of the body.
	Shape string `json:"shape,omitempty" jsonschema:"enum=box,enum=cylinder,enum=sphere"`
	// Width (x), height (y) and depth (z) of the shape.
	Size *Vector `json:"size,omitempty"`
	// Colour of the shape, as #RRGGBB.
	Color string `json:"color,omitempty" jsonschema:"pattern=^#[0-9a-fA-F]{6}$"`
	// GLB file beside the twin, instead of a shape.
	Model string `json:"model,omitempty"`
	// Position of the body's centre; y is up.
	At *Vector `json:"at,omitempty"`
	// Rotation about x, y and z, in degrees.
	Rotate *Vector `json:"rotate,omitempty"`
	// Offset from one node of a forEach to the next.
	Step *Vector `json:"step,omitempty"`
	// A mark bound to a value of the node's asset.
	Tag *Tag `json:"tag,omitempty"`
}

// A Vector has x, y and z.
type Vector [3]float64

// ForEach selects the assets of a model, in the order of the twin.
type ForEach struct {
	// Model of the assets.
	AssetModel string `json:"assetModel"`
}

// A Tag is a mark on a node, bound to a property of a component of its asset.
type Tag struct {
	// Component of the asset's entity: telemetry, a calibration or an alarm.
	Component string `json:"component"`
	// Property of the component.
	Property string `json:"property"`
	// Rule of the scene that chooses the icon.
	Rule string `json:"rule,omitempty"`
	// Icon while no rule decides; Info by default.
	Icon string `json:"icon,omitempty" jsonschema:"enum=Error,enum=Warning,enum=Info,enum=Video"`
	// Position relative to the body's centre.
	Offset *Vector `json:"offset,omitempty"`
}

// A Camera looks from a position to a target.
type Camera struct {
	// Where the camera is.
	Position Vector `json:"position"`
	// What it looks at; the origin by default.
	Target Vector `json:"target,omitzero"`
}
