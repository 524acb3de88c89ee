// Package system walks through the whole system as make builds it: the
// synthesised templates in the local AWS endpoint, the functions' binaries, the
// Batch program and the command line. make test builds all of it first; where
// something is missing the tests are skipped and say so.
package system

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/deployed"
	"github.com/livetwin/livetwin/internal/localaws"
	"github.com/livetwin/livetwin/internal/process"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/simulate"
	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
)

const (
	root     = "../.." // of the repository
	twinFile = root + "/examples/battery-storage/twin.yaml"
	twinName = "battery-storage"
	stage    = "local"
	health   = "cell-health" // the example's calibration
)

// monday is when simulated plants begin.
var monday = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	code := m.Run()
	// Only all tests together use every permission.
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && permissions.endpoints > 0 {
		if err := permissions.check("permissions.yaml"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// built returns the path of something that make builds, or skips the test.
func built(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "build", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: build/%s is absent; make test builds it", name)
	}
	return path
}

// A plant is the example twin, deployed into an endpoint of its own.
type plant struct {
	t        testing.TB
	endpoint *localaws.Endpoint
	config   aws.Config
	twin     *deployed.Twin
	store    calibration.Store
}

// deploy starts an endpoint at a business time and deploys the assembly that
// make synthesised. The test's end stops it and takes its report of permissions.
func deploy(t testing.TB, from time.Time) *plant {
	t.Helper()
	program, assembly := built(t, "awslocal"), built(t, "cdk.out/local")
	built(t, "lambda/plan-recalibration/bootstrap")
	built(t, "image/calibrate/calibrate")
	place, err := filepath.Abs(filepath.Join(root, "build", "test", "system", strings.ReplaceAll(t.Name(), "/", "-")))
	require.NoError(t, err)
	e, err := localaws.Start(t.Context(), localaws.Options{
		Program: program, Assembly: assembly, From: from,
		State: filepath.Join(place, "state"), Log: filepath.Join(place, "awslocal.log"),
		Args: []string{"--tools", filepath.Join(root, "node_modules"), "--models", built(t, "models")},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			assert.NoError(t, permissions.take(e), "usage report")
		} else {
			t.Log(process.Tail(filepath.Join(place, "awslocal.log"), 30))
		}
		assert.NoError(t, e.Stop())
		for _, mark := range []string{place + "/", e.Ready().Endpoint} { // engines name the folder, functions and jobs the endpoint
			assert.Empty(t, processes(mark), "processes left behind")
		}
	})
	started(t, filepath.Join(place, "awslocal.log"))
	p := &plant{t: t, endpoint: e}
	p.config, err = e.Config()
	require.NoError(t, err)
	p.twin, err = deployed.Find(t.Context(), p.config, twinName, stage)
	require.NoError(t, err)
	p.store = p.twin.Store()
	return p
}

// figures are the times that awslocal tells of its start.
var figures = regexp.MustCompile(`(ready|deployed) after (\d+) ms`)

// started logs how long the endpoint took to be ready and to deploy. The
// project allows a second and five; the machine may be busy with other tests.
func started(t testing.TB, log string) {
	t.Helper()
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	found := figures.FindAllStringSubmatch(string(b), -1)
	for _, f := range found {
		t.Logf("awslocal: %s ms until %s", f[2], f[1])
	}
	assert.Len(t, found, 2, "awslocal says how long it took to be ready and to deploy")
}

// simulated writes and loads telemetry of the example's three cells.
func (p *plant) simulated(cycles int, faults ...simulate.Fault) *replay.Recording {
	p.t.Helper()
	dir := p.t.TempDir()
	_, err := simulate.WriteFiles(simulate.Config{Cells: 3, Cycles: cycles, Seed: 1, Start: monday, Faults: faults}, dir, false)
	require.NoError(p.t, err)
	r, err := replay.Load(os.DirFS(dir), twinName, replay.AssetsOf(&p.twin.Definition))
	require.NoError(p.t, err)
	return r
}

