package telemetrysitewise_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrytest"
)

var at = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

func TestHistorian(t *testing.T) {
	for _, page := range []int{1, 7, 20000} {
		t.Run(fmt.Sprintf("pages of %d", page), func(t *testing.T) {
			telemetrytest.TestHistorian(t, func(_ *testing.T, series ...telemetry.Alias) telemetrytest.Historian {
				return telemetrysitewise.New(newService(page, series...))
			})
		})
	}
}

func points(series telemetry.Alias, n int) []telemetry.Point {
	all := make([]telemetry.Point, n)
	for i := range all {
		all[i] = telemetry.Point{Series: series, Sample: telemetry.Sample{
			Time: at.Add(time.Duration(i) * time.Second), Value: float64(i), Quality: telemetry.Good,
		}}
	}
	return all
}

func TestThrottledPointsAreSentAgain(t *testing.T) {
	s := newService(100, "a", "b")
	s.throttle = 17 // entries; the first round has six
	h := telemetrysitewise.New(s, telemetrysitewise.WithRetry(8, time.Microsecond))
	rejected, err := h.Write(t.Context(), append(points("a", 25), points("b", 25)...))
	require.NoError(t, err)
	assert.Empty(t, rejected)
	assert.Len(t, s.series["a"], 25)
	assert.Len(t, s.series["b"], 25)
}

func TestAnEndlessThrottleIsAnError(t *testing.T) {
	s := newService(100, "a")
	s.throttle = 1000
	h := telemetrysitewise.New(s, telemetrysitewise.WithRetry(3, time.Microsecond))
	_, err := h.Write(t.Context(), points("a", 25))
	require.ErrorContains(t, err, "25 are still refused after 3 attempts")
	assert.ErrorContains(t, err, "ThrottlingException")
}

func TestRejectionsNameExactlyTheirPoints(t *testing.T) {
	s := newService(100, "a")
	all := points("a", 12)
	all[3].Sample.Time = time.Unix(-5, 0).UTC()
	all[7].Sample.Value = 1e11
	all[11].Sample.Value = 1e11
	rejected, err := telemetrysitewise.New(s).Write(t.Context(), all)
	require.NoError(t, err)
	assert.ElementsMatch(t, []telemetry.Rejection{
		{Point: all[3], Code: "TimestampOutOfRangeException", Reason: "refused"},
		{Point: all[7], Code: "InvalidRequestException", Reason: "refused"},
		{Point: all[11], Code: "InvalidRequestException", Reason: "refused"},
	}, rejected)
	assert.Len(t, s.series["a"], 9)
}

func TestAnEntryRefusedWholeLosesNoPoint(t *testing.T) {
	s := newService(100, "a")
	s.whole = true
	all := points("a", 12)
	all[3].Sample.Value = 1e11
	rejected, err := telemetrysitewise.New(s).Write(t.Context(), all)
	require.NoError(t, err)
	assert.Len(t, rejected, 10, "every point of the first entry, none of the second")
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	s := newService(20000, "a")
	h := telemetrysitewise.New(s, telemetrysitewise.WithConcurrency(3))
	_, err := h.Write(t.Context(), points("a", 3000))
	require.NoError(t, err)
	assert.Equal(t, 30, s.requests, "a hundred values a request")
	assert.LessOrEqual(t, s.most, 3)
}

// Requests overtake each other; the last point of an instant wins all the same.
func TestTheLastPointOfAnInstantWins(t *testing.T) {
	s := newService(20000, "a")
	s.slow = func(in *iotsitewise.BatchPutAssetPropertyValueInput) bool { // the one with the first point
		return *in.Entries[0].PropertyValues[0].Value.DoubleValue == 0
	}
	all := points("a", 150)
	last := all[0]
	last.Sample.Value = 42
	_, err := telemetrysitewise.New(s).Write(t.Context(), append(all, last))
	require.NoError(t, err)
	assert.InDelta(t, 42, *s.series["a"][at.UnixNano()].Value.DoubleValue, 0)
	assert.Len(t, s.series["a"], 150)
}

