// Package definitions3 reads the compiled twin from where deployment put it in S3.
package definitions3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// api is the part of *s3.Client that Load calls.
type api interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Load returns the definition of the twin that is stored at an object. A
// document that cannot be read, or that describes another twin, is a permanent
// error: deployment and program do not fit.
func Load(ctx context.Context, api api, at env.Object, twin string) (definition.Definition, error) {
	out, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(at.Bucket), Key: aws.String(at.Key)})
	if err != nil {
		return definition.Definition{}, fmt.Errorf("read the twin's definition from %s: %w", at, err)
	}
	data, err := io.ReadAll(out.Body)
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return definition.Definition{}, fmt.Errorf("read the twin's definition from %s: %w", at, err)
	}
	d, err := definition.Parse(data)
	if err != nil {
		return definition.Definition{}, step.Permanentf("the twin's definition at %s: %w", at, err)
	}
	if d.Twin != twin {
		return definition.Definition{}, step.Permanentf("the definition at %s is of twin %q, but %s is %q: deploy the twin again", at, d.Twin, env.Twin, twin)
	}
	return d, nil
}
