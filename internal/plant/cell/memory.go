package cell

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/livetwin/livetwin/internal/plant"
)

// memoryVersion is the version of a memory's encoding. It changes with the
// grid of ageing.go too.
const memoryVersion = 1

// A memory is what the cell learned from past discharges.
type memory struct {
	cell *cell
	saved
}

// saved is the encoded part. Numbers that may be absent are pointers.
type saved struct {
	Version int    `json:"version"`
	Ageing  ageing `json:"ageing"`

	// The last pauses, as pauseTerm, and the last rest voltages below full, V:
	// what the next ones will be like.
	Pauses   []float64 `json:"pauses"`
	Deficits []float64 `json:"deficits"`

	Measured *float64 `json:"measured,omitempty"` // the last counted capacity, A.h
	Early    struct { // sum and number of the counted capacities of discharges 2 to 5
		Sum   float64 `json:"sum"`
		Count int     `json:"count"`
	} `json:"early"`

	Last *lastDischarge `json:"last,omitempty"`
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

// remembered is how many pauses and rest voltages a memory keeps.
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
	n.Pauses = slices.Clone(m.Pauses)
	n.Deficits = slices.Clone(m.Deficits)
	return &n
}

// deficitOf returns the rest voltage relative to full, V, and the variance of
// it: measured, or what it usually is.
func (m *memory) deficitOf(d discharge) (mean, variance float64) {
	if !math.IsNaN(d.restVoltage) {
		return d.restVoltage - m.cell.full, 0
	}
	return m.usualDeficit()
}

// usualDeficit is the mean of the last rest voltages, and their variance; with
// few of them a spread of 10 mV counts like one more.
func (m *memory) usualDeficit() (mean, variance float64) {
	n := float64(len(m.Deficits))
	for _, v := range m.Deficits {
		mean += v / math.Max(n, 1)
	}
	variance = 0.01 * 0.01
	for _, v := range m.Deficits {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / (n + 1)
}

// usualPause is the median of the last pause terms, and their variance about
// it; with few of them a factor of two counts like one more.
func (m *memory) usualPause() (median, variance float64) {
	n := len(m.Pauses)
	if n > 0 {
		sorted := slices.Clone(m.Pauses)
		slices.Sort(sorted)
		median = (sorted[(n-1)/2] + sorted[n/2]) / 2
	}
	variance = math.Ln2 * math.Ln2
	for _, v := range m.Pauses {
		variance += (v - median) * (v - median)
	}
	return median, variance / float64(n+1)
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
	a.pass(pauseTerm(s.Pause / 3600))
	dv, variance := m.deficitOf(d)
	return a.forecast(dv, 0, variance, quantum)
}

// ahead forecasts the capacity of the next discharge from full.
func (m *memory) ahead(quantum float64) mixture {
	pause, pauseVariance := m.usualPause()
	dv, dvVariance := m.usualDeficit()
	a := m.clone().Ageing
	a.pass(pause)
	return a.forecast(dv, pauseVariance, dvVariance, quantum)
}

// Begin implements [plant.Memory].
func (m *memory) Begin(s plant.Segment, b plant.Belief) plant.Onset {
	d := m.cell.read(s.Raw)
	mean, variance := m.onset(s, d, 0).moments()
	dv, _ := m.deficitOf(d)
	o := m.cell.begin(d, mean, variance, m.Ageing.state(deficit)*dv, b)
	// An unusual pause changes more than the capacity.
	usual, _ := m.usualPause()
	o.Drift = 1 + math.Abs(pauseTerm(s.Pause/3600)-usual)
	return o
}

// begin splits the forecast of a delivered capacity into the full capacity and
// the state of charge at the start; the latter lost lossAh from full.
func (c *cell) begin(d discharge, mean, variance, lossAh float64, b plant.Belief) plant.Onset {
	full := mean - lossAh
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
	pause := pauseTerm(s.Pause / 3600)
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
		dv, _ := m.deficitOf(d)
		m.Ageing.learn(dv, d.crossed)
	}
	if !trusted {
		return
	}
	if !math.IsNaN(s.Pause) {
		m.Pauses = keep(m.Pauses, pause)
	}
	if !math.IsNaN(d.restVoltage) && m.cell.fromFull(d) {
		m.Deficits = keep(m.Deficits, d.restVoltage-m.cell.full)
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

// keep appends v and drops the oldest beyond those remembered.
func keep(values []float64, v float64) []float64 {
	values = append(values, v)
	return values[max(0, len(values)-remembered):]
}
