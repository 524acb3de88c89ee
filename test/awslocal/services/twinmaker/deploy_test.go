package twinmaker_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInheritance(t *testing.T) {
	s := start(t)
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.base","PropertyDefinitions":{
		"limit":{"DataType":{"Type":"DOUBLE"},"DefaultValue":{"DoubleValue":1}},
		"level":{"DataType":{"Type":"DOUBLE"},"IsStoredExternally":true,"IsTimeSeries":true}}}`)
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.alarm","ExtendsFrom":["com.amazon.iottwinmaker.alarm.basic","plant.base"],
		"Functions":{"dataReader":{"ImplementedBy":{"Lambda":{"Arn":"`+connectorARN+`"}}}},
		"PropertyDefinitions":{"limit":{"DataType":{"Type":"DOUBLE"},"IsRequiredInEntity":true,"DefaultValue":{"DoubleValue":2}},"own":{"DataType":{"Type":"STRING"}}}}`)
	get := func(id string) *iottwinmaker.GetComponentTypeOutput {
		out, err := s.client.GetComponentType(t.Context(), &iottwinmaker.GetComponentTypeInput{WorkspaceId: aws.String("plant"), ComponentTypeId: &id})
		require.NoError(t, err)
		return out
	}
	base, alarm, basic := get("plant.base"), get("plant.alarm"), get("com.amazon.iottwinmaker.alarm.basic")
	assert.True(t, *base.IsAbstract, "its series has no reader")
	assert.True(t, *basic.IsAbstract)
	assert.False(t, *alarm.IsAbstract)
	assert.Equal(t, []string{"com.amazon.iottwinmaker.alarm.basic", "plant.base"}, alarm.ExtendsFrom)
	d := alarm.PropertyDefinitions
	assert.True(t, *d["alarm_key"].IsInherited && *d["alarm_key"].IsExternalId && *d["alarm_key"].IsRequiredInEntity)
	assert.True(t, *d["alarm_status"].IsTimeSeries && *d["alarm_status"].IsStoredExternally)
	assert.Len(t, d["alarm_status"].DataType.AllowedValues, 4)
	assert.True(t, *d["level"].IsInherited)
	assert.InDelta(t, 2, *d["limit"].DefaultValue.DoubleValue, 0)
	assert.True(t, *d["limit"].IsRequiredInEntity)
	assert.Equal(t, connectorARN, *alarm.Functions["dataReader"].ImplementedBy.Lambda.Arn)
	assert.False(t, *base.PropertyDefinitions["level"].IsInherited)

	s.create("Entity", `{"WorkspaceId":"plant","EntityId":"cell-1","EntityName":"c","Components":{"alarm":{"ComponentTypeId":"plant.alarm",
		"Properties":{"alarm_key":{"Value":{"StringValue":"cell-1#low"}}}}}}`)
	found, err := s.client.ListEntities(t.Context(), &iottwinmaker.ListEntitiesInput{WorkspaceId: aws.String("plant"), Filters: ancestorFilter("com.amazon.iottwinmaker.alarm.basic")})
	require.NoError(t, err)
	assert.Len(t, found.EntitySummaries, 1, "a type finds those that extend it")
}

