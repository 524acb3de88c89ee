package main

import (
	"fmt"
	"io"

	"github.com/livetwin/livetwin/internal/plant/all"
	"github.com/livetwin/livetwin/internal/twin"
)

type validateCommand struct {
	File string `arg:"" help:"The twin's definition." default:"twin.yaml"`
}

// Run checks a twin.
func (c *validateCommand) Run(out io.Writer) error {
	t, err := loadTwin(c.File)
	if err != nil {
		return wrongInput(err)
	}
	compiled, err := t.Compile()
	if err != nil {
		return wrongInput(err)
	}
	d := &compiled.Definition
	fmt.Fprintf(out, "%s: %s is valid: %d asset models, %d assets, %d calibrations, %d alarms\n",
		c.File, d.Twin, len(d.Models), len(d.Assets), len(d.Calibrations), len(d.Alarms))
	return nil
}

// loadTwin reads a twin and checks it against the models that this program has.
func loadTwin(file string) (*twin.Twin, error) {
	return twin.Load(file, twin.WithModels(all.Describe))
}
