package calibration

import (
	"math"
	"slices"
	"time"

	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/telemetry"
)

// A window is the telemetry of a run, cut into whole segments.
type window struct {
	segments  []plant.Segment
	watermark time.Time // the newest sample of the last whole segment
	pending   int       // observations after it
	unpaired  int       // observations at instants where an input is not known
}

// cut cuts telemetry into whole segments. lastEnd is the end of the segment
// before the window, if there was one, and index the number of segments so far.
func (s *setup) cut(read map[string]*series, windowEnd time.Time, lastEnd *time.Time, index int) window {
	var w window
	gap := time.Duration(s.spec.Window.SegmentGap * float64(time.Second))
	times := s.observed(read)
	for len(times) > 0 {
		n := len(times)
		if gap > 0 {
			n = 1
			for n < len(times) && times[n].Sub(times[n-1]) <= gap {
				n++
			}
			if n == len(times) && windowEnd.Sub(times[n-1]) <= gap {
				break // may go on after the window's end
			}
		}
		start, end := times[0], times[n-1]
		seg := plant.Segment{Index: index + len(w.segments) + 1, Pause: math.NaN()}
		if lastEnd != nil {
			seg.Pause = start.Sub(*lastEnd).Seconds()
		}
		var unpaired int
		seg.Raw, unpaired = s.rows(read, times[:n], gap)
		w.unpaired += unpaired
		seg.Rows = clone(seg.Raw)
		if s.segmented != nil {
			s.segmented.Prepare(seg.Rows)
		}
		w.segments = append(w.segments, seg)
		w.watermark, lastEnd = end, &end
		times = times[n:]
	}
	for _, b := range s.outputs {
		if b.property != "" {
			for _, v := range read[b.property].usable {
				if len(times) > 0 && !v.Time.Before(times[0]) {
					w.pending++
				}
			}
		}
	}
	return w
}

// observed returns the instants with a usable observation, ascending.
func (s *setup) observed(read map[string]*series) []time.Time {
	var times []time.Time
	for _, b := range s.outputs {
		if b.property == "" {
			continue
		}
		for _, v := range read[b.property].usable {
			times = append(times, v.Time)
		}
	}
	return unique(times)
}

func unique(times []time.Time) []time.Time {
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// rows joins the series over the instants of a segment's observations and of
// its inputs in between. An input is taken at its own sample, or between two
// of them on a straight line; an observation at an instant where an input
// changes in between is dropped and counted, since nobody knows where.
func (s *setup) rows(read map[string]*series, times []time.Time, gap time.Duration) (rows []plant.Row, unpaired int) {
	start, end := times[0], times[len(times)-1]
	all := slices.Clone(times)
	ranges := make([]float64, len(s.inputs))
	for i, b := range s.inputs {
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, v := range read[b.property].usable {
			if v.Time.Before(start) || v.Time.After(end) {
				continue
			}
			all = append(all, v.Time)
			lo, hi = math.Min(lo, v.Value), math.Max(hi, v.Value)
		}
		ranges[i] = math.Max(0, hi-lo)
	}
	all = unique(all)
	inputs, outputs := make([]cursor, len(s.inputs)), make([]cursor, len(s.outputs))
	for i, b := range s.inputs {
		inputs[i].samples = read[b.property].usable
	}
	for i, b := range s.outputs {
		if b.property != "" {
			outputs[i].samples = read[b.property].usable
		}
	}
	for _, t := range all {
		r := plant.Row{Time: t, U: make([]float64, len(inputs)), Y: make([]float64, len(outputs))}
		known := true
		for i := range inputs {
			var ok bool
			if r.U[i], ok = inputs[i].at(t, ranges[i], gap); !ok {
				known = false
			}
		}
		for i := range outputs {
			r.Y[i] = outputs[i].exact(t)
			if !known && !math.IsNaN(r.Y[i]) {
				r.Y[i] = math.NaN()
				unpaired++
			}
		}
		rows = append(rows, r)
	}
	return rows, unpaired
}

func clone(rows []plant.Row) []plant.Row {
	out := make([]plant.Row, len(rows))
	for i, r := range rows {
		out[i] = plant.Row{Time: r.Time, U: slices.Clone(r.U), Y: slices.Clone(r.Y)}
	}
	return out
}

// A cursor walks through samples as time goes on.
type cursor struct {
	samples []telemetry.Sample
	next    int // the first sample that is later than the last time asked for
}

func (c *cursor) seek(t time.Time) {
	for c.next < len(c.samples) && !c.samples[c.next].Time.After(t) {
		c.next++
	}
}

// exact returns the value at t, or NaN.
func (c *cursor) exact(t time.Time) float64 {
	c.seek(t)
	if c.next > 0 && c.samples[c.next-1].Time.Equal(t) {
		return c.samples[c.next-1].Value
	}
	return math.NaN()
}

// at returns an input at t and whether it is known: from a sample at t, or
// between two that differ by less than a tenth, or a fiftieth of the range. Past
// the ends the nearest is held, and known if it is no further than a gap.
func (c *cursor) at(t time.Time, span float64, gap time.Duration) (v float64, ok bool) {
	if v = c.exact(t); !math.IsNaN(v) {
		return v, true
	}
	if len(c.samples) == 0 {
		return 0, false
	}
	if c.next == 0 || c.next == len(c.samples) {
		s := c.samples[max(0, c.next-1)]
		return s.Value, gap == 0 || t.Sub(s.Time).Abs() <= gap
	}
	a, b := c.samples[c.next-1], c.samples[c.next]
	f := float64(t.Sub(a.Time)) / float64(b.Time.Sub(a.Time))
	d := b.Value - a.Value
	steady := math.Max(0.1*math.Max(math.Abs(a.Value), math.Abs(b.Value)), 0.02*span)
	return a.Value + f*d, math.Abs(d) <= steady
}
