package demo

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/report"
	"github.com/livetwin/livetwin/internal/telemetry"
)

// writeReport writes report.json and report.html.
func (s *session) writeReport(context.Context) error {
	r := report.Build(&s.definition, s.calibration, s.runs)
	r.Source, r.Real = s.source, s.Data != ""
	r.Telemetry, r.TwinMaker = s.telemetryCounts, s.readback
	r.AlarmStates = append(r.AlarmStates, s.alarms...)
	for i, c := range r.Cells {
		r.Cells[i].Voltage = s.lastDischarge(c.Cell)
	}
	r.Meta = report.Meta{
		Started: s.Started.UTC(), Seconds: s.Now().Sub(s.Started).Seconds(), Steps: s.seconds,
		Versions: s.Versions, IDs: map[string]string{"endpoint": s.endpoint.Ready().Endpoint},
	}
	if err := writeFile(filepath.Join(s.Out, "report.json"), r.WriteJSON); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(s.Out, "report.html"), r.WriteHTML); err != nil {
		return err
	}
	s.out.figures(r)
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path) //nolint:gosec // below the demo's folder
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := write(f); err != nil {
		_ = f.Close() // the first error says more
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// lastDischarge is the last segment as measured, and what was published of it
// by the run before; nil when there is no such run, voltage or current.
func (s *session) lastDischarge(asset string) *report.Voltage {
	runs := s.runs[asset]
	if len(runs) < 2 {
		return nil
	}
	before, last := runs[len(runs)-2], runs[len(runs)-1]
	segment := last.Segments[len(last.Segments)-1]
	volts, ok1 := s.series(asset, s.calibration.Spec.Observations["voltage"].Property)
	amps, ok2 := s.series(asset, s.calibration.Spec.Inputs["current"])
	if !ok1 || !ok2 {
		return nil
	}
	current := within(amps.Samples, segment)
	largest := 0.0
	for _, a := range current {
		largest = max(largest, math.Abs(a.Value))
	}
	v := &report.Voltage{Cycle: segment.Index, Measured: []report.Point{}, Published: report.VoltagesAhead(before)}
	// Under load is where the current is more than half of its largest.
	loaded := map[int64]bool{}
	var onset *telemetry.Sample
	for _, a := range current {
		if math.Abs(a.Value) > largest/2 {
			if onset == nil {
				onset = &a
			}
			loaded[a.Time.UnixNano()] = true
		}
	}
	if onset == nil {
		return nil
	}
	for _, x := range within(volts.Samples, segment) {
		if loaded[x.Time.UnixNano()] {
			v.Measured = append(v.Measured, report.Point{Minutes: x.Time.Sub(onset.Time).Minutes(), Volts: x.Value})
		}
	}
	return v
}

// within returns the usable samples of a segment.
func within(samples []telemetry.Sample, segment calibration.Segment) []telemetry.Sample {
	var inside []telemetry.Sample
	for _, x := range samples {
		if x.Usable() && !x.Time.Before(segment.Start) && !x.Time.After(segment.End) {
			inside = append(inside, x)
		}
	}
	return inside
}
