package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/statemachines"
)

// Recalibration is what keeps the twin's calibrations alive: the store of
// calibrations, the table of runs, Batch, and the workflow on its schedules.
type Recalibration struct {
	Stack awscdk.Stack
}

// recalibration is what the parts of the stack share while it is built.
type recalibration struct {
	deployment.Deployment
	stack        awscdk.Stack
	calibrations awss3.Bucket
	runs         awsdynamodb.TableV2
	definition   awss3assets.Asset
	alarms       awssns.Topic
	undelivered  awssqs.Queue
}

// NewRecalibration returns the stack of the recalibration loop. A twin whose
// definition cannot be written is an error.
func NewRecalibration(app awscdk.App, d deployment.Deployment, after Telemetry) (Recalibration, error) {
	stack := construct.NewStack(app, d, "recalibration", "Recalibration of "+d.Twin.Title)
	stack.AddStackDependency(after.Stack, s("calibrations read telemetry"))
	data, err := d.Twin.Definition.JSON()
	if err != nil {
		return Recalibration{}, err
	}
	path, err := writeFile(d, "definition.json", data)
	if err != nil {
		return Recalibration{}, err
	}

	r := recalibration{Deployment: d, stack: stack}
	r.definition = awss3assets.NewAsset(stack, s("Definition"), &awss3assets.AssetProps{Path: s(path)})
	construct.NewLogsBucket(stack, "Logs", d)
	r.calibrations = construct.NewBucket(stack, "Calibrations", d, deployment.CalibrationsBucket, nil)
	r.runs = r.newRuns()
	r.alarms = r.newAlarms()
	r.undelivered = r.newUndelivered()

	batch := r.newBatch()
	plan := r.newPlan()
	collect := r.newCollect()
	publish := r.newPublish()
	machine := construct.NewStateMachine(stack, "Recalibrate", construct.StateMachineProps{
		Deployment: d,
		Name:       "recalibrate",
		Definition: statemachines.Recalibrate,
		Functions:  map[string]construct.Function{"PlanRecalibration": plan, "CollectOutcomes": collect, "PublishPredictions": publish},
		Values: map[string]*string{
			"SpotQueue":     batch.spot.JobQueueArn(),
			"OnDemandQueue": batch.onDemand.JobQueueArn(),
			"JobDefinition": batch.job.JobDefinitionArn(),
			"Twin":          s(d.Twin.Name),
			"Stage":         s(d.Stage.Name),
		},
		Policy: r.executionPolicy(batch),
	})
	r.addSchedules(machine)
	r.addRules(machine)
	r.addAlarms(machine)

	parameter(stack, d, "calibrations-bucket", r.calibrations.BucketName(), "The bucket of calibrations")
	parameter(stack, d, "runs-table", r.runs.TableName(), "The table of runs and alarm states")
	parameter(stack, d, "state-machine-arn", machine.StateMachineArn(), "The state machine that recalibrates")
	parameter(stack, d, "definition-uri", r.definitionURI(), "The compiled twin")
	parameter(stack, d, "alarm-topic-arn", r.alarms.TopicArn(), "The topic that operators subscribe to")
	return Recalibration{Stack: stack}, nil
}

// newRuns returns the table of runs and alarm states. It is on demand: nothing
// is billed while nothing happens.
func (r recalibration) newRuns() awsdynamodb.TableV2 {
	return awsdynamodb.NewTableV2(r.stack, s("Runs"), &awsdynamodb.TablePropsV2{
		TableName:    s(r.Name(deployment.RunsTable)),
		PartitionKey: &awsdynamodb.Attribute{Name: s("pk"), Type: awsdynamodb.AttributeType_STRING},
		SortKey:      &awsdynamodb.Attribute{Name: s("sk"), Type: awsdynamodb.AttributeType_STRING},
		Billing:      awsdynamodb.Billing_OnDemand(nil),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: jsii.Bool(true),
		},
		DeletionProtection: jsii.Bool(construct.RemovalPolicy(r.Deployment) == awscdk.RemovalPolicy_RETAIN),
		RemovalPolicy:      construct.RemovalPolicy(r.Deployment),
	})
}

