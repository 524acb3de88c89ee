package main_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

const data = "data-123456789012-blue"

// code returns the error code of an AWS error.
func code(t *testing.T, err error) string {
	t.Helper()
	var e smithy.APIError
	require.ErrorAs(t, err, &e)
	return e.ErrorCode()
}

// reader returns the configuration of clients that play the role reader.
func reader(t *testing.T, e *awslocaltest.Endpoint) aws.Config {
	t.Helper()
	out, err := sts.NewFromConfig(e.Config()).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/reader"), RoleSessionName: aws.String("test"), ExternalId: aws.String("sesame"),
	})
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:sts::123456789012:assumed-role/reader/test", *out.AssumedRoleUser.Arn)
	c := out.Credentials
	return e.ConfigOf(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

func put(t *testing.T, c *s3.Client, key, body string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(data), Key: &key, Body: strings.NewReader(body)})
	require.NoError(t, err)
}

func get(t *testing.T, c *s3.Client, bucket, key string) (string, error) {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

func TestS3(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))
	operator := s3.NewFromConfig(e.Config())
	role := s3.NewFromConfig(reader(t, e))

	t.Run("assets are where cdk deploy puts them", func(t *testing.T) {
		const assets = "cdk-hnb659fds-assets-123456789012-eu-west-1"
		text, err := get(t, operator, assets, "d0c.txt")
		require.NoError(t, err)
		assert.Equal(t, "read me\n", text)
		zipped, err := get(t, operator, assets, "2ip.zip")
		require.NoError(t, err, "a template refers to it")
		assert.True(t, strings.HasPrefix(zipped, "PK"))
		_, err = get(t, operator, assets, "f00.zip")
		assert.Equal(t, "NoSuchKey", code(t, err), "code runs from its folder")
	})

	t.Run("a role may do what its policy says", func(t *testing.T) {
		put(t, operator, "open/a", "hello")
		put(t, operator, "shut/a", "secret")
		text, err := get(t, role, data, "open/a")
		require.NoError(t, err)
		assert.Equal(t, "hello", text)

		_, err = get(t, role, data, "shut/a")
		require.Equal(t, "AccessDenied", code(t, err))
		require.ErrorContains(t, err, "User: arn:aws:sts::123456789012:assumed-role/reader/test is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::"+data+"/shut/a because no identity-based policy allows the s3:GetObject action")

		_, err = role.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(data), Key: aws.String("open/b"), Body: strings.NewReader("x")})
		require.Equal(t, "AccessDenied", code(t, err))
		_, err = get(t, operator, data, "open/b")
		assert.Equal(t, "NoSuchKey", code(t, err), "what is denied is not done")
	})

	t.Run("who may not list does not learn what is missing", func(t *testing.T) {
		_, err := get(t, role, data, "open/missing")
		require.Equal(t, "AccessDenied", code(t, err))
		require.ErrorContains(t, err, "s3:ListBucket")
	})

	t.Run("a copy needs both sides", func(t *testing.T) {
		_, err := role.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(data), Key: aws.String("open/copy"), CopySource: aws.String(data + "/open/a")})
		require.Equal(t, "AccessDenied", code(t, err))
		require.ErrorContains(t, err, "s3:PutObject")
		_, err = operator.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(data), Key: aws.String("copy of/ä b"), CopySource: aws.String(data + "/open/a")})
		require.NoError(t, err)
		text, err := get(t, operator, data, "copy of/ä b")
		require.NoError(t, err)
		assert.Equal(t, "hello", text)
	})

	t.Run("a bucket's deny binds everybody", func(t *testing.T) {
		put(t, operator, "keep/a", "x")
		_, err := operator.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(data), Key: aws.String("keep/a")})
		require.Equal(t, "AccessDenied", code(t, err))
		require.ErrorContains(t, err, "with an explicit deny in a resource-based policy")
		_, err = operator.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(data), Delete: &types.Delete{
			Objects: []types.ObjectIdentifier{{Key: aws.String("open/a")}, {Key: aws.String("keep/a")}},
		}})
		require.Equal(t, "AccessDenied", code(t, err))
	})

	t.Run("one of many writers wins", func(t *testing.T) {
		put(t, operator, "champion", "0")
		head, err := operator.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(data), Key: aws.String("champion")})
		require.NoError(t, err)
		var mu sync.Mutex
		var wg sync.WaitGroup
		won := 0
		for i := range 8 {
			wg.Go(func() {
				_, err := operator.PutObject(t.Context(), &s3.PutObjectInput{
					Bucket: aws.String(data), Key: aws.String("champion"), Body: strings.NewReader(strings.Repeat("x", i+1)), IfMatch: head.ETag,
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else {
					assert.Contains(t, []string{"PreconditionFailed", "ConditionalRequestConflict"}, code(t, err))
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, won)
	})

	t.Run("large objects in parts", func(t *testing.T) {
		made, err := operator.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(data), Key: aws.String("large")})
		require.NoError(t, err)
		var parts []types.CompletedPart
		for n := range int32(2) {
			part, err := operator.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: aws.String(data), Key: aws.String("large"), UploadId: made.UploadId, PartNumber: aws.Int32(n + 1),
				Body: bytes.NewReader(bytes.Repeat([]byte{byte(n)}, 5<<20)), // Expect: 100-continue from 2 MB on
			})
			require.NoError(t, err)
			parts = append(parts, types.CompletedPart{ETag: part.ETag, PartNumber: aws.Int32(n + 1), ChecksumCRC32: part.ChecksumCRC32})
		}
		_, err = operator.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: aws.String(data), Key: aws.String("large"), UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		require.NoError(t, err)
		text, err := get(t, operator, data, "large")
		require.NoError(t, err)
		assert.Len(t, text, 10<<20)
	})

	t.Run("versions", func(t *testing.T) {
		put(t, operator, "v", "one")
		put(t, operator, "v", "two")
		list, err := operator.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(data), Prefix: aws.String("v")})
		require.NoError(t, err)
		assert.Len(t, list.Versions, 2)
	})

	t.Run("presigned URLs carry the signer's rights", func(t *testing.T) {
		sign := func(c *s3.Client, key string) string {
			request, err := s3.NewPresignClient(c).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(data), Key: &key}, s3.WithPresignExpires(time.Minute))
			require.NoError(t, err)
			return request.URL
		}
		fetch := func(url string) (int, string) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.StatusCode, string(b)
		}
		status, body := fetch(sign(role, "open/a"))
		assert.Equal(t, http.StatusOK, status, body)
		assert.Equal(t, "hello", body)
		status, body = fetch(sign(role, "shut/a"))
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, body, "AccessDenied")
		status, body = fetch(strings.Replace(sign(operator, "open/a"), "open/a", "shut/a", 1))
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, body, "SignatureDoesNotMatch")
	})

	t.Run("a stream of unknown content in signed chunks", func(t *testing.T) {
		_, err := operator.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(data), Key: aws.String("stream"), Body: io.MultiReader(strings.NewReader("streamed")), ContentLength: aws.Int64(8),
		}, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
		require.NoError(t, err)
		text, err := get(t, operator, data, "stream")
		require.NoError(t, err)
		assert.Equal(t, "streamed", text)
	})

	t.Run("what is not implemented is refused by name", func(t *testing.T) {
		_, err := operator.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(data)})
		require.Equal(t, "NotImplemented", code(t, err))
		require.ErrorContains(t, err, "GET /"+data+"?lifecycle")
	})

	t.Run("a browser asks first", func(t *testing.T) {
		for origin, want := range map[string]int{"https://example.com": http.StatusOK, "https://example.org": http.StatusForbidden} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, e.Endpoint+"/"+data+"/open/a", nil)
			require.NoError(t, err)
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", http.MethodGet)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, want, resp.StatusCode, origin)
		}
	})
}
