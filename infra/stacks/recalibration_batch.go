package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecrassets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/stage"
	"github.com/livetwin/livetwin/internal/env"
)

// maxVCPUs is how many jobs of one virtual processor run at a time, per queue.
const maxVCPUs = 256

// A batch is where jobs run: a definition and two queues.
type batch struct {
	job            awsbatch.EcsJobDefinition
	spot, onDemand awsbatch.JobQueue
}

// newBatch returns the job definition of functions/calibrate, a queue on
// Fargate Spot and one on demand to fall back on.
func (r recalibration) newBatch() batch {
	vpc := r.newNetwork()
	group := awsec2.NewSecurityGroup(r.stack, s("Jobs"), &awsec2.SecurityGroupProps{
		Vpc:              vpc,
		Description:      s("Jobs talk HTTPS to AWS, and nobody talks to them"),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)), s("AWS APIs"), nil)
	return batch{
		job:      r.newJob(),
		spot:     r.newQueue("Spot", "spot", true, vpc, group),
		onDemand: r.newQueue("OnDemand", "on-demand", false, vpc, group),
	}
}

// newNetwork returns a network with public subnets only. A NAT gateway or
// interface endpoints would be billed by the hour while nothing runs; jobs have
// public addresses instead, and a security group that lets nobody in.
func (r recalibration) newNetwork() awsec2.Vpc {
	vpc := awsec2.NewVpc(r.stack, s("Network"), &awsec2.VpcProps{
		AvailabilityZones: jsii.Strings(r.Stage.Zones...),
		IpAddresses:       awsec2.IpAddresses_Cidr(s("10.0.0.0/20")),
		NatGateways:       jsii.Number(0),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{
			Name: s("Public"), SubnetType: awsec2.SubnetType_PUBLIC, MapPublicIpOnLaunch: jsii.Bool(false),
		}},
		GatewayEndpoints: &map[string]*awsec2.GatewayVpcEndpointOptions{
			"S3":       {Service: awsec2.GatewayVpcEndpointAwsService_S3()},
			"DynamoDB": {Service: awsec2.GatewayVpcEndpointAwsService_DYNAMODB()},
		},
		// Restricting the default group would bring a function in Node.
		RestrictDefaultSecurityGroup: jsii.Bool(false),
	})
	logs := construct.NewLogGroup(r.stack, "NetworkLog", r.Deployment, "/livetwin/"+r.Prefix()+"/network")
	role := construct.ServiceRole(r.stack, "NetworkLogRole", r.Deployment, "network-log", "vpc-flow-logs.amazonaws.com", "What flow logs may do", true)
	vpc.AddFlowLog(s("Flow"), &awsec2.FlowLogOptions{
		Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(logs, role),
		TrafficType: awsec2.FlowLogTrafficType_REJECT,
	})
	return vpc
}

func (r recalibration) newQueue(id, name string, spot bool, vpc awsec2.Vpc, group awsec2.SecurityGroup) awsbatch.JobQueue {
	environment := awsbatch.NewFargateComputeEnvironment(r.stack, s(id+"Environment"), &awsbatch.FargateComputeEnvironmentProps{
		Vpc:            vpc,
		VpcSubnets:     &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PUBLIC},
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		Spot:           jsii.Bool(spot),
		MaxvCpus:       jsii.Number(maxVCPUs),
	})
	return awsbatch.NewJobQueue(r.stack, s(id), &awsbatch.JobQueueProps{
		JobQueueName:        s(r.Name(name)),
		ComputeEnvironments: &[]*awsbatch.OrderedComputeEnvironment{{ComputeEnvironment: environment, Order: jsii.Number(1)}},
	})
}

