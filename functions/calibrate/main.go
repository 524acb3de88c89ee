// Calibrate is the program of the Batch job: it carries out one job of the
// manifest of an execution, the one at its index in the array, and leaves an
// outcome behind.
//
// It exits with 0 when the job is done (superseded and skipped too), with 64
// when trying again cannot help, and with 75 when it may: Batch retries 75, a
// kill and a Spot interruption.
//
// Permissions:
//
//	s3:GetObject                              the twin's definition (LIVETWIN_DEFINITION)
//	s3:GetObject                              {calibrations bucket}/executions/*/manifest.json
//	s3:GetObject, s3:PutObject                {calibrations bucket}/calibrations/*
//	s3:PutObject                              {calibrations bucket}/executions/*/outcomes/*
//	s3:ListBucket                             {calibrations bucket}: what is absent is then 404, not 403
//	iotsitewise:GetAssetPropertyValueHistory  the twin's assets
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrations3"
	"github.com/livetwin/livetwin/internal/definitions3"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/execution/executions3"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
)

func main() {
	// Batch and Spot interruptions send SIGTERM; what was not finished in time
	// is begun again by the next attempt.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	j, err := newJob(ctx)
	if err != nil {
		stop()
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("cannot start", "error", err)
		os.Exit(startError(err).ExitCode())
	}
	kind := j.run(ctx)
	stop()
	os.Exit(kind.ExitCode())
}

// startError returns the kind of an error in newJob: what is wrong with the
// environment does not mend itself.
func startError(err error) step.Kind { return names.Kind(err) }

// settings is what the environment says.
type settings struct {
	twin, stage, bucket, manifest string
	definition                    env.Object
	index, attempt                int
}

func readSettings() (settings, error) {
	var s settings
	var errs [7]error
	s.twin, errs[0] = env.Twin.Get()
	s.stage, errs[1] = env.Stage.Get()
	s.bucket, errs[2] = env.CalibrationsBucket.Get()
	s.manifest, errs[3] = env.Manifest.Get()
	s.definition, errs[4] = env.Definition.Object()
	s.index, errs[5] = env.BatchArrayIndex.Int(0) // a plain job has no index
	s.attempt, errs[6] = env.BatchAttempt.Int(1)
	return s, step.Mark(step.Permanent, cmp.Or(errs[:]...))
}

func newJob(ctx context.Context) (*job, error) {
	s, err := readSettings()
	if err != nil {
		return nil, err
	}
	name, err := execution.Of(s.manifest)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS config: %w", err)
	}
	objects := s3.NewFromConfig(cfg)
	def, err := definitions3.Load(ctx, objects, s.definition, s.twin)
	if err != nil {
		return nil, err
	}
	id, _ := env.Var("AWS_BATCH_JOB_ID").Lookup()
	engine := &calibration.Engine{
		Store:     calibrations3.New(objects, s.bucket),
		Telemetry: telemetrysitewise.New(iotsitewise.NewFromConfig(cfg)),
		Model:     all.Model,
		Lineage:   calibration.Lineage{Attempt: s.attempt, Execution: name, Job: id, Versions: versions(), Now: time.Now},
	}
	return &job{
		twin:       def,
		manifest:   s.manifest,
		index:      s.index,
		executions: executions3.New(objects, s.bucket),
		calibrate:  engine.Run,
		observe:    observe.New(os.Stderr, s.twin, s.stage, time.Now),
	}, nil
}

// versions says what the program is and what it was built with.
func versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "arch": runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v["livetwin"] = info.Main.Version
		for _, dep := range info.Deps {
			if dep.Path == "gonum.org/v1/gonum" {
				v["gonum"] = dep.Version
			}
		}
	}
	return v
}
