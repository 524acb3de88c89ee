package dataconnector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/dataconnector"
	"github.com/livetwin/livetwin/internal/dataconnector/dataconnectortest"
)

var base = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// A source holds series by property name.
type source map[string][]dataconnector.Sample

func (s source) Samples(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return s.each(ctx, slices.Values(s[p.PropertyName]), from, to)
}

func (s source) each(ctx context.Context, samples iter.Seq[dataconnector.Sample], from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		for v := range samples {
			if err := ctx.Err(); err != nil {
				yield(dataconnector.Sample{}, err)
				return
			}
			if v.Time.After(from) && !v.Time.After(to) && !yield(v, nil) {
				return
			}
		}
	}
}

// A reversible source reads backwards too.
type reversible struct{ source }

func (s reversible) SamplesBackward(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return s.each(ctx, func(yield func(dataconnector.Sample) bool) {
		for _, v := range slices.Backward(s.source[p.PropertyName]) {
			if !yield(v) {
				return
			}
		}
	}, from, to)
}

func series(n int, step time.Duration) []dataconnector.Sample {
	samples := make([]dataconnector.Sample, n)
	for i := range samples {
		samples[i] = dataconnector.Sample{Time: base.Add(time.Duration(i) * step), Value: dataconnector.Double(float64(i) / 4)}
	}
	return samples
}

func property(name string) dataconnector.PropertyRef {
	return dataconnector.PropertyRef{WorkspaceID: "w", EntityID: "pump-7", ComponentName: "motor", PropertyName: name}
}

func handler(r dataconnector.Reader) *dataconnector.Handler {
	return dataconnector.NewHandler(r, slog.New(slog.DiscardHandler))
}

func request(names ...string) dataconnector.Request {
	r := dataconnectortest.Request(property(names[0]))
	r.SelectedProperties = names
	r.StartTime, r.EndTime = "1899-12-31T00:00:00Z", "2100-01-01T00:00:00Z"
	return r
}

func TestReaders(t *testing.T) {
	before := []dataconnector.Sample{
		{Time: time.Unix(-2_000_000_000, 5).UTC(), Value: dataconnector.Double(1)},
		{Time: time.Unix(-1, 999_999_999).UTC(), Value: dataconnector.Double(2)},
		{Time: time.Unix(0, 0).UTC(), Value: dataconnector.Double(3)},
		{Time: time.Unix(0, 1).UTC(), Value: dataconnector.Double(4)},
	}
	for name, want := range map[string][]dataconnector.Sample{
		"short": series(5, time.Second), "long": series(700, time.Minute), "nanoseconds": series(9, 1), "around 1970": before,
	} {
		t.Run(name, func(t *testing.T) {
			dataconnectortest.TestReader(t, source{"rpm": want}, property("rpm"), want)
		})
		t.Run(name+", reversible", func(t *testing.T) {
			dataconnectortest.TestReader(t, reversible{source{"rpm": want}}, property("rpm"), want)
		})
	}
}

func TestPageSizes(t *testing.T) {
	h := handler(source{"rpm": series(700, time.Second)})
	for asked, want := range map[int]int{0: 100, 1: 1, 250: 250, 251: 250, 20000: 250} {
		r := request("rpm")
		r.MaxResults = asked
		resp := dataconnectortest.Invoke(t, h, r)
		assert.Len(t, resp.PropertyValues[0].Values, want, "maxResults %d", asked)
		assert.NotEmpty(t, resp.NextToken)
	}
}

func TestNextTokenExactlyWhenThereIsMore(t *testing.T) {
	h := handler(source{"rpm": series(4, time.Second)})
	for size, more := range map[int]bool{3: true, 4: false, 5: false} {
		r := request("rpm")
		r.MaxResults = size
		assert.Equal(t, more, dataconnectortest.Invoke(t, h, r).NextToken != "", "%d of 4", size)
	}
	empty := dataconnectortest.Invoke(t, h, request("other"))
	assert.Empty(t, empty.PropertyValues)
	assert.Empty(t, empty.NextToken)
}

