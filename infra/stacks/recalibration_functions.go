package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/internal/env"
)

// Keys of the calibrations bucket, as docs/architecture.md lays it out.
const (
	champions    = "calibrations/*/champion.json"
	calibrations = "calibrations/*"
	executions   = "executions/*"
	manifests    = "executions/*/manifest.json"
	outcomes     = "executions/*/outcomes/*"
)

// newPlan returns the function that decides which assets have something to
// learn from, and writes the manifest.
func (r recalibration) newPlan() construct.Function {
	fn := construct.NewFunction(r.stack, "PlanRecalibration", construct.FunctionProps{
		Deployment:  r.Deployment,
		Folder:      "plan-recalibration",
		Description: "Plans a recalibration: one job per asset with new telemetry",
		Timeout:     300,
		Memory:      256,
		Env:         r.environment(env.Definition, env.CalibrationsBucket, env.RunsTable),
		Alarm:       r.alarms,
		Policy: []awsiam.PolicyStatement{
			r.readDefinition(),
			r.missingKeys(),
			r.onCalibrations([]string{"s3:GetObject"}, champions),
			r.onCalibrations([]string{"s3:PutObject"}, manifests),
			construct.Allow([]string{"iotsitewise:BatchGetAssetPropertyValue"}, siteWise(r.Deployment)),
			construct.Allow([]string{"dynamodb:Query"}, []string{*r.runs.TableArn()}),
		},
	})
	construct.Suppress(fn.Role, r.keyReason(champions, manifests), siteWiseReason(r.Deployment))
	return fn
}

// newCollect returns the function that reads what jobs have left.
func (r recalibration) newCollect() construct.Function {
	fn := construct.NewFunction(r.stack, "CollectOutcomes", construct.FunctionProps{
		Deployment:  r.Deployment,
		Folder:      "collect-outcomes",
		Description: "Collects the outcomes of a recalibration's jobs",
		Timeout:     300,
		Memory:      256,
		Env:         r.environment(env.CalibrationsBucket),
		Alarm:       r.alarms,
		Policy: []awsiam.PolicyStatement{
			r.missingKeys(),
			r.onCalibrations([]string{"s3:GetObject"}, executions),
		},
	})
	construct.Suppress(fn.Role, r.keyReason(executions))
	return fn
}

// newPublish returns the function that publishes champions' predictions.
func (r recalibration) newPublish() construct.Function {
	fn := construct.NewFunction(r.stack, "PublishPredictions", construct.FunctionProps{
		Deployment:  r.Deployment,
		Folder:      "publish-predictions",
		Description: "Publishes predictions, runs and alarm states, derived from champions only",
		Timeout:     300,
		Memory:      256,
		Env:         r.environment(env.Definition, env.CalibrationsBucket, env.RunsTable),
		Alarm:       r.alarms,
		Policy: []awsiam.PolicyStatement{
			r.readDefinition(),
			r.missingKeys(),
			r.onCalibrations([]string{"s3:GetObject"}, calibrations),
			construct.Allow([]string{"iotsitewise:BatchPutAssetPropertyValue"}, siteWise(r.Deployment)),
			construct.Allow([]string{"dynamodb:PutItem", "dynamodb:Query"}, []string{*r.runs.TableArn()}),
		},
	})
	construct.Suppress(fn.Role, r.keyReason(calibrations), siteWiseReason(r.Deployment))
	return fn
}
