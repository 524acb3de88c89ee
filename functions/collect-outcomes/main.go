// Collect-outcomes reads what the jobs of a recalibration have left behind and
// says what is to be published, and which assets failed and why.
//
// Permissions:
//
//	s3:ListBucket  {calibrations bucket}
//	s3:GetObject   {calibrations bucket}/executions/*
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/execution/executions3"
	"github.com/livetwin/livetwin/internal/observe"
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
	bucket, err := env.CalibrationsBucket.Get()
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS config: %w", err)
	}
	return &handler{
		executions: executions3.New(s3.NewFromConfig(cfg), bucket),
		observe:    observe.New(os.Stderr, twin, stage, time.Now),
	}, nil
}
