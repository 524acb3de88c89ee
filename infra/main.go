// Command infra is the CDK app: it synthesises the stacks of one twin on one
// stage, named by the context values twin (a file) and stage. The CDK CLI runs
// it: npx cdk synth -c twin=FILE -c stage=NAME.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/deployment"
	"github.com/livetwin/livetwin/infra/stacks"
	"github.com/livetwin/livetwin/infra/stage"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

func main() {
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Ends the CDK's Node process and removes its temporary files. It may say
	// "waitid: no child processes", which is harmless.
	jsii.Close()
	if err != nil {
		os.Exit(1)
	}
}

func run() error {
	app := awscdk.NewApp(nil)
	d, err := load(app)
	if err != nil {
		return err
	}
	stacks.Guard(app)
	telemetry := stacks.NewTelemetry(app, d)
	recalibration, err := stacks.NewRecalibration(app, d, telemetry)
	if err != nil {
		return err
	}
	connectors := stacks.NewConnectors(app, d, recalibration)
	if _, err := stacks.NewTwin(app, d, recalibration, connectors); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}

// load reads the twin and the stage that the context names, and returns every
// mistake of both.
func load(app awscdk.App) (deployment.Deployment, error) {
	name, err := context(app, "stage")
	if err != nil {
		return deployment.Deployment{}, err
	}
	file, err := context(app, "twin")
	if err != nil {
		return deployment.Deployment{}, err
	}
	st, stageErr := stage.Load(name)
	definition, twinErr := twin.Load(file, twin.WithModels(all.Describe))
	if err := errors.Join(twinErr, stageErr); err != nil {
		return deployment.Deployment{}, err
	}
	compiled, err := definition.Compile()
	if err != nil {
		return deployment.Deployment{}, err
	}
	d := deployment.Deployment{Twin: compiled, Stage: st, Build: "build"}
	return d, stacks.Check(d)
}

func context(app awscdk.App, key string) (string, error) {
	value, ok := app.Node().TryGetContext(&key).(string)
	if !ok || value == "" {
		return "", fmt.Errorf("context value %s is not set: run cdk with -c %s=VALUE", key, key)
	}
	return value, nil
}
