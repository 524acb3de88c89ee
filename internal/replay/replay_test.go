package replay_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/telemetry"
)

var cells = []replay.Asset{
	{Name: "cell-1", Measurements: map[string]string{"voltage": "V", "current": "A", "temperature": "Cel"}},
	{Name: "cell-2", Measurements: map[string]string{"voltage": "V", "current": "A", "temperature": "Cel"}},
}

func load(files map[string]string) (*replay.Recording, error) {
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return replay.Load(dir, "plant", cells)
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func TestLoad(t *testing.T) {
	r, err := load(map[string]string{
		"cell-1.csv": "time,cycle,voltage_V,current,temperature_C\n" +
			"2026-03-02T08:00:10Z,1,4.1,-4.0,43\n" +
			"2026-03-02T08:00:00Z,1,4.2,,43\n" + // older than the row before, no current
			"2026-03-02T09:00:20+01:00,1,NaN,NULL,43\n" + // the same zone in the end
			"2026-03-02T08:00:20Z,1,4.0,-4.1,43\n", // again: the later row wins
		"capacity.csv": "cell,cycle\ncell-1,1\n",
		"empty.csv":    "",
		"notes.txt":    "not looked at",
	})
	require.NoError(t, err)
	assert.Equal(t, []replay.Skip{{"capacity.csv", `its first column is "cell", not time`}, {"empty.csv", "it is empty"}}, r.Skipped)
	assert.Equal(t, []replay.Column{{"cell-1.csv", "cycle"}}, r.Columns)
	assert.Equal(t, 1, r.Files)
	assert.Equal(t, 1, r.Reordered)
	assert.Equal(t, 1, r.Duplicates)
	require.Len(t, r.Series, 3)
	assert.Equal(t, replay.Series{Alias: "/plant/cell-1/voltage", Samples: []telemetry.Sample{
		{Time: at("2026-03-02T08:00:00Z"), Value: 4.2, Quality: telemetry.Good},
		{Time: at("2026-03-02T08:00:10Z"), Value: 4.1, Quality: telemetry.Good},
		{Time: at("2026-03-02T08:00:20Z"), Value: 4.0, Quality: telemetry.Good},
	}}, r.Series[0])
	assert.Equal(t, telemetry.Alias("/plant/cell-1/current"), r.Series[1].Alias)
	assert.Len(t, r.Series[1].Samples, 2)
}

func TestLoadTakesNumbersThatAreNoneAsBad(t *testing.T) {
	r, err := load(map[string]string{"cell-1.csv": "time,voltage,current,quality\n" +
		"2026-03-02T08:00:00Z,NaN,NULL,GOOD\n" +
		"2026-03-02T08:00:10Z,4.1,-4,BAD\n" +
		"2026-03-02T08:00:20Z,4.1,-4,UNCERTAIN\n"})
	require.NoError(t, err)
	v, c := r.Series[0].Samples, r.Series[1].Samples
	assert.True(t, math.IsNaN(v[0].Value) && v[0].Quality == telemetry.Bad && !v[0].Null)
	assert.True(t, c[0].Null && c[0].Quality == telemetry.Bad)
	assert.Equal(t, telemetry.Bad, v[1].Quality)
	assert.Equal(t, telemetry.Uncertain, v[2].Quality)
}

func TestLoadErrorsSayWhereWhatAndHow(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"time":           {"cell-1.csv", "time,voltage\n2026-03-02 08:00,4\n", []string{`cell-1.csv:2: time "2026-03-02 08:00": want RFC 3339`}},
		"no zone":        {"cell-1.csv", "time,voltage\n2026-03-02T08:00:00,4\n", []string{"cell-1.csv:2: time"}},
		"number":         {"cell-1.csv", "time,voltage\n2026-03-02T08:00:00Z,4\n2026-03-02T08:00:10Z,4V\n", []string{`cell-1.csv:3: column voltage: "4V" is not a number`}},
		"infinite":       {"cell-1.csv", "time,voltage\n2026-03-02T08:00:00Z,+Inf\n", []string{"cell-1.csv:2", "is not a number"}},
		"overflow":       {"cell-1.csv", "time,voltage\n2026-03-02T08:00:00Z,1e999\n", []string{"cell-1.csv:2", "is not a number"}},
		"both":           {"cell-1.csv", "time,voltage\nx,4\n2026-03-02T08:00:10Z,y\n", []string{"cell-1.csv:2", "cell-1.csv:3"}},
		"fields":         {"cell-1.csv", "time,voltage\n2026-03-02T08:00:00Z,4,5\n", []string{"cell-1.csv:2: wrong number of fields"}},
		"quality":        {"cell-1.csv", "time,voltage,quality\n2026-03-02T08:00:00Z,4,good\n", []string{`cell-1.csv:2: quality "good": want GOOD, BAD or UNCERTAIN`}},
		"unit":           {"cell-1.csv", "time,voltage_mV\n", []string{"cell-1.csv:1: column voltage_mV: its unit is mV, that of voltage is V"}},
		"twice":          {"cell-1.csv", "time,voltage,voltage_V\n", []string{"columns voltage and voltage_V are both voltage"}},
		"no measurement": {"cell-1.csv", "time,rpm\n", []string{"want current_A, temperature_C, voltage_V"}},
		"asset":          {"pump.csv", "time,voltage\n", []string{"pump.csv: the twin has no asset pump", "cell-1, cell-2"}},
		"no telemetry":   {"cell-1.csv", "cell,voltage\n", []string{"none of 1 files holds telemetry"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(map[string]string{c.file: c.text})
			require.Error(t, err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
	_, err := load(nil)
	require.ErrorContains(t, err, "no *.csv")
}

// recording makes one series with samples at seconds after an epoch.
func recording(seconds ...int) *replay.Recording {
	r := &replay.Recording{Series: []replay.Series{{Alias: "/plant/cell-1/voltage"}}}
	for _, s := range seconds {
		r.Series[0].Samples = append(r.Series[0].Samples, telemetry.Sample{Time: epoch.Add(time.Duration(s) * time.Second), Value: float64(s), Quality: telemetry.Good})
	}
	return r
}

var epoch = at("2009-04-07T00:00:00Z")

func TestFitKeepsSpacingInsideSegmentsAndLandsInTheWindow(t *testing.T) {
	const gap = 30 * time.Minute
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 600), rapid.IntRange(1801, 200_000)), 1, 40).Draw(t, "steps")
		seconds := []int{0}
		for _, s := range steps {
			seconds = append(seconds, seconds[len(seconds)-1]+s)
		}
		r := recording(seconds...)
		w := replay.Window{Oldest: at("2026-01-01T00:00:00Z"), Newest: at("2026-01-01T00:00:00Z").Add(time.Duration(rapid.IntRange(3600, 700_000).Draw(t, "room")) * time.Second)}
		line, err := replay.Fit(r, gap, w)
		if err != nil {
			least := 0
			for _, s := range steps {
				least += min(s, 1801)
			}
			assert.Greater(t, time.Duration(least)*time.Second, w.Newest.Sub(w.Oldest), "refused although it fits")
			return
		}
		for i, s := range r.Series[0].Samples {
			now := line.At(s.Time)
			assert.False(t, now.Before(w.Oldest) || now.After(w.Newest), "%s outside of the window", now)
			if i == 0 {
				continue
			}
			before := r.Series[0].Samples[i-1].Time
			was, is := s.Time.Sub(before), now.Sub(line.At(before))
			if was <= gap {
				assert.Equal(t, was, is)
			} else {
				assert.LessOrEqual(t, is, was)
				assert.Greater(t, is, gap)
			}
		}
	})
}

