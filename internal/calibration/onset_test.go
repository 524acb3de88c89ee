package calibration_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/simulate"
)

// forecastOf returns the forecast of the capacity of a run's only segment.
func forecastOf(t *testing.T, d calibration.Diagnostics) calibration.Forecast {
	t.Helper()
	require.Len(t, d.Segments, 1)
	require.Len(t, d.Segments[0].Forecasts, 1, d.Decision.Reason)
	return d.Segments[0].Forecasts[0]
}

// firstLoaded is the first reading under load.
func firstLoaded(in []reading) int {
	for i, r := range in {
		if r.current < -0.1 {
			return i
		}
	}
	return len(in)
}

// What is forecast of a discharge at its onset does not depend on anything that
// comes after the last reading at rest, to the bit; and the voltage forecast over
// it depends on the measured current only.
func TestAForecastAtTheOnsetKnowsNothingOfTheLoad(t *testing.T) {
	sources := map[string]func() []reading{
		"simulated": func() []reading { return simulated(t, 5) },
		"B0031":     func() []reading { return nasaCell(t, "B0031") },
	}
	spoil := map[string]func(i int, r *reading){
		"nothing":     func(int, *reading) {},
		"temperature": func(i int, r *reading) { r.temperature = 20 + float64(i%40) },
		"voltage":     func(_ int, r *reading) { r.voltage += 0.05 },
		"current":     func(i int, r *reading) { r.current *= 1 + 0.2*math.Sin(float64(i)) },
		"all": func(i int, r *reading) {
			r.voltage, r.current, r.temperature = math.Max(2.5, 4-0.01*float64(i)), 0.7*r.current-0.3, 10
		},
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := segments(source())[:5]
			var want calibration.Forecast
			trajectories := map[string]float64{}
			for _, how := range []string{"nothing", "temperature", "voltage", "current", "all"} {
				b := newBench(t, "cell-1")
				for _, s := range all[:4] {
					b.follow(s)
				}
				last := append([]reading(nil), all[4]...)
				for i := firstLoaded(last); i < len(last); i++ {
					spoil[how](i, &last[i])
				}
				b.write(last)
				b.run(hourAfter(last[len(last)-1].time))
				d := b.diagnostics(b.champion().StateRun)
				got := forecastOf(t, d)
				if how == "nothing" {
					want = got
					require.NotNil(t, want.Onset)
				}
				assert.Equal(t, want.Onset, got.Onset, how)
				assert.Equal(t, want.Ahead, got.Ahead, how)
				for _, tr := range d.Segments[0].Trajectories {
					trajectories[how] = tr.SSE
				}
			}
			assert.InDelta(t, trajectories["nothing"], trajectories["temperature"], 0, "the forecast voltage uses no temperature under load")
			assert.NotEqual(t, trajectories["nothing"], trajectories["current"], "it runs on the measured current")
		})
	}
}

// A recording that starts with the load has no rest: it is forecast all the
// same, and less sharply.
func TestARecordingWithoutRest(t *testing.T) {
	all := segments(simulated(t, 24))
	cut := func(in []reading) []reading { return in[firstLoaded(in):] }
	last := all[len(all)-1]

	var widths []float64
	for _, in := range [][]reading{last, cut(last)} {
		b := newBench(t, "cell-1")
		for _, s := range all[:len(all)-1] {
			b.follow(s)
		}
		f := forecastOf(t, b.follow(in)[0])
		require.NotNil(t, f.Measured)
		require.NotNil(t, f.Onset)
		assert.InDelta(t, *f.Measured, f.Onset.P50, 0.02, "A.h")
		widths = append(widths, f.Onset.P95-f.Onset.P05)
	}
	assert.Greater(t, widths[1], widths[0], "A.h")

	// One that never saw a rest follows its cell as well.
	b := newBench(t, "cell-1")
	var runs []calibration.Diagnostics
	for _, s := range all {
		runs = append(runs, b.follow(cut(s))...)
	}
	c := capacityCard(runs)
	t.Logf("never a rest: %+v", c)
	require.Equal(t, 19, c.Segments)
	assert.LessOrEqual(t, c.RMSE, 0.011, "A.h")
	assert.LessOrEqual(t, c.Width90, 0.045, "A.h")
	assert.GreaterOrEqual(t, c.Coverage90, 0.8)
}

// A voltage sensor that is off during one discharge, as its rest shows, does not
// throw the forecast; the discharges after it are forecast as if nothing had
// been. One that stays off is believed after a while.
func TestAnImplausibleRestVoltage(t *testing.T) {
	const fault = 16
	right := segments(simulated(t, 24))
	wrong := segments(simulated(t, 24, simulate.Fault{Cell: 1, Cycle: fault, Offset: -0.08}))
	all := append([][]reading(nil), right...)
	all[fault-1] = wrong[fault-1]
	follow := func(all [][]reading) (forecasts []calibration.Forecast, card float64) {
		b := newBench(t, "cell-1")
		var runs []calibration.Diagnostics
		for _, s := range all {
			runs = append(runs, b.follow(s)...)
		}
		for _, r := range runs {
			forecasts = append(forecasts, forecastOf(t, r))
		}
		return forecasts, capacityCard(runs).RMSE
	}
	sound, _ := follow(right)
	faulty, rmse := follow(all)
	assert.LessOrEqual(t, rmse, 0.011, "A.h")
	width := func(f calibration.Forecast) float64 { return f.Onset.P95 - f.Onset.P05 }
	at := faulty[fault-1]
	assert.Greater(t, width(at), 2*width(sound[fault-1]))
	assert.InDelta(t, *at.Measured, at.Onset.P50, 0.03, "A.h; taken for what it says, 80 mV are 0.14")
	for k := fault; k < len(sound); k++ {
		assert.InDelta(t, sound[k].Onset.P50, faulty[k].Onset.P50, 0.012, "discharge %d", k+1)
		assert.Less(t, width(faulty[k]), 1.6*width(sound[k]), "discharge %d", k+1)
	}

	faults := make([]simulate.Fault, 0, 9)
	for k := fault; k <= 24; k++ {
		faults = append(faults, simulate.Fault{Cell: 1, Cycle: k, Offset: -0.03})
	}
	lasting, _ := follow(segments(simulated(t, 24, faults...)))
	end := lasting[len(lasting)-1]
	require.NotNil(t, end.Measured)
	assert.InDelta(t, *end.Measured, end.Onset.P50, 0.03, "A.h")
}
