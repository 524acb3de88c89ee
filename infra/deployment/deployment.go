// Package deployment holds what every stack of one deployment shares: the
// compiled twin, the stage, and the names that follow from them. Stacks refer
// to each other's resources by these names only, so that each can change, or be
// deployed, on its own (docs/decisions/0002).
package deployment

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/livetwin/livetwin/infra/stage"
	"github.com/livetwin/livetwin/internal/twin"
)

// A Deployment is one twin on one stage.
type Deployment struct {
	Twin  *twin.Compiled
	Stage stage.Stage
	// Build is the folder of built functions and images (build), and of the
	// files that synthesis writes.
	Build string
}

// Names of what stacks refer to across their borders.
const (
	CalibrationsBucket = "calibrations"
	WorkspaceBucket    = "workspace"
	LogsBucket         = "logs"
	RunsTable          = "runs"
	AlarmTopic         = "alarms"
)

// Prefix is {twin}-{stage}; the name of every resource begins with it.
func (d Deployment) Prefix() string { return d.Twin.Name + "-" + d.Stage.Name }

// Name returns the name of a resource: the prefix and what.
func (d Deployment) Name(what string) string { return d.Prefix() + "-" + what }

// Bucket returns the name of a bucket. Bucket names are global: eight digits of
// a hash of account and region keep them apart.
func (d Deployment) Bucket(what string) string {
	sum := sha256.Sum256([]byte(d.Stage.Account + "/" + d.Stage.Region))
	return d.Name(what) + "-" + hex.EncodeToString(sum[:4])
}

// Parameter returns the name of an SSM parameter.
func (d Deployment) Parameter(what string) string {
	return "/livetwin/" + d.Twin.Name + "/" + d.Stage.Name + "/" + what
}

// ARN returns the ARN of a resource in the deployment's account and region.
func (d Deployment) ARN(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, d.Stage.Region, d.Stage.Account, resource)
}

// BucketARN returns the ARN of a bucket by what it holds; keys are added to it.
func (d Deployment) BucketARN(what string, keys ...string) string {
	arn := "arn:aws:s3:::" + d.Bucket(what)
	return strings.Join(append([]string{arn}, keys...), "/")
}

// FunctionARN returns the ARN of a function by its folder, such as
// connector-calibration.
func (d Deployment) FunctionARN(folder string) string {
	return d.ARN("lambda", "function:"+d.Name(folder))
}

// Lambda returns the folder that holds a function's bootstrap for the stage's
// processor.
func (d Deployment) Lambda(name string) string { return d.built("lambda", name) }

// Image returns the folder of a container image for the stage's processor.
func (d Deployment) Image(name string) string { return d.built("image", name) }

func (d Deployment) built(kind, name string) string {
	if d.Stage.Architecture == stage.ARM {
		kind += "-arm64"
	}
	return filepath.Join(d.Build, kind, name)
}

// Longest names: what the services allow.
const (
	maxFunctionName = 64
	maxBucketName   = 63
	maxScheduleName = 64
)

// Check returns everything that keeps the twin from being deployed on this
// stage though both are valid by themselves.
func (d Deployment) Check() error {
	var errs []error
	tooLong := func(kind, name string, limit int) {
		if len(name) > limit {
			errs = append(errs, fmt.Errorf("twin %s on stage %s: the %s's name %q has %d characters and AWS allows %d; shorten the twin's name by %d",
				d.Twin.Name, d.Stage.Name, kind, name, len(name), limit, len(name)-limit))
		}
	}
	tooLong("function", d.Name("complete-deployment-telemetry"), maxFunctionName)
	for _, source := range d.Twin.Connectors {
		tooLong("function", d.Name("connector-"+source), maxFunctionName)
	}
	tooLong("bucket", d.Bucket(CalibrationsBucket), maxBucketName)
	for _, c := range d.Twin.Definition.Calibrations {
		tooLong("schedule", c.Spec.Name, maxScheduleName)
	}
	return errors.Join(errs...)
}
