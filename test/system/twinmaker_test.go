package system

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/twin"
)

// A served is one value that TwinMaker answered with.
type served struct {
	at    time.Time
	value float64
}

// twinMakerAnswers reads what was published, telemetry and an alarm through
// TwinMaker, in both orders and by pages of several sizes.
func twinMakerAnswers(t *testing.T, p *plant) {
	// What the artifacts of the runs say, the oldest first.
	want := map[string][]served{}
	for _, d := range p.history("cell-1") {
		want["nis"] = append(want["nis"], served{d.WindowEnd.UTC(), d.ChallengerScores.NIS})
		for _, v := range d.Predictions {
			if v.Output == "state_of_health" && v.Quantile == 0.5 {
				want["state_of_health_p50"] = append(want["state_of_health_p50"], served{d.WindowEnd.UTC(), v.Value})
			}
		}
	}
	require.Len(t, want["state_of_health_p50"], len(want["nis"]))
	for _, order := range []types.OrderByTime{types.OrderByTimeAscending, types.OrderByTimeDescending} {
		for _, size := range []int32{1, 2, 100} {
			got, pages := p.ofTwinMaker("cell-1", order, size, "state_of_health_p50", "nis")
			if order == types.OrderByTimeDescending {
				for _, series := range got {
					slices.Reverse(series)
				}
			}
			assert.Equal(t, want, got, "%s, %d per page", order, size)
			if size == 1 {
				assert.GreaterOrEqual(t, pages, len(want["nis"]), "%s: pages of one value", order)
			}
		}
	}
	telemetryThroughTwinMaker(t, p)
	alarmThroughTwinMaker(t, p)
}

// ofTwinMaker pages through values of the calibration's component of an asset.
func (p *plant) ofTwinMaker(asset string, order types.OrderByTime, size int32, properties ...string) (values map[string][]served, pages int) {
	p.t.Helper()
	values = map[string][]served{}
	all := iottwinmaker.NewGetPropertyValueHistoryPaginator(iottwinmaker.NewFromConfig(p.config), &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: &p.twin.Workspace, EntityId: &asset, ComponentName: aws.String(health),
		SelectedProperties: properties, OrderByTime: order, MaxResults: &size,
		StartTime: aws.String(monday.Format(time.RFC3339)), EndTime: aws.String(p.now().Format(time.RFC3339)),
	})
	for all.HasMorePages() {
		page, err := all.NextPage(p.t.Context())
		require.NoError(p.t, err)
		pages++
		for _, series := range page.PropertyValues {
			assert.Equal(p.t, health, aws.ToString(series.EntityPropertyReference.ComponentName))
			assert.LessOrEqual(p.t, len(series.Values), int(size), "values of a page")
			name := aws.ToString(series.EntityPropertyReference.PropertyName)
			for _, v := range series.Values {
				at, err := time.Parse(time.RFC3339Nano, aws.ToString(v.Time))
				require.NoError(p.t, err)
				values[name] = append(values[name], served{at.UTC(), aws.ToFloat64(v.Value.DoubleValue)})
			}
		}
	}
	return values, pages
}

// telemetryThroughTwinMaker: TwinMaker's own SiteWise connector answers.
func telemetryThroughTwinMaker(t *testing.T, p *plant) {
	api := iottwinmaker.NewFromConfig(p.config)
	telemetered := iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: &p.twin.Workspace, EntityId: aws.String("cell-1"), ComponentName: aws.String(twin.TelemetryComponent),
		StartTime: aws.String(monday.Format(time.RFC3339)), EndTime: aws.String(monday.Add(time.Hour).Format(time.RFC3339)),
	}
	series := telemetry.AliasOf(twinName, "cell-1", "voltage")
	telemetered.SelectedProperties = []string{p.telemetryProperty("voltage")}
	res, err := api.GetPropertyValueHistory(t.Context(), &telemetered)
	require.NoError(t, err)
	require.NotEmpty(t, res.PropertyValues)
	stored := map[int64]float64{}
	for s, err := range p.historian().Samples(t.Context(), series, monday.Add(-time.Second), monday.Add(time.Hour)) {
		require.NoError(t, err)
		stored[s.Time.UnixMilli()] = s.Value
	}
	for _, v := range res.PropertyValues[0].Values {
		at, err := time.Parse(time.RFC3339Nano, aws.ToString(v.Time))
		require.NoError(t, err)
		assert.InDelta(t, stored[at.UnixMilli()], aws.ToFloat64(v.Value.DoubleValue), 0, aws.ToString(v.Time))
	}
	_, err = api.GetPropertyValue(t.Context(), &iottwinmaker.GetPropertyValueInput{
		WorkspaceId: telemetered.WorkspaceId, EntityId: telemetered.EntityId, ComponentName: telemetered.ComponentName, SelectedProperties: telemetered.SelectedProperties,
	})
	require.NoError(t, err)
}

// alarmThroughTwinMaker: our connector serves the states of alarms.
func alarmThroughTwinMaker(t *testing.T, p *plant) {
	api := iottwinmaker.NewFromConfig(p.config)
	alarm, err := api.GetPropertyValueHistory(t.Context(), &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: &p.twin.Workspace, EntityId: aws.String("cell-1"), ComponentName: aws.String("low-health"),
		SelectedProperties: []string{"alarm_status"},
		StartTime:          aws.String(monday.Format(time.RFC3339)), EndTime: aws.String(p.now().Format(time.RFC3339)),
	})
	require.NoError(t, err)
	require.NotEmpty(t, alarm.PropertyValues)
	assert.Equal(t, "NORMAL", aws.ToString(alarm.PropertyValues[0].Values[0].Value.StringValue), "a new cell is healthy")
}

// telemetryProperty is the name that TwinMaker's SiteWise connector gives a
// property: Property_ and the property's id.
func (p *plant) telemetryProperty(name string) string {
	p.t.Helper()
	e, err := iottwinmaker.NewFromConfig(p.config).GetEntity(p.t.Context(), &iottwinmaker.GetEntityInput{WorkspaceId: &p.twin.Workspace, EntityId: aws.String("cell-1")})
	require.NoError(p.t, err)
	for id, property := range e.Components[twin.TelemetryComponent].Properties {
		if aws.ToString(property.Definition.DisplayName) == name {
			return id
		}
	}
	require.Fail(p.t, "the telemetry component has no property "+name)
	return ""
}
