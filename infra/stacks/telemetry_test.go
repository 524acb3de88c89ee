package stacks_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/infra/stacks"
	"github.com/livetwin/livetwin/infra/stage"
	"github.com/livetwin/livetwin/internal/twin"
)

func overrides(t *testing.T) *synthesised {
	t.Helper()
	st, err := stage.Load("local")
	require.NoError(t, err)
	st.AlarmEmail = "operators@example.com"
	return synth(t, "small", st, compile(t, "testdata/overrides.yaml"))
}

// Values that assets set for themselves are written; what they go back to is
// passed along.
func TestAttributeValues(t *testing.T) {
	found := overrides(t).of("Custom::AttributeValues")
	require.Len(t, found, 1)
	for _, r := range found {
		data, err := json.Marshal(map[string]any{"Values": r.Properties["Values"], "Defaults": r.Properties["Defaults"]})
		require.NoError(t, err)
		assert.JSONEq(t, `{
			"Values": [
				{"Attribute": "pump/stages", "Asset": "pumps-local-pump-3", "Alias": "/pumps/pump-3/stages", "Type": "INTEGER", "Value": "5"},
				{"Attribute": "pump/standby", "Asset": "pumps-local-pump-3", "Alias": "/pumps/pump-3/standby", "Type": "BOOLEAN", "Value": "true"},
				{"Attribute": "pump/rated_power", "Asset": "pumps-local-pump-2", "Alias": "/pumps/pump-2/rated_power", "Type": "DOUBLE", "Value": "11"},
				{"Attribute": "pump/serial", "Asset": "pumps-local-pump-2", "Alias": "/pumps/pump-2/serial", "Type": "STRING", "Value": "P-0002"}
			],
			"Defaults": {
				"pump/rated_power": {"Type": "DOUBLE", "Value": "7.5"},
				"pump/stages": {"Type": "INTEGER", "Value": "3"},
				"pump/standby": {"Type": "BOOLEAN", "Value": "false"}
			}
		}`, string(data))
		after := fmt.Sprint(r.DependsOn)
		assert.Contains(t, after, "AssetPump2")
		assert.Contains(t, after, "AssetPump3")
		assert.Contains(t, after, "Policy", "the function must be allowed to write before it is called")
	}
	assert.Empty(t, example(t, "local").of("Custom::AttributeValues"), "the example's assets keep their models' defaults")
}

// CloudFormation refuses circular dependencies, and TwinMaker relationships
// that dangle: a ring is refused before.
func TestRingsAreRefused(t *testing.T) {
	relationship := func(from, to string) twin.Entity {
		return twin.Entity{ID: from, Components: []twin.Component{{Name: "relationships", Properties: []twin.ComponentProperty{{Name: "feeds", Targets: []string{to}}}}}}
	}
	st, err := stage.Load("local")
	require.NoError(t, err)
	check := func(entities ...twin.Entity) error {
		return stacks.Check(deployment.Deployment{Twin: &twin.Compiled{Name: "pumps", Entities: entities}, Stage: st})
	}
	require.NoError(t, check(relationship("pump-1", "pump-2"), relationship("pump-2", "pump-3"), twin.Entity{ID: "pump-3"}))
	require.NoError(t, check(relationship("pump-1", "pump-1")), "an entity may point to itself")
	require.EqualError(t, check(relationship("pump-1", "pump-2"), relationship("pump-2", "pump-3"), relationship("pump-3", "pump-1")),
		"relationships.feeds: from pump-3 to pump-1 closes a ring, since pump-1 feeds pump-2, pump-2 feeds pump-3: "+
			"entities are created one after another, each after those it points to; turn the relationship around, or leave it out")
	require.ErrorContains(t, check(relationship("rack-1", "cell-1"), twin.Entity{ID: "cell-1", Parent: "rack-1"}),
		"from rack-1 to cell-1 closes a ring, since cell-1 is below rack-1")
}

func TestEntitiesWaitForThoseTheyPointTo(t *testing.T) {
	entities := overrides(t).of("AWS::IoTTwinMaker::Entity")
	for id, e := range entities {
		switch e.Properties["EntityId"] {
		case "pump-1":
			assert.Contains(t, fmt.Sprint(e.DependsOn), "EntityPump2", id)
		case "pump-2":
			assert.Contains(t, fmt.Sprint(e.DependsOn), "EntityPump3", id)
		}
	}
}

