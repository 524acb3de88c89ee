// Command function is a Lambda function that does what its event says. As the
// function of custom resources it does what the property Do says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

type event struct{ Do, Bucket, Key, Body string }

var calls int

func handle(ctx context.Context, e event) (any, error) {
	calls++
	switch e.Do {
	case "echo":
		return map[string]any{"body": e.Body, "calls": calls}, nil
	case "environment":
		return os.Environ(), nil
	case "fail":
		return nil, errors.New("the valve is stuck")
	case "panic":
		panic("the pump is on fire")
	case "exit":
		os.Exit(3)
	case "sleep":
		fmt.Println("going to sleep")
		time.Sleep(time.Minute)
	case "deadline":
		deadline, _ := ctx.Deadline()
		return time.Until(deadline).Seconds(), nil
	case "nap":
		time.Sleep(300 * time.Millisecond)
		return calls, nil
	case "large":
		return strings.Repeat("x", 7<<20), nil
	}
	return callAWS(ctx, e)
}

func callAWS(ctx context.Context, e event) (any, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	switch e.Do {
	case "get":
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &e.Bucket, Key: &e.Key})
		if err != nil {
			return nil, err
		}
		defer out.Body.Close()
		b, err := io.ReadAll(out.Body)
		return string(b), err
	case "put":
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &e.Bucket, Key: &e.Key, Body: strings.NewReader(e.Body)})
		return "put", err
	case "whoami":
		out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
		if err != nil {
			return nil, err
		}
		return *out.Arn, nil
	}
	return nil, fmt.Errorf("unknown order %q", e.Do)
}

func complete(_ context.Context, e cfn.Event) (string, map[string]any, error) {
	switch e.ResourceProperties["Do"] {
	case "succeed":
		return "thing-1", map[string]any{"Colour": "green", "Request": string(e.RequestType), "Number": fmt.Sprintf("%T", e.ResourceProperties["Number"])}, nil
	case "panic":
		panic("no such thing")
	}
	return "thing-1", nil, fmt.Errorf("no %v today", e.ResourceProperties["Do"])
}

func main() {
	if strings.HasSuffix(os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), "custom") {
		lambda.Start(cfn.LambdaWrap(complete))
		return
	}
	if os.Getenv("FAIL_AT_START") != "" {
		panic("cannot start")
	}
	lambda.Start(handle)
}
