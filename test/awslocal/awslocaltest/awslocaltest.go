// Package awslocaltest starts the program awslocal for tests: as a process of
// its own, since the AWS SDK and Go read proxy variables once per process, and
// since what is tested is also that the process and its children end.
package awslocaltest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
)

// startTimeout is how long a start may take on a busy machine.
const startTimeout = 30 * time.Second

// An Endpoint is a running awslocal.
type Endpoint struct {
	Endpoint        string    `json:"endpoint"`
	Region          string    `json:"region"`
	Account         string    `json:"account"`
	AccessKeyID     string    `json:"accessKeyId"`
	SecretAccessKey string    `json:"secretAccessKey"` //nolint:gosec // of an endpoint that ends with the test
	Clock           time.Time `json:"clock"`

	State string // its folder
	Cmd   *exec.Cmd

	out    *output
	exited chan struct{}
	err    error
}

// output collects what a process prints, also while it is read.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// module is the folder of the awslocal module: the nearest one with a go.mod
// above the test's own folder. (Paths that the compiler records are trimmed.)
func module() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("awslocaltest: no go.mod above the working directory; run the tests in their own folder")
}

// Tools returns the folder of npm packages, and skips the test where they are
// not installed.
func Tools(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(module(), "..", "..", "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "@dynoxide", "linux-x64", "dynoxide")); err != nil {
		t.Skip("SKIPPED: the npm packages are not installed (npm ci in the repository)")
	}
	return dir
}

var builds struct {
	sync.Mutex
	dir  string
	done map[string]bool
}

// Go builds a main package of the module, once per test process, and returns
// the program.
func Go(t testing.TB, pkg string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "awslocaltest-")
		require.NoError(t, err)
		builds.dir, builds.done = dir, map[string]bool{}
	}
	program := filepath.Join(builds.dir, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-"))
	if builds.done[pkg] {
		return program
	}
	cmd := exec.Command("go", "build", "-o", program, pkg) //nolint:gosec // a package of this module
	cmd.Dir = module()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	builds.done[pkg] = true
	return program
}

// Models returns the folder of the API models.
func Models(t testing.TB) string {
	t.Helper()
	fetch := Go(t, "./cmd/fetchmodels")
	builds.Lock()
	defer builds.Unlock()
	dir := filepath.Join(builds.dir, "models")
	if !builds.done["models"] {
		cmd := exec.Command(fetch, "-o", dir) //nolint:gosec // built by Go above
		cmd.Dir = module()
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", text)
		builds.done["models"] = true
	}
	return dir
}

// Cleanup removes what Go and Models built; TestMain calls it.
func Cleanup() {
	builds.Lock()
	defer builds.Unlock()
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
		builds.dir = ""
	}
}

// Begin starts awslocal over the assembly and does not wait for it.
func Begin(t testing.TB, assembly, state string, args ...string) *Endpoint {
	t.Helper()
	args = append([]string{"up", assembly, "--port", "0", "--state", state, "--tools", Tools(t), "--models", Models(t)}, args...)
	return launch(t, state, Go(t, "./cmd/awslocal"), args...)
}

func launch(t testing.TB, state, program string, args ...string) *Endpoint {
	t.Helper()
	e := &Endpoint{State: state, out: &output{}, exited: make(chan struct{})}
	e.Cmd = exec.Command(program, args...) //nolint:gosec // built by Go above
	e.Cmd.Stdout, e.Cmd.Stderr = e.out, e.out
	require.NoError(t, e.Cmd.Start())
	go func() {
		e.err = e.Cmd.Wait()
		close(e.exited)
	}()
	t.Cleanup(func() { e.Stop(t) })
	return e
}

// Start starts awslocal over the assembly and waits until all is deployed.
func Start(t testing.TB, assembly string, args ...string) *Endpoint {
	t.Helper()
	e := Begin(t, assembly, t.TempDir(), args...)
	e.WaitReady(t)
	return e
}

// WaitReady waits until all is deployed.
func (e *Endpoint) WaitReady(t testing.TB) {
	t.Helper()
	file := filepath.Join(e.State, "ready.json")
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if data, err := os.ReadFile(file); err == nil { //nolint:gosec // in the test's state folder
			require.NoError(t, json.Unmarshal(data, e))
			return
		}
		select {
		case <-e.exited:
			require.FailNow(t, "awslocal ended before it was ready", "%s", e.Output())
		default:
		}
	}
	require.FailNow(t, "awslocal is not ready", "%s", e.Output())
}

// Output returns what it printed so far.
func (e *Endpoint) Output() string { return e.out.String() }

// Wait waits until it has ended and returns the exit code, -1 for a signal.
func (e *Endpoint) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-e.exited:
	case <-time.After(startTimeout):
		require.FailNow(t, "awslocal does not end", "%s", e.Output())
	}
	return e.Cmd.ProcessState.ExitCode()
}

// Stop ends it, at once when it does not end by itself.
func (e *Endpoint) Stop(t testing.TB) {
	t.Helper()
	_ = e.Cmd.Process.Signal(os.Interrupt)
	select {
	case <-e.exited:
	case <-time.After(10 * time.Second):
		_ = e.Cmd.Process.Kill()
		<-e.exited
		t.Errorf("awslocal did not end when it was interrupted:\n%s", e.Output())
	}
}

// Config returns the configuration of SDK clients that call as the operator.
func (e *Endpoint) Config() aws.Config {
	return e.ConfigOf(e.AccessKeyID, e.SecretAccessKey, "")
}

// ConfigOf returns the configuration of SDK clients that sign with a key.
func (e *Endpoint) ConfigOf(key, secret, token string) aws.Config {
	proxy := func(r *http.Request) (*url.URL, error) {
		if "http://"+r.URL.Host == e.Endpoint {
			return nil, nil //nolint:nilnil // no proxy and no error, says net/http
		}
		return url.Parse(e.Endpoint)
	}
	return aws.Config{
		Region:       e.Region,
		BaseEndpoint: aws.String(e.Endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(key, secret, token),
		HTTPClient:   awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.Proxy = proxy }),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} }, // what fails once is what is tested
	}
}
