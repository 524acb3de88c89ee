package system

import (
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

// twinMakerAnswers reads what was published, telemetry and an alarm through
// TwinMaker, page by page and backwards.
func twinMakerAnswers(t *testing.T, p *plant) {
	api := iottwinmaker.NewFromConfig(p.config)
	want := map[string]float64{}
	history := p.history("cell-1")
	for _, d := range history {
		for _, v := range d.Predictions {
			if v.Output == "state_of_health" && v.Quantile == 0.5 {
				want[d.WindowEnd.UTC().Format(time.RFC3339)] = v.Value
			}
		}
	}
	got := map[string]float64{}
	pages := iottwinmaker.NewGetPropertyValueHistoryPaginator(api, &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: &p.twin.Workspace, EntityId: aws.String("cell-1"), ComponentName: aws.String(health),
		SelectedProperties: []string{"state_of_health_p50", "nis"}, OrderByTime: types.OrderByTimeDescending, MaxResults: aws.Int32(2),
		StartTime: aws.String(monday.Format(time.RFC3339)), EndTime: aws.String(p.now().Format(time.RFC3339)),
	})
	var order []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, series := range page.PropertyValues {
			assert.Equal(t, health, aws.ToString(series.EntityPropertyReference.ComponentName))
			if aws.ToString(series.EntityPropertyReference.PropertyName) != "state_of_health_p50" {
				continue
			}
			for _, v := range series.Values {
				at, err := time.Parse(time.RFC3339Nano, aws.ToString(v.Time))
				require.NoError(t, err)
				order = append(order, at.Format(time.RFC3339))
				got[at.Format(time.RFC3339)] = aws.ToFloat64(v.Value.DoubleValue)
			}
		}
	}
	assert.Equal(t, want, got)
	for i := 1; i < len(order); i++ {
		assert.Greater(t, order[i-1], order[i], "descending")
	}

	// Telemetry comes through TwinMaker's own SiteWise connector.
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

	// The alarm comes through our connector.
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
