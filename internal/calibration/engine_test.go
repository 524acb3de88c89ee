package calibration_test

import (
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrationmem"
	"github.com/livetwin/livetwin/internal/simulate"
	"github.com/livetwin/livetwin/internal/telemetry"
)

// champion returns the champion in force.
func (b *bench) champion() calibration.Champion {
	b.t.Helper()
	c, _, err := b.store.Champion(b.t.Context(), b.key)
	require.NoError(b.t, err)
	return c
}

func (b *bench) diagnostics(run calibration.RunID) calibration.Diagnostics {
	b.t.Helper()
	d, err := calibration.ReadDiagnostics(b.t.Context(), b.store, b.key, run)
	require.NoError(b.t, err)
	return d
}

// after returns a bench that has followed all but the last of n simulated
// discharges, the telemetry of the last being there, and the window it is in.
func after(t *testing.T, n int) (b *bench, windowEnd time.Time) {
	t.Helper()
	b = newBench(t, "cell-1")
	all := segments(simulated(t, n))
	for _, s := range all[:n-1] {
		b.follow(s)
	}
	last := all[n-1]
	b.write(last)
	return b, hourAfter(last[len(last)-1].time)
}

func TestARunWritesItsArtifactsAndAdvancesTheChampion(t *testing.T) {
	b, end := after(t, 3)
	before := b.champion()
	o := b.run(end)
	require.Equal(t, calibration.Promoted, o.Outcome, o.Reason)
	c := b.champion()
	assert.Equal(t, before.Generation+1, c.Generation)
	assert.Equal(t, o.Run, c.StateRun)
	assert.Equal(t, o.Run, c.ParametersRun)
	assert.Equal(t, end, c.WindowEnd)
	assert.NotEqual(t, before.WriteID, c.WriteID)
	d := b.diagnostics(o.Run)
	assert.Equal(t, before.StateRun, d.Previous)
	assert.Equal(t, &before, d.Champion)
	require.Len(t, d.Segments, 1)
	assert.Equal(t, 3, d.Segments[0].Index)
	assert.Equal(t, c.Watermark, d.Segments[0].End)
	for _, name := range calibration.Artifacts() {
		_, err := b.store.Artifact(t.Context(), b.key, o.Run, name)
		require.NoError(t, err, name)
	}
	var manifest calibration.Manifest
	data, err := b.store.Artifact(t.Context(), b.key, o.Run, calibration.InputsArtifact)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &manifest))
	assert.Equal(t, before.Watermark, manifest.From)
	assert.Equal(t, c.Watermark, manifest.To)
	assert.Len(t, manifest.Series, 3)
	csv, err := b.store.Artifact(t.Context(), b.key, o.Run, calibration.PredictionsArtifact)
	require.NoError(t, err)
	assert.Len(t, strings.Split(strings.TrimSpace(string(csv)), "\n"), 1+8*3, "a header, and three quantiles of eight outputs")
}

func TestTheSameWindowTwiceAssimilatesNothingTwice(t *testing.T) {
	b, end := after(t, 3)
	generation := b.generation()
	first := b.run(end)
	content := b.content(first.Run)

	// The same job again, as a duplicate delivery or a retry after a crash.
	again, err := b.engine.Run(t.Context(), b.spec, b.asset, calibration.NewJob(b.key, generation, end))
	require.NoError(t, err)
	assert.Equal(t, first, again)
	assert.Equal(t, content, b.content(first.Run))

	// The same window planned again.
	o := b.run(end)
	assert.Equal(t, calibration.Skipped, o.Outcome)
	assert.Equal(t, content, b.content(first.Run))
}

