package main

import (
	"context"
	"time"

	"github.com/livetwin/livetwin/events"
	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// judge computes the state of an alarm at the end of the window, stores it
// when it differs from the one before, and returns the event of the change.
// What counts as before lies strictly before the window's end, so publishing
// once more comes to the same result. A value that was not published leaves
// the alarm alone.
func (h *handler) judge(ctx context.Context, alarm definition.Alarm, p calibration.Published) ([]events.Entry, error) {
	value, ok := p.Values[alarm.Property]
	if !ok {
		return nil, nil
	}
	before, now, err := h.states(ctx, alarm, p.Asset, p.WindowEnd)
	if err != nil {
		return nil, err
	}
	next := runindex.AlarmState{
		Asset: p.Asset, Alarm: alarm.Name, Time: p.WindowEnd, Value: value,
		State: runindex.Next(before, alarm.Comparison.Holds(value, alarm.Threshold)),
	}
	if now == "" && next.State == before {
		return nil, nil // the state lasts
	}
	if err := h.runs.PutAlarm(ctx, next); err != nil {
		return nil, err
	}
	if next.State == before {
		return nil, nil // an earlier publication of this window was taken back
	}
	return []events.Entry{events.EntryOf(events.AlarmStateChanged{
		Origin: events.Origin{
			Twin: h.twin.Twin, Stage: h.stage,
			ID: p.Asset + "#" + alarm.Name + "#" + p.WindowEnd.Format(time.RFC3339Nano),
		},
		Asset: p.Asset, Alarm: alarm.Name, State: string(next.State), Previous: string(before), Value: value, Time: p.WindowEnd,
	})}, nil
}

// states returns the state of an alarm before an instant and the one stored
// at it, "" for none.
func (h *handler) states(ctx context.Context, alarm definition.Alarm, asset string, at time.Time) (before, now runindex.State, err error) {
	for s, err := range h.runs.Alarms(ctx, asset, alarm.Name, time.Time{}, at, runindex.Descending) {
		if err != nil {
			return "", "", err
		}
		if !s.Time.Equal(at) {
			return s.State, now, nil
		}
		now = s.State
	}
	return "", now, nil
}
