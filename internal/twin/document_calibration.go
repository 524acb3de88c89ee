package twin

// A Calibration follows every asset of a model by a physics model.
type Calibration struct {
	// What people call the calibration.
	Title string `json:"title,omitempty"`
	// Model of the assets that are calibrated.
	AssetModel string `json:"assetModel"`
	// Physics model, a package below internal/plant.
	Model string `json:"model"`
	// Method of estimation; unscented by default.
	Method string `json:"method,omitempty" jsonschema:"enum=unscented"`
	// When runs start: rate(1 hour), or cron(0 6 * * ? *) in UTC.
	Schedule string `json:"schedule" jsonschema:"pattern=^(rate|cron)\\(.*\\)$"`
	// Property of the asset that drives each input of the model.
	Inputs Section[string] `json:"inputs,omitzero"`
	// Property of the asset that measures an output of the model.
	Observations Section[Observation] `json:"observations"`
	// Parameters of the model that are estimated, with their priors.
	Parameters Section[Parameter] `json:"parameters"`
	// Parameters of the model that are known.
	Constants Section[Constant] `json:"constants,omitzero"`
	// How telemetry is cut into runs.
	Window Window `json:"window,omitzero"`
	// What makes a challenger the champion.
	Gates Gates `json:"gates,omitzero"`
	// Quantiles of every published quantity; 0.05, 0.5 and 0.95 by default.
	Quantiles []float64 `json:"quantiles,omitempty"`
	// Parameters and predictions that are published as properties {name}_p{100 quantile}, in order.
	Publish Section[Output] `json:"publish"`
	// Seed of every random number.
	Seed int `json:"seed,omitempty"`
}

// An Observation binds an output of the model to a measured property.
type Observation struct {
	// Property of the asset.
	Property string `json:"property"`
	// Standard deviation of the measurement, in the output's unit.
	Noise float64 `json:"noise"`
}

// A Parameter is estimated from a prior.
type Parameter struct {
	// UCUM code of the unit.
	Unit string `json:"unit"`
	// Median of the prior.
	Median float64 `json:"median"`
	// Standard deviation of the prior: relative (log), of the logit (logit), or absolute (identity).
	Deviation float64 `json:"deviation"`
	// Space in which it is estimated; identity by default.
	Transform string `json:"transform,omitempty" jsonschema:"enum=identity,enum=log,enum=logit"`
	// Lower bound; needed by logit.
	Lower *float64 `json:"lower,omitempty"`
	// Upper bound; needed by logit.
	Upper *float64 `json:"upper,omitempty"`
}

// A Constant is a known parameter: a number with a unit, or an attribute.
type Constant struct {
	// The number.
	Value *float64 `json:"value,omitempty"`
	// UCUM code of the number's unit.
	Unit string `json:"unit,omitempty"`
	// Attribute of the asset that holds the number.
	Attribute string `json:"attribute,omitempty"`
}

// A Window says how telemetry is cut into runs.
type Window struct {
	// A gap in the observations longer than this ends a segment; a run assimilates whole segments. None by default: every sample up to a run's time is assimilated.
	SegmentGap Duration `json:"segmentGap,omitempty"`
	// How far before its time the first run reads; 7d by default.
	Start Duration `json:"start,omitempty"`
}

// Gates decide whether a challenger is promoted.
type Gates struct {
	// Mean log score per observation that the challenger must gain; 0 by default.
	MinScoreGain float64 `json:"minScoreGain,omitempty"`
	// Probability content of the band that the mean NIS must lie in; 0.999 by default.
	Consistency *float64 `json:"consistency,omitempty"`
	// Band of the share of observations inside their 90 % intervals; [0.5, 1] by default.
	Coverage *[2]float64 `json:"coverage,omitempty"`
}

// An Output is a published parameter or prediction of the model.
type Output struct {
	// UCUM code of the unit.
	Unit string `json:"unit"`
	// Quantiles, where they differ from the calibration's.
	Quantiles []float64 `json:"quantiles,omitempty"`
}
