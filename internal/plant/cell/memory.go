package cell

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/livetwin/livetwin/internal/plant"
)

// memoryVersion is the version of a memory's encoding. It changes with the
// grid of ageing.go too.
const memoryVersion = 2

// A memory is what the cell learned from past discharges.
type memory struct {
	cell *cell
	saved
}

// saved is the encoded part. Numbers that may be absent are pointers.
type saved struct {
	Version int    `json:"version"`
	Ageing  ageing `json:"ageing"`

	// The last rests before a discharge from full: what the next will be like.
	// One that was implausible is kept as far as it was plausible.
	Rests []rest `json:"rests"`

	Measured *float64 `json:"measured,omitempty"` // the last counted capacity, A.h
	Early    struct { // sum and number of the counted capacities of discharges 2 to 5
		Sum   float64 `json:"sum"`
		Count int     `json:"count"`
	} `json:"early"`

	Last *lastDischarge `json:"last,omitempty"`
}

// A rest is a pause, as ln(h), and the rest voltage after it relative to
// full, V, if it was measured.
type rest struct {
	Pause   float64  `json:"pause"`
	Deficit *float64 `json:"deficit,omitempty"`
}

// lastDischarge is what the last discharge was like.
type lastDischarge struct {
	Current     float64 `json:"current"`     // A, mean under load
	Temperature float64 `json:"temperature"` // Cel, before the load
	Quantum     float64 `json:"quantum"`     // A.h between two samples
	Charge      float64 `json:"charge"`      // state of charge that it began at
	Capacity    float64 `json:"capacity"`    // A.h, fitted on it
	Resistance  float64 `json:"resistance"`  // Ohm, fitted on it
}

// remembered is how many rests a memory keeps.
const remembered = 32

// NewMemory implements [plant.Segmented].
func (c *cell) NewMemory(priors []plant.Prior) plant.Memory {
	p := priors[capacity]
	m := &memory{cell: c}
	m.Version = memoryVersion
	m.Ageing = newAgeing(p.Median, p.Deviation)
	return m
}

// Recall implements [plant.Segmented].
func (c *cell) Recall(data []byte) (plant.Memory, error) {
	m := &memory{cell: c}
	if err := json.Unmarshal(data, &m.saved); err != nil {
		return nil, fmt.Errorf("model cell: memory: %w", err)
	}
	if m.Version != memoryVersion {
		return nil, fmt.Errorf("model cell: memory has version %d, this program knows %d", m.Version, memoryVersion)
	}
	if want := len(keeps) * len(levelNoise) * len(trendNoise); len(m.Ageing.Paths) != want {
		return nil, fmt.Errorf("model cell: memory has %d paths of ageing, expected %d", len(m.Ageing.Paths), want)
	}
	return m, nil
}

// Encode implements [plant.Memory].
func (m *memory) Encode() []byte {
	b, err := json.Marshal(m.saved)
	if err != nil { // only numbers that are not finite, which no finite telemetry makes
		panic(fmt.Sprintf("model cell: memory: %v", err))
	}
	return b
}

// Clone implements [plant.Memory].
func (m *memory) Clone() plant.Memory { return m.clone() }

func (m *memory) clone() *memory {
	n := *m
	n.Ageing.Paths = slices.Clone(m.Ageing.Paths)
	n.Rests = slices.Clone(m.Rests)
	return &n
}

// deficitOf returns the rest voltage relative to full, V, and the variance of
// it: measured and plausible after a pause term, or what it usually is.
func (m *memory) deficitOf(d discharge, pause float64) (mean, variance float64) {
	if math.IsNaN(d.restVoltage) {
		return m.usualDeficit()
	}
	dv := m.cell.deficit(d)
	median, far := m.gate(pause)
	if math.Abs(dv-median) <= far {
		return dv, 0
	}
	// Whether the sensor is off or the cell less charged, nobody knows: it is
	// one more of those that scatter.
	return m.scatter(dv)
}

// deficit is the rest voltage relative to full, V. A cell is not charged much
// beyond full: what looks like it is an offset of the sensor.
func (c *cell) deficit(d discharge) float64 { return math.Min(d.restVoltage-c.full, overfull) }

