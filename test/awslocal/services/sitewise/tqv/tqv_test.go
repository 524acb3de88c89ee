package tqv_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// entries are two of each kind of value.
var entries = []tqv.Entry{
	{Series: "a/b", Points: []tqv.Point{
		{Time: 1, Value: tqv.Value{Number: 3.25}},
		{Time: -2, Quality: tqv.Bad, Value: tqv.Value{Kind: tqv.Null, Text: "D"}},
		{Time: math.MaxInt64, Quality: tqv.Uncertain, Value: tqv.Value{Kind: tqv.String, Text: "a \n µ"}},
	}},
	{Series: "ü", Points: []tqv.Point{{Time: math.MinInt64, Value: tqv.Value{Kind: tqv.Integer, Number: -7}}, {Value: tqv.Value{Kind: tqv.Boolean, Number: 1}}}},
}

func load(t testing.TB, path string) (*tqv.Log, []tqv.Entry, error) {
	t.Helper()
	var got []tqv.Entry
	log, err := tqv.OpenLog(path, func(e tqv.Entry) { got = append(got, e) })
	return log, got, err
}

// Wherever a kill cuts the file, whole records are there, and the next one
// follows them.
func TestARecordThatWasCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "values.log")
	log, got, err := load(t, path)
	require.NoError(t, err)
	assert.Empty(t, got)
	size := func() int {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return int(info.Size())
	}
	ends := []int{size()}
	for i := range entries {
		require.NoError(t, log.Append(entries[i:i+1]))
		ends = append(ends, size())
	}
	require.NoError(t, log.Close())
	whole, err := os.ReadFile(path) //nolint:gosec // the test's own
	require.NoError(t, err)
	for cut := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		log, got, err := load(t, path)
		require.NoError(t, err, cut)
		n := 0
		for n < len(entries) && ends[n+1] <= cut {
			n++
		}
		require.Equal(t, entries[:n], append([]tqv.Entry{}, got...), cut)
		require.NoError(t, log.Append(entries[1:]))
		require.NoError(t, log.Close())
		log, got, err = load(t, path)
		require.NoError(t, err)
		require.Equal(t, append(slices.Clone(entries[:n]), entries[1]), got, cut)
		require.NoError(t, log.Close())
	}
	for at := ends[1]; at < len(whole); at++ { // a byte of the last record is another one
		broken := slices.Clone(whole)
		broken[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, broken, 0o600))
		log, got, err := load(t, path)
		require.NoError(t, err)
		require.Equal(t, entries[:1], got, at)
		require.NoError(t, log.Close())
	}
}

func TestAnotherFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "values.log")
	const foreign = "tqv log, version 9\nand more"
	require.NoError(t, os.WriteFile(path, []byte(foreign), 0o600))
	_, _, err := load(t, path)
	require.ErrorContains(t, err, "delete the state folder")
	raw, err := os.ReadFile(path) //nolint:gosec // the test's own
	require.NoError(t, err)
	assert.Equal(t, foreign, string(raw), "and left as it is")
}

// key is what a series holds at most one point of.
type key struct {
	time    int64
	quality tqv.Quality
}

// A series is a sorted map: whatever is put and replaced, ranges and pages are
// what a map says.
func TestSeries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s tqv.Series
		m := map[key]tqv.Point{}
		sorted := func(from, to int64) []tqv.Point {
			var list []tqv.Point
			for k, p := range m {
				if from < k.time && k.time <= to {
					list = append(list, p)
				}
			}
			slices.SortFunc(list, func(a, b tqv.Point) int {
				return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Quality, b.Quality))
			})
			return list
		}
		at := rapid.Int64Range(0, 20)
		point := rapid.Custom(func(rt *rapid.T) tqv.Point {
			return tqv.Point{
				Time: at.Draw(rt, "time"), Quality: tqv.Quality(rapid.IntRange(0, 2).Draw(rt, "quality")),
				Value: tqv.Value{Number: rapid.Float64Range(-9, 9).Draw(rt, "value")},
			}
		})
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			if rapid.IntRange(0, 9).Draw(rt, "step") > 0 {
				p := point.Draw(rt, "point")
				s.Put(p)
				m[key{p.Time, p.Quality}] = p
				continue
			}
			from := at.Draw(rt, "from")
			to := rapid.Int64Range(from, 20).Draw(rt, "to")
			removed := sorted(from-1, to)
			with := []tqv.Point{{Time: from, Value: tqv.Value{Number: 1}}}
			require.Equal(rt, fmt.Sprint(removed), fmt.Sprint(s.Replace(from, to, with)))
			for _, p := range removed {
				delete(m, key{p.Time, p.Quality})
			}
			m[key{from, tqv.Good}] = with[0]
		}
		all := sorted(math.MinInt64, math.MaxInt64)
		require.Equal(rt, len(all), s.Len())
		from, to := at.Draw(rt, "after"), at.Draw(rt, "until")
		want := sorted(from, to)
		require.Equal(rt, fmt.Sprint(want), fmt.Sprint(s.Range(from, to)))
		for _, descending := range []bool{false, true} {
			var got []tqv.Point
			var cursor *tqv.Cursor
			for limit := rapid.IntRange(1, 5).Draw(rt, "limit"); ; {
				page := s.Read(from, to, descending, cursor, limit, nil)
				got = append(got, page.Points...)
				if !page.More {
					break
				}
				require.Len(rt, page.Points, limit)
				last := page.Points[limit-1]
				cursor = &tqv.Cursor{Time: last.Time, Quality: last.Quality}
			}
			require.Equal(rt, fmt.Sprint(want), fmt.Sprint(got), "pages add up")
			slices.Reverse(want)
		}
		when := at.Draw(rt, "when")
		usable := slices.DeleteFunc(sorted(math.MinInt64, when), func(p tqv.Point) bool { return p.Quality != tqv.Good })
		got, ok := s.Usable(when)
		require.Equal(rt, len(usable) > 0, ok)
		if ok {
			require.Equal(rt, usable[len(usable)-1], got)
		}
	})
}
