package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// A Window is the time a historian accepts samples for: Oldest <= t <= Newest.
type Window struct{ Oldest, Newest time.Time }

// Accepted is SiteWise's window at now, seven days back and ten minutes ahead,
// less a quarter of an hour at its old end for the writing itself. Nothing is
// moved into the future.
func Accepted(now time.Time) Window {
	return Window{Oldest: now.Add(-7*24*time.Hour + 15*time.Minute), Newest: now}
}

// A Timeline maps the times of a recording to the times its samples get. The
// spacing within a segment never changes.
type Timeline struct {
	Segments  []Segment
	Shortened time.Duration // taken out of the gaps, in all
}

// A Segment is a stretch of the recording, over all series, without a gap
// longer than the segment gap, and the shift it gets.
type Segment struct {
	First, Last time.Time // in the recording
	Shift       time.Duration
}

// Unchanged reports whether every sample keeps its time.
func (t Timeline) Unchanged() bool {
	return !slices.ContainsFunc(t.Segments, func(s Segment) bool { return s.Shift != 0 })
}

// At maps an instant of the recording.
func (t Timeline) At(at time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(t.Segments, at, func(s Segment, at time.Time) int { return s.First.Compare(at) })
	if i == len(t.Segments) || t.Segments[i].First.After(at) {
		i--
	}
	return at.Add(t.Segments[max(i, 0)].Shift)
}

// segments cuts a recording.
func segments(r *Recording, gap time.Duration) []Segment {
	var all []Segment
	for at := range merged(r) {
		if n := len(all); n > 0 && at.Sub(all[n-1].Last) <= gap {
			all[n-1].Last = at
			continue
		}
		all = append(all, Segment{First: at, Last: at})
	}
	return all
}

// Keep is the timeline that changes nothing.
func Keep(r *Recording, gap time.Duration) Timeline {
	return Timeline{Segments: segments(r, gap)}
}

// Fit maps a recording into a window. A recording that lies inside keeps its
// times. Otherwise it is moved so that it ends at the window's end, and when
// it is longer than the window its gaps are shortened, all by the same share
// of what exceeds the segment gap: segments remain segments. When even that is
// too long, the error says by how much.
func Fit(r *Recording, gap time.Duration, w Window) (Timeline, error) {
	all := segments(r, gap)
	if len(all) == 0 {
		return Timeline{}, fmt.Errorf("there are no samples in %d files", r.Files)
	}
	first, last := all[0].First, all[len(all)-1].Last
	if !first.Before(w.Oldest) && !last.After(w.Newest) {
		return Timeline{Segments: all}, nil
	}
	length, room := last.Sub(first), w.Newest.Sub(w.Oldest)
	var inside, gaps time.Duration
	for i, s := range all {
		inside += s.Last.Sub(s.First)
		if i > 0 {
			gaps += s.First.Sub(all[i-1].Last)
		}
	}
	// A shortened gap stays a gap: longer than the segment gap by a second.
	shortest := gap + time.Second
	least := inside + time.Duration(len(all)-1)*shortest
	if least > room {
		return Timeline{}, fmt.Errorf("the recording cannot fit: %d segments last %s and %d gaps of at least %s %s, together %s, but samples are accepted for %s (%s to %s): replay fewer files or a shorter recording",
			len(all), inside.Round(time.Second), len(all)-1, shortest, time.Duration(len(all)-1)*shortest, least.Round(time.Second),
			room, w.Oldest.Format(time.RFC3339), w.Newest.Format(time.RFC3339))
	}
	share := 1.0
	if length > room {
		share = float64(room-least) / float64(gaps-time.Duration(len(all)-1)*shortest)
	}
	t := Timeline{Segments: all}
	at := w.Newest
	for i := len(all) - 1; i >= 0; i-- {
		s := &t.Segments[i]
		s.Shift = at.Sub(s.Last)
		if i > 0 {
			old := s.First.Sub(all[i-1].Last)
			g := old
			if share < 1 {
				g = shortest + time.Duration(share*float64(old-shortest))
			}
			t.Shortened += old - g
			at = s.First.Add(s.Shift).Add(-g)
		}
	}
	return t, nil
}

// String describes the timeline for people.
func (t Timeline) String() string {
	if len(t.Segments) == 0 {
		return "no samples"
	}
	a, b := t.Segments[0], t.Segments[len(t.Segments)-1]
	var s strings.Builder
	fmt.Fprintf(&s, "%d segments, %s to %s", len(t.Segments),
		a.First.Add(a.Shift).Format(time.RFC3339), b.Last.Add(b.Shift).Format(time.RFC3339))
	if !t.Unchanged() {
		fmt.Fprintf(&s, "; recorded %s to %s, moved by %s", a.First.Format(time.RFC3339), b.Last.Format(time.RFC3339), b.Shift.Round(time.Second))
		if t.Shortened > 0 {
			fmt.Fprintf(&s, ", gaps shortened by %s in all: rest times between segments are not the recorded ones", t.Shortened.Round(time.Second))
		}
	}
	return s.String()
}

// merged yields the instants of all series in ascending order, one per sample.
func merged(r *Recording) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		for p := range points(r) {
			if !yield(p.Sample.Time) {
				return
			}
		}
	}
}

// points yields the samples of all series in ascending order of time, those of
// one instant in the order of the series.
func points(r *Recording) func(yield func(telemetry.Point) bool) {
	return func(yield func(telemetry.Point) bool) {
		next := make([]int, len(r.Series))
		for {
			best := -1
			for i, s := range r.Series {
				if next[i] < len(s.Samples) && (best < 0 || s.Samples[next[i]].Time.Before(r.Series[best].Samples[next[best]].Time)) {
					best = i
				}
			}
			if best < 0 {
				return
			}
			s := r.Series[best]
			if !yield(telemetry.Point{Series: s.Alias, Sample: s.Samples[next[best]]}) {
				return
			}
			next[best]++
		}
	}
}
