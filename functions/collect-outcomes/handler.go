package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/observe"
	"github.com/livetwin/livetwin/internal/step"
)

const (
	// batch is how many assets one publish-predictions takes.
	batch = 10
	// told is how many failures are told one by one, and maxError how many
	// bytes of an error: an execution's state holds 256 KiB.
	told     = 200
	maxError = 400
)

type handler struct {
	executions execution.Store
	observe    *observe.Observer
}

type request struct {
	Calibration string `json:"calibration"`
	Manifest    string `json:"manifest"`  // key in the calibrations bucket
	Execution   string `json:"execution"` // name of the state machine's execution
	Size        int    `json:"size"`      // jobs of the manifest
}

type response struct {
	Counts  counts     `json:"counts"`
	Publish [][]string `json:"publish"` // assets whose champion moved, ten at a time
	Failed  []failure  `json:"failed"`  // the first 200
}

type counts struct {
	Promoted   int `json:"promoted"`
	Rejected   int `json:"rejected"`
	Superseded int `json:"superseded"`
	Skipped    int `json:"skipped"`
	Failed     int `json:"failed"`
}

type failure struct {
	Asset string `json:"asset"`
	Error string `json:"error"`
}

// names are the errors that the state machine tells apart; it retries
// Transient. What has no name here is named by its kind.
var names = step.Names{
	{Is: execution.ErrInvalid, Name: string(step.Permanent), Kind: step.Permanent},
	{Is: execution.ErrNotFound, Name: string(step.Permanent), Kind: step.Permanent},
}

func (h *handler) handle(ctx context.Context, req request) (response, error) {
	resp, err := h.collect(ctx, req)
	return resp, names.Wrap(err)
}

func (h *handler) collect(ctx context.Context, req request) (response, error) {
	manifest, err := h.manifest(ctx, req)
	if err != nil {
		return response{}, err
	}
	outcomes, err := h.executions.Outcomes(ctx, req.Manifest)
	if err != nil {
		return response{}, fmt.Errorf("collect the outcomes of execution %s: %w", req.Execution, err)
	}
	resp := response{Publish: [][]string{}, Failed: []failure{}}
	var moved []string
	for i, job := range manifest.Jobs {
		o, left := outcomes[i]
		switch {
		case !left:
			o.Outcome = calibration.Failed
			o.Error = fmt.Sprintf("job %d left no outcome: it did not start, or was killed at every attempt; see its log in AWS Batch", i)
		case o.Key != job.Key || o.Run != job.Run:
			return response{}, fmt.Errorf("%w: outcome %d of %s is of run %s of %s; the manifest asks for run %s of %s",
				execution.ErrInvalid, i, req.Manifest, o.Run, o.Key, job.Run, job.Key)
		}
		resp.Counts.add(o.Outcome)
		switch o.Outcome {
		case calibration.Promoted, calibration.Rejected:
			moved = append(moved, job.Asset)
		case calibration.Failed:
			if len(resp.Failed) < told {
				resp.Failed = append(resp.Failed, failure{Asset: job.Asset, Error: shorten(o.Error)})
			}
		case calibration.Superseded, calibration.Skipped, calibration.RolledBack:
		}
	}
	resp.Publish = slices.AppendSeq(resp.Publish, slices.Chunk(moved, batch))
	h.observe.Metrics(ctx,
		observe.Metric{Name: "PromotedRuns", Unit: observe.Count, Value: float64(resp.Counts.Promoted)},
		observe.Metric{Name: "RejectedRuns", Unit: observe.Count, Value: float64(resp.Counts.Rejected)},
		observe.Metric{Name: "FailedRuns", Unit: observe.Count, Value: float64(resp.Counts.Failed)})
	h.observe.InfoContext(ctx, "outcomes collected", "calibration", req.Calibration, "execution", req.Execution, "counts", resp.Counts)
	return resp, nil
}

// manifest reads the manifest and compares it with what the request says.
func (h *handler) manifest(ctx context.Context, req request) (execution.Manifest, error) {
	name, err := execution.Of(req.Manifest)
	if err != nil {
		return execution.Manifest{}, err
	}
	if name != req.Execution {
		return execution.Manifest{}, step.Permanentf("manifest %s is not of execution %q: pass what plan-recalibration returned", req.Manifest, req.Execution)
	}
	m, err := h.executions.Manifest(ctx, req.Manifest)
	if err != nil {
		return m, fmt.Errorf("collect the outcomes of execution %s: %w", req.Execution, err)
	}
	if m.Calibration != req.Calibration || len(m.Jobs) != req.Size {
		return m, step.Permanentf("manifest %s has %d jobs of calibration %q, the request names %d of %q: pass what plan-recalibration returned",
			req.Manifest, len(m.Jobs), m.Calibration, req.Size, req.Calibration)
	}
	return m, nil
}

func (c *counts) add(result calibration.Result) {
	switch result {
	case calibration.Promoted:
		c.Promoted++
	case calibration.Rejected:
		c.Rejected++
	case calibration.Superseded:
		c.Superseded++
	case calibration.Skipped:
		c.Skipped++
	case calibration.Failed:
		c.Failed++
	case calibration.RolledBack: // no job ends so; the store refuses it
	}
}

// shorten cuts a text to maxError bytes, at the start of a character.
func shorten(text string) string {
	if len(text) <= maxError {
		return text
	}
	cut := maxError - len("…")
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + "…"
}
