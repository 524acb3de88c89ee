package sitewise_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

func replace(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

func entry(id, alias string, values ...types.AssetPropertyValue) types.PutAssetPropertyValueEntry {
	return types.PutAssetPropertyValueEntry{EntryId: &id, PropertyAlias: &alias, PropertyValues: values}
}

func TestEveryTypeAndQualityComesBack(t *testing.T) {
	p := newPlant(t)
	at := noon.Add(123456789 * time.Nanosecond)
	tests := []struct {
		alias string
		value types.Variant
		q     types.Quality
	}{
		{"/cell-1/voltage", double(3.25), types.QualityUncertain},
		{"/cell-1/current", double(math.NaN()), types.QualityBad},
		{"/cell-1/cycles", types.Variant{IntegerValue: aws.Int32(-7)}, types.QualityGood},
		{"/cell-1/door", types.Variant{BooleanValue: aws.Bool(true)}, types.QualityGood},
		{"/cell-1/mode", types.Variant{StringValue: aws.String("a \"quoted\" µ")}, types.QualityGood},
		{"/cell-2/voltage", types.Variant{NullValue: &types.PropertyValueNullValue{ValueType: types.RawValueTypeDouble}}, types.QualityBad},
	}
	for _, tt := range tests {
		require.Empty(t, p.batch(t, entry("e", tt.alias, value(at, tt.value, tt.q))), tt.alias)
		out, err := p.client.GetAssetPropertyValue(t.Context(), &iotsitewise.GetAssetPropertyValueInput{PropertyAlias: &tt.alias})
		require.NoError(t, err)
		got := out.PropertyValue
		assert.Equal(t, tt.q, got.Quality, tt.alias)
		assert.Equal(t, at.Unix(), *got.Timestamp.TimeInSeconds)
		assert.Equal(t, int32(123456789), *got.Timestamp.OffsetInNanos)
		if tt.value.DoubleValue != nil && math.IsNaN(*tt.value.DoubleValue) {
			assert.True(t, math.IsNaN(*got.Value.DoubleValue))
			continue
		}
		assert.Equal(t, &tt.value, got.Value, tt.alias)
	}
}

func TestPartialFailure(t *testing.T) {
	p := newPlant(t)
	good := value(noon, double(1), types.QualityGood)
	tooOld := value(noon.Add(-7*24*time.Hour-time.Nanosecond), double(1), types.QualityGood)
	oldest := value(noon.Add(-7*24*time.Hour), double(1), types.QualityGood)
	newest := value(noon.Add(10*time.Minute), double(1), types.QualityGood)
	tooNew := value(noon.Add(10*time.Minute+time.Nanosecond), double(1), types.QualityGood)
	property := func(asset, property string) types.PutAssetPropertyValueEntry {
		return types.PutAssetPropertyValueEntry{EntryId: aws.String("x"), AssetId: &asset, PropertyId: &property, PropertyValues: []types.AssetPropertyValue{good}}
	}
	both := entry("x", "/cell-1/voltage", good)
	both.AssetId, both.PropertyId = aws.String(p.cells[0]), aws.String(p.cells[1])
	missing := strings.Repeat("0", 8) + "-0000-0000-0000-" + strings.Repeat("0", 12)
	tests := []struct {
		name    string
		entry   types.PutAssetPropertyValueEntry
		code    types.BatchPutAssetPropertyValueErrorCode
		message string
	}{
		{"7 days old", entry("x", "/cell-1/voltage", oldest), "", ""},
		{"10 minutes ahead", entry("x", "/cell-1/voltage", newest), "", ""},
		{"older", entry("x", "/cell-1/voltage", tooOld), "TimestampOutOfRangeException", "7 days"},
		{"further ahead", entry("x", "/cell-1/voltage", tooNew), "TimestampOutOfRangeException", "10 minutes"},
		{"unknown alias", entry("x", "/cell-9/voltage", good), "ResourceNotFoundException", "disassociatedDataStorage"},
		{"unknown asset", property(missing, missing), "ResourceNotFoundException", "Asset"},
		{"unknown property", property(p.cells[0], missing), "ResourceNotFoundException", "Property"},
		{"alias and ids", both, "InvalidRequestException", "either propertyAlias"},
		{"wrong type", entry("x", "/cell-1/cycles", good), "InvalidRequestException", "data type INTEGER: got a double"},
		{"computed", entry("x", "/cell-1/power", good), "InvalidRequestException", "computed"},
		{"no value", entry("x", "/cell-1/voltage", value(noon, types.Variant{}, "")), "InvalidRequestException", "Exactly one value"},
		{"good NaN", entry("x", "/cell-1/voltage", value(noon, double(math.NaN()), "")), "InvalidRequestException", "BAD or UNCERTAIN"},
		{"infinite", entry("x", "/cell-1/voltage", value(noon, double(math.Inf(1)), "BAD")), "InvalidRequestException", "infinite"},
		{
			"good null", entry("x", "/cell-1/voltage", value(noon, types.Variant{NullValue: &types.PropertyValueNullValue{ValueType: "D"}}, "")),
			"InvalidRequestException", "BAD or UNCERTAIN",
		},
		{"long string", entry("x", "/cell-1/mode", value(noon, types.Variant{StringValue: aws.String(strings.Repeat("x", 1025))}, "")), "InvalidRequestException", "1024 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			errs := p.batch(t, tt.entry, entry("fine", "/cell-2/current", good))
			if tt.code == "" {
				require.Empty(t, errs)
				return
			}
			require.Len(t, errs, 1)
			assert.Equal(t, "x", *errs[0].EntryId)
			require.Len(t, errs[0].Errors, 1)
			assert.Equal(t, tt.code, errs[0].Errors[0].ErrorCode)
			assert.Contains(t, *errs[0].Errors[0].ErrorMessage, tt.message)
			require.Len(t, errs[0].Errors[0].Timestamps, 1)
			assert.Equal(t, tt.entry.PropertyValues[0].Timestamp, &errs[0].Errors[0].Timestamps[0])
		})
	}
	assert.Equal(t, []sample{{"12:00:00", 1}}, p.history(t, "/cell-2/current"), "entries without fault are stored")
}

