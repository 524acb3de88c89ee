package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiottwinmaker"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/internal/twin"
)

// Twin is the plant in IoT TwinMaker: workspace, component types, entities and
// scenes.
type Twin struct {
	Stack awscdk.Stack
}

// twinStack is what the parts of the stack share while it is built.
type twinStack struct {
	deployment.Deployment
	stack     awscdk.Stack
	workspace awsiottwinmaker.CfnWorkspace
	bucket    awss3.Bucket
	types     map[string]awsiottwinmaker.CfnComponentType
	entities  map[string]awsiottwinmaker.CfnEntity
	id        func(kind, name string) *string // an id in SiteWise, by asset-model-ids or asset-ids
}

// NewTwin returns the stack of the workspace and what is in it. Files of scenes
// that cannot be written are an error.
func NewTwin(app awscdk.App, d deployment.Deployment, loop Recalibration, connectors Connectors) (Twin, error) {
	stack := construct.NewStack(app, d, "twin", "Digital twin of "+d.Twin.Title)
	stack.AddStackDependency(loop.Stack, s("accesses to the workspace's bucket are logged"))
	if connectors.Stack != nil {
		stack.AddStackDependency(connectors.Stack, s("component types name connectors"))
	}
	t := twinStack{
		Deployment: d,
		stack:      stack,
		types:      map[string]awsiottwinmaker.CfnComponentType{},
		entities:   map[string]awsiottwinmaker.CfnEntity{},
	}
	t.id = t.newIDs()
	t.bucket = construct.NewBucket(stack, "WorkspaceFiles", d, deployment.WorkspaceBucket, t.cors())
	t.workspace = t.newWorkspace()
	for _, typ := range d.Twin.ComponentTypes {
		t.types[typ.ID] = t.newComponentType(typ)
	}
	for _, e := range d.Twin.Entities {
		t.entities[e.ID] = t.newEntity(e)
	}
	t.orderEntities()
	if err := t.addScenes(); err != nil {
		return Twin{}, err
	}
	parameter(stack, d, "workspace-id", t.workspace.Ref(), "The TwinMaker workspace")
	parameter(stack, d, "workspace-bucket", t.bucket.BucketName(), "The bucket of scenes and their files")
	return Twin{Stack: stack}, nil
}

// newIDs returns what looks up an id that the telemetry stack left in SSM. One
// parameter holds about a hundred ids: a template may have 200 parameters.
func (t *twinStack) newIDs() func(kind, name string) *string {
	index := map[string]map[string]int{"asset-model-ids": {}, "asset-ids": {}}
	list := idsOf(t.Deployment)
	for i, name := range list.models {
		index["asset-model-ids"][name] = i
	}
	for i, name := range list.assets {
		index["asset-ids"][name] = i
	}
	values := map[string]*string{}
	return func(kind, name string) *string {
		i, ok := index[kind][name]
		if !ok { // the twin was compiled: a mistake in this program
			panic(fmt.Sprintf("%s: the twin has no %q", kind, name))
		}
		what, at := idParameter(kind, i)
		if values[what] == nil {
			values[what] = awsssm.StringParameter_ValueForStringParameter(t.stack, s(t.Parameter(what)), nil)
		}
		return awscdk.Fn_Select(jsii.Number(at), awscdk.Fn_Split(s(","), values[what], nil))
	}
}

// cors lets viewers read scenes from any page that has credentials, and the
// console's scene composer write them.
func (t *twinStack) cors() []*awss3.CorsRule {
	return []*awss3.CorsRule{
		{
			Id:             s("Viewers"),
			AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_GET, awss3.HttpMethods_HEAD},
			AllowedOrigins: jsii.Strings("*"),
			AllowedHeaders: jsii.Strings("*"),
			ExposedHeaders: jsii.Strings("ETag"),
			MaxAge:         jsii.Number(3600),
		},
		{
			Id:             s("SceneComposer"),
			AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_PUT},
			AllowedOrigins: jsii.Strings("https://"+t.Stage.Region+".console.aws.amazon.com", "https://console.aws.amazon.com"),
			AllowedHeaders: jsii.Strings("*"),
			ExposedHeaders: jsii.Strings("ETag"),
		},
	}
}

