package runindexddb

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/livetwin/livetwin/internal/runindex"
)

// An item is a row.
type item map[string]types.AttributeValue

// layout writes instants so that their text sorts as they do.
const layout = "2006-01-02T15:04:05.000000000Z"

// afterHash sorts behind every text that goes on with #.
const afterHash = "$"

// tiny is the smallest magnitude that DynamoDB's numbers hold; what is nearer
// to zero is stored as zero.
const tiny = 1e-130

// huge is the largest magnitude that DynamoDB's numbers hold.
const huge = 9.9999999999999e125

func runKey(asset, calibration string) string { return "RUN#" + asset + "#" + calibration }
func alarmKey(asset, alarm string) string     { return "ALARM#" + asset + "#" + alarm }

// stamp writes an instant of the years 1 to 9999; others become the nearest.
func stamp(t time.Time) string {
	switch t = t.UTC(); {
	case t.Year() < 1:
		return "0001-01-01T00:00:00.000000000Z"
	case t.Year() > 9999:
		return "9999-12-31T23:59:59.999999999Z"
	}
	return t.Format(layout)
}

func text(s string) *types.AttributeValueMemberS { return &types.AttributeValueMemberS{Value: s} }

func integer(n int64) *types.AttributeValueMemberN {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// number writes the shortest decimal that reads back as v.
func number(v float64) *types.AttributeValueMemberN {
	if math.Abs(v) < tiny {
		v = 0
	}
	return &types.AttributeValueMemberN{Value: strconv.FormatFloat(v, 'g', -1, 64)}
}

func runItem(r runindex.Run) (item, error) {
	values := make(map[string]types.AttributeValue, len(r.Values))
	for name, v := range r.Values {
		if math.Abs(v) > huge {
			return nil, fmt.Errorf("run %s of %s/%s: value %q is %g; DynamoDB holds magnitudes up to %g", r.ID, r.Asset, r.Calibration, name, v, huge)
		}
		values[name] = number(v)
	}
	return item{
		"pk":          text(runKey(r.Asset, r.Calibration)),
		"sk":          text(stamp(r.WindowEnd) + "#" + r.ID),
		"version":     integer(runindex.Version),
		"asset":       text(r.Asset),
		"calibration": text(r.Calibration),
		"run":         text(r.ID),
		"generation":  integer(r.Generation),
		"windowEnd":   text(stamp(r.WindowEnd)),
		"watermark":   text(stamp(r.Watermark)),
		"outcome":     text(r.Outcome),
		"reason":      text(r.Reason),
		"values":      &types.AttributeValueMemberM{Value: values},
	}, nil
}

func alarmItem(a runindex.AlarmState) (item, error) {
	if math.Abs(a.Value) > huge {
		return nil, fmt.Errorf("alarm %s of %s: value is %g; DynamoDB holds magnitudes up to %g", a.Alarm, a.Asset, a.Value, huge)
	}
	return item{
		"pk":      text(alarmKey(a.Asset, a.Alarm)),
		"sk":      text(stamp(a.Time)),
		"version": integer(runindex.Version),
		"asset":   text(a.Asset),
		"alarm":   text(a.Alarm),
		"state":   text(string(a.State)),
		"value":   number(a.Value),
	}, nil
}

// runOf reads a row.
func runOf(row item) (runindex.Run, error) {
	f := fields{row: row}
	f.version()
	r := runindex.Run{
		Asset: f.text("asset"), Calibration: f.text("calibration"), ID: f.text("run"), Generation: f.integer("generation"),
		WindowEnd: f.time("windowEnd"), Watermark: f.time("watermark"), Outcome: f.text("outcome"), Reason: f.text("reason"),
		Values: f.numbers("values"),
	}
	return r, f.err
}

// alarmOf reads a row.
func alarmOf(row item) (runindex.AlarmState, error) {
	f := fields{row: row}
	f.version()
	a := runindex.AlarmState{
		Asset: f.text("asset"), Alarm: f.text("alarm"), Time: f.time("sk"), State: runindex.State(f.text("state")), Value: f.number("value"),
	}
	if f.err == nil {
		f.err = a.Check()
	}
	return a, f.err
}

// name names a row in messages.
func (i item) name() string {
	f := fields{row: i}
	return f.text("pk") + " " + f.text("sk")
}

// fields reads the attributes of a row and keeps the first error.
type fields struct {
	row item
	err error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// version refuses a row of another version than this program's.
func (f *fields) version() {
	if v := f.integer("version"); f.err == nil && v != runindex.Version {
		f.fail("%w: it has version %d, this program reads version %d: deploy the release that wrote it, or a newer one",
			runindex.ErrVersion, v, runindex.Version)
	}
}

func (f *fields) text(name string) string {
	s, ok := f.row[name].(*types.AttributeValueMemberS)
	if !ok {
		f.fail("attribute %q is missing or no string", name)
		return ""
	}
	return s.Value
}

func (f *fields) integer(name string) int64 {
	n, ok := f.row[name].(*types.AttributeValueMemberN)
	if !ok {
		f.fail("attribute %q is missing or no number", name)
		return 0
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		f.fail("attribute %q: %w", name, err)
	}
	return v
}

func (f *fields) number(name string) float64 {
	v, err := float(f.row[name])
	if err != nil {
		f.fail("attribute %q: %w", name, err)
	}
	return v
}

func (f *fields) numbers(name string) map[string]float64 {
	m, ok := f.row[name].(*types.AttributeValueMemberM)
	if !ok {
		f.fail("attribute %q is missing or no map", name)
		return nil
	}
	values := make(map[string]float64, len(m.Value))
	for key, v := range m.Value {
		n, err := float(v)
		if err != nil {
			f.fail("attribute %q, %q: %w", name, key, err)
		}
		values[key] = n
	}
	return values
}

func (f *fields) time(name string) time.Time {
	s := f.text(name)
	if f.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		f.fail("attribute %q: %w", name, err)
	}
	return t
}

func float(v types.AttributeValue) (float64, error) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("it is missing or no number")
	}
	return strconv.ParseFloat(n.Value, 64)
}