func TestOfTwoRunsAtOnceOneIsSuperseded(t *testing.T) {
	b, end := after(t, 3)
	generation := b.generation()
	var wg sync.WaitGroup
	outcomes := make([]calibration.Outcome, 2)
	for i := range outcomes {
		job := calibration.NewJob(b.key, generation, end.Add(time.Duration(i)*time.Minute))
		wg.Go(func() {
			var err error
			outcomes[i], err = b.engine.Run(t.Context(), b.spec, b.asset, job)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	results := []calibration.Result{outcomes[0].Outcome, outcomes[1].Outcome}
	assert.ElementsMatch(t, []calibration.Result{calibration.Promoted, calibration.Superseded}, results)
	assert.Equal(t, generation+1, b.generation())
	assert.Contains(t, outcomes[0].Reason+outcomes[1].Reason, "the champion is at generation 3")
}

func TestARunKilledAnywhereIsRetriedToTheSameBytes(t *testing.T) {
	b, end := after(t, 2)
	whole := b.store.(*calibrationmem.Store)
	want := func() map[string]string {
		b, end := after(t, 2)
		return b.content(b.run(end).Run)
	}()
	job := calibration.NewJob(b.key, b.generation(), end)
	for calls := 1; ; calls++ {
		f := &failing{Store: whole, left: calls, after: calls%2 == 0}
		engine := b.engine
		engine.Store = f
		_, err := engine.Run(t.Context(), b.spec, b.asset, job)
		if f.left > 0 {
			require.NoError(t, err)
			break // no call failed
		}
		require.ErrorIs(t, err, calibration.ErrTransient)
		require.ErrorIs(t, err, errDown)
		require.Less(t, calls, 50)
	}
	assert.Equal(t, want, b.content(job.Run))
}

func TestALostAnswerOfThePointerWriteIsRecognised(t *testing.T) {
	b, end := after(t, 2)
	job := calibration.NewJob(b.key, b.generation(), end)
	// champion, state, manifest, 7 artifacts, swap
	f := &failing{Store: b.store, left: 11, after: true}
	engine := b.engine
	engine.Store = f
	_, err := engine.Run(t.Context(), b.spec, b.asset, job)
	require.ErrorIs(t, err, calibration.ErrTransient)
	require.Equal(t, job.Run, b.champion().StateRun, "the write took effect")
	o, err := b.engine.Run(t.Context(), b.spec, b.asset, job)
	require.NoError(t, err)
	assert.Equal(t, calibration.Promoted, o.Outcome)
	assert.Equal(t, job.Generation+1, b.generation())
}

func TestOnlyWholeSegmentsAreAssimilated(t *testing.T) {
	b := newBench(t, "cell-1")
	first := segments(simulated(t, 1))[0]
	b.write(first)
	last := first[len(first)-1].time

	o := b.run(first[len(first)/2].time)
	assert.Equal(t, calibration.Skipped, o.Outcome)
	assert.Contains(t, o.Reason, "no whole segment")
	o = b.run(last.Add(30 * time.Minute))
	assert.Equal(t, calibration.Skipped, o.Outcome, "the gap must be longer than the segment gap")
	assert.Zero(t, b.generation())
	o = b.run(last.Add(30*time.Minute + time.Millisecond))
	assert.NotEqual(t, calibration.Skipped, o.Outcome)
}

func TestPendingSamplesAreLeftToTheNextRun(t *testing.T) {
	b := newBench(t, "cell-1")
	all := segments(simulated(t, 2))
	b.write(all[0])
	b.write(all[1][:50])
	o := b.run(all[1][49].time)
	d := b.diagnostics(o.Run)
	assert.Len(t, d.Segments, 1)
	assert.InDelta(t, 50, d.Telemetry.Pending, 3, "less blanks of the logger")
	b.write(all[1][50:])
	o = b.run(hourAfter(all[1][len(all[1])-1].time))
	d = b.diagnostics(o.Run)
	require.Len(t, d.Segments, 1)
	assert.Equal(t, 2, d.Segments[0].Index)
	assert.Equal(t, all[1][0].time, d.Segments[0].Start)
}

func TestAnEmptyWindowIsSkipped(t *testing.T) {
	b := newBench(t, "cell-1")
	o := b.run(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	assert.Equal(t, calibration.Skipped, o.Outcome)
	assert.Zero(t, b.generation())
}

func TestUnusableSamplesAreSkippedAndCounted(t *testing.T) {
	b := newBench(t, "cell-1")
	all := segments(simulated(t, 1))[0]
	b.write(all)
	spoil := func(i int, s telemetry.Sample) {
		s.Time = all[i].time
		_, err := b.historian.Write(t.Context(), []telemetry.Point{{Series: b.alias("voltage"), Sample: s}})
		require.NoError(t, err)
	}
	spoil(20, telemetry.Sample{Value: 9, Quality: telemetry.Bad})
	spoil(30, telemetry.Sample{Value: 9, Quality: telemetry.Bad})
	spoil(40, telemetry.Sample{Value: math.NaN(), Null: true, Quality: telemetry.Good})
	spoil(50, telemetry.Sample{Value: math.NaN(), Quality: telemetry.Good})
	spoil(60, telemetry.Sample{Value: math.Inf(1), Quality: telemetry.Uncertain})
	d := b.diagnostics(b.run(hourAfter(all[len(all)-1].time)).Run)
	assert.Equal(t, 2, d.Telemetry.Bad)
	assert.Equal(t, 1, d.Telemetry.Null)
	assert.Equal(t, 2, d.Telemetry.NonFinite)
	assert.Equal(t, calibration.Promoted, d.Decision.Outcome, d.Decision.Reason)
}

func TestLateSamplesAreCountedAndNotAssimilated(t *testing.T) {
	b := newBench(t, "cell-1")
	all := segments(simulated(t, 2))
	withheld := all[0][60:70]
	b.write(all[0][:60])
	b.write(all[0][70:])
	first := b.run(hourAfter(all[0][len(all[0])-1].time))
	watermark := b.champion().Watermark
	b.write(withheld)
	b.write(all[1])
	second := b.run(hourAfter(all[1][len(all[1])-1].time))
	d := b.diagnostics(second.Run)
	assert.InDelta(t, 30, d.Telemetry.Late, 3, "ten rows of three series, less blanks")
	assert.Equal(t, first.Run, d.Previous)
	require.Len(t, d.Segments, 1)
	assert.True(t, d.Segments[0].Start.After(watermark))
	assert.Equal(t, 2, d.Segments[0].Index)
}

func TestRewrittenSamplesAreNoticed(t *testing.T) {
	b := newBench(t, "cell-1")
	all := segments(simulated(t, 2))
	b.write(all[0])
	b.run(hourAfter(all[0][len(all[0])-1].time))
	changed := all[0][60]
	changed.voltage += 0.1
	b.write([]reading{changed})
	b.write(all[1])
	d := b.diagnostics(b.run(hourAfter(all[1][len(all[1])-1].time)).Run)
	assert.True(t, d.Telemetry.Rewritten)
	assert.Zero(t, d.Telemetry.Late)
}

func TestAFaultyWindowIsRejectedAndTheChampionStays(t *testing.T) {
	stuck := func(in []reading) {
		for i := range in[60:] {
			in[60+i].voltage = in[60].voltage
		}
	}
	zero := func(in []reading) {
		for i := range in[40:] {
			in[40+i].current = 0
		}
	}
	for name, fault := range map[string]func(in []reading){
		"a voltage that is stuck":           stuck,
		"a current that reads zero":         zero,
		"an offset of the voltage":          nil,
		"a voltage that is stuck at once":   func(in []reading) { stuckAt(in, 3.5) },
		"a voltage below the cut-off, only": func(in []reading) { stuckAt(in, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults []simulate.Fault
			if fault == nil {
				faults = []simulate.Fault{{Cell: 1, Cycle: 9, Offset: 0.1}}
			}
			b := newBench(t, "cell-1")
			all := segments(simulated(t, 10, faults...))
			var last calibration.Diagnostics
			for _, s := range all[:8] {
				runs := b.follow(s)
				last = runs[len(runs)-1]
			}
			before := b.champion()
			if fault != nil {
				fault(all[8])
			}
			b.write(all[8])
			o := b.run(hourAfter(all[8][len(all[8])-1].time))
			require.Equal(t, calibration.Rejected, o.Outcome, o.Reason)
			assert.Regexp(t, "not consistent with the model|no observation of the window|could not follow the window", o.Reason)
			c := b.champion()
			assert.Equal(t, before.Generation+1, c.Generation)
			assert.Equal(t, before.ParametersRun, c.ParametersRun)
			assert.Equal(t, o.Run, c.StateRun)
			assert.True(t, c.Watermark.After(before.Watermark))
			assert.Equal(t, calibration.Rejected, c.Decision.Outcome)

			// Parameters published after it are those of before, and the
			// capacity one discharge further on; the next sound window is
			// promoted.
			published, err := calibration.Publication(t.Context(), b.store, b.key)
			require.NoError(t, err)
			for _, p := range last.Predictions {
				switch {
				case p.Output == "resistance" && p.Quantile == 0.5:
					assert.InDelta(t, p.Value, published.Values["resistance_p50"], 1e-12)
				case p.Output == "capacity" && p.Quantile == 0.5:
					assert.InDelta(t, p.Value, published.Values["capacity_p50"], 0.02, "A.h; a discharge loses some 0.01")
				}
			}
			runs := b.follow(all[9])
			require.Len(t, runs, 1)
			assert.Equal(t, calibration.Promoted, runs[0].Decision.Outcome, runs[0].Decision.Reason)
			assert.Equal(t, 10, runs[0].Segments[0].Index)
		})
	}
}

func stuckAt(in []reading, v float64) {
	for i := range in {
		in[i].voltage = v
	}
}

// A challenger that is consistent but gains too little is rejected as not
// better; state and watermark advance all the same.
func TestAChallengerThatGainsTooLittleIsRejected(t *testing.T) {
	b, end := after(t, 3)
	before := b.champion()
	b.spec.Gates.MinScoreGain = 1e6
	o := b.run(end)
	require.Equal(t, calibration.Rejected, o.Outcome)
	assert.Contains(t, o.Reason, "not better")
	c := b.champion()
	assert.Equal(t, before.ParametersRun, c.ParametersRun)
	assert.True(t, c.Watermark.After(before.Watermark))
}

func TestTheFirstRunMayKeepThePrior(t *testing.T) {
	b := newBench(t, "cell-1")
	b.spec.Gates.MinScoreGain = math.MaxFloat64
	runs := b.follow(segments(simulated(t, 1))[0])
	require.Len(t, runs, 1)
	assert.Equal(t, calibration.Rejected, runs[0].Decision.Outcome)
	var p calibration.Posterior
	data, err := b.store.Artifact(t.Context(), b.key, runs[0].Run, calibration.PosteriorArtifact)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &p))
	assert.Equal(t, "capacity", p.Parameters[0].Name)
	assert.InDelta(t, 1.9, p.Parameters[0].P50, 1e-12, "the prior is in force")
}

func TestFormatsThatAreNotKnownAreRefused(t *testing.T) {
	b, end := after(t, 2)
	run := b.champion().StateRun
	state, err := b.store.Artifact(t.Context(), b.key, run, calibration.StateArtifact)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"another version": {func(b []byte) []byte { b[8] = 2; return b }, "has version 2, this program knows 1"},
		"a flipped bit":   {func(b []byte) []byte { b[len(b)-5] ^= 1; return b }, "does not match its checksum"},
		"truncated":       {func(b []byte) []byte { return b[:len(b)-1] }, "it is truncated"},
		"something else":  {func([]byte) []byte { return []byte("{}") }, "does not begin with LTWSTATE"},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := c.spoil([]byte(string(state)))
			require.NoError(t, b.store.PutArtifact(t.Context(), b.key, run, calibration.StateArtifact, spoilt))
			_, err := b.engine.Run(t.Context(), b.spec, b.asset, calibration.NewJob(b.key, b.generation(), end))
			require.ErrorIs(t, err, calibration.ErrPermanent)
			assert.ErrorContains(t, err, c.want)
		})
	}
	require.NoError(t, b.store.PutArtifact(t.Context(), b.key, run, calibration.StateArtifact, state))
	champion, revision, err := b.store.Champion(t.Context(), b.key)
	require.NoError(t, err)
	champion.Version = 7
	_, err = b.store.SwapChampion(t.Context(), b.key, champion, revision)
	require.NoError(t, err)
	_, err = b.engine.Run(t.Context(), b.spec, b.asset, calibration.NewJob(b.key, b.generation(), end))
	require.ErrorIs(t, err, calibration.ErrPermanent)
	assert.ErrorContains(t, err, "champion.json of cell-1/cell-health has version 7")
}

