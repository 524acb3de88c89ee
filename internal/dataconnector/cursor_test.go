package dataconnector_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/dataconnector"
	"github.com/livetwin/livetwin/internal/dataconnector/dataconnectortest"
)

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
