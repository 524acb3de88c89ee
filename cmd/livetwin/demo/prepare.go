package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/deployed"
	"github.com/livetwin/livetwin/internal/localaws"
	"github.com/livetwin/livetwin/internal/process"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/simulate"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/twin"
)

// cdkProgram is the CDK CLI that package.json pins.
const cdkProgram = "node_modules/.bin/cdk"

// simulatedStart is a Wednesday, so that two dozen cycles see a weekend.
var simulatedStart = time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC)

// faultOffset is what the injected fault adds to a voltage sensor, V: about
// what a loose sense wire does, and far outside of the model's noise.
const faultOffset = -0.08

// wanted says what a folder of telemetry is.
const wanted = "want a folder with a CSV file per cell, named as the cell, with columns time,voltage_V,current_A,temperature_C"

// takeTelemetry simulates a plant or takes the user's folder.
func (s *session) takeTelemetry(context.Context) error {
	if s.Data != "" {
		info, err := os.Stat(s.Data)
		if err != nil || !info.IsDir() {
			return &inputError{fmt.Errorf("%s is no folder: %s", s.Data, wanted)}
		}
		s.telemetry = s.Data
		s.source = "recorded, from folder " + filepath.Base(filepath.Clean(s.Data))
		s.out.detail("folder %s", s.Data)
		return nil
	}
	s.telemetry = filepath.Join(s.Out, "telemetry")
	if err := os.RemoveAll(s.telemetry); err != nil {
		return fmt.Errorf("remove the telemetry of an earlier run: %w", err)
	}
	c := simulate.Config{Cells: s.Cells, Cycles: s.Cycles, Seed: s.Seed, Start: simulatedStart}
	s.source = fmt.Sprintf("simulated, %d cells, %d cycles, seed %d", s.Cells, s.Cycles, s.Seed)
	if s.Fault && s.Cells > 1 && s.Cycles >= 12 {
		f := simulate.Fault{Cell: 2, Cycle: s.Cycles * 2 / 3, Offset: faultOffset}
		c.Faults = append(c.Faults, f)
		s.source += fmt.Sprintf("; the voltage sensor of %s is off by %.0f mV in cycle %d", simulate.Name(f.Cell), 1e3*f.Offset, f.Cycle)
	}
	if err := c.Validate(); err != nil {
		return &inputError{err}
	}
	sum, err := simulate.WriteFiles(c, s.telemetry, true)
	if err != nil {
		return err
	}
	s.out.detail("%s: %d rows, %s to %s", s.source, sum.Readings, short(sum.First), short(sum.Last))
	return nil
}

// fitTwin gives the twin one asset per file of telemetry, and checks and loads
// everything before anything is deployed.
func (s *session) fitTwin(ctx context.Context) error {
	if err := s.fit(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return &inputError{err}
	}
	return ctx.Err()
}

// fit writes the fitted twin.
func (s *session) fit() error {
	base, err := twin.Load(s.Twin, twin.WithModels(s.Models))
	if err != nil {
		return &inputError{err}
	}
	compiled, err := base.Compile()
	if err != nil {
		return &inputError{err}
	}
	if len(compiled.Definition.Calibrations) == 0 {
		return &inputError{fmt.Errorf("%s has no calibration: the demo recalibrates one", s.Twin)}
	}
	model := compiled.Definition.Calibrations[0].Model
	names, err := assetsIn(os.DirFS(s.telemetry))
	if err != nil {
		return &inputError{err}
	}
	fitted, err := base.WithAssets(model, names)
	if err != nil {
		return &inputError{err}
	}
	text, err := fitted.Marshal()
	if err != nil {
		return err
	}
	s.twinFile = filepath.Join(s.Out, "twin.yaml")
	if err := os.MkdirAll(s.Out, 0o755); err != nil { //nolint:gosec // of the user's own
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	if err := os.WriteFile(s.twinFile, text, 0o644); err != nil { //nolint:gosec // of the user's own
		return fmt.Errorf("write the fitted twin: %w", err)
	}
	return nil
}

// load reads the fitted twin and the telemetry.
func (s *session) load() error {
	checked, err := twin.Load(s.twinFile, twin.WithModels(s.Models))
	if err != nil {
		return err
	}
	compiled, err := checked.Compile()
	if err != nil {
		return err
	}
	s.definition = compiled.Definition
	s.calibration = &s.definition.Calibrations[0]
	if s.recording, err = replay.Load(os.DirFS(s.telemetry), s.definition.Twin, replay.AssetsOf(&s.definition)); err != nil {
		return err
	}
	if err := s.complete(); err != nil {
		return err
	}
	s.out.detail("%s follows %s with calibration %s, %s", s.twinFile, strings.Join(s.calibration.Assets, ", "), s.calibration.Spec.Name, s.calibration.Schedule)
	gap := time.Duration(s.calibration.Spec.Window.SegmentGap * float64(time.Second))
	if most := s.recording.First(s.Cycles, gap); most > s.Cycles {
		s.source += fmt.Sprintf(", the first %d cycles of every cell", s.Cycles)
		s.out.detail("the first %d cycles of every cell, of up to %d: --cycles takes more", s.Cycles, most)
	}
	return nil
}

// complete reports cells without a measurement that the calibration needs: no
// run could ever assimilate them.
func (s *session) complete() error {
	need := slices.Sorted(maps.Values(s.calibration.Spec.Inputs))
	for _, o := range s.calibration.Spec.Observations {
		need = append(need, o.Property)
	}
	slices.Sort(need)
	var errs []error
	for _, asset := range s.calibration.Assets {
		for _, property := range slices.Compact(slices.Clone(need)) {
			r, _ := s.series(asset, property)
			if !slices.ContainsFunc(r.Samples, telemetry.Sample.Usable) {
				errs = append(errs, fmt.Errorf("%s.csv has no usable sample of %s: %s", asset, property, wanted))
			}
		}
	}
	return errors.Join(errs...)
}

// assetsIn lists the assets that a folder holds telemetry of.
func assetsIn(dir fs.FS) ([]string, error) {
	files, err := fs.Glob(dir, "*.csv")
	if err != nil {
		return nil, fmt.Errorf("list telemetry: %w", err)
	}
	var names []string
	for _, f := range files {
		ok, err := replay.IsTelemetry(dir, f)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, strings.TrimSuffix(f, ".csv"))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("none of %d CSV files holds telemetry: %s", len(files), wanted)
	}
	slices.Sort(names)
	return names, nil
}

