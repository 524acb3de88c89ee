package twinmaker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// telemetry deploys an asset and an entity with the built-in connector to it;
// ids are those of its properties by name.
func (s *site) telemetry() (asset, model string, ids map[string]string) {
	s.t.Helper()
	model = s.create("AssetModel", `{"AssetModelName":"cell","AssetModelProperties":[
		{"Name":"rated","LogicalId":"rated","DataType":"DOUBLE","Unit":"A.h","Type":{"TypeName":"Attribute","Attribute":{"DefaultValue":"2.5"}}},
		{"Name":"voltage","LogicalId":"voltage","DataType":"DOUBLE","Unit":"V","Type":{"TypeName":"Measurement"}},
		{"Name":"mode","LogicalId":"mode","DataType":"STRING","Type":{"TypeName":"Measurement"}}]}`).Ref
	asset = s.create("Asset", `{"AssetName":"cell-1","AssetModelId":"`+model+`"}`).Ref
	s.create("Entity", linked(asset, model))
	out, err := s.client.GetEntity(s.t.Context(), &iottwinmaker.GetEntityInput{WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1")})
	require.NoError(s.t, err)
	ids = map[string]string{}
	for name, p := range out.Components["telemetry"].Properties {
		if id, ok := strings.CutPrefix(name, "Property_"); ok {
			ids[*p.Definition.DisplayName] = id
		}
	}
	require.Len(s.t, ids, 3)
	return asset, model, ids
}

func linked(asset, model string) string {
	return `{"WorkspaceId":"plant","EntityId":"cell-1","EntityName":"Cell 1","Components":{"telemetry":{"ComponentTypeId":"com.amazon.iotsitewise.connector",
		"Properties":{"sitewiseAssetId":{"Value":{"StringValue":"` + asset + `"}},"sitewiseAssetModelId":{"Value":{"StringValue":"` + model + `"}}}}}}`
}

func TestTheSiteWiseConnector(t *testing.T) {
	s := start(t)
	asset, _, ids := s.telemetry()
	for i, v := range []string{"3.5", "3.25", "3"} {
		s.write(asset, ids["voltage"], noon.Add(time.Duration(i-3)*time.Minute), `{"doubleValue":`+v+`}`)
	}
	s.write(asset, ids["mode"], noon, `{"stringValue":"rest"}`)
	in := &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1"), ComponentName: aws.String("telemetry"),
		SelectedProperties: []string{"Property_" + ids["voltage"], "Property_" + ids["mode"]}, MaxResults: aws.Int32(2),
		StartTime: aws.String("2026-01-05T11:57:00Z"), EndTime: aws.String("2026-01-05T12:00:00Z"),
	}
	read := func() (got []string) {
		pages := iottwinmaker.NewGetPropertyValueHistoryPaginator(s.client, in)
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			n := 0
			for _, p := range out.PropertyValues {
				assert.Equal(t, "cell-1", *p.EntityPropertyReference.EntityId)
				for _, v := range p.Values {
					n++
					if v.Value.StringValue != nil {
						got = append(got, *v.Time+" "+*v.Value.StringValue)
					}
				}
				if p.Values != nil && p.Values[0].Value.DoubleValue != nil {
					got = append(got, flat(p)...)
				}
			}
			assert.LessOrEqual(t, n, 2)
		}
		return got
	}
	assert.Equal(t, []string{"2026-01-05T11:58:00Z 3.25", "2026-01-05T11:59:00Z 3", "2026-01-05T12:00:00Z rest"}, read(), "start exclusive, end inclusive")
	in.OrderByTime, in.StartTime = types.OrderByTimeDescending, aws.String("1899-12-31T00:00:00Z")
	assert.Equal(t, []string{"2026-01-05T11:59:00Z 3", "2026-01-05T11:58:00Z 3.25", "2026-01-05T11:57:00Z 3.5", "2026-01-05T12:00:00Z rest"}, read())
	assert.NotContains(t, s.siteWiseCallers, "caller", "SiteWise is asked as the workspace's role")
	assert.Contains(t, s.siteWiseCallers, "twin")

	out, err := s.client.GetPropertyValue(t.Context(), &iottwinmaker.GetPropertyValueInput{
		WorkspaceId: in.WorkspaceId, EntityId: in.EntityId, ComponentName: in.ComponentName,
		SelectedProperties: []string{"sitewiseAssetId", "Property_" + ids["rated"], "Property_" + ids["voltage"]},
	})
	require.NoError(t, err)
	assert.Equal(t, asset, *out.PropertyValues["sitewiseAssetId"].PropertyValue.StringValue)
	assert.InDelta(t, 2.5, *out.PropertyValues["Property_"+ids["rated"]].PropertyValue.DoubleValue, 0)
	assert.InDelta(t, 3, *out.PropertyValues["Property_"+ids["voltage"]].PropertyValue.DoubleValue, 0)

	in.NextToken = aws.String("bm90aGluZw==")
	_, err = s.client.GetPropertyValueHistory(t.Context(), in)
	require.ErrorContains(t, err, "nextToken")
	in.NextToken = nil
	s.siteWise.Authorize(func(kernel.Principal, string, []string) error {
		return kernel.Errorf(403, "AccessDeniedException", "not the twin")
	})
	_, err = s.client.GetPropertyValueHistory(t.Context(), in)
	require.ErrorContains(t, err, "not the twin")
}

