// Livetwin is the command line of living digital twins: it checks and starts
// twin definitions, replays and simulates telemetry, shows and rolls back
// calibrations, and demonstrates the whole loop on this machine.
//
// Commands that address a deployed twin find it by its name and stage in SSM,
// with the AWS SDK's usual configuration (profile, region, credentials).
//
// Exit codes: 0 done; 1 the input is wrong, and what is wrong is on stderr;
// 2 the command line is wrong; 3 AWS or this machine failed and the same
// command may succeed later; 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/livetwin/livetwin/internal/calibration"
)

// commands is the command line.
type commands struct {
	Validate validateCommand `cmd:"" help:"Check a twin definition; every mistake is named with file, line and column."`
	Init     initCommand     `cmd:"" help:"Write a small twin that validates, to start from."`
	Replay   replayCommand   `cmd:"" help:"Write recorded telemetry (CSV files) to the deployed twin's assets."`
	Simulate simulateCommand `cmd:"" help:"Write telemetry of a simulated plant as CSV files."`
	Status   statusCommand   `cmd:"" help:"Show what is calibrated, how far, and why the last runs were promoted or not."`
	Rollback rollbackCommand `cmd:"" help:"Restore the parameters of an older generation of a calibration."`
	Demo     demoCommand     `cmd:"" help:"Run the whole loop on this machine, with no account."`
}

// Exit codes.
const (
	exitInput       = 1
	exitUsage       = 2
	exitFailure     = 3
	exitInterrupted = 130
)

// An inputError says that what the user gave is wrong.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// wrongInput marks an error as the input's fault; nil stays nil.
func wrongInput(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("livetwin"),
		kong.Description("Living digital twins on AWS."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(stdout, (*io.Writer)(nil)),
	)
	if err != nil {
		fmt.Fprintln(stderr, "livetwin:", err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "livetwin: %v\nlivetwin --help lists the commands, livetwin COMMAND --help its flags\n", err)
		return exitUsage
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(stderr, err)
		if a := advice(err); a != "" {
			fmt.Fprintln(stderr, "\n"+a)
		}
		return exitCode(ctx, err)
	}
	return 0
}

func exitCode(ctx context.Context, err error) int {
	if _, ok := errors.AsType[*inputError](err); ok || errors.Is(err, calibration.ErrPermanent) || errors.Is(err, calibration.ErrNotFound) {
		return exitInput
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return exitFailure
}
