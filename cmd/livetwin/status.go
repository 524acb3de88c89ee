package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/livetwin/livetwin/internal/calibration"
)

// stamp is how times are shown: UTC to the second.
const stamp = "2006-01-02T15:04:05Z"

type statusCommand struct {
	deployedFlags
	Runs int  `help:"Runs to show per calibration and asset, the newest first." default:"5"`
	JSON bool `help:"Print JSON." name:"json"`
}

// A statusReport is what status prints as JSON.
type statusReport struct {
	Twin         string              `json:"twin"`
	Stage        string              `json:"stage"`
	Calibrations []calibrationStatus `json:"calibrations"`
}

// A calibrationStatus is one calibration of one asset. Generation 0 is one
// that has not run yet.
type calibrationStatus struct {
	calibration.Key
	Generation    int64              `json:"generation"`
	ParametersRun calibration.RunID  `json:"parametersRun,omitempty"`
	Watermark     *time.Time         `json:"watermark,omitempty"`
	WindowEnd     *time.Time         `json:"windowEnd,omitempty"`
	Values        map[string]float64 `json:"values,omitempty"`
	Runs          []runStatus        `json:"runs,omitempty"`
}

// A runStatus is one write of a champion.
type runStatus struct {
	Generation int64              `json:"generation"`
	Run        calibration.RunID  `json:"run"`
	WindowEnd  time.Time          `json:"windowEnd"`
	Watermark  time.Time          `json:"watermark"`
	Outcome    calibration.Result `json:"outcome"`
	Reason     string             `json:"reason"`
	Gain       *float64           `json:"gain,omitempty"` // nats per observation
}

// Run prints the status of every calibration.
func (c *statusCommand) Run(ctx context.Context, out io.Writer) error {
	if c.Runs < 1 {
		return wrongInput(fmt.Errorf("--runs %d: want 1 or more", c.Runs))
	}
	d, err := c.find(ctx)
	if err != nil {
		return err
	}
	report := statusReport{Twin: d.Name, Stage: d.Stage}
	store := d.Store()
	for _, cal := range d.Definition.Calibrations {
		for _, asset := range cal.Assets {
			s, err := statusOf(ctx, store, calibration.Key{Asset: asset, Calibration: cal.Spec.Name}, c.Runs)
			if err != nil {
				return err
			}
			report.Calibrations = append(report.Calibrations, s)
		}
	}
	if c.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return report.print(out)
}

// statusOf follows the champions of a calibration backwards.
func statusOf(ctx context.Context, store calibration.Store, key calibration.Key, runs int) (calibrationStatus, error) {
	s := calibrationStatus{Key: key}
	err := calibration.History(ctx, store, key, func(c calibration.Champion) bool {
		if s.Generation == 0 {
			s.Generation, s.ParametersRun = c.Generation, c.ParametersRun
			s.Watermark, s.WindowEnd = &c.Watermark, &c.WindowEnd
		}
		s.Runs = append(s.Runs, runStatus{
			Generation: c.Generation, Run: c.StateRun, WindowEnd: c.WindowEnd, Watermark: c.Watermark,
			Outcome: c.Decision.Outcome, Reason: c.Decision.Reason, Gain: c.Decision.Gain,
		})
		return len(s.Runs) < runs
	})
	if errors.Is(err, calibration.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	p, err := calibration.Publication(ctx, store, key)
	if err != nil {
		return s, err
	}
	s.Values = p.Values
	return s, nil
}

func (r statusReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, stage %s\n\n", r.Twin, r.Stage)
	fmt.Fprintln(w, "ASSET\tCALIBRATION\tGENERATION\tPARAMETERS OF RUN\tWATERMARK\tWINDOW END")
	for _, c := range r.Calibrations {
		if c.Generation == 0 {
			fmt.Fprintf(w, "%s\t%s\tnone yet\t\t\t\n", c.Asset, c.Calibration)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", c.Asset, c.Calibration, c.Generation, c.ParametersRun,
			c.Watermark.Format(stamp), c.WindowEnd.Format(stamp))
	}
	if !slices.ContainsFunc(r.Calibrations, func(c calibrationStatus) bool { return len(c.Runs) > 0 }) {
		fmt.Fprintln(w, "\nno run yet: the schedule starts one, which waits for telemetry that ends in a pause")
		return w.Flush()
	}
	fmt.Fprintln(w, "\nASSET\tCALIBRATION\tGENERATION\tRUN\tWINDOW END\tOUTCOME\tWHY")
	for _, c := range r.Calibrations {
		for _, run := range c.Runs {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", c.Asset, c.Calibration, run.Generation, run.Run,
				run.WindowEnd.Format(stamp), run.Outcome, run.Reason)
		}
	}
	return w.Flush()
}