func TestMaxResultsCountsAllProperties(t *testing.T) {
	h := handler(source{"a": series(3, time.Second), "b": series(3, time.Second), "c": nil})
	r := request("b", "c", "a", "b")
	r.MaxResults = 3
	resp := dataconnectortest.Invoke(t, h, r)
	require.Len(t, resp.PropertyValues, 2, "one entry a property, in the order of the selection, without empty ones")
	assert.Equal(t, "b", resp.PropertyValues[0].EntityPropertyReference.PropertyName)
	assert.Len(t, resp.PropertyValues[0].Values, 2)
	assert.Equal(t, "a", resp.PropertyValues[1].EntityPropertyReference.PropertyName)
	assert.Len(t, resp.PropertyValues[1].Values, 1, "the earliest values of all properties come first")
}

func refused(t *testing.T, h *dataconnector.Handler, r dataconnector.Request, says string) {
	t.Helper()
	_, err := h.Handle(t.Context(), r)
	var refusal *dataconnector.RequestError
	require.ErrorAs(t, err, &refusal)
	assert.ErrorContains(t, err, says)
}

func TestRequestsThatAreRefused(t *testing.T) {
	h := handler(source{"a": series(3, time.Second)})
	for says, change := range map[string]func(*dataconnector.Request){
		"names no entity":                   func(r *dataconnector.Request) { r.EntityID = "" },
		"names 0 properties":                func(r *dataconnector.Request) { r.SelectedProperties = nil },
		"names 11 properties":               func(r *dataconnector.Request) { r.SelectedProperties = make([]string, 11) },
		"propertyFilters are not supported": func(r *dataconnector.Request) { r.PropertyFilters = make([]dataconnector.PropertyFilter, 1) },
		"interpolation is not supported": func(r *dataconnector.Request) {
			r.Interpolation = &dataconnector.Interpolation{InterpolationType: "LINEAR", IntervalInSeconds: 60}
		},
		"orderByTime is":        func(r *dataconnector.Request) { r.OrderByTime = "UP" },
		"maxResults is -1":      func(r *dataconnector.Request) { r.MaxResults = -1 },
		"neither startTime nor": func(r *dataconnector.Request) { r.StartTime = "" },
		"neither endTime nor":   func(r *dataconnector.Request) { r.EndTime = "" },
		"endTime is":            func(r *dataconnector.Request) { r.EndTime = "2026-01-02T03:00:00" },
		"before it starts":      func(r *dataconnector.Request) { r.EndTime = "1800-01-01T00:00:00Z" },
	} {
		t.Run(says, func(t *testing.T) {
			r := request("a")
			change(&r)
			refused(t, h, r, says)
		})
	}
	for _, payload := range []string{"", "[]", `{"maxResults":"many"}`, `{"startDateTime":"soon"}`, `{"properties":{"a":{"value":{"doubleValue":"1.5"}}}}`} {
		_, err := h.Invoke(t.Context(), []byte(payload))
		var refusal *dataconnector.RequestError
		require.ErrorAs(t, err, &refusal, "%s", payload)
	}
}

func TestFormsOfInstants(t *testing.T) {
	h := handler(source{"a": series(3, time.Second)}) // 03:00:00 to 03:00:02
	for _, ends := range []string{
		`"startTime":"2026-01-02T03:00:00Z","endTime":"2026-01-02T03:00:01Z"`,
		`"startTime":"2026-01-02T04:00:00+01:00","endTime":"2026-01-02T03:00:01.999999999Z"`,
		`"startTime":"2026-01-02T03:00:00.000+0000","endTime":"2026-01-02T03:00:01.5+00"`,
		`"startDateTime":1767322800,"endDateTime":1767322801`,
		`"startDateTime":1767322800.0,"endDateTime":1767322801.999`,
		`"startTime":"2026-01-02T03:00:00Z","endTime":"2026-01-02T03:00:01Z","startDateTime":1,"endDateTime":2`,
		`"startTime":"2026-01-02T03:00:00Z","endDateTime":1767322801,"startDateTime":null`,
	} {
		payload := `{"entityId":"pump-7","componentName":"motor","selectedProperties":["a"],` + ends + `}`
		answer, err := h.Invoke(t.Context(), []byte(payload))
		require.NoError(t, err, ends)
		assert.JSONEq(t, `{"propertyValues":[{"entityPropertyReference":{"entityId":"pump-7","componentName":"motor","propertyName":"a"},
			"values":[{"time":"2026-01-02T03:00:01Z","value":{"doubleValue":0.25}}]}]}`, string(answer), ends)
	}
}

