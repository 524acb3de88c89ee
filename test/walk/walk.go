// Package walk is a walk through a deployed twin with a calibration of cells:
// telemetry in, a recalibration by the deployed state machine, values out
// through SiteWise and TwinMaker, the same window again, a rollback. The tests
// of the system take it on the local endpoint, those of a deployment in an
// account.
package walk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/deployed"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/simulate"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// A Site is where the walk is taken.
type Site struct {
	Config aws.Config
	Twin   *deployed.Twin
	Start  time.Time // of the simulated telemetry
	// Feed writes telemetry and returns when its last segment is over, with
	// the time that its last sample has in the historian.
	Feed func(t *testing.T, r *replay.Recording) time.Time
	Now  func() time.Time // business time
	// Patience bounds an execution on the wall clock.
	Patience time.Duration
}

// Walk takes the walk. It writes simulated telemetry to every calibrated asset,
// and refuses a twin that is calibrated beyond where that telemetry begins.
func Walk(t *testing.T, s Site) {
	t.Helper()
	require.NotEmpty(t, s.Twin.Definition.Calibrations, "the deployed twin has no calibration")
	w := &walker{Site: s, t: t, calibration: &s.Twin.Definition.Calibrations[0], store: s.Twin.Store()}

	for _, asset := range w.calibration.Assets {
		c, _, err := w.store.Champion(t.Context(), w.key(asset))
		if err == nil {
			require.True(t, c.Watermark.Before(s.Start), "%s is calibrated up to %s: the walk's telemetry begins at %s and would be late; wait, or deploy a twin for the walk alone", asset, c.Watermark, s.Start)
			continue
		}
		require.ErrorIs(t, err, calibration.ErrNotFound)
	}
	first, second := w.telemetry()
	last := s.Feed(t, first)
	end := w.recalibrate("first")
	before := w.assimilated(last)
	w.published(end)

	w.execute("again", end)
	for asset, champion := range before {
		assert.Equal(t, champion, w.champion(asset), "the same window twice")
	}

	last = s.Feed(t, second)
	w.published(w.recalibrate("second"))
	w.rollback(w.assimilated(last))
}

type walker struct {
	Site
	t           *testing.T
	calibration *definition.Calibration
	store       calibration.Store
}

// telemetry simulates three discharges of every calibrated asset, and cuts
// them into the first two and the third.
func (w *walker) telemetry() (first, second *replay.Recording) {
	w.t.Helper()
	dir := w.t.TempDir()
	_, err := simulate.WriteFiles(simulate.Config{Cells: len(w.calibration.Assets), Cycles: 3, Seed: 1, Start: w.Start}, dir, false)
	require.NoError(w.t, err)
	for i, asset := range w.calibration.Assets {
		from, to := filepath.Join(dir, simulate.Name(i+1)+".csv"), filepath.Join(dir, "asset-"+asset+".csv")
		require.NoError(w.t, os.Rename(from, to))
	}
	for _, asset := range w.calibration.Assets {
		require.NoError(w.t, os.Rename(filepath.Join(dir, "asset-"+asset+".csv"), filepath.Join(dir, asset+".csv")))
	}
	r, err := replay.Load(os.DirFS(dir), w.Twin.Name, replay.AssetsOf(&w.Twin.Definition))
	require.NoError(w.t, err)
	segments := replay.Keep(r, 30*time.Minute).Segments
	require.Len(w.t, segments, 3)
	cut := segments[2].First
	return between(r, time.Time{}, cut), between(r, cut, segments[2].Last.Add(time.Second))
}

// between keeps the samples with from <= time < to.
func between(r *replay.Recording, from, to time.Time) *replay.Recording {
	kept := *r
	kept.Series = nil
	for _, s := range r.Series {
		n := replay.Series{Alias: s.Alias}
		for _, x := range s.Samples {
			if !x.Time.Before(from) && x.Time.Before(to) {
				n.Samples = append(n.Samples, x)
			}
		}
		kept.Series = append(kept.Series, n)
	}
	return &kept
}

func (w *walker) key(asset string) calibration.Key {
	return calibration.Key{Asset: asset, Calibration: w.calibration.Spec.Name}
}

func (w *walker) champion(asset string) calibration.Champion {
	w.t.Helper()
	c, _, err := w.store.Champion(w.t.Context(), w.key(asset))
	require.NoError(w.t, err)
	return c
}

