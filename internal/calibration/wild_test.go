package calibration_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
)

// Values that no sensor means, though they are finite and of good quality,
// neither stop a calibration nor get into its parameters.
func TestWildValuesAreRejected(t *testing.T) {
	all := segments(simulated(t, 4))
	for _, wild := range []float64{1e300, -273.15, 0} {
		for channel, of := range map[string]func(r *reading) *float64{
			"voltage":     func(r *reading) *float64 { return &r.voltage },
			"current":     func(r *reading) *float64 { return &r.current },
			"temperature": func(r *reading) *float64 { return &r.temperature },
		} {
			t.Run(fmt.Sprintf("%s of %g", channel, wild), func(t *testing.T) {
				t.Parallel()
				for name, rows := range map[string][2]int{"all": {0, 1000}, "at rest": {0, 2}, "under load": {30, 33}} {
					b := newBench(t, "cell-1")
					b.follow(all[0])
					b.follow(all[1])
					before := b.champion()
					spoilt := append([]reading(nil), all[2]...)
					for i := range spoilt {
						if i >= rows[0] && i < rows[1] {
							*of(&spoilt[i]) = wild
						}
					}
					b.write(spoilt)
					o := b.run(hourAfter(spoilt[len(spoilt)-1].time))
					if o.Outcome == calibration.Rejected {
						assert.Equal(t, before.ParametersRun, b.champion().ParametersRun, name)
					}
					runs := b.follow(all[3])
					require.Len(t, runs, 1, name)
					assert.True(t, runs[0].Watermark.After(before.Watermark), name)
					for _, p := range runs[0].Predictions {
						if p.Output == "capacity" {
							assert.InDelta(t, 1.85, p.Value, 0.3, "%s: %s", name, runs[0].Decision.Reason)
						}
					}
				}
			})
		}
	}
}
