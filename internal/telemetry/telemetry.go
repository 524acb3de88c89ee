// Package telemetry declares what the product reads from and writes to a
// historian of time series. The historian in production is AWS IoT SiteWise;
// adapters live in the folders below.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// ErrNotFound reports a series the historian does not know.
var ErrNotFound = errors.New("telemetry: no such series")

// An Alias is a property alias, the fixed name of a series:
// /{twin}/{asset}/{property}.
type Alias string

// AliasOf returns the alias of a property of an asset of a twin.
func AliasOf(twin, asset, property string) Alias {
	return Alias(fmt.Sprintf("/%s/%s/%s", twin, asset, property))
}

// A Quality is SiteWise's judgement of a sample.
type Quality string

// The qualities SiteWise knows.
const (
	Good      Quality = "GOOD"
	Bad       Quality = "BAD"
	Uncertain Quality = "UNCERTAIN"
)

// A Sample is one value of a series at an instant, in UTC with nanoseconds.
// A NULL value is a NaN with Null set.
type Sample struct {
	Time    time.Time
	Value   float64
	Quality Quality
	Null    bool
}

// Usable reports whether a sample may be assimilated: its quality is not BAD
// and its value is a finite number.
func (s Sample) Usable() bool {
	return s.Quality != Bad && !s.Null && !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0)
}

// A Reader reads series.
type Reader interface {
	// Samples yields the samples of a series with from < Time <= to in
	// ascending order of time, one per instant, whatever their quality. An
	// unknown series yields ErrNotFound. After an error nothing more is yielded.
	Samples(ctx context.Context, series Alias, from, to time.Time) iter.Seq2[Sample, error]

	// Latest returns the newest sample of each series that has one. An unknown
	// series is ErrNotFound.
	Latest(ctx context.Context, series []Alias) (map[Alias]Sample, error)
}

// A Point is a sample of a named series, as a Writer takes it.
type Point struct {
	Series Alias
	Sample Sample
}

// A Rejection is a point that the historian refused, with its reason.
type Rejection struct {
	Point  Point
	Code   string // the service's error code, such as TimestampOutOfRangeException
	Reason string
}

// A Writer writes series.
type Writer interface {
	// Write stores points; a point at an instant that exists replaces it.
	// Points that the historian refuses for good come back as rejections,
	// those it throttles are retried. An error means that an unknown part of
	// points was not stored; writing them again is safe.
	Write(ctx context.Context, points []Point) ([]Rejection, error)
}
