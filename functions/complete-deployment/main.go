// Command complete-deployment is the function behind the custom resources of
// our stacks: what CloudFormation cannot do by itself. Custom::WorkspaceFiles
// copies scenes and their files from the deployment's assets into the
// workspace's bucket; Custom::AttributeValues writes values of attributes.
//
// Permissions:
//
//	s3:GetObject                            the assets that the twin stack lists
//	s3:PutObject, s3:DeleteObject           {workspace bucket}/scenes/*
//	iotsitewise:BatchPutAssetPropertyValue  the twin's assets
//	iotsitewise:DescribeAsset               the twin's assets, when clocks differ
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/livetwin/livetwin/internal/env"
)

func main() {
	h, err := newHandler(context.Background())
	if err != nil {
		slog.Error("complete-deployment cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(cfn.LambdaWrap(h.handle))
}

func newHandler(ctx context.Context) (*handler, error) {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	for key, v := range map[string]env.Var{"twin": env.Twin, "stage": env.Stage} {
		value, err := v.Get()
		if err != nil {
			return nil, err
		}
		log = log.With(key, value)
	}
	slog.SetDefault(log)
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS config: %w", err)
	}
	return &handler{
		files:  s3Files{api: s3.NewFromConfig(cfg)},
		values: siteWiseValues{api: iotsitewise.NewFromConfig(cfg)},
		now:    time.Now,
		sleep:  sleep,
	}, nil
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
