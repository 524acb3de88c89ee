package batch_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/services/batch"
)

var start = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func TestAJobRunsTheImagesProgram(t *testing.T) {
	w := newWorld(t, `echo "args: $*"; env; pwd`, "")
	id := w.submit("spot", `,"parameters":{"mode":"full"},"containerOverrides":{"command":["--mode","Ref::mode","Ref::unset"],
		"environment":[{"name":"SHARED","value":"job"}]}`)
	w.settle()
	j := w.job(id)
	assert.Equal(t, "SUCCEEDED", j["status"])
	assert.EqualValues(t, 0, j["container"].(map[string]any)["exitCode"])
	log := w.log(id)
	for _, want := range []string{
		"args: --mode full Ref::unset\n", "FROM_IMAGE=image\n", "FROM_DEFINITION=definition\n", "SHARED=job\n", "AWS_ACCESS_KEY_ID=key-of-job\n",
		"AWS_BATCH_JOB_ID=" + id + "\n", "AWS_BATCH_JOB_ATTEMPT=1\n", "AWS_BATCH_JQ_NAME=spot\n", "AWS_BATCH_CE_NAME=spot\n",
	} {
		assert.Contains(t, log, want)
	}
	assert.NotContains(t, log, "GOPATH", "the environment is built from nothing")
	got := w.statuses(id)
	slices.Sort(got) // Batch promises no order of its events
	assert.Equal(t, []string{"RUNNABLE", "RUNNING", "STARTING", "SUCCEEDED"}, got)

	plain := w.submit("spot", "")
	w.settle()
	assert.Contains(t, w.log(plain), "args: default\n", "CMD is the default command")
}

func TestAnArrayRunsItsChildren(t *testing.T) {
	w := newWorld(t, `echo "index $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE"; [ "$AWS_BATCH_JOB_ARRAY_INDEX" != "2" ]`, "")
	id := w.submit("spot", `,"arrayProperties":{"size":5}`)
	w.settle()
	j := w.job(id)
	assert.Equal(t, "FAILED", j["status"], "one child failed")
	assert.Equal(t, "Array Child Job failed", j["statusReason"])
	assert.Equal(t, map[string]any{"SUCCEEDED": 4.0, "FAILED": 1.0}, j["arrayProperties"].(map[string]any)["statusSummary"])
	for i := range 5 {
		assert.Contains(t, w.log(fmt.Sprintf("%s:%d", id, i)), fmt.Sprintf("index %d of 5", i))
	}
	assert.Equal(t, "FAILED", w.job(id + ":2")["status"])
	out, err := w.call("ListJobs", fmt.Sprintf(`{"arrayJobId":%q,"jobStatus":"FAILED"}`, id))
	require.NoError(t, err)
	assert.Len(t, out["jobSummaryList"], 1)
}

func TestADependentJobWaits(t *testing.T) {
	w := newWorld(t, `[ "$1" = default ]`, "")
	first := w.submit("spot", "")
	second := w.submit("spot", fmt.Sprintf(`,"dependsOn":[{"jobId":%q}]`, first))
	bad := w.submit("spot", `,"containerOverrides":{"command":["fail"]}`)
	w.settle()
	assert.Equal(t, "SUCCEEDED", w.job(second)["status"])
	assert.GreaterOrEqual(t, w.job(second)["startedAt"], w.job(first)["stoppedAt"])
	assert.Equal(t, "FAILED", w.job(bad)["status"])
	_, err := w.call("SubmitJob", fmt.Sprintf(`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","dependsOn":[{"jobId":%q}]}`, bad))
	require.ErrorContains(t, err, "has failed")
}

const rules = `"RetryStrategy":{"Attempts":3,"EvaluateOnExit":[{"OnExitCode":"75","Action":"RETRY"},{"OnExitCode":"137","Action":"RETRY"},
	{"OnStatusReason":"Your Spot Task was interrupted*","Action":"RETRY"},{"OnReason":"*","Action":"EXIT"}]},`

