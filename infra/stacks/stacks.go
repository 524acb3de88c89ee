// Package stacks holds the stacks of a deployment, one file each, in the order
// in which they are deployed: telemetry, recalibration, connectors, twin.
//
// No stack takes an export from another one. What must be the same on both
// sides is a name that follows from twin and stage, or, where only deployment
// knows it (the ids of SiteWise), an SSM parameter (docs/decisions/0002).
package stacks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/deployment"
)

var s = jsii.String

// Check returns everything that keeps a twin from being deployed, before
// anything is synthesised.
func Check(d deployment.Deployment) error {
	errs := []error{d.Check()}
	for _, source := range d.Twin.Connectors {
		if _, ok := connectors[source]; !ok {
			errs = append(errs, fmt.Errorf("connectors: %s: there is no such data connector; expected one of %s", source, strings.Join(connectorNames(), ", ")))
		}
	}
	for _, typ := range d.Twin.ComponentTypes {
		if typ.Connector != "" {
			if _, ok := connectors[typ.Connector]; !ok {
				errs = append(errs, fmt.Errorf("component type %s: its values come from the data connector %q, which does not exist", typ.ID, typ.Connector))
			}
		}
	}
	_, rings := waits(d.Twin.Entities)
	return errors.Join(append(errs, rings...)...)
}

// Guard adds what holds for every stack of an app: the AwsSolutions rules of
// cdk-nag, whose findings are errors.
func Guard(app awscdk.App) {
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true), Reports: jsii.Bool(false)}), nil)
}

// parameter stores a value where the CLI, the page and other stacks find it.
func parameter(scope constructs.Construct, d deployment.Deployment, what string, value *string, description string) {
	awsssm.NewStringParameter(scope, s(ownID("Parameter", what)), &awsssm.StringParameterProps{
		ParameterName: s(d.Parameter(what)),
		StringValue:   value,
		Description:   s(description),
	})
}

var notAlphanumeric = regexp.MustCompile(`[^A-Za-z0-9]+`)

// ownID makes a construct's id of a kind and a name of ours, such as a
// connector's.
func ownID(kind, name string) string {
	parts := notAlphanumeric.Split(name, -1)
	for i, part := range parts {
		if part != "" {
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return kind + strings.Join(parts, "")
}

// twinID makes a construct's id of a kind and a name that the twin chose. The
// logical id that follows from it has letters and digits only: a hash of the
// name keeps cell-1 and cell1 apart, and does not change when the other comes.
func twinID(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return ownID(kind, name) + strings.ToUpper(hex.EncodeToString(sum[:4]))
}

// writeFile writes a file that an asset is made of below build/twin, and
// returns its path.
func writeFile(d deployment.Deployment, name string, data []byte) (string, error) {
	path := filepath.Join(d.Build, "twin", d.Prefix(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("write %s for deployment: %w", name, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("write %s for deployment: %w", name, err)
	}
	return path, nil
}

// siteWise are the ARN patterns of every asset and series of the account.
func siteWise(d deployment.Deployment) []string {
	return []string{d.ARN("iotsitewise", "asset/*"), d.ARN("iotsitewise", "time-series/*")}
}

// siteWiseReason is why they are patterns.
func siteWiseReason(d deployment.Deployment) construct.Suppression {
	return construct.Wildcards("Series are addressed by alias; SiteWise authorizes by ids that exist only after deployment, one per asset and series, "+
		"more than a policy holds.", siteWise(d)...)
}
