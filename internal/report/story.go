package report

import (
	"fmt"
	"time"
)

// Story tells what happened, for somebody who knows the plant and not the
// model: a sentence for the whole, one per cell, one per alarm.
func (v view) Story() []string {
	var story []string
	var from, to time.Time
	for _, c := range v.Cells {
		if n := len(c.History); n > 0 {
			if from.IsZero() || c.History[0].Start.Before(from) {
				from = c.History[0].Start
			}
			if end := c.Runs[len(c.Runs)-1].WindowEnd; end.After(to) {
				to = end
			}
		}
	}
	if !from.IsZero() {
		story = append(story, fmt.Sprintf("Telemetry of %s to %s UTC, %.1f days.", minute(from), minute(to), to.Sub(from).Hours()/24))
	}
	for _, c := range v.Cells {
		if s := c.story(v.Cycles); s != "" {
			story = append(story, s)
		}
	}
	for _, a := range v.AlarmStates {
		if a.State != "NORMAL" {
			story = append(story, fmt.Sprintf("%s: the alarm “%s” went %s at %s.", a.Cell, a.Title, a.State, minute(a.Time)))
		}
	}
	return story
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// story tells what became of a cell.
func (c Cell) story(in Range) string {
	var first, last *Cycle
	for i := range c.History {
		if y := &c.History[i]; y.Measured != nil {
			if first == nil {
				first = y
			}
			last = y
		}
	}
	if last == nil {
		return ""
	}
	s := fmt.Sprintf("%s delivered %.3f A\u00b7h in cycle %d and %.3f A\u00b7h in cycle %d", c.Cell, *first.Measured, first.Cycle, *last.Measured, last.Cycle)
	if last.Predicted != nil {
		s += fmt.Sprintf("; the twin had expected %.3f (%.3f to %.3f) of the last", last.Predicted.P50, last.Predicted.P05, last.Predicted.P95)
	}
	s += "."
	if cycles := c.RejectedCycles(Range{From: 1, To: max(in.To, last.Cycle)}); cycles != "" {
		s += fmt.Sprintf(" The telemetry of %s was rejected: it did not fit the model, and the parameters stayed.", cycles)
	}
	return s
}