func TestAStateThatIsGoneIsAPermanentError(t *testing.T) {
	b, end := after(t, 2)
	empty := new(calibrationmem.Store)
	_, err := empty.SwapChampion(t.Context(), b.key, b.champion(), "")
	require.NoError(t, err)
	b.store, b.engine.Store = empty, empty
	_, err = b.engine.Run(t.Context(), b.spec, b.asset, calibration.NewJob(b.key, b.generation(), end))
	require.ErrorIs(t, err, calibration.ErrPermanent)
	assert.ErrorContains(t, err, "champion.json names it")
}

func TestAJobThatContradictsItselfIsRefused(t *testing.T) {
	b := newBench(t, "cell-1")
	job := calibration.NewJob(b.key, 0, time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	job.Generation = 3
	_, err := b.engine.Run(t.Context(), b.spec, b.asset, job)
	require.ErrorIs(t, err, calibration.ErrPermanent)
	require.ErrorContains(t, err, "plan it again")

	job = calibration.NewJob(calibration.Key{Asset: "cell-2", Calibration: "cell-health"}, 0, job.WindowEnd)
	_, err = b.engine.Run(t.Context(), b.spec, b.asset, job)
	require.ErrorIs(t, err, calibration.ErrPermanent)
}

func TestRunIDs(t *testing.T) {
	key := calibration.Key{Asset: "a", Calibration: "b"}
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	id := calibration.NewRunID(key, 3, at)
	assert.Regexp(t, "^[0-9a-f]{16}$", string(id))
	assert.Equal(t, id, calibration.NewRunID(key, 3, at.In(time.FixedZone("x", 3600))), "an instant is one whatever its zone")
	assert.NotEqual(t, id, calibration.NewRunID(key, 4, at))
	assert.NotEqual(t, id, calibration.NewRunID(key, 3, at.Add(1)))
	assert.NotEqual(t, calibration.NewRunID(calibration.Key{Asset: "a b", Calibration: "c"}, 3, at),
		calibration.NewRunID(calibration.Key{Asset: "a", Calibration: "b c"}, 3, at))
}
