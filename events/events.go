// Package events holds the events that Livetwin emits and reacts to on the
// default event bus. The golden event of each type in testdata is its schema;
// README.md lists producers and consumers.
package events

import "time"

// Sources of events.
const (
	SourceCalibration = "livetwin.calibration"
	SourceTwin        = "livetwin.twin"
)

// Detail types.
const (
	TypeCalibrationPromoted    = "Calibration Promoted"
	TypeCalibrationRejected    = "Calibration Rejected"
	TypeRecalibrationFailed    = "Recalibration Failed"
	TypeRecalibrationRequested = "Recalibration Requested"
	TypeAlarmStateChanged      = "Alarm State Changed"
)

// An Event is the detail of an event; it knows where it belongs.
type Event interface {
	Source() string
	DetailType() string
}

// An Origin says which deployed twin an event is about. ID is the same when the
// same thing is told twice: consumers dedupe on it.
type Origin struct {
	Twin  string `json:"twin"`
	Stage string `json:"stage"`
	ID    string `json:"id"`
}

// A CalibrationPromoted says that a challenger became the champion.
// ID is the run's.
type CalibrationPromoted struct {
	Origin
	Asset       string    `json:"asset"`
	Calibration string    `json:"calibration"`
	Run         string    `json:"run"`
	Generation  int64     `json:"generation"` // of the new champion
	WindowEnd   time.Time `json:"windowEnd"`
	Reason      string    `json:"reason"`
}

// A CalibrationRejected says that the champion stays: the challenger did not
// pass the gates. State and watermark advanced. ID is the run's.
type CalibrationRejected struct {
	Origin
	Asset       string    `json:"asset"`
	Calibration string    `json:"calibration"`
	Run         string    `json:"run"`
	Generation  int64     `json:"generation"` // of the champion after the run
	WindowEnd   time.Time `json:"windowEnd"`
	Reason      string    `json:"reason"`
}

// A RecalibrationFailed says that one asset could not be recalibrated. ID is
// {execution}/{asset}.
type RecalibrationFailed struct {
	Origin
	Asset       string `json:"asset"`
	Calibration string `json:"calibration"`
	Execution   string `json:"execution"`
	WindowEnd   string `json:"windowEnd"` // as the execution got it
	Error       string `json:"error"`
}

// A RecalibrationRequested asks for a recalibration, beside the schedule's. ID
// is the caller's choice.
type RecalibrationRequested struct {
	Origin
	Calibration string    `json:"calibration"`
	WindowEnd   time.Time `json:"windowEnd"`
}

// An AlarmStateChanged says that an alarm on a twin's value has a new state.
// ID is {asset}#{alarm}#{time}.
type AlarmStateChanged struct {
	Origin
	Asset    string    `json:"asset"`
	Alarm    string    `json:"alarm"`
	State    string    `json:"state"`              // NORMAL, ACTIVE, ACKNOWLEDGED or SNOOZE_DISABLED
	Previous string    `json:"previous,omitempty"` // absent for the first state
	Value    float64   `json:"value"`
	Time     time.Time `json:"time"` // of the value
}

// Source implements Event.
func (CalibrationPromoted) Source() string { return SourceCalibration }

// DetailType implements Event.
func (CalibrationPromoted) DetailType() string { return TypeCalibrationPromoted }

// Source implements Event.
func (CalibrationRejected) Source() string { return SourceCalibration }

// DetailType implements Event.
func (CalibrationRejected) DetailType() string { return TypeCalibrationRejected }

// Source implements Event.
func (RecalibrationFailed) Source() string { return SourceCalibration }

// DetailType implements Event.
func (RecalibrationFailed) DetailType() string { return TypeRecalibrationFailed }

// Source implements Event.
func (RecalibrationRequested) Source() string { return SourceTwin }

// DetailType implements Event.
func (RecalibrationRequested) DetailType() string { return TypeRecalibrationRequested }

// Source implements Event.
func (AlarmStateChanged) Source() string { return SourceTwin }

// DetailType implements Event.
func (AlarmStateChanged) DetailType() string { return TypeAlarmStateChanged }

// An Entry is an event as the state machine's events:putEvents takes it:
// Detail is an object, which Step Functions turns into PutEvents' string.
type Entry struct {
	Source     string `json:"Source"`
	DetailType string `json:"DetailType"`
	Detail     Event  `json:"Detail"`
}

// EntryOf returns the entry of an event.
func EntryOf(e Event) Entry {
	return Entry{Source: e.Source(), DetailType: e.DetailType(), Detail: e}
}
