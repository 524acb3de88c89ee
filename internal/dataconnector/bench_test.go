package dataconnector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/livetwin/livetwin/internal/dataconnector"
)

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
