package batch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/batch"
)

// A world is a batch service with what it needs, and a program to run.
type world struct {
	t        *testing.T
	clock    *clock.Clock
	service  *batch.Service
	assembly string
	state    string
	denied   map[string]bool // actions

	mu     sync.Mutex
	events []map[string]any
}

// Emit implements batch.Emitter. An event that is emitted while nothing is in
// flight breaks the stepped clock's promise.
func (w *world) Emit(source, detailType string, resources []string, detail any) error {
	assert.NotZero(w.t, w.clock.State().InFlight, "an event of a job that is not in flight")
	assert.Equal(w.t, "aws.batch", source)
	assert.Equal(w.t, "Batch Job State Change", detailType)
	assert.Len(w.t, resources, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, detail.(map[string]any))
	return nil
}

// roles admit every role but those whose ARN ends in untrusted.
type roles struct{}

func (roles) Environment(role string) ([]string, error) {
	return []string{"AWS_ACCESS_KEY_ID=key-of-" + role[strings.LastIndex(role, "/")+1:], "HOME=/nonexistent"}, nil
}

func (roles) Assume(role, service string) (kernel.Principal, error) {
	if service != "ecs-tasks.amazonaws.com" || strings.HasSuffix(role, "untrusted") {
		return kernel.Principal{}, fmt.Errorf("%s does not trust %s", role, service)
	}
	return kernel.Principal{ARN: role, Role: role}, nil
}

const dockerfile = `# a comment
FROM public.ecr.aws/amazonlinux/amazonlinux:2023-minimal
COPY . /app/
ENV FROM_IMAGE=image SHARED=image
USER 1000
ENTRYPOINT ["/app/program"]
CMD ["default"]
`

// newWorld deploys two queues and a job definition that runs a shell script.
func newWorld(t *testing.T, script, properties string) *world {
	t.Helper()
	w := &world{t: t, assembly: t.TempDir(), state: t.TempDir(), denied: map[string]bool{}}
	var err error
	w.clock, err = clock.New(start, clock.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	w.service = batch.New(batch.Config{
		Identity: kernel.Identity{Account: "000000000000", Region: "us-east-1", Partition: "aws"},
		Clock:    w.clock, Roles: roles{}, Events: w, StateDir: w.state, Parallel: 4, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() { w.clock.Close(); w.service.Close() })
	w.write("asset.1/Dockerfile", dockerfile)
	w.write("asset.1/program", "#!/bin/sh\n"+script)
	w.write("Jobs.assets.json", `{"dockerImages":{"1":{"source":{"directory":"asset.1"},"destinations":{"d":{
		"repositoryName":"images-${AWS::AccountId}-${AWS::Region}","imageTag":"1"}}}}}`)
	for name, kind := range map[string]string{"spot": "FARGATE_SPOT", "on-demand": "FARGATE"} {
		require.NoError(t, w.deploy("AWS::Batch::ComputeEnvironment", fmt.Sprintf(`{"ComputeEnvironmentName":%q,"Type":"managed",
			"ComputeResources":{"Type":%q,"MaxvCpus":256,"Subnets":["subnet-1"]}}`, name, kind)))
		require.NoError(t, w.deploy("AWS::Batch::JobQueue", fmt.Sprintf(`{"JobQueueName":%q,"Priority":1,"ComputeEnvironmentOrder":[{"Order":1,"ComputeEnvironment":%q}]}`, name, name)))
	}
	require.NoError(t, w.deploy("AWS::Batch::JobDefinition", definition(properties)))
	return w
}

// definition is a job definition with further properties.
func definition(more string) string {
	return `{"JobDefinitionName":"calibrate","Type":"container",` + more + `"Parameters":{"mode":"quick"},"ContainerProperties":{
		"Image":"000000000000.dkr.ecr.us-east-1.amazonaws.com/images-000000000000-us-east-1:1",
		"JobRoleArn":"arn:aws:iam::000000000000:role/job","ExecutionRoleArn":"arn:aws:iam::000000000000:role/execution",
		"Environment":[{"Name":"SHARED","Value":"definition"},{"Name":"FROM_DEFINITION","Value":"definition"}]}}`
}

func (w *world) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.assembly, name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(w.t, os.WriteFile(file, []byte(text), 0o755))
}

func (w *world) deploy(kind, properties string) error {
	_, err := w.service.Provides()[kind](w.t.Context(), &kernel.Resource{
		Stack: "Jobs", LogicalID: "R", Type: kind, Properties: json.RawMessage(properties), Assembly: w.assembly,
	})
	return err
}

func (w *world) call(operation, input string) (map[string]any, error) {
	w.t.Helper()
	c := &kernel.Call{Service: "batch", Operation: operation, Input: json.RawMessage(input), Authorizer: func(_ kernel.Principal, action string, _ []string) error {
		if w.denied[action] {
			return kernel.Errorf(403, "AccessDeniedException", "not authorized to perform %s", action)
		}
		return nil
	}}
	out, err := w.service.Operations()[operation](context.Background(), c)
	assert.True(w.t, c.Authorized(), "%s did not ask whether the caller may", operation)
	if err != nil {
		return nil, err
	}
	model, err := apimodeltest.Models(w.t).Service("batch")
	require.NoError(w.t, err)
	text, err := model.CheckOutput(operation, out)
	require.NoError(w.t, err, "an answer that AWS could not give")
	var decoded map[string]any
	require.NoError(w.t, json.Unmarshal(text, &decoded))
	return decoded, nil
}

// submit submits a job to a queue with further members of the request.
func (w *world) submit(queue, more string) string {
	w.t.Helper()
	out, err := w.call("SubmitJob", fmt.Sprintf(`{"jobName":"job","jobQueue":%q,"jobDefinition":"calibrate"%s}`, queue, more))
	require.NoError(w.t, err)
	return out["jobId"].(string)
}

// settle waits until nothing is in flight.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(w.t, w.clock.Advance(ctx, w.clock.Now()))
}

func (w *world) job(id string) map[string]any {
	w.t.Helper()
	out, err := w.call("DescribeJobs", fmt.Sprintf(`{"jobs":[%q]}`, id))
	require.NoError(w.t, err)
	jobs := out["jobs"].([]any)
	require.Len(w.t, jobs, 1)
	return jobs[0].(map[string]any)
}

func (w *world) log(id string) string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.state, "logs", "batch", "*"+strings.ReplaceAll(id, ":", "-")+".log"))
	require.NoError(w.t, err)
	require.Len(w.t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(w.t, err)
	return string(text)
}

func (w *world) statuses(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.events {
		if e["jobId"] == id {
			out = append(out, e["status"].(string))
		}
	}
	return out
}
