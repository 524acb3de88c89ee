package twinmaker

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Config is what the service works with.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Lambda   kernel.LambdaHost  // runs connectors
	Roles    kernel.RoleSession // assumes workspace roles
	Invoker  kernel.Invoker     // reaches SiteWise as a workspace's role
	Objects  ObjectStore        // holds scenes
	Model    Model              // checks what connectors reply
}

// ObjectStore is the part of S3 that TwinMaker asks.
type ObjectStore interface {
	// Exists reports whether the bucket holds an object under key.
	Exists(ctx context.Context, bucket, key string) (bool, error)
}

// Model checks an answer against the API model; *apimodel.Service is one.
type Model interface {
	CheckOutput(operation string, out any) (json.RawMessage, error)
}

// Service is AWS IoT TwinMaker. It implements kernel.Service and
// kernel.Provider.
type Service struct {
	Config

	registry *registry
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// New makes a service without workspaces.
func New(c Config) *Service { return &Service{Config: c, registry: newRegistry()} }

// Name implements kernel.Service.
func (s *Service) Name() string { return "iottwinmaker" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"GetWorkspace":            s.getWorkspace,
		"ListWorkspaces":          s.listWorkspaces,
		"GetComponentType":        s.getComponentType,
		"ListComponentTypes":      s.listComponentTypes,
		"GetEntity":               s.getEntity,
		"ListEntities":            s.listEntities,
		"GetScene":                s.getScene,
		"ListScenes":              s.listScenes,
		"GetPropertyValue":        s.getPropertyValue,
		"GetPropertyValueHistory": s.getPropertyValueHistory,
	}
}

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::IoTTwinMaker::Workspace":     s.createWorkspace,
		"AWS::IoTTwinMaker::ComponentType": s.createComponentType,
		"AWS::IoTTwinMaker::Entity":        s.createEntity,
		"AWS::IoTTwinMaker::Scene":         s.createScene,
	}
}

// arn is the ARN of a workspace or of something in it.
func (s *Service) arn(workspace string, path ...string) string {
	return s.Identity.ARN("iottwinmaker", strings.Join(append([]string{"workspace", workspace}, path...), "/"))
}

// authorize asks for the call's action on a workspace and what in it the call is
// about.
func (s *Service) authorize(c *kernel.Call, workspace string, resources ...string) error {
	return c.Authorize("iottwinmaker:"+c.Operation, append([]string{s.arn(workspace)}, resources...)...)
}
