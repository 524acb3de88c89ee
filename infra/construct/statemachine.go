package construct

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/statemachines"
)

// StateMachineProps describe a state machine.
type StateMachineProps struct {
	Deployment deployment.Deployment
	Name       string // without the prefix, such as recalibrate
	Definition string // JSONata, with ${Placeholders}
	// Functions are the functions that the definition invokes, by placeholder.
	Functions map[string]Function
	// Values replace the other placeholders.
	Values map[string]*string
	Policy []awsiam.PolicyStatement
}

// NewStateMachine returns a state machine whose role may invoke its functions,
// write its log and traces and do what props.Policy says. It panics when
// placeholders and what fills them do not match: a mistake in this program.
func NewStateMachine(scope constructs.Construct, id string, props StateMachineProps) awsstepfunctions.StateMachine {
	d := props.Deployment
	name := d.Name(props.Name)
	substitutions := map[string]*string{}
	var arns []string
	for _, placeholder := range sorted(props.Functions) {
		arn := props.Functions[placeholder].Lambda.FunctionArn()
		substitutions[placeholder] = arn
		arns = append(arns, *arn)
	}
	maps.Copy(substitutions, props.Values)
	if wants, has := statemachines.Placeholders(props.Definition), sorted(substitutions); !slices.Equal(wants, has) {
		panic(fmt.Sprintf("state machine %s: the definition has placeholders %v, the stack fills %v", name, wants, has))
	}

	role := ServiceRole(scope, id+"Role", d, props.Name, "states.amazonaws.com", fmt.Sprintf("What executions of %s may do", name), true)
	role.AddToPolicy(Allow([]string{"lambda:InvokeFunction"}, arns))
	for _, statement := range props.Policy {
		role.AddToPolicy(statement)
	}
	machine := awsstepfunctions.NewStateMachine(scope, s(id), &awsstepfunctions.StateMachineProps{
		StateMachineName:        s(name),
		DefinitionBody:          awsstepfunctions.DefinitionBody_FromString(s(props.Definition)),
		DefinitionSubstitutions: &substitutions,
		Role:                    role,
		TracingEnabled:          jsii.Bool(true),
		Logs: &awsstepfunctions.LogOptions{
			// Names beginning with /aws/vendedlogs/ keep the log group's resource
			// policy short, whatever the number of state machines.
			Destination:          NewLogGroup(scope, id+"Log", d, "/aws/vendedlogs/states/"+name),
			Level:                awsstepfunctions.LogLevel_ALL,
			IncludeExecutionData: jsii.Bool(false),
		},
	})
	Suppress(role, AllResources(xray+" Log delivery (logs:CreateLogDelivery and its kin) has none either, nor have batch:DescribeJobs and batch:TerminateJob on jobs not yet submitted."))
	return machine
}
