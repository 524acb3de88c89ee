// Package dataconnector makes a data connector of IoT TwinMaker out of a
// Reader of one time series. TwinMaker's requests, order, bounds, pages,
// types and errors are handled here once:
//
//   - the start of a range is exclusive, its end inclusive; instants before
//     1970 are as good as any (clients that want the latest value ask from 1899);
//   - pages follow the order that was asked for, over all selected properties
//     together; a page holds 100 values unless asked otherwise, at most 250;
//   - nextToken is there exactly when there is more. It says where the page
//     ended, so nothing is repeated and nothing left out when data arrive
//     between pages. It is bound to its request: that of another one is refused;
//   - whatever cannot be answered is an error, never a shorter answer.
package dataconnector

import (
	"context"
	"iter"
	"time"
)

// A PropertyRef names one property of a component of an entity.
type PropertyRef struct {
	WorkspaceID   string
	EntityID      string
	ComponentName string
	PropertyName  string
	// Attributes holds the values that the component's properties have in the
	// twin, by name: by these a source finds its series.
	Attributes map[string]Value
}

// A Sample is a value at an instant.
type Sample struct {
	Time  time.Time
	Value Value
}

// A Reader reads a source of time series. It is safe for concurrent use.
type Reader interface {
	// Samples yields the values of p with from < Time <= to, in ascending
	// order of time, at most one per instant, all numbers finite. A series
	// without values in the range yields nothing; one that cannot be named, or
	// read to its end, yields an error, after which nothing more is yielded.
	// Whoever ranges over it may stop at any time; ranging again starts again.
	Samples(ctx context.Context, p PropertyRef, from, to time.Time) iter.Seq2[Sample, error]
}

// A Reverser is a Reader that can read backwards, which makes the newest
// values of a long series cheap. The series of other Readers are read from
// their start.
type Reverser interface {
	Reader
	// SamplesBackward yields what Samples yields, in descending order of time.
	SamplesBackward(ctx context.Context, p PropertyRef, from, to time.Time) iter.Seq2[Sample, error]
}

// Sizes of pages. The largest is that of TwinMaker's API model.
const (
	DefaultPage = 100
	MaxPage     = 250
)

// A RequestError says what is wrong with a request.
type RequestError struct{ Message string }

// Error implements error.
func (e *RequestError) Error() string { return "the request cannot be answered: " + e.Message }

// A SourceError says that the source did not deliver.
type SourceError struct {
	Property string
	Err      error
}

// Error implements error.
func (e *SourceError) Error() string {
	return "the values of property " + e.Property + " could not be read: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }
