package telemetrysitewise_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// A service does what SiteWise does with three operations, limits and partial
// failures included. It fails the test by an error when a limit is broken.
type service struct {
	page     int                                                     // values of a page of history, entries of a page of latest values
	throttle int                                                     // so many entries are refused before one is taken
	slow     func(*iotsitewise.BatchPutAssetPropertyValueInput) bool // requests that are overtaken
	whole    bool                                                    // entries are refused whole: no instants are named

	mu       sync.Mutex
	series   map[string]map[int64]types.AssetPropertyValue // by alias and nanoseconds
	extra    map[string][]types.AssetPropertyValue         // values of other qualities at instants that exist
	requests int
	inFlight int
	most     int // requests in flight at once
}

func newService(page int, series ...telemetry.Alias) *service {
	s := &service{page: page, series: make(map[string]map[int64]types.AssetPropertyValue)}
	for _, alias := range series {
		s.series[string(alias)] = make(map[int64]types.AssetPropertyValue)
	}
	return s
}

func nanos(t *types.TimeInNanos) int64 {
	return *t.TimeInSeconds*1e9 + int64(aws.ToInt32(t.OffsetInNanos))
}

func invalid(text string) error {
	return &types.InvalidRequestException{Message: aws.String(text)}
}

// floor truncates as the SDK does when it writes a query parameter.
func floor(t *time.Time) int64 { return t.Truncate(time.Millisecond).UnixNano() }

func (s *service) GetAssetPropertyValueHistory(ctx context.Context, in *iotsitewise.GetAssetPropertyValueHistoryInput, _ ...func(*iotsitewise.Options)) (*iotsitewise.GetAssetPropertyValueHistoryOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	values, known := s.series[*in.PropertyAlias]
	if !known {
		return nil, &types.ResourceNotFoundException{Message: aws.String("no property has this alias")}
	}
	if *in.MaxResults < 1 || *in.MaxResults > 20000 || in.StartDate.After(*in.EndDate) {
		return nil, invalid("maxResults or range")
	}
	var found []types.AssetPropertyValue
	for _, at := range slices.Sorted(maps.Keys(values)) {
		if at > floor(in.StartDate) && at <= floor(in.EndDate) {
			for _, other := range s.extra[*in.PropertyAlias] {
				if nanos(other.Timestamp) == at {
					found = append(found, other)
				}
			}
			found = append(found, values[at])
		}
	}
	begin := 0
	if in.NextToken != nil {
		begin, _ = strconv.Atoi(*in.NextToken)
	}
	out := &iotsitewise.GetAssetPropertyValueHistoryOutput{}
	end := min(len(found), begin+s.page)
	out.AssetPropertyValueHistory = found[begin:end]
	if end < len(found) {
		out.NextToken = aws.String(strconv.Itoa(end))
	}
	return out, nil
}

func (s *service) BatchGetAssetPropertyValue(ctx context.Context, in *iotsitewise.BatchGetAssetPropertyValueInput, _ ...func(*iotsitewise.Options)) (*iotsitewise.BatchGetAssetPropertyValueOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(in.Entries) < 1 || len(in.Entries) > 128 {
		return nil, invalid("1 to 128 entries")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	begin := 0
	if in.NextToken != nil {
		begin, _ = strconv.Atoi(*in.NextToken)
	}
	out := &iotsitewise.BatchGetAssetPropertyValueOutput{}
	end := min(len(in.Entries), begin+s.page)
	for _, e := range in.Entries[begin:end] {
		values, known := s.series[*e.PropertyAlias]
		if !known {
			out.ErrorEntries = append(out.ErrorEntries, types.BatchGetAssetPropertyValueErrorEntry{
				EntryId: e.EntryId, ErrorCode: types.BatchGetAssetPropertyValueErrorCodeResourceNotFoundException, ErrorMessage: aws.String("none"),
			})
			continue
		}
		success := types.BatchGetAssetPropertyValueSuccessEntry{EntryId: e.EntryId}
		if len(values) > 0 {
			v := values[slices.Max(slices.Collect(maps.Keys(values)))]
			success.AssetPropertyValue = &v
		}
		out.SuccessEntries = append(out.SuccessEntries, success)
	}
	if end < len(in.Entries) {
		out.NextToken = aws.String(strconv.Itoa(end))
	}
	return out, nil
}

func (s *service) BatchPutAssetPropertyValue(ctx context.Context, in *iotsitewise.BatchPutAssetPropertyValueInput, _ ...func(*iotsitewise.Options)) (*iotsitewise.BatchPutAssetPropertyValueOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.requests++
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	s.mu.Unlock()
	pause := time.Millisecond // lets others in
	if s.slow != nil && s.slow(in) {
		pause *= 20
	}
	time.Sleep(pause)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	if len(in.Entries) < 1 || len(in.Entries) > 10 {
		return nil, invalid("1 to 10 entries")
	}
	out := &iotsitewise.BatchPutAssetPropertyValueOutput{}
	ids := make(map[string]bool)
	for _, e := range in.Entries {
		if len(e.PropertyValues) < 1 || len(e.PropertyValues) > 10 || ids[*e.EntryId] {
			return nil, invalid("1 to 10 values, and an id of its own")
		}
		ids[*e.EntryId] = true
		if errs := s.put(*e.PropertyAlias, e.PropertyValues); len(errs) > 0 {
			out.ErrorEntries = append(out.ErrorEntries, types.BatchPutAssetPropertyErrorEntry{EntryId: e.EntryId, Errors: errs})
		}
	}
	return out, nil
}

// put stores the values of an entry that are taken, and returns the errors of
// the others: per instant, or for the whole entry.
func (s *service) put(alias string, values []types.AssetPropertyValue) []types.BatchPutAssetPropertyError {
	refuse := func(code types.BatchPutAssetPropertyValueErrorCode, at ...types.TimeInNanos) types.BatchPutAssetPropertyError {
		if s.whole {
			at = nil
		}
		return types.BatchPutAssetPropertyError{ErrorCode: code, ErrorMessage: aws.String("refused"), Timestamps: at}
	}
	series, known := s.series[alias]
	switch {
	case s.throttle > 0:
		s.throttle--
		return []types.BatchPutAssetPropertyError{refuse(types.BatchPutAssetPropertyValueErrorCodeThrottlingException)}
	case !known:
		return []types.BatchPutAssetPropertyError{refuse(types.BatchPutAssetPropertyValueErrorCodeResourceNotFoundException)}
	}
	var old, great []types.TimeInNanos
	for _, v := range values {
		switch {
		case nanos(v.Timestamp) < 0:
			old = append(old, *v.Timestamp)
		case v.Value.DoubleValue != nil && *v.Value.DoubleValue > 1e10:
			great = append(great, *v.Timestamp)
		case s.whole:
		default:
			series[nanos(v.Timestamp)] = v
		}
	}
	var errs []types.BatchPutAssetPropertyError
	if len(old) > 0 {
		errs = append(errs, refuse(types.BatchPutAssetPropertyValueErrorCodeTimestampOutOfRangeException, old...))
	}
	if len(great) > 0 {
		errs = append(errs, refuse(types.BatchPutAssetPropertyValueErrorCodeInvalidRequestException, great...))
	}
	return errs
}
