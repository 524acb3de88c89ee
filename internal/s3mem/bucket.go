// Package s3mem is the part of an S3 client that our adapters call, in memory,
// for tests: strongly consistent, with conditional writes as S3 does them.
package s3mem

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- an ETag is one
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// A Client keeps objects of any number of buckets. The zero Client is empty;
// it is safe for concurrent use.
type Client struct {
	// PageSize is how many keys a page of ListObjectsV2 holds: 1000 when zero.
	PageSize int
	// Fault, when set, is asked after every operation (PutObject, GetObject,
	// ListObjectsV2) has taken effect; its error is returned in place of the
	// answer, as if the answer was lost.
	Fault func(operation, key string) error
	// Before, when set, is called before every operation takes effect.
	Before func(operation, key string) error

	mu      sync.Mutex
	objects map[string][]byte // by bucket/key
	writes  map[string]int
}

// Objects returns the keys of a bucket and what they hold.
func (c *Client) Objects(bucket string) map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	objects := make(map[string][]byte)
	for name, data := range c.objects {
		if key, ok := strings.CutPrefix(name, bucket+"/"); ok {
			objects[key] = slices.Clone(data)
		}
	}
	return objects
}

// Writes returns how often a key was written.
func (c *Client) Writes(bucket, key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes[bucket+"/"+key]
}

// Set stores an object.
func (c *Client) Set(bucket, key string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(bucket+"/"+key, data)
}

func (c *Client) set(name string, data []byte) {
	if c.objects == nil {
		c.objects, c.writes = make(map[string][]byte), make(map[string]int)
	}
	c.objects[name] = slices.Clone(data)
	c.writes[name]++
}

func (c *Client) before(ctx context.Context, operation, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.Before != nil {
		return c.Before(operation, key)
	}
	return nil
}

func (c *Client) after(operation, key string) error {
	if c.Fault != nil {
		return c.Fault(operation, key)
	}
	return nil
}

// PutObject does what S3 does with a body and the conditions If-Match and If-None-Match: *.
func (c *Client) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if err := c.before(ctx, "PutObject", *in.Key); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	name := *in.Bucket + "/" + *in.Key
	c.mu.Lock()
	old, exists := c.objects[name]
	switch {
	case in.IfNoneMatch != nil && exists, in.IfMatch != nil && exists && *in.IfMatch != etag(old):
		err = &smithy.GenericAPIError{Code: "PreconditionFailed", Message: "At least one of the pre-conditions you specified did not hold", Fault: smithy.FaultClient}
	case in.IfMatch != nil && !exists:
		err = &types.NoSuchKey{Message: aws.String("The specified key does not exist.")}
	default:
		c.set(name, data)
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := c.after("PutObject", *in.Key); err != nil {
		return nil, err
	}
	return &s3.PutObjectOutput{ETag: aws.String(etag(data))}, nil
}

// GetObject returns an object or NoSuchKey.
func (c *Client) GetObject(ctx context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	if err := c.before(ctx, "GetObject", *in.Key); err != nil {
		return nil, err
	}
	c.mu.Lock()
	data, exists := c.objects[*in.Bucket+"/"+*in.Key]
	c.mu.Unlock()
	if !exists {
		return nil, &types.NoSuchKey{Message: aws.String("The specified key does not exist.")}
	}
	if err := c.after("GetObject", *in.Key); err != nil {
		return nil, err
	}
	return &s3.GetObjectOutput{
		Body: io.NopCloser(bytes.NewReader(data)), ETag: aws.String(etag(data)), ContentLength: aws.Int64(int64(len(data))),
	}, nil
}

// ListObjectsV2 lists keys with a prefix, a page at a time.
func (c *Client) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, _ ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	prefix := aws.ToString(in.Prefix)
	if err := c.before(ctx, "ListObjectsV2", prefix); err != nil {
		return nil, err
	}
	size := c.PageSize
	if size == 0 {
		size = 1000
	}
	out := &s3.ListObjectsV2Output{IsTruncated: aws.Bool(false)}
	objects := c.Objects(*in.Bucket)
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if !strings.HasPrefix(key, prefix) || key <= aws.ToString(in.ContinuationToken) {
			continue
		}
		if len(out.Contents) == size {
			out.IsTruncated, out.NextContinuationToken = aws.Bool(true), out.Contents[size-1].Key
			break
		}
		out.Contents = append(out.Contents, types.Object{Key: aws.String(key), Size: aws.Int64(int64(len(objects[key]))), ETag: aws.String(etag(objects[key]))})
	}
	return out, c.after("ListObjectsV2", prefix)
}

func etag(data []byte) string {
	sum := md5.Sum(data) // #nosec G401 -- an ETag is one
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
