package telemetrysitewise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"golang.org/x/sync/errgroup"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// Write implements telemetry.Writer. Points travel ten values an entry and ten
// entries a request, several requests at once. Every entry may be accepted in
// part; what the service refuses is told by its instants, so a rejection names
// exactly the point it concerns.
func (h *Historian) Write(ctx context.Context, points []telemetry.Point) ([]telemetry.Rejection, error) {
	var rejected []telemetry.Rejection
	for _, round := range rounds(points) {
		for attempt := 1; len(round) > 0; attempt++ {
			again, refused, err := h.send(ctx, round)
			rejected = append(rejected, refused...)
			if err != nil {
				return rejected, fmt.Errorf("write %d points to SiteWise: %w", len(points), err)
			}
			if len(again) > 0 && attempt == h.attempts {
				return rejected, fmt.Errorf("write %d points to SiteWise: %d are still refused after %d attempts, the first of %s: %w",
					len(points), len(again), attempt, again[0].point.Series, again[0].reason)
			}
			round = round[:0]
			for _, p := range again {
				round = append(round, p.point)
			}
			if len(round) > 0 {
				if err := sleep(ctx, min(h.backoff<<(attempt-1), maxBackoff)); err != nil {
					return rejected, fmt.Errorf("write %d points to SiteWise: %w", len(points), err)
				}
			}
		}
	}
	return rejected, nil
}

// rounds splits points so that no round holds an instant of a series twice:
// requests of one round may arrive in any order, and the last point wins.
func rounds(points []telemetry.Point) [][]telemetry.Point {
	type instant struct {
		series telemetry.Alias
		nanos  int64
		secs   int64
	}
	seen := make(map[instant]int, len(points))
	var split [][]telemetry.Point
	for _, p := range points {
		at := instant{p.Series, int64(p.Sample.Time.Nanosecond()), p.Sample.Time.Unix()}
		round := seen[at]
		seen[at]++
		if round == len(split) {
			split = append(split, nil)
		}
		split[round] = append(split[round], p)
	}
	return split
}

// A retry is a point that the service may take later.
type retry struct {
	point  telemetry.Point
	reason error
}

// send sends each point once and sorts what comes back.
func (h *Historian) send(ctx context.Context, points []telemetry.Point) (again []retry, rejected []telemetry.Rejection, err error) {
	var (
		mu    sync.Mutex
		group errgroup.Group
	)
	group.SetLimit(h.concurrency)
	for request := range slices.Chunk(entries(points), maxPutEntries) {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			later, refused, err := h.put(ctx, request)
			mu.Lock()
			defer mu.Unlock()
			again, rejected = append(again, later...), append(rejected, refused...)
			return err
		})
	}
	err = group.Wait()
	return again, rejected, errors.Join(err, ctx.Err())
}

// entries groups points by series, at most ten a group, in the order in which
// the series and the points came.
func entries(points []telemetry.Point) [][]telemetry.Point {
	var groups [][]telemetry.Point
	open := make(map[telemetry.Alias]int) // the group that is not full yet
	for _, p := range points {
		i, ok := open[p.Series]
		if !ok || len(groups[i]) == maxPutValues {
			i = len(groups)
			groups = append(groups, make([]telemetry.Point, 0, min(maxPutValues, len(points))))
			open[p.Series] = i
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// put sends one request.
func (h *Historian) put(ctx context.Context, request [][]telemetry.Point) (again []retry, rejected []telemetry.Rejection, err error) {
	input := &iotsitewise.BatchPutAssetPropertyValueInput{EnablePartialEntryProcessing: aws.Bool(true)}
	for i, group := range request {
		values := make([]types.AssetPropertyValue, len(group))
		for j, p := range group {
			values[j] = value(p.Sample)
		}
		input.Entries = append(input.Entries, types.PutAssetPropertyValueEntry{
			EntryId:        aws.String(strconv.Itoa(i)),
			PropertyAlias:  aws.String(string(group[0].Series)),
			PropertyValues: values,
		})
	}
	output, err := h.api.BatchPutAssetPropertyValue(ctx, input)
	if err != nil {
		return nil, nil, err
	}
	for _, failed := range output.ErrorEntries {
		i, err := strconv.Atoi(aws.ToString(failed.EntryId))
		if err != nil || i < 0 || i >= len(request) {
			return again, rejected, fmt.Errorf("SiteWise refused entry %q, which was not sent", aws.ToString(failed.EntryId))
		}
		later, refused := sort(request[i], failed.Errors)
		again, rejected = append(again, later...), append(rejected, refused...)
	}
	return again, rejected, nil
}

// sort assigns the errors of an entry to its points. An error that names no
// instant of the entry concerns every point that no other error names: better
// to tell of a point too many than to lose one.
func sort(group []telemetry.Point, errs []types.BatchPutAssetPropertyError) (again []retry, rejected []telemetry.Rejection) {
	cause := make([]*types.BatchPutAssetPropertyError, len(group))
	named := make([]bool, len(errs)) // the error names a point of the group
	for i := range errs {
		for _, at := range errs[i].Timestamps {
			instant := time.Unix(aws.ToInt64(at.TimeInSeconds), int64(aws.ToInt32(at.OffsetInNanos)))
			for j, p := range group {
				if p.Sample.Time.Equal(instant) {
					cause[j], named[i] = &errs[i], true
				}
			}
		}
	}
	for i := range errs {
		if named[i] {
			continue
		}
		for j := range group {
			if cause[j] == nil {
				cause[j] = &errs[i]
			}
		}
	}
	for j, p := range group {
		switch e := cause[j]; {
		case e == nil:
		case passing(e.ErrorCode):
			again = append(again, retry{p, fmt.Errorf("%s: %s", e.ErrorCode, aws.ToString(e.ErrorMessage))})
		default:
			rejected = append(rejected, telemetry.Rejection{Point: p, Code: string(e.ErrorCode), Reason: aws.ToString(e.ErrorMessage)})
		}
	}
	return again, rejected
}

// passing reports whether the service may take later what it refuses now.
func passing(code types.BatchPutAssetPropertyValueErrorCode) bool {
	switch code {
	case types.BatchPutAssetPropertyValueErrorCodeThrottlingException,
		types.BatchPutAssetPropertyValueErrorCodeInternalFailureException,
		types.BatchPutAssetPropertyValueErrorCodeServiceUnavailableException,
		types.BatchPutAssetPropertyValueErrorCodeConflictingOperationException:
		return true
	case types.BatchPutAssetPropertyValueErrorCodeResourceNotFoundException,
		types.BatchPutAssetPropertyValueErrorCodeInvalidRequestException,
		types.BatchPutAssetPropertyValueErrorCodeLimitExceededException,
		types.BatchPutAssetPropertyValueErrorCodeTimestampOutOfRangeException,
		types.BatchPutAssetPropertyValueErrorCodeAccessDeniedException:
	}
	return false
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