func TestRetriesFollowTheRules(t *testing.T) {
	w := newWorld(t, `echo "attempt $AWS_BATCH_JOB_ATTEMPT"; [ "$AWS_BATCH_JOB_ATTEMPT" = 3 ] || exit $1`, rules)
	transient := w.submit("on-demand", `,"containerOverrides":{"command":["75"]}`)
	permanent := w.submit("on-demand", `,"containerOverrides":{"command":["64"]}`)
	w.settle()
	j := w.job(transient)
	assert.Equal(t, "SUCCEEDED", j["status"])
	assert.Len(t, j["attempts"], 3)
	assert.Equal(t, "attempt 1\nattempt 2\nattempt 3\n", w.log(transient))
	j = w.job(permanent)
	assert.Equal(t, "FAILED", j["status"])
	assert.Len(t, j["attempts"], 1)
	assert.EqualValues(t, 64, j["container"].(map[string]any)["exitCode"])
}

func TestWithoutSpotCapacityTimePasses(t *testing.T) {
	w := newWorld(t, `exit 0`, rules)
	off := false
	require.NoError(t, w.service.SetFaults(batch.Faults{SpotCapacity: &off}))
	id := w.submit("spot", "")
	elsewhere := w.submit("on-demand", "")
	require.NoError(t, w.clock.Advance(t.Context(), start.Add(time.Hour)), "a job without capacity does not hold the clock")
	assert.Equal(t, "RUNNABLE", w.job(id)["status"])
	assert.Equal(t, "SUCCEEDED", w.job(elsewhere)["status"])

	waiting := w.submit("spot", "")
	_, err := w.call("TerminateJob", fmt.Sprintf(`{"jobId":%q,"reason":"no longer needed"}`, waiting))
	require.NoError(t, err)
	assert.Equal(t, "FAILED", w.job(waiting)["status"])
	assert.Equal(t, "no longer needed", w.job(waiting)["statusReason"])

	require.NoError(t, w.service.SetFaults(batch.Faults{}))
	w.settle()
	assert.Equal(t, "SUCCEEDED", w.job(id)["status"], "capacity came back")
}

func TestAnAttemptIsKilledAfterItWroteSoMuch(t *testing.T) {
	w := newWorld(t, `echo "attempt $AWS_BATCH_JOB_ATTEMPT"; [ "$AWS_BATCH_JOB_ATTEMPT" != 1 ] || exec sleep 60`, rules)
	require.NoError(t, w.service.SetFaults(batch.Faults{KillAttempt: &batch.KillAttempt{JobDefinition: "calibrate", Attempt: 1, AfterBytesOfLog: 5}}))
	id := w.submit("spot", "")
	w.settle()
	j := w.job(id)
	assert.Equal(t, "SUCCEEDED", j["status"])
	attempts := j["attempts"].([]any)
	require.Len(t, attempts, 2)
	assert.EqualValues(t, 128+int(syscall.SIGKILL), attempts[0].(map[string]any)["container"].(map[string]any)["exitCode"])
}

func TestASpotTaskIsInterrupted(t *testing.T) {
	w := newWorld(t, `[ "$AWS_BATCH_JOB_ATTEMPT" != 1 ] || exec sleep 60`, rules)
	require.NoError(t, w.service.SetFaults(batch.Faults{InterruptSpot: 1, InterruptAfterMillis: 20}))
	id := w.submit("spot", "")
	w.settle()
	j := w.job(id)
	assert.Equal(t, "SUCCEEDED", j["status"])
	attempts := j["attempts"].([]any)
	require.Len(t, attempts, 2)
	assert.Equal(t, "Your Spot Task was interrupted.", attempts[0].(map[string]any)["statusReason"])
}

func TestARunningJobIsTerminatedWithItsChildren(t *testing.T) {
	w := newWorld(t, `sleep 300 & echo $!; wait`, rules)
	id := w.submit("spot", "")
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(w.state, "logs", "batch", "*.log"))
		return len(files) == 1 && w.log(id) != ""
	}, 10*time.Second, 10*time.Millisecond)
	_, err := w.call("CancelJob", fmt.Sprintf(`{"jobId":%q,"reason":"cancelled"}`, id))
	require.NoError(t, err)
	assert.Equal(t, "RUNNING", w.job(id)["status"], "CancelJob leaves a running job alone")
	_, err = w.call("TerminateJob", fmt.Sprintf(`{"jobId":%q,"reason":"the task timed out"}`, id))
	require.NoError(t, err)
	w.settle()
	j := w.job(id)
	assert.Equal(t, "FAILED", j["status"])
	assert.Equal(t, "the task timed out", j["statusReason"])
	assert.Len(t, j["attempts"], 1, "a terminated job is not tried again")
	var pid int
	_, err = fmt.Sscan(w.log(id), &pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 5*time.Second, 10*time.Millisecond, "what the program started ends with it")
}

