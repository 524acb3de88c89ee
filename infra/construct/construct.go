// Package construct holds the constructs that more than one stack uses: a Go
// Lambda function, a state machine from its definition, buckets, policies.
// Each is least privilege from the start: its own role, and grants by action
// and resource.
package construct

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/infra/stage"
)

var s = jsii.String

// NewStack returns the stack of a deployment that holds what, such as
// telemetry, in the stage's account and region.
func NewStack(scope constructs.Construct, d deployment.Deployment, what, description string) awscdk.Stack {
	stack := awscdk.NewStack(scope, s(d.Name(what)), &awscdk.StackProps{
		StackName:             s(d.Name(what)),
		Description:           s(description),
		Env:                   &awscdk.Environment{Account: s(d.Stage.Account), Region: s(d.Stage.Region)},
		TerminationProtection: jsii.Bool(d.Stage.RemovalPolicy == stage.Retain),
		Tags:                  &map[string]*string{"livetwin:twin": s(d.Twin.Name), "livetwin:stage": s(d.Stage.Name)},
	})
	// Without it synthesis asks the account for its zones when a network names some.
	stack.Node().SetContext(s(fmt.Sprintf("availability-zones:account=%s:region=%s", d.Stage.Account, d.Stage.Region)), d.Stage.Zones)
	return stack
}

// RemovalPolicy is what happens to what holds data when its stack goes.
func RemovalPolicy(d deployment.Deployment) awscdk.RemovalPolicy {
	if d.Stage.RemovalPolicy == stage.Retain {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}

// Allow returns a statement that allows actions on resources, by ARN.
func Allow(actions, resources []string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Effect:    awsiam.Effect_ALLOW,
		Actions:   jsii.Strings(actions...),
		Resources: jsii.Strings(resources...),
	})
}

// ServiceRole returns the role {prefix}-{name} that a service assumes; a name
// that people know makes audits readable. A service that acts on behalf of others
// names the account it acts for; fromAccount demands that it is this one.
func ServiceRole(scope constructs.Construct, id string, d deployment.Deployment, name, service, description string, fromAccount bool) awsiam.Role {
	var principal awsiam.IPrincipal = awsiam.NewServicePrincipal(s(service), nil)
	if fromAccount {
		principal = awsiam.NewServicePrincipal(s(service), &awsiam.ServicePrincipalOpts{
			Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": d.Stage.Account}},
		})
	}
	return awsiam.NewRole(scope, s(id), &awsiam.RoleProps{RoleName: s(d.Name(name)), AssumedBy: principal, Description: s(description)})
}

// A Suppression accepts one finding of cdk-nag, with the reason.
type Suppression struct {
	Rule      string   // such as AwsSolutions-IAM5
	AppliesTo []string // findings, such as Resource::*; empty for the whole rule
	Reason    string
}

// Suppress accepts findings on a construct and what is below it.
func Suppress(on constructs.IConstruct, suppressions ...Suppression) {
	list := make([]*cdknag.NagPackSuppression, 0, len(suppressions))
	for _, sup := range suppressions {
		nag := &cdknag.NagPackSuppression{Id: s(sup.Rule), Reason: s(sup.Reason)}
		if len(sup.AppliesTo) > 0 {
			applies := make([]any, len(sup.AppliesTo))
			for i, a := range sup.AppliesTo {
				applies[i] = a
			}
			nag.AppliesTo = &applies
		}
		list = append(list, nag)
	}
	cdknag.NagSuppressions_AddResourceSuppressions(on, &list, jsii.Bool(true))
}

// AllResources accepts statements on Resource * for the reason given.
func AllResources(reason string) Suppression {
	return Suppression{Rule: "AwsSolutions-IAM5", AppliesTo: []string{"Resource::*"}, Reason: reason}
}

// Wildcards accepts statements on the resource patterns given.
func Wildcards(reason string, patterns ...string) Suppression {
	applies := make([]string, len(patterns))
	for i, p := range patterns {
		applies[i] = "Resource::" + p
	}
	return Suppression{Rule: "AwsSolutions-IAM5", AppliesTo: applies, Reason: reason}
}

// xray is why a role may write traces of any resource.
const xray = "X-Ray has no resources to narrow PutTraceSegments and PutTelemetryRecords to."

// NewLogGroup returns a log group that keeps what is written to it for as long
// as the stage says.
func NewLogGroup(scope constructs.Construct, id string, d deployment.Deployment, name string) awslogs.LogGroup {
	group := awslogs.NewLogGroup(scope, s(id), &awslogs.LogGroupProps{
		LogGroupName:  s(name),
		RemovalPolicy: RemovalPolicy(d),
	})
	// The enumeration of the library lags behind the numbers that the service
	// takes; stage.Parse has checked this one.
	group.Node().DefaultChild().(awslogs.CfnLogGroup).SetRetentionInDays(jsii.Number(d.Stage.LogRetentionDays))
	return group
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
