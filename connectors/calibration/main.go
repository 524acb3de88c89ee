// Connector calibration serves parameters, uncertainty, predictions, metrics
// of runs and states of alarms to IoT TwinMaker, from the runs table.
//
// Permissions:
//
//	dynamodb:Query  {runs table}
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

	"github.com/livetwin/livetwin/internal/dataconnector"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/runindex/runindexddb"
)

func main() {
	handler, err := newHandler(context.Background())
	if err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

func newHandler(ctx context.Context) (*dataconnector.Handler, error) {
	twin, err := env.Twin.Get()
	if err != nil {
		return nil, err
	}
	stage, err := env.Stage.Get()
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
	reader := &reader{index: runindexddb.New(dynamodb.NewFromConfig(cfg), table)}
	return dataconnector.NewHandler(reader, observe.New(os.Stderr, twin, stage, time.Now).Logger), nil
}
