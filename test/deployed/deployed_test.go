//go:build deployed

// Package deployed takes the walk of the system tests through a twin that is
// deployed in an account:
//
//	LIVETWIN_DEPLOYED_TWIN=twin.yaml LIVETWIN_DEPLOYED_STAGE=dev \
//	LIVETWIN_DEPLOYED_WRITE=yes go test -tags deployed ./test/deployed
//
// with the AWS SDK's usual configuration. It writes simulated telemetry to the
// twin's calibrated assets, so it wants to be told that it may.
package deployed

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/deployed"
	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
	"github.com/livetwin/livetwin/internal/twin"
	"github.com/livetwin/livetwin/test/walk"
)

// setting returns an environment variable that the test cannot do without.
func setting(t *testing.T, name, holds string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: it holds %s", name, holds)
	}
	return v
}

func TestWalk(t *testing.T) {
	file := setting(t, "LIVETWIN_DEPLOYED_TWIN", "the definition of the deployed twin")
	stage := setting(t, "LIVETWIN_DEPLOYED_STAGE", "the stage that it is deployed as, such as dev")
	if setting(t, "LIVETWIN_DEPLOYED_WRITE", "yes, when simulated telemetry may be written to the twin's assets") != "yes" {
		t.Fatal("LIVETWIN_DEPLOYED_WRITE is not yes: nothing was written")
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join("../..", file) // tests run in their own folder
	}
	definition, err := twin.Load(file)
	require.NoError(t, err)
	cfg, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	found, err := deployed.Find(t.Context(), cfg, definition.Name, stage)
	require.NoError(t, err)

	// Two days back there is room for both recordings, in order.
	begin := time.Now().UTC().Add(-48 * time.Hour)
	fed := 0
	walk.Walk(t, walk.Site{
		Config: cfg, Twin: found, Start: begin, Now: time.Now, Patience: 3 * time.Hour,
		Feed: func(t *testing.T, r *replay.Recording) time.Time {
			t.Helper()
			// The first recording ends a day ago, the second an hour ago: both
			// are over by more than a segment gap.
			window := replay.Window{Oldest: begin, Newest: time.Now().UTC().Add(-time.Hour)}
			if fed == 0 {
				window.Newest = begin.Add(24 * time.Hour)
			}
			fed++
			line, err := replay.Fit(r, 30*time.Minute, window)
			require.NoError(t, err)
			res, err := replay.Write(t.Context(), telemetrysitewise.New(iotsitewise.NewFromConfig(cfg)), r, replay.Options{Timeline: line, Pacer: replay.AtOnce{}})
			require.NoError(t, err)
			require.Empty(t, res.Rejections)
			return res.Last
		},
	})
}