// newJob returns the job definition. A job is tried three times when the
// program says that trying again helps (75), when it was killed (137), or when
// Spot took its machine; whatever else ends it, ends it.
func (r recalibration) newJob() awsbatch.EcsJobDefinition {
	role := construct.ServiceRole(r.stack, "CalibrateRole", r.Deployment, "calibrate", "ecs-tasks.amazonaws.com", "What the job calibrate may do", true)
	for _, statement := range []awsiam.PolicyStatement{
		r.readDefinition(),
		r.missingKeys(),
		r.onCalibrations([]string{"s3:GetObject"}, calibrations, manifests),
		r.onCalibrations([]string{"s3:PutObject"}, calibrations, outcomes),
		construct.Allow([]string{"iotsitewise:GetAssetPropertyValueHistory"}, siteWise(r.Deployment)),
	} {
		role.AddToPolicy(statement)
	}
	construct.Suppress(role, r.keyReason(calibrations, manifests, outcomes), siteWiseReason(r.Deployment))

	execution := construct.ServiceRole(r.stack, "CalibrateExecutionRole", r.Deployment, "calibrate-execution", "ecs-tasks.amazonaws.com", "What starting the job calibrate takes", true)
	platform, processor := awsecrassets.Platform_LINUX_AMD64(), awsecs.CpuArchitecture_X86_64()
	if r.Stage.Architecture == stage.ARM {
		platform, processor = awsecrassets.Platform_LINUX_ARM64(), awsecs.CpuArchitecture_ARM64()
	}
	image := awsecrassets.NewDockerImageAsset(r.stack, s("CalibrateImage"), &awsecrassets.DockerImageAssetProps{
		Directory: s(r.Image("calibrate")),
		Platform:  platform,
		AssetName: s("calibrate"),
	})
	variables := map[string]*string{string(env.Twin): s(r.Twin.Name), string(env.Stage): s(r.Stage.Name)}
	for name, value := range r.environment(env.Definition, env.CalibrationsBucket) {
		variables[string(name)] = value
	}
	container := awsbatch.NewEcsFargateContainerDefinition(r.stack, s("CalibrateContainer"), &awsbatch.EcsFargateContainerDefinitionProps{
		Image:                        awsecs.ContainerImage_FromDockerImageAsset(image),
		Cpu:                          jsii.Number(1),
		Memory:                       awscdk.Size_Gibibytes(jsii.Number(2)),
		Environment:                  &variables,
		JobRole:                      role,
		ExecutionRole:                execution,
		AssignPublicIp:               jsii.Bool(true),
		ReadonlyRootFilesystem:       jsii.Bool(true),
		User:                         s("1000"),
		FargateCpuArchitecture:       processor,
		FargateOperatingSystemFamily: awsecs.OperatingSystemFamily_LINUX(),
		Logging: awsecs.LogDriver_AwsLogs(&awsecs.AwsLogDriverProps{
			StreamPrefix: s("calibrate"),
			LogGroup:     construct.NewLogGroup(r.stack, "CalibrateLog", r.Deployment, "/livetwin/"+r.Prefix()+"/calibrate"),
		}),
	})
	construct.Suppress(execution, construct.AllResources("ecr:GetAuthorizationToken is for the registry as a whole."))

	retry, exit := awsbatch.Action_RETRY, awsbatch.Action_EXIT
	rule := func(action awsbatch.Action, reason awsbatch.CustomReason) awsbatch.RetryStrategy {
		return awsbatch.RetryStrategy_Of(action, awsbatch.Reason_Custom(&reason))
	}
	return awsbatch.NewEcsJobDefinition(r.stack, s("Calibrate"), &awsbatch.EcsJobDefinitionProps{
		JobDefinitionName: s(r.Name("calibrate")),
		Container:         container,
		Timeout:           awscdk.Duration_Hours(jsii.Number(1)),
		RetryAttempts:     jsii.Number(3),
		RetryStrategies: &[]awsbatch.RetryStrategy{
			rule(retry, awsbatch.CustomReason{OnExitCode: s("75")}),
			rule(retry, awsbatch.CustomReason{OnExitCode: s("137")}),
			rule(retry, awsbatch.CustomReason{OnStatusReason: s("Your Spot Task was interrupted*")}),
			rule(exit, awsbatch.CustomReason{OnExitCode: s("*")}),
			rule(exit, awsbatch.CustomReason{OnReason: s("*")}),
		},
		PropagateTags: jsii.Bool(true),
	})
}

// executionPolicy is what the workflow's integrations do beside invoking
// functions: submitJob.sync follows a job by a rule that Step Functions owns,
// putEvents tells what happened.
func (r recalibration) executionPolicy(b batch) []awsiam.PolicyStatement {
	return []awsiam.PolicyStatement{
		construct.Allow([]string{"batch:SubmitJob"}, []string{*b.job.JobDefinitionArn(), *b.spot.JobQueueArn(), *b.onDemand.JobQueueArn()}),
		construct.Allow([]string{"batch:DescribeJobs", "batch:TerminateJob"}, []string{"*"}),
		construct.Allow([]string{"events:PutTargets", "events:PutRule", "events:DescribeRule"},
			[]string{r.ARN("events", "rule/StepFunctionsGetEventsForBatchJobsRule")}),
		construct.Allow([]string{"events:PutEvents"}, []string{r.ARN("events", "event-bus/default")}),
	}
}
