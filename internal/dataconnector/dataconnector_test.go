package dataconnector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func TestDataThatArriveBetweenPages(t *testing.T) {
	for _, order := range []string{"ASCENDING", "DESCENDING"} {
		t.Run(order, func(t *testing.T) {
			s := source{"a": series(6, time.Second), "b": series(6, time.Second)}
			h := handler(s)
			r := request("a", "b")
			r.OrderByTime, r.MaxResults = order, 5 // in the midst of an instant
			first := dataconnectortest.Invoke(t, h, r)
			got := tally(first)
			for name := range s { // one in what was read, one in what was not
				s[name] = insert(s[name], base.Add(500*time.Millisecond), base.Add(4500*time.Millisecond))
			}
			for r.NextToken = first.NextToken; r.NextToken != ""; {
				next := dataconnectortest.Invoke(t, h, r)
				for sample, n := range tally(next) {
					got[sample] += n
				}
				r.NextToken = next.NextToken
			}
			assert.Len(t, got, 14, "all of before, and what arrived behind the first page's end")
			for sample, n := range got {
				assert.Equal(t, 1, n, "%s", sample)
			}
		})
	}
}

func insert(samples []dataconnector.Sample, at ...time.Time) []dataconnector.Sample {
	for _, t := range at {
		samples = append(samples, dataconnector.Sample{Time: t, Value: dataconnector.Double(-1)})
	}
	slices.SortFunc(samples, func(a, b dataconnector.Sample) int { return a.Time.Compare(b.Time) })
	return samples
}

func tally(resp dataconnector.Response) map[string]int {
	seen := make(map[string]int)
	for _, p := range resp.PropertyValues {
		for _, s := range p.Values {
			seen[p.EntityPropertyReference.PropertyName+" "+s.Time.Format(time.RFC3339Nano)]++
		}
	}
	return seen
}

func TestTokensAreBoundToTheirRequest(t *testing.T) {
	h := handler(source{"a": series(300, time.Second), "b": series(300, time.Second)})
	first := dataconnectortest.Invoke(t, h, request("a", "b"))
	again := request("a", "b")
	again.NextToken, again.MaxResults = first.NextToken, 7
	require.Len(t, tally(dataconnectortest.Invoke(t, h, again)), 7, "the size of a page may change")

	for name, change := range map[string]func(*dataconnector.Request){
		"workspace":  func(r *dataconnector.Request) { r.WorkspaceID = "x" },
		"entity":     func(r *dataconnector.Request) { r.EntityID = "x" },
		"component":  func(r *dataconnector.Request) { r.ComponentName = "x" },
		"type":       func(r *dataconnector.Request) { r.ComponentTypeID = "x" },
		"properties": func(r *dataconnector.Request) { r.SelectedProperties = []string{"b", "a"} },
		"fewer":      func(r *dataconnector.Request) { r.SelectedProperties = []string{"a"} },
		"start":      func(r *dataconnector.Request) { r.StartTime = "1899-12-31T00:00:01Z" },
		"end":        func(r *dataconnector.Request) { r.EndTime = "2100-01-01T00:00:00.000000001Z" },
		"order":      func(r *dataconnector.Request) { r.OrderByTime = "DESCENDING" },
	} {
		t.Run(name, func(t *testing.T) {
			r := request("a", "b")
			r.NextToken = first.NextToken
			change(&r)
			refused(t, h, r, "another request")
		})
	}
	for i := range first.NextToken { // no character of it may change
		token := []byte(first.NextToken)
		token[i] ^= 1
		r := request("a", "b")
		r.NextToken = string(token)
		refused(t, h, r, "nextToken")
	}
	for token, says := range map[string]string{
		"AA": "version 0", "Ag": "version 2", "AQ": "another request", "!": "not one of", strings.Repeat("A", 5000): "not one of",
	} {
		r := request("a", "b")
		r.NextToken = token
		refused(t, h, r, says)
	}
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

// Rows at or before the start are a known defect of connectors.
func TestASourceThatBeginsTooEarly(t *testing.T) {
	r := request("rpm")
	r.StartTime = base.Format(time.RFC3339Nano)
	_, err := handler(careless(series(3, time.Second))).Handle(t.Context(), r)
	var failure *dataconnector.SourceError
	require.ErrorAs(t, err, &failure)
	assert.ErrorContains(t, err, "outside of what")
}

func TestSourcesThatBreakTheContract(t *testing.T) {
	sample := func(at time.Time, v dataconnector.Value) dataconnector.Sample {
		return dataconnector.Sample{Time: at, Value: v}
	}
	one := dataconnector.Double(1)
	for says, samples := range map[string][]dataconnector.Sample{
		"out of order":                 {sample(base.Add(1), one), sample(base, one)},
		"out of order: mend":           {sample(base, one), sample(base, one)},
		"outside of what":              {sample(base.AddDate(200, 0, 0), one)},
		"NaN":                          {sample(base, dataconnector.Double(math.NaN()))},
		"+Inf":                         {sample(base, dataconnector.List(dataconnector.Double(math.Inf(1))))},
		"string of 0 characters":       {sample(base, dataconnector.String(""))},
		"string of 257 characters":     {sample(base, dataconnector.String(strings.Repeat("é", 257)))},
		"a list of 51":                 {sample(base, dataconnector.List(slices.Repeat([]dataconnector.Value{one}, 51)...))},
		"has no type":                  {sample(base, dataconnector.Value{})},
		"of property rpm could not be": {sample(base, dataconnector.Value{})},
	} {
		t.Run(says, func(t *testing.T) {
			_, err := handler(careless(samples)).Handle(t.Context(), request("rpm"))
			var failure *dataconnector.SourceError
			require.ErrorAs(t, err, &failure)
			assert.ErrorContains(t, err, says)
		})
	}
}

// A careless reader yields what it has, whatever it is asked.
type careless []dataconnector.Sample

func (c careless) Samples(context.Context, dataconnector.PropertyRef, time.Time, time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		for _, s := range c {
			if !yield(s, nil) {
				return
			}
		}
	}
}