// Null, NaN, and texts of no or more than 256 characters are nothing that
// TwinMaker can hold.
func TestSiteWiseValuesThatTwinMakerCannotHold(t *testing.T) {
	s := start(t)
	asset, _, ids := s.telemetry()
	s.write(asset, ids["mode"], noon.Add(-3*time.Second), `{"stringValue":"charge"}`)
	s.write(asset, ids["mode"], noon.Add(-2*time.Second), `{"stringValue":"`+strings.Repeat("x", 257)+`"}`)
	s.write(asset, ids["mode"], noon.Add(-time.Second), `{"stringValue":"`+strings.Repeat("µ", 256)+`"}`)
	out, err := s.client.GetPropertyValueHistory(t.Context(), &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1"), ComponentName: aws.String("telemetry"),
		SelectedProperties: []string{"Property_" + ids["mode"]}, StartTime: aws.String("2026-01-05T11:00:00Z"), EndTime: aws.String("2026-01-05T12:00:00Z"),
	})
	require.NoError(t, err)
	require.Len(t, out.PropertyValues[0].Values, 2)
	assert.Equal(t, "charge", *out.PropertyValues[0].Values[0].Value.StringValue)
}

func TestSiteWiseComponentsThatAreRefused(t *testing.T) {
	s := start(t)
	asset, model, _ := s.telemetry()
	other := s.create("AssetModel", `{"AssetModelName":"other"}`).Ref
	refuse := func(properties, want string) {
		t.Helper()
		_, err := s.try("Entity", strings.Replace(properties, `"cell-1"`, `"cell-2"`, 1))
		assert.ErrorContains(t, err, want)
	}
	refuse(linked(asset, other), "not of sitewiseAssetModelId")
	refuse(linked("00000000-0000-0000-0000-000000000000", other), "not found")
	refuse(`{"WorkspaceId":"plant","EntityId":"cell-1","EntityName":"c","Components":{"telemetry":{"ComponentTypeId":"com.amazon.iotsitewise.connector"}}}`,
		"sitewiseAssetId, sitewiseAssetModelId have no value")
	s.siteWise.Authorize(func(p kernel.Principal, action string, _ []string) error {
		if p.Role != apimodeltest.Caller.Role && action == "iotsitewise:DescribeAssetModel" {
			return kernel.Errorf(403, "AccessDeniedException", "the role may not read models")
		}
		return nil
	})
	refuse(linked(asset, model), "the role may not read models")
}
