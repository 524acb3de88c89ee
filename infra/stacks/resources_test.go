package stacks_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/infra/stage"
)

// A convenience of the library that brings a function in Python or Node would
// show here.
func TestFunctionsAreGo(t *testing.T) {
	for _, name := range stage.Names() {
		functions := example(t, name).of("AWS::Lambda::Function")
		assert.Len(t, functions, 5, "plan, collect, publish, the connector, complete-deployment of the twin")
		for id, f := range functions {
			assert.Equal(t, "provided.al2023", f.Properties["Runtime"], id)
			assert.Nil(t, at(f.Properties, "Code", "ZipFile"), id)
			assert.Equal(t, "Active", at(f.Properties, "TracingConfig", "Mode"), id)
			assert.NotNil(t, at(f.Properties, "LoggingConfig", "LogGroup"), id)
		}
	}
}

// Nothing is billed by the hour while idle.
func TestNothingIsBilledWhileIdle(t *testing.T) {
	billed := regexp.MustCompile(`NatGateway|::EIP$|OpenSearch|::DBInstance|ECS::Service|EC2::Instance|LoadBalancer|KMS::Key$`)
	for what, tmpl := range example(t, "prod").templates {
		for id, r := range tmpl.Resources {
			assert.False(t, billed.MatchString(r.Type), "%s/%s is %s", what, id, r.Type)
			if r.Type == "AWS::EC2::VPCEndpoint" {
				assert.Equal(t, "Gateway", r.Properties["VpcEndpointType"], "interface endpoints are billed by the hour")
			}
		}
	}
	for _, table := range example(t, "prod").of("AWS::DynamoDB::GlobalTable") {
		assert.Equal(t, "PAY_PER_REQUEST", table.Properties["BillingMode"])
	}
}

func TestJobsReachAWSWithoutNAT(t *testing.T) {
	s := example(t, "prod")
	for id, job := range s.of("AWS::Batch::JobDefinition") {
		c := job.Properties["ContainerProperties"]
		assert.Equal(t, "ENABLED", at(c, "NetworkConfiguration", "AssignPublicIp"), id)
		assert.NotNil(t, at(c, "JobRoleArn"), id)
		assert.NotEqual(t, at(c, "JobRoleArn"), at(c, "ExecutionRoleArn"), id)
	}
	routes := s.of("AWS::EC2::Route")
	assert.Len(t, routes, 2)
	for id, r := range routes {
		assert.NotNil(t, r.Properties["GatewayId"], "%s does not lead to an internet gateway", id)
	}
	for id, group := range s.of("AWS::EC2::SecurityGroup") {
		assert.Empty(t, group.Properties["SecurityGroupIngress"], id)
		assert.Len(t, list(group.Properties["SecurityGroupEgress"]), 1, id)
	}
	assert.Empty(t, s.of("AWS::EC2::SecurityGroupIngress"))
	assert.Len(t, s.of("AWS::EC2::FlowLog"), 1)
}

// Batch retries what no rule matches: the last rules end everything else.
// https://docs.aws.amazon.com/batch/latest/APIReference/API_RetryStrategy.html
func TestJobsAreRetriedOnPurposeOnly(t *testing.T) {
	for id, job := range example(t, "local").of("AWS::Batch::JobDefinition") {
		assert.InDelta(t, 3, at(job.Properties, "RetryStrategy", "Attempts"), 0, id)
		data, err := json.Marshal(at(job.Properties, "RetryStrategy", "EvaluateOnExit"))
		require.NoError(t, err)
		assert.JSONEq(t, `[
			{"Action": "RETRY", "OnExitCode": "75"},
			{"Action": "RETRY", "OnExitCode": "137"},
			{"Action": "RETRY", "OnStatusReason": "Your Spot Task was interrupted*"},
			{"Action": "EXIT", "OnExitCode": "*"},
			{"Action": "EXIT", "OnReason": "*"}
		]`, string(data))
	}
	var types []string
	for _, e := range example(t, "local").of("AWS::Batch::ComputeEnvironment") {
		types = append(types, at(e.Properties, "ComputeResources", "Type").(string))
	}
	assert.ElementsMatch(t, []string{"FARGATE", "FARGATE_SPOT"}, types)
}

