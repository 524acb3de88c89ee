package sitewise

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// The sizes of pages, as the API reference states them.
const (
	historyPage   = 20_000
	aggregatePage = 20 // unless the request says more
	pageBytes     = 4 << 20
)

func (s *Service) getValue(_ context.Context, c *kernel.Call) (any, error) {
	var in propertyRef
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	p, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	p.refresh(tqv.Nanos(s.clock.Now()))
	last, ok := p.series.Last()
	if !ok {
		return json.RawMessage("{}"), nil
	}
	return json.RawMessage(append(appendPoint([]byte(`{"propertyValue":`), last), '}')), nil
}

// rangeQuery is what the history and aggregate operations have in common.
type rangeQuery struct {
	propertyRef

	StartDate    *epoch   `json:"startDate"`
	EndDate      *epoch   `json:"endDate"`
	Qualities    []string `json:"qualities"`
	TimeOrdering string   `json:"timeOrdering"`
}

// epoch is a timestamp of a request, in nanoseconds since 1970-01-01 UTC.
type epoch int64

// UnmarshalJSON reads epoch seconds, exact to the nanosecond and clamped to what
// nanoseconds can count.
func (e *epoch) UnmarshalJSON(raw []byte) error {
	seconds, ok := new(big.Rat).SetString(string(raw))
	if !ok {
		return fmt.Errorf("%s is not a time in epoch seconds", raw)
	}
	nanos := seconds.Mul(seconds, big.NewRat(int64(time.Second), 1))
	whole := new(big.Int).Div(nanos.Num(), nanos.Denom())
	switch {
	case whole.IsInt64():
		*e = epoch(whole.Int64())
	case whole.Sign() < 0:
		*e = minTime
	default:
		*e = maxTime
	}
	return nil
}

// bounds returns the exclusive start and the inclusive end; the end is now when
// the request names none.
func (q *rangeQuery) bounds(now time.Time) (from, to int64, err error) {
	from, to = minTime, tqv.Nanos(now)
	if q.StartDate != nil {
		from = int64(*q.StartDate)
	}
	if q.EndDate != nil {
		to = int64(*q.EndDate)
	}
	if q.StartDate != nil && from > to {
		return 0, 0, invalid("startDate must not be after endDate")
	}
	return from, to, nil
}

func (q *rangeQuery) keep() func(tqv.Point) bool {
	if len(q.Qualities) == 0 {
		return nil
	}
	want, _ := tqv.ParseQuality(q.Qualities[0]) // the model has checked it
	return func(p tqv.Point) bool { return p.Quality == want }
}

func (q *rangeQuery) descending() bool { return q.TimeOrdering == "DESCENDING" }

type historyRequest struct {
	rangeQuery

	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

func (s *Service) getHistory(_ context.Context, c *kernel.Call) (any, error) {
	var in historyRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	p, err := s.find(c, in.propertyRef)
	if err != nil {
		return nil, err
	}
	var cursor *tqv.Cursor
	if err := decodeToken(in.NextToken, &cursor); err != nil {
		return nil, err
	}
	limit := in.MaxResults
	if limit == 0 {
		limit = historyPage
	}
	out := []byte(`{"assetPropertyValueHistory":`)
	out, _, next, err := s.history(out, p, &in.rangeQuery, cursor, limit)
	if err != nil {
		return nil, err
	}
	if next != nil {
		out = append(out, `,"nextToken":`...)
		out = appendString(out, encodeToken(next))
	}
	return json.RawMessage(append(out, '}')), nil
}

// history appends a page of a property's values as a JSON array and returns how
// many there are and, when more follow, where the next page starts.
func (s *Service) history(out []byte, p *property, q *rangeQuery, cursor *tqv.Cursor, limit int) ([]byte, int, *tqv.Cursor, error) {
	now := s.clock.Now()
	from, to, err := q.bounds(now)
	if err != nil {
		return nil, 0, nil, err
	}
	p.refresh(tqv.Nanos(now))
	page := p.series.Read(from, to, q.descending(), cursor, limit, q.keep())
	start, n := len(out), 0
	out = append(out, '[')
	for ; n < len(page.Points) && len(out)-start < pageBytes; n++ {
		if n > 0 {
			out = append(out, ',')
		}
		out = appendPoint(out, page.Points[n])
	}
	out = append(out, ']')
	if n == len(page.Points) && !page.More {
		return out, n, nil, nil
	}
	last := page.Points[n-1]
	return out, n, &tqv.Cursor{Time: last.Time, Quality: last.Quality}, nil
}

type aggregateQuery struct {
	rangeQuery

	AggregateTypes []string `json:"aggregateTypes"`
	Resolution     string   `json:"resolution"`
}

type aggregatesRequest struct {
	aggregateQuery

	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

func (s *Service) getAggregates(_ context.Context, c *kernel.Call) (any, error) {
	var in aggregatesRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	p, err := s.find(c, in.propertyRef)
	if err != nil {
		return nil, err
	}
	var after *int64
	if err := decodeToken(in.NextToken, &after); err != nil {
		return nil, err
	}
	limit := in.MaxResults
	if limit == 0 {
		limit = aggregatePage
	}
	values, next, err := s.aggregates(p, &in.aggregateQuery, after, limit)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"aggregatedValues": values}
	if next != nil {
		out["nextToken"] = encodeToken(next)
	}
	return out, nil
}

// aggregatedValue is one window: [start exclusive, end inclusive], placed at its
// end.
type aggregatedValue struct {
	Timestamp json.Number        `json:"timestamp"`
	Quality   string             `json:"quality,omitempty"`
	Value     map[string]float64 `json:"value"`
}

// aggregates returns windows that have closed and hold values of the wanted
// quality (GOOD when the request does not say), and the end of the last one when
// more follow.
func (s *Service) aggregates(p *property, q *aggregateQuery, after *int64, limit int) ([]aggregatedValue, *int64, error) {
	now := s.clock.Now()
	from, to, err := q.bounds(now)
	if err != nil {
		return nil, nil, err
	}
	w, err := parseWindow(q.Resolution, "")
	if err != nil {
		return nil, nil, fmt.Errorf("a checked resolution: %w", err)
	}
	to = min(to, tqv.Nanos(now))
	quality := tqv.Good
	if len(q.Qualities) > 0 {
		quality, _ = tqv.ParseQuality(q.Qualities[0])
	}
	p.refresh(tqv.Nanos(now))
	if after != nil && q.descending() {
		to = min(to, *after-1)
	} else if after != nil {
		from = max(from, *after)
	}
	windows := collect(p, w, from, to, quality, q.descending())
	values := []aggregatedValue{}
	var last int64
	for end, x := range windows {
		if len(values) == limit {
			return values, &last, nil
		}
		last = end
		values = append(values, aggregatedValue{
			Timestamp: json.Number(fmt.Sprint(end / int64(time.Second))),
			Quality:   quality.String(),
			Value:     x.summary(q.AggregateTypes, p.dataType),
		})
	}
	return values, nil, nil
}