// recalibrate runs the state machine for a window that ends now.
func (w *walker) recalibrate(name string) time.Time {
	w.t.Helper()
	end := w.Now().UTC().Truncate(time.Second)
	w.execute(name, end)
	return end
}

func (w *walker) execute(name string, end time.Time) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), w.Patience)
	defer cancel()
	api := sfn.NewFromConfig(w.Config)
	started, err := api.StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &w.Twin.StateMachine, Name: aws.String(fmt.Sprintf("walk-%s-%d", name, end.Unix())),
		Input: aws.String(fmt.Sprintf(`{"calibration": %q, "windowEnd": %q}`, w.calibration.Spec.Name, end.Format(time.RFC3339))),
	})
	require.NoError(w.t, err)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		d, err := api.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
		require.NoError(w.t, err)
		if d.Status != types.ExecutionStatusRunning {
			require.Equal(w.t, types.ExecutionStatusSucceeded, d.Status, "%s: %s", aws.ToString(d.Error), aws.ToString(d.Cause))
			return
		}
		time.Sleep(pause)
	}
}

// assimilated checks that every champion has come to the last discharge.
func (w *walker) assimilated(last time.Time) map[string]calibration.Champion {
	w.t.Helper()
	all := map[string]calibration.Champion{}
	for _, asset := range w.calibration.Assets {
		c := w.champion(asset)
		assert.WithinDuration(w.t, last, c.Watermark, time.Minute, "%s: samples of one discharge end within a minute", asset)
		all[asset] = c
	}
	return all
}

// published checks that SiteWise and TwinMaker answer with what the champion
// and its artifacts say.
func (w *walker) published(end time.Time) {
	w.t.Helper()
	historian := telemetrysitewise.New(iotsitewise.NewFromConfig(w.Config))
	twinMaker := iottwinmaker.NewFromConfig(w.Config)
	for _, asset := range w.calibration.Assets {
		p, err := calibration.Publication(w.t.Context(), w.store, w.key(asset))
		require.NoError(w.t, err)
		output := w.calibration.Outputs[0].Property
		want, ok := p.Values[output]
		require.True(w.t, ok, "%s publishes no %s", asset, output)

		alias := telemetry.AliasOf(w.Twin.Name, asset, output)
		latest, err := historian.Latest(w.t.Context(), []telemetry.Alias{alias})
		require.NoError(w.t, err)
		assert.InDelta(w.t, want, latest[alias].Value, 0, "SiteWise: %s", alias)
		assert.True(w.t, p.WindowEnd.Equal(latest[alias].Time), "SiteWise: %s", alias)

		res, err := twinMaker.GetPropertyValueHistory(w.t.Context(), &iottwinmaker.GetPropertyValueHistoryInput{
			WorkspaceId: &w.Twin.Workspace, EntityId: &asset, ComponentName: &w.calibration.Spec.Name, SelectedProperties: []string{output},
			StartTime: aws.String(p.WindowEnd.Add(-time.Second).UTC().Format(time.RFC3339)), EndTime: aws.String(end.Add(time.Second).UTC().Format(time.RFC3339)),
		})
		require.NoError(w.t, err)
		require.Len(w.t, res.PropertyValues, 1)
		require.NotEmpty(w.t, res.PropertyValues[0].Values)
		assert.InDelta(w.t, want, aws.ToFloat64(res.PropertyValues[0].Values[0].Value.DoubleValue), 0, "TwinMaker: %s %s", asset, output)
	}
}

// rollback takes one promoted asset back and forth again.
func (w *walker) rollback(champions map[string]calibration.Champion) {
	w.t.Helper()
	for _, asset := range w.calibration.Assets {
		before := champions[asset]
		if before.Decision.Outcome != calibration.Promoted || before.Generation < 2 {
			continue
		}
		after, err := calibration.Rollback(w.t.Context(), w.store, w.key(asset), 0, "")
		require.NoError(w.t, err)
		assert.NotEqual(w.t, before.ParametersRun, after.ParametersRun)
		assert.True(w.t, before.Watermark.Equal(after.Watermark), "a rollback leaves the watermark")
		forth, err := calibration.Rollback(w.t.Context(), w.store, w.key(asset), before.Generation, "")
		require.NoError(w.t, err)
		assert.Equal(w.t, before.ParametersRun, forth.ParametersRun)
		return
	}
	w.t.Log("no asset was promoted twice: nothing to roll back")
}
