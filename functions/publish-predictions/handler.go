package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/livetwin/livetwin/events"
	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

const (
	maxAssets   = 10 // of a request, as collect-outcomes groups them
	concurrency = 5  // assets that are published at once
)

type handler struct {
	twin      definition.Definition
	stage     string
	champions calibration.Store
	telemetry telemetry.Writer
	runs      runindex.Index
	observe   *observe.Observer
}

type request struct {
	Calibration string   `json:"calibration"`
	Assets      []string `json:"assets"` // 1 to 10
}

type response struct {
	Entries []events.Entry `json:"entries"` // for events:putEvents
}

// names are the errors that the state machine tells apart; it retries
// Transient. What has no name here is named by its kind.
var names = step.Names{
	{Is: calibration.ErrPermanent, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: calibration.ErrNotFound, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: runindex.ErrVersion, Name: string(step.Permanent), Kind: step.Permanent},
}

func (h *handler) handle(ctx context.Context, req request) (response, error) {
	resp, err := h.publish(ctx, req)
	return resp, names.Wrap(err)
}

func (h *handler) publish(ctx context.Context, req request) (response, error) {
	c, ok := h.twin.Calibration(req.Calibration)
	if !ok {
		return response{}, step.Permanentf("twin %s has no calibration %q: deploy the twin and start the recalibration again", h.twin.Twin, req.Calibration)
	}
	if n := len(req.Assets); n < 1 || n > maxAssets {
		return response{}, step.Permanentf("request names %d assets; expected 1 to %d", n, maxAssets)
	}
	for i, asset := range req.Assets {
		if !slices.Contains(c.Assets, asset) || slices.Contains(req.Assets[:i], asset) {
			return response{}, step.Permanentf("asset %d of the request is %q; expected different assets of calibration %s", i, asset, req.Calibration)
		}
	}

	// One asset that cannot be published does not keep the others from it.
	entries := make([][]events.Entry, len(req.Assets))
	failures := make([]error, len(req.Assets))
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i, asset := range req.Assets {
		group.Go(func() error {
			if entries[i], failures[i] = h.publishAsset(ctx, c, asset); failures[i] != nil {
				failures[i] = fmt.Errorf("publish %s of %s: %w", req.Calibration, asset, failures[i])
			}
			return nil
		})
	}
	_ = group.Wait() // failures holds the errors
	if err := join(failures); err != nil {
		return response{}, err
	}
	return response{Entries: append([]events.Entry{}, slices.Concat(entries...)...)}, nil
}

// join returns one error of all that failed. It is transient when one of them
// is: publishing all of them again is safe and may mend that one.
func join(failures []error) error {
	err := errors.Join(failures...)
	if err == nil {
		return nil
	}
	kind := step.Permanent
	for _, failure := range failures {
		if failure != nil && names.Kind(failure) == step.Transient {
			kind = step.Transient
		}
	}
	// The text only: a name in the chain would hide the kind.
	return step.Mark(kind, errors.New(err.Error()))
}

// publishAsset publishes what the champion of an asset says, and returns the
// events that tell of it. Every write replaces its earlier self.
func (h *handler) publishAsset(ctx context.Context, c *definition.Calibration, asset string) ([]events.Entry, error) {
	p, err := calibration.Publication(ctx, h.champions, calibration.Key{Asset: asset, Calibration: c.Spec.Name})
	if err != nil {
		return nil, err
	}
	if err := h.writeQuantiles(ctx, c, p); err != nil {
		return nil, err
	}
	entries := h.told(p)
	for _, alarm := range h.twin.AlarmsOn(p.Calibration, asset) {
		changes, err := h.judge(ctx, alarm, p)
		if err != nil {
			return nil, err
		}
		entries = append(entries, changes...)
	}
	// The row comes last: a plan takes it for the sign that all is published.
	err = h.runs.PutRun(ctx, runindex.Run{
		Asset: asset, Calibration: p.Calibration, ID: string(p.Run), Generation: p.Generation, WindowEnd: p.WindowEnd, Watermark: p.Watermark,
		Outcome: string(p.Outcome), Reason: p.Reason, Values: p.Values,
	})
	if err != nil {
		return nil, err
	}
	h.observe.InfoContext(ctx, "published", "asset", asset, "calibration", p.Calibration, "run", p.Run,
		"generation", p.Generation, "window_end", p.WindowEnd, "outcome", p.Outcome, "values", len(p.Values), "events", len(entries))
	return entries, nil
}

// writeQuantiles writes the published quantiles to SiteWise, at the end of the
// window.
func (h *handler) writeQuantiles(ctx context.Context, c *definition.Calibration, p calibration.Published) error {
	var points []telemetry.Point
	for _, output := range c.Outputs {
		v, ok := p.Values[output.Property]
		if !ok {
			continue // the run was made before the twin published it
		}
		points = append(points, telemetry.Point{
			Series: telemetry.AliasOf(h.twin.Twin, p.Asset, output.Property),
			Sample: telemetry.Sample{Time: p.WindowEnd, Value: v, Quality: telemetry.Good},
		})
	}
	if len(points) == 0 {
		return nil
	}
	rejected, err := h.telemetry.Write(ctx, points)
	if err != nil {
		return err
	}
	if n := len(rejected); n > 0 {
		first := rejected[0]
		return step.Permanentf("SiteWise refused %d of %d values at %s, the first of %s: %s: %s", n, len(points),
			p.WindowEnd.Format("2006-01-02T15:04:05Z07:00"), first.Point.Series, first.Code, first.Reason)
	}
	return nil
}

// told returns the event of the run's outcome. A rollback has none: whoever
// rolled back knows.
func (h *handler) told(p calibration.Published) []events.Entry {
	origin := events.Origin{Twin: h.twin.Twin, Stage: h.stage, ID: string(p.Run)}
	switch p.Outcome {
	case calibration.Promoted:
		return []events.Entry{events.EntryOf(events.CalibrationPromoted{
			Origin: origin, Asset: p.Asset, Calibration: p.Calibration, Run: string(p.Run), Generation: p.Generation, WindowEnd: p.WindowEnd, Reason: p.Reason,
		})}
	case calibration.Rejected:
		return []events.Entry{events.EntryOf(events.CalibrationRejected{
			Origin: origin, Asset: p.Asset, Calibration: p.Calibration, Run: string(p.Run), Generation: p.Generation, WindowEnd: p.WindowEnd, Reason: p.Reason,
		})}
	case calibration.Superseded, calibration.Skipped, calibration.Failed, calibration.RolledBack:
	}
	return nil
}
