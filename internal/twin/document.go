package twin

// Version is the version of the twin format that this program reads and writes.
const Version = 1

// A Twin is a definition of a plant as it is written, without defaults.
type Twin struct {
	// Version of this format: 1.
	Version int `json:"version" jsonschema:"enum=1"`
	// Name of the twin. It prefixes every resource.
	Name string `json:"twin" jsonschema:"pattern=^[a-z][a-z0-9-]{1\\,29}$"`
	// What people call the twin.
	Title string `json:"title,omitempty"`
	// What kinds of equipment there are, by name.
	AssetModels Section[AssetModel] `json:"assetModels"`
	// The equipment, by name. A name is the asset's TwinMaker entity id and a part of its property aliases.
	Assets Section[Asset] `json:"assets"`
	// Relationships between assets besides the hierarchy, by type, such as feeds.
	Relationships Section[[]Relationship] `json:"relationships,omitzero"`
	// Physics models that follow assets, by name.
	Calibrations Section[Calibration] `json:"calibrations,omitzero"`
	// Conditions on published values, by name.
	Alarms Section[Alarm] `json:"alarms,omitzero"`
	// TwinMaker data connectors that the twin uses, by source.
	Connectors Section[Connector] `json:"connectors,omitzero"`
	// 3D scenes, by name.
	Scenes Section[Scene] `json:"scenes,omitzero"`

	source  *source // where values were declared
	options options
}

// A DataType is SiteWise's type of a property's values.
type DataType string

// The data types of properties.
const (
	Double  DataType = "DOUBLE"
	Integer DataType = "INTEGER"
	Boolean DataType = "BOOLEAN"
	String  DataType = "STRING"
)

// An AssetModel is a kind of equipment. Its properties share one namespace.
type AssetModel struct {
	// What people call this kind of equipment.
	Title string `json:"title,omitempty"`
	// Static properties, such as a serial number, by name.
	Attributes Section[Attribute] `json:"attributes,omitzero"`
	// Measured properties, by name.
	Measurements Section[Measurement] `json:"measurements,omitzero"`
	// Properties computed from each new value of others, by name.
	Transforms Section[Transform] `json:"transforms,omitzero"`
	// Properties aggregated over a window of time, by name.
	Metrics Section[Metric] `json:"metrics,omitzero"`
	// Kinds of children, by name.
	Hierarchies Section[Hierarchy] `json:"hierarchies,omitzero"`
}

// An Attribute is a static property.
type Attribute struct {
	// Type of the value.
	Type DataType `json:"type" jsonschema:"enum=DOUBLE,enum=INTEGER,enum=BOOLEAN,enum=STRING"`
	// UCUM code of the unit.
	Unit string `json:"unit,omitempty"`
	// Value of assets that do not set their own.
	Default Scalar `json:"default,omitzero"`
}

// A Measurement is a measured property.
type Measurement struct {
	// Type of the values.
	Type DataType `json:"type" jsonschema:"enum=DOUBLE,enum=INTEGER,enum=BOOLEAN,enum=STRING"`
	// UCUM code of the unit.
	Unit string `json:"unit,omitempty"`
}

// A Transform is a property computed from each new value of others.
type Transform struct {
	// UCUM code of the result's unit.
	Unit string `json:"unit,omitempty"`
	// Formula in SiteWise's language over properties of the model and constants.
	Expression string `json:"expression"`
	// Numbers with units that the expression names; they are written into the formula.
	Constants Section[Quantity] `json:"constants,omitzero"`
}

// A Metric is a property aggregated over a tumbling window.
type Metric struct {
	// UCUM code of the result's unit.
	Unit string `json:"unit,omitempty"`
	// Length of the window, from 1m to 1w.
	Window Duration `json:"window"`
	// Where windows start after midnight UTC, less than the window.
	Offset Duration `json:"offset,omitempty"`
	// Formula in SiteWise's language with aggregations over properties, variables and constants.
	Expression string `json:"expression"`
	// Numbers with units that the expression names; they are written into the formula.
	Constants Section[Quantity] `json:"constants,omitzero"`
	// Names for properties of children that the expression aggregates.
	Variables Section[Variable] `json:"variables,omitzero"`
}

// A Quantity is a number with a unit.
type Quantity struct {
	// The number.
	Value float64 `json:"value"`
	// UCUM code of the unit.
	Unit string `json:"unit,omitempty"`
}

// A Variable names a property of the children in a hierarchy.
type Variable struct {
	// Hierarchy of the model.
	Hierarchy string `json:"hierarchy"`
	// Property of the hierarchy's model.
	Property string `json:"property"`
}

// A Hierarchy allows children of a model.
type Hierarchy struct {
	// Model of the children.
	Model string `json:"model"`
}

// An Asset is a piece of equipment.
type Asset struct {
	// Its model.
	Model string `json:"model"`
	// What people call it.
	Title string `json:"title,omitempty"`
	// The asset that it is a part of.
	Parent string `json:"parent,omitempty"`
	// Hierarchy of the parent's model that it belongs to; needed only where several hold its model.
	Hierarchy string `json:"hierarchy,omitempty"`
	// Values of attributes that differ from the model's defaults.
	Attributes Section[Scalar] `json:"attributes,omitzero"`
}

// A Relationship is an edge from one asset to another.
type Relationship struct {
	// Asset at which the edge starts.
	From string `json:"from"`
	// Asset at which it ends.
	To string `json:"to"`
}

// A Connector is a TwinMaker data connector that the twin uses.
type Connector struct{}

// An Alarm is a condition on a published value of every asset of a model.
type Alarm struct {
	// What people call the alarm.
	Title string `json:"title,omitempty"`
	// Model of the assets.
	AssetModel string `json:"assetModel"`
	// A published property of the model, such as state_of_health_p50.
	Property string `json:"property"`
	// How the value compares with the threshold when the alarm is active.
	Comparison string `json:"comparison" jsonschema:"enum=GREATER,enum=GREATER_OR_EQUAL,enum=LESS,enum=LESS_OR_EQUAL,enum=EQUAL,enum=NOT_EQUAL"`
	// In the property's unit.
	Threshold float64 `json:"threshold"`
}
