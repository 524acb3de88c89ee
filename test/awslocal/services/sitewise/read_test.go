package sitewise_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The range is (startDate, endDate] (API reference of
// GetAssetPropertyValueHistory).
func TestHistoryBoundsOrderAndPages(t *testing.T) {
	p := newPlant(t)
	p.put(t, "/cell-1/voltage", noon, 0, 1, 2, 3, 4, 5)
	for _, size := range []int32{1, 2, 3, 10} {
		in := &iotsitewise.GetAssetPropertyValueHistoryInput{
			PropertyAlias: aws.String("/cell-1/voltage"), MaxResults: aws.Int32(size),
			StartDate: aws.Time(noon.Add(time.Second)), EndDate: aws.Time(noon.Add(4 * time.Second)),
		}
		assert.Equal(t, []sample{{"12:00:02", 2}, {"12:00:03", 3}, {"12:00:04", 4}}, p.read(t, in), size)
		in.TimeOrdering = types.TimeOrderingDescending
		assert.Equal(t, []sample{{"12:00:04", 4}, {"12:00:03", 3}, {"12:00:02", 2}}, p.read(t, in), size)
	}
	out, err := p.client.GetAssetPropertyValueHistory(t.Context(), &iotsitewise.GetAssetPropertyValueHistoryInput{
		PropertyAlias: aws.String("/cell-1/voltage"), StartDate: aws.Time(time.Unix(-2209075200, 0)), TimeOrdering: types.TimeOrderingDescending, MaxResults: aws.Int32(1),
	})
	require.NoError(t, err)
	assert.Len(t, out.AssetPropertyValueHistory, 1, "clients look for the latest value from 1899 on; the end is now, at noon")
	assert.InDelta(t, 0, *out.AssetPropertyValueHistory[0].Value.DoubleValue, 0)
}

func TestHistoryQualities(t *testing.T) {
	p := newPlant(t)
	require.Empty(t, p.batch(t, entry("e", "/cell-1/voltage", value(noon, double(1), "GOOD"), value(noon.Add(1), double(2), "BAD"))))
	in := &iotsitewise.GetAssetPropertyValueHistoryInput{PropertyAlias: aws.String("/cell-1/voltage"), EndDate: aws.Time(noon.Add(time.Hour)), Qualities: []types.Quality{"BAD"}}
	assert.Equal(t, []sample{{"12:00:00.000000001", 2}}, p.read(t, in))
}

func TestBadQueries(t *testing.T) {
	p := newPlant(t)
	tests := map[string]*iotsitewise.GetAssetPropertyValueHistoryInput{
		"no property":       {},
		"a foreign token":   {PropertyAlias: aws.String("/cell-1/voltage"), NextToken: aws.String("bm90aGluZw==")},
		"start after end":   {PropertyAlias: aws.String("/cell-1/voltage"), StartDate: aws.Time(noon), EndDate: aws.Time(noon.Add(-1))},
		"property, no id":   {AssetId: aws.String(p.cells[0])},
		"too many results":  {PropertyAlias: aws.String("/cell-1/voltage"), MaxResults: aws.Int32(20001)},
		"more than one way": {PropertyAlias: aws.String("/cell-1/voltage"), AssetId: aws.String(p.cells[0]), PropertyId: aws.String(p.cells[0])},
	}
	for name, in := range tests {
		_, err := p.client.GetAssetPropertyValueHistory(t.Context(), in)
		_, ok := errors.AsType[*types.InvalidRequestException](err)
		assert.True(t, ok, "%s: %v", name, err)
	}
	_, err := p.client.GetAssetPropertyValue(t.Context(), &iotsitewise.GetAssetPropertyValueInput{PropertyAlias: aws.String("/nowhere")})
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	assert.True(t, ok, "%v", err)
	out, err := p.client.GetAssetPropertyValue(t.Context(), &iotsitewise.GetAssetPropertyValueInput{PropertyAlias: aws.String("/cell-1/voltage")})
	require.NoError(t, err)
	assert.Nil(t, out.PropertyValue, "a property without values answers without one")
}

func TestAggregates(t *testing.T) {
	p := newPlant(t)
	// (12:00, 12:01] holds 2, 4, 4, 4, 5, 5, 7, 9: mean 5, population deviation 2,
	// the textbook example; 12:00:00 itself ends the window before.
	p.put(t, "/cell-1/voltage", noon, 100, 2, 4, 4, 4, 5, 5, 7, 9)
	p.put(t, "/cell-1/voltage", noon.Add(90*time.Second), 1, 3)
	p.clock.set(noon.Add(100 * time.Second))
	get := func(order types.TimeOrdering, size int32) []types.AggregatedValue {
		var all []types.AggregatedValue
		pages := iotsitewise.NewGetAssetPropertyAggregatesPaginator(p.client, &iotsitewise.GetAssetPropertyAggregatesInput{
			PropertyAlias: aws.String("/cell-1/voltage"), Resolution: aws.String("1m"), TimeOrdering: order, MaxResults: &size,
			StartDate: aws.Time(noon.Add(-time.Hour)), EndDate: aws.Time(noon.Add(time.Hour)),
			AggregateTypes: []types.AggregateType{"AVERAGE", "COUNT", "MAXIMUM", "MINIMUM", "SUM", "STANDARD_DEVIATION"},
		})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			all = append(all, out.AggregatedValues...)
		}
		return all
	}
	got := get(types.TimeOrderingAscending, 10)
	require.Len(t, got, 2, "the window that ends at 12:02 has not closed")
	assert.Equal(t, noon, got[0].Timestamp.UTC(), "a window is placed at its end")
	assert.Equal(t, noon.Add(time.Minute), got[1].Timestamp.UTC())
	assert.Equal(t, &types.Aggregates{
		Average: aws.Float64(5), Count: aws.Float64(8), Maximum: aws.Float64(9), Minimum: aws.Float64(2), Sum: aws.Float64(40), StandardDeviation: aws.Float64(2),
	}, got[1].Value)
	assert.Equal(t, got, get(types.TimeOrderingAscending, 1), "pages add up")
	p.clock.set(noon.Add(2 * time.Minute))
	down := get(types.TimeOrderingDescending, 1)
	require.Len(t, down, 3)
	assert.InDelta(t, 2, *down[0].Value.Average, 0)

	out, err := p.client.GetAssetPropertyAggregates(t.Context(), &iotsitewise.GetAssetPropertyAggregatesInput{
		PropertyAlias: aws.String("/cell-1/chemistry"), Resolution: aws.String("1d"), AggregateTypes: []types.AggregateType{"COUNT", "AVERAGE"},
		StartDate: aws.Time(noon.AddDate(0, 0, -1)), EndDate: aws.Time(noon.AddDate(0, 0, 2)),
	})
	require.NoError(t, err)
	assert.Empty(t, out.AggregatedValues, "the day is not over")
}

