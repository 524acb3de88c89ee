package simulate_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/simulate"
)

var start = time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC) // a Wednesday

func run(t *testing.T, c simulate.Config) []simulate.Discharge {
	t.Helper()
	var all []simulate.Discharge
	require.NoError(t, simulate.Run(c, func(d simulate.Discharge) error {
		all = append(all, d)
		return nil
	}))
	return all
}

// The charge drawn until the cut-off, integrated from what the logger wrote by
// the trapezoidal rule, is the measured capacity: charge is conserved. The
// tolerance is the charge of one sample, which is what the logger cannot see.
func TestCapacityIsTheChargeDrawn(t *testing.T) {
	for _, d := range run(t, simulate.Config{Cells: 2, Cycles: 12, Seed: 3, Start: start}) {
		var charge float64 // A.h
		var last *simulate.Reading
		for _, r := range d.Readings {
			if !usable(r.Current) || !usable(r.Voltage) {
				continue
			}
			if last != nil {
				charge -= (r.Current.Value + last.Current.Value) / 2 * r.Time.Sub(last.Time).Hours()
			}
			if r.Voltage.Value < simulate.Cutoff && r.Current.Value < -1 {
				break
			}
			last = &r
		}
		assert.InDelta(t, d.Capacity, charge, 2*4.02*10/3600, "cell %d cycle %d", d.Cell, d.Cycle)
	}
}

func usable(f simulate.Field) bool { return !f.Blank && !math.IsNaN(f.Value) }

func TestCellsAgeAndRestRecovers(t *testing.T) {
	all := run(t, simulate.Config{Cells: 3, Cycles: 40, Seed: 1, Start: start})
	require.Len(t, all, 120)
	recovered := 0
	for i, d := range all {
		first := all[(d.Cell-1)*40]
		if d.Cycle > 20 {
			assert.Less(t, d.Capacity, first.Capacity, "cell %d cycle %d", d.Cell, d.Cycle)
		}
		if d.Cycle > 1 && d.Start.Sub(all[i-1].Start) > 48*time.Hour && d.Capacity > all[i-1].Capacity {
			recovered++
		}
	}
	assert.Positive(t, recovered, "no weekend brought capacity back")
	assert.NotEqual(t, all[39].Capacity, all[79].Capacity)
}

// A cell must not come closer to its steady temperature than its cooling
// allows: the rise stays below the power it turns into heat over k.
func TestTemperatureStaysBelowItsSteadyState(t *testing.T) {
	for _, d := range run(t, simulate.Config{Cells: 1, Cycles: 3, Seed: 9, Start: start}) {
		for _, r := range d.Readings {
			if usable(r.Temperature) {
				assert.Greater(t, r.Temperature.Value, d.Ambient-1)
				// At most 4.02 A times 1.5 V of overpotential (at the very end) over 0.072 W/K.
				assert.Less(t, r.Temperature.Value, d.Ambient+4.02*1.5/0.072)
			}
		}
	}
}

func TestEveryCellAndCycleHasItsOwnRandomNumbers(t *testing.T) {
	small := run(t, simulate.Config{Cells: 1, Cycles: 6, Seed: 5, Start: start})
	large := run(t, simulate.Config{Cells: 2, Cycles: 9, Seed: 5, Start: start})
	assert.Equal(t, text(small), text(large[:6]))
	other := run(t, simulate.Config{Cells: 1, Cycles: 6, Seed: 6, Start: start})
	assert.NotEqual(t, small[0].Capacity, other[0].Capacity)
}

// text makes discharges comparable: NaN differs from itself.
func text(all []simulate.Discharge) []float64 {
	var v []float64
	for _, d := range all {
		v = append(v, d.Capacity, float64(d.Start.UnixMilli()))
		for _, r := range d.Readings {
			for _, f := range []simulate.Field{r.Voltage, r.Current, r.Temperature} {
				if usable(f) {
					v = append(v, f.Value, float64(r.Time.UnixMilli()))
				}
			}
		}
	}
	return v
}

func TestAFaultShiftsOneDischargeOfOneSensor(t *testing.T) {
	healthy := run(t, simulate.Config{Cells: 2, Cycles: 3, Seed: 5, Start: start})
	faulty := run(t, simulate.Config{
		Cells: 2, Cycles: 3, Seed: 5, Start: start,
		Faults: []simulate.Fault{{Cell: 2, Cycle: 2, Offset: -0.125}},
	})
	for i := range healthy {
		want := 0.0
		if healthy[i].Cell == 2 && healthy[i].Cycle == 2 {
			want = -0.125
		}
		assert.Equal(t, healthy[i].Capacity, faulty[i].Capacity) //nolint:testifylint // the same arithmetic gives the same bits
		for j, r := range faulty[i].Readings {
			if usable(r.Voltage) {
				assert.InDelta(t, healthy[i].Readings[j].Voltage.Value+want, r.Voltage.Value, 1e-9)
			}
		}
	}
}

func TestWriteFilesRepeatsItselfAndOverwritesNothing(t *testing.T) {
	c := simulate.Config{Cells: 2, Cycles: 4, Seed: 7, Start: start}
	a, b := t.TempDir(), t.TempDir()
	s, err := simulate.WriteFiles(c, a, false)
	require.NoError(t, err)
	_, err = simulate.WriteFiles(c, b, false)
	require.NoError(t, err)
	require.Len(t, s.Files, 3)
	for _, path := range s.Files {
		x, err := os.ReadFile(path)
		require.NoError(t, err)
		y, err := os.ReadFile(filepath.Join(b, filepath.Base(path)))
		require.NoError(t, err)
		assert.Equal(t, string(x), string(y))
	}
	_, err = simulate.WriteFiles(c, a, false)
	require.ErrorContains(t, err, "--force")
	_, err = simulate.WriteFiles(c, a, true)
	require.NoError(t, err)
}

func TestConfigErrorsNameTheField(t *testing.T) {
	err := simulate.Config{
		Cells: 0, Cycles: 2000,
		Faults: []simulate.Fault{{Cell: 4, Cycle: 1}},
	}.Validate()
	for _, want := range []string{"cells is 0", "cycles is 2000", "start is missing", "fault of cell 4"} {
		require.ErrorContains(t, err, want)
	}
}