func TestAssets(t *testing.T) {
	s := example(t, "local")
	assets := s.of("AWS::IoTSiteWise::Asset")
	require.Len(t, assets, 5)
	aliases := map[string]bool{}
	for id, a := range assets {
		for _, p := range list(a.Properties["AssetProperties"]) {
			alias := at(p, "Alias").(string)
			assert.False(t, aliases[alias], "%s: %s is taken", id, alias)
			aliases[alias] = true
		}
	}
	for _, alias := range []string{
		"/battery-storage/cell-1/voltage", "/battery-storage/cell-1/power", "/battery-storage/cell-3/energy",
		"/battery-storage/cell-2/state_of_health_p50", "/battery-storage/cell-2/rated_capacity",
	} {
		assert.True(t, aliases[alias], alias)
	}
	for id, a := range assets {
		if a.Properties["AssetName"] == "battery-storage-local-rack-1" {
			assert.Len(t, list(a.Properties["AssetHierarchies"]), 3, id)
		}
	}
}

// Validators take unanchored patterns for granted; the services do not.
func TestIDsAreWhatServicesTake(t *testing.T) {
	patterns := map[string]map[string]string{ // by type and property; from the services' API models, anchored
		"AWS::IoTSiteWise::AssetModel":     {"AssetModelName": `[^\x00-\x1F\x7F]{1,256}`, "AssetModelExternalId": `[a-zA-Z0-9][a-zA-Z_\-0-9.:]{0,126}[a-zA-Z0-9]`},
		"AWS::IoTSiteWise::Asset":          {"AssetName": `[^\x00-\x1F\x7F]{1,256}`, "AssetExternalId": `[a-zA-Z0-9][a-zA-Z_\-0-9.:]{0,126}[a-zA-Z0-9]`},
		"AWS::IoTTwinMaker::Workspace":     {"WorkspaceId": `[a-zA-Z_0-9][a-zA-Z_\-0-9]{0,126}[a-zA-Z0-9]`},
		"AWS::IoTTwinMaker::ComponentType": {"ComponentTypeId": `[a-zA-Z_.\-0-9:]{1,256}`},
		"AWS::IoTTwinMaker::Entity":        {"EntityId": `[a-zA-Z0-9][a-zA-Z_\-0-9.:]{0,126}[a-zA-Z0-9]`, "EntityName": `[a-zA-Z_0-9-.][a-zA-Z_0-9-. ]*[a-zA-Z0-9]+`},
		"AWS::IoTTwinMaker::Scene":         {"SceneId": `[a-zA-Z_0-9][a-zA-Z_\-0-9]{0,126}[a-zA-Z0-9]`},
		"AWS::IAM::Role":                   {"RoleName": `[\w+=,.@-]{1,64}`},
		"AWS::Lambda::Function":            {"FunctionName": `[a-zA-Z0-9_-]{1,64}`},
		"AWS::Batch::JobDefinition":        {"JobDefinitionName": `[a-zA-Z0-9_-]{1,128}`},
		"AWS::Batch::JobQueue":             {"JobQueueName": `[a-zA-Z0-9_-]{1,128}`},
		"AWS::StepFunctions::StateMachine": {"StateMachineName": `[a-zA-Z0-9_-]{1,80}`},
		"AWS::Scheduler::Schedule":         {"Name": `[0-9a-zA-Z\-_.]{1,64}`},
		"AWS::Scheduler::ScheduleGroup":    {"Name": `[0-9a-zA-Z\-_.]{1,64}`},
		"AWS::Events::Rule":                {"Name": `[.\-_A-Za-z0-9]{1,64}`},
		"AWS::SQS::Queue":                  {"QueueName": `[a-zA-Z0-9_-]{1,80}`},
		"AWS::SNS::Topic":                  {"TopicName": `[a-zA-Z0-9_-]{1,256}`, "DisplayName": `.{1,100}`},
		"AWS::S3::Bucket":                  {"BucketName": `[a-z0-9][a-z0-9-]{1,61}[a-z0-9]`},
		"AWS::DynamoDB::GlobalTable":       {"TableName": `[a-zA-Z0-9_.-]{3,255}`},
		"AWS::SSM::Parameter":              {"Name": `[a-zA-Z0-9_.\-/]{1,1000}`},
		"AWS::Logs::LogGroup":              {"LogGroupName": `[a-zA-Z0-9_./#\-]{1,512}`},
	}
	for _, s := range []*synthesised{example(t, "prod"), overrides(t)} {
		for typ, properties := range patterns {
			for id, r := range s.of(typ) {
				for property, pattern := range properties {
					value, _ := r.Properties[property].(string)
					assert.Regexp(t, "^(?:"+pattern+")$", value, "%s %s", id, property)
				}
			}
		}
	}
	for id, e := range example(t, "prod").of("AWS::IoTTwinMaker::Entity") {
		components, _ := e.Properties["Components"].(map[string]any)
		for name := range components {
			assert.Regexp(t, `^[a-zA-Z_\-0-9]{1,256}$`, name, id)
		}
	}
}

