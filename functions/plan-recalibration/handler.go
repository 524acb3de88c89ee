package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// concurrency is how many champions or rows are read at once.
const concurrency = 32

// publishable is how many assets publish-predictions takes at once.
const publishable = 10

type handler struct {
	twin       definition.Definition
	champions  calibration.Store
	executions execution.Store
	telemetry  telemetry.Reader
	runs       runindex.Index
	observe    *observe.Observer
}

// A request starts a plan. WindowEnd comes from the schedule, or from whoever
// asks for a recalibration.
type request struct {
	Calibration string `json:"calibration"`
	WindowEnd   string `json:"windowEnd"` // RFC 3339
	Execution   string `json:"execution"` // name of the state machine's execution
}

type response struct {
	Calibration string    `json:"calibration"`
	WindowEnd   time.Time `json:"windowEnd"`
	Manifest    string    `json:"manifest"` // key in the calibrations bucket
	Size        int       `json:"size"`     // jobs of the manifest
	Idle        int       `json:"idle"`     // assets without a new sample
	// Overdue are idle assets whose champion was not published: an earlier
	// execution failed after it was written. In groups for publish-predictions.
	Overdue [][]string `json:"overdue"`
}

// names are the errors that the state machine tells apart; it retries
// Transient. What has no name here is named by its kind.
var names = step.Names{
	{Is: calibration.ErrPermanent, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: execution.ErrInvalid, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: telemetry.ErrNotFound, Name: string(step.Permanent), Kind: step.Permanent},
}

func (h *handler) handle(ctx context.Context, req request) (response, error) {
	resp, err := h.plan(ctx, req)
	return resp, names.Wrap(err)
}

func (h *handler) plan(ctx context.Context, req request) (response, error) {
	end, err := windowEnd(req.WindowEnd)
	if err != nil {
		return response{}, err
	}
	if _, err := execution.ManifestKey(req.Execution); err != nil {
		return response{}, err
	}
	c, ok := h.twin.Calibration(req.Calibration)
	if !ok {
		return response{}, step.Permanentf("twin %s has no calibration %q; it has %s", h.twin.Twin, req.Calibration, h.calibrations())
	}
	current, err := h.current(ctx, c)
	if err != nil {
		return response{}, err
	}
	newest, err := h.newest(ctx, c)
	if err != nil {
		return response{}, err
	}

	manifest := execution.Manifest{Version: execution.Version, Calibration: req.Calibration, WindowEnd: end, Jobs: []calibration.Job{}}
	var age time.Duration // of the stalest asset's telemetry
	var idle []calibration.Champion
	for i, asset := range c.Assets {
		// Without a watermark a run reads as far back as the spec says.
		start := end.Add(-time.Duration(c.Spec.Window.Start * float64(time.Second)))
		since := start
		if current[i].Generation > 0 {
			since = current[i].Watermark
		}
		last, measured := newest[asset]
		if !measured {
			last = start // at least as old
		}
		age = max(age, end.Sub(last))
		if measured && last.After(since) {
			key := calibration.Key{Asset: asset, Calibration: req.Calibration}
			manifest.Jobs = append(manifest.Jobs, calibration.NewJob(key, current[i].Generation, end))
		} else if current[i].Generation > 0 {
			idle = append(idle, current[i])
		}
	}
	overdue, err := h.overdue(ctx, idle)
	if err != nil {
		return response{}, err
	}
	key, err := h.executions.PutManifest(ctx, req.Execution, manifest)
	if err != nil {
		return response{}, fmt.Errorf("store the manifest of execution %s: %w", req.Execution, err)
	}
	resp := response{
		Calibration: req.Calibration, WindowEnd: end, Manifest: key,
		Size: len(manifest.Jobs), Idle: len(c.Assets) - len(manifest.Jobs),
		Overdue: append([][]string{}, slices.Collect(slices.Chunk(overdue, publishable))...),
	}
	h.observe.Metrics(ctx, observe.Metric{Name: "TelemetryAge", Unit: observe.Seconds, Value: age.Seconds()})
	h.observe.InfoContext(ctx, "recalibration planned", "calibration", resp.Calibration, "execution", req.Execution,
		"window_end", end, "jobs", resp.Size, "idle", resp.Idle, "overdue", len(overdue))
	return resp, nil
}

// windowEnd reads the end of the window.
func windowEnd(text string) (time.Time, error) {
	end, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return end, step.Permanentf("windowEnd is %q; expected an instant such as 2026-01-02T03:00:00Z: the schedule passes <aws.scheduler.scheduled-time>", text)
	}
	return end.UTC(), nil
}

// current returns the champion of each asset; without one its generation is 0.
func (h *handler) current(ctx context.Context, c *definition.Calibration) ([]calibration.Champion, error) {
	current := make([]calibration.Champion, len(c.Assets))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i, asset := range c.Assets {
		group.Go(func() error {
			champion, _, err := h.champions.Champion(ctx, calibration.Key{Asset: asset, Calibration: c.Spec.Name})
			if err != nil && !errors.Is(err, calibration.ErrNotFound) {
				return err
			}
			current[i] = champion
			return nil
		})
	}
	return current, group.Wait()
}

// overdue returns the assets of champions whose last run has no row in the index.
func (h *handler) overdue(ctx context.Context, champions []calibration.Champion) ([]string, error) {
	published := make([]bool, len(champions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i, c := range champions {
		group.Go(func() error {
			for run, err := range h.runs.Runs(ctx, c.Asset, c.Calibration, c.WindowEnd.Add(-1), c.WindowEnd, runindex.Ascending) {
				if err != nil {
					return fmt.Errorf("look whether %s of %s is published: %w", c.Calibration, c.Asset, err)
				}
				published[i] = published[i] || run.ID == string(c.StateRun)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var overdue []string
	for i, c := range champions {
		if !published[i] {
			overdue = append(overdue, c.Asset)
		}
	}
	return overdue, nil
}

// newest returns the time of the newest sample of any observation, by asset.
// Assets that never sent one are absent.
func (h *handler) newest(ctx context.Context, c *definition.Calibration) (map[string]time.Time, error) {
	var series []telemetry.Alias
	owner := make(map[telemetry.Alias]string)
	for _, asset := range c.Assets {
		for observation := range maps.Values(c.Spec.Observations) {
			alias := telemetry.AliasOf(h.twin.Twin, asset, observation.Property)
			series, owner[alias] = append(series, alias), asset
		}
	}
	slices.Sort(series)
	samples, err := h.telemetry.Latest(ctx, slices.Compact(series))
	if err != nil {
		return nil, fmt.Errorf("look for new telemetry of calibration %s: %w", c.Spec.Name, err)
	}
	newest := make(map[string]time.Time, len(c.Assets))
	for alias, sample := range samples {
		if at := sample.Time; at.After(newest[owner[alias]]) {
			newest[owner[alias]] = at
		}
	}
	return newest, nil
}

// calibrations lists what the twin has, for a message.
func (h *handler) calibrations() string {
	all := make([]string, len(h.twin.Calibrations))
	for i, c := range h.twin.Calibrations {
		all[i] = c.Spec.Name
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
