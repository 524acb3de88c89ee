package twinmaker_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

func ancestorFilter(typeID string) []types.ListEntitiesFilter {
	return []types.ListEntitiesFilter{&types.ListEntitiesFilterMemberComponentTypeId{Value: typeID}}
}

func TestWorkspaces(t *testing.T) {
	s := start(t)
	s.create("Workspace", `{"WorkspaceId":"annex","Role":"arn:aws:iam::000000000000:role/twin","S3Location":"arn:aws:s3:::scenes"}`)
	got, err := s.client.GetWorkspace(t.Context(), &iottwinmaker.GetWorkspaceInput{WorkspaceId: aws.String("plant")})
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:iottwinmaker:us-east-1:000000000000:workspace/plant", *got.Arn)
	assert.Equal(t, "arn:aws:s3:::scenes", *got.S3Location)
	assert.Equal(t, noon, got.CreationDateTime.UTC())
	byARN, err := s.client.GetWorkspace(t.Context(), &iottwinmaker.GetWorkspaceInput{WorkspaceId: got.Arn})
	require.NoError(t, err)
	assert.Equal(t, "plant", *byARN.WorkspaceId)

	var ids []string
	pages := iottwinmaker.NewListWorkspacesPaginator(s.client, &iottwinmaker.ListWorkspacesInput{MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		require.Len(t, out.WorkspaceSummaries, 1)
		ids = append(ids, *out.WorkspaceSummaries[0].WorkspaceId)
	}
	assert.Equal(t, []string{"annex", "plant"}, ids)
	all, err := s.client.ListWorkspaces(t.Context(), &iottwinmaker.ListWorkspacesInput{NextToken: aws.String("")})
	require.NoError(t, err, "an empty token is none")
	assert.Len(t, all.WorkspaceSummaries, 2)
	_, err = s.client.ListWorkspaces(t.Context(), &iottwinmaker.ListWorkspacesInput{NextToken: aws.String("bm90aGluZw==")})
	require.ErrorContains(t, err, "ValidationException")
	_, err = s.client.GetWorkspace(t.Context(), &iottwinmaker.GetWorkspaceInput{WorkspaceId: aws.String("other")})
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	assert.True(t, ok, "%v", err)
}

func TestComponentTypes(t *testing.T) {
	s := start(t)
	s.calibrated()
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.child","ExtendsFrom":["plant.calibration"]}`)
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.grandchild","ExtendsFrom":["plant.child"]}`)
	list := func(filters ...types.ListComponentTypesFilter) (ids []string) {
		pages := iottwinmaker.NewListComponentTypesPaginator(s.client, &iottwinmaker.ListComponentTypesInput{WorkspaceId: aws.String("plant"), Filters: filters, MaxResults: aws.Int32(2)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			for _, c := range out.ComponentTypeSummaries {
				ids = append(ids, *c.ComponentTypeId)
				assert.Equal(t, types.StateActive, c.Status.State)
			}
		}
		return ids
	}
	assert.Equal(t, []string{"plant.child"}, list(&types.ListComponentTypesFilterMemberExtendsFrom{Value: "plant.calibration"}), "direct children only")
	assert.Equal(t, []string{"com.amazon.iottwinmaker.alarm.basic"}, list(&types.ListComponentTypesFilterMemberIsAbstract{Value: true}))
	assert.Equal(t, []string{"plant.calibration", "plant.child", "plant.grandchild"}, list(&types.ListComponentTypesFilterMemberNamespace{Value: "plant"}))
	assert.Len(t, list(), 7)

	grandchild, err := s.client.GetComponentType(t.Context(), &iottwinmaker.GetComponentTypeInput{WorkspaceId: aws.String("plant"), ComponentTypeId: aws.String("plant.grandchild")})
	require.NoError(t, err)
	assert.True(t, *grandchild.Functions["dataReader"].IsInherited)
	assert.Equal(t, []string{"asset"}, grandchild.Functions["dataReader"].RequiredProperties)
	assert.True(t, *grandchild.PropertyDefinitions["asset"].IsInherited)
	for name, d := range grandchild.PropertyDefinitions { // Grafana falls over one that is missing
		for _, flag := range []*bool{d.IsExternalId, d.IsFinal, d.IsImported, d.IsInherited, d.IsRequiredInEntity, d.IsStoredExternally, d.IsTimeSeries} {
			assert.NotNil(t, flag, name)
		}
	}
	builtIn, err := s.client.GetComponentType(t.Context(), &iottwinmaker.GetComponentTypeInput{WorkspaceId: aws.String("plant"), ComponentTypeId: aws.String("com.amazon.iotsitewise.connector")})
	require.NoError(t, err)
	assert.True(t, *builtIn.Functions["dataReader"].ImplementedBy.IsNative)
	_, err = s.client.GetComponentType(t.Context(), &iottwinmaker.GetComponentTypeInput{WorkspaceId: aws.String("plant"), ComponentTypeId: aws.String("plant.none")})
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	assert.True(t, ok, "%v", err)
}

func TestEntities(t *testing.T) {
	s := start(t)
	s.calibrated()
	s.create("Entity", `{"WorkspaceId":"plant","EntityId":"cell-2","EntityName":"Cell 2","ParentEntityId":"cell-1","Description":"below"}`)
	e, err := s.client.GetEntity(t.Context(), &iottwinmaker.GetEntityInput{WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1")})
	require.NoError(t, err)
	assert.True(t, *e.HasChildEntities)
	assert.Equal(t, "$ROOT", *e.ParentEntityId)
	assert.Equal(t, "arn:aws:iottwinmaker:us-east-1:000000000000:workspace/plant/entity/cell-1", *e.Arn)
	aging := e.Components["aging"]
	assert.Equal(t, "plant.calibration", *aging.ComponentTypeId)
	assert.Equal(t, "cell-1", *aging.Properties["asset"].Value.StringValue)
	assert.Nil(t, aging.Properties["capacity"].Value)
	assert.Equal(t, "A.h", *aging.Properties["capacity"].Definition.DataType.UnitOfMeasure)

	list := func(filters ...types.ListEntitiesFilter) (ids []string) {
		pages := iottwinmaker.NewListEntitiesPaginator(s.client, &iottwinmaker.ListEntitiesInput{WorkspaceId: aws.String("plant"), Filters: filters, MaxResults: aws.Int32(1)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			for _, e := range out.EntitySummaries {
				ids = append(ids, *e.EntityId)
			}
		}
		return ids
	}
	assert.Equal(t, []string{"cell-1", "cell-2"}, list())
	assert.Equal(t, []string{"cell-1"}, list(&types.ListEntitiesFilterMemberParentEntityId{Value: "$ROOT"}))
	assert.Equal(t, []string{"cell-2"}, list(&types.ListEntitiesFilterMemberParentEntityId{Value: "cell-1"}))
	assert.Equal(t, []string{"cell-1"}, list(&types.ListEntitiesFilterMemberExternalId{Value: "cell-1"}))
	assert.Equal(t, []string{"cell-1"}, list(ancestorFilter("plant.calibration")...))
	assert.Empty(t, list(&types.ListEntitiesFilterMemberExternalId{Value: "unscented"}), "only properties that are external ids")
	_, err = s.client.GetEntity(t.Context(), &iottwinmaker.GetEntityInput{WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-9")})
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	assert.True(t, ok, "%v", err)
}

func TestScenes(t *testing.T) {
	s := start(t)
	s.objects["scenes/main.json"] = true
	s.create("Scene", `{"WorkspaceId":"plant","SceneId":"main","ContentLocation":"s3://scenes/main.json","Description":"All","Capabilities":["MATTERPORT"],"SceneMetadata":{"k":"v"}}`)
	got, err := s.client.GetScene(t.Context(), &iottwinmaker.GetSceneInput{WorkspaceId: aws.String("plant"), SceneId: aws.String("main")})
	require.NoError(t, err)
	assert.Equal(t, "s3://scenes/main.json", *got.ContentLocation)
	assert.Equal(t, []string{"MATTERPORT"}, got.Capabilities)
	assert.Equal(t, map[string]string{"k": "v"}, got.SceneMetadata)
	all, err := s.client.ListScenes(t.Context(), &iottwinmaker.ListScenesInput{WorkspaceId: aws.String("plant")})
	require.NoError(t, err)
	require.Len(t, all.SceneSummaries, 1)
	assert.Equal(t, "All", *all.SceneSummaries[0].Description)
	_, err = s.client.GetScene(t.Context(), &iottwinmaker.GetSceneInput{WorkspaceId: aws.String("plant"), SceneId: aws.String("none")})
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	assert.True(t, ok, "%v", err)
}

// Every operation asks for its own action on the workspace and on what it is
// about, before it tells anything.
func TestAuthorization(t *testing.T) {
	s := start(t)
	s.calibrated()
	var asked []string
	s.server.Authorize(func(_ kernel.Principal, action string, resources []string) error {
		asked = append(append(asked, action), resources...)
		return kernel.Errorf(403, "AccessDeniedException", "no")
	})
	_, err := s.client.GetEntity(t.Context(), &iottwinmaker.GetEntityInput{WorkspaceId: aws.String("plant"), EntityId: aws.String("none")})
	require.ErrorContains(t, err, "AccessDeniedException: no", "and not that there is no such entity")
	const arn = "arn:aws:iottwinmaker:us-east-1:000000000000:workspace/plant"
	assert.Equal(t, []string{"iottwinmaker:GetEntity", arn, arn + "/entity/none"}, asked)
	asked = nil
	_, err = s.history(nil)
	require.ErrorContains(t, err, "AccessDeniedException")
	assert.Equal(t, []string{"iottwinmaker:GetPropertyValueHistory", arn, arn + "/entity/cell-1"}, asked)
}

func TestCoverage(t *testing.T) {
	s := start(t)
	for name := range s.service.Operations() {
		assert.True(t, s.server.Model.HasOperation(name), name)
	}
	assert.Len(t, s.service.Operations(), 10)
}
