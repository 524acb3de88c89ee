package system

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/events"
	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/simulate"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/test/walk"
)

// The cycle in which the second cell's voltage sensor is off, and how many
// cycles there are.
const (
	cycles     = 9
	faultCycle = 7
)

// TestLoop lets the deployed schedule follow a short telemetry, and then tries
// on the same plant what must hold of it. The parts depend on the ones before.
func TestLoop(t *testing.T) {
	p := deploy(t, monday.Add(-30*time.Minute))
	recording := p.simulated(cycles, simulate.Fault{Cell: 2, Cycle: faultCycle, Offset: -0.08})
	res := p.feed(recording)
	p.until(res.Last.Truncate(time.Hour).Add(2*time.Hour + time.Minute))

	for _, part := range []struct {
		name string
		do   func(t *testing.T, p *plant)
	}{
		{"EveryCycleIsAssimilatedOnce", everyCycleOnce},
		{"EveryExecutionSucceededWithOneJobOnSpot", spotOnly},
		{"UnusableSamplesAreCounted", unusableSamplesAreCounted},
		{"AWorseChallengerIsRejected", worseChallengerIsRejected},
		{"TheTwinTracksTheCell", tracksTheCell},
		{"TwinMakerAnswers", twinMakerAnswers},
		{"Status", status},
		{"TheSameWindowTwice", sameWindowTwice},
		{"AnEventStartsARecalibration", eventStarts},
		{"LateSamplesAreCounted", lateSamples},
		{"Rollback", rollback},
		{"NewSamplesAfterARollback", afterRollback},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			q := *p
			q.t = t
			part.do(t, &q)
		}) {
			t.Fatalf("%s failed: the parts after it build on it", part.name)
		}
	}
}

var assets = []string{"cell-1", "cell-2", "cell-3"}

// history returns the diagnostics of all runs of an asset, the oldest first.
func (p *plant) history(asset string) []calibration.Diagnostics {
	p.t.Helper()
	var all []calibration.Diagnostics
	for run := p.champion(asset).StateRun; run != ""; {
		d, err := calibration.ReadDiagnostics(p.t.Context(), p.store, key(asset), run)
		require.NoError(p.t, err)
		all = append([]calibration.Diagnostics{d}, all...)
		run = d.Previous
	}
	return all
}

func everyCycleOnce(t *testing.T, p *plant) {
	for _, asset := range assets {
		var indices []int
		var previous time.Time
		for _, d := range p.history(asset) {
			for _, s := range d.Segments {
				indices = append(indices, s.Index)
				assert.True(t, s.Start.After(previous), "%s: segment %d begins before the one before it ended", asset, s.Index)
				previous = s.End
			}
		}
		want := make([]int, cycles)
		for i := range want {
			want[i] = i + 1
		}
		assert.Equal(t, want, indices, asset)
	}
}

// The simulated logger leaves fields blank and writes NaN; what SiteWise got
// as BAD is what the runs counted.
func unusableSamplesAreCounted(t *testing.T, p *plant) {
	for _, asset := range assets {
		counted, bad := 0, 0
		history := p.history(asset)
		for _, d := range history {
			counted += d.Telemetry.Bad + d.Telemetry.NonFinite + d.Telemetry.Null
		}
		for _, property := range []string{"voltage", "current", "temperature"} {
			series := telemetry.AliasOf(twinName, asset, property)
			for s, err := range p.historian().Samples(t.Context(), series, monday.Add(-time.Hour), history[len(history)-1].Watermark) {
				require.NoError(t, err)
				if !s.Usable() {
					bad++
				}
			}
		}
		assert.Positive(t, bad, "the simulated logger writes NaN now and then")
		assert.Equal(t, bad, counted, "%s: unusable samples", asset)
	}
}

func worseChallengerIsRejected(t *testing.T, p *plant) {
	history := p.history("cell-2")
	rejected := false
	for i, d := range history {
		for _, s := range d.Segments {
			if s.Index != faultCycle {
				continue
			}
			rejected = true
			assert.Equal(t, calibration.Rejected, d.Decision.Outcome, "the faulty cycle: %s", d.Decision.Reason)
			require.NotNil(t, d.Champion)
			assert.True(t, d.Watermark.After(d.Champion.Watermark), "the watermark advances although the challenger was rejected")
			// The run after it still starts from the parameters before the fault.
			require.Greater(t, len(history), i+1)
			assert.Equal(t, d.Champion.ParametersRun, history[i+1].Champion.ParametersRun)
			assert.Equal(t, d.Run, history[i+1].Champion.StateRun)
		}
	}
	assert.True(t, rejected, "cycle %d was not found", faultCycle)
}