func TestFitLeavesWhatFitsAlone(t *testing.T) {
	line, err := replay.Fit(recording(0, 10, 100_000), time.Hour, replay.Window{Oldest: epoch, Newest: epoch.Add(100_000 * time.Second)})
	require.NoError(t, err)
	assert.True(t, line.Unchanged())
	assert.Len(t, line.Segments, 2)
}

func TestFitRefusesWithTheArithmetic(t *testing.T) {
	_, err := replay.Fit(recording(0, 3000, 10_000, 13_000), 3100*time.Second, replay.Window{Oldest: epoch.Add(-2 * time.Hour), Newest: epoch.Add(-time.Hour)})
	require.ErrorContains(t, err, "2 segments last 1h40m0s and 1 gaps of at least 51m41s")
	require.ErrorContains(t, err, "together 2h31m41s, but samples are accepted for 1h0m0s")
}

// A historian records what it is told and when, by a clock that a Pacer moves.
type historian struct {
	now      time.Time
	written  []telemetry.Point
	writtenA []time.Time
	fail     int // writes that fail before one succeeds
	refuse   func(telemetry.Point) bool
}

func (h *historian) WaitUntil(_ context.Context, t time.Time) error {
	if t.After(h.now) {
		h.now = t
	}
	return nil
}

func (h *historian) Write(_ context.Context, points []telemetry.Point) ([]telemetry.Rejection, error) {
	if h.fail > 0 {
		h.fail--
		return nil, errors.New("connection reset")
	}
	var refused []telemetry.Rejection
	for _, p := range points {
		if h.refuse != nil && h.refuse(p) {
			refused = append(refused, telemetry.Rejection{Point: p, Code: "TimestampOutOfRangeException"})
			continue
		}
		h.written = append(h.written, p)
		h.writtenA = append(h.writtenA, h.now)
	}
	return refused, nil
}

