package twinmaker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// definition is what an event says of a property: every flag under two names.
func definition(dataType, flags, more string) string {
	var b strings.Builder
	b.WriteString(`{"definition":{"dataType":` + dataType + more)
	for _, f := range []struct{ letter, long, short string }{
		{"t", "isTimeSeries", "timeSeries"},
		{"r", "isRequiredInEntity", "requiredInEntity"},
		{"x", "isExternalId", "externalId"},
		{"s", "isStoredExternally", "storedExternally"},
		{"m", "isImported", "imported"},
		{"f", "isFinal", "final"},
		{"i", "isInherited", "inherited"},
	} {
		set := "false"
		if strings.Contains(flags, f.letter) {
			set = "true"
		}
		b.WriteString(`,"` + f.long + `":` + set + `,"` + f.short + `":` + set)
	}
	b.WriteString("}")
	return b.String()
}

func properties() string {
	return `{
		"asset":` + definition(`{"type":"STRING"}`, "rx", "") + `,"value":{"stringValue":"cell-1"}},
		"method":` + definition(`{"type":"STRING"}`, "", `,"defaultValue":{"stringValue":"unscented"}`) + `,"value":{"stringValue":"unscented"}},
		"runs":` + definition(`{"type":"INTEGER"}`, "s", "") + `},
		"state":` + definition(`{"type":"STRING"}`, "ts", "") + `},
		"capacity":` + definition(`{"type":"DOUBLE","unitOfMeasure":"A.h"}`, "ts", "") + `}}`
}

func TestTheEventOfATimeSeriesConnector(t *testing.T) {
	s := start(t)
	s.calibrated()
	s.answer(`{"propertyValues":[]}`)
	_, err := s.history(nil)
	require.NoError(t, err)
	_, err = s.history(func(in *iottwinmaker.GetPropertyValueHistoryInput) {
		in.SelectedProperties = []string{"state", "capacity"}
		in.StartTime, in.EndTime = aws.String("1899-12-31T00:00:00.5Z"), aws.String("2026-01-05T13:00:00+01:00")
		in.MaxResults, in.OrderByTime, in.NextToken = aws.Int32(7), types.OrderByTimeDescending, aws.String("more")
		in.PropertyFilters = []types.PropertyFilter{{PropertyName: aws.String("capacity"), Operator: aws.String(">"), Value: &types.DataValue{DoubleValue: aws.Float64(1)}}}
		in.Interpolation = &types.InterpolationParameters{InterpolationType: types.InterpolationTypeLinear, IntervalInSeconds: aws.Int64(60)}
	})
	require.NoError(t, err)
	require.Equal(t, []string{connectorARN, connectorARN}, s.invoked)
	assert.JSONEq(t, `{"workspaceId":"plant","entityId":"cell-1","componentName":"aging","selectedProperties":["capacity"],"properties":`+properties()+`,
		"startTime":"2026-01-05T11:00:00Z","endTime":"2026-01-05T12:00:00Z","startDateTime":1767610800,"endDateTime":1767614400,
		"maxResults":100,"orderByTime":"ASCENDING"}`, string(s.events[0]), "what the caller left out is absent, but for maxResults and the order")
	assert.JSONEq(t, `{"workspaceId":"plant","entityId":"cell-1","componentName":"aging","selectedProperties":["state","capacity"],"properties":`+properties()+`,
		"startTime":"1899-12-31T00:00:00.5Z","endTime":"2026-01-05T13:00:00+01:00","startDateTime":-2209075200,"endDateTime":1767614400,
		"maxResults":7,"orderByTime":"DESCENDING","nextToken":"more","interpolation":{"interpolationType":"LINEAR","intervalInSeconds":60},
		"propertyFilters":[{"propertyName":"capacity","operator":">","value":{"doubleValue":1}}]}`, string(s.events[1]), "times as the caller wrote them")
}

