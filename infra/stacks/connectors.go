package stacks

import (
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/internal/env"
)

// A connector is a data connector in connectors/{source}: what it may read, and
// where it finds it.
type connector struct {
	description string
	env         func(deployment.Deployment) map[env.Var]*string
	policy      func(deployment.Deployment) []awsiam.PolicyStatement
}

// connectors are the data connectors that a twin may list, by source.
var connectors = map[string]connector{
	"calibration": {
		description: "Serves parameters, predictions, run metrics and alarm states to IoT TwinMaker",
		env: func(d deployment.Deployment) map[env.Var]*string {
			return map[env.Var]*string{env.RunsTable: s(d.Name(deployment.RunsTable))}
		},
		policy: func(d deployment.Deployment) []awsiam.PolicyStatement {
			return []awsiam.PolicyStatement{construct.Allow([]string{"dynamodb:Query"}, []string{d.ARN("dynamodb", "table/"+d.Name(deployment.RunsTable))})}
		},
	},
}

func connectorNames() []string { return slices.Sorted(maps.Keys(connectors)) }

// Connectors are the data connectors that the twin lists.
type Connectors struct {
	Stack awscdk.Stack // nil when the twin lists none: a stack needs a resource
}

// NewConnectors returns the stack of data connectors, one function each.
func NewConnectors(app awscdk.App, d deployment.Deployment, after Recalibration) Connectors {
	if len(d.Twin.Connectors) == 0 {
		return Connectors{}
	}
	stack := construct.NewStack(app, d, "connectors", "Data connectors of "+d.Twin.Title)
	stack.AddStackDependency(after.Stack, s("connectors read the runs table and raise alarms"))
	alarms := awssns.Topic_FromTopicArn(stack, s("Alarms"), s(d.ARN("sns", d.Name(deployment.AlarmTopic))))
	for _, source := range d.Twin.Connectors {
		c := connectors[source]
		construct.NewFunction(stack, ownID("Connector", source), construct.FunctionProps{
			Deployment:  d,
			Folder:      "connector-" + source,
			Description: c.description,
			Timeout:     30,
			Memory:      256,
			Env:         c.env(d),
			Policy:      c.policy(d),
			Alarm:       alarms,
		})
	}
	return Connectors{Stack: stack}
}
