package plant

import "time"

// A Row holds the inputs and outputs of a plant at an instant.
type Row struct {
	Time time.Time
	U    []float64 // inputs, known at every row
	Y    []float64 // outputs; NaN where none was measured
}

// A Segment is one stretch of telemetry without a long gap.
type Segment struct {
	Index int   // counted from 1 since the first segment ever
	Raw   []Row // as measured
	Rows  []Row // as prepared; equally many
	// Pause is the time since the end of the segment before, in seconds; NaN
	// for the first segment.
	Pause float64
}

// A Marginal is the mean and standard deviation of one state, or of one
// parameter in the coordinate of its transform.
type Marginal struct {
	Index     int
	Mean      float64
	Deviation float64
}

// A Belief is a Gaussian over states and parameters: N(mean, covariance) of
// the states followed by the parameters in the coordinates of their
// transforms, row-major. Natural holds the medians of the parameters in their
// own units.
type Belief struct {
	Mean       []float64
	Covariance []float64
	Natural    []float64
}

// A Segmented is an instance whose plant is observed in segments and changes
// from one to the next: slowly, in ways that its memory learns.
type Segmented interface {
	Instance

	// Prepare sets those measurements of a segment's rows to NaN that the
	// model does not claim to describe, and replaces inputs by what it uses of
	// them. What it does with a row may depend on that row and those before it
	// only.
	Prepare(rows []Row)

	// NewMemory returns what is known before the first segment, given the
	// parameters' priors.
	NewMemory(priors []Prior) Memory

	// Recall decodes a memory. The error of an unknown or broken encoding says
	// what was found.
	Recall(data []byte) (Memory, error)
}

// A Memory is what a Segmented has learned from past segments.
type Memory interface {
	// Encode returns the memory in a form that Recall takes, versioned, equal
	// for equal memories.
	Encode() []byte

	// Clone returns an independent copy.
	Clone() Memory

	// Begin returns what is known of a segment at its onset: from the segments
	// before, the pause, and the rows before the load sets in.
	Begin(s Segment, b Belief) Onset

	// Measure returns what the whole segment measures of parameters directly,
	// such as a counted charge.
	Measure(s Segment, o Onset) []Marginal

	// Report compares a segment with what was forecast of it: o at its onset,
	// with b the belief at the onset that o belongs to. It does not change the
	// memory.
	Report(s Segment, o Onset, b Belief) Report

	// Learn takes in a segment; b is the belief after it. Of a segment that is
	// not trusted, because its rows are not what the model describes, it takes
	// in no more than what it can check otherwise.
	Learn(s Segment, b Belief, trusted bool)

	// Predict returns quantiles of the published output of that name, in order
	// of probabilities, given the belief after the last segment. They may be
	// undefined (ok false) before the first complete segment.
	Predict(output string, probabilities []float64, b Belief) (values []float64, ok bool)
}

// An Onset is what is known of a segment when its load sets in.
type Onset struct {
	States     []Marginal // all states
	Parameters []Marginal // those that the memory knows better than the belief
	// Drift multiplies the standard deviations of the parameters' drift since
	// the segment before.
	Drift float64
}

// A Report compares a segment with forecasts of it. Names are the model's.
type Report struct {
	Figures      map[string]float64
	Forecasts    []Forecast
	Trajectories []Trajectory
}

// A Forecast compares what the segment measured as a whole with forecasts of it.
type Forecast struct {
	Name, Unit string
	Measured   float64    // NaN when the segment did not show it
	Onset      [3]float64 // quantiles 0.05, 0.5 and 0.95 at the onset
	Ahead      [3]float64 // the same, before the pause was known
	Baselines  map[string]float64
}

// A Trajectory sums the squared errors of an open-loop forecast from the
// onset, run on measured inputs, and of its baselines.
type Trajectory struct {
	Name, Unit string
	Count      int
	SSE        float64
	Baselines  map[string]float64
}
