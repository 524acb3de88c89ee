package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Idle are the properties of a bucket that do nothing locally, with the reason.
var Idle = map[string]string{
	"LifecycleConfiguration":    "objects do not expire here",
	"NotificationConfiguration": "no event is sent for an object",
	"LoggingConfiguration":      "no access log is written",
}

// Provides implements kernel.Provider.
func (s *S3) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::S3::Bucket":       s.createBucket,
		"AWS::S3::BucketPolicy": s.createBucketPolicy,
	}
}

type corsRule struct {
	AllowedHeaders, AllowedMethods, AllowedOrigins, ExposedHeaders []string
	ID                                                             string `json:"Id"`
	MaxAge                                                         *template.Int
}

func (s *S3) createBucket(ctx context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		BucketName              string
		VersioningConfiguration struct{ Status string }
		CorsConfiguration       struct{ CorsRules []corsRule }

		LifecycleConfiguration, NotificationConfiguration, LoggingConfiguration template.Ignored // see Idle

		AccessControl, BucketEncryption, OwnershipControls, PublicAccessBlockConfiguration, Tags template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	name := p.BucketName
	if name == "" {
		name = strings.ToLower(template.Name(r, "", 63))
	}
	if !bucketName.MatchString(name) {
		return kernel.Physical{}, template.Errorf(r, "BucketName %q: expected 3 to 63 lower-case letters, digits, dots and hyphens", name)
	}
	if err := s.EnsureBucket(ctx, name); err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	if status := p.VersioningConfiguration.Status; status != "" {
		if _, err := s.client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatus(status)},
		}); err != nil {
			return kernel.Physical{}, template.Errorf(r, "set the versioning: %w", err)
		}
	}
	if len(p.CorsConfiguration.CorsRules) > 0 {
		if _, err := s.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &name, CORSConfiguration: cors(p.CorsConfiguration.CorsRules)}); err != nil {
			return kernel.Physical{}, template.Errorf(r, "set the CORS rules: %w", err)
		}
	}
	return kernel.Physical{Ref: name, Attributes: map[string]any{
		"Arn":                 bucketARN(name),
		"DomainName":          name + ".s3.amazonaws.com",
		"RegionalDomainName":  name + ".s3." + s.config.Region + ".amazonaws.com",
		"DualStackDomainName": name + ".s3.dualstack." + s.config.Region + ".amazonaws.com",
	}}, nil
}

func cors(rules []corsRule) *types.CORSConfiguration {
	out := &types.CORSConfiguration{}
	for _, r := range rules {
		rule := types.CORSRule{
			AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods,
			AllowedOrigins: r.AllowedOrigins, ExposeHeaders: r.ExposedHeaders,
		}
		if r.ID != "" {
			rule.ID = &r.ID
		}
		if r.MaxAge != nil {
			seconds := int32(*r.MaxAge) //nolint:gosec // seconds; the engine checks the range
			rule.MaxAgeSeconds = &seconds
		}
		out.CORSRules = append(out.CORSRules, rule)
	}
	return out
}

// EnsureBucket creates a bucket unless it exists.
func (s *S3) EnsureBucket(ctx context.Context, name string) error {
	_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	if _, mine := errors.AsType[*types.BucketAlreadyOwnedByYou](err); err != nil && !mine {
		return fmt.Errorf("create the bucket %s: %w", name, err)
	}
	return nil
}

func (s *S3) createBucketPolicy(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Bucket         string
		PolicyDocument json.RawMessage
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if err := s.config.Policies.SetResourcePolicy(bucketARN(p.Bucket), p.PolicyDocument); err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	return kernel.Physical{Ref: p.Bucket}, nil
}
