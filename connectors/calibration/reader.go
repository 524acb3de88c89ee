package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/dataconnector"
	"github.com/livetwin/livetwin/internal/runindex"
)

// Properties of the components that this connector serves.
const (
	asset       = "asset"       // of a calibration's component
	calibration = "calibration" // of a calibration's component
	alarmKey    = "alarm_key"   // of an alarm's component: {asset}#{alarm}
	alarmStatus = "alarm_status"
)

var _ dataconnector.Reverser = (*reader)(nil)

// A reader serves the index of runs. A component with an alarm_key is an
// alarm; every other names its asset and calibration.
type reader struct {
	index runindex.Index
}

// Samples implements dataconnector.Reader.
func (r *reader) Samples(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return r.samples(ctx, p, from, to, runindex.Ascending)
}

// SamplesBackward implements dataconnector.Reverser.
func (r *reader) SamplesBackward(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return r.samples(ctx, p, from, to, runindex.Descending)
}

func (r *reader) samples(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time, order runindex.Order) iter.Seq2[dataconnector.Sample, error] {
	if key, ok := p.Attributes[alarmKey]; ok {
		return r.alarm(ctx, p, key, from, to, order)
	}
	return r.calibration(ctx, p, from, to, order)
}

// alarm yields the states of an alarm.
func (r *reader) alarm(ctx context.Context, p dataconnector.PropertyRef, key dataconnector.Value, from, to time.Time, order runindex.Order) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		text, _ := key.Text()
		name, alarm, ok := strings.Cut(text, "#")
		if !ok || name == "" || alarm == "" {
			yield(dataconnector.Sample{}, fmt.Errorf("%s of component %s of entity %s is %q; expected {asset}#{alarm}", alarmKey, p.ComponentName, p.EntityID, text))
			return
		}
		if p.PropertyName != alarmStatus {
			yield(dataconnector.Sample{}, fmt.Errorf("an alarm has no property %q; it has %s", p.PropertyName, alarmStatus))
			return
		}
		for state, err := range r.index.Alarms(ctx, name, alarm, from, to, order) {
			if !yield(dataconnector.Sample{Time: state.Time, Value: dataconnector.String(string(state.State))}, err) || err != nil {
				return
			}
		}
	}
}

// calibration yields one value of the runs that have it. Of several runs that
// end at one instant the last generation counts.
func (r *reader) calibration(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time, order runindex.Order) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		name, named := p.Attributes[asset].Text()
		spec, specified := p.Attributes[calibration].Text()
		if !named || !specified {
			yield(dataconnector.Sample{}, fmt.Errorf("component %s of entity %s does not say its %s and %s as strings: its component type must require them",
				p.ComponentName, p.EntityID, asset, calibration))
			return
		}
		var best *runindex.Run // of the instant
		for run, err := range r.index.Runs(ctx, name, spec, from, to, order) {
			if err != nil {
				yield(dataconnector.Sample{}, err)
				return
			}
			switch {
			case best == nil:
			case !best.WindowEnd.Equal(run.WindowEnd):
				if !offer(yield, *best, p.PropertyName) {
					return
				}
			case best.Generation >= run.Generation:
				continue
			}
			best = &run
		}
		if best != nil {
			offer(yield, *best, p.PropertyName)
		}
	}
}

// offer yields a run's value, if it has it, and says whether to go on.
func offer(yield func(dataconnector.Sample, error) bool, run runindex.Run, property string) bool {
	v, ok := run.Values[property]
	return !ok || yield(dataconnector.Sample{Time: run.WindowEnd, Value: dataconnector.Double(v)}, nil)
}
