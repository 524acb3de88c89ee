package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// What the data logger does to the truth. Voltage and current are read with
// the resolution of a 16-bit converter over ±16 V and ±16 A, temperature with
// that of a thermocouple amplifier.
const (
	period = 10.0 // s between readings
	jitter = 0.35 // s, standard deviation of each interval

	voltageNoise     = 0.0006  // V
	voltageStep      = 0.0005  // V
	currentNoise     = 0.003   // A
	currentStep      = 0.0005  // A
	temperatureNoise = 0.06    // K
	temperatureStep  = 0.01    // K
	singleDropout    = 0.003   // probability that a row is missing
	burstDropout     = 0.0003  // probability that a pause of the logger begins
	blankField       = 0.0015  // probability that a field was not read
	notANumber       = 0.00075 // probability that a field is NaN
)

type logger struct {
	rng    *rand.Rand
	offset float64 // V
	burst  int     // rows still to drop
}

func newLogger(rng *rand.Rand, offset float64) *logger {
	return &logger{rng: rng, offset: offset}
}

// next is the instant of the reading after the one at t, s.
func (l *logger) next(t float64) float64 {
	return t + max(period/2, period+jitter*l.rng.NormFloat64())
}

// read makes the row at t seconds after start; false when it was dropped. Each
// row draws the same number of random numbers, dropped or not.
func (l *logger) read(start time.Time, t float64, cycle int, voltage, current, celsius float64) (Reading, bool) {
	r := Reading{
		Time:        start.Add(time.Duration(math.Round(t*1000)) * time.Millisecond),
		Cycle:       cycle,
		Voltage:     l.field(voltage+l.offset, voltageNoise, voltageStep),
		Current:     l.field(-current, currentNoise, currentStep),
		Temperature: l.field(celsius, temperatureNoise, temperatureStep),
	}
	single, burst, length := l.rng.Float64(), l.rng.Float64(), l.rng.IntN(12)
	if t == 0 {
		return r, true // the logger starts with a reading
	}
	if l.burst > 0 {
		l.burst--
		return r, false
	}
	if burst < burstDropout {
		l.burst = 4 + length
	}
	return r, single >= singleDropout
}

func (l *logger) field(truth, noise, step float64) Field {
	v := math.Round((truth+noise*l.rng.NormFloat64())/step) * step
	switch u := l.rng.Float64(); {
	case u < blankField:
		return Field{Blank: true}
	case u < blankField+notANumber:
		return Field{Value: math.NaN()}
	}
	return Field{Value: v}
}
