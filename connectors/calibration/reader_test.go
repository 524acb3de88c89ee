package main

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/dataconnector"
	"github.com/livetwin/livetwin/internal/dataconnector/dataconnectortest"
	"github.com/livetwin/livetwin/internal/golden"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/runindex/runindexmem"
)

var base = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

var health = dataconnector.PropertyRef{
	WorkspaceID: "battery-storage-local", EntityID: "cell-1", ComponentName: "cell-health", PropertyName: "state_of_health_p50",
	Attributes: map[string]dataconnector.Value{"asset": dataconnector.String("cell-1"), "calibration": dataconnector.String("cell-health")},
}

var lowHealth = dataconnector.PropertyRef{
	WorkspaceID: "battery-storage-local", EntityID: "cell-1", ComponentName: "low-health", PropertyName: "alarm_status",
	Attributes: map[string]dataconnector.Value{"alarm_key": dataconnector.String("cell-1#low-health")},
}

func run(hour int, generation int64, id string, soh float64) runindex.Run {
	end := base.Add(time.Duration(hour) * time.Hour)
	return runindex.Run{
		Asset: "cell-1", Calibration: "cell-health", ID: id, Generation: generation, WindowEnd: end, Watermark: end.Add(-time.Minute),
		Outcome: "promoted", Reason: "better",
		Values: map[string]float64{
			"state_of_health_p05": soh - 0.01, "state_of_health_p50": soh, "state_of_health_p95": soh + 0.01, "nis": 1.125, "log_score": 2.5,
		},
	}
}

// index holds four runs, of which two end at the same instant, and an alarm.
func index(t *testing.T) *runindexmem.Index {
	t.Helper()
	x := new(runindexmem.Index)
	withheld := run(2, 4, "e0", 0)
	withheld.Outcome, withheld.Values = "rolled-back", map[string]float64{"nis": 1}
	for _, r := range []runindex.Run{
		run(0, 1, "d0", 0.95), run(1, 2, "a9", 0.94), run(1, 3, "a1", 0.93), withheld, run(3, 5, "b2", 0.79),
	} {
		require.NoError(t, x.PutRun(t.Context(), r))
	}
	other := run(0, 1, "ff", 0.5)
	other.Asset = "cell-2"
	require.NoError(t, x.PutRun(t.Context(), other))
	for i, state := range []runindex.State{runindex.Normal, runindex.Active, runindex.Acknowledged, runindex.Normal} {
		require.NoError(t, x.PutAlarm(t.Context(), runindex.AlarmState{
			Asset: "cell-1", Alarm: "low-health", Time: base.Add(time.Duration(i) * time.Hour), State: state, Value: 0.8,
		}))
	}
	return x
}

func at(hour int, v dataconnector.Value) dataconnector.Sample {
	return dataconnector.Sample{Time: base.Add(time.Duration(hour) * time.Hour), Value: v}
}

func TestReader(t *testing.T) {
	r := &reader{index: index(t)}
	t.Run("a prediction", func(t *testing.T) {
		dataconnectortest.TestReader(t, r, health, []dataconnector.Sample{
			at(0, dataconnector.Double(0.95)), at(1, dataconnector.Double(0.93)), at(3, dataconnector.Double(0.79)),
		})
	})
	t.Run("a metric of the run", func(t *testing.T) {
		nis := health
		nis.PropertyName = "nis"
		dataconnectortest.TestReader(t, r, nis, []dataconnector.Sample{
			at(0, dataconnector.Double(1.125)), at(1, dataconnector.Double(1.125)), at(2, dataconnector.Double(1)), at(3, dataconnector.Double(1.125)),
		})
	})
	t.Run("an alarm", func(t *testing.T) {
		dataconnectortest.TestReader(t, r, lowHealth, []dataconnector.Sample{
			at(0, dataconnector.String("NORMAL")), at(1, dataconnector.String("ACTIVE")),
			at(2, dataconnector.String("ACKNOWLEDGED")), at(3, dataconnector.String("NORMAL")),
		})
	})
}

func TestReaderSaysWhatIsMissing(t *testing.T) {
	r := &reader{index: index(t)}
	broken := map[string]struct {
		property dataconnector.PropertyRef
		says     string
	}{
		"no attributes":        {dataconnector.PropertyRef{EntityID: "cell-1", ComponentName: "x", PropertyName: "nis"}, "component x of entity cell-1"},
		"a broken alarm key":   {with(lowHealth, "alarm_key", dataconnector.String("low-health")), "{asset}#{alarm}"},
		"a number for a name":  {with(health, "asset", dataconnector.Double(1)), "as strings"},
		"no such alarm series": {dataconnector.PropertyRef{PropertyName: "nis", Attributes: lowHealth.Attributes}, "alarm_status"},
	}
	for name, c := range broken {
		t.Run(name, func(t *testing.T) {
			var errs []error
			for _, err := range r.Samples(t.Context(), c.property, base, base.Add(time.Hour)) {
				errs = append(errs, err)
			}
			require.Len(t, errs, 1)
			assert.ErrorContains(t, errs[0], c.says)
		})
	}
}

func with(p dataconnector.PropertyRef, name string, v dataconnector.Value) dataconnector.PropertyRef {
	p.Attributes = maps.Clone(p.Attributes)
	p.Attributes[name] = v
	return p
}

var errDown = errors.New("table is down")

// dying yields one run and then an error.
type dying struct{ *runindexmem.Index }

func (dying) Runs(context.Context, string, string, time.Time, time.Time, runindex.Order) iter.Seq2[runindex.Run, error] {
	return func(yield func(runindex.Run, error) bool) {
		if yield(run(0, 1, "d0", 0.9), nil) {
			yield(runindex.Run{}, errDown)
		}
	}
}

// A source that dies after the first row yields an error, not a short page.
func TestASourceThatDies(t *testing.T) {
	handler := dataconnector.NewHandler(&reader{index: dying{}}, slog.New(slog.DiscardHandler))
	request := dataconnectortest.Request(health)
	request.StartTime, request.EndTime = "1899-12-31T00:00:00Z", "2026-01-03T00:00:00Z"
	_, err := handler.Handle(t.Context(), request)
	require.ErrorIs(t, err, errDown)
}

// TestEvents feeds recorded requests of TwinMaker through the Lambda handler.
func TestEvents(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	handler := lambda.NewHandler(dataconnector.NewHandler(&reader{index: index(t)}, slog.New(slog.DiscardHandler)))
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.json")
		t.Run(name, func(t *testing.T) {
			event, err := os.ReadFile(input)
			require.NoError(t, err)
			answer, err := handler.Invoke(t.Context(), event)
			if err != nil {
				golden.Text(t, "testdata/"+name+".golden.txt", err.Error()+"\n")
				return
			}
			golden.JSON(t, "testdata/"+name+".golden.json", answer)
		})
	}
}
