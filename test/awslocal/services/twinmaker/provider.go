package twinmaker

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

var (
	workspacePattern = regexp.MustCompile(`^[a-zA-Z_0-9][a-zA-Z_\-0-9]*[a-zA-Z0-9]+$`)
	entityPattern    = regexp.MustCompile(`^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[a-zA-Z0-9][a-zA-Z_\-0-9.:]*[a-zA-Z0-9]+)$`)
	bucketPattern    = regexp.MustCompile(`^arn:aws[a-z-]*:s3:::([a-zA-Z0-9_-]+)$`)
	locationPattern  = regexp.MustCompile(`^[sS]3://([A-Za-z0-9._-]+)/([A-Za-z0-9._/-]+)$`)
)

// physical is what became of a resource whose Ref joins its identifiers.
func physical(ref, arn string, created time.Time) kernel.Physical {
	at := created.UTC().Format(time.RFC3339)
	return kernel.Physical{Ref: ref, Attributes: map[string]any{"Arn": arn, "CreationDateTime": at, "UpdateDateTime": at}}
}

func (s *Service) createWorkspace(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var t workspaceTemplate
	if err := decodeTemplate(r, &t); err != nil {
		return kernel.Physical{}, err
	}
	switch {
	case !workspacePattern.MatchString(t.WorkspaceID) || len(t.WorkspaceID) > 128:
		return kernel.Physical{}, fmt.Errorf("workspace %q: WorkspaceId must match %s and have at most 128 characters", t.WorkspaceID, workspacePattern)
	case !bucketPattern.MatchString(t.S3Location):
		return kernel.Physical{}, fmt.Errorf("workspace %q: S3Location %q must be the ARN of a bucket whose name has no dots", t.WorkspaceID, t.S3Location)
	}
	if _, err := s.Roles.Assume(t.Role, "iottwinmaker.amazonaws.com"); err != nil {
		return kernel.Physical{}, fmt.Errorf("workspace %q: TwinMaker cannot assume the role %s: %w", t.WorkspaceID, t.Role, err)
	}
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	w, ok := s.registry.workspaces[t.WorkspaceID]
	if !ok {
		w = &workspace{
			id: t.WorkspaceID, arn: s.arn(t.WorkspaceID), created: s.Clock.Now(),
			types: map[string]*componentType{}, entities: map[string]*entity{}, scenes: map[string]*scene{},
		}
		for _, b := range builtIns() {
			b.created = w.created
			b.abstract = isAbstract(b)
			w.types[b.id] = b
		}
		s.registry.workspaces[w.id] = w
	}
	w.description, w.role, w.bucket = t.Description, t.Role, t.S3Location
	return physical(w.id, w.arn, w.created), nil
}

func (s *Service) createScene(ctx context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var t sceneTemplate
	if err := decodeTemplate(r, &t); err != nil {
		return kernel.Physical{}, err
	}
	fail := func(err error) (kernel.Physical, error) {
		return kernel.Physical{}, fmt.Errorf("scene %q: %w", t.SceneID, err)
	}
	if !workspacePattern.MatchString(t.SceneID) || len(t.SceneID) > 128 {
		return fail(fmt.Errorf("SceneId must match %s and have at most 128 characters", workspacePattern))
	}
	at := locationPattern.FindStringSubmatch(t.ContentLocation)
	if at == nil || len(t.ContentLocation) > 256 {
		return fail(fmt.Errorf("ContentLocation %q must match %s and have at most 256 characters", t.ContentLocation, locationPattern))
	}
	s.registry.mu.RLock()
	w, err := s.registry.workspace(t.WorkspaceID)
	s.registry.mu.RUnlock()
	if err != nil {
		return fail(err)
	}
	if bucket := bucketPattern.FindStringSubmatch(w.bucket)[1]; at[1] != bucket {
		return fail(fmt.Errorf("its ContentLocation is in bucket %s; the workspace's is %s", at[1], bucket))
	}
	exists, err := s.Objects.Exists(ctx, at[1], at[2])
	if err != nil {
		return fail(fmt.Errorf("look for its document: %w", err))
	}
	if !exists {
		return fail(fmt.Errorf("there is no object %s; put it there before the scene", t.ContentLocation))
	}
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	old := w.scenes[t.SceneID]
	sc := &scene{
		id: t.SceneID, description: t.Description, location: t.ContentLocation, capabilities: t.Capabilities,
		metadata: t.SceneMetadata, created: s.Clock.Now(),
	}
	if old != nil {
		sc.created = old.created
	}
	w.scenes[sc.id] = sc
	return physical(w.id+"|"+sc.id, s.arn(w.id, "scene", sc.id), sc.created), nil
}

// unchanged reports whether a resource exists with the same properties, and an
// error when it exists with others.
func unchanged(old, properties []byte) (bool, error) {
	switch {
	case old == nil:
		return false, nil
	case bytes.Equal(old, properties):
		return true, nil
	default:
		return false, fmt.Errorf("it exists with other properties; the local endpoint does not update what is deployed, start it with an empty state")
	}
}

// namespaceReserved reports whether only AWS may define a type of this id.
func namespaceReserved(id string) bool { return strings.HasPrefix(id, "com.amazon.") }