func TestWriteIsInOrderAndEverySampleIsThereWhenItsChunkEnds(t *testing.T) {
	r, err := load(map[string]string{
		"cell-1.csv": "time,voltage\n2026-03-02T08:59:59Z,1\n2026-03-02T09:00:00Z,2\n2026-03-02T09:00:01Z,3\n",
		"cell-2.csv": "time,voltage\n2026-03-02T08:59:58Z,4\n2026-03-02T09:00:00.5Z,5\n2026-03-02T12:00:00Z,6\n",
	})
	require.NoError(t, err)
	var h historian
	res, err := replay.Write(t.Context(), &h, r, replay.Options{Timeline: replay.Keep(r, time.Hour), Pacer: &h})
	require.NoError(t, err)
	assert.Equal(t, 6, res.Samples)
	var values []float64
	for i, p := range h.written {
		values = append(values, p.Sample.Value)
		late := h.writtenA[i].Sub(p.Sample.Time)
		assert.Less(t, late, replay.DefaultChunk)
		assert.GreaterOrEqual(t, late, -time.Millisecond, "written before it happened")
	}
	assert.Equal(t, []float64{4, 1, 2, 5, 3, 6}, values)
	// The sample of nine o'clock is there a millisecond before a schedule fires at nine.
	assert.Equal(t, at("2026-03-02T08:59:59.999Z"), h.writtenA[2])
	assert.Equal(t, at("2026-03-02T09:04:59.999Z"), h.writtenA[3])
}

func TestWriteListsRejectionsAndRetriesABrokenConnection(t *testing.T) {
	synctest.Test(t, listsAndRetries)
}

func listsAndRetries(t *testing.T) {
	r := recording(0, 10, 20)
	h := historian{fail: 1, refuse: func(p telemetry.Point) bool { return p.Sample.Value == 10 }}
	var progress []replay.Progress
	res, err := replay.Write(t.Context(), &h, r, replay.Options{
		Timeline: replay.Keep(r, time.Hour), Pacer: replay.AtOnce{},
		Progress: func(p replay.Progress) { progress = append(progress, p) },
	})
	require.NoError(t, err)
	assert.Equal(t, 2, res.Samples)
	require.Len(t, res.Rejections, 1)
	assert.Equal(t, replay.Progress{Samples: 3, Of: 3, Until: epoch.Add(20 * time.Second), Rejected: 1}, progress[len(progress)-1])
}

func TestWriteGivesUpOnAHistorianThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the pauses between attempts pass at once
		r := recording(0)
		_, err := replay.Write(t.Context(), &historian{fail: 9}, r, replay.Options{Timeline: replay.Keep(r, time.Hour), Pacer: replay.AtOnce{}})
		require.ErrorContains(t, err, "replaying again is safe")
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("time,voltage\n2026-03-02T08:00:00Z,4\n")
	f.Add("time,voltage,quality\n2026-03-02T08:00:00Z,NaN,BAD\n")
	f.Add("time,\"voltage\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := load(map[string]string{"cell-1.csv": text})
		if err != nil {
			return
		}
		for _, s := range r.Series {
			for i := 1; i < len(s.Samples); i++ {
				if !s.Samples[i-1].Time.Before(s.Samples[i].Time) {
					t.Fatalf("%s: samples %d and %d are not in order", s.Alias, i-1, i)
				}
			}
		}
	})
}

func TestFirstKeepsSegmentsOfEveryAsset(t *testing.T) {
	files := map[string]string{
		// Three segments, the second of two samples.
		"cell-1.csv": "time,voltage,current\n2026-03-02T08:00:00Z,1,0\n2026-03-02T09:00:00Z,2,0\n2026-03-02T09:01:00Z,3,\n2026-03-02T10:00:00Z,4,0\n",
		// Its only segment bridges the gaps of the other.
		"cell-2.csv": "time,voltage\n2026-03-02T08:20:00Z,1\n2026-03-02T08:40:00Z,2\n2026-03-02T09:00:00Z,3\n2026-03-02T09:20:00Z,4\n",
	}
	r, err := load(files)
	require.NoError(t, err)
	assert.Equal(t, 3, r.First(2, 30*time.Minute))
	assert.Equal(t, 2+3+4, r.Samples(), "two segments of cell-1, all of cell-2")
	assert.Equal(t, 2, r.First(5, 30*time.Minute))
	assert.Equal(t, 2+3+4, r.Samples())
}
