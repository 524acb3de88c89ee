package stacks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiotsitewise"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// Telemetry is the plant in IoT SiteWise: asset models, assets, hierarchies.
type Telemetry struct {
	Stack awscdk.Stack
}

// NewTelemetry returns the stack of asset models and assets. It leaves their
// ids in SSM parameters: see idParameter.
func NewTelemetry(app awscdk.App, d deployment.Deployment) Telemetry {
	stack := construct.NewStack(app, d, "telemetry", "Asset models and assets of "+d.Twin.Title)
	models := make(map[string]awsiotsitewise.CfnAssetModel, len(d.Twin.AssetModels))
	for _, m := range d.Twin.AssetModels {
		models[m.Name] = newAssetModel(stack, d, m, models)
	}
	assets := make(map[string]awsiotsitewise.CfnAsset, len(d.Twin.Assets))
	for _, a := range d.Twin.Assets {
		assets[a.Name] = newAsset(stack, d, a, models, assets)
	}
	writeIDs(stack, d, models, assets)
	newAttributeValues(stack, d, assets)
	return Telemetry{Stack: stack}
}

// Names of asset models and assets carry the prefix, since SiteWise wants them
// unique in an account, and assets are without a parent while they are created.

func newAssetModel(stack awscdk.Stack, d deployment.Deployment, m twin.CompiledModel, models map[string]awsiotsitewise.CfnAssetModel) awsiotsitewise.CfnAssetModel {
	properties := make([]any, len(m.Properties))
	for i, p := range m.Properties {
		properties[i] = &awsiotsitewise.CfnAssetModel_AssetModelPropertyProperty{
			Name:       s(p.Name),
			LogicalId:  s(p.Name),
			ExternalId: s(p.ExternalID),
			DataType:   s(p.Type),
			Unit:       optional(p.Unit),
			Type:       propertyType(p),
		}
	}
	hierarchies := make([]any, len(m.Hierarchies))
	for i, h := range m.Hierarchies {
		hierarchies[i] = &awsiotsitewise.CfnAssetModel_AssetModelHierarchyProperty{
			Name:              s(h.Name),
			LogicalId:         s(h.Name),
			ExternalId:        s(h.ExternalID),
			ChildAssetModelId: models[h.ChildModel].Ref(),
		}
	}
	model := awsiotsitewise.NewCfnAssetModel(stack, s(twinID("Model", m.Name)), &awsiotsitewise.CfnAssetModelProps{
		AssetModelName:        s(d.Name(m.Name)),
		AssetModelExternalId:  s(d.Name(m.Name)),
		AssetModelDescription: s(m.Title),
		AssetModelProperties:  &properties,
		AssetModelHierarchies: &hierarchies,
	})
	model.ApplyRemovalPolicy(construct.RemovalPolicy(d), nil)
	return model
}

func propertyType(p twin.CompiledProperty) *awsiotsitewise.CfnAssetModel_PropertyTypeProperty {
	switch p.Kind {
	case definition.Attribute:
		return &awsiotsitewise.CfnAssetModel_PropertyTypeProperty{
			TypeName:  s("Attribute"),
			Attribute: &awsiotsitewise.CfnAssetModel_AttributeProperty{DefaultValue: optional(p.Default)},
		}
	case definition.Transform:
		return &awsiotsitewise.CfnAssetModel_PropertyTypeProperty{
			TypeName:  s("Transform"),
			Transform: &awsiotsitewise.CfnAssetModel_TransformProperty{Expression: s(p.Expression), Variables: variables(p.Variables)},
		}
	case definition.Metric:
		return &awsiotsitewise.CfnAssetModel_PropertyTypeProperty{
			TypeName: s("Metric"),
			Metric: &awsiotsitewise.CfnAssetModel_MetricProperty{
				Expression: s(p.Expression),
				Variables:  variables(p.Variables),
				Window: &awsiotsitewise.CfnAssetModel_MetricWindowProperty{
					Tumbling: &awsiotsitewise.CfnAssetModel_TumblingWindowProperty{Interval: s(p.Window), Offset: optional(p.Offset)},
				},
			},
		}
	case definition.Measurement, definition.Published:
		return &awsiotsitewise.CfnAssetModel_PropertyTypeProperty{TypeName: s("Measurement")}
	default:
		panic(fmt.Sprintf("property %s: unknown kind %q", p.Name, p.Kind)) // the twin was compiled: a mistake in this program
	}
}

func variables(vars []twin.FormulaVar) *[]any {
	list := make([]any, len(vars))
	for i, v := range vars {
		list[i] = &awsiotsitewise.CfnAssetModel_ExpressionVariableProperty{
			Name: s(v.Name),
			Value: &awsiotsitewise.CfnAssetModel_VariableValueProperty{
				PropertyLogicalId:  s(v.Property),
				HierarchyLogicalId: optional(v.Hierarchy),
			},
		}
	}
	return &list
}

