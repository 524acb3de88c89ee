package calibration

import "time"

// DiagnosticsVersion is the version of diagnostics.json that this program
// reads and writes.
const DiagnosticsVersion = 1

// Diagnostics is the evidence of a run: the content of diagnostics.json. The
// runs of a calibration are followed backwards by Previous.
type Diagnostics struct {
	Version int `json:"version"`
	Key
	Run       RunID     `json:"run"`
	Previous  RunID     `json:"previous,omitempty"` // the run that advanced the state before
	Champion  *Champion `json:"champion,omitempty"` // the champion that the run read
	WindowEnd time.Time `json:"windowEnd"`
	Watermark time.Time `json:"watermark"` // after the run
	Decision  Decision  `json:"decision"`

	Telemetry Intake `json:"telemetry"`

	// ChampionScores and ChallengerScores score the same one-step forecasts of
	// the run's window; ChampionScores is absent for a first calibration.
	ChampionScores   *Scores   `json:"championScores,omitempty"`
	ChallengerScores Scores    `json:"challengerScores"`
	Segments         []Segment `json:"segments"`

	Yardstick Yardstick `json:"yardstick"` // after the run

	// Predictions are the published quantiles, equal to predictions.csv.
	Predictions []Prediction `json:"predictions"`
}

// A Yardstick says how wide forecasts turned out to be: their covariances are
// multiplied by Scale before they are scored. A scale below 1 says that the
// stated measurement noise is larger than what the model cannot follow.
type Yardstick struct {
	Scale   float64 `json:"scale"`
	Freedom float64 `json:"freedom"` // independent innovations that it is known by
}

// An Intake counts what was done with the samples of a window.
type Intake struct {
	Assimilated int  `json:"assimilated"` // observations
	Bad         int  `json:"bad"`         // quality BAD
	Null        int  `json:"null"`
	NonFinite   int  `json:"nonFinite"` // NaN or infinite
	Pending     int  `json:"pending"`   // after the last whole segment; left to the next run
	Unpaired    int  `json:"unpaired"`  // at instants where an input changed unseen; not assimilated
	Late        int  `json:"late"`      // arrived in the previous window after it was assimilated; not assimilated
	Rewritten   bool `json:"rewritten"` // the previous window holds as many samples, but other ones
}

// Scores summarise one-step forecasts of observations, each scored before it
// was assimilated.
type Scores struct {
	Count      int     `json:"count"`      // scored observations
	LogScore   float64 `json:"logScore"`   // mean log predictive density per observation, nats in the output's unit
	NIS        float64 `json:"nis"`        // mean normalised innovation squared per observation; 1 when the model is right
	Coverage90 float64 `json:"coverage90"` // share of observations inside their central 90 % interval
}

// A Segment reports one whole segment of telemetry, such as one discharge.
type Segment struct {
	Index   int       `json:"index"` // counted from 1 since the first segment ever
	Start   time.Time `json:"start"` // first sample
	End     time.Time `json:"end"`   // last sample
	Samples int       `json:"samples"`
	Pause   *float64  `json:"pause,omitempty"` // seconds since the end of the segment before

	ChampionScores   *Scores `json:"championScores,omitempty"`
	ChallengerScores Scores  `json:"challengerScores"`

	// Figures are numbers that the model reports of the segment, by name, such
	// as rest_voltage. One that could not be had is absent.
	Figures map[string]float64 `json:"figures,omitempty"`
	// Forecasts compare quantities that the segment measures as a whole with
	// what was forecast of them from past telemetry.
	Forecasts []Forecast `json:"forecasts,omitempty"`
	// Trajectories compare observations of the segment with a forecast of the
	// whole of it, made at its onset and run open loop on measured inputs.
	Trajectories []Trajectory `json:"trajectories,omitempty"`
}

// Interval holds the quantiles of a forecast.
type Interval struct {
	P05 float64 `json:"p05"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// A Forecast compares one measured quantity with its forecasts.
type Forecast struct {
	Name      string             `json:"name"` // such as capacity
	Unit      string             `json:"unit"`
	Measured  *float64           `json:"measured,omitempty"` // absent when the segment did not show it
	Onset     *Interval          `json:"onset,omitempty"`    // made when the load set in: the pause and the rest before it are known
	Ahead     *Interval          `json:"ahead,omitempty"`    // made after the segment before
	Baselines map[string]float64 `json:"baselines"`          // persistence: the last measured; frozen: the mean of the early ones
}

// A Trajectory sums the squared errors of an open-loop forecast and of its
// baselines over the same observations.
type Trajectory struct {
	Name      string             `json:"name"` // such as voltage
	Unit      string             `json:"unit"`
	Count     int                `json:"count"`
	SSE       float64            `json:"sse"`       // unit squared
	Baselines map[string]float64 `json:"baselines"` // sums of squared errors, by name of the baseline
}

// A Prediction is one published quantile of an output.
type Prediction struct {
	Output   string  `json:"output"`
	Unit     string  `json:"unit"`
	Quantile float64 `json:"quantile"`
	Value    float64 `json:"value"`
}
