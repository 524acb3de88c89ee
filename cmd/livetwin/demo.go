package main

import (
	"context"
	"errors"
	"fmt"
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
	Cycles int    `help:"Discharges of every cell: 24 simulated ones by default, or the first 40 of recorded telemetry." placeholder:"N"`
	Seed   uint64 `help:"Seed of the simulated plant." default:"2"`
	Fault  bool   `help:"Inject a fault into a voltage sensor of the simulated plant." default:"true" negatable:""`
	Build  string `help:"Folder of what make built." default:"build"`
	Out    string `help:"Folder for everything that the demo writes." default:"build/demo"`
}

// Cycles of every cell when the command line does not say.
const (
	simulatedCycles = 24
	recordedCycles  = 40 // what the figures are defined over, and within a minute
)

// Run runs the demo.
func (c *demoCommand) Run(ctx context.Context, out io.Writer) error {
	versions := map[string]string{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		versions["livetwin"] = info.Main.Version
	}
	switch {
	case c.Cycles < 0:
		return wrongInput(fmt.Errorf("--cycles %d: want 1 or more", c.Cycles))
	case c.Cycles == 0 && c.Data != "":
		c.Cycles = recordedCycles
	case c.Cycles == 0:
		c.Cycles = simulatedCycles
	}
	err := demo.Run(ctx, demo.Config{
		Twin: c.Twin, Data: c.Data, Build: c.Build, Out: c.Out,
		Cells: c.Cells, Cycles: c.Cycles, Seed: c.Seed, Fault: c.Fault,
		Models: all.Describe, Started: time.Now(), Now: time.Now, Versions: versions,
	}, out)
	if ctx.Err() == nil && errors.Is(err, demo.ErrInput) {
		return wrongInput(err)
	}
	return err
}