func TestValueTypes(t *testing.T) {
	values := []dataconnector.Value{
		dataconnector.Double(-1.5e-7), dataconnector.Double(1e21), dataconnector.Integer(math.MinInt32), dataconnector.Long(math.MaxInt64),
		dataconnector.Boolean(true), dataconnector.Boolean(false), dataconnector.String("“quoted” \\ \"text\"\n"),
		dataconnector.List(dataconnector.Double(1), dataconnector.String("x")),
		dataconnector.Map(map[string]dataconnector.Value{"a": dataconnector.Integer(1)}),
	}
	var samples []dataconnector.Sample
	for i, v := range values {
		samples = append(samples, dataconnector.Sample{Time: base.Add(time.Duration(i)), Value: v})
	}
	resp := dataconnectortest.Invoke(t, handler(source{"a": samples}), request("a"))
	assert.Equal(t, samples, resp.PropertyValues[0].Values)
}

func TestDeclaredTypes(t *testing.T) {
	for _, c := range []struct {
		declared dataconnector.Type
		value    dataconnector.Value
		want     dataconnector.Value // none when it is an error
	}{
		{"DOUBLE", dataconnector.Integer(2), dataconnector.Double(2)},
		{"DOUBLE", dataconnector.Long(1 << 53), dataconnector.Double(1 << 53)},
		{"DOUBLE", dataconnector.Long(1<<53 + 1), dataconnector.Value{}},
		{"LONG", dataconnector.Integer(2), dataconnector.Long(2)},
		{"INTEGER", dataconnector.Long(2), dataconnector.Value{}},
		{"STRING", dataconnector.Double(1), dataconnector.Value{}},
		{"DOUBLE", dataconnector.String("1"), dataconnector.Value{}},
		{"", dataconnector.String("1"), dataconnector.String("1")},
	} {
		h := handler(source{"a": {{Time: base, Value: c.value}}})
		r := request("a")
		var definition dataconnector.Definition
		definition.DataType.Type = c.declared
		r.Properties["a"] = dataconnector.RequestProperty{Definition: definition}
		resp, err := h.Handle(t.Context(), r)
		if c.want.Type() == "" {
			require.ErrorContains(t, err, "declared as "+string(c.declared))
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.want, resp.PropertyValues[0].Values[0].Value)
	}
}

func TestOneLogLineWithoutValues(t *testing.T) {
	var out bytes.Buffer
	h := dataconnector.NewHandler(source{"rpm": series(3, time.Second)}, slog.New(slog.NewJSONHandler(&out, nil)))
	line := func(r dataconnector.Request) map[string]any {
		out.Reset()
		_, _ = h.Handle(t.Context(), r)
		require.Equal(t, 1, strings.Count(out.String(), "\n"))
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line))
		return line
	}
	r := request("rpm")
	r.Properties["serial"] = dataconnector.RequestProperty{Value: new(dataconnector.String("secret-4711"))}
	got := line(r)
	assert.NotContains(t, out.String(), "secret-4711")
	assert.Equal(t, "answered", got["outcome"])
	assert.Equal(t, "pump-7", got["entity"])
	assert.Equal(t, []any{"rpm"}, got["properties"])
	assert.InDelta(t, 3, got["values"], 0)
	r.MaxResults = -1
	assert.Equal(t, "RequestError", line(r)["outcome"])
	h = dataconnector.NewHandler(careless{{Time: base}}, slog.New(slog.NewJSONHandler(&out, nil)))
	assert.Equal(t, "SourceError", line(request("rpm"))["outcome"])
}

func FuzzInvoke(f *testing.F) {
	h := handler(reversible{source{"a": series(300, time.Second), "b": series(10, time.Minute)}})
	valid, err := json.Marshal(request("a", "b"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add([]byte(`{"entityId":"e","selectedProperties":["a"],"startDateTime":-2209075200,"endDateTime":1767322801,"nextToken":"AQ","isTimeSeries":true,"timeSeries":true}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		answer, err := h.Invoke(t.Context(), payload)
		if err != nil {
			if _, ok := errors.AsType[*dataconnector.RequestError](err); !ok {
				t.Fatalf("%v", err)
			}
			return
		}
		var resp dataconnector.Response
		if err := json.Unmarshal(answer, &resp); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
	})
}