// only keeps the samples of a recording with from <= time < to.
func only(r *replay.Recording, from, to time.Time) *replay.Recording {
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

func (p *plant) historian() *telemetrysitewise.Historian {
	return telemetrysitewise.New(iotsitewise.NewFromConfig(p.config))
}

// feed replays telemetry at the pace of the endpoint's clock.
func (p *plant) feed(r *replay.Recording) replay.Result {
	p.t.Helper()
	res, err := replay.Write(p.t.Context(), p.historian(), r, replay.Options{Timeline: replay.Keep(r, 30*time.Minute), Pacer: p.endpoint})
	require.NoError(p.t, err)
	require.Empty(p.t, res.Rejections)
	return res
}

// write stores samples now, whatever the clock says.
func (p *plant) write(points ...telemetry.Point) {
	p.t.Helper()
	rejected, err := p.historian().Write(p.t.Context(), points)
	require.NoError(p.t, err)
	require.Empty(p.t, rejected)
}

func (p *plant) until(at time.Time) {
	p.t.Helper()
	require.NoError(p.t, p.endpoint.WaitUntil(p.t.Context(), at))
}

// now is the endpoint's business time.
func (p *plant) now() time.Time {
	p.t.Helper()
	var state struct{ Now time.Time }
	require.NoError(p.t, p.endpoint.Control(p.t.Context(), http.MethodGet, "clock", nil, &state))
	return state.Now
}

func (p *plant) fault(fault any) {
	p.t.Helper()
	require.NoError(p.t, p.endpoint.Control(p.t.Context(), http.MethodPost, "faults", fault, nil))
}

// begin starts an execution of the deployed state machine.
func (p *plant) begin(name string, windowEnd time.Time) string {
	p.t.Helper()
	res, err := sfn.NewFromConfig(p.config).StartExecution(p.t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: &p.twin.StateMachine, Name: &name,
		Input: aws.String(fmt.Sprintf(`{"calibration": %q, "windowEnd": %q}`, health, windowEnd.UTC().Format(time.RFC3339))),
	})
	require.NoError(p.t, err)
	return aws.ToString(res.ExecutionArn)
}

// outcome waits for an execution that needs no step of the clock.
func (p *plant) outcome(execution string) *sfn.DescribeExecutionOutput {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	api := sfn.NewFromConfig(p.config)
	for {
		d, err := api.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
		require.NoError(p.t, err)
		if d.Status != types.ExecutionStatusRunning {
			return d
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// executions lists the executions of the state machine with a status.
func (p *plant) executions(status types.ExecutionStatus) []types.ExecutionListItem {
	p.t.Helper()
	var all []types.ExecutionListItem
	pages := sfn.NewListExecutionsPaginator(sfn.NewFromConfig(p.config), &sfn.ListExecutionsInput{StateMachineArn: &p.twin.StateMachine, StatusFilter: status})
	for pages.HasMorePages() {
		page, err := pages.NextPage(p.t.Context())
		require.NoError(p.t, err)
		all = append(all, page.Executions...)
	}
	return all
}

// states lists the states that an execution entered, in order.
func (p *plant) states(execution string) []string {
	p.t.Helper()
	var names []string
	pages := sfn.NewGetExecutionHistoryPaginator(sfn.NewFromConfig(p.config), &sfn.GetExecutionHistoryInput{ExecutionArn: &execution})
	for pages.HasMorePages() {
		page, err := pages.NextPage(p.t.Context())
		require.NoError(p.t, err)
		for _, e := range page.Events {
			if e.StateEnteredEventDetails != nil {
				names = append(names, aws.ToString(e.StateEnteredEventDetails.Name))
			}
		}
	}
	return names
}

func key(asset string) calibration.Key { return calibration.Key{Asset: asset, Calibration: health} }

func (p *plant) champion(asset string) calibration.Champion {
	p.t.Helper()
	c, _, err := p.store.Champion(p.t.Context(), key(asset))
	require.NoError(p.t, err)
	return c
}

// last returns the diagnostics of the run that advanced an asset last.
func (p *plant) last(asset string) calibration.Diagnostics {
	p.t.Helper()
	d, err := calibration.ReadDiagnostics(p.t.Context(), p.store, key(asset), p.champion(asset).StateRun)
	require.NoError(p.t, err)
	return d
}

// cli runs the command line against the endpoint, with nothing but the
// environment that a user's shell would have.
func (p *plant) cli(args ...string) (stdout string, code int) {
	p.t.Helper()
	out, errs, code := run(p.t, p.endpoint.Environment(), args...)
	if code != 0 {
		p.t.Logf("livetwin %s: %s", strings.Join(args, " "), errs)
	}
	return out, code
}

// run runs build/livetwin in the repository's folder.
func run(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, built(t, "livetwin"), args...)
	cmd.Dir, cmd.Env = root, env
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// permissions collects what every endpoint says of its roles.
var permissions usage

// usage is the union of calls that were denied and the intersection of allowed
// actions that no call used.
type usage struct {
	mu        sync.Mutex
	endpoints int
	unused    map[string]bool // "role action"
	denied    map[string]bool // "role action resource"
}

func (u *usage) take(e *localaws.Endpoint) error {
	var report struct {
		Unused []struct{ Role, Action string }
		Denied []struct{ Role, Action, Resource string }
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Control(ctx, http.MethodGet, "usage", nil, &report); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	unused := map[string]bool{}
	for _, x := range report.Unused {
		if line := x.Role + " " + x.Action; u.endpoints == 0 || u.unused[line] {
			unused[line] = true
		}
	}
	u.unused = unused
	if u.denied == nil {
		u.denied = map[string]bool{}
	}
	for _, x := range report.Denied {
		u.denied[x.Role+" "+x.Action+" "+x.Resource] = true
	}
	u.endpoints++
	return nil
}