func TestTheEventOfAQueryAcrossEntities(t *testing.T) {
	s := start(t)
	s.calibrated()
	s.answer(`{"propertyValues":[{"entityPropertyReference":{"propertyName":"capacity","externalIdProperty":{"asset":"cell-1"}},
		"values":[{"time":"2026-01-05T11:30:00Z","value":{"doubleValue":2.5}}]}]}`)
	across := func(in *iottwinmaker.GetPropertyValueHistoryInput) {
		in.EntityId, in.ComponentName, in.ComponentTypeId = nil, nil, aws.String("plant.calibration")
	}
	out, err := s.history(across)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"asset": "cell-1"}, out.PropertyValues[0].EntityPropertyReference.ExternalIdProperty)
	assert.Contains(t, string(s.events[0]), `"componentTypeId":"plant.calibration"`)
	assert.NotContains(t, string(s.events[0]), `"entityId"`)
	s.answer(`{"propertyValues":[{"entityPropertyReference":{"propertyName":"capacity"},"values":[]}]}`)
	_, err = s.history(across)
	assert.ErrorContains(t, err, "externalIdProperty", "no entity could be found for it")
}

func TestConnectorPagesAndOrders(t *testing.T) {
	s := start(t)
	s.calibrated()
	reply := func(values, next string) string {
		return `{"propertyValues":[{"entityPropertyReference":{"entityId":"cell-1","componentName":"aging","propertyName":"capacity"},"values":[` + values + `]}]` + next + `}`
	}
	s.connector = func(_ context.Context, event []byte) ([]byte, string, error) {
		if strings.Contains(string(event), `"nextToken":"page 2"`) {
			return []byte(reply(`{"time":"2026-01-05T12:00:00Z","value":{"doubleValue":3}}`, "")), "", nil
		}
		return []byte(reply(`{"time":"2026-01-05T11:00:00.000000001Z","value":{"doubleValue":1}},{"time":"2026-01-05T12:30:00+01:00","value":{"doubleValue":2}}`, `,"nextToken":"page 2"`)), "", nil
	}
	var got []string
	pages := iottwinmaker.NewGetPropertyValueHistoryPaginator(s.client, &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1"), ComponentName: aws.String("aging"), SelectedProperties: []string{"capacity"},
		StartTime: aws.String("2026-01-05T11:00:00Z"), EndTime: aws.String("2026-01-05T12:00:00Z"),
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		got = append(got, flat(out.PropertyValues[0])...)
	}
	assert.Equal(t, []string{"2026-01-05T11:00:00.000000001Z 1", "2026-01-05T12:30:00+01:00 2", "2026-01-05T12:00:00Z 3"}, got, "both ends as asked: start exclusive, end inclusive")
}

// dependency wants the answer 424 and returns its code.
func dependency(t *testing.T, err error) string {
	t.Helper()
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, 424, response.HTTPStatusCode())
	e, ok := errors.AsType[smithy.APIError](err)
	require.True(t, ok, "%v", err)
	return e.ErrorCode()
}

// A connector that answers something else than it was asked for is not let
// through: AWS would not, or clients would fall over it.
func TestRepliesThatAreRefused(t *testing.T) {
	s := start(t)
	s.calibrated()
	reply := func(reference, values string) string {
		return `{"propertyValues":[{"entityPropertyReference":{` + reference + `},"values":[` + values + `]}]}`
	}
	const mine = `"entityId":"cell-1","componentName":"aging","propertyName":"capacity"`
	at := func(time, value string) string { return `{"time":"` + time + `","value":{` + value + `}}` }
	one := at("2026-01-05T11:30:00Z", `"doubleValue":1`)
	tests := map[string]struct{ reply, want string }{
		"no JSON":           {`<html>`, "not valid"},
		"no list":           {`{"propertyValues":{}}`, "propertyValues"},
		"number as text":    {reply(mine, at("2026-01-05T11:30:00Z", `"doubleValue":"1.5"`)), "doubleValue"},
		"another type":      {reply(mine, at("2026-01-05T11:30:00Z", `"stringValue":"1.5"`)), "must have a doubleValue"},
		"two members":       {reply(mine, at("2026-01-05T11:30:00Z", `"doubleValue":1,"integerValue":1`)), "and nothing else"},
		"no reference":      {`{"propertyValues":[{"values":[]}]}`, "entityPropertyReference"},
		"another property":  {reply(`"entityId":"cell-1","componentName":"aging","propertyName":"state"`, ""), "was not asked for"},
		"another entity":    {reply(`"entityId":"cell-2","componentName":"aging","propertyName":"capacity"`, ""), `"cell-2"`},
		"another component": {reply(`"entityId":"cell-1","componentName":"ageing","propertyName":"capacity"`, ""), `"ageing"`},
		"at the start":      {reply(mine, at("2026-01-05T11:00:00Z", `"doubleValue":1`)), "outside of"},
		"after the end":     {reply(mine, at("2026-01-05T12:00:00.000000001Z", `"doubleValue":1`)), "outside of"},
		"out of order":      {reply(mine, at("2026-01-05T11:31:00Z", `"doubleValue":1`)+","+one), "out of order"},
		"no time":           {reply(mine, `{"value":{"doubleValue":1}}`), "ISO 8601"},
		"another time":      {reply(mine, at("2026-01-05 11:30:00 UTC", `"doubleValue":1`)), "ISO 8601"},
		"too many":          {reply(mine, one+","+one+","+one), "at most 2 were asked for"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s.answer(tt.reply)
			_, err := s.history(func(in *iottwinmaker.GetPropertyValueHistoryInput) { in.MaxResults = aws.Int32(2) })
			assert.Equal(t, "ConnectorFailureException", dependency(t, err))
			require.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, "Data connector reader")
		})
	}
}