func TestResourcesThatAreRefused(t *testing.T) {
	s := start(t)
	s.calibrated()
	typ := func(rest string) string { return `{"WorkspaceId":"plant","ComponentTypeId":"plant.x",` + rest + `}` }
	property := func(p string) string { return typ(`"PropertyDefinitions":{"p":` + p + `}`) }
	function := func(name, f string) string { return typ(`"Functions":{"` + name + `":` + f + `}`) }
	lambda := `{"ImplementedBy":{"Lambda":{"Arn":"` + connectorARN + `"}}}`
	entity := func(rest string) string {
		return `{"WorkspaceId":"plant","EntityId":"e-1","EntityName":"E",` + rest + `}`
	}
	component := func(c string) string { return entity(`"Components":{"c":` + c + `}`) }
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.relations","PropertyDefinitions":{
		"feeds":{"DataType":{"Type":"LIST","NestedType":{"Type":"RELATIONSHIP","Relationship":{"RelationshipType":"feeds","TargetComponentTypeId":"plant.calibration"}}}},
		"mode":{"DataType":{"Type":"STRING","AllowedValues":[{"StringValue":"on"},{"StringValue":"off"}]}}}}`)
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.single","IsSingleton":true}`)
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.abstract","PropertyDefinitions":{"level":{"DataType":{"Type":"DOUBLE"},"IsStoredExternally":true,"IsTimeSeries":true}}}`)
	feeds := func(target string) string {
		return component(`{"ComponentTypeId":"plant.relations","Properties":{"feeds":{"Value":{"ListValue":[{"RelationshipValue":{"TargetEntityId":"` + target + `"}}]}}}}`)
	}
	s.create("Entity", `{"WorkspaceId":"plant","EntityId":"bare","EntityName":"Bare"}`)
	tests := map[string]struct{ kind, properties, want string }{
		"workspace id":         {"Workspace", `{"WorkspaceId":"-","Role":"r","S3Location":"arn:aws:s3:::b"}`, "WorkspaceId must match"},
		"workspace bucket":     {"Workspace", `{"WorkspaceId":"other","Role":"r","S3Location":"s3://b"}`, "ARN of a bucket"},
		"workspace role":       {"Workspace", `{"WorkspaceId":"other","Role":"role/untrusting","S3Location":"arn:aws:s3:::b"}`, "cannot assume"},
		"unknown member":       {"Workspace", `{"WorkspaceID":"other"}`, "WorkspaceID"},
		"no workspace":         {"ComponentType", `{"WorkspaceId":"other","ComponentTypeId":"a.b"}`, "Workspace other not found"},
		"AWS's own id":         {"ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"com.amazon.x"}`, "AWS's own"},
		"property groups":      {"ComponentType", typ(`"PropertyGroups":{"g":{}}`), "not supported"},
		"unknown parent":       {"ComponentType", typ(`"ExtendsFrom":["plant.none"]`), "plant.none not found"},
		"parent by name only":  {"ComponentType", typ(`"ExtendsFrom":["com.amazon.kvs.video"]`), "not provided by the local endpoint"},
		"changed type":         {"ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.calibration"}`, "exists with other properties"},
		"another data type":    {"ComponentType", typ(`"ExtendsFrom":["plant.calibration"],"PropertyDefinitions":{"capacity":{"DataType":{"Type":"STRING"}}}`), "DOUBLE in the type it extends"},
		"no data type":         {"ComponentType", property(`{}`), "needs a DataType"},
		"unknown data type":    {"ComponentType", property(`{"DataType":{"Type":"FLOAT"}}`), `"FLOAT"`},
		"list of nothing":      {"ComponentType", property(`{"DataType":{"Type":"LIST"}}`), "NestedType"},
		"series stored here":   {"ComponentType", property(`{"DataType":{"Type":"DOUBLE"},"IsTimeSeries":true}`), "set IsStoredExternally"},
		"default elsewhere":    {"ComponentType", property(`{"DataType":{"Type":"DOUBLE"},"IsStoredExternally":true,"DefaultValue":{"DoubleValue":1}}`), "no default value"},
		"default of another":   {"ComponentType", property(`{"DataType":{"Type":"DOUBLE"},"DefaultValue":{"StringValue":"1"}}`), "is a doubleValue"},
		"external id":          {"ComponentType", property(`{"DataType":{"Type":"DOUBLE"},"IsExternalId":true}`), "an external id is a STRING"},
		"property name":        {"ComponentType", typ(`"PropertyDefinitions":{"a b":{"DataType":{"Type":"DOUBLE"}}}`), "its name must match"},
		"function name":        {"ComponentType", function("reader", lambda), "it is none of"},
		"function scope":       {"ComponentType", function("dataReader", strings.Replace(lambda, `}}}`, `}},"Scope":"ALL"}`, 1)), `"ALL"`},
		"native function":      {"ComponentType", function("dataReader", `{"ImplementedBy":{"IsNative":true}}`), "AWS's own"},
		"qualified function":   {"ComponentType", function("dataReader", strings.Replace(lambda, ":reader", ":reader:1", 1)), "without alias"},
		"required, undefined":  {"ComponentType", function("dataReader", strings.Replace(lambda, `}}}`, `}},"RequiredProperties":["key"]}`, 1)), `"key" is not defined`},
		"entity id":            {"Entity", `{"WorkspaceId":"plant","EntityId":"-","EntityName":"E"}`, "EntityId must match"},
		"entity name":          {"Entity", `{"WorkspaceId":"plant","EntityId":"e-1"}`, "EntityName"},
		"no parent":            {"Entity", entity(`"ParentEntityId":"none"`), "Parent entity none not found"},
		"changed entity":       {"Entity", `{"WorkspaceId":"plant","EntityId":"cell-1","EntityName":"Other"}`, "exists with other properties"},
		"composites":           {"Entity", entity(`"CompositeComponents":{"c":{}}`), "not supported"},
		"unknown type":         {"Entity", component(`{"ComponentTypeId":"plant.none"}`), "plant.none not found"},
		"abstract type":        {"Entity", component(`{"ComponentTypeId":"plant.abstract"}`), "is abstract"},
		"component name":       {"Entity", component(`{"ComponentTypeId":"plant.single","ComponentName":"d"}`), "is not its key"},
		"required":             {"Entity", component(`{"ComponentTypeId":"plant.calibration"}`), "the required properties asset have no value"},
		"unknown property":     {"Entity", component(`{"ComponentTypeId":"plant.single","Properties":{"x":{"Value":{"DoubleValue":1}}}}`), `has no property "x"`},
		"stored externally":    {"Entity", component(`{"ComponentTypeId":"plant.calibration","Properties":{"asset":{"Value":{"StringValue":"a"}},"capacity":{"Value":{"DoubleValue":1}}}}`), "stored externally"},
		"two members":          {"Entity", component(`{"ComponentTypeId":"plant.relations","Properties":{"mode":{"Value":{"StringValue":"on","DoubleValue":1}}}}`), "exactly one member"},
		"not allowed":          {"Entity", component(`{"ComponentTypeId":"plant.relations","Properties":{"mode":{"Value":{"StringValue":"half"}}}}`), "none of the allowed"},
		"long text":            {"Entity", component(`{"ComponentTypeId":"plant.calibration","Properties":{"asset":{"Value":{"StringValue":"` + strings.Repeat("x", 257) + `"}}}}`), "1 to 256 characters"},
		"singleton twice":      {"Entity", entity(`"Components":{"a":{"ComponentTypeId":"plant.single"},"b":{"ComponentTypeId":"plant.single"}}`), "singleton"},
		"target is not there":  {"Entity", feeds("none"), `"none" of the relationship was not found`},
		"target of other type": {"Entity", feeds("bare"), "no component of type plant.calibration"},
		"scene without object": {"Scene", `{"WorkspaceId":"plant","SceneId":"main","ContentLocation":"s3://scenes/main.json"}`, "put it there before the scene"},
		"scene elsewhere":      {"Scene", `{"WorkspaceId":"plant","SceneId":"main","ContentLocation":"s3://other/main.json"}`, "the workspace's is scenes"},
		"scene location":       {"Scene", `{"WorkspaceId":"plant","SceneId":"main","ContentLocation":"main.json"}`, "ContentLocation"},
		"scene of nobody":      {"Scene", `{"WorkspaceId":"other","SceneId":"main","ContentLocation":"s3://scenes/main.json"}`, "not found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.try(tt.kind, tt.properties)
			assert.ErrorContains(t, err, tt.want)
		})
	}
	s.create("Entity", feeds("cell-1"))
	s.create("Entity", strings.Replace(feeds("e-2"), "e-1", "e-2", 1)+" ")
}
