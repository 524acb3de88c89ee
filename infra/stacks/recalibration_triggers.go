package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/events"
	"github.com/livetwin/livetwin/infra/construct"
)

// A delivery is tried for a day, then it goes to the queue of the undelivered.
const (
	deliveryAge   = 24 * 60 * 60 // s
	deliveryTries = 185          // what both services allow
)

// addSchedules starts an execution per calibration and tick. The scheduled
// time is the window's end: nobody asks a clock.
func (r recalibration) addSchedules(machine awsstepfunctions.StateMachine) {
	if len(r.Twin.Definition.Calibrations) == 0 {
		return
	}
	group := awsscheduler.NewCfnScheduleGroup(r.stack, s("Schedules"), &awsscheduler.CfnScheduleGroupProps{Name: s(r.Prefix())})
	role := construct.ServiceRole(r.stack, "SchedulesRole", r.Deployment, "schedules", "scheduler.amazonaws.com", "What schedules may do", true)
	role.AddToPolicy(construct.Allow([]string{"states:StartExecution"}, []string{*machine.StateMachineArn()}))
	role.AddToPolicy(construct.Allow([]string{"sqs:SendMessage"}, []string{*r.undelivered.QueueArn()}))
	for _, c := range r.Twin.Definition.Calibrations {
		expression := c.Schedule
		if r.Stage.Schedules.Override != "" {
			expression = r.Stage.Schedules.Override
		}
		schedule := awsscheduler.NewCfnSchedule(r.stack, s(twinID("Schedule", c.Spec.Name)), &awsscheduler.CfnScheduleProps{
			Name:                       s(c.Spec.Name),
			GroupName:                  group.Ref(),
			Description:                s(fmt.Sprintf("Recalibrates %s of %s", c.Spec.Name, r.Twin.Name)),
			ScheduleExpression:         s(expression),
			ScheduleExpressionTimezone: s("UTC"),
			State:                      s(r.Stage.Schedules.State),
			FlexibleTimeWindow:         &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: s("OFF")},
			Target: &awsscheduler.CfnSchedule_TargetProperty{
				Arn:     machine.StateMachineArn(),
				RoleArn: role.RoleArn(),
				// A calibration's name needs no escaping: the twin's rules see to it.
				Input: s(fmt.Sprintf(`{"calibration": %q, "windowEnd": "<aws.scheduler.scheduled-time>"}`, c.Spec.Name)),
				RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{
					MaximumEventAgeInSeconds: jsii.Number(deliveryAge),
					MaximumRetryAttempts:     jsii.Number(deliveryTries),
				},
				DeadLetterConfig: &awsscheduler.CfnSchedule_DeadLetterConfigProperty{Arn: r.undelivered.QueueArn()},
			},
		})
		schedule.Node().AddDependency(role)
	}
}

// addRules starts an execution on request, and tells operators of executions
// that did not succeed.
func (r recalibration) addRules(machine awsstepfunctions.StateMachine) {
	requested := awsevents.NewRule(r.stack, s("Requested"), &awsevents.RuleProps{
		RuleName:    s(r.Name("recalibration-requested")),
		Description: s("Recalibrates on request"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings(events.SourceTwin),
			DetailType: jsii.Strings(events.TypeRecalibrationRequested),
			Detail:     &map[string]any{"twin": []string{r.Twin.Name}, "stage": []string{r.Stage.Name}},
		},
	})
	role := construct.ServiceRole(r.stack, "RequestsRole", r.Deployment, "requests", "events.amazonaws.com", "What requests may do", true)
	requested.AddTarget(awseventstargets.NewSfnStateMachine(machine, &awseventstargets.SfnStateMachineProps{
		Role:            role, // which the target allows to start executions
		Input:           awsevents.RuleTargetInput_FromEventPath(s("$.detail")),
		DeadLetterQueue: r.undelivered,
		MaxEventAge:     awscdk.Duration_Seconds(jsii.Number(deliveryAge)),
		RetryAttempts:   jsii.Number(deliveryTries),
	}))
	failed := awsevents.NewRule(r.stack, s("Failed"), &awsevents.RuleProps{
		RuleName:    s(r.Name("recalibration-failed")),
		Description: s("Tells operators of recalibrations that did not succeed"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.states"),
			DetailType: jsii.Strings("Step Functions Execution Status Change"),
			Detail: &map[string]any{
				"stateMachineArn": []*string{machine.StateMachineArn()},
				"status":          []string{"FAILED", "TIMED_OUT", "ABORTED"},
			},
		},
	})
	failed.AddTarget(awseventstargets.NewSnsTopic(r.alarms, &awseventstargets.SnsTopicProps{
		DeadLetterQueue: r.undelivered,
		MaxEventAge:     awscdk.Duration_Seconds(jsii.Number(deliveryAge)),
		RetryAttempts:   jsii.Number(deliveryTries),
	}))
}

// addAlarms watches executions, the age of telemetry and the undelivered.
func (r recalibration) addAlarms(machine awsstepfunctions.StateMachine) {
	five := awscdk.Duration_Minutes(jsii.Number(5))
	options := &awscloudwatch.MetricOptions{Period: five, Statistic: s("Sum")}
	r.alarm("FailedRuns", "failed-runs", 1, "Recalibrations fail: the state machine's executions say which assets and why.",
		awscloudwatch.NewMathExpression(&awscloudwatch.MathExpressionProps{
			Expression: s("failed + timedOut + aborted"),
			Label:      s("Executions that did not succeed"),
			Period:     five,
			UsingMetrics: &map[string]awscloudwatch.IMetric{
				"failed":   machine.MetricFailed(options),
				"timedOut": machine.MetricTimedOut(options),
				"aborted":  machine.MetricAborted(options),
			},
		}))
	r.alarm("StaleTelemetry", "stale-telemetry", float64(r.Stage.StaleTelemetryHours)*3600, fmt.Sprintf("The newest telemetry is older than %d hours: is the gateway alive?", r.Stage.StaleTelemetryHours),
		awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace:     s("Livetwin"),
			MetricName:    s("TelemetryAge"),
			DimensionsMap: &map[string]*string{"Twin": s(r.Twin.Name), "Stage": s(r.Stage.Name)},
			Statistic:     s("Maximum"),
			Unit:          awscloudwatch.Unit_SECONDS,
			Period:        five,
		}))
	r.alarm("UndeliveredDepth", "undelivered", 1, "Schedules or events could not be delivered: the queue's messages say which.",
		r.undelivered.MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{Period: five, Statistic: s("Maximum")}))
}

func (r recalibration) alarm(id, name string, threshold float64, description string, metric awscloudwatch.IMetric) {
	alarm := awscloudwatch.NewAlarm(r.stack, s(id), &awscloudwatch.AlarmProps{
		AlarmName:          s(r.Name(name)),
		AlarmDescription:   s(description),
		Metric:             metric,
		Threshold:          jsii.Number(threshold),
		EvaluationPeriods:  jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	alarm.AddAlarmAction(awscloudwatchactions.NewSnsAction(r.alarms))
}
