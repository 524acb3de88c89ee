package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// A fileSet is what Custom::WorkspaceFiles asks for: these files, and no other
// that it asked for before.
type fileSet struct {
	Bucket string
	Files  []file
}

// A file is an object to copy.
type file struct {
	Key          string
	ContentType  string
	SourceBucket string
	SourceKey    string
}

func (s fileSet) check() error {
	if s.Bucket == "" {
		return errors.New("property Bucket is missing; expected the name of the workspace's bucket")
	}
	for i, f := range s.Files {
		for name, value := range map[string]string{"Key": f.Key, "ContentType": f.ContentType, "SourceBucket": f.SourceBucket, "SourceKey": f.SourceKey} {
			if value == "" {
				return fmt.Errorf("property Files[%d].%s is missing", i, name)
			}
		}
	}
	return nil
}

// workspaceFiles copies files, then deletes those that left the set, so that a
// scene never lacks a file. Files in another bucket are another resource.
func (h *handler) workspaceFiles(ctx context.Context, event cfn.Event) (string, error) {
	set, err := properties[fileSet](event.ResourceProperties)
	if err == nil {
		err = set.check()
	}
	if err != nil {
		// A creation that failed for its properties has nothing to delete.
		if event.RequestType == cfn.RequestDelete {
			return event.PhysicalResourceID, nil
		}
		return event.PhysicalResourceID, err
	}
	id := "workspace-files/" + set.Bucket
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, h.deleteFiles(ctx, set.Bucket, set.Files, nil)
	}
	for _, f := range set.Files {
		if err := h.retry(ctx, func() error { return h.files.Copy(ctx, set.Bucket, f) }); err != nil {
			return id, fmt.Errorf("copy s3://%s/%s to s3://%s/%s: %w", f.SourceBucket, f.SourceKey, set.Bucket, f.Key, err)
		}
	}
	if event.RequestType != cfn.RequestUpdate {
		return id, nil
	}
	old, err := properties[fileSet](event.OldResourceProperties)
	if err != nil {
		return id, fmt.Errorf("old %w", err)
	}
	if old.Bucket != set.Bucket {
		return id, nil // CloudFormation deletes the resource of the old bucket
	}
	return id, h.deleteFiles(ctx, set.Bucket, old.Files, set.Files)
}

// deleteFiles deletes the files that are not among those to keep.
func (h *handler) deleteFiles(ctx context.Context, bucket string, files, keep []file) error {
	kept := make(map[string]bool, len(keep))
	for _, f := range keep {
		kept[f.Key] = true
	}
	for _, f := range files {
		if kept[f.Key] {
			continue
		}
		if err := h.retry(ctx, func() error { return h.files.Delete(ctx, bucket, f.Key) }); err != nil {
			return fmt.Errorf("delete s3://%s/%s: %w", bucket, f.Key, err)
		}
	}
	return nil
}

// s3API is the part of *s3.Client that s3Files calls.
type s3API interface {
	CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
}

// s3Files implements files.
type s3Files struct{ api s3API }

func (s s3Files) Copy(ctx context.Context, bucket string, f file) error {
	_, err := s.api.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket:            aws.String(bucket),
		Key:               aws.String(f.Key),
		CopySource:        aws.String(f.SourceBucket + "/" + (&url.URL{Path: f.SourceKey}).EscapedPath()),
		ContentType:       aws.String(f.ContentType),
		MetadataDirective: types.MetadataDirectiveReplace,
		TaggingDirective:  types.TaggingDirectiveReplace, // reading tags would take another permission
	})
	return classify(err)
}

func (s s3Files) Delete(ctx context.Context, bucket, key string) error {
	_, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if _, gone := errors.AsType[*types.NoSuchBucket](err); gone {
		return nil
	}
	return classify(err)
}

// classify marks errors that trying again may overcome: a role's policy that
// does not hold everywhere yet, and what the service itself calls temporary.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if temporary[api.ErrorCode()] || api.ErrorFault() == smithy.FaultServer {
			return fmt.Errorf("%w: %w", errTransient, err)
		}
	}
	return err
}

// temporary are the error codes of services worth another try.
var temporary = map[string]bool{
	"AccessDenied":                  true,
	"AccessDeniedException":         true,
	"ConflictingOperationException": true,
	"InternalFailureException":      true,
	"LimitExceededException":        true,
	"ServiceUnavailableException":   true,
	"SlowDown":                      true,
	"ThrottlingException":           true,
}
