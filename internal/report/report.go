// Package report says how well a twin followed its plant: the figures of every
// asset, the floors they are held to, and what happened run by run, as data
// (Build), as JSON (WriteJSON) and as one self-contained page for people
// (WriteHTML). Two runs over the same telemetry give the same JSON but for its
// meta object.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Version is the version of report.json.
const Version = 1

// A Report is the content of report.json. Capacity is in A.h, resistance in
// Ohm, voltage in V; state of health is a ratio. A number that could not be
// had is null.
type Report struct {
	Version     int    `json:"version"`
	Twin        string `json:"twin"`
	Title       string `json:"title"`
	Calibration string `json:"calibration"`
	Source      string `json:"source"` // of the telemetry, for people
	Real        bool   `json:"real"`   // telemetry of a real plant; false: simulated

	Cycles    Range    `json:"cycles"` // that the figures are taken over
	EndOfLife *float64 `json:"end_of_life_Ah,omitempty"`
	Alarm     *Alarm   `json:"alarm,omitempty"` // on the state of health

	Cells  []Cell  `json:"cells"`
	Floors []Floor `json:"floors"`

	AlarmStates []AlarmState `json:"alarm_states"` // changes, as TwinMaker tells them

	Telemetry Telemetry `json:"telemetry"`
	TwinMaker Readback  `json:"twinmaker"`

	Meta Meta `json:"meta"` // differs from run to run
}

// A Range of cycles, both included.
type Range struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// An Alarm is drawn where its threshold lies.
type Alarm struct {
	Title     string  `json:"title"`
	Threshold float64 `json:"threshold"`
}

// An AlarmState is a state that an alarm of a cell took.
type AlarmState struct {
	Cell  string    `json:"cell"`
	Alarm string    `json:"alarm"`
	Title string    `json:"title"`
	Time  time.Time `json:"time"`
	State string    `json:"state"`
}

// Quantiles of a distribution.
type Quantiles struct {
	P05 float64 `json:"p05"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// A Life holds the quantiles of the remaining cycles. One that is null lies
// beyond as many cycles as Beyond says: so far ahead no trend tells.
type Life struct {
	P05    *float64 `json:"p05"`
	P50    *float64 `json:"p50"`
	P95    *float64 `json:"p95"`
	Beyond int      `json:"beyond,omitempty"`
}

// A Cell holds the figures of one asset.
type Cell struct {
	Cell           string `json:"cell"`
	Recalibrations int    `json:"recalibrations"`
	Promoted       int    `json:"promoted"`
	Rejected       int    `json:"rejected"`

	CapacityRMSE    *float64   `json:"capacity_rmse_Ah"`          // predicted when the load set in, against measured
	AheadRMSE       *float64   `json:"ahead_capacity_rmse_Ah"`    // published after the cycle before
	PersistenceRMSE *float64   `json:"persistence_rmse_Ah"`       // repeating the last measured capacity
	FrozenRMSE      *float64   `json:"frozen_capacity_rmse_Ah"`   // the mean of the early cycles, never updated
	Coverage90      *float64   `json:"coverage90"`                // share of measured capacities inside their 90 % intervals
	Width90         *float64   `json:"width90_Ah"`                // mean width of those
	VoltageRMSE     *float64   `json:"voltage_rmse_V"`            // of the whole discharge, predicted when the load set in
	LastCycleRMSE   *float64   `json:"last_cycle_voltage_rmse_V"` // with the parameters of the cycle before
	SoH             *Quantiles `json:"soh"`
	RUL             *Life      `json:"rul_cycles"`

	History []Cycle  `json:"cycles"`
	Runs    []Run    `json:"runs"`
	Voltage *Voltage `json:"voltage,omitempty"` // the last discharge, as an example
}

// A Cycle is one discharge: what it measured, and what had been predicted.
type Cycle struct {
	Cycle       int        `json:"cycle"`
	Start       time.Time  `json:"start"`
	Pause       *float64   `json:"pause_h"` // since the end of the cycle before
	Measured    *float64   `json:"capacity_Ah"`
	Predicted   *Quantiles `json:"predicted_capacity_Ah"` // when the load set in
	Ahead       *Quantiles `json:"ahead_capacity_Ah"`     // after the cycle before
	VoltageRMSE *float64   `json:"voltage_rmse_V"`
}

// A Run is one recalibration.
type Run struct {
	WindowEnd  time.Time  `json:"window_end"`
	Cycle      int        `json:"cycle"` // the last one that it assimilated
	Outcome    string     `json:"outcome"`
	Reason     string     `json:"reason"`
	Gain       *float64   `json:"gain"` // nats per observation
	NIS        float64    `json:"nis"`  // of the calibration in force after it
	Coverage90 float64    `json:"coverage90"`
	Samples    int        `json:"samples"`
	NotUsable  int        `json:"not_usable"` // BAD, NULL or not finite
	Late       int        `json:"late"`
	Capacity   *Quantiles `json:"capacity_Ah"`
	Resistance *Quantiles `json:"resistance_Ohm"`
	SoH        *Quantiles `json:"soh"`
	RUL        *Life      `json:"rul_cycles"`
}

// A Voltage is one discharge as measured, and what was published of it before
// it began: the voltage that many minutes into the load.
type Voltage struct {
	Cycle     int            `json:"cycle"`
	Measured  []Point        `json:"measured"`
	Published []VoltageAhead `json:"published"`
}

// A Point is a voltage some minutes after the load set in.
type Point struct {
	Minutes float64 `json:"minutes"`
	Volts   float64 `json:"volts"`
}

// A VoltageAhead is a published prediction.
type VoltageAhead struct {
	Minutes float64   `json:"minutes"`
	Volts   Quantiles `json:"volts"`
}

// Telemetry counts what went into the historian.
type Telemetry struct {
	Samples    int `json:"samples"`
	Bad        int `json:"bad"`
	NotNumbers int `json:"not_numbers"` // NaN or NULL, of the bad ones
	Duplicates int `json:"duplicate_rows"`
	Reordered  int `json:"reordered_rows"`
	Rejected   int `json:"rejected"`
}

// A Readback compares what TwinMaker answers with what was published.
type Readback struct {
	Series   int `json:"series"`
	Values   int `json:"values"`
	Differed int `json:"differed"`
}

// Meta is what differs between two runs over the same telemetry.
type Meta struct {
	Started  time.Time          `json:"started"` // wall clock
	Seconds  float64            `json:"seconds"`
	Steps    map[string]float64 `json:"steps_s"`
	Versions map[string]string  `json:"versions"`
	IDs      map[string]string  `json:"ids"`
}

// A Floor is a limit that a figure is held to, for the worst cell.
type Floor struct {
	Figure string   `json:"figure"`
	Unit   string   `json:"unit"`
	Limit  string   `json:"limit"` // for people, such as ≤ 0.011
	Worst  *float64 `json:"worst"`
	Cell   string   `json:"cell"` // that is worst
	Holds  bool     `json:"holds"`
}

// WriteJSON writes report.json.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
