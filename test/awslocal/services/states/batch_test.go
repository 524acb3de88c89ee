package states_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/batch"
)

// withJobs adds a batch service whose program ends with the status that its
// environment names.
func withJobs(t *testing.T) (*flow, *batch.Service) {
	t.Helper()
	f := newFlow(t)
	jobs := batch.New(batch.Config{
		Identity: f.Identity, Clock: f.Clock, Roles: f, Events: f.bus, StateDir: t.TempDir(), Parallel: 4, Log: f.Log,
	})
	t.Cleanup(jobs.Close)
	f.Add(jobs)
	assembly := t.TempDir()
	for name, text := range map[string]string{
		"Dockerfile":      "FROM scratch\nCOPY program /\nENTRYPOINT [\"/program\"]\n",
		"program":         "#!/bin/sh\nexit ${CODE:-0}\n",
		"App.assets.json": `{"dockerImages":{"1":{"source":{"directory":"."},"destinations":{"d":{"repositoryName":"images","imageTag":"1"}}}}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(assembly, name), []byte(text), 0o755))
	}
	for _, r := range []struct{ kind, properties string }{
		{"ComputeEnvironment", `{"ComputeEnvironmentName":"spot","Type":"managed","ComputeResources":{"Type":"FARGATE_SPOT","MaxvCpus":1,"Subnets":["s"]}}`},
		{"ComputeEnvironment", `{"ComputeEnvironmentName":"on-demand","Type":"managed","ComputeResources":{"Type":"FARGATE","MaxvCpus":1,"Subnets":["s"]}}`},
		{"JobQueue", `{"JobQueueName":"spot","Priority":1,"ComputeEnvironmentOrder":[{"Order":1,"ComputeEnvironment":"spot"}]}`},
		{"JobQueue", `{"JobQueueName":"on-demand","Priority":1,"ComputeEnvironmentOrder":[{"Order":1,"ComputeEnvironment":"on-demand"}]}`},
		{"JobDefinition", `{"JobDefinitionName":"job","Type":"container","ContainerProperties":{"Image":"images:1","JobRoleArn":"arn:aws:iam::0:role/job","ExecutionRoleArn":"arn:aws:iam::0:role/e"}}`},
	} {
		kind := "AWS::Batch::" + r.kind
		_, err := jobs.Provides()[kind](t.Context(), &kernel.Resource{Stack: "App", LogicalID: r.kind, Type: kind, Properties: json.RawMessage(r.properties), Assembly: assembly})
		require.NoError(t, err)
	}
	require.NoError(t, f.deploy("Spot", `"Spot":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync","TimeoutSeconds":1800,"Arguments":`+submission("spot")+`,
		"Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"error":"{% $states.errorOutput.Error %}"},"Output":"{% $states.input %}","Next":"OnDemand"}],"Output":"{% $states.result.Status %}","End":true},
		"OnDemand":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync","Arguments":`+submission("on-demand")+`,"Output":"{% [$error, $states.result.Status, $states.result.Container.ExitCode] %}","End":true}`))
	return f, jobs
}

func submission(queue string) string {
	return `"{% $merge([{'JobName':'job','JobQueue':'` + queue + `','JobDefinition':'job','ContainerOverrides':{'Environment':[{'Name':'CODE','Value':$string($states.input.code)}]}}, $states.input.size > 1 ? {'ArrayProperties':{'Size':$states.input.size}} : {}]) %}"`
}

func TestATaskWaitsForItsJob(t *testing.T) {
	f, _ := withJobs(t)
	plain, array, bad := f.start(`{"code":0,"size":1}`), f.start(`{"code":0,"size":7}`), f.start(`{"code":9,"size":3}`)
	f.Settle()
	assertOutput(t, `"SUCCEEDED"`, f.describe(plain))
	assertOutput(t, `"SUCCEEDED"`, f.describe(array))
	assertFailed(t, "States.TaskFailed", `"Status":"FAILED"`, f.describe(bad))
	for _, c := range f.Calls("batch", "SubmitJob") {
		assert.Equal(t, "flow", c.Principal.Role)
	}
	assert.NotEmpty(t, f.Calls("batch", "DescribeJobs"))
	assert.NotEmpty(t, f.Calls("events", "PutRule"), "the role may make the rule by which Step Functions follows jobs")
}

func TestWithoutSpotCapacityTheTaskTimesOutOnTheClockAndGoesOnDemand(t *testing.T) {
	f, jobs := withJobs(t)
	none := false
	require.NoError(t, jobs.SetFaults(batch.Faults{SpotCapacity: &none}))
	arn := f.start(`{"code":0,"size":2}`)
	f.Advance(29 * time.Minute)
	assert.Equal(t, "RUNNING", f.describe(arn)["status"])
	f.Advance(time.Hour)
	got := f.describe(arn)
	require.Equal(t, "SUCCEEDED", got["status"], got["cause"])
	assert.Contains(t, got["output"], "States.Timeout")
	out := f.Must("batch", "ListJobs", `{"jobQueue":"spot","jobStatus":"FAILED"}`)
	require.Len(t, out["jobSummaryList"], 1, "the job that waited was terminated")
	assert.Zero(t, f.Clock.State().InFlight)
}

func TestAStoppedExecutionTerminatesItsJob(t *testing.T) {
	f, jobs := withJobs(t)
	none := false
	require.NoError(t, jobs.SetFaults(batch.Faults{SpotCapacity: &none}))
	arn := f.start(`{"code":0,"size":1}`)
	f.Advance(time.Minute)
	f.Must("states", "StopExecution", `{"executionArn":"`+arn+`"}`)
	f.Settle()
	assert.Equal(t, "ABORTED", f.describe(arn)["status"])
	out := f.Must("batch", "ListJobs", `{"jobQueue":"spot","jobStatus":"FAILED"}`)
	assert.Len(t, out["jobSummaryList"], 1)
}

func TestARoleThatMayNotMakeTheRuleIsRefusedAtDeployment(t *testing.T) {
	f, _ := withJobs(t)
	f.Deny(func(p kernel.Principal, action, _ string) bool { return p.Role == "flow" && action == "events:PutRule" })
	err := f.deploy("A", `"A":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync","Arguments":`+submission("spot")+`,"End":true}`)
	require.ErrorContains(t, err, "not authorized to create managed-rule")
}

func TestAnEndlessLoopEnds(t *testing.T) {
	f := newFlow(t)
	got := f.run("A", `"A":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n = 2 %}","Next":"C"}],"Default":"B"},"B":{"Type":"Pass","Next":"A"},"C":{"Type":"Succeed"}`, `{"n":1}`)
	assertFailed(t, "States.Runtime", "25000", got)
}