// TwinMaker's types of values are in maps, which the library does not check.
func TestComponentTypes(t *testing.T) {
	types := []string{"RELATIONSHIP", "STRING", "LONG", "BOOLEAN", "INTEGER", "DOUBLE", "LIST", "MAP"}
	functions := []string{"dataReader", "dataReaderByEntity", "dataReaderByComponentType", "dataWriter", "schemaInitializer", "attributePropertyValueReaderByEntity"}
	for id, typ := range example(t, "prod").of("AWS::IoTTwinMaker::ComponentType") {
		definitions, _ := typ.Properties["PropertyDefinitions"].(map[string]any)
		readers, _ := typ.Properties["Functions"].(map[string]any)
		known := slices.Collect(maps.Keys(definitions))
		for _, base := range list(typ.Properties["ExtendsFrom"]) {
			if base == twin.BasicAlarmType { // brings them along
				known = append(known, "alarm_key", "alarm_status")
			}
		}
		for name, f := range readers {
			assert.Contains(t, functions, name, id)
			assert.Contains(t, []any{"ENTITY", "WORKSPACE"}, at(f, "Scope"), id)
			arn := at(f, "ImplementedBy", "Lambda", "Arn").(string)
			assert.Regexp(t, `^arn:aws:lambda:eu-central-1:111122223333:function:[/a-zA-Z0-9_-]+$`, arn, "no alias, no version")
			for _, required := range list(at(f, "RequiredProperties")) {
				assert.Contains(t, known, required, "%s: %s needs a property that the type lacks", id, name)
			}
		}
		external := false
		for name, p := range definitions {
			assert.Contains(t, types, at(p, "DataType", "Type"), "%s %s", id, name)
			external = external || at(p, "IsStoredExternally") == true
		}
		if external {
			assert.NotEmpty(t, readers, "%s is abstract: values stored externally need a reader", id)
		}
	}
}

// A workspace tries its role out, scenes are read when they are registered, and
// literal ids order nothing.
func TestOrder(t *testing.T) {
	resources := example(t, "prod").templates["twin"].Resources
	waits := func(id, prefix string) {
		t.Helper()
		for _, on := range list(resources[id].DependsOn) {
			if strings.HasPrefix(on.(string), prefix) {
				return
			}
		}
		assert.Fail(t, "missing dependency", "%s does not wait for %s: %v", id, prefix, resources[id].DependsOn)
	}
	waits("Workspace", "WorkspaceRoleDefaultPolicy")
	for id, r := range resources {
		switch r.Type {
		case "AWS::IoTTwinMaker::Scene":
			waits(id, "CopiedFiles")
			waits(id, "Entity")
		case "AWS::IoTTwinMaker::Entity":
			waits(id, "Workspace")
			if parent, ok := r.Properties["ParentEntityId"].(string); ok {
				waits(id, "Entity"+strings.ToUpper(parent[:1])+strings.ReplaceAll(parent[1:], "-", ""))
			}
		case "Custom::WorkspaceFiles":
			waits(id, "CompleteDeploymentRoleDefaultPolicy")
		}
	}
}
