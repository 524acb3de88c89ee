package sitewise

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// The window of time in which values are accepted, both ends inclusive.
const (
	acceptedPast   = 7 * 24 * time.Hour
	acceptedFuture = 10 * time.Minute
)

type putRequest struct {
	EnablePartialEntryProcessing bool       `json:"enablePartialEntryProcessing"`
	Entries                      []putEntry `json:"entries"`
}

type putEntry struct {
	EntryID       string     `json:"entryId"`
	AssetID       string     `json:"assetId"`
	PropertyID    string     `json:"propertyId"`
	PropertyAlias string     `json:"propertyAlias"`
	Values        []putValue `json:"propertyValues"`
}

type putValue struct {
	Value struct {
		String  *string `json:"stringValue"`
		Integer *int32  `json:"integerValue"`
		Double  *number `json:"doubleValue"`
		Boolean *bool   `json:"booleanValue"`
		Null    *struct {
			Type string `json:"valueType"`
		} `json:"nullValue"`
	} `json:"value"`
	Timestamp timeInNanos `json:"timestamp"`
	Quality   string      `json:"quality"`
}

// number is a double, or in quotes one of the three that JSON lacks.
type number float64

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (n *number) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	*n = number(f)
	return err
}

type timeInNanos struct {
	Seconds int64 `json:"timeInSeconds"`
	Nanos   int32 `json:"offsetInNanos"`
}

type putError struct {
	Code       string        `json:"errorCode"`
	Message    string        `json:"errorMessage"`
	Timestamps []timeInNanos `json:"timestamps"`
}

type putErrorEntry struct {
	EntryID string     `json:"entryId"`
	Errors  []putError `json:"errors"`
}

// batchPut stores values. What is wrong with one entry is reported for that
// entry; the others are stored. Within an entry one invalid value keeps out the
// whole entry, unless enablePartialEntryProcessing.
func (s *Service) batchPut(_ context.Context, c *kernel.Call) (any, error) {
	var in putRequest
	if err := json.Unmarshal(c.Input, &in); err != nil {
		return nil, fmt.Errorf("read a checked request: %w", err)
	}
	ids := make(map[string]bool, len(in.Entries))
	for _, e := range in.Entries {
		if ids[e.EntryID] {
			return nil, invalid("Duplicate entryId %s in the request", e.EntryID)
		}
		ids[e.EntryID] = true
	}
	now := s.clock.Now()
	oldest, newest := tqv.Nanos(now.Add(-acceptedPast)), tqv.Nanos(now.Add(acceptedFuture))
	failed := []putErrorEntry{}
	stored := make([]tqv.Entry, 0, len(in.Entries))
	targets := make([]*property, 0, len(in.Entries))
	denied := map[*asset]error{}
	for i := range in.Entries {
		e := &in.Entries[i]
		p, errs := s.target(c, e, denied)
		var points []tqv.Point
		if errs == nil {
			points, errs = accept(p, e.Values, oldest, newest)
		}
		if len(errs) > 0 {
			failed = append(failed, putErrorEntry{e.EntryID, errs})
			if !in.EnablePartialEntryProcessing {
				continue
			}
		}
		if len(points) > 0 {
			stored = append(stored, tqv.Entry{Series: p.seriesName(), Points: points})
			targets = append(targets, p)
		}
	}
	if len(stored) > 0 {
		if err := s.append(stored); err != nil {
			return nil, err
		}
	}
	for i, p := range targets {
		p.series.Put(stored[i].Points...)
		for _, point := range stored[i].Points {
			p.touch(point.Time)
		}
	}
	return map[string]any{"errorEntries": failed}, nil
}

// target finds and authorizes the property of an entry.
func (s *Service) target(c *kernel.Call, e *putEntry, denied map[*asset]error) (*property, []putError) {
	p, err := s.registry.property(propertyRef{e.AssetID, e.PropertyID, e.PropertyAlias})
	var a *asset
	if p != nil {
		a = p.asset
	}
	refused, asked := denied[a]
	if !asked {
		refused = s.authorizeProperty(c, p)
		denied[a] = refused
	}
	switch {
	case refused != nil:
		err = refused
	case err == nil && (p.kind == transform || p.kind == metric):
		err = invalid("Property %s is computed; values can be written to measurements and attributes only", p.name)
	}
	if err == nil {
		return p, nil
	}
	times := make([]timeInNanos, len(e.Values))
	for i, v := range e.Values {
		times[i] = v.Timestamp
	}
	code, message := codeOf(err)
	return p, []putError{{code, message, times}}
}

