// Package runindex is the index of runs and alarm states that dashboards read:
// one record per published run of a calibration and one per change of an
// alarm's state. It is derived: every record can be published again, and
// nothing that decides about a calibration reads it.
package runindex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"
)

// Version is the version of the records that this program reads and writes.
const Version = 1

// ErrVersion reports a record of another version.
var ErrVersion = errors.New("runindex: record of another version")

// A Run is one published run of a calibration of an asset.
type Run struct {
	Asset       string
	Calibration string
	ID          string
	Generation  int64 // of the champion after the run
	WindowEnd   time.Time
	Watermark   time.Time
	Outcome     string // promoted, rejected, rolled-back
	Reason      string
	// Values holds every published quantile, such as state_of_health_p50, and
	// the run's metrics, such as nis. All are finite.
	Values map[string]float64
}

// A State is the state of an alarm on a twin's value.
type State string

// The states, as TwinMaker's alarm_status names them.
const (
	Normal         State = "NORMAL"
	Active         State = "ACTIVE"
	Acknowledged   State = "ACKNOWLEDGED"
	SnoozeDisabled State = "SNOOZE_DISABLED"
)

// An AlarmState says that an alarm of an asset took a state at an instant.
type AlarmState struct {
	Asset string
	Alarm string
	Time  time.Time
	State State
	Value float64 // the watched value, in the property's unit
}

// An Order is a direction in time.
type Order int

// The orders.
const (
	Ascending Order = iota
	Descending
)

// An Index keeps runs and alarm states. What is stored is visible to every
// later read.
type Index interface {
	// PutRun stores a run; one with the same asset, calibration, window end and
	// id replaces it.
	PutRun(ctx context.Context, run Run) error

	// Runs yields the runs of a calibration of an asset with
	// from < WindowEnd <= to in order of time, and by id within an instant.
	// A record of another version yields ErrVersion. After an error nothing
	// more is yielded.
	Runs(ctx context.Context, asset, calibration string, from, to time.Time, order Order) iter.Seq2[Run, error]

	// PutAlarm stores an alarm's state; one at the same instant replaces it.
	PutAlarm(ctx context.Context, state AlarmState) error

	// Alarms yields the states of an alarm of an asset with from < Time <= to
	// in order of time. A record of another version yields ErrVersion. After an
	// error nothing more is yielded.
	Alarms(ctx context.Context, asset, alarm string, from, to time.Time, order Order) iter.Seq2[AlarmState, error]
}

// Check returns an error when the run cannot be stored.
func (r Run) Check() error {
	for _, field := range []struct{ name, value string }{
		{"asset", r.Asset}, {"calibration", r.Calibration}, {"id", r.ID},
	} {
		if err := checkName(field.name, field.value); err != nil {
			return fmt.Errorf("run %s of %s/%s: %w", r.ID, r.Asset, r.Calibration, err)
		}
	}
	if err := checkTime("window end", r.WindowEnd); err != nil {
		return fmt.Errorf("run %s of %s/%s: %w", r.ID, r.Asset, r.Calibration, err)
	}
	for name, v := range r.Values {
		if name == "" || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("run %s of %s/%s: value %q is %g; expected a name and a finite number: leave it out when there is none",
				r.ID, r.Asset, r.Calibration, name, v)
		}
	}
	return nil
}

// Check returns an error when the state cannot be stored.
func (a AlarmState) Check() error {
	for _, field := range []struct{ name, value string }{{"asset", a.Asset}, {"alarm", a.Alarm}} {
		if err := checkName(field.name, field.value); err != nil {
			return fmt.Errorf("state of alarm %s of %s: %w", a.Alarm, a.Asset, err)
		}
	}
	if err := checkTime("time", a.Time); err != nil {
		return fmt.Errorf("state of alarm %s of %s: %w", a.Alarm, a.Asset, err)
	}
	switch a.State {
	case Normal, Active, Acknowledged, SnoozeDisabled:
	default:
		return fmt.Errorf("state of alarm %s of %s is %q; expected NORMAL, ACTIVE, ACKNOWLEDGED or SNOOZE_DISABLED", a.Alarm, a.Asset, a.State)
	}
	if math.IsNaN(a.Value) || math.IsInf(a.Value, 0) {
		return fmt.Errorf("value of alarm %s of %s is %g; expected a finite number", a.Alarm, a.Asset, a.Value)
	}
	return nil
}

// checkName refuses what would make two keys of the table equal.
func checkName(field, name string) error {
	if name == "" || strings.ContainsRune(name, '#') {
		return fmt.Errorf("%s is %q; expected a name without #", field, name)
	}
	return nil
}

// checkTime refuses an instant that the table's keys cannot order.
func checkTime(field string, t time.Time) error {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return fmt.Errorf("%s is in the year %d; expected 1 to 9999", field, year)
	}
	return nil
}

// Next returns the state of an alarm after its condition was looked at, given
// its state before ("" when it never had one). An operator's ACKNOWLEDGED and
// SNOOZE_DISABLED last until the condition ends.
func Next(before State, holds bool) State {
	switch {
	case !holds:
		return Normal
	case before == Acknowledged || before == SnoozeDisabled:
		return before
	default:
		return Active
	}
}
