// Plan-recalibration decides which assets of a calibration have something to
// learn from and writes the manifest of the execution: one job per asset.
//
// Permissions:
//
//	s3:GetObject                          the twin's definition (LIVETWIN_DEFINITION)
//	s3:GetObject                          {calibrations bucket}/calibrations/*/champion.json
//	s3:ListBucket                         {calibrations bucket}: an absent champion is then 404, not 403
//	s3:PutObject                          {calibrations bucket}/executions/*/manifest.json
//	iotsitewise:BatchGetAssetPropertyValue  the twin's assets
//	dynamodb:Query                        {runs table}
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/livetwin/livetwin/internal/calibration/calibrations3"
	"github.com/livetwin/livetwin/internal/definitions3"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/execution/executions3"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/runindex/runindexddb"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
)

func main() {
	h, err := newHandler(context.Background())
	if err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(h.handle)
}

func newHandler(ctx context.Context) (*handler, error) {
	twin, err := env.Twin.Get()
	if err != nil {
		return nil, err
	}
	stage, err := env.Stage.Get()
	if err != nil {
		return nil, err
	}
	at, err := env.Definition.Object()
	if err != nil {
		return nil, err
	}
	bucket, err := env.CalibrationsBucket.Get()
	if err != nil {
		return nil, err
	}
	table, err := env.RunsTable.Get()
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS config: %w", err)
	}
	objects := s3.NewFromConfig(cfg)
	def, err := definitions3.Load(ctx, objects, at, twin)
	if err != nil {
		return nil, err
	}
	return &handler{
		twin:       def,
		champions:  calibrations3.New(objects, bucket),
		executions: executions3.New(objects, bucket),
		telemetry:  telemetrysitewise.New(iotsitewise.NewFromConfig(cfg)),
		runs:       runindexddb.New(dynamodb.NewFromConfig(cfg), table),
		observe:    observe.New(os.Stderr, twin, stage, time.Now),
	}, nil
}
