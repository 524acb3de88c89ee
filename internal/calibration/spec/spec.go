// Package spec is the specification of a calibration: which model follows
// which properties of an asset, what is estimated, by which method, over which
// window, what makes a challenger better, and what is published. It is compiled
// from a twin's calibrations section, or read from a file.
package spec

// Version is the version of the format that this program reads and writes.
const Version = 1

// A Spec describes one calibration; it holds for every asset that is
// calibrated by it. Durations are in seconds.
type Spec struct {
	Version int    `json:"version"`
	Name    string `json:"name"`   // such as cell-health
	Model   string `json:"model"`  // a model registered in internal/plant/all
	Method  string `json:"method"` // unscented

	Inputs       map[string]string      `json:"inputs"`       // model input to property
	Observations map[string]Observation `json:"observations"` // by model output
	Parameters   map[string]Parameter   `json:"parameters"`   // estimated, by model parameter
	Constants    map[string]Constant    `json:"constants"`    // fixed model parameters

	Window  Window   `json:"window"`
	Gates   Gates    `json:"gates"`
	Outputs []Output `json:"outputs"` // what is published, in order
	Seed    uint64   `json:"seed"`
}

// An Observation binds a model output to a measured property.
type Observation struct {
	Property string  `json:"property"`
	Noise    float64 `json:"noise"` // standard deviation of the measurement, in the output's unit
}

// A Parameter is estimated. Its prior is log-normal (transform log), logistic
// normal between the bounds (logit) or normal (identity) with the given median
// and a relative (log), transformed (logit) or absolute (identity) standard deviation.
type Parameter struct {
	Unit      string   `json:"unit"`
	Median    float64  `json:"median"`
	Deviation float64  `json:"deviation"`
	Transform string   `json:"transform"` // log, logit or identity
	Lower     *float64 `json:"lower,omitempty"`
	Upper     *float64 `json:"upper,omitempty"`
}

// A Constant is a fixed model parameter: a number, or an attribute of the asset.
type Constant struct {
	Value     *float64 `json:"value,omitempty"`
	Attribute string   `json:"attribute,omitempty"`
}

// A Window says how telemetry is cut into runs.
type Window struct {
	// SegmentGap separates segments: a gap in the observations longer than
	// this ends one. A run assimilates whole segments only. 0: no segments.
	SegmentGap float64 `json:"segmentGap"`
	// Start is how far before the first run's end telemetry is read when
	// there is no watermark.
	Start float64 `json:"start"`
}

// Gates decide whether a challenger is promoted.
type Gates struct {
	MinScoreGain float64    `json:"minScoreGain"` // mean log score per observation that the challenger must gain
	Consistency  float64    `json:"consistency"`  // probability content of the band that mean NIS must lie in, such as 0.999
	Coverage     [2]float64 `json:"coverage"`     // band of the share of observations inside their 90 % intervals
}

// An Output is a published quantity of a model: a parameter or a prediction.
// Each quantile q becomes the property {name}_p{100q}, two digits at least.
type Output struct {
	Name      string    `json:"name"`
	Unit      string    `json:"unit"`
	Quantiles []float64 `json:"quantiles"`
}