func codeOf(err error) (code, message string) {
	if e, ok := err.(*kernel.Error); ok { //nolint:errorlint // ours and the kernel's come bare
		return e.Code, e.Message
	}
	return "InternalFailureException", err.Error()
}

// accept checks the values of an entry. Errors are grouped by code and message,
// each with the timestamps it is about.
func accept(p *property, values []putValue, oldest, newest int64) ([]tqv.Point, []putError) {
	points := make([]tqv.Point, 0, len(values))
	var errs []putError
	reject := func(at timeInNanos, code, message string) {
		for i := range errs {
			if errs[i].Code == code && errs[i].Message == message {
				errs[i].Timestamps = append(errs[i].Timestamps, at)
				return
			}
		}
		errs = append(errs, putError{code, message, []timeInNanos{at}})
	}
	for i := range values {
		v := &values[i]
		t, inRange := v.Timestamp.nanos()
		if !inRange || t < oldest || t > newest {
			reject(v.Timestamp, "TimestampOutOfRangeException", "Timestamps must be between 7 days in the past and 10 minutes in the future")
			continue
		}
		point := tqv.Point{Time: t}
		var message string
		point.Quality, _ = tqv.ParseQuality(v.Quality) // the model has checked it
		if point.Value, message = v.typed(p, point.Quality); message != "" {
			reject(v.Timestamp, "InvalidRequestException", message)
			continue
		}
		points = append(points, point)
	}
	return points, errs
}

// nanos reports false for a time that does not fit.
func (t timeInNanos) nanos() (int64, bool) {
	if t.Seconds > math.MaxInt64/int64(time.Second)-1 {
		return 0, false
	}
	return t.Seconds*int64(time.Second) + int64(t.Nanos), true
}

// typed checks a value against the property's type and returns what is wrong.
func (v *putValue) typed(p *property, q tqv.Quality) (tqv.Value, string) {
	in := &v.Value
	set := 0
	for _, is := range []bool{in.String != nil, in.Integer != nil, in.Double != nil, in.Boolean != nil, in.Null != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return tqv.Value{}, "Exactly one value must be set for each property value"
	}
	mismatch := func(got string) (tqv.Value, string) {
		return tqv.Value{}, fmt.Sprintf("Property value does not match data type %s: got %s", p.dataType, got)
	}
	switch {
	case in.Null != nil:
		if want := nullTypes[p.dataType]; in.Null.Type != want && in.Null.Type != "U" {
			return mismatch("a null value of type " + in.Null.Type)
		}
		if q == tqv.Good {
			return tqv.Value{}, "A null value must have the quality BAD or UNCERTAIN"
		}
		return tqv.Value{Kind: tqv.Null, Text: in.Null.Type}, ""
	case in.Double != nil && p.dataType == "DOUBLE":
		f := float64(*in.Double)
		if math.IsInf(f, 0) {
			return tqv.Value{}, "An infinite value cannot be stored"
		}
		if math.IsNaN(f) && q == tqv.Good {
			return tqv.Value{}, "A NaN value must have the quality BAD or UNCERTAIN"
		}
		return tqv.Value{Kind: tqv.Double, Number: f}, ""
	case in.Integer != nil && p.dataType == "INTEGER":
		return tqv.Value{Kind: tqv.Integer, Number: float64(*in.Integer)}, ""
	case in.Boolean != nil && p.dataType == "BOOLEAN":
		n := 0.0
		if *in.Boolean {
			n = 1
		}
		return tqv.Value{Kind: tqv.Boolean, Number: n}, ""
	case in.String != nil && p.dataType == "STRING":
		if len(*in.String) > maxString {
			return tqv.Value{}, fmt.Sprintf("A string value has at most %d bytes", maxString)
		}
		return tqv.Value{Kind: tqv.String, Text: *in.String}, ""
	case in.Double != nil:
		return mismatch("a double")
	case in.Integer != nil:
		return mismatch("an integer")
	case in.Boolean != nil:
		return mismatch("a boolean")
	default:
		return mismatch("a string")
	}
}
