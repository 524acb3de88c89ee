package system

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/replay"
)

// artifacts are the ones that are reproducible to the byte.
var artifacts = []string{
	calibration.SpecArtifact, calibration.InputsArtifact, calibration.PosteriorArtifact,
	calibration.StateArtifact, calibration.DiagnosticsArtifact, calibration.PredictionsArtifact,
}

// bytesOf returns everything reproducible that a plant's runs left, by name.
func (p *plant) bytesOf() map[string]string {
	p.t.Helper()
	all := map[string]string{}
	for _, asset := range assets {
		all[asset+"/champion"] = fmt.Sprintf("%+v", p.champion(asset))
		for _, d := range p.history(asset) {
			for _, name := range artifacts {
				b, err := p.store.Artifact(p.t.Context(), key(asset), d.Run, name)
				require.NoError(p.t, err)
				all[asset+"/"+string(d.Run)+"/"+name] = string(b)
			}
		}
	}
	return all
}

// follow feeds telemetry and lets the schedule catch up with it.
func (p *plant) follow(r *replay.Recording) {
	p.t.Helper()
	res := p.feed(r)
	p.until(res.Last.Truncate(time.Hour).Add(2*time.Hour + time.Minute))
}

// An attempt that is killed half-way is retried by Batch and leaves the bytes
// of an undisturbed run.
func TestAKilledAttemptIsRetriedWithTheSameBytes(t *testing.T) {
	undisturbed := func() map[string]string {
		p := deploy(t, monday.Add(-30*time.Minute))
		p.follow(p.simulated(2))
		return p.bytesOf()
	}()
	// Killed at once, and while it works.
	for when, after := range map[string]int{"afterMillis": 1, "afterBytesOfLog": 1} {
		t.Run(when, func(t *testing.T) {
			p := deploy(t, monday.Add(-30*time.Minute))
			p.fault(map[string]any{"killAttempt": map[string]any{"jobDefinition": twinName + "-" + stage + "-calibrate", "attempt": 1, when: after}})
			p.follow(p.simulated(2))
			assert.Equal(t, undisturbed, p.bytesOf())
			assert.Empty(t, p.executions(types.ExecutionStatusFailed))
			attempt := p.lineage("cell-1")
			assert.Contains(t, attempt, `"attempt": 2`, "it was killed indeed")
		})
	}
}

func (p *plant) lineage(asset string) string {
	p.t.Helper()
	b, err := p.store.Artifact(p.t.Context(), key(asset), p.champion(asset).StateRun, calibration.LineageArtifact)
	require.NoError(p.t, err)
	return string(b)
}

// Without Spot capacity the jobs run on demand, and later again on Spot.
func TestNoSpotCapacityMeansOnDemand(t *testing.T) {
	p := deploy(t, monday.Add(-30*time.Minute))
	p.fault(map[string]any{"spotCapacity": false})
	p.follow(p.simulated(1))
	onDemand := 0
	for _, e := range p.executions(types.ExecutionStatusSucceeded) {
		states := p.states(aws.ToString(e.ExecutionArn))
		if slices.Contains(states, "Calibrate") {
			onDemand++
			assert.Contains(t, states, "Calibrate on demand")
		}
	}
	assert.Positive(t, onDemand, "executions that went on demand")
	for _, asset := range assets {
		assert.EqualValues(t, 1, p.champion(asset).Generation)
	}
}

// Two executions that plan from the same champion, with different ends of
// their windows: one wins, the other ends cleanly as superseded. Spot capacity
// is withheld until both have planned.
func TestOfTwoExecutionsAtOnceOneWins(t *testing.T) {
	p := deploy(t, monday.Add(-30*time.Minute))
	recording := p.simulated(1)
	var last time.Time
	for _, s := range recording.Series {
		if n := len(s.Samples); n > 0 && s.Samples[n-1].Time.After(last) {
			last = s.Samples[n-1].Time
		}
	}
	p.feed(recording)
	// Past the pause that ends the segment, before the schedule's next turn.
	p.until(last.Add(31 * time.Minute))
	p.fault(map[string]any{"spotCapacity": false})
	first := p.begin("first", last.Add(31*time.Minute))
	second := p.begin("second", last.Add(31*time.Minute+time.Second))
	for _, execution := range []string{first, second} {
		require.Eventually(t, func() bool {
			names := p.states(execution)
			return len(names) > 0 && names[len(names)-1] == "Calibrate"
		}, 30*time.Second, 10*time.Millisecond)
	}
	p.fault(map[string]any{"spotCapacity": true})
	counts := map[string]int{}
	for _, execution := range []string{first, second} {
		d := p.outcome(execution)
		require.Equal(t, types.ExecutionStatusSucceeded, d.Status, "%s: %s", aws.ToString(d.Error), aws.ToString(d.Cause))
		for _, o := range p.outcomes(execution) {
			counts[o]++
		}
	}
	assert.Equal(t, len(assets), counts["superseded"])
	assert.Equal(t, len(assets), counts["promoted"]+counts["rejected"])
	for _, asset := range assets {
		assert.EqualValues(t, 1, p.champion(asset).Generation)
		assert.Len(t, p.history(asset), 1)
	}
}

// outcomes reads what the jobs of an execution reported.
func (p *plant) outcomes(execution string) []string {
	p.t.Helper()
	name := execution[strings.LastIndexByte(execution, ':')+1:]
	objects := s3.NewFromConfig(p.config)
	var all []string
	for i := range assets {
		res, err := objects.GetObject(p.t.Context(), &s3.GetObjectInput{
			Bucket: &p.twin.CalibrationsBucket, Key: aws.String(fmt.Sprintf("executions/%s/outcomes/%d.json", name, i)),
		})
		require.NoError(p.t, err)
		var o calibration.Outcome
		require.NoError(p.t, json.NewDecoder(res.Body).Decode(&o))
		require.NoError(p.t, res.Body.Close())
		all = append(all, string(o.Outcome))
	}
	return all
}
