package telemetrysitewise

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// Samples implements telemetry.Reader. Where the service keeps values of
// several qualities at one instant, the best quality is yielded.
func (h *Historian) Samples(ctx context.Context, series telemetry.Alias, from, to time.Time) iter.Seq2[telemetry.Sample, error] {
	return func(yield func(telemetry.Sample, error) bool) {
		if !from.Before(to) {
			return
		}
		var pending *telemetry.Sample // waits for another value of its instant
		for s, err := range h.history(ctx, series, from, to) {
			if err != nil {
				yield(telemetry.Sample{}, fmt.Errorf("read %s: %w", series, err))
				return
			}
			if pending != nil {
				if s.Time.Equal(pending.Time) {
					if rank(s.Quality) > rank(pending.Quality) {
						pending = &s
					}
					continue
				}
				if !yield(*pending, nil) {
					return
				}
			}
			pending = &s
		}
		if pending != nil {
			yield(*pending, nil)
		}
	}
}

func rank(q telemetry.Quality) int {
	return slices.Index([]telemetry.Quality{telemetry.Bad, telemetry.Uncertain, telemetry.Good}, q)
}

// history yields every value that SiteWise keeps with from < time <= to, in
// ascending order. Bounds travel in milliseconds: the request asks for the
// whole milliseconds around the range, what lies outside is left out here.
func (h *Historian) history(ctx context.Context, series telemetry.Alias, from, to time.Time) iter.Seq2[telemetry.Sample, error] {
	return func(yield func(telemetry.Sample, error) bool) {
		end := to.Truncate(time.Millisecond)
		if end.Before(to) {
			end = end.Add(time.Millisecond)
		}
		request := &iotsitewise.GetAssetPropertyValueHistoryInput{
			PropertyAlias: aws.String(string(series)),
			StartDate:     aws.Time(from.Truncate(time.Millisecond)), // exclusive
			EndDate:       aws.Time(end),                             // inclusive
			TimeOrdering:  types.TimeOrderingAscending,
			MaxResults:    aws.Int32(maxHistory),
		}
		for {
			page, err := h.api.GetAssetPropertyValueHistory(ctx, request)
			if notFound(err) {
				err = fmt.Errorf("%w: %w", telemetry.ErrNotFound, err)
			}
			if err != nil {
				yield(telemetry.Sample{}, err)
				return
			}
			for _, v := range page.AssetPropertyValueHistory {
				s, err := sample(v)
				if err != nil {
					yield(telemetry.Sample{}, err)
					return
				}
				if !s.Time.After(from) || s.Time.After(to) {
					continue
				}
				if !yield(s, nil) {
					return
				}
			}
			if aws.ToString(page.NextToken) == "" {
				return
			}
			request.NextToken = page.NextToken
		}
	}
}

// Latest implements telemetry.Reader, 128 series a request.
func (h *Historian) Latest(ctx context.Context, series []telemetry.Alias) (map[telemetry.Alias]telemetry.Sample, error) {
	asked := slices.Compact(slices.Sorted(slices.Values(series)))
	latest := make(map[telemetry.Alias]telemetry.Sample, len(asked))
	var unknown []telemetry.Alias
	for group := range slices.Chunk(asked, maxLatestEntries) {
		lost, err := h.latest(ctx, group, latest)
		if err != nil {
			return nil, fmt.Errorf("read latest values of %s: %w", aliases(group), err)
		}
		unknown = append(unknown, lost...)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("read latest values: %w: %s", telemetry.ErrNotFound, aliases(unknown))
	}
	return latest, nil
}

// latest adds the newest samples of one group to into and returns the series
// that SiteWise does not know.
func (h *Historian) latest(ctx context.Context, group []telemetry.Alias, into map[telemetry.Alias]telemetry.Sample) (unknown []telemetry.Alias, err error) {
	request := &iotsitewise.BatchGetAssetPropertyValueInput{}
	for i, alias := range group {
		request.Entries = append(request.Entries, types.BatchGetAssetPropertyValueEntry{
			EntryId: aws.String(strconv.Itoa(i)), PropertyAlias: aws.String(string(alias)),
		})
	}
	entry := func(id *string) (telemetry.Alias, error) {
		i, err := strconv.Atoi(aws.ToString(id))
		if err != nil || i < 0 || i >= len(group) {
			return "", fmt.Errorf("SiteWise answered for entry %q, which was not asked", aws.ToString(id))
		}
		return group[i], nil
	}
	answered := 0
	for {
		page, err := h.api.BatchGetAssetPropertyValue(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, e := range page.ErrorEntries {
			alias, err := entry(e.EntryId)
			if err != nil {
				return nil, err
			}
			if e.ErrorCode != types.BatchGetAssetPropertyValueErrorCodeResourceNotFoundException {
				return nil, fmt.Errorf("%s: %s: %s", alias, e.ErrorCode, aws.ToString(e.ErrorMessage))
			}
			unknown = append(unknown, alias)
			answered++
		}
		for _, e := range page.SuccessEntries {
			alias, err := entry(e.EntryId)
			if err != nil {
				return nil, err
			}
			answered++
			if e.AssetPropertyValue == nil {
				continue // no value yet
			}
			s, err := sample(*e.AssetPropertyValue)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", alias, err)
			}
			into[alias] = s
		}
		if aws.ToString(page.NextToken) == "" {
			break
		}
		request.NextToken = page.NextToken
	}
	if answered < len(group) {
		return nil, fmt.Errorf("SiteWise answered for %d of %d series", answered, len(group))
	}
	return unknown, nil
}