// gate returns the median of past rest voltages relative to full, and how far
// from it one is still taken for what it says: one in a thousand of a Student t
// with their scatter is further. Self-discharge grows with the pause, and the
// gate with it.
func (m *memory) gate(pause float64) (median, far float64) {
	median, variance := m.scatter()
	t := distuv.StudentsT{Sigma: math.Sqrt(variance), Nu: float64(len(m.deficits()) + 1)}
	return median, t.Quantile(0.9995) * (1 + math.Abs(pause))
}

// deficits returns the last rest voltages relative to full that were measured.
func (m *memory) deficits() []float64 {
	var values []float64
	for _, r := range m.Rests {
		if r.Deficit != nil {
			values = append(values, *r.Deficit)
		}
	}
	return values
}

// usualDeficit is the median of the last rest voltages relative to full, and
// their variance about it. Where none was ever measured the scatter of the
// capacities has that of the rests in it.
func (m *memory) usualDeficit() (median, variance float64) {
	if len(m.deficits()) == 0 {
		return 0, 0
	}
	return m.scatter()
}

// scatter returns the median of the last rest voltages relative to full, and
// their variance about it together with others; a spread of 10 mV counts like
// one more.
func (m *memory) scatter(others ...float64) (median, variance float64) {
	values := m.deficits()
	median = medianOf(values)
	values = append(values, others...)
	variance = 0.01 * 0.01
	for _, v := range values {
		variance += (v - median) * (v - median)
	}
	return median, variance / float64(len(values)+1)
}

// usualPause is the median of the last pauses, as ln(h).
func (m *memory) usualPause() float64 {
	values := make([]float64, len(m.Rests))
	for i, r := range m.Rests {
		values[i] = r.Pause
	}
	return medianOf(values)
}

// pauseTerm is ln(pause / usual pause) of a segment, 0 as long as one of them is
// not known.
func (m *memory) pauseTerm(s plant.Segment) float64 {
	if !(s.Pause > 0) || len(m.Rests) == 0 {
		return 0
	}
	return math.Log(s.Pause/3600) - m.usualPause()
}

