package main

import (
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/livetwin/livetwin/cmd/livetwin/demo"
	"github.com/livetwin/livetwin/internal/plant/all"
)

type demoCommand struct {
	Data   string `help:"Folder of recorded telemetry, a CSV file per cell; without it a plant is simulated." placeholder:"DIR"`
	Twin   string `help:"The twin whose calibrated assets are fitted to the telemetry." default:"examples/battery-storage/twin.yaml"`
	Cells  int    `help:"Cells of the simulated plant." default:"3"`
	Cycles int    `help:"Discharges of every simulated cell." default:"24"`
	Seed   uint64 `help:"Seed of the simulated plant." default:"2"`
	Fault  bool   `help:"Inject a fault into a voltage sensor of the simulated plant." default:"true" negatable:""`
	Build  string `help:"Folder of what make built." default:"build"`
	Out    string `help:"Folder for everything that the demo writes." default:"build/demo"`
}

// Run runs the demo. Its twin and data come from the repository, so a failure
// is one of this machine, not of the input.
func (c *demoCommand) Run(ctx context.Context, out io.Writer) error {
	versions := map[string]string{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		versions["livetwin"] = info.Main.Version
	}
	return demo.Run(ctx, demo.Config{
		Twin: c.Twin, Data: c.Data, Build: c.Build, Out: c.Out,
		Cells: c.Cells, Cycles: c.Cycles, Seed: c.Seed, Fault: c.Fault,
		Models: all.Describe, Started: time.Now(), Now: time.Now, Versions: versions,
	}, out)
}
