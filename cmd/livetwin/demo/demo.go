// Package demo runs the whole loop on this machine with no account: it
// simulates or takes telemetry, fits a twin to it, synthesises and deploys the
// real templates into the local AWS endpoint, replays the telemetry while the
// deployed schedule recalibrates the twin, reads the published values back
// through TwinMaker, and writes the report.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/deployed"
	"github.com/livetwin/livetwin/internal/localaws"
	"github.com/livetwin/livetwin/internal/process"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/report"
	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// Stage is the stage that the demo deploys.
const Stage = "local"

// Limit bounds the demo on the wall clock: ten times what it takes warm on two
// cores. Something that takes longer has hung.
const Limit = 15 * time.Minute

// ErrInput marks what is wrong with the telemetry or the twin rather than with
// this machine.
var ErrInput = errors.New("wrong input")

// An inputError is ErrInput and says only what is wrong.
type inputError struct{ error }

func (e *inputError) Is(target error) bool { return target == ErrInput }
func (e *inputError) Unwrap() error        { return e.error }

// A Config says what to demonstrate. Paths may be relative to the working
// folder, which is the repository's.
type Config struct {
	Twin   string // the definition whose assets are fitted to the telemetry
	Data   string // folder of telemetry; empty: simulate
	Build  string // folder of what was built
	Out    string // folder for everything that the demo writes
	Cells  int    // of the simulated plant
	Cycles int    // of every cell: simulated, or the first of what was recorded
	Seed   uint64
	Fault  bool // inject a fault into the simulated plant

	Models   twin.ModelCatalog
	Started  time.Time         // wall clock, for the report's meta
	Now      func() time.Time  // wall clock, for timings
	Versions map[string]string // for the report's meta
}

// A session is one run of the demo and what its steps hand to each other.
type session struct {
	Config
	out     *console
	seconds map[string]float64

	telemetry   string // folder
	source      string // of the telemetry, for people
	twinFile    string
	definition  definition.Definition
	calibration *definition.Calibration
	recording   *replay.Recording

	endpoint *localaws.Endpoint
	aws      aws.Config
	twin     *deployed.Twin
	store    calibration.Store

	runs            map[string][]calibration.Diagnostics // by asset, the oldest first
	telemetryCounts report.Telemetry
	readback        report.Readback
	alarms          []report.AlarmState
}

// Run runs the demo. An error names the step that failed; everything that was
// started has ended when Run returns.
func Run(ctx context.Context, c Config, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, Limit, fmt.Errorf("the demo took longer than %s", Limit))
	defer cancel()
	s := &session{Config: c, out: newConsole(out), seconds: map[string]float64{}, runs: map[string][]calibration.Diagnostics{}}
	if err := s.preflight(); err != nil {
		return err
	}
	unlock, err := lock(c.Out)
	if err != nil {
		return err
	}
	defer unlock()
	defer func() {
		if s.endpoint != nil {
			err = errors.Join(err, s.endpoint.Stop())
		}
	}()
	steps := []struct {
		name, title string
		do          func(context.Context) error
	}{
		{"telemetry", "Telemetry", s.takeTelemetry},
		{"twin", "Twin fitted to the telemetry", s.fitTwin},
		{"synth", "CDK app synthesised", s.synthesise},
		{"deploy", "Templates deployed into the local endpoint", s.deploy},
		{"replay", "Telemetry replayed, the deployed schedule recalibrates", s.replay},
		{"readback", "Values read back through TwinMaker", s.readBack},
		{"report", "Report", s.writeReport},
		{"stop", "Everything stopped", s.stop},
	}
	for i, step := range steps {
		start := s.Now()
		s.out.begin(i+1, len(steps), step.title)
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				err = errors.Join(context.Cause(ctx), err)
			}
			return fmt.Errorf("demo: step %d, %s, failed: %w%s", i+1, step.name, err, s.ended())
		}
		took := s.Now().Sub(start)
		s.seconds[step.name] = took.Seconds()
		s.out.end(took)
	}
	s.out.line("")
	s.out.line("report   %s", filepath.Join(s.Out, "report.html"))
	s.out.line("figures  %s", filepath.Join(s.Out, "report.json"))
	return nil
}

// reaped is how long after its last connection broke a process may count as
// running.
const reaped = 200 * time.Millisecond

// ended says that the endpoint is gone when that is what broke a step.
func (s *session) ended() string {
	if s.endpoint == nil {
		return ""
	}
	select {
	case <-s.endpoint.Done():
		return "\nthe local endpoint has ended\n" + process.Tail(filepath.Join(s.Out, "logs", "awslocal.log"), 3)
	case <-time.After(reaped):
		return ""
	}
}

// preflight checks that what make builds is there.
func (s *session) preflight() error {
	var missing []string
	for _, path := range []string{
		s.Twin, "cdk.json", cdkProgram,
		filepath.Join(s.Build, "awslocal"), filepath.Join(s.Build, "infra"), filepath.Join(s.Build, "lambda"), filepath.Join(s.Build, "image"), filepath.Join(s.Build, "models"),
	} {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("demo: %s missing: run it from the repository's folder with make demo, which builds them", strings.Join(missing, ", "))
	}
	return nil
}

// lock takes the demo's folder for this process: two demos in one folder would
// remove each other's state. The lock ends with the process, however it ends.
func lock(folder string) (unlock func(), err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // of the user's own
		return nil, fmt.Errorf("demo: make its folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // below the demo's folder
	if err != nil {
		return nil, fmt.Errorf("demo: lock its folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("demo: another demo runs in %s (%w): wait for it, or choose another folder with --out", folder, err)
	}
	return func() { _ = f.Close() }, nil
}

// stop ends the endpoint; what it leaves is in the log.
func (s *session) stop(context.Context) error {
	e := s.endpoint
	s.endpoint = nil
	return e.Stop()
}

// series finds one series of the recording.
func (s *session) series(asset, property string) (replay.Series, bool) {
	alias := aliasOf(s.definition.Twin, asset, property)
	i := slices.IndexFunc(s.recording.Series, func(r replay.Series) bool { return r.Alias == alias })
	if i < 0 {
		return replay.Series{}, false
	}
	return s.recording.Series[i], true
}