// One invalid value keeps out its whole entry unless the request says otherwise
// (API reference of BatchPutAssetPropertyValue, enablePartialEntryProcessing).
func TestPartialEntryProcessing(t *testing.T) {
	p := newPlant(t)
	values := []types.AssetPropertyValue{value(noon, double(1), ""), value(noon.AddDate(0, 0, -8), double(2), "")}
	require.Len(t, p.batch(t, entry("e", "/cell-1/voltage", values...)), 1)
	assert.Empty(t, p.history(t, "/cell-1/voltage"))
	out, err := p.client.BatchPutAssetPropertyValue(t.Context(), &iotsitewise.BatchPutAssetPropertyValueInput{
		EnablePartialEntryProcessing: aws.Bool(true), Entries: []types.PutAssetPropertyValueEntry{entry("e", "/cell-1/voltage", values...)},
	})
	require.NoError(t, err)
	require.Len(t, out.ErrorEntries, 1)
	assert.Equal(t, []sample{{"12:00:00", 1}}, p.history(t, "/cell-1/voltage"))
}

func TestWholeRequestRefused(t *testing.T) {
	p := newPlant(t)
	good := value(noon, double(1), "")
	many := make([]types.PutAssetPropertyValueEntry, 11)
	for i := range many {
		many[i] = entry("e"+string(rune('a'+i)), "/cell-1/voltage", good)
	}
	full := make([]types.AssetPropertyValue, 11)
	for i := range full {
		full[i] = good
	}
	for name, entries := range map[string][]types.PutAssetPropertyValueEntry{
		"11 entries": many, "11 values": {entry("e", "/cell-1/voltage", full...)}, "an entryId twice": {entry("e", "/cell-1/voltage", good), entry("e", "/cell-2/voltage", good)},
	} {
		_, err := p.client.BatchPutAssetPropertyValue(t.Context(), &iotsitewise.BatchPutAssetPropertyValueInput{Entries: entries})
		_, ok := errors.AsType[*types.InvalidRequestException](err)
		assert.True(t, ok, "%s: %v", name, err)
	}
}

// The same time and quality overwrites; another quality stands beside it (API
// reference of BatchPutAssetPropertyValue).
func TestEqualTimestamps(t *testing.T) {
	p := newPlant(t)
	require.Empty(t, p.batch(t, entry("e", "/cell-1/voltage", value(noon, double(1), "GOOD"))))
	require.Empty(t, p.batch(t, entry("e", "/cell-1/voltage", value(noon, double(2), "GOOD"))))
	require.Empty(t, p.batch(t, entry("e", "/cell-1/voltage", value(noon, double(3), "BAD"))))
	assert.Equal(t, []sample{{"12:00:00", 2}, {"12:00:00", 3}}, p.history(t, "/cell-1/voltage"))
}

func TestEntriesAreAuthorizedOneByOne(t *testing.T) {
	p := newPlant(t)
	allowed := "arn:aws:iotsitewise:us-east-1:000000000000:asset/" + p.cells[0]
	p.server.Authorize(func(_ kernel.Principal, _ string, resources []string) error {
		if resources[0] != allowed {
			return kernel.Errorf(403, "AccessDeniedException", "no")
		}
		return nil
	})
	good := value(noon, double(1), "")
	errs := p.batch(t, entry("mine", "/cell-1/voltage", good), entry("theirs", "/cell-2/voltage", good))
	require.Len(t, errs, 1)
	assert.Equal(t, "theirs", *errs[0].EntryId)
	assert.Equal(t, types.BatchPutAssetPropertyValueErrorCodeAccessDeniedException, errs[0].Errors[0].ErrorCode)
	_, err := p.client.GetAssetPropertyValue(t.Context(), &iotsitewise.GetAssetPropertyValueInput{PropertyAlias: aws.String("/cell-2/voltage")})
	e, ok := errors.AsType[smithy.APIError](err)
	require.True(t, ok)
	assert.Equal(t, "AccessDeniedException", e.ErrorCode())
}

func TestValuesOutliveTheProcess(t *testing.T) {
	state := t.TempDir()
	first := start(t, state)
	first.deploy(t)
	first.put(t, "/cell-1/voltage", noon, 3, 4)
	first.put(t, "/cell-1/current", noon, 2, 2)

	second := start(t, state) // the first was not closed: a kill
	second.deploy(t)
	assert.Equal(t, first.cells, second.cells, "ids are the same in every run")
	assert.Equal(t, []sample{{"12:00:00", 3}, {"12:00:01", 4}}, second.history(t, "/cell-1/voltage"))
	assert.Equal(t, []sample{{"12:00:00", 6}, {"12:00:01", 8}}, second.history(t, "/cell-1/power"), "computed values follow from stored ones")
	assert.Len(t, second.history(t, "/cell-1/capacity"), 1, "a default value is stored once")
}
