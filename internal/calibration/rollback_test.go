package calibration_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrationmem"
)

func (b *bench) rollback(generation int64, writeID string) (calibration.Champion, error) {
	return calibration.Rollback(b.t.Context(), b.store, b.key, generation, writeID)
}

func TestRollbackRestoresParametersUnderANewGeneration(t *testing.T) {
	b := newBench(t, "cell-1")
	all := segments(simulated(t, 5))
	var runs []calibration.Diagnostics
	for _, s := range all[:4] {
		runs = append(runs, b.follow(s)...)
	}
	before := b.champion()
	require.Equal(t, int64(4), before.Generation)

	c, err := b.rollback(2, "operator-1")
	require.NoError(t, err)
	assert.Equal(t, int64(5), c.Generation)
	assert.Equal(t, runs[1].Run, c.ParametersRun)
	assert.Equal(t, before.StateRun, c.StateRun)
	assert.Equal(t, before.Watermark, c.Watermark, "no sample is assimilated twice")
	assert.Equal(t, calibration.RolledBack, c.Decision.Outcome)
	assert.Equal(t, int64(2), c.Decision.From)
	assert.Equal(t, c, b.champion())

	again, err := b.rollback(2, "operator-1")
	require.NoError(t, err, "a retry with the same write id")
	assert.Equal(t, c, again)

	// The next run starts from the restored parameters.
	b.write(all[4])
	o := b.run(hourAfter(all[4][len(all[4])-1].time))
	assert.Equal(t, calibration.Promoted, o.Outcome, o.Reason)
	d := b.diagnostics(o.Run)
	assert.Equal(t, &c, d.Champion)
	assert.Equal(t, 5, d.Segments[0].Index)
}

func TestRollbackWithoutAGenerationGoesFurtherBackEachTime(t *testing.T) {
	b := newBench(t, "cell-1")
	var runs []calibration.Diagnostics
	for _, s := range segments(simulated(t, 4)) {
		runs = append(runs, b.follow(s)...)
	}
	require.Len(t, runs, 4)
	for back, want := range []calibration.RunID{runs[2].Run, runs[1].Run, runs[0].Run} {
		c, err := b.rollback(0, "")
		require.NoError(t, err, back)
		assert.Equal(t, want, c.ParametersRun)
		assert.Equal(t, int64(5+back), c.Generation)
	}
	_, err := b.rollback(0, "")
	require.ErrorIs(t, err, calibration.ErrPermanent)
	require.ErrorContains(t, err, "no older parameters")

	// And forward again, to what was rolled back.
	c, err := b.rollback(4, "")
	require.NoError(t, err)
	assert.Equal(t, runs[3].Run, c.ParametersRun)
}

func TestRollbackRefuses(t *testing.T) {
	b := newBench(t, "cell-1")
	_, err := b.rollback(0, "")
	require.ErrorIs(t, err, calibration.ErrNotFound)
	b.follow(segments(simulated(t, 1))[0])
	_, err = b.rollback(9, "")
	require.ErrorIs(t, err, calibration.ErrPermanent)
	require.ErrorContains(t, err, "no generation 9")
	_, err = b.rollback(1, "")
	require.ErrorIs(t, err, calibration.ErrPermanent)
	assert.ErrorContains(t, err, "in force already")
}

func TestHistoryFollowsChampionsAcrossARollback(t *testing.T) {
	b := newBench(t, "cell-1")
	all := segments(simulated(t, 4))
	for _, s := range all[:3] {
		b.follow(s)
	}
	_, err := b.rollback(1, "")
	require.NoError(t, err)
	b.follow(all[3])
	var generations []int64
	var outcomes []calibration.Result
	require.NoError(t, calibration.History(t.Context(), b.store, b.key, func(c calibration.Champion) bool {
		generations = append(generations, c.Generation)
		outcomes = append(outcomes, c.Decision.Outcome)
		return true
	}))
	assert.Equal(t, []int64{5, 4, 3, 2, 1}, generations)
	assert.Equal(t, calibration.RolledBack, outcomes[1])
}

func TestPublicationIsDerivedFromTheChampion(t *testing.T) {
	b := newBench(t, "cell-1")
	_, err := calibration.Publication(t.Context(), b.store, b.key)
	require.ErrorIs(t, err, calibration.ErrNotFound)

	all := segments(simulated(t, 7))
	for _, s := range all {
		b.follow(s)
	}
	p, err := calibration.Publication(t.Context(), b.store, b.key)
	require.NoError(t, err)
	again, err := calibration.Publication(t.Context(), b.store, b.key)
	require.NoError(t, err)
	assert.Equal(t, p, again)
	c := b.champion()
	assert.Equal(t, c.WindowEnd, p.WindowEnd)
	assert.Equal(t, c.StateRun, p.Run)
	assert.Equal(t, calibration.Promoted, p.Outcome)
	for _, output := range b.spec.Outputs {
		low, mid, high := p.Values[output.Name+"_p05"], p.Values[output.Name+"_p50"], p.Values[output.Name+"_p95"]
		assert.Positive(t, low, output.Name)
		assert.LessOrEqual(t, low, mid, output.Name)
		assert.LessOrEqual(t, mid, high, output.Name)
	}
	for _, metric := range []string{"log_score", "nis", "coverage90", "gain", "samples", "late"} {
		assert.Contains(t, p.Values, metric)
	}
	// The simulated cells begin near 1.9 A.h, and the voltage falls as the
	// discharge goes on.
	assert.InDelta(t, 1.85, p.Values["next_capacity_p50"], 0.1)
	assert.InDelta(t, p.Values["capacity_p50"]/2, p.Values["state_of_health_p50"], 1e-9)
	assert.Greater(t, p.Values["voltage_5min_p50"], p.Values["voltage_15min_p50"])
	assert.Greater(t, p.Values["voltage_15min_p50"], p.Values["voltage_25min_p50"])

	_, err = b.rollback(0, "")
	require.NoError(t, err)
	p, err = calibration.Publication(t.Context(), b.store, b.key)
	require.NoError(t, err)
	assert.Equal(t, calibration.RolledBack, p.Outcome)
	assert.NotContains(t, p.Values, "capacity_p50", "predictions with the parameters that were rolled back are withheld")
	assert.Contains(t, p.Values, "log_score")
}

func TestDiagnosticsOfAnotherVersionAreRefused(t *testing.T) {
	s := new(calibrationmem.Store)
	key := calibration.Key{Asset: "a", Calibration: "c"}
	require.NoError(t, s.PutArtifact(t.Context(), key, "r", calibration.DiagnosticsArtifact, []byte(`{"version":2}`)))
	_, err := calibration.ReadDiagnostics(t.Context(), s, key, "r")
	require.ErrorIs(t, err, calibration.ErrPermanent)
	assert.ErrorContains(t, err, "has version 2, this program knows 1")
}

func TestQuantileNames(t *testing.T) {
	for q, want := range map[float64]string{0.05: "x_p05", 0.5: "x_p50", 0.95: "x_p95", 0.1: "x_p10", 0.025: "x_p02.5", 0.975: "x_p97.5", 0.001: "x_p00.1"} {
		assert.Equal(t, want, calibration.QuantileName("x", q))
	}
}
