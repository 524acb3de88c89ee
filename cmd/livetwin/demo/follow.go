package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/report"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
)

// patience is how long after the last sample the last run may end, in business
// time: the pause that ends a segment, and a few turns of the schedule.
const patience = 6 * time.Hour

// replay writes the telemetry at the pace of the endpoint's clock, and reports
// every recalibration as it happens.
func (s *session) replay(ctx context.Context) error {
	s.out.header()
	gap := time.Duration(s.calibration.Spec.Window.SegmentGap * float64(time.Second))
	res, err := replay.Write(ctx, telemetrysitewise.New(iotsitewise.NewFromConfig(s.aws)), s.recording, replay.Options{
		Timeline: replay.Keep(s.recording, gap),
		Pacer:    s,
		Progress: func(p replay.Progress) { s.out.progress(p.Until, float64(p.Samples)/float64(p.Of)) },
	})
	if err != nil {
		return err
	}
	if n := len(res.Rejections); n > 0 {
		r := res.Rejections[0]
		return fmt.Errorf("SiteWise refused %d samples, the first is %s at %s: %s: %s", n, r.Point.Series, short(r.Point.Sample.Time), r.Code, r.Reason)
	}
	s.telemetryCounts = report.Telemetry{
		Samples: res.Samples, Bad: res.Bad, NotNumbers: res.NotNumbers,
		Duplicates: s.recording.Duplicates, Reordered: s.recording.Reordered,
	}
	if err := s.finish(ctx, res.Last); err != nil {
		return err
	}
	if err := s.checkExecutions(ctx); err != nil {
		return err
	}
	s.out.detail("%d samples written, %d duplicate rows; %d recalibrations", res.Samples, s.recording.Duplicates, s.countRuns())
	return nil
}

// finish moves the clock on until the last discharges are assimilated.
func (s *session) finish(ctx context.Context, last time.Time) error {
	at := last.Truncate(time.Hour)
	for at.Before(last.Add(patience)) {
		at = at.Add(time.Hour)
		if err := s.WaitUntil(ctx, at.Add(time.Minute)); err != nil {
			return err
		}
		if len(s.behind()) == 0 {
			return nil
		}
	}
	return fmt.Errorf("no run assimilated the last discharge of %v until %s; the logs are in %s", s.behind(), short(at), s.Out)
}

// behind lists the assets whose newest sample is not assimilated.
func (s *session) behind() []string {
	var names []string
	for _, asset := range s.calibration.Assets {
		var newest time.Time
		for _, o := range s.calibration.Spec.Observations {
			if r, ok := s.series(asset, o.Property); ok {
				for _, sample := range slices.Backward(r.Samples) {
					if sample.Usable() {
						if sample.Time.After(newest) {
							newest = sample.Time
						}
						break
					}
				}
			}
		}
		runs := s.runs[asset]
		if !newest.IsZero() && (len(runs) == 0 || runs[len(runs)-1].Watermark.Before(newest)) {
			names = append(names, asset)
		}
	}
	return names
}

// WaitUntil implements replay.Pacer: the clock moves, and what it set off is
// reported.
func (s *session) WaitUntil(ctx context.Context, t time.Time) error {
	if err := s.endpoint.WaitUntil(ctx, t); err != nil {
		return err
	}
	for _, asset := range s.calibration.Assets {
		fresh, err := s.newRuns(ctx, calibration.Key{Asset: asset, Calibration: s.calibration.Spec.Name})
		if err != nil {
			return err
		}
		for _, d := range fresh {
			s.runs[asset] = append(s.runs[asset], d)
			s.out.row(d)
		}
	}
	return nil
}

// newRuns follows the champion back to the last run that is known.
func (s *session) newRuns(ctx context.Context, key calibration.Key) ([]calibration.Diagnostics, error) {
	champion, _, err := s.store.Champion(ctx, key)
	if errors.Is(err, calibration.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", key, err)
	}
	var known calibration.RunID
	if runs := s.runs[key.Asset]; len(runs) > 0 {
		known = runs[len(runs)-1].Run
	}
	var fresh []calibration.Diagnostics
	for run := champion.StateRun; run != known && run != ""; {
		d, err := calibration.ReadDiagnostics(ctx, s.store, key, run)
		if err != nil {
			return nil, fmt.Errorf("follow %s: %w", key, err)
		}
		fresh = append(fresh, d)
		run = d.Previous
	}
	slices.Reverse(fresh)
	return fresh, nil
}

// checkExecutions fails when an execution of the state machine failed.
func (s *session) checkExecutions(ctx context.Context) error {
	api := sfn.NewFromConfig(s.aws)
	for _, status := range []types.ExecutionStatus{types.ExecutionStatusFailed, types.ExecutionStatusTimedOut, types.ExecutionStatusAborted} {
		list, err := api.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: &s.twin.StateMachine, StatusFilter: status})
		if err != nil {
			return fmt.Errorf("list executions: %w", err)
		}
		if len(list.Executions) == 0 {
			continue
		}
		worst := list.Executions[len(list.Executions)-1] // the first that failed
		d, err := api.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: worst.ExecutionArn})
		if err != nil {
			return fmt.Errorf("describe the execution that failed: %w", err)
		}
		return fmt.Errorf("%d executions of the state machine are %s; the first is %s: %s: %s",
			len(list.Executions), status, aws.ToString(d.Name), aws.ToString(d.Error), aws.ToString(d.Cause))
	}
	return nil
}

func (s *session) countRuns() int {
	n := 0
	for _, runs := range s.runs {
		n += len(runs)
	}
	return n
}