func TestConnectorsThatFail(t *testing.T) {
	s := start(t)
	s.calibrated()
	fail := func(payload, functionError string, err error) {
		s.connector = func(context.Context, []byte) ([]byte, string, error) { return []byte(payload), functionError, err }
	}
	fail(`{"errorType":"NotFound","errorMessage":"no such asset"}`, "Unhandled", nil)
	_, err := s.history(nil)
	assert.Equal(t, "ConnectorFailureException", dependency(t, err))
	require.ErrorContains(t, err, "NotFound: no such asset")
	fail(`null`, "Unhandled", nil)
	_, err = s.history(nil)
	assert.Equal(t, "ConnectorFailureException", dependency(t, err))
	fail("", "", errors.New("function not found"))
	_, err = s.history(nil)
	assert.Equal(t, "ConnectorFailureException", dependency(t, err))
	require.ErrorContains(t, err, "function not found")
	fail(`{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 3.00 seconds"}`, "Unhandled", nil)
	_, err = s.history(nil)
	assert.Equal(t, "ConnectorTimeoutException", dependency(t, err))

	s.server.Authorize(func(p kernel.Principal, action string, resources []string) error {
		if action == "lambda:InvokeFunction" {
			assert.Equal(t, "twin", p.Role, "the workspace's role invokes")
			assert.Equal(t, []string{connectorARN}, resources)
			return kernel.Errorf(403, "AccessDeniedException", "no")
		}
		return nil
	})
	n := len(s.events)
	_, err = s.history(nil)
	require.ErrorContains(t, err, "AccessDeniedException")
	assert.Len(t, s.events, n, "nothing ran")
}

// A connector that never answers is given up after a minute, of wall time.
func TestAConnectorThatHangs(t *testing.T) {
	s := start(t)
	s.calibrated()
	synctest.Test(t, func(t *testing.T) {
		s.connector = func(ctx context.Context, _ []byte) ([]byte, string, error) {
			<-ctx.Done()
			return nil, "", ctx.Err()
		}
		began := time.Now()
		_, err := s.server.Do(t.Context(), apimodeltest.Caller, "GetPropertyValueHistory", map[string]any{
			"workspaceId": "plant", "entityId": "cell-1", "componentName": "aging", "selectedProperties": []string{"capacity"},
			"startTime": "2026-01-05T11:00:00Z", "endTime": "2026-01-05T12:00:00Z",
		})
		e, ok := errors.AsType[*kernel.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, 424, e.Status)
		assert.Equal(t, "ConnectorTimeoutException", e.Code)
		assert.Equal(t, time.Minute, time.Since(began))
	})
}