func TestDataOutlivesTheStackInProd(t *testing.T) {
	data := []string{
		"AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::Logs::LogGroup", "AWS::SQS::Queue",
		"AWS::IoTSiteWise::AssetModel", "AWS::IoTSiteWise::Asset", "AWS::IoTTwinMaker::Workspace",
	}
	for name, policy := range map[string]string{"prod": "Retain", "dev": "Delete", "local": "Delete"} {
		for _, typ := range data {
			found := example(t, name).of(typ)
			assert.NotEmpty(t, found, typ)
			for id, r := range found {
				assert.Equal(t, policy, r.DeletionPolicy, "%s %s", name, id)
				assert.Equal(t, policy, r.UpdateReplacePolicy, "%s %s", name, id)
			}
		}
	}
}

func TestBuckets(t *testing.T) {
	s := example(t, "prod")
	buckets := s.of("AWS::S3::Bucket")
	assert.Len(t, buckets, 3)
	for id, b := range buckets {
		name := b.Properties["BucketName"].(string)
		assert.NotContains(t, name, ".", "TwinMaker's viewers cannot read a bucket with a dot in its name")
		block := b.Properties["PublicAccessBlockConfiguration"]
		for _, way := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			assert.Equal(t, true, at(block, way), "%s %s", id, way)
		}
		assert.NotNil(t, b.Properties["BucketEncryption"], id)
		if !strings.Contains(name, "-logs-") {
			assert.Equal(t, s.deployment.Bucket("logs"), at(b.Properties, "LoggingConfiguration", "DestinationBucketName"), id)
			assert.Equal(t, "Enabled", at(b.Properties, "VersioningConfiguration", "Status"), id)
		}
		if strings.Contains(name, "-workspace-") {
			assert.NotNil(t, b.Properties["CorsConfiguration"], "scene viewers read from the page's origin")
		}
	}
	assert.Len(t, s.of("AWS::S3::BucketPolicy"), 3)
}

