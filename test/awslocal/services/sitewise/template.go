package sitewise

import (
	stdjson "encoding/json"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// The properties of AWS::IoTSiteWise::AssetModel and AWS::IoTSiteWise::Asset, as
// CloudFormation's resource reference names them.
type (
	modelTemplate struct {
		AssetModelName            string
		AssetModelExternalID      string `json:"AssetModelExternalId"`
		AssetModelType            string
		AssetModelDescription     string
		AssetModelProperties      []propertyTemplate
		AssetModelHierarchies     []hierarchyTemplate
		AssetModelCompositeModels []stdjson.RawMessage
		EnforcedAssetModelInterfaceRelationships,
		Tags stdjson.RawMessage
	}

	propertyTemplate struct {
		LogicalID    string `json:"LogicalId"`
		ID           string `json:"Id"`
		ExternalID   string `json:"ExternalId"`
		Name         string
		DataType     string
		DataTypeSpec string
		Unit         string
		Type         struct {
			TypeName  string
			Attribute *struct{ DefaultValue *string }
			Transform *expressionTemplate
			Metric    *expressionTemplate
		}
	}

	expressionTemplate struct {
		Expression string
		Variables  []struct {
			Name  string
			Value struct {
				PropertyLogicalID   string `json:"PropertyLogicalId"`
				PropertyID          string `json:"PropertyId"`
				PropertyExternalID  string `json:"PropertyExternalId"`
				HierarchyLogicalID  string `json:"HierarchyLogicalId"`
				HierarchyID         string `json:"HierarchyId"`
				HierarchyExternalID string `json:"HierarchyExternalId"`
				PropertyPath        stdjson.RawMessage
			}
		}
		Window *struct {
			Tumbling *struct{ Interval, Offset string }
		}
	}

	hierarchyTemplate struct {
		LogicalID         string `json:"LogicalId"`
		ID                string `json:"Id"`
		ExternalID        string `json:"ExternalId"`
		Name              string
		ChildAssetModelID string `json:"ChildAssetModelId"`
	}

	assetTemplate struct {
		AssetName        string
		AssetExternalID  string `json:"AssetExternalId"`
		AssetDescription string
		AssetModelID     string `json:"AssetModelId"`
		AssetProperties  []assetPropertyTemplate
		AssetHierarchies []assetHierarchyTemplate
		Tags             stdjson.RawMessage
	}

	assetPropertyTemplate struct {
		LogicalID         string `json:"LogicalId"`
		ID                string `json:"Id"`
		ExternalID        string `json:"ExternalId"`
		Alias             string
		NotificationState string
		Unit              string
	}

	assetHierarchyTemplate struct {
		LogicalID    string `json:"LogicalId"`
		ID           string `json:"Id"`
		ExternalID   string `json:"ExternalId"`
		ChildAssetID string `json:"ChildAssetId"`
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
