// Command awslocal is a local AWS endpoint. It deploys a synthesised cloud
// assembly (cdk.out) as it is, and runs it:
//
//	awslocal up build/cdk.out/local --port 4566 --from 2026-01-01T00:00:00Z --state build/up
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Up       upCommand     `cmd:"" help:"Deploy a cloud assembly locally and serve it until interrupted."`
	Replay   replayCommand `cmd:"" help:"Replay recorded executions of a state machine, without any service."`
	S3Engine engineCommand `cmd:"" name:"s3-engine" hidden:"" help:"Run the storage engine of S3; the endpoint starts it itself."`
	Verbose  bool          `help:"Log more."`
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("awslocal"), kong.Description("A local AWS endpoint for one cloud assembly."), kong.UsageOnError())
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	k.BindTo(ctx, (*context.Context)(nil))
	err := k.Run()
	interrupted := ctx.Err() != nil
	stop()
	if err != nil && (!interrupted || !errors.Is(err, context.Canceled)) {
		fmt.Fprintln(os.Stderr, "awslocal:", err)
		os.Exit(1)
	}
}