// newWorkspace returns the workspace and the role that TwinMaker acts as: it
// reads and writes scenes, reads SiteWise, and invokes connectors.
func (t *twinStack) newWorkspace() awsiottwinmaker.CfnWorkspace {
	role := construct.ServiceRole(t.stack, "WorkspaceRole", t.Deployment, "workspace", "iottwinmaker.amazonaws.com", "What TwinMaker may do for "+t.Prefix(), true)
	bucket := *t.bucket.BucketArn()
	statements := []awsiam.PolicyStatement{
		construct.Allow([]string{"s3:GetBucketLocation", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:ListBucket"}, []string{bucket}),
		construct.Allow([]string{"s3:GetObject", "s3:PutObject"}, []string{bucket + "/*"}),
		construct.Allow([]string{"s3:DeleteObject"}, []string{bucket + "/DO_NOT_DELETE_WORKSPACE_" + t.Prefix()}),
		construct.Allow([]string{"iotsitewise:DescribeAsset", "iotsitewise:GetAssetPropertyValue", "iotsitewise:GetAssetPropertyValueHistory"}, siteWise(t.Deployment)),
		construct.Allow([]string{"iotsitewise:DescribeAssetModel"}, []string{t.ARN("iotsitewise", "asset-model/*")}),
	}
	if len(t.Twin.Connectors) > 0 {
		var arns []string
		for _, source := range t.Twin.Connectors {
			arns = append(arns, t.FunctionARN("connector-"+source))
		}
		statements = append(statements, construct.Allow([]string{"lambda:InvokeFunction"}, arns))
	}
	for _, statement := range statements {
		role.AddToPolicy(statement)
	}
	construct.Suppress(role, siteWiseReason(t.Deployment),
		construct.Wildcards("Models are known by ids that exist only after deployment.", t.ARN("iotsitewise", "asset-model/*")),
		construct.Wildcards("Viewers and the scene composer choose the keys.", fmt.Sprintf("<%s.Arn>/*", *t.stack.GetLogicalId(t.bucket.Node().DefaultChild().(awss3.CfnBucket)))))

	workspace := awsiottwinmaker.NewCfnWorkspace(t.stack, s("Workspace"), &awsiottwinmaker.CfnWorkspaceProps{
		WorkspaceId: s(t.Prefix()),
		Description: s(t.Twin.Title),
		Role:        role.RoleArn(),
		S3Location:  t.bucket.BucketArn(),
	})
	// TwinMaker tries the role out: its policy must be there, not only the role.
	workspace.Node().AddDependency(role, t.bucket)
	workspace.ApplyRemovalPolicy(construct.RemovalPolicy(t.Deployment), nil)
	return workspace
}

func (t *twinStack) newComponentType(typ twin.ComponentType) awsiottwinmaker.CfnComponentType {
	properties := map[string]any{}
	for _, p := range typ.Properties {
		properties[p.Name] = &awsiottwinmaker.CfnComponentType_PropertyDefinitionProperty{
			DataType:           dataType(p),
			IsRequiredInEntity: jsii.Bool(p.Required),
			IsExternalId:       jsii.Bool(p.ExternalID),
			IsStoredExternally: jsii.Bool(p.External),
			IsTimeSeries:       jsii.Bool(p.TimeSeries),
		}
	}
	props := &awsiottwinmaker.CfnComponentTypeProps{
		WorkspaceId:         t.workspace.Ref(),
		ComponentTypeId:     s(typ.ID),
		Description:         s(typ.Title),
		PropertyDefinitions: &properties,
	}
	if len(typ.ExtendsFrom) > 0 {
		props.ExtendsFrom = jsii.Strings(typ.ExtendsFrom...)
	}
	if typ.Connector != "" {
		reader := &awsiottwinmaker.CfnComponentType_FunctionProperty{
			Scope: s("ENTITY"),
			ImplementedBy: &awsiottwinmaker.CfnComponentType_DataConnectorProperty{
				Lambda:   &awsiottwinmaker.CfnComponentType_LambdaFunctionProperty{Arn: s(t.FunctionARN("connector-" + typ.Connector))},
				IsNative: jsii.Bool(false),
			},
		}
		if len(typ.RequiredProperties) > 0 {
			reader.RequiredProperties = jsii.Strings(typ.RequiredProperties...)
		}
		props.Functions = &map[string]any{typ.Reader: reader}
	}
	component := awsiottwinmaker.NewCfnComponentType(t.stack, s(twinID("Type", typ.ID)), props)
	component.Node().AddDependency(t.workspace)
	for _, base := range typ.ExtendsFrom {
		if b, ok := t.types[base]; ok {
			component.Node().AddDependency(b)
		}
	}
	return component
}

// dataType is the type of a property. A list of relationships is how TwinMaker
// holds more than one.
func dataType(p twin.PropertyDefinition) *awsiottwinmaker.CfnComponentType_DataTypeProperty {
	if p.Type != twin.RelationshipsProperty {
		return &awsiottwinmaker.CfnComponentType_DataTypeProperty{Type: s(p.Type), UnitOfMeasure: optional(p.Unit)}
	}
	return &awsiottwinmaker.CfnComponentType_DataTypeProperty{
		Type: s("LIST"),
		NestedType: &awsiottwinmaker.CfnComponentType_DataTypeProperty{
			Type:         s("RELATIONSHIP"),
			Relationship: &awsiottwinmaker.CfnComponentType_RelationshipProperty{RelationshipType: s(p.RelationshipType)},
		},
	}
}

func (t *twinStack) newEntity(e twin.Entity) awsiottwinmaker.CfnEntity {
	components := map[string]any{}
	for _, c := range e.Components {
		properties := map[string]any{}
		for _, p := range c.Properties {
			properties[p.Name] = &awsiottwinmaker.CfnEntity_PropertyProperty{Value: t.value(p)}
		}
		components[c.Name] = &awsiottwinmaker.CfnEntity_ComponentProperty{
			ComponentName:   s(c.Name),
			ComponentTypeId: t.typeID(c.Type),
			Properties:      &properties,
		}
	}
	props := &awsiottwinmaker.CfnEntityProps{
		WorkspaceId: t.workspace.Ref(),
		EntityId:    s(e.ID),
		EntityName:  s(e.Title),
		Components:  &components,
	}
	if e.Parent != "" {
		props.ParentEntityId = s(e.Parent)
	}
	entity := awsiottwinmaker.NewCfnEntity(t.stack, s(twinID("Entity", e.ID)), props)
	entity.Node().AddDependency(t.workspace)
	for _, c := range e.Components {
		if typ, ok := t.types[c.Type]; ok {
			entity.Node().AddDependency(typ)
		}
	}
	return entity
}

// typeID is the id of a component type. Ours is asked of the type, since its
// Ref is workspace|type; others are TwinMaker's own.
func (t *twinStack) typeID(id string) *string {
	if typ, ok := t.types[id]; ok {
		return typ.ComponentTypeRef().ComponentTypeId
	}
	return s(id)
}

func (t *twinStack) value(p twin.ComponentProperty) *awsiottwinmaker.CfnEntity_DataValueProperty {
	switch {
	case p.AssetID != "":
		return &awsiottwinmaker.CfnEntity_DataValueProperty{StringValue: t.id("asset-ids", p.AssetID)}
	case p.AssetModelID != "":
		return &awsiottwinmaker.CfnEntity_DataValueProperty{StringValue: t.id("asset-model-ids", p.AssetModelID)}
	case len(p.Targets) > 0:
		targets := make([]any, len(p.Targets))
		for i, target := range p.Targets {
			targets[i] = &awsiottwinmaker.CfnEntity_DataValueProperty{
				// The library passes this one through as it is, without renaming keys.
				RelationshipValue: map[string]any{"TargetEntityId": target},
			}
		}
		return &awsiottwinmaker.CfnEntity_DataValueProperty{ListValue: &targets}
	default:
		return &awsiottwinmaker.CfnEntity_DataValueProperty{StringValue: s(p.Text)}
	}
}
