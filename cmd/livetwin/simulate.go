package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/simulate"
)

type simulateCommand struct {
	Dir    string    `arg:"" help:"Folder to write to; created when it does not exist." type:"path"`
	Cells  int       `help:"Cells, each in a file cell-N.csv." default:"3"`
	Cycles int       `help:"Discharges of every cell." default:"24"`
	Seed   uint64    `help:"Seed of all random numbers; the same flags write the same bytes." default:"1"`
	Start  time.Time `help:"Earliest time of the first discharge, RFC 3339." default:"2026-03-04T08:00:00Z"`
	Fault  []string  `help:"Shift what a cell's voltage sensor reads during one discharge, as CELL:CYCLE:VOLTS, such as 2:15:-0.06. Repeatable." placeholder:"CELL:CYCLE:VOLTS"`
	Force  bool      `help:"Overwrite files that exist."`
}

// Run writes the simulated telemetry.
func (c *simulateCommand) Run(out io.Writer) error {
	faults, err := parseFaults(c.Fault)
	if err != nil {
		return wrongInput(err)
	}
	s, err := simulate.WriteFiles(simulate.Config{
		Cells: c.Cells, Cycles: c.Cycles, Seed: c.Seed, Start: c.Start, Faults: faults,
	}, c.Dir, c.Force)
	if err != nil {
		return wrongInput(err)
	}
	fmt.Fprintf(out, "%d rows, %s to %s, in\n", s.Readings, s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339))
	for _, f := range s.Files {
		fmt.Fprintln(out, " ", f)
	}
	return nil
}

func parseFaults(texts []string) ([]simulate.Fault, error) {
	faults := make([]simulate.Fault, 0, len(texts))
	for _, text := range texts {
		parts := strings.Split(text, ":")
		if len(parts) != 3 {
			return nil, fmt.Errorf("--fault %s: want CELL:CYCLE:VOLTS, such as 2:15:-0.06", text)
		}
		cell, err1 := strconv.Atoi(parts[0])
		cycle, err2 := strconv.Atoi(parts[1])
		volts, err3 := strconv.ParseFloat(parts[2], 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("--fault %s: cell and cycle are whole numbers and volts is a number, such as 2:15:-0.06", text)
		}
		faults = append(faults, simulate.Fault{Cell: cell, Cycle: cycle, Offset: volts})
	}
	return faults, nil
}