// tracksTheCell compares the published capacity with what the simulated plant
// delivered: within 3 %, three times the model's stated measurement error.
func tracksTheCell(t *testing.T, p *plant) {
	truth := map[string]float64{}
	require.NoError(t, simulate.Run(simulate.Config{Cells: 3, Cycles: cycles, Seed: 1, Start: monday}, func(d simulate.Discharge) error {
		truth[simulate.Name(d.Cell)] = d.Capacity
		return nil
	}))
	for _, asset := range assets {
		published, err := calibration.Publication(t.Context(), p.store, key(asset))
		require.NoError(t, err)
		assert.InEpsilon(t, truth[asset], published.Values["capacity_p50"], 0.03, asset)
		latest, err := p.historian().Latest(t.Context(), []telemetry.Alias{telemetry.AliasOf(twinName, asset, "capacity_p50")})
		require.NoError(t, err)
		for _, s := range latest {
			assert.InDelta(t, published.Values["capacity_p50"], s.Value, 0, "SiteWise holds what was published")
			assert.True(t, published.WindowEnd.Equal(s.Time))
		}
	}
}

// statusReport is the part of `livetwin status --json` that the tests read.
type statusReport struct {
	Calibrations []struct {
		Asset         string
		Generation    int64
		ParametersRun string
		Watermark     time.Time
		Runs          []struct {
			Generation int64
			Outcome    string
			Reason     string
		}
	}
}

func (p *plant) status(runs int) statusReport {
	p.t.Helper()
	out, code := p.cli("status", "--twin", "examples/battery-storage/twin.yaml", "--runs", fmt.Sprint(runs), "--json")
	require.Zero(p.t, code)
	var r statusReport
	require.NoError(p.t, json.Unmarshal([]byte(out), &r))
	require.Len(p.t, r.Calibrations, len(assets))
	return r
}

func status(t *testing.T, p *plant) {
	r := p.status(cycles)
	for i, asset := range assets {
		c := r.Calibrations[i]
		champion := p.champion(asset)
		assert.Equal(t, asset, c.Asset)
		assert.Equal(t, champion.Generation, c.Generation)
		assert.True(t, champion.Watermark.Equal(c.Watermark))
	}
	why := ""
	for _, run := range r.Calibrations[1].Runs {
		if run.Outcome == "rejected" {
			why = run.Reason
		}
	}
	assert.NotEmpty(t, why, "status says why a challenger was rejected")
	table, code := p.cli("status", "--twin", "examples/battery-storage/twin.yaml", "--runs", fmt.Sprint(cycles))
	require.Zero(t, code)
	assert.Contains(t, table, why)
	_, code = p.cli("status", "--twin", "examples/battery-storage/twin.yaml", "--stage", "prod")
	assert.Equal(t, 1, code, "a stage that is not deployed")
}

// sameWindowTwice runs the last window again, and one that ends now: neither
// has a sample that is not assimilated.
func sameWindowTwice(t *testing.T, p *plant) {
	before := map[string]calibration.Champion{}
	for _, asset := range assets {
		before[asset] = p.champion(asset)
	}
	for name, end := range map[string]time.Time{"again": before["cell-1"].WindowEnd, "now": p.now()} {
		d := p.outcome(p.begin("same-window-"+name, end))
		assert.Equal(t, types.ExecutionStatusSucceeded, d.Status, "%s: %s", aws.ToString(d.Error), aws.ToString(d.Cause))
	}
	for _, asset := range assets {
		assert.Equal(t, before[asset], p.champion(asset), "nothing was assimilated twice")
	}
}

// eventStarts asks for a recalibration over the event bus, as a plant system
// would: it runs and finds every asset idle.
func eventStarts(t *testing.T, p *plant) {
	before := len(p.executions(types.ExecutionStatusSucceeded))
	request := events.RecalibrationRequested{
		Origin:      events.Origin{Twin: twinName, Stage: stage, ID: "a-request"},
		Calibration: health, WindowEnd: p.now().Truncate(time.Second),
	}
	detail, err := json.Marshal(request)
	require.NoError(t, err)
	res, err := eventbridge.NewFromConfig(p.config).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
		Source: aws.String(request.Source()), DetailType: aws.String(request.DetailType()), Detail: aws.String(string(detail)),
	}}})
	require.NoError(t, err)
	require.Zero(t, res.FailedEntryCount)
	p.until(p.now())
	assert.Len(t, p.executions(types.ExecutionStatusSucceeded), before+1)
}

