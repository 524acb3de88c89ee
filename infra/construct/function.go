package construct

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/infra/stage"
	"github.com/livetwin/livetwin/internal/env"
)

// FunctionProps describe a function.
type FunctionProps struct {
	Deployment deployment.Deployment
	// Folder is the function's folder below functions, or connector-{source};
	// its program is in build/lambda/{Folder}/bootstrap.
	Folder string
	// Suffix is added to the name when more than one stack has the function.
	Suffix      string
	Description string
	Timeout     float64 // seconds
	Memory      float64 // MB
	Env         map[env.Var]*string
	Policy      []awsiam.PolicyStatement
	// Alarm gets an alarm when an invocation fails; nil for none.
	Alarm awssns.ITopic
}

// A Function is a Go program in AWS Lambda.
type Function struct {
	Lambda awslambda.Function // jsii takes no struct that embeds it
	Role   awsiam.Role
}

// NewFunction returns a function that runs build/lambda/{folder}/bootstrap with
// a role of its own, which may write the function's log and traces and do what
// props.Policy says.
func NewFunction(scope constructs.Construct, id string, props FunctionProps) Function {
	d := props.Deployment
	name := d.Name(props.Folder + props.Suffix)
	variables := map[string]*string{string(env.Twin): s(d.Twin.Name), string(env.Stage): s(d.Stage.Name)}
	for name, value := range props.Env {
		variables[string(name)] = value
	}

	role := ServiceRole(scope, id+"Role", d, props.Folder+props.Suffix, "lambda.amazonaws.com", fmt.Sprintf("What %s may do", name), false)
	for _, statement := range props.Policy {
		role.AddToPolicy(statement)
	}
	logs := NewLogGroup(scope, id+"Log", d, "/aws/lambda/"+name)
	logs.GrantWrite(role)

	fn := awslambda.NewFunction(scope, s(id), &awslambda.FunctionProps{
		FunctionName: s(name),
		Description:  s(props.Description),
		Code:         awslambda.Code_FromAsset(s(d.Lambda(props.Folder)), nil),
		Handler:      s("bootstrap"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: architecture(d),
		Role:         role,
		LogGroup:     logs,
		Timeout:      awscdk.Duration_Seconds(jsii.Number(props.Timeout)),
		MemorySize:   jsii.Number(props.Memory),
		Environment:  &variables,
		Tracing:      awslambda.Tracing_ACTIVE,
	})
	// The code must not run before its role may do what it does.
	fn.Node().AddDependency(role)
	Suppress(role, AllResources(xray))

	if props.Alarm != nil {
		alarm := fn.MetricErrors(&awscloudwatch.MetricOptions{Period: awscdk.Duration_Minutes(jsii.Number(5)), Statistic: s("Sum")}).
			CreateAlarm(fn, s("Errors"), &awscloudwatch.CreateAlarmOptions{
				AlarmName:          s(name + "-errors"),
				AlarmDescription:   s(fmt.Sprintf("Invocations of %s fail; its log group /aws/lambda/%s says why.", name, name)),
				Threshold:          jsii.Number(1),
				EvaluationPeriods:  jsii.Number(1),
				ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
				TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
			})
		alarm.AddAlarmAction(awscloudwatchactions.NewSnsAction(props.Alarm))
	}
	return Function{Lambda: fn, Role: role}
}

func architecture(d deployment.Deployment) awslambda.Architecture {
	if d.Stage.Architecture == stage.ARM {
		return awslambda.Architecture_ARM_64()
	}
	return awslambda.Architecture_X86_64()
}
