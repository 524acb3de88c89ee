// Package deployed finds what a deployment of a twin left in an account: the
// names under /livetwin/{twin}/{stage}/ in SSM, and the definition that it was
// deployed with.
package deployed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrations3"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// ErrAbsent reports a twin that is not deployed where it was looked for.
var ErrAbsent = errors.New("not deployed")

// A Twin is a deployed twin.
type Twin struct {
	Name, Stage        string
	CalibrationsBucket string
	RunsTable          string
	StateMachine       string // ARN
	Workspace          string
	WorkspaceBucket    string
	Definition         definition.Definition

	config aws.Config
}

// Find looks a twin up. When it is not deployed in the account and region of
// cfg the error is ErrAbsent.
func Find(ctx context.Context, cfg aws.Config, name, stage string) (*Twin, error) {
	t := &Twin{Name: name, Stage: stage, config: cfg}
	var definitionURI string
	want := map[string]*string{
		"calibrations-bucket": &t.CalibrationsBucket, "runs-table": &t.RunsTable, "state-machine-arn": &t.StateMachine,
		"workspace-id": &t.Workspace, "workspace-bucket": &t.WorkspaceBucket, "definition-uri": &definitionURI,
	}
	folder := fmt.Sprintf("/livetwin/%s/%s/", name, stage)
	names := make([]string, 0, len(want))
	for _, n := range slices.Sorted(maps.Keys(want)) {
		names = append(names, folder+n)
	}
	res, err := ssm.NewFromConfig(cfg).GetParameters(ctx, &ssm.GetParametersInput{Names: names})
	if err != nil {
		return nil, fmt.Errorf("read SSM parameters %s*: %w", folder, err)
	}
	if missing := res.InvalidParameters; len(missing) > 0 {
		which := strings.Join(missing, ", ")
		if len(missing) == len(want) {
			which = folder + "*"
		}
		return nil, fmt.Errorf("%s as stage %s: %w: SSM has no parameter %s in region %s; deploy the twin there first (npx cdk deploy --all -c twin=FILE -c stage=%s), or name another twin or stage with --twin and --stage",
			name, stage, ErrAbsent, which, cfg.Region, stage)
	}
	for _, p := range res.Parameters {
		if field, ok := want[strings.TrimPrefix(aws.ToString(p.Name), folder)]; ok {
			*field = aws.ToString(p.Value)
		}
	}
	if t.Definition, err = readDefinition(ctx, s3.NewFromConfig(cfg), definitionURI); err != nil {
		return nil, err
	}
	return t, nil
}

// Config is the configuration that the twin was found with.
func (t *Twin) Config() aws.Config { return t.config }

// Store returns the twin's calibrations.
func (t *Twin) Store() calibration.Store {
	return calibrations3.New(s3.NewFromConfig(t.config), t.CalibrationsBucket)
}

// Check reports an asset or a calibration that the deployed twin does not have.
func (t *Twin) Check(key calibration.Key) error {
	c, ok := t.Definition.Calibration(key.Calibration)
	if !ok {
		names := make([]string, len(t.Definition.Calibrations))
		for i, c := range t.Definition.Calibrations {
			names[i] = c.Spec.Name
		}
		return fmt.Errorf("%s has no calibration %s: want one of %s", t.Name, key.Calibration, strings.Join(names, ", "))
	}
	if !slices.Contains(c.Assets, key.Asset) {
		return fmt.Errorf("calibration %s has no asset %s: want one of %s", key.Calibration, key.Asset, strings.Join(c.Assets, ", "))
	}
	return nil
}

// readDefinition reads the compiled twin at s3://bucket/key.
func readDefinition(ctx context.Context, api *s3.Client, uri string) (definition.Definition, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, cut := strings.Cut(rest, "/")
	if !ok || !cut {
		return definition.Definition{}, fmt.Errorf("SSM parameter definition-uri is %q: want s3://bucket/key; deploy the twin again", uri)
	}
	res, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return definition.Definition{}, fmt.Errorf("read the deployed definition %s: %w", uri, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return definition.Definition{}, fmt.Errorf("read the deployed definition %s: %w", uri, err)
	}
	d, err := definition.Parse(b)
	if err != nil {
		return definition.Definition{}, fmt.Errorf("the deployed definition %s: %w", uri, err)
	}
	return d, nil
}
