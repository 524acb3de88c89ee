package system

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrations3"
	"github.com/livetwin/livetwin/internal/calibration/calibrationtest"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/runindex/runindexddb"
	"github.com/livetwin/livetwin/internal/runindex/runindextest"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrytest"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// TestAdapters runs the contract of every port against what is deployed, over
// the network and with signatures, as production code meets it.
func TestAdapters(t *testing.T) {
	// The contract of historians writes within five hours after three o'clock.
	p := deploy(t, time.Date(2026, 1, 2, 8, 30, 0, 0, time.UTC))
	t.Run("SiteWise", func(t *testing.T) {
		var free []telemetry.Alias // series that nothing was written to
		model, ok := p.twin.Definition.Model("cell")
		require.True(t, ok)
		for _, asset := range assets {
			for _, property := range model.Properties {
				if property.Kind == definition.Published {
					free = append(free, telemetry.AliasOf(twinName, asset, property.Name))
				}
			}
		}
		telemetrytest.TestHistorian(t, func(t *testing.T, series ...telemetry.Alias) telemetrytest.Historian {
			require.GreaterOrEqual(t, len(free), len(series), "the twin has too few series for the contract")
			h := renamed{p.historian(), map[telemetry.Alias]telemetry.Alias{}}
			for i, s := range series {
				h.names[s] = free[i]
			}
			free = free[len(series):]
			return h
		})
	})
	t.Run("S3", func(t *testing.T) {
		objects, n := s3.NewFromConfig(p.config), 0
		calibrationtest.TestStore(t, func(t *testing.T) calibration.Store {
			n++
			bucket := fmt.Sprintf("contract-%d", n)
			_, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
			require.NoError(t, err)
			return calibrations3.New(objects, bucket)
		})
	})
	t.Run("DynamoDB", func(t *testing.T) {
		n := 0
		runindextest.TestIndex(t, func(*testing.T) runindex.Index {
			n++
			return shared{runindexddb.New(dynamodb.NewFromConfig(p.config), p.twin.RunsTable), fmt.Sprintf("contract-%d-", n)}
		})
	})
}

// renamed lets the contract's series stand for series that are deployed.
type renamed struct {
	h     telemetrytest.Historian
	names map[telemetry.Alias]telemetry.Alias
}

func (r renamed) to(a telemetry.Alias) telemetry.Alias {
	if name, ok := r.names[a]; ok {
		return name
	}
	return a
}

func (r renamed) Samples(ctx context.Context, series telemetry.Alias, from, to time.Time) iter.Seq2[telemetry.Sample, error] {
	return r.h.Samples(ctx, r.to(series), from, to)
}

func (r renamed) Latest(ctx context.Context, series []telemetry.Alias) (map[telemetry.Alias]telemetry.Sample, error) {
	deployed := make([]telemetry.Alias, len(series))
	for i, s := range series {
		deployed[i] = r.to(s)
	}
	got, err := r.h.Latest(ctx, deployed)
	if err != nil {
		return nil, err
	}
	back := map[telemetry.Alias]telemetry.Sample{}
	for _, s := range series {
		if sample, ok := got[r.to(s)]; ok {
			back[s] = sample
		}
	}
	return back, nil
}

func (r renamed) Write(ctx context.Context, points []telemetry.Point) ([]telemetry.Rejection, error) {
	deployed := make([]telemetry.Point, len(points))
	for i, p := range points {
		deployed[i] = telemetry.Point{Series: r.to(p.Series), Sample: p.Sample}
	}
	return r.h.Write(ctx, deployed)
}

// shared gives every test its own assets in the one table.
type shared struct {
	runindex.Index
	prefix string
}

func (s shared) PutRun(ctx context.Context, run runindex.Run) error {
	if run.Asset != "" {
		run.Asset = s.prefix + run.Asset
	}
	return s.Index.PutRun(ctx, run)
}

func (s shared) Runs(ctx context.Context, asset, calibration string, from, to time.Time, order runindex.Order) iter.Seq2[runindex.Run, error] {
	return func(yield func(runindex.Run, error) bool) {
		for run, err := range s.Index.Runs(ctx, s.prefix+asset, calibration, from, to, order) {
			run.Asset = strings.TrimPrefix(run.Asset, s.prefix)
			if !yield(run, err) {
				return
			}
		}
	}
}

func (s shared) PutAlarm(ctx context.Context, state runindex.AlarmState) error {
	if state.Asset != "" {
		state.Asset = s.prefix + state.Asset
	}
	return s.Index.PutAlarm(ctx, state)
}

func (s shared) Alarms(ctx context.Context, asset, alarm string, from, to time.Time, order runindex.Order) iter.Seq2[runindex.AlarmState, error] {
	return func(yield func(runindex.AlarmState, error) bool) {
		for state, err := range s.Index.Alarms(ctx, s.prefix+asset, alarm, from, to, order) {
			state.Asset = strings.TrimPrefix(state.Asset, s.prefix)
			if !yield(state, err) {
				return
			}
		}
	}
}