func TestTheBestQualityOfAnInstantCounts(t *testing.T) {
	s := newService(2, "a")
	h := telemetrysitewise.New(s)
	_, err := h.Write(t.Context(), points("a", 3))
	require.NoError(t, err)
	bad := func(second int64, quality types.Quality) types.AssetPropertyValue {
		return types.AssetPropertyValue{
			Timestamp: &types.TimeInNanos{TimeInSeconds: aws.Int64(at.Unix() + second)}, Quality: quality,
			Value: &types.Variant{DoubleValue: aws.Float64(-1)},
		}
	}
	s.extra = map[string][]types.AssetPropertyValue{"a": {bad(0, types.QualityBad), bad(1, types.QualityUncertain), bad(1, types.QualityBad)}}
	var values []float64
	for sample, err := range h.Samples(t.Context(), "a", at.Add(-1), at.Add(time.Minute)) {
		require.NoError(t, err)
		values = append(values, sample.Value)
	}
	assert.Equal(t, []float64{0, 1, 2}, values)
}

// canned answers with one value of history, or an error.
type canned struct {
	*service
	value *types.AssetPropertyValue
	err   error
}

func (c canned) GetAssetPropertyValueHistory(context.Context, *iotsitewise.GetAssetPropertyValueHistoryInput, ...func(*iotsitewise.Options)) (*iotsitewise.GetAssetPropertyValueHistoryOutput, error) {
	if c.err != nil {
		return nil, c.err
	}
	return &iotsitewise.GetAssetPropertyValueHistoryOutput{AssetPropertyValueHistory: []types.AssetPropertyValue{*c.value}}, nil
}

func (c canned) BatchPutAssetPropertyValue(context.Context, *iotsitewise.BatchPutAssetPropertyValueInput, ...func(*iotsitewise.Options)) (*iotsitewise.BatchPutAssetPropertyValueOutput, error) {
	return nil, c.err
}

func TestTypesOfValues(t *testing.T) {
	stamp := &types.TimeInNanos{TimeInSeconds: aws.Int64(at.Unix())}
	for name, c := range map[string]struct {
		value *types.Variant
		want  float64
		says  string
	}{
		"integer": {&types.Variant{IntegerValue: aws.Int32(-3)}, -3, ""},
		"true":    {&types.Variant{BooleanValue: aws.Bool(true)}, 1, ""},
		"false":   {&types.Variant{BooleanValue: aws.Bool(false)}, 0, ""},
		"string":  {&types.Variant{StringValue: aws.String("LiCoO2")}, 0, "is a string, but a number is needed"},
		"nothing": {&types.Variant{}, 0, "of a type that this program does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			h := telemetrysitewise.New(canned{value: &types.AssetPropertyValue{Timestamp: stamp, Value: c.value, Quality: types.QualityGood}})
			for sample, err := range h.Samples(t.Context(), "/twin/cell-1/voltage", at.Add(-1), at) {
				if c.says != "" {
					require.ErrorContains(t, err, c.says)
					require.ErrorContains(t, err, "/twin/cell-1/voltage")
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, telemetry.Sample{Time: at, Value: c.want, Quality: telemetry.Good}, sample)
			}
		})
	}
}

func TestErrorsOfTheServiceComeThrough(t *testing.T) {
	down := errors.New("connection reset")
	h := telemetrysitewise.New(canned{err: down})
	var errs []error
	for _, err := range h.Samples(t.Context(), "a", at, at.Add(1)) {
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], down)
	_, err := h.Write(t.Context(), points("a", 1))
	require.ErrorIs(t, err, down)
}

func TestLatestOfManySeries(t *testing.T) {
	var series []telemetry.Alias
	var all []telemetry.Point
	for i := range 300 { // three requests of 128 entries
		alias := telemetry.AliasOf("twin", fmt.Sprintf("cell-%d", i), "voltage")
		series = append(series, alias)
		all = append(all, points(alias, 1)...)
	}
	s := newService(50, series...)
	h := telemetrysitewise.New(s)
	_, err := h.Write(t.Context(), all)
	require.NoError(t, err)
	latest, err := h.Latest(t.Context(), series)
	require.NoError(t, err)
	assert.Len(t, latest, 300)

	var unknown []telemetry.Alias
	for i := range 8 {
		unknown = append(unknown, telemetry.Alias(fmt.Sprintf("/nowhere/%d", i)))
	}
	_, err = h.Latest(t.Context(), append(series, unknown...))
	require.ErrorIs(t, err, telemetry.ErrNotFound)
	assert.ErrorContains(t, err, "/nowhere/4 and 3 more")
}
