package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/runindex/runindexddb"
	"github.com/livetwin/livetwin/internal/telemetry"
)

const publishedOutput = "capacity_p50"

// A crashed is what there was when the publisher was killed.
type crashed struct {
	champions int // of the assets
	published int // values in SiteWise
	err       error
}

// The publisher is killed after the champions were promoted and before it has
// told anybody: the state machine tries again, and everything that is derived
// from the champions says what they say.
func TestAPublisherKilledAfterAPromotionLeavesNothingStale(t *testing.T) {
	p := deploy(t, monday.Add(-30*time.Minute))
	recording := p.simulated(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	crash := make(chan crashed, 1)
	go func() { crash <- p.killPublisher(ctx) }()
	p.follow(recording)
	cancel() // it was not started, if it was not killed by now
	then := <-crash
	require.NoError(t, then.err)
	assert.Equal(t, len(assets), then.champions, "promoted before the crash")
	assert.Zero(t, then.published, "told before the crash")

	assert.Empty(t, p.executions(types.ExecutionStatusFailed))
	killed := 0
	for _, e := range p.executions(types.ExecutionStatusSucceeded) {
		for _, event := range p.events(aws.ToString(e.ExecutionArn)) {
			if d := event.LambdaFunctionFailedEventDetails; d != nil {
				killed++
				assert.Equal(t, "Runtime.ExitError", aws.ToString(d.Error))
			}
		}
	}
	assert.Equal(t, 1, killed, "it was killed indeed")
	for _, asset := range assets {
		p.publishedOnce(asset)
	}
}

// publishedOnce checks that SiteWise and the index of runs say what the
// champion says, with one row of it.
func (p *plant) publishedOnce(asset string) {
	p.t.Helper()
	want, err := calibration.Publication(p.t.Context(), p.store, key(asset))
	require.NoError(p.t, err)
	alias := telemetry.AliasOf(twinName, asset, publishedOutput)
	latest, err := p.historian().Latest(p.t.Context(), []telemetry.Alias{alias})
	require.NoError(p.t, err)
	assert.InDelta(p.t, want.Values[publishedOutput], latest[alias].Value, 0, asset)
	assert.True(p.t, want.WindowEnd.Equal(latest[alias].Time), asset)

	rows := 0
	index := runindexddb.New(dynamodb.NewFromConfig(p.config), p.twin.RunsTable)
	for run, err := range index.Runs(p.t.Context(), asset, health, monday, p.now(), runindex.Ascending) {
		require.NoError(p.t, err)
		rows++
		assert.Equal(p.t, string(want.Run), run.ID, asset)
		assert.Equal(p.t, want.Values, run.Values, asset)
	}
	assert.Equal(p.t, 1, rows, "%s: rows in the index of runs", asset)
}

// killPublisher waits for the first process of the publishing function, stops
// it, looks at what there is, and kills it. The function's first process is
// started for its first event.
func (p *plant) killPublisher(ctx context.Context) crashed {
	pid := 0
	for pid == 0 {
		if ctx.Err() != nil {
			return crashed{err: errors.New("the publisher was not started")}
		}
		time.Sleep(time.Millisecond)
		pid = p.process("AWS_LAMBDA_FUNCTION_NAME=" + twinName + "-" + stage + "-publish-predictions")
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return crashed{err: fmt.Errorf("stop the publisher: %w", err)}
	}
	var c crashed
	var errs []error
	for _, asset := range assets {
		if _, _, err := p.store.Champion(ctx, key(asset)); err == nil {
			c.champions++
		} else if !errors.Is(err, calibration.ErrNotFound) {
			errs = append(errs, err)
		}
		latest, err := p.historian().Latest(ctx, []telemetry.Alias{telemetry.AliasOf(twinName, asset, publishedOutput)})
		c.published += len(latest)
		errs = append(errs, err)
	}
	errs = append(errs, syscall.Kill(pid, syscall.SIGKILL))
	c.err = errors.Join(errs...)
	return c
}

// process returns the id of a process of this endpoint that has a variable in
// its environment, or 0.
func (p *plant) process(variable string) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	endpoint := "AWS_ENDPOINT_URL=" + p.endpoint.Ready().Endpoint
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // it has ended, or is not ours
		}
		if environment := "\x00" + string(b); strings.Contains(environment, "\x00"+variable+"\x00") && strings.Contains(environment, "\x00"+endpoint+"\x00") {
			return pid
		}
	}
	return 0
}