func TestGetPropertyValue(t *testing.T) {
	s := start(t)
	s.calibrated()
	get := func(names ...string) (map[string]types.PropertyLatestValue, error) {
		out, err := s.client.GetPropertyValue(t.Context(), &iottwinmaker.GetPropertyValueInput{
			WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1"), ComponentName: aws.String("aging"), SelectedProperties: names,
		})
		if err != nil {
			return nil, err
		}
		return out.PropertyValues, nil
	}
	got, err := get("asset", "method")
	require.NoError(t, err)
	assert.Equal(t, "cell-1", *got["asset"].PropertyValue.StringValue)
	assert.Equal(t, "unscented", *got["method"].PropertyValue.StringValue)
	assert.Equal(t, "aging", *got["asset"].PropertyReference.ComponentName)
	assert.Empty(t, s.events, "what is stored here asks no connector")

	s.answer(`{"propertyValues":{"runs":{"propertyReference":{"entityId":"cell-1","componentName":"aging","propertyName":"runs"},"propertyValue":{"integerValue":3}}}}`)
	got, err = get("runs")
	require.NoError(t, err)
	assert.Equal(t, int32(3), *got["runs"].PropertyValue.IntegerValue)
	assert.JSONEq(t, `{"workspaceId":"plant","entityId":"cell-1","componentName":"aging","selectedProperties":["runs"],"properties":`+properties()+`}`, string(s.events[0]))
	s.answer(`{"propertyValues":{"method":{"propertyReference":{"propertyName":"method"}}}}`)
	_, err = get("runs")
	assert.Equal(t, "ConnectorFailureException", dependency(t, err))

	s.answer(`{"propertyValues":[{"entityPropertyReference":{"entityId":"cell-1","componentName":"aging","propertyName":"capacity"},
		"values":[{"time":"2026-01-05T11:30:00Z","value":{"doubleValue":2.5}}]}]}`)
	got, err = get("capacity")
	require.NoError(t, err)
	assert.InDelta(t, 2.5, *got["capacity"].PropertyValue.DoubleValue, 0)
	last := string(s.events[len(s.events)-1])
	assert.Contains(t, last, `"orderByTime":"DESCENDING"`)
	assert.Contains(t, last, `"maxResults":1`)
	assert.Contains(t, last, `"startTime":"1899-12-31T00:00:00Z"`)

	_, err = get("nonesuch")
	require.ErrorContains(t, err, `"nonesuch" is not defined`)
}

func TestQueriesThatAreRefused(t *testing.T) {
	s := start(t)
	s.calibrated()
	type input = iottwinmaker.GetPropertyValueHistoryInput
	tests := map[string]struct {
		change func(*input)
		want   string
	}{
		"no workspace":     {func(in *input) { in.WorkspaceId = aws.String("other") }, "ResourceNotFoundException"},
		"no entity":        {func(in *input) { in.EntityId = aws.String("cell-9") }, "ResourceNotFoundException"},
		"no component":     {func(in *input) { in.ComponentName = aws.String("ageing") }, "ResourceNotFoundException"},
		"nothing":          {func(in *input) { in.EntityId, in.ComponentName = nil, nil }, "componentTypeId"},
		"no type":          {func(in *input) { in.EntityId, in.ComponentTypeId = nil, aws.String("plant.other") }, "ResourceNotFoundException"},
		"no property":      {func(in *input) { in.SelectedProperties = []string{"x"} }, "is not defined"},
		"no time series":   {func(in *input) { in.SelectedProperties = []string{"method"} }, "is not a time series"},
		"11 properties":    {func(in *input) { in.SelectedProperties = make([]string, 11) }, "ValidationException"},
		"no start":         {func(in *input) { in.StartTime = nil }, "startTime is required"},
		"start after end":  {func(in *input) { in.StartTime = aws.String("2026-01-05T12:00:01Z") }, "must not be after"},
		"no ISO 8601 time": {func(in *input) { in.StartTime = aws.String("the fifth of January") }, "ValidationException"},
		"both times":       {func(in *input) { in.StartDateTime = aws.Time(noon) }, "must not both"}, //nolint:staticcheck // deprecated, still sent
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.history(tt.change)
			assert.ErrorContains(t, err, tt.want)
		})
	}
	assert.Empty(t, s.events)
}