func TestBatchReads(t *testing.T) {
	p := newPlant(t)
	p.put(t, "/cell-1/voltage", noon, 1, 2, 3)
	p.put(t, "/cell-2/voltage", noon, 4, 5)
	values, err := p.client.BatchGetAssetPropertyValue(t.Context(), &iotsitewise.BatchGetAssetPropertyValueInput{
		Entries: []types.BatchGetAssetPropertyValueEntry{
			{EntryId: aws.String("a"), PropertyAlias: aws.String("/cell-1/voltage")},
			{EntryId: aws.String("b"), PropertyAlias: aws.String("/none")},
			{EntryId: aws.String("c"), PropertyAlias: aws.String("/cell-1/mode")},
		},
	})
	require.NoError(t, err)
	require.Len(t, values.SuccessEntries, 2)
	assert.Equal(t, "a", *values.SuccessEntries[0].EntryId)
	assert.InDelta(t, 3, *values.SuccessEntries[0].AssetPropertyValue.Value.DoubleValue, 0)
	assert.Nil(t, values.SuccessEntries[1].AssetPropertyValue)
	require.Len(t, values.ErrorEntries, 1)
	assert.Equal(t, "b", *values.ErrorEntries[0].EntryId)

	got := map[string][]float64{}
	in := &iotsitewise.BatchGetAssetPropertyValueHistoryInput{MaxResults: aws.Int32(2)}
	for _, id := range []string{"cell-1", "cell-2"} {
		in.Entries = append(in.Entries, types.BatchGetAssetPropertyValueHistoryEntry{
			EntryId: aws.String(id), PropertyAlias: aws.String("/" + id + "/voltage"), EndDate: aws.Time(noon.Add(time.Hour)),
		})
	}
	pages := iotsitewise.NewBatchGetAssetPropertyValueHistoryPaginator(p.client, in)
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		n := 0
		for _, e := range out.SuccessEntries {
			n += len(e.AssetPropertyValueHistory)
			for _, v := range e.AssetPropertyValueHistory {
				got[*e.EntryId] = append(got[*e.EntryId], *v.Value.DoubleValue)
			}
		}
		assert.LessOrEqual(t, n, 2)
	}
	assert.Equal(t, map[string][]float64{"cell-1": {1, 2, 3}, "cell-2": {4, 5}}, got)

	p.clock.set(noon.Add(time.Hour))
	aggregates, err := p.client.BatchGetAssetPropertyAggregates(t.Context(), &iotsitewise.BatchGetAssetPropertyAggregatesInput{
		Entries: []types.BatchGetAssetPropertyAggregatesEntry{{
			EntryId: aws.String("a"), PropertyAlias: aws.String("/cell-2/voltage"), Resolution: aws.String("1h"), AggregateTypes: []types.AggregateType{"SUM"},
			StartDate: aws.Time(time.Unix(-2209075200, 0)), EndDate: aws.Time(noon.Add(time.Hour)), TimeOrdering: types.TimeOrderingDescending,
		}},
	})
	require.NoError(t, err)
	require.Len(t, aggregates.SuccessEntries[0].AggregatedValues, 2)
	assert.InDelta(t, 5, *aggregates.SuccessEntries[0].AggregatedValues[0].Value.Sum, 0)
}

