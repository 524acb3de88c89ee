package sitewise_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
)

// stateVariable names the state folder of a child process that serves until it
// is killed.
const stateVariable = "SITEWISE_TEST_STATE"

// TestServe is no test of its own: it is the process that the test below kills.
func TestServe(t *testing.T) {
	state := os.Getenv(stateVariable)
	if state == "" {
		t.Skip("runs as a child of TestAcknowledgedValuesOutliveAKill")
	}
	p := start(t, state)
	p.deploy(t)
	fmt.Printf("ready %s\n", strings.TrimPrefix(aws.ToString(p.server.Config().BaseEndpoint), "http://"))
	select {}
}

// A value that was acknowledged is there after kill -9, and nothing is there
// that was not sent: the log's promise.
func TestAcknowledgedValuesOutliveAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	state := t.TempDir()
	acknowledged := make([]int, 2) // by cell: values 0 to n-1 a second apart
	for round := range 3 {
		client, kill := serve(t, state)
		var all sync.WaitGroup
		for c := range acknowledged {
			all.Go(func() { acknowledged[c] += ingest(t, client, fmt.Sprintf("/cell-%d/voltage", c+1), acknowledged[c]) })
		}
		time.Sleep(time.Duration(30+40*round) * time.Millisecond) // wherever the writers are then
		kill()
		all.Wait()
	}
	p := start(t, state)
	p.deploy(t)
	for c, n := range acknowledged {
		got := p.history(t, fmt.Sprintf("/cell-%d/voltage", c+1))
		require.Positive(t, n)
		require.GreaterOrEqual(t, len(got), n, "acknowledged values are lost")
		for i, s := range got {
			assert.Equal(t, sample{noon.Add(time.Duration(i-86_400) * time.Second).Format("15:04:05"), float64(i)}, s)
		}
		assert.LessOrEqual(t, len(got)-n, 10, "at most the request in flight is there beyond them")
	}
}

// ingest writes values in order until the server is gone and returns how many it
// acknowledged.
func ingest(t *testing.T, client *iotsitewise.Client, alias string, from int) int {
	for n := 0; ; n += 10 {
		e := entry("e", alias)
		for i := range 10 {
			at := noon.Add(time.Duration(from+n+i-86_400) * time.Second)
			e.PropertyValues = append(e.PropertyValues, value(at, double(float64(from+n+i)), ""))
		}
		in := &iotsitewise.BatchPutAssetPropertyValueInput{}
		in.Entries = append(in.Entries, e)
		out, err := client.BatchPutAssetPropertyValue(t.Context(), in)
		if err != nil {
			return n
		}
		assert.Empty(t, out.ErrorEntries)
	}
}

// serve starts a child process and returns a client of it and what kills it.
func serve(t *testing.T, state string) (*iotsitewise.Client, func()) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServe$") //nolint:gosec // this test's own program
	child.Env = append(os.Environ(), stateVariable+"="+state)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	var once sync.Once
	kill := func() {
		once.Do(func() {
			require.NoError(t, child.Process.Kill())
			assert.ErrorContains(t, child.Wait(), "killed")
		})
	}
	t.Cleanup(kill)
	var address string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "ready %s", &address); n == 1 {
			break
		}
	}
	require.NotEmpty(t, address, "the child did not start")
	return iotsitewise.NewFromConfig(apimodeltest.Config(address)), kill
}