var errDown = errors.New("connection reset")

// A faulty reader fails after n samples.
type faulty struct {
	source
	after int
}

func (f faulty) Samples(ctx context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		n := 0
		for s, err := range f.source.Samples(ctx, p, from, to) {
			if n == f.after {
				s, err = dataconnector.Sample{}, errDown
			}
			if !yield(s, err) || err != nil {
				return
			}
			n++
		}
	}
}

func TestASourceThatDiesIsAnErrorAndNoShortPage(t *testing.T) {
	for _, order := range []string{"ASCENDING", "DESCENDING"} {
		for _, after := range []int{0, 1, 4} {
			r := request("rpm")
			r.OrderByTime, r.MaxResults = order, 4
			_, err := handler(faulty{source{"rpm": series(5, time.Second)}, after}).Handle(t.Context(), r)
			var failure *dataconnector.SourceError
			require.ErrorAs(t, err, &failure, "%s after %d", order, after)
			require.ErrorIs(t, err, errDown)
			assert.Equal(t, "rpm", failure.Property)
		}
	}
}

// A silent reader ends when its context does, as if there was nothing more.
type silent struct{}

func (silent) Samples(ctx context.Context, _ dataconnector.PropertyRef, _, _ time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(func(dataconnector.Sample, error) bool) { <-ctx.Done() }
}

func TestTheDeadlineLeavesTimeToAnswer(t *testing.T) {
	deadline := time.Now().Add(550 * time.Millisecond) // of which half a second is kept
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	_, err := handler(silent{}).Handle(ctx, request("rpm"))
	require.ErrorContains(t, err, "did not answer in time")
	require.NoError(t, ctx.Err(), "the invocation's own time is not used up")
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

// BenchmarkPages scans 10,000 samples of three properties in pages of 200.
func BenchmarkPages(b *testing.B) {
	const n = 10_000
	s := reversible{source{"a": series(n/3, time.Second), "b": series(n/3, time.Second), "c": series(n-2*(n/3), time.Second)}}
	indexed := make(map[string]sorted)
	for name, samples := range s.source {
		indexed[name] = samples
	}
	h := handler(indexedSource(indexed))
	for _, order := range []string{"ASCENDING", "DESCENDING"} {
		b.Run(fmt.Sprintf("%s/%d", order, n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := request("a", "b", "c")
				r.OrderByTime, r.MaxResults = order, 200
				total := 0
				for {
					payload, err := json.Marshal(r)
					if err != nil {
						b.Fatal(err)
					}
					answer, err := h.Invoke(b.Context(), payload)
					if err != nil {
						b.Fatal(err)
					}
					total += bytes.Count(answer, []byte(`"time"`))
					_, token, more := bytes.Cut(answer, []byte(`"nextToken":"`))
					if !more {
						break
					}
					r.NextToken = string(token[:bytes.IndexByte(token, '"')])
				}
				if total != n {
					b.Fatalf("%d samples", total)
				}
			}
			b.ReportMetric(float64(n), "samples/op")
		})
	}
}

// An indexed source finds the start of a range without a scan.
type (
	sorted        []dataconnector.Sample
	indexedSource map[string]sorted
)

func (s sorted) cut(from, to time.Time) sorted {
	after := func(v dataconnector.Sample, t time.Time) int {
		if v.Time.After(t) {
			return 1
		}
		return -1
	}
	low, _ := slices.BinarySearchFunc(s, from, after)
	high, _ := slices.BinarySearchFunc(s, to, after)
	return s[low:high]
}

func (s indexedSource) Samples(_ context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		for _, v := range s[p.PropertyName].cut(from, to) {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (s indexedSource) SamplesBackward(_ context.Context, p dataconnector.PropertyRef, from, to time.Time) iter.Seq2[dataconnector.Sample, error] {
	return func(yield func(dataconnector.Sample, error) bool) {
		for _, v := range slices.Backward(s[p.PropertyName].cut(from, to)) {
			if !yield(v, nil) {
				return
			}
		}
	}
}