func TestCloseKillsWhatRuns(t *testing.T) {
	w := newWorld(t, `echo started; trap "" TERM; while :; do sleep 1; done`, "")
	id := w.submit("spot", "")
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(w.state, "logs", "batch", "*.log"))
		return len(files) == 1 && w.log(id) != ""
	}, 10*time.Second, 10*time.Millisecond)
	w.service.Close() // returns although the program ignores SIGTERM
}

func TestARoleThatCannotBeAssumedFailsTheJob(t *testing.T) {
	w := newWorld(t, `exit 0`, "")
	require.NoError(t, w.deploy("AWS::Batch::JobDefinition", strings.Replace(definition(""), "role/job", "role/untrusted", 1)))
	id := w.submit("spot", "")
	w.settle()
	j := w.job(id)
	assert.Equal(t, "FAILED", j["status"])
	assert.Contains(t, j["container"].(map[string]any)["reason"], "unable to assume the job role")
	assert.Contains(t, j["jobDefinition"], "calibrate:2", "other properties are a new revision")
}

func TestSubmissionsThatBatchRefuses(t *testing.T) {
	w := newWorld(t, `exit 0`, "")
	for name, c := range map[string]struct{ input, want string }{
		"queue":       {`{"jobName":"job","jobQueue":"none","jobDefinition":"calibrate"}`, "JobQueue none not found"},
		"definition":  {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate:7"}`, "calibrate:7 not found"},
		"name":        {`{"jobName":"a job","jobQueue":"spot","jobDefinition":"calibrate"}`, "a job"},
		"array of 1":  {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","arrayProperties":{"size":1}}`, "from 2 to 10000"},
		"big array":   {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","arrayProperties":{"size":10001}}`, "from 2 to 10000"},
		"time-out":    {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","timeout":{"attemptDurationSeconds":5}}`, "at least 60"},
		"variable":    {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","containerOverrides":{"environment":[{"name":"AWS_BATCH_X","value":"1"}]}}`, "AWS_BATCH_X"},
		"N to N":      {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","dependsOn":[{"jobId":"1","type":"N_TO_N"}]}`, "N_TO_N"},
		"multi-node":  {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","nodeOverrides":{}}`, "not implemented"},
		"exit action": {`{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate","retryStrategy":{"attempts":2,"evaluateOnExit":[{"onExitCode":"1","action":"AGAIN"}]}}`, "AGAIN"},
	} {
		_, err := w.call("SubmitJob", c.input)
		require.ErrorContains(t, err, c.want, name)
	}
	w.denied["batch:SubmitJob"] = true
	_, err := w.call("SubmitJob", `{"jobName":"job","jobQueue":"spot","jobDefinition":"calibrate"}`)
	require.ErrorContains(t, err, "not authorized")
}

func TestDockerfilesThatAreRefused(t *testing.T) {
	w := newWorld(t, `exit 0`, "")
	for text, want := range map[string]string{
		"FROM a\nRUN make\nENTRYPOINT [\"/app/program\"]": "Dockerfile:2: RUN",
		"FROM a AS b\n":                                              "Dockerfile:1:",
		"FROM a\nFROM b\n":                                           "Dockerfile:2: a second FROM",
		"FROM a\nCOPY --from=b /x /y\n":                              "--from=b",
		"FROM a\nCOPY ../x /app/\n":                                  "outside the build context",
		"FROM a\nCOPY missing /app/\n":                               "missing",
		"FROM a\nCOPY *.so /app/\n":                                  "wildcards",
		"FROM a\nENTRYPOINT /app/program\n":                          "exec form",
		"FROM a\nCOPY . /app/\nENTRYPOINT [\"/bin/program\"]":        "no COPY",
		"FROM a\nCOPY . /app/\nENTRYPOINT [\"program\"]":             "by its path in the image",
		"FROM a\nCOPY . /app/\nENTRYPOINT [\"/app/Dockerfile.txt\"]": "no COPY",
		"FROM a\nENV A=\"b c\"\n":                                    "ENV",
		"FROM a\nHEALTHCHECK NONE\n":                                 "HEALTHCHECK",
		"COPY . /app/\n":                                             "no FROM",
		"FROM a\nCOPY . \\\n  /app/\n":                               "continues on the next line",
		"FROM a\nCOPY . /app/\n":                                     "which program",
		"FROM a\nCOPY . /app/\nENTRYPOINT [\"/app/data\"]":           "not an executable file",
	} {
		w.write("asset.1/data/table.csv", "1")
		w.write("asset.1/Dockerfile", text)
		err := w.deploy("AWS::Batch::JobDefinition", definition(""))
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "Jobs/R (AWS::Batch::JobDefinition)", text)
	}
	w.write("asset.1/Dockerfile", "FROM a\nWORKDIR /opt/app\nCOPY program ./bin/run\nENTRYPOINT [\"/opt/app/bin/run\"]")
	require.NoError(t, w.deploy("AWS::Batch::JobDefinition", definition("")))
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	w := newWorld(t, `exit 0`, "")
	for name, c := range map[string]struct{ properties, want string }{
		"other image":       {strings.Replace(definition(""), "us-east-1:1", "us-east-1:2", 1), "not an asset"},
		"unknown property":  {definition(`"Colour":"red",`), "Colour"},
		"short time-out":    {definition(`"Timeout":{"AttemptDurationSeconds":5},`), "at least 60"},
		"no execution role": {strings.Replace(definition(""), `"ExecutionRoleArn":"arn:aws:iam::000000000000:role/execution",`, "", 1), "ExecutionRoleArn"},
		"secrets":           {strings.Replace(definition(""), `"JobRoleArn"`, `"Secrets":[{"Name":"a"}],"JobRoleArn"`, 1), "Secrets"},
		"many attempts":     {definition(`"RetryStrategy":{"Attempts":11},`), "1 to 10"},
	} {
		require.ErrorContains(t, w.deploy("AWS::Batch::JobDefinition", c.properties), c.want, name)
	}
	require.ErrorContains(t, w.deploy("AWS::Batch::ComputeEnvironment", `{"Type":"managed","ComputeResources":{"Type":"EC2","MaxvCpus":1,"Subnets":["s"]}}`), "FARGATE")
	require.ErrorContains(t, w.deploy("AWS::Batch::JobQueue", `{"JobQueueName":"q","ComputeEnvironmentOrder":[{"Order":1,"ComputeEnvironment":"none"}]}`), "does not exist")
}

func TestDescriptions(t *testing.T) {
	w := newWorld(t, `exit 0`, "")
	out, err := w.call("DescribeJobQueues", `{"jobQueues":["spot"]}`)
	require.NoError(t, err)
	assert.Len(t, out["jobQueues"], 1)
	out, err = w.call("DescribeComputeEnvironments", `{}`)
	require.NoError(t, err)
	assert.Len(t, out["computeEnvironments"], 2)
	out, err = w.call("DescribeJobDefinitions", `{"jobDefinitionName":"calibrate","status":"ACTIVE"}`)
	require.NoError(t, err)
	assert.Len(t, out["jobDefinitions"], 1)
	for range 3 {
		w.submit("spot", "")
	}
	w.settle()
	out, err = w.call("ListJobs", `{"jobQueue":"spot","jobStatus":"SUCCEEDED","maxResults":2}`)
	require.NoError(t, err)
	assert.Len(t, out["jobSummaryList"], 2)
	out, err = w.call("ListJobs", fmt.Sprintf(`{"jobQueue":"spot","jobStatus":"SUCCEEDED","maxResults":2,"nextToken":%q}`, out["nextToken"]))
	require.NoError(t, err)
	assert.Len(t, out["jobSummaryList"], 1)
}

func TestFaultsHandler(t *testing.T) {
	w := newWorld(t, `exit 0`, "")
	server := httptest.NewServer(w.service.FaultsHandler())
	defer server.Close()
	do := func(method, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader(body))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(b)
	}
	status, body := do(http.MethodPost, `{"spotCapacity":false,"killAttempt":{"jobDefinition":"calibrate","attempt":1,"afterMillis":5}}`)
	assert.Equal(t, 200, status, body)
	_, body = do(http.MethodGet, "")
	assert.JSONEq(t, `{"spotCapacity":false,"killAttempt":{"jobDefinition":"calibrate","attempt":1,"afterMillis":5}}`, body)
	for _, bad := range []string{`{"spotcapacityy":false}`, `{"killAttempt":{"attempt":0,"afterMillis":1}}`, `{"killAttempt":{"attempt":1}}`, `{"interruptSpot":-1}`} {
		status, _ = do(http.MethodPost, bad)
		assert.Equal(t, 400, status, bad)
	}
	status, body = do(http.MethodDelete, "")
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{}`, body)
}
