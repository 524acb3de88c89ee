// Package tqv holds time series of timestamp, quality and value, as IoT SiteWise
// does: one value per timestamp and quality, ordered by time.
package tqv

import (
	"math"
	"time"
)

// A Quality says how far a value can be trusted.
type Quality uint8

// The qualities. A value without one is Good.
const (
	Good Quality = iota
	Uncertain
	Bad
)

func (q Quality) String() string { return [...]string{"GOOD", "UNCERTAIN", "BAD"}[q] }

// ParseQuality reads the name of a quality; empty is Good.
func ParseQuality(s string) (Quality, bool) {
	switch s {
	case "", "GOOD":
		return Good, true
	case "UNCERTAIN":
		return Uncertain, true
	case "BAD":
		return Bad, true
	default:
		return 0, false
	}
}

// A Kind is the type of a value.
type Kind uint8

// The kinds. Null carries the type of the value that is missing, as its letter
// in Value.Text.
const (
	Double Kind = iota
	Integer
	Boolean
	String
	Null
)

// A Value is a double, integer (32 bits), boolean (1 or 0), string or null.
type Value struct {
	Kind   Kind
	Number float64
	Text   string
}

// Usable reports whether a computation may take v: it is neither null nor a
// number that is none.
func (v Value) Usable() bool {
	return v.Kind != Null && !math.IsNaN(v.Number) && !math.IsInf(v.Number, 0)
}

// A Point is one value of a series.
type Point struct {
	Time    int64 // nanoseconds since 1970-01-01 UTC
	Quality Quality
	Value   Value
}

// When is the point's time.
func (p Point) When() time.Time { return time.Unix(0, p.Time).UTC() }

// Nanos is t as the time of a point, clamped to what an int64 holds (1677 to
// 2262).
func Nanos(t time.Time) int64 {
	const second = int64(time.Second)
	switch s := t.Unix(); {
	case s > math.MaxInt64/second-1:
		return math.MaxInt64
	case s < math.MinInt64/second+1:
		return math.MinInt64
	default:
		return t.UnixNano()
	}
}

// before orders points by time, then quality.
func (p Point) before(o Point) bool {
	return p.Time < o.Time || (p.Time == o.Time && p.Quality < o.Quality)
}