// lateSamples writes two samples inside of what was assimilated before the
// next discharge: the next run finds and counts them.
func lateSamples(t *testing.T, p *plant) {
	d := p.last("cell-3")
	late := d.Segments[len(d.Segments)-1].End.Add(-3 * time.Minute)
	p.write(
		telemetry.Point{Series: telemetry.AliasOf(twinName, "cell-3", "voltage"), Sample: telemetry.Sample{Time: late.Add(1234 * time.Microsecond), Value: 3.2, Quality: telemetry.Good}},
		telemetry.Point{Series: telemetry.AliasOf(twinName, "cell-3", "voltage"), Sample: telemetry.Sample{Time: late.Add(2345 * time.Microsecond), Value: 3.2, Quality: telemetry.Good}},
	)
	before := p.champion("cell-3")
	p.discharge("cell-3", p.now().Truncate(time.Hour).Add(2*time.Hour))
	after := p.last("cell-3")
	assert.Equal(t, before.Generation+1, p.champion("cell-3").Generation)
	assert.Equal(t, 2, after.Telemetry.Late)
	for _, s := range after.Segments {
		assert.True(t, s.Start.After(before.Watermark), "late samples are not assimilated")
	}
}

// discharge feeds one more discharge of a cell, with a gap of eight minutes, a
// NULL, a NaN and a BAD sample in it, and lets the schedule follow it. The
// readings are those of a discharge that was simulated, moved in time.
func (p *plant) discharge(asset string, start time.Time) {
	p.t.Helper()
	recording := p.simulated(cycles + 1)
	var from time.Time
	for _, s := range recording.Series {
		for i := len(s.Samples) - 1; i > 0 && from.IsZero(); i-- {
			if s.Samples[i].Time.Sub(s.Samples[i-1].Time) > time.Hour {
				from = s.Samples[i].Time.Add(-time.Minute)
			}
		}
	}
	tail := only(recording, from, from.Add(24*time.Hour))
	kept := tail.Series[:0]
	for _, s := range tail.Series {
		if !strings.HasPrefix(string(s.Alias), "/"+twinName+"/"+asset+"/") {
			continue
		}
		samples := s.Samples[:0]
		for i, x := range s.Samples {
			at := x.Time.Sub(from)
			if at > 10*time.Minute && at < 18*time.Minute {
				continue // the logger was away
			}
			x.Time = start.Add(at)
			switch i {
			case 20:
				x.Value, x.Quality, x.Null = math.NaN(), telemetry.Bad, true
			case 21:
				x.Value, x.Quality = math.NaN(), telemetry.Bad
			case 22:
				x.Quality = telemetry.Bad
			}
			samples = append(samples, x)
		}
		s.Samples = samples
		kept = append(kept, s)
	}
	tail.Series = kept
	res := p.feed(tail)
	p.until(res.Last.Truncate(time.Hour).Add(2*time.Hour + time.Minute))
}

func rollback(t *testing.T, p *plant) {
	before := p.champion("cell-1")
	_, code := p.cli("rollback", "--twin", "examples/battery-storage/twin.yaml", "cell-1", health)
	require.Zero(t, code)
	after := p.champion("cell-1")
	assert.Equal(t, before.Generation+1, after.Generation)
	assert.NotEqual(t, before.ParametersRun, after.ParametersRun)
	assert.True(t, before.Watermark.Equal(after.Watermark), "the watermark stays")
	assert.Equal(t, before.StateRun, after.StateRun)
	assert.Equal(t, calibration.RolledBack, after.Decision.Outcome)

	// Back to the generation before: the parameters that were rolled back.
	_, code = p.cli("rollback", "--twin", "examples/battery-storage/twin.yaml", "cell-1", health, "--to", fmt.Sprint(before.Generation))
	require.Zero(t, code)
	assert.Equal(t, before.ParametersRun, p.champion("cell-1").ParametersRun)
	_, code = p.cli("rollback", "--twin", "examples/battery-storage/twin.yaml", "cell-1", health, "--to", "9999")
	assert.Equal(t, 1, code, "a generation that never was")
	_, code = p.cli("rollback", "--twin", "examples/battery-storage/twin.yaml", "cell-9", health)
	assert.Equal(t, 1, code, "an asset that the twin does not have")
}

// afterRollback: the next discharge is calibrated from where the rollback left.
func afterRollback(t *testing.T, p *plant) {
	before := p.champion("cell-1")
	p.discharge("cell-1", p.now().Truncate(time.Hour).Add(2*time.Hour))
	d := p.last("cell-1")
	assert.Equal(t, before.Generation+1, p.champion("cell-1").Generation)
	require.NotNil(t, d.Champion)
	assert.Equal(t, before.ParametersRun, d.Champion.ParametersRun)
	assert.Positive(t, d.Telemetry.Bad+d.Telemetry.Null+d.Telemetry.NonFinite)
}

// TestWalk is the walk that test/deployed takes in an account.
func TestWalk(t *testing.T) {
	p := deploy(t, monday.Add(-30*time.Minute))
	walk.Walk(t, walk.Site{
		Config: p.config, Twin: p.twin, Start: monday, Now: p.now, Patience: time.Minute,
		Feed: func(_ *testing.T, r *replay.Recording) time.Time {
			res := p.feed(r)
			p.until(res.Last.Add(31 * time.Minute))
			return res.Last
		},
	})
}