// newAlarms returns the topic that operators hear of trouble through.
func (r recalibration) newAlarms() awssns.Topic {
	topic := awssns.NewTopic(r.stack, s("Alarms"), &awssns.TopicProps{
		TopicName:   s(r.Name(deployment.AlarmTopic)),
		DisplayName: s(fmt.Sprintf("Livetwin %s (%s)", r.Twin.Title, r.Stage.Name)),
		EnforceSSL:  jsii.Bool(true),
	})
	construct.Suppress(topic, construct.Suppression{Rule: "AwsSolutions-SNS2", Reason: "Messages name assets and errors, no telemetry. Alarms and rules cannot use " +
		"the key that AWS manages for SNS, and a key of our own would be billed while nothing happens (docs/decisions/0002)."})
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        s("Alarms"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(s("cloudwatch.amazonaws.com"), nil)},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": r.Stage.Account}},
	}))
	if r.Stage.AlarmEmail != "" {
		topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(s(r.Stage.AlarmEmail), nil))
	}
	return topic
}

// newUndelivered returns the queue of what schedules and rules could not
// deliver.
func (r recalibration) newUndelivered() awssqs.Queue {
	queue := awssqs.NewQueue(r.stack, s("Undelivered"), &awssqs.QueueProps{
		QueueName:       s(r.Name("undelivered")),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
		RemovalPolicy:   construct.RemovalPolicy(r.Deployment),
	})
	construct.Suppress(queue, construct.Suppression{Rule: "AwsSolutions-SQS3", Reason: "It is the dead-letter queue of schedules and rules; its depth has an alarm."})
	return queue
}

// definitionURI is what LIVETWIN_DEFINITION holds.
func (r recalibration) definitionURI() *string {
	return s("s3://" + *r.definition.S3BucketName() + "/" + *r.definition.S3ObjectKey())
}

// readDefinition allows to read the compiled twin, and nothing else, from the
// assets of the account.
func (r recalibration) readDefinition() awsiam.PolicyStatement {
	return construct.Allow([]string{"s3:GetObject"}, []string{*r.definition.Bucket().ArnForObjects(r.definition.S3ObjectKey())})
}

// onCalibrations allows actions on keys of the calibrations bucket.
func (r recalibration) onCalibrations(actions []string, keys ...string) awsiam.PolicyStatement {
	resources := make([]string, len(keys))
	for i, key := range keys {
		resources[i] = *r.calibrations.ArnForObjects(s(key))
	}
	return construct.Allow(actions, resources)
}

// missingKeys lets GetObject tell an absent key (404) from a forbidden one
// (403), as S3 does for those who may list.
func (r recalibration) missingKeys() awsiam.PolicyStatement {
	return construct.Allow([]string{"s3:ListBucket"}, []string{*r.calibrations.BucketArn()})
}

// keyReason is why grants on the bucket end in a pattern.
func (r recalibration) keyReason(keys ...string) construct.Suppression {
	applies := make([]string, len(keys))
	for i, key := range keys {
		applies[i] = fmt.Sprintf("<%s.Arn>/%s", *r.stack.GetLogicalId(r.calibrations.Node().DefaultChild().(awss3.CfnBucket)), key)
	}
	return construct.Wildcards("Assets, runs and executions are parts of keys and known only when they happen; the prefix is as narrow as it gets.", applies...)
}

// environment returns what every function of the loop is told.
func (r recalibration) environment(vars ...env.Var) map[env.Var]*string {
	all := map[env.Var]*string{
		env.Definition:         r.definitionURI(),
		env.CalibrationsBucket: r.calibrations.BucketName(),
		env.RunsTable:          r.runs.TableName(),
	}
	some := make(map[env.Var]*string, len(vars))
	for _, v := range vars {
		some[v] = all[v]
	}
	return some
}
