package twin

import (
	"github.com/livetwin/livetwin/internal/twin/definition"
	"github.com/livetwin/livetwin/internal/twin/scene"
)

// A Compiled twin is what deployment turns into resources. Lists are in an
// order in which resources can be created, and else in that of the twin. It
// holds no name that depends on the stage: whoever creates resources adds the
// prefix.
type Compiled struct {
	Name  string // the twin's
	Title string

	AssetModels    []CompiledModel // a model after the models of its hierarchies
	Assets         []CompiledAsset // an asset after its children
	ComponentTypes []ComponentType
	Entities       []Entity // an entity after its parent and those it points to
	Scenes         []scene.Scene
	Connectors     []string // sources of data connectors, such as calibration

	// Definition is what functions read; it holds calibrations and alarms.
	Definition definition.Definition
}

// A CompiledModel is an asset model of SiteWise. Names of properties and
// hierarchies are their logical ids too: unique in the model and stable.
type CompiledModel struct {
	Name        string
	Title       string
	Properties  []CompiledProperty
	Hierarchies []CompiledHierarchy
}

// A CompiledProperty is a property of an asset model of SiteWise.
type CompiledProperty struct {
	definition.Property
	// ExternalID is unique in the model: the kind in SiteWise, a dot and the
	// name, such as measurement.voltage.
	ExternalID string
	Default    string       // an attribute's default; empty when it has none
	Expression string       // of a transform or metric, with constants written in
	Variables  []FormulaVar // of the expression
	Window     string       // a metric's tumbling window, such as 15m
	Offset     string       // of the window; empty when it has none
}

// A FormulaVar is a variable of an expression. Hierarchy is empty for a
// property of the same model.
type FormulaVar struct {
	Name      string
	Hierarchy string
	Property  string
}

// A CompiledHierarchy is a hierarchy of an asset model of SiteWise.
type CompiledHierarchy struct {
	Name       string
	ExternalID string // hierarchy. and the name
	ChildModel string
}

// A CompiledAsset is an asset of SiteWise.
type CompiledAsset struct {
	Name       string
	Title      string
	Model      string
	Properties []AssetProperty
	Children   []AssetChild
	// Overrides are values of attributes that differ from the model's
	// defaults. CloudFormation has no property for them: they are written by
	// alias, as values.
	Overrides []AttributeValue
}

// An AssetProperty gives a property of an asset its alias.
type AssetProperty struct {
	Name  string
	Alias string // /{twin}/{asset}/{property}
}

// An AssetChild is a child of an asset in one of its model's hierarchies.
type AssetChild struct {
	Hierarchy string
	Asset     string
}

// An AttributeValue is the value of an attribute of an asset.
type AttributeValue struct {
	Property string
	Alias    string
	Type     DataType
	Value    any // float64, int64, bool or string, as the type says
}

// A ComponentType is a component type of TwinMaker.
type ComponentType struct {
	ID          string // {twin}.calibration.{calibration}, {twin}.alarm.{alarm} or {twin}.relationships
	Title       string
	ExtendsFrom []string // ids of component types
	Properties  []PropertyDefinition
	// Connector is the source of the data connector that implements Reader;
	// empty for a type without external values.
	Connector string
	// Reader is the function that the connector implements: dataReader.
	Reader string
	// RequiredProperties are the properties that Reader needs of an entity.
	RequiredProperties []string
}

// A PropertyDefinition is a property of a component type of TwinMaker.
type PropertyDefinition struct {
	Name  string
	Title string
	// Type is DOUBLE, STRING or RELATIONSHIPS, a list of relationships.
	Type             string
	Unit             string
	RelationshipType string // of RELATIONSHIPS
	Required         bool   // isRequiredInEntity
	ExternalID       bool   // isExternalId
	External         bool   // isStoredExternally
	TimeSeries       bool   // isTimeSeries
}

// An Entity is an entity of TwinMaker: one per asset, with its name as id.
type Entity struct {
	ID         string
	Title      string
	Parent     string // empty below the workspace's root
	Components []Component
}

// A Component is a component of an entity.
type Component struct {
	Name       string // telemetry, relationships, or the name of a calibration or alarm
	Type       string // id of its component type
	Properties []ComponentProperty
}

// A ComponentProperty is a value of a component's property; exactly one of its
// values is set.
type ComponentProperty struct {
	Name string
	// Text is a string value.
	Text string
	// AssetID names the asset whose SiteWise id is the value.
	AssetID string
	// AssetModelID names the asset model whose SiteWise id is the value.
	AssetModelID string
	// Targets are the entities that a list of relationships points to.
	Targets []string
}

// Names of component types that TwinMaker brings along, and of components.
const (
	SiteWiseConnectorType  = "com.amazon.iotsitewise.connector"
	BasicAlarmType         = "com.amazon.iottwinmaker.alarm.basic"
	TelemetryComponent     = "telemetry"
	RelationshipsComponent = "relationships"
	RelationshipsProperty  = "RELATIONSHIPS" // type of a PropertyDefinition
)
