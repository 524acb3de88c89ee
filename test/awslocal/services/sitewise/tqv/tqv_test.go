package tqv_test

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

var points = rapid.Custom(func(t *rapid.T) tqv.Point {
	p := tqv.Point{Time: rapid.Int64Range(-20, 20).Draw(t, "time"), Quality: tqv.Quality(rapid.IntRange(0, 2).Draw(t, "quality"))}
	p.Value = tqv.Value{Kind: tqv.Double, Number: rapid.Float64().Draw(t, "value")}
	if rapid.IntRange(0, 4).Draw(t, "text") == 0 {
		p.Value = tqv.Value{Kind: tqv.String, Text: rapid.String().Draw(t, "value")}
	}
	return p
})

// model is a series as a sorted list, one point per time and quality.
func model(all []tqv.Point) []tqv.Point {
	last := map[[2]int64]tqv.Point{}
	for _, p := range all {
		last[[2]int64{p.Time, int64(p.Quality)}] = p
	}
	var list []tqv.Point
	for _, p := range last {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b tqv.Point) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Quality, b.Quality))
	})
	return list
}

func filter(list []tqv.Point, keep func(tqv.Point) bool) []tqv.Point {
	return slices.DeleteFunc(slices.Clone(list), func(p tqv.Point) bool { return !keep(p) })
}

func TestSeriesIsASortedList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOf(points).Draw(rt, "points")
		s := &tqv.Series{}
		for chunk := range slices.Chunk(all, rapid.IntRange(1, 5).Draw(rt, "chunk")) {
			s.Put(chunk...)
		}
		want := model(all)
		require.Len(t, want, s.Len())
		from, to := rapid.Int64Range(-25, 25).Draw(rt, "from"), rapid.Int64Range(-25, 25).Draw(rt, "to")
		within := filter(want, func(p tqv.Point) bool { return p.Time > from && p.Time <= to })
		assert.ElementsMatch(t, within, s.Range(from, to))

		good := filter(want, func(p tqv.Point) bool { return p.Quality == tqv.Good && p.Value.Usable() })
		before := filter(good, func(p tqv.Point) bool { return p.Time <= to })
		got, ok := s.Usable(to)
		require.Equal(t, len(before) > 0, ok)
		if ok {
			assert.Equal(t, before[len(before)-1], got)
		}
		after := filter(good, func(p tqv.Point) bool { return p.Time > to })
		got, ok = s.First(to)
		require.Equal(t, len(after) > 0, ok)
		if ok {
			assert.Equal(t, after[0], got)
		}
	})
}

func TestPagesAddUpWhileValuesArrive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &tqv.Series{}
		s.Put(rapid.SliceOf(points).Draw(rt, "points")...)
		from, to := int64(-15), int64(15)
		descending := rapid.Bool().Draw(rt, "descending")
		want := s.Range(from, to)
		if descending {
			slices.Reverse(want)
		}
		limit := rapid.IntRange(1, 7).Draw(rt, "limit")
		var got []tqv.Point
		var cursor *tqv.Cursor
		for {
			page := s.Read(from, to, descending, cursor, limit, nil)
			require.LessOrEqual(t, len(page.Points), limit)
			got = append(got, page.Points...)
			if !page.More {
				break
			}
			last := got[len(got)-1]
			cursor = &tqv.Cursor{Time: last.Time, Quality: last.Quality}
			// what arrives on pages that were read moves nothing
			behind := int64(-14)
			if descending {
				behind = 14
			}
			if (behind < last.Time) == !descending && behind != last.Time {
				s.Put(tqv.Point{Time: behind, Quality: tqv.Uncertain})
			}
		}
		require.Len(t, got, len(want))
		for i := range want {
			assert.Equal(t, want[i].Time, got[i].Time)
		}
	})
}

func TestReplace(t *testing.T) {
	s := &tqv.Series{}
	for i := range int64(6) {
		s.Put(tqv.Point{Time: i})
	}
	removed := s.Replace(2, 4, []tqv.Point{{Time: 3, Quality: tqv.Good, Value: tqv.Value{Number: 9}}})
	assert.Len(t, removed, 3)
	var times []int64
	for _, p := range s.Range(math.MinInt64, math.MaxInt64) {
		times = append(times, p.Time)
	}
	assert.Equal(t, []int64{0, 1, 3, 5}, times)
	assert.Len(t, s.Replace(math.MinInt64, math.MaxInt64, nil), 4)
	assert.Zero(t, s.Len())
}

func TestNanos(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	assert.Equal(t, at.UnixNano(), tqv.Nanos(at))
	assert.Equal(t, at, tqv.Point{Time: tqv.Nanos(at)}.When())
	assert.Equal(t, int64(math.MaxInt64), tqv.Nanos(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
	assert.Equal(t, int64(math.MinInt64), tqv.Nanos(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func read(t testing.TB, path string) ([]tqv.Entry, *tqv.Log) {
	t.Helper()
	var got []tqv.Entry
	log, err := tqv.OpenLog(path, func(e tqv.Entry) { got = append(got, e) })
	require.NoError(t, err)
	return got, log
}

func TestLogGivesBackWhatItWasGiven(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, "log", string(rune('a'+n%26)), time.Duration(n).String())
		var want []tqv.Entry
		for range rapid.IntRange(0, 3).Draw(rt, "opens") {
			_, log := read(t, path)
			var batch []tqv.Entry
			for range rapid.IntRange(1, 3).Draw(rt, "entries") {
				batch = append(batch, tqv.Entry{Series: rapid.String().Draw(rt, "series"), Points: rapid.SliceOfN(points, 1, 4).Draw(rt, "points")})
			}
			require.NoError(t, log.Append(batch))
			want = append(want, batch...)
			require.NoError(t, log.Close())
		}
		got, log := read(t, path)
		require.NoError(t, log.Close())
		assert.Equal(t, want, got)
	})
}

// A kill may cut the last record anywhere; the records before it stay, and the
// log goes on from there.
func TestLogCutsOffATornRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "values.log")
	_, log := read(t, path)
	first := []tqv.Entry{{Series: "a", Points: []tqv.Point{{Time: 1, Value: tqv.Value{Number: 1}}}}}
	require.NoError(t, log.Append(first))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, log.Append([]tqv.Entry{{Series: "b", Points: []tqv.Point{{Time: 2}}}}))
	require.NoError(t, log.Close())
	full, err := os.ReadFile(path)
	require.NoError(t, err)
	for size := range full {
		torn := filepath.Join(t.TempDir(), "torn.log")
		require.NoError(t, os.WriteFile(torn, full[:size], 0o600))
		got, log := read(t, torn)
		want := first
		if size < len(whole) {
			want = nil
		}
		assert.Equal(t, want, got, size)
		require.NoError(t, log.Append(first))
		require.NoError(t, log.Close())
		again, log := read(t, torn)
		require.NoError(t, log.Close())
		assert.Equal(t, slices.Concat(want, first), again, size)
	}
	damaged := slices.Clone(full)
	damaged[len(damaged)-1] ^= 1
	require.NoError(t, os.WriteFile(path, damaged, 0o600))
	got, log := read(t, path)
	require.NoError(t, log.Close())
	assert.Equal(t, first, got, "a record that does not match its checksum is none")
}

func TestLogRefusesAnotherFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "values.log")
	require.NoError(t, os.WriteFile(path, []byte("tqv log, version 2\nand so on"), 0o600))
	_, err := tqv.OpenLog(path, func(tqv.Entry) {})
	assert.ErrorContains(t, err, "delete the state folder")
}
