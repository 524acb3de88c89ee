// Package telemetrysitewise reads and writes telemetry in AWS IoT SiteWise,
// whose series are addressed by property alias.
package telemetrysitewise

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// Limits of the service (AWS IoT SiteWise quotas and API reference).
const (
	maxHistory       = 20000 // samples a page of GetAssetPropertyValueHistory
	maxLatestEntries = 128   // entries of BatchGetAssetPropertyValue
	maxPutEntries    = 10    // entries of BatchPutAssetPropertyValue
	maxPutValues     = 10    // values of one of its entries
)

// api is the part of *iotsitewise.Client that a Historian calls.
type api interface {
	GetAssetPropertyValueHistory(context.Context, *iotsitewise.GetAssetPropertyValueHistoryInput, ...func(*iotsitewise.Options)) (*iotsitewise.GetAssetPropertyValueHistoryOutput, error)
	BatchGetAssetPropertyValue(context.Context, *iotsitewise.BatchGetAssetPropertyValueInput, ...func(*iotsitewise.Options)) (*iotsitewise.BatchGetAssetPropertyValueOutput, error)
	BatchPutAssetPropertyValue(context.Context, *iotsitewise.BatchPutAssetPropertyValueInput, ...func(*iotsitewise.Options)) (*iotsitewise.BatchPutAssetPropertyValueOutput, error)
}

var (
	_ telemetry.Reader = (*Historian)(nil)
	_ telemetry.Writer = (*Historian)(nil)
)

// A Historian is SiteWise. Its zero options are filled in by New.
type Historian struct {
	api         api
	concurrency int           // requests of one Write in flight
	attempts    int           // sends of a point that the service throttles
	backoff     time.Duration // before the second send; doubles, at most maxBackoff
}

// maxBackoff bounds the wait before a throttled point is sent again.
const maxBackoff = 5 * time.Second

// An Option changes how a Historian works.
type Option func(*Historian)

// WithConcurrency sets how many requests of one Write are in flight: 4 unless
// told otherwise.
func WithConcurrency(n int) Option { return func(h *Historian) { h.concurrency = max(1, n) } }

// WithRetry sets how often a throttled point is sent (8 times unless told
// otherwise) and the wait before it is sent again (100 ms, doubled every time
// up to 5 s).
func WithRetry(attempts int, backoff time.Duration) Option {
	return func(h *Historian) { h.attempts, h.backoff = max(1, attempts), backoff }
}

// New returns SiteWise as a historian.
func New(api api, options ...Option) *Historian {
	h := &Historian{api: api, concurrency: 4, attempts: 8, backoff: 100 * time.Millisecond}
	for _, option := range options {
		option(h)
	}
	return h
}

// sample translates a value of SiteWise. A boolean becomes 0 or 1.
func sample(v types.AssetPropertyValue) (telemetry.Sample, error) {
	if v.Timestamp == nil || v.Timestamp.TimeInSeconds == nil || v.Value == nil {
		return telemetry.Sample{}, errors.New("SiteWise answered with a value that has no time or no value")
	}
	s := telemetry.Sample{
		Time:    time.Unix(*v.Timestamp.TimeInSeconds, int64(aws.ToInt32(v.Timestamp.OffsetInNanos))).UTC(),
		Quality: telemetry.Quality(v.Quality),
	}
	switch value := v.Value; {
	case value.DoubleValue != nil:
		s.Value = *value.DoubleValue
	case value.IntegerValue != nil:
		s.Value = float64(*value.IntegerValue)
	case value.BooleanValue != nil:
		if *value.BooleanValue {
			s.Value = 1
		}
	case value.NullValue != nil:
		s.Value, s.Null = math.NaN(), true
	case value.StringValue != nil:
		return telemetry.Sample{}, fmt.Errorf("the value at %s is a string, but a number is needed: name a property of type DOUBLE, INTEGER or BOOLEAN",
			s.Time.Format(time.RFC3339Nano))
	default:
		return telemetry.Sample{}, fmt.Errorf("the value at %s is of a type that this program does not know", s.Time.Format(time.RFC3339Nano))
	}
	return s, nil
}

// value translates a sample for SiteWise.
func value(s telemetry.Sample) types.AssetPropertyValue {
	v := types.AssetPropertyValue{
		Timestamp: &types.TimeInNanos{
			TimeInSeconds: aws.Int64(s.Time.Unix()),
			OffsetInNanos: aws.Int32(int32(s.Time.Nanosecond())), // #nosec G115 -- below 1e9
		},
		Quality: types.Quality(s.Quality),
		Value:   &types.Variant{DoubleValue: aws.Float64(s.Value)},
	}
	if s.Null {
		v.Value = &types.Variant{NullValue: &types.PropertyValueNullValue{ValueType: types.RawValueTypeDouble}}
	}
	return v
}

// notFound reports whether SiteWise says that a series does not exist.
func notFound(err error) bool {
	_, absent := errors.AsType[*types.ResourceNotFoundException](err)
	return absent
}

// aliases lists series for a message: the first five, and how many more.
func aliases(series []telemetry.Alias) string {
	const shown = 5
	var b strings.Builder
	for i, alias := range series {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(series)-shown)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(alias))
	}
	return b.String()
}