// synthesise runs the CDK app as `cdk deploy` would.
func (s *session) synthesise(ctx context.Context) error {
	assembly := filepath.Join(s.Out, "cdk.out")
	if err := os.RemoveAll(assembly); err != nil {
		return fmt.Errorf("remove the assembly of an earlier run: %w", err)
	}
	cache, err := filepath.Abs(filepath.Join(s.Build, "jsii"))
	if err != nil {
		return fmt.Errorf("find the folder of jsii's cache: %w", err)
	}
	cmd := exec.Command(cdkProgram, "synth", "--strict", "--quiet", //nolint:gosec,noctx // the pinned CLI; process.Run ends it with ctx
		"-c", "twin="+s.twinFile, "-c", "stage="+Stage, "-o", assembly)
	cmd.Env = append(os.Environ(),
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20", "JSII_RUNTIME_PACKAGE_CACHE_ROOT="+cache,
		"CDK_DISABLE_CLI_TELEMETRY=true", "CI=true")
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, fmt.Errorf("cdk synth took longer than 3 minutes"))
	defer cancel()
	return process.Run(ctx, cmd, filepath.Join(s.Out, "logs", "synth.log"))
}

// deploy starts the local endpoint a little before the first sample.
func (s *session) deploy(ctx context.Context) error {
	first := firstSample(s.recording)
	e, err := localaws.Start(ctx, localaws.Options{
		Program: filepath.Join(s.Build, "awslocal"), Assembly: filepath.Join(s.Out, "cdk.out"),
		State: filepath.Join(s.Out, "state"), From: before(first),
		Args: []string{"--tools", "node_modules", "--models", filepath.Join(s.Build, "models")},
		Log:  filepath.Join(s.Out, "logs", "awslocal.log"),
	})
	if err != nil {
		return err
	}
	s.endpoint = e
	if s.aws, err = e.Config(); err != nil {
		return err
	}
	if s.twin, err = deployed.Find(ctx, s.aws, s.definition.Twin, Stage); err != nil {
		return err
	}
	s.store = s.twin.Store()
	s.out.detail("%s, clock at %s", e.Ready().Endpoint, short(before(first)))
	return nil
}

func firstSample(r *replay.Recording) time.Time {
	var first time.Time
	for _, s := range r.Series {
		if len(s.Samples) > 0 && (first.IsZero() || s.Samples[0].Time.Before(first)) {
			first = s.Samples[0].Time
		}
	}
	return first
}

func aliasOf(twinName, asset, property string) telemetry.Alias {
	return telemetry.AliasOf(twinName, asset, property)
}

// before is when the endpoint is started for telemetry that begins at first: a
// little earlier, at an end of a chunk of the replay, so that a schedule which
// counts from its creation fires when a chunk is complete.
func before(first time.Time) time.Time {
	return first.Add(-10 * time.Minute).Truncate(replay.DefaultChunk)
}
