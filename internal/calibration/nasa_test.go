package calibration_test

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/scorecard"
	"github.com/livetwin/livetwin/internal/plant/cell"
)

// nasa is the folder of the NASA data, relative to this package.
var nasa = filepath.Join("..", "..", "..", "shared", "data", "nasa-battery")

// nasaCell reads a cell's telemetry; it skips the test where the data is absent.
func nasaCell(t testing.TB, cell string) []reading {
	t.Helper()
	f, err := os.Open(filepath.Join(nasa, cell+".csv"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NASA's telemetry is not at %s", nasa)
	}
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	out := make([]reading, 0, len(rows))
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339Nano, row[0])
		require.NoError(t, err)
		r := reading{time: at}
		for i, v := range []*float64{&r.voltage, &r.current, &r.temperature} {
			*v, err = strconv.ParseFloat(row[2+i], 64)
			require.NoError(t, err)
		}
		out = append(out, r)
	}
	return out
}

// capacityCard is the scorecard of a cell.
func capacityCard(runs []calibration.Diagnostics) scorecard.Card {
	return scorecard.Of(runs, scorecard.Selection{
		Quantity: cell.Capacity, Trajectory: cell.Voltage, Persistence: cell.Persistence, Frozen: cell.Frozen,
	})
}

// The floors are those the project sets itself for these cells; the same
// stated priors hold for all three.
func TestNASA(t *testing.T) {
	for _, name := range []string{"B0029", "B0030", "B0031"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, name)
			runs := b.follow(nasaCell(t, name))
			c := capacityCard(runs)
			t.Logf("%+v", c)
			assert.Len(t, runs, 40)
			assert.Equal(t, 35, c.Segments)
			assert.LessOrEqual(t, c.RMSE, 0.011, "A.h")
			assert.LessOrEqual(t, c.RMSE, 0.75*c.PersistenceRMSE)
			assert.GreaterOrEqual(t, c.Coverage90, 0.80)
			assert.LessOrEqual(t, c.Coverage90, 0.98)
			assert.LessOrEqual(t, c.Width90, 0.045, "A.h")
			assert.LessOrEqual(t, c.TrajectoryRMSE, 0.013, "V")
			assert.LessOrEqual(t, c.TrajectoryRMSE, 0.7*c.BaselineRMSE)
		})
	}
}

// The floors hold as well when telemetry is not quite what it is: a twentieth
// of the rows lost, noisier sensors, or a start at the second discharge.
func TestNASAPerturbed(t *testing.T) {
	perturbations := map[string]func(rng *rand.Rand, in []reading) []reading{
		"rows lost": func(rng *rand.Rand, in []reading) (out []reading) {
			for _, r := range in {
				if rng.Float64() > 0.05 {
					out = append(out, r)
				}
			}
			return out
		},
		"noise": func(rng *rand.Rand, in []reading) (out []reading) {
			for _, r := range in {
				r.voltage += 0.002 * rng.NormFloat64()
				r.current += 0.01 * rng.NormFloat64()
				out = append(out, r)
			}
			return out
		},
		"from the second": func(_ *rand.Rand, in []reading) []reading { return in[len(segments(in)[0]):] },
	}
	for name, perturb := range perturbations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "B0030")
			c := capacityCard(b.follow(perturb(rand.New(rand.NewPCG(1, 2)), nasaCell(t, "B0030"))))
			t.Logf("%+v", c)
			assert.LessOrEqual(t, c.RMSE, 0.011, "A.h")
			assert.LessOrEqual(t, c.RMSE, 0.75*c.PersistenceRMSE)
			assert.GreaterOrEqual(t, c.Coverage90, 0.80)
			assert.LessOrEqual(t, c.Width90, 0.045, "A.h")
			assert.LessOrEqual(t, c.TrajectoryRMSE, 0.013, "V")
			assert.LessOrEqual(t, c.TrajectoryRMSE, 0.7*c.BaselineRMSE)
		})
	}
}
