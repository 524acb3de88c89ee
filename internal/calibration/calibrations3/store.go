// Package calibrations3 keeps champions and artifacts of runs in an S3 bucket.
// docs/architecture.md describes its layout.
package calibrations3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/livetwin/livetwin/internal/calibration"
)

// api is the part of *s3.Client that a Store calls.
type api interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

var _ calibration.Store = (*Store)(nil)

// A Store is a bucket of calibrations.
type Store struct {
	api    api
	bucket string
}

// New returns the store in a bucket.
func New(api api, bucket string) *Store { return &Store{api: api, bucket: bucket} }

// swapAttempts bounds how often a conditional write is tried that S3 refused
// for another one in flight (409), not for its condition.
const swapAttempts = 5

// Champion implements calibration.Store. The revision is the object's ETag.
func (s *Store) Champion(ctx context.Context, key calibration.Key) (calibration.Champion, calibration.Revision, error) {
	place, err := championKey(key)
	if err != nil {
		return calibration.Champion{}, "", err
	}
	data, revision, err := s.get(ctx, place)
	if err != nil {
		return calibration.Champion{}, "", fmt.Errorf("read the champion of %s: %w", key, err)
	}
	var c calibration.Champion
	if err := json.Unmarshal(data, &c); err != nil {
		return calibration.Champion{}, "", fmt.Errorf("%w: s3://%s/%s is no champion: %w", calibration.ErrPermanent, s.bucket, place, err)
	}
	if err := c.Check(); err != nil {
		return calibration.Champion{}, "", err
	}
	if c.Key != key {
		return calibration.Champion{}, "", fmt.Errorf("%w: s3://%s/%s is the champion of %s: somebody copied it there; restore an older version of the object",
			calibration.ErrPermanent, s.bucket, place, c.Key)
	}
	return c, revision, nil
}

// SwapChampion implements calibration.Store with one conditional PutObject.
func (s *Store) SwapChampion(ctx context.Context, key calibration.Key, next calibration.Champion, old calibration.Revision) (calibration.Revision, error) {
	place, err := championKey(key)
	if err != nil {
		return "", err
	}
	if next.Key != key || next.WriteID == "" {
		return "", fmt.Errorf("%w: swap the champion of %s: the new one is of %s with write id %q; expected the same key and a write id",
			calibration.ErrPermanent, key, next.Key, next.WriteID)
	}
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return "", fmt.Errorf("%w: encode the champion of %s: %w", calibration.ErrPermanent, key, err)
	}
	put := &s3.PutObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(place), ContentType: aws.String("application/json"),
	}
	if old == "" {
		put.IfNoneMatch = aws.String("*")
	} else {
		put.IfMatch = aws.String(string(old))
	}
	for attempt := 1; ; attempt++ {
		put.Body = bytes.NewReader(append(data, '\n'))
		out, err := s.api.PutObject(ctx, put)
		if err == nil {
			return calibration.Revision(aws.ToString(out.ETag)), nil
		}
		if !refused(err) {
			return "", fmt.Errorf("swap the champion of %s: %w", key, err)
		}
		// Another write came first. It may be this one, if its answer was lost.
		now, revision, readErr := s.Champion(ctx, key)
		switch {
		case errors.Is(readErr, calibration.ErrNotFound):
			now, revision = calibration.Champion{}, ""
		case readErr != nil:
			return "", fmt.Errorf("swap the champion of %s, which failed with %w: %w", key, err, readErr)
		}
		if now.WriteID == next.WriteID {
			return revision, nil
		}
		if revision != old || attempt == swapAttempts {
			return "", fmt.Errorf("swap the champion of %s for generation %d: generation %d is there: %w",
				key, next.Generation, now.Generation, calibration.ErrConflict)
		}
	}
}

// refused reports whether S3 refused a conditional write: the condition does
// not hold (412, or 404 for an object that is gone), or another conditional
// write is in flight (409).
func refused(err error) bool {
	answer, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	switch answer.ErrorCode() {
	case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey":
		return true
	}
	return false
}

// PutArtifact implements calibration.Store. An object that holds the same
// bytes is left alone, so that a bucket with versions gets no new one.
func (s *Store) PutArtifact(ctx context.Context, key calibration.Key, run calibration.RunID, name string, data []byte) error {
	place, err := artifactKey(key, run, name)
	if err != nil {
		return err
	}
	put := &s3.PutObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(place), Body: bytes.NewReader(data), IfNoneMatch: aws.String("*"),
	}
	_, err = s.api.PutObject(ctx, put)
	if err == nil {
		return nil
	}
	if !refused(err) {
		return fmt.Errorf("store %s of run %s of %s: %w", name, run, key, err)
	}
	stored, _, err := s.get(ctx, place)
	switch {
	case err == nil && bytes.Equal(stored, data):
		return nil
	case err != nil && !errors.Is(err, calibration.ErrNotFound):
		return fmt.Errorf("compare %s of run %s of %s: %w", name, run, key, err)
	}
	put.Body, put.IfNoneMatch = bytes.NewReader(data), nil
	if _, err := s.api.PutObject(ctx, put); err != nil {
		return fmt.Errorf("store %s of run %s of %s: %w", name, run, key, err)
	}
	return nil
}

// Artifact implements calibration.Store.
func (s *Store) Artifact(ctx context.Context, key calibration.Key, run calibration.RunID, name string) ([]byte, error) {
	place, err := artifactKey(key, run, name)
	if err != nil {
		return nil, err
	}
	data, _, err := s.get(ctx, place)
	if err != nil {
		return nil, fmt.Errorf("read %s of run %s of %s: %w", name, run, key, err)
	}
	return data, nil
}

// get returns an object and its ETag, or calibration.ErrNotFound.
func (s *Store) get(ctx context.Context, place string) (data []byte, revision calibration.Revision, err error) {
	out, err := s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(place)})
	if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
		return nil, "", fmt.Errorf("%w: s3://%s/%s", calibration.ErrNotFound, s.bucket, place)
	}
	if err != nil {
		return nil, "", err
	}
	data, err = io.ReadAll(out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return nil, "", fmt.Errorf("read s3://%s/%s: %w", s.bucket, place, err)
	}
	return data, calibration.Revision(aws.ToString(out.ETag)), nil
}

// segment is what may stand between two slashes of a key: no name of a twin
// needs more, and none leads out of its folder.
var segment = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

func championKey(key calibration.Key) (string, error) {
	return join(key, "champion.json")
}

func artifactKey(key calibration.Key, run calibration.RunID, name string) (string, error) {
	return join(key, "runs", string(run), name)
}

func join(key calibration.Key, rest ...string) (string, error) {
	parts := append([]string{"calibrations", key.Asset, key.Calibration}, rest...)
	for _, part := range parts {
		if !segment.MatchString(part) {
			return "", fmt.Errorf("%w: %q cannot be a part of a key in S3; expected letters, digits, '-', '_' and '.'", calibration.ErrPermanent, part)
		}
	}
	return strings.Join(parts, "/"), nil
}
