package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/execution/executions3"
	"github.com/livetwin/livetwin/internal/execution/executiontest"
)

// events returns the history of an execution.
func (p *plant) events(execution string) []types.HistoryEvent {
	p.t.Helper()
	var all []types.HistoryEvent
	pages := sfn.NewGetExecutionHistoryPaginator(sfn.NewFromConfig(p.config), &sfn.GetExecutionHistoryInput{ExecutionArn: &execution})
	for pages.HasMorePages() {
		page, err := pages.NextPage(p.t.Context())
		require.NoError(p.t, err)
		all = append(all, page.Events...)
	}
	return all
}

// spotOnly checks that every execution succeeded, submitted one job at most,
// to Spot, and took less time than a task that waits in vain for its job.
func spotOnly(t *testing.T, p *plant) {
	assert.Empty(t, p.executions(types.ExecutionStatusFailed))
	assert.Empty(t, p.executions(types.ExecutionStatusTimedOut))
	calibrated := 0
	for _, e := range p.executions(types.ExecutionStatusSucceeded) {
		arn := aws.ToString(e.ExecutionArn)
		var queues []string
		for _, event := range p.events(arn) {
			assert.NotEqual(t, types.HistoryEventTypeTaskTimedOut, event.Type, arn)
			if d := event.TaskScheduledEventDetails; d != nil && aws.ToString(d.ResourceType) == "batch" {
				queues = append(queues, aws.ToString(d.Parameters))
			}
		}
		if len(queues) == 0 {
			continue // every asset was idle
		}
		calibrated++
		assert.Len(t, queues, 1, "%s: jobs that were submitted", arn)
		assert.Contains(t, queues[0], "job-queue/"+twinName+"-"+stage+"-spot", arn)
		assert.Less(t, e.StopDate.Sub(aws.ToTime(e.StartDate)), time.Minute, arn)
	}
	assert.GreaterOrEqual(t, calibrated, cycles, "executions that calibrated something")
}

// The schedule delivers at least once: the same scheduled time twice, at once,
// is one run of each asset. Spot capacity is withheld until both have planned.
func TestScheduledDuplicatesCollapse(t *testing.T) {
	p := deploy(t, monday.Add(-30*time.Minute))
	end := p.feed(p.simulated(1)).Last.Add(31 * time.Minute).Truncate(time.Second)
	p.until(end)
	p.fault(map[string]any{"spotCapacity": false})
	executions := []string{p.begin("first", end), p.begin("duplicate", end)}
	for _, execution := range executions {
		require.Eventually(t, func() bool {
			names := p.states(execution)
			return len(names) > 0 && names[len(names)-1] == "Calibrate"
		}, 30*time.Second, 10*time.Millisecond)
	}
	p.fault(map[string]any{"spotCapacity": true})
	for _, execution := range executions {
		d := p.outcome(execution)
		require.Equal(t, types.ExecutionStatusSucceeded, d.Status, "%s: %s", aws.ToString(d.Error), aws.ToString(d.Cause))
		for _, o := range p.outcomes(execution) {
			assert.Contains(t, []string{"promoted", "rejected"}, o, "a duplicate recognises its own run")
		}
	}
	for _, asset := range assets {
		assert.EqualValues(t, 1, p.champion(asset).Generation, asset)
		assert.Equal(t, []string{string(p.champion(asset).StateRun)}, p.runs(asset), "%s: folders of runs", asset)
		p.publishedOnce(asset)
	}
}

// runs lists the folders of an asset's runs in the bucket.
func (p *plant) runs(asset string) []string {
	p.t.Helper()
	prefix := "calibrations/" + asset + "/" + health + "/runs/"
	page, err := s3.NewFromConfig(p.config).ListObjectsV2(p.t.Context(), &s3.ListObjectsV2Input{
		Bucket: &p.twin.CalibrationsBucket, Prefix: &prefix, Delimiter: aws.String("/"),
	})
	require.NoError(p.t, err)
	var all []string
	for _, folder := range page.CommonPrefixes {
		all = append(all, strings.TrimSuffix(strings.TrimPrefix(aws.ToString(folder.Prefix), prefix), "/"))
	}
	return all
}

// Manifests and outcomes keep their contract on the endpoint's S3.
func TestExecutionsOnS3(t *testing.T) {
	p := deploy(t, monday)
	objects := s3.NewFromConfig(p.config)
	executiontest.TestStore(t, func(t *testing.T) execution.Store {
		t.Helper()
		bucket := "executions-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
		bucket = strings.Trim(bucket[:min(len(bucket), 63)], "-")
		_, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
		require.NoError(t, err)
		return executions3.New(objects, bucket)
	})
}

// The recorded executions end with the endpoint's interpreter as they are
// recorded.
func TestRecordedExecutions(t *testing.T) {
	program := built(t, "awslocal")
	cases, err := filepath.Glob(filepath.Join(root, "statemachines/recalibrate/testdata/*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for i := range cases {
		cases[i], err = filepath.Rel(root, cases[i])
		require.NoError(t, err)
	}
	args := append([]string{
		"replay", "--set", "Twin=" + twinName, "--set", "Stage=" + stage, "--set", "SpotQueue=spot", "--set", "OnDemandQueue=on-demand",
		"--set", "JobDefinition=calibrate", "statemachines/recalibrate/definition.asl.json",
	}, cases...)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = root, os.Environ()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, len(cases), strings.Count(string(out), "ok "), "%s", out)
}
