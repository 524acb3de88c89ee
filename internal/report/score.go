package report

import (
	"math"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/scorecard"
	"github.com/livetwin/livetwin/internal/plant/cell"
)

// score sets the figures of a cell from the scorecard of its runs.
func (c *Cell) score(runs []calibration.Diagnostics) {
	card := scorecard.Of(runs, scorecard.Selection{
		Quantity: cell.Capacity, Trajectory: cell.Voltage, Persistence: cell.Persistence, Frozen: cell.Frozen,
	})
	c.Promoted, c.Rejected = card.Promoted, card.Rejected
	c.CapacityRMSE, c.AheadRMSE = had(card.RMSE), had(card.AheadRMSE)
	c.PersistenceRMSE, c.FrozenRMSE = had(card.PersistenceRMSE), had(card.FrozenRMSE)
	c.Coverage90, c.Width90 = had(card.Coverage90), had(card.Width90)
	c.VoltageRMSE, c.LastCycleRMSE = had(card.TrajectoryRMSE), had(card.BaselineRMSE)
}

// had returns nil for a figure that could not be had.
func had(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