func newAsset(stack awscdk.Stack, d deployment.Deployment, a twin.CompiledAsset, models map[string]awsiotsitewise.CfnAssetModel, assets map[string]awsiotsitewise.CfnAsset) awsiotsitewise.CfnAsset {
	properties := make([]any, len(a.Properties))
	for i, p := range a.Properties {
		properties[i] = &awsiotsitewise.CfnAsset_AssetPropertyProperty{LogicalId: s(p.Name), Alias: s(p.Alias)}
	}
	children := make([]any, len(a.Children))
	for i, c := range a.Children {
		children[i] = &awsiotsitewise.CfnAsset_AssetHierarchyProperty{LogicalId: s(c.Hierarchy), ChildAssetId: assets[c.Asset].Ref()}
	}
	asset := awsiotsitewise.NewCfnAsset(stack, s(twinID("Asset", a.Name)), &awsiotsitewise.CfnAssetProps{
		AssetModelId:     models[a.Model].Ref(),
		AssetName:        s(d.Name(a.Name)),
		AssetExternalId:  s(d.Name(a.Name)),
		AssetDescription: s(a.Title),
		AssetProperties:  &properties,
		AssetHierarchies: &children,
	})
	asset.ApplyRemovalPolicy(construct.RemovalPolicy(d), nil)
	return asset
}

// idsPerParameter is how many ids of 36 characters and a comma fit into the
// 4,096 characters of a standard parameter.
const idsPerParameter = 4096 / 37

// ids lists what has an id in SiteWise, in the order of the parameters that
// hold them: models, then assets.
type ids struct{ models, assets []string }

func idsOf(d deployment.Deployment) ids {
	var list ids
	for _, m := range d.Twin.AssetModels {
		list.models = append(list.models, m.Name)
	}
	for _, a := range d.Twin.Assets {
		list.assets = append(list.assets, a.Name)
	}
	return list
}

// idParameter names the parameter that holds the i-th id of a kind
// (asset-model-ids or asset-ids), and says where in its comma-separated list.
func idParameter(kind string, i int) (name string, index int) {
	return kind + "/" + strconv.Itoa(i/idsPerParameter), i % idsPerParameter
}

func writeIDs(stack awscdk.Stack, d deployment.Deployment, models map[string]awsiotsitewise.CfnAssetModel, assets map[string]awsiotsitewise.CfnAsset) {
	list := idsOf(d)
	write := func(kind string, names []string, id func(string) *string) {
		var refs []*string
		for i, name := range names {
			refs = append(refs, id(name))
			if len(refs) == idsPerParameter || i == len(names)-1 {
				what, _ := idParameter(kind, i)
				parameter(stack, d, what, awscdk.Fn_Join(s(","), &refs), "Ids in IoT SiteWise, in the order of the compiled twin")
				refs = nil
			}
		}
	}
	write("asset-model-ids", list.models, func(name string) *string { return models[name].Ref() })
	write("asset-ids", list.assets, func(name string) *string { return assets[name].Ref() })
}

// newAttributeValues writes the values of attributes that differ from their
// model's default: CloudFormation has no property for them.
func newAttributeValues(stack awscdk.Stack, d deployment.Deployment, assets map[string]awsiotsitewise.CfnAsset) {
	defaults := map[string]string{}
	for _, m := range d.Twin.AssetModels {
		for _, p := range m.Properties {
			if p.Kind == definition.Attribute && p.Default != "" {
				defaults[m.Name+"/"+p.Name] = p.Default
			}
		}
	}
	var entries []any
	back := map[string]any{} // what an attribute goes back to when its asset stops overriding it
	var owners []awsiotsitewise.CfnAsset
	for _, a := range d.Twin.Assets {
		for _, v := range a.Overrides {
			attribute := a.Model + "/" + v.Property
			entries = append(entries, map[string]any{"Attribute": attribute, "Asset": d.Name(a.Name), "Alias": v.Alias, "Type": string(v.Type), "Value": attributeText(v.Value)})
			if value, ok := defaults[attribute]; ok {
				back[attribute] = map[string]any{"Type": string(v.Type), "Value": value}
			}
		}
		if len(a.Overrides) > 0 {
			owners = append(owners, assets[a.Name])
		}
	}
	if len(entries) == 0 {
		return
	}
	fn := construct.NewFunction(stack, "CompleteDeployment", construct.FunctionProps{
		Deployment:  d,
		Folder:      "complete-deployment",
		Suffix:      "-telemetry",
		Description: "Writes attribute values that CloudFormation cannot",
		Timeout:     300,
		Memory:      128,
		Policy:      []awsiam.PolicyStatement{construct.Allow([]string{"iotsitewise:BatchPutAssetPropertyValue", "iotsitewise:DescribeAsset"}, siteWise(d))},
	})
	construct.Suppress(fn.Role, siteWiseReason(d))
	values := awscdk.NewCustomResource(stack, s("AttributeValues"), &awscdk.CustomResourceProps{
		ResourceType: s("Custom::AttributeValues"),
		ServiceToken: fn.Lambda.FunctionArn(),
		Properties:   &map[string]any{"Values": entries, "Defaults": back},
	})
	for _, asset := range owners {
		values.Node().AddDependency(asset)
	}
	values.Node().AddDependency(fn.Role)
}

// attributeText writes a value as SiteWise's variants and JSON do.
func attributeText(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	default:
		return strings.TrimSpace(fmt.Sprint(v))
	}
}

// optional is nil for an empty text: a property that is left out.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return jsii.String(text)
}