func TestDescribeAndList(t *testing.T) {
	p := newPlant(t)
	ctx := t.Context()
	asset, err := p.client.DescribeAsset(ctx, &iotsitewise.DescribeAssetInput{AssetId: aws.String("externalId:asset.cell-1")})
	require.NoError(t, err)
	assert.Equal(t, p.cells[0], *asset.AssetId)
	assert.Equal(t, types.AssetStateActive, asset.AssetStatus.State)
	require.Len(t, asset.AssetProperties, 10)
	assert.Equal(t, "/cell-1/capacity", *asset.AssetProperties[0].Alias)
	assert.Equal(t, "A.h", *asset.AssetProperties[0].Unit)

	model, err := p.client.DescribeAssetModel(ctx, &iotsitewise.DescribeAssetModelInput{AssetModelId: asset.AssetModelId})
	require.NoError(t, err)
	assert.Equal(t, "voltage * current", *model.AssetModelProperties[7].Type.Transform.Expression)
	assert.Equal(t, "15m", *model.AssetModelProperties[8].Type.Metric.Window.Tumbling.Interval)

	property, err := p.client.DescribeAssetProperty(ctx, &iotsitewise.DescribeAssetPropertyInput{AssetId: asset.AssetId, PropertyId: asset.AssetProperties[0].Id})
	require.NoError(t, err)
	assert.Equal(t, "2.5", *property.AssetProperty.Type.Attribute.DefaultValue)

	models, err := p.client.ListAssetModels(ctx, &iotsitewise.ListAssetModelsInput{})
	require.NoError(t, err)
	require.Len(t, models.AssetModelSummaries, 2)

	var names []string
	pages := iotsitewise.NewListAssetsPaginator(p.client, &iotsitewise.ListAssetsInput{AssetModelId: asset.AssetModelId, MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		require.NoError(t, err)
		for _, a := range out.AssetSummaries {
			names = append(names, *a.Name)
		}
	}
	assert.Equal(t, []string{"cell-1", "cell-2"}, names)

	top, err := p.client.ListAssets(ctx, &iotsitewise.ListAssetsInput{Filter: types.ListAssetsFilterTopLevel})
	require.NoError(t, err)
	require.Len(t, top.AssetSummaries, 1)
	assert.Equal(t, p.rack, *top.AssetSummaries[0].Id)

	children, err := p.client.ListAssociatedAssets(ctx, &iotsitewise.ListAssociatedAssetsInput{AssetId: &p.rack, HierarchyId: top.AssetSummaries[0].Hierarchies[0].Id})
	require.NoError(t, err)
	assert.Len(t, children.AssetSummaries, 2)
	parent, err := p.client.ListAssociatedAssets(ctx, &iotsitewise.ListAssociatedAssetsInput{AssetId: &p.cells[0], TraversalDirection: types.TraversalDirectionParent})
	require.NoError(t, err)
	assert.Equal(t, p.rack, *parent.AssetSummaries[0].Id)

	properties, err := p.client.ListAssetProperties(ctx, &iotsitewise.ListAssetPropertiesInput{AssetId: &p.rack})
	require.NoError(t, err)
	assert.Equal(t, "/rack-1/total", *properties.AssetPropertySummaries[0].Alias)
	of, err := p.client.ListAssetModelProperties(ctx, &iotsitewise.ListAssetModelPropertiesInput{AssetModelId: asset.AssetModelId})
	require.NoError(t, err)
	assert.Len(t, of.AssetModelPropertySummaries, 10)

	series, err := p.client.ListTimeSeries(ctx, &iotsitewise.ListTimeSeriesInput{AliasPrefix: aws.String("/cell-2/")})
	require.NoError(t, err)
	assert.Len(t, series.TimeSeriesSummaries, 10)
	one, err := p.client.DescribeTimeSeries(ctx, &iotsitewise.DescribeTimeSeriesInput{Alias: aws.String("/cell-2/voltage")})
	require.NoError(t, err)
	assert.Equal(t, p.cells[1], *one.AssetId)
}

// Whatever the model has and no operation answers is known to be refused.
func TestCoverage(t *testing.T) {
	p := newPlant(t)
	operations := p.Operations()
	var names []string
	for name := range operations {
		names = append(names, name)
		assert.True(t, p.server.Model.HasOperation(name), name)
	}
	implemented := 0
	for _, o := range p.server.Model.Coverage(names) {
		if o.Implemented {
			implemented++
		}
	}
	assert.Equal(t, len(operations), implemented)
}
