// Package executions3 keeps manifests and outcomes of executions in the
// bucket of calibrations. docs/architecture.md describes its layout.
package executions3

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/execution"
)

// concurrency is how many outcomes are read at once: ten thousand of them, at
// 20 ms each, in about six seconds.
const concurrency = 32

// api is the part of *s3.Client that a Store calls.
type api interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

var _ execution.Store = (*Store)(nil)

// A Store is a bucket of executions.
type Store struct {
	api    api
	bucket string
}

// New returns the store in a bucket.
func New(api api, bucket string) *Store { return &Store{api: api, bucket: bucket} }

// PutManifest implements execution.Store.
func (s *Store) PutManifest(ctx context.Context, name string, m execution.Manifest) (string, error) {
	key, err := execution.ManifestKey(name)
	if err := cmp.Or(err, m.Check()); err != nil {
		return "", err
	}
	return key, s.put(ctx, key, m)
}

// Manifest implements execution.Store.
func (s *Store) Manifest(ctx context.Context, key string) (execution.Manifest, error) {
	if _, err := execution.Of(key); err != nil {
		return execution.Manifest{}, err
	}
	m, err := get[execution.Manifest](ctx, s, key)
	if err != nil {
		return m, err
	}
	if err := m.Check(); err != nil {
		return m, fmt.Errorf("s3://%s/%s: %w", s.bucket, key, err)
	}
	return m, nil
}

// PutOutcome implements execution.Store.
func (s *Store) PutOutcome(ctx context.Context, manifest string, index int, o calibration.Outcome) error {
	key, err := execution.OutcomeKey(manifest, index)
	if err := cmp.Or(err, execution.CheckOutcome(o)); err != nil {
		return err
	}
	return s.put(ctx, key, o)
}

// Outcome implements execution.Store.
func (s *Store) Outcome(ctx context.Context, manifest string, index int) (calibration.Outcome, error) {
	key, err := execution.OutcomeKey(manifest, index)
	if err != nil {
		return calibration.Outcome{}, err
	}
	return s.outcome(ctx, key)
}

func (s *Store) outcome(ctx context.Context, key string) (calibration.Outcome, error) {
	o, err := get[calibration.Outcome](ctx, s, key)
	if err != nil {
		return o, err
	}
	if err := execution.CheckOutcome(o); err != nil {
		return o, fmt.Errorf("s3://%s/%s: %w", s.bucket, key, err)
	}
	return o, nil
}

// Outcomes implements execution.Store.
func (s *Store) Outcomes(ctx context.Context, manifest string) (map[int]calibration.Outcome, error) {
	prefix, err := execution.OutcomePrefix(manifest)
	if err != nil {
		return nil, err
	}
	var (
		mu       sync.Mutex
		outcomes = make(map[int]calibration.Outcome)
	)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	err = s.list(groupCtx, prefix, func(key string) error {
		index, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(key, prefix), ".json"))
		if own, keyErr := execution.OutcomeKey(manifest, index); err != nil || keyErr != nil || own != key {
			return fmt.Errorf("%w: s3://%s/%s is no outcome: only jobs write into this folder", execution.ErrInvalid, s.bucket, key)
		}
		group.Go(func() error {
			o, err := s.outcome(groupCtx, key)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[index] = o
			return nil
		})
		return nil
	})
	// The first error of a reader cancels the listing: it is the one to tell.
	if err := cmp.Or(group.Wait(), err); err != nil {
		return nil, err
	}
	return outcomes, nil
}

// list calls visit for every key with a prefix.
func (s *Store) list(ctx context.Context, prefix string, visit func(key string) error) error {
	in := &s3.ListObjectsV2Input{Bucket: aws.String(s.bucket), Prefix: aws.String(prefix)}
	for {
		page, err := s.api.ListObjectsV2(ctx, in)
		if err != nil {
			return fmt.Errorf("list s3://%s/%s: %w", s.bucket, prefix, err)
		}
		for _, object := range page.Contents {
			if err := visit(aws.ToString(object.Key)); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		in.ContinuationToken = page.NextContinuationToken
	}
}

func (s *Store) put(ctx context.Context, key string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	_, err = s.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(key), ContentType: aws.String("application/json"),
		Body: bytes.NewReader(append(data, '\n')),
	})
	if err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", s.bucket, key, err)
	}
	return nil
}

func get[T any](ctx context.Context, s *Store, key string) (v T, err error) {
	out, err := s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(key)})
	if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
		return v, fmt.Errorf("%w: s3://%s/%s", execution.ErrNotFound, s.bucket, key)
	}
	if err != nil {
		return v, fmt.Errorf("read s3://%s/%s: %w", s.bucket, key, err)
	}
	data, err := io.ReadAll(out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return v, fmt.Errorf("read s3://%s/%s: %w", s.bucket, key, err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%w: s3://%s/%s: %w", execution.ErrInvalid, s.bucket, key, err)
	}
	return v, nil
}
