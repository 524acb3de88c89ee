package twinmaker

import (
	stdjson "encoding/json"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// The properties of AWS::IoTTwinMaker::*, as CloudFormation's resource reference
// names them.
type (
	workspaceTemplate struct {
		WorkspaceID string `json:"WorkspaceId"`
		Description string
		Role        string
		S3Location  string
		Tags        map[string]string
	}

	componentTypeTemplate struct {
		WorkspaceID             string `json:"WorkspaceId"`
		ComponentTypeID         string `json:"ComponentTypeId"`
		Description             string
		ExtendsFrom             []string
		Functions               map[string]functionTemplate
		IsSingleton             bool
		PropertyDefinitions     map[string]definitionTemplate
		PropertyGroups          map[string]stdjson.RawMessage
		CompositeComponentTypes map[string]stdjson.RawMessage
		Tags                    map[string]string
	}

	functionTemplate struct {
		ImplementedBy *struct {
			IsNative bool
			Lambda   *struct{ Arn string }
		}
		RequiredProperties []string
		Scope              string
	}

	definitionTemplate struct {
		Configurations     map[string]string
		DataType           *typeTemplate
		DefaultValue       *valueTemplate
		IsExternalID       bool `json:"IsExternalId"`
		IsRequiredInEntity bool
		IsStoredExternally bool
		IsTimeSeries       bool
	}

	typeTemplate struct {
		Type          string
		UnitOfMeasure string
		AllowedValues []valueTemplate
		NestedType    *typeTemplate
		Relationship  *struct {
			RelationshipType      string
			TargetComponentTypeID string `json:"TargetComponentTypeId"`
		}
	}

	valueTemplate struct {
		BooleanValue      *bool
		DoubleValue       *float64
		IntegerValue      *int32
		LongValue         *int64
		StringValue       *string
		Expression        *string
		ListValue         []valueTemplate
		MapValue          map[string]valueTemplate
		RelationshipValue *struct {
			TargetComponentName string
			TargetEntityID      string `json:"TargetEntityId"`
		}
	}

	entityTemplate struct {
		WorkspaceID         string `json:"WorkspaceId"`
		EntityID            string `json:"EntityId"`
		EntityName          string
		Description         string
		ParentEntityID      string `json:"ParentEntityId"`
		Components          map[string]componentTemplate
		CompositeComponents map[string]stdjson.RawMessage
		Tags                map[string]string
	}

	componentTemplate struct {
		ComponentName   string
		ComponentTypeID string `json:"ComponentTypeId"`
		DefinedIn       string
		Description     string
		Properties      map[string]struct {
			Definition stdjson.RawMessage
			Value      *valueTemplate
		}
		PropertyGroups map[string]stdjson.RawMessage
		Status         stdjson.RawMessage
	}

	sceneTemplate struct {
		WorkspaceID     string `json:"WorkspaceId"`
		SceneID         string `json:"SceneId"`
		Description     string
		ContentLocation string
		Capabilities    []string
		SceneMetadata   map[string]string
		Tags            map[string]string
	}
)

// decodeTemplate reads a resource's properties. Their case counts, and an
// unknown one is an error, as in CloudFormation.
func decodeTemplate(r *kernel.Resource, v any) error {
	err := json.Unmarshal(r.Properties, v, json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(false))
	if err != nil {
		return fmt.Errorf("properties of %s (%s): %w", r.LogicalID, r.Type, err)
	}
	return nil
}