// medianOf returns the median, 0 of none. It sorts its argument's copy.
func medianOf(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (m *memory) quantum() float64 {
	if m.Last == nil {
		return 0
	}
	return m.Last.Quantum
}

// onset forecasts the capacity that a segment with onset d will deliver.
func (m *memory) onset(s plant.Segment, d discharge, quantum float64) mixture {
	a := m.clone().Ageing
	pause := m.pauseTerm(s)
	a.pass(pause)
	dv, variance := m.deficitOf(d, pause)
	return a.forecast(dv, variance, quantum)
}

// turns returns the remembered rests, at least one.
func (m *memory) turns() []turn {
	usual := m.usualPause()
	dv, _ := m.usualDeficit()
	turns := make([]turn, len(m.Rests), len(m.Rests)+1)
	for i, r := range m.Rests {
		turns[i] = turn{r.Pause - usual, dv}
		if r.Deficit != nil {
			turns[i].deficit = *r.Deficit
		}
	}
	if len(turns) == 0 {
		turns = append(turns, turn{0, dv})
	}
	return turns
}

// now forecasts the capacity of a discharge from full after a usual rest.
func (m *memory) now(quantum float64) mixture {
	a := m.clone().Ageing
	a.pass(0)
	dv, variance := m.usualDeficit()
	return a.forecast(dv, variance, quantum)
}

// ahead forecasts the capacity of the next discharge from full, after a rest
// like one of those remembered, each as likely as the other, or a usual one.
func (m *memory) ahead(quantum float64) mixture {
	usual := m.usualPause()
	deficit, variance := m.usualDeficit()
	out := mixture{freedom: m.Ageing.Freedom, spread: quantum}
	for _, r := range append([]rest{{Pause: usual}}, m.Rests...) {
		a := m.clone().Ageing
		a.pass(r.Pause - usual)
		dv, spread := deficit, variance
		if r.Deficit != nil {
			dv, spread = *r.Deficit, 0
		}
		mean, v := a.forecast(dv, spread, 0).moments()
		out.parts = append(out.parts, component{1, mean, math.Sqrt(v * (out.freedom - 2) / out.freedom)})
	}
	out.normalise()
	return out
}

// Begin implements [plant.Memory].
func (m *memory) Begin(s plant.Segment, b plant.Belief) plant.Onset {
	d := m.cell.read(s.Raw)
	mean, variance := m.onset(s, d, 0).moments()
	pause := m.pauseTerm(s)
	dv, _ := m.deficitOf(d, pause)
	o := m.cell.begin(d, mean, variance, m.Ageing.state(deficit)*dv, b)
	// An unusual pause changes more than the capacity.
	o.Drift = 1 + math.Abs(pause)
	return o
}

// begin splits the forecast of a delivered capacity into the full capacity and
// the state of charge at the start; the latter lost lossAh from full.
func (c *cell) begin(d discharge, mean, variance, lossAh float64, b plant.Belief) plant.Onset {
	// Whatever the forecast, a cell delivers something, and is somewhat charged.
	mean = math.Max(mean, 0.01*c.rated)
	full := math.Max(mean-lossAh, 0.9*mean)
	start := plant.Marginal{Index: charge, Mean: mean / full}
	// A tenth of the loss is what its line may be off.
	start.Deviation = math.Hypot(0.001, 0.1*(1-start.Mean))
	if !c.fromFull(d) {
		start.Mean = chargeAt(d.restVoltage, b.Natural[firstKnot:])
		start.Deviation = 0.03
	}
	return plant.Onset{
		States: []plant.Marginal{start, {Index: polarisation, Mean: 0, Deviation: restDeviation}},
		Parameters: []plant.Marginal{
			{Index: capacity, Mean: math.Log(full), Deviation: math.Sqrt(variance) / mean},
		},
	}
}

// Measure implements [plant.Memory]: the counted charge is C times the state
// of charge at the start.
func (m *memory) Measure(s plant.Segment, o plant.Onset) []plant.Marginal {
	d := m.cell.read(s.Raw)
	if d.end < 0 || !m.cell.fromFull(d) {
		return nil
	}
	// Counting is good to 0.05 %, the crossing to a twentieth of a step.
	return []plant.Marginal{{
		Index: capacity, Mean: math.Log(d.crossed / o.States[charge].Mean),
		Deviation: math.Hypot(0.0005, 0.05*d.quantum/d.crossed),
	}}
}

// Learn implements [plant.Memory].
func (m *memory) Learn(s plant.Segment, b plant.Belief, trusted bool) {
	d := m.cell.read(s.Raw)
	start := m.Begin(s, b).States[charge].Mean
	plausible := trusted || m.plausible(s, d)
	pause := m.pauseTerm(s)
	m.Ageing.pass(pause)
	if !d.discharge {
		return
	}
	complete := d.end >= 0 && m.cell.fromFull(d)
	if complete {
		m.Measured = new(d.counted)
		if s.Index >= 2 && s.Index <= 5 {
			m.Early.Sum += d.counted
			m.Early.Count++
		}
	}
	if complete && plausible {
		dv, variance := m.deficitOf(d, pause)
		m.Ageing.learn(dv, variance, d.crossed)
	}
	if !trusted {
		return
	}
	if s.Pause > 0 && m.cell.fromFull(d) {
		r := rest{Pause: math.Log(s.Pause / 3600)}
		if !math.IsNaN(d.restVoltage) {
			// One that is far off counts as far as the gate: should rests be
			// different from now on, the gate opens after a few.
			median, far := m.gate(pause)
			r.Deficit = new(math.Max(median-far, math.Min(median+far, m.cell.deficit(d))))
		}
		m.Rests = append(m.Rests, r)
		m.Rests = m.Rests[max(0, len(m.Rests)-remembered):]
	}
	last := lastDischarge{
		Current: d.current, Temperature: d.temperature, Quantum: d.quantum, Charge: start,
		Capacity: b.Natural[capacity], Resistance: b.Natural[resistance],
	}
	if d.end < 0 {
		last.Quantum = m.quantum()
	}
	m.Last = &last
}

// plausible reports whether a counted capacity is within four standard
// deviations of what was forecast.
func (m *memory) plausible(s plant.Segment, d discharge) bool {
	mean, variance := m.onset(s, d, 0).moments()
	return math.Abs(d.crossed-mean) <= 4*math.Sqrt(variance)
}
