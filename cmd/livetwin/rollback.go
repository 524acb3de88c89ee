package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/livetwin/livetwin/internal/calibration"
)

type rollbackCommand struct {
	deployedFlags
	Asset       string `arg:"" help:"The asset."`
	Calibration string `arg:"" help:"The calibration."`
	To          int64  `help:"Generation whose parameters to restore; by default those in force before the present ones." placeholder:"GENERATION"`
}

// Run restores older parameters under a new generation.
func (c *rollbackCommand) Run(ctx context.Context, out io.Writer) error {
	if c.To < 0 {
		return wrongInput(fmt.Errorf("--to %d: generations count from 1; livetwin status lists them", c.To))
	}
	d, err := c.find(ctx)
	if err != nil {
		return err
	}
	key := calibration.Key{Asset: c.Asset, Calibration: c.Calibration}
	if err := d.Check(key); err != nil {
		return wrongInput(err)
	}
	champion, err := calibration.Rollback(ctx, d.Store(), key, c.To, "")
	if errors.Is(err, calibration.ErrNotFound) && c.To == 0 {
		return wrongInput(fmt.Errorf("%s cannot be rolled back: there are no parameters older than the present ones; livetwin status lists the generations", key))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is at generation %d: %s\nstate and watermark (%s) stay; the next run starts from the restored parameters\n",
		key, champion.Generation, champion.Decision.Reason, champion.Watermark.Format(stamp))
	return nil
}
