package main

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	sitewise "github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type fakeS3 struct {
	copied *s3.CopyObjectInput
	err    error
}

func (f *fakeS3) CopyObject(_ context.Context, in *s3.CopyObjectInput, _ ...func(*s3.Options)) (*s3.CopyObjectOutput, error) {
	f.copied = in
	return &s3.CopyObjectOutput{}, f.err
}

func (f *fakeS3) DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error) {
	return &s3.DeleteObjectOutput{}, f.err
}

func TestCopyReplacesMetadata(t *testing.T) {
	api := &fakeS3{}
	err := s3Files{api}.Copy(t.Context(), "workspace", file{Key: "scenes/a b.glb", ContentType: "model/gltf-binary", SourceBucket: "assets", SourceKey: "a b+c.glb"})
	require.NoError(t, err)
	assert.Equal(t, "assets/a%20b+c.glb", *api.copied.CopySource)
	assert.Equal(t, "model/gltf-binary", *api.copied.ContentType)
	assert.Equal(t, types.MetadataDirectiveReplace, api.copied.MetadataDirective, "else S3 keeps the content type of the source")
}

func TestErrorsOfS3(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied", Fault: smithy.FaultClient}
	missing := &smithy.GenericAPIError{Code: "NoSuchKey", Fault: smithy.FaultClient}
	down := &smithy.GenericAPIError{Code: "Whatever", Fault: smithy.FaultServer}
	require.ErrorIs(t, s3Files{&fakeS3{err: denied}}.Copy(t.Context(), "b", file{}), errTransient)
	require.ErrorIs(t, s3Files{&fakeS3{err: down}}.Copy(t.Context(), "b", file{}), errTransient)
	require.NotErrorIs(t, s3Files{&fakeS3{err: missing}}.Copy(t.Context(), "b", file{}), errTransient)
	assert.NoError(t, s3Files{&fakeS3{err: &types.NoSuchBucket{}}}.Delete(t.Context(), "b", "k"), "the bucket went first")
}

type fakeSiteWise struct {
	got    *iotsitewise.BatchPutAssetPropertyValueInput
	answer *iotsitewise.BatchPutAssetPropertyValueOutput
}

func (f *fakeSiteWise) BatchPutAssetPropertyValue(_ context.Context, in *iotsitewise.BatchPutAssetPropertyValueInput, _ ...func(*iotsitewise.Options)) (*iotsitewise.BatchPutAssetPropertyValueOutput, error) {
	f.got = in
	return f.answer, nil
}

func (f *fakeSiteWise) DescribeAsset(_ context.Context, in *iotsitewise.DescribeAssetInput, _ ...func(*iotsitewise.Options)) (*iotsitewise.DescribeAssetOutput, error) {
	if *in.AssetId != "externalId:battery-storage-local-cell-1" {
		return nil, &sitewise.ResourceNotFoundException{}
	}
	return &iotsitewise.DescribeAssetOutput{AssetLastUpdateDate: aws.Time(time.Unix(7, 0))}, nil
}

func TestUpdatedAsksByExternalID(t *testing.T) {
	at, err := siteWiseValues{&fakeSiteWise{}}.Updated(t.Context(), "battery-storage-local-cell-1")
	require.NoError(t, err)
	assert.Equal(t, time.Unix(7, 0), at)
	_, err = siteWiseValues{&fakeSiteWise{}}.Updated(t.Context(), "battery-storage-local-cell-9")
	require.ErrorContains(t, err, "describe asset battery-storage-local-cell-9")
}

func TestPutMapsRefusalsToValues(t *testing.T) {
	refusal := func(entry string, code sitewise.BatchPutAssetPropertyValueErrorCode) sitewise.BatchPutAssetPropertyErrorEntry {
		return sitewise.BatchPutAssetPropertyErrorEntry{EntryId: aws.String(entry), Errors: []sitewise.BatchPutAssetPropertyError{{ErrorCode: code, ErrorMessage: aws.String("why")}}}
	}
	api := &fakeSiteWise{answer: &iotsitewise.BatchPutAssetPropertyValueOutput{ErrorEntries: []sitewise.BatchPutAssetPropertyErrorEntry{
		refusal("0", sitewise.BatchPutAssetPropertyValueErrorCodeThrottlingException),
		refusal("2", sitewise.BatchPutAssetPropertyValueErrorCodeResourceNotFoundException),
		refusal("3", sitewise.BatchPutAssetPropertyValueErrorCodeInvalidRequestException),
		refusal("4", sitewise.BatchPutAssetPropertyValueErrorCodeTimestampOutOfRangeException),
	}}}
	at := time.Date(2026, 1, 2, 3, 0, 0, 5, time.UTC)
	refused, err := siteWiseValues{api}.Put(t.Context(), at, []value{
		{Alias: "/t/a/x", Type: "DOUBLE", Value: "2.5"},
		{Alias: "/t/b/x", Type: "INTEGER", Value: "7"},
		{Alias: "/t/c/x", Type: "BOOLEAN", Value: "true"},
		{Alias: "/t/d/x", Type: "STRING", Value: "R-1"},
		{Alias: "/t/e/x", Type: "STRING", Value: "R-2"},
	})
	require.NoError(t, err)
	require.Len(t, refused, 4)
	require.ErrorIs(t, refused[0], errTransient)
	require.ErrorIs(t, refused[2], errGone)
	require.ErrorIs(t, refused[4], errClock)
	require.EqualError(t, refused[3], "InvalidRequestException: why")

	require.Len(t, api.got.Entries, 5)
	first := api.got.Entries[0]
	assert.Equal(t, "/t/a/x", *first.PropertyAlias)
	assert.Equal(t, at.Unix(), *first.PropertyValues[0].Timestamp.TimeInSeconds)
	assert.Equal(t, int32(5), *first.PropertyValues[0].Timestamp.OffsetInNanos)
	assert.InDelta(t, 2.5, *first.PropertyValues[0].Value.DoubleValue, 0)
	assert.Equal(t, int32(7), *api.got.Entries[1].PropertyValues[0].Value.IntegerValue)
	assert.True(t, *api.got.Entries[2].PropertyValues[0].Value.BooleanValue)
	assert.Equal(t, "R-1", *api.got.Entries[3].PropertyValues[0].Value.StringValue)
}

func TestAnAnswerThatNamesNoEntryIsAnError(t *testing.T) {
	api := &fakeSiteWise{answer: &iotsitewise.BatchPutAssetPropertyValueOutput{ErrorEntries: []sitewise.BatchPutAssetPropertyErrorEntry{{EntryId: aws.String("9")}}}}
	_, err := siteWiseValues{api}.Put(t.Context(), time.Unix(0, 0), []value{{Alias: "/t/a/x", Type: "STRING", Value: "x"}})
	assert.ErrorContains(t, err, `unknown entry "9"`)
}