func TestRunsTable(t *testing.T) {
	for id, table := range example(t, "prod").of("AWS::DynamoDB::GlobalTable") {
		assert.Equal(t, "battery-storage-prod-runs", table.Properties["TableName"], id)
		data, err := json.Marshal(table.Properties["KeySchema"])
		require.NoError(t, err)
		assert.JSONEq(t, `[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]`, string(data))
		for _, replica := range list(table.Properties["Replicas"]) {
			assert.Equal(t, true, at(replica, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"))
			assert.Equal(t, true, at(replica, "DeletionProtectionEnabled"))
		}
	}
}

func TestWhatCannotBeDeliveredIsKept(t *testing.T) {
	s := example(t, "prod")
	schedules := s.of("AWS::Scheduler::Schedule")
	assert.Len(t, schedules, 1)
	for id, schedule := range schedules {
		target := schedule.Properties["Target"]
		assert.NotNil(t, at(target, "DeadLetterConfig", "Arn"), id)
		assert.NotNil(t, at(target, "RetryPolicy", "MaximumEventAgeInSeconds"), id)
		assert.Equal(t, "OFF", at(schedule.Properties, "FlexibleTimeWindow", "Mode"), id)
		var input map[string]string
		require.NoError(t, json.Unmarshal([]byte(at(target, "Input").(string)), &input))
		assert.Equal(t, map[string]string{"calibration": "cell-health", "windowEnd": "<aws.scheduler.scheduled-time>"}, input, id)
	}
	rules := s.of("AWS::Events::Rule")
	assert.Len(t, rules, 2)
	for id, rule := range rules {
		for _, target := range list(rule.Properties["Targets"]) {
			assert.NotNil(t, at(target, "DeadLetterConfig", "Arn"), id)
			assert.NotNil(t, at(target, "RetryPolicy", "MaximumEventAgeInSeconds"), id)
		}
	}
	for id, queue := range s.of("AWS::SQS::Queue") {
		assert.Equal(t, true, queue.Properties["SqsManagedSseEnabled"], id)
	}
}

func TestStagesSetTheSchedulesState(t *testing.T) {
	for name, state := range map[string]string{"local": "ENABLED", "dev": "DISABLED", "prod": "ENABLED"} {
		for id, schedule := range example(t, name).of("AWS::Scheduler::Schedule") {
			assert.Equal(t, state, schedule.Properties["State"], "%s %s", name, id)
			assert.Equal(t, "rate(1 hour)", schedule.Properties["ScheduleExpression"], "%s %s", name, id)
		}
	}
}

// A stage may set the pace of every calibration, and who hears of trouble.
func TestStagesOverride(t *testing.T) {
	local := example(t, "local")
	st := local.deployment.Stage
	st.Schedules.Override = "cron(0 6 * * ? *)"
	for id, schedule := range synth(t, "override", st, local.deployment.Twin).of("AWS::Scheduler::Schedule") {
		assert.Equal(t, "cron(0 6 * * ? *)", schedule.Properties["ScheduleExpression"], id)
	}
	subscriptions := overrides(t).of("AWS::SNS::Subscription")
	assert.Len(t, subscriptions, 1)
	for id, subscription := range subscriptions {
		assert.Equal(t, "email", subscription.Properties["Protocol"], id)
		assert.Equal(t, "operators@example.com", subscription.Properties["Endpoint"], id)
	}
	assert.Empty(t, local.of("AWS::SNS::Subscription"))
}

func TestOperatorsHearOfTrouble(t *testing.T) {
	s := example(t, "prod")
	var names []string
	for id, alarm := range s.of("AWS::CloudWatch::Alarm") {
		assert.Len(t, list(alarm.Properties["AlarmActions"]), 1, id)
		name := alarm.Properties["AlarmName"].(string)
		names = append(names, strings.TrimPrefix(name, "battery-storage-prod-"))
		if strings.HasSuffix(name, "stale-telemetry") {
			data, err := json.Marshal(alarm.Properties)
			require.NoError(t, err)
			assert.Contains(t, string(data), `"Namespace":"Livetwin"`)
			assert.Contains(t, string(data), `"MetricName":"TelemetryAge"`)
			assert.Contains(t, string(data), `[{"Name":"Stage","Value":"prod"},{"Name":"Twin","Value":"battery-storage"}]`)
			assert.InDelta(t, 24*3600, alarm.Properties["Threshold"], 0)
		}
	}
	slices.Sort(names)
	assert.Equal(t, []string{
		"collect-outcomes-errors", "connector-calibration-errors", "failed-runs", "plan-recalibration-errors",
		"publish-predictions-errors", "stale-telemetry", "undelivered",
	}, names)
}

// Stacks must change apart: nothing is exported, nothing imported.
func TestStacksShareNamesNotExports(t *testing.T) {
	s := example(t, "prod")
	for what, raw := range s.raw {
		assert.NotContains(t, raw, "Fn::ImportValue", what)
		assert.NotContains(t, raw, "Fn::GetStackOutput", what)
		assert.Empty(t, s.templates[what].Outputs, what)
	}
	data, err := json.Marshal(s.of("AWS::SSM::Parameter"))
	require.NoError(t, err)
	for _, name := range []string{
		"calibrations-bucket", "runs-table", "state-machine-arn", "workspace-id", "workspace-bucket", "definition-uri", "alarm-topic-arn",
		"asset-ids/0", "asset-model-ids/0",
	} {
		assert.Contains(t, string(data), `"/livetwin/battery-storage/prod/`+name+`"`)
	}
}

var (
	hash         = regexp.MustCompile(`[0-9a-f]{64}`)
	architecture = regexp.MustCompile(`"(arm64|x86_64|ARM64|X86_64)"`)
)

// Templates for the two processors differ in the processor and in the hashes of
// what was built for it, in nothing else.
func TestArchitecturesDifferInNothingElse(t *testing.T) {
	x86 := example(t, "local")
	st := x86.deployment.Stage
	st.Architecture = stage.ARM
	arm := synth(t, "local-arm64", st, x86.deployment.Twin)
	assert.Empty(t, arm.findings)
	for what := range x86.raw {
		same := func(raw string) string {
			return architecture.ReplaceAllString(hash.ReplaceAllString(raw, "HASH"), `"ARCH"`)
		}
		assert.Equal(t, same(x86.raw[what]), same(arm.raw[what]), what)
	}
	assert.NotEqual(t, x86.raw["recalibration"], arm.raw["recalibration"])
	assert.Contains(t, arm.raw["recalibration"], `"CpuArchitecture": "ARM64"`)
	assert.NotContains(t, arm.raw["recalibration"], "x86_64")
}
