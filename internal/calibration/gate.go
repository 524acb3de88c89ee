package calibration

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/livetwin/livetwin/internal/calibration/spec"
)

// A yardstick says how wide forecasts turned out to be in past windows: the
// covariance of a forecast is multiplied by Scale before it is scored. Scale is
// known as well as from Freedom independent innovations.
type yardstick struct {
	scale, freedom float64
}

const (
	// statedFreedom is what the stated measurement noise is worth, and
	// windowFreedom what one window is worth at most, in innovations: the model's
	// error is common to a window, so that windows differ by more than their
	// innovations let expect. Three make a standard deviation of 0.8 of the NIS.
	statedFreedom = 4
	windowFreedom = 3
	// forgetting is the share of the past that counts from window to window:
	// the scale follows the last five.
	forgetting = 0.8
	// smallestScale keeps a noiseless series from dividing by zero.
	smallestScale = 1e-9
)

// A verdict is a decision, and whether the window may be learned from.
type verdict struct {
	Decision
	trusted bool
}

// judge decides whether the challenger is promoted. Its mean NIS is the ratio
// of two mean squares, F distributed when the model is as right as it was in
// past windows; one above the band says that the window is not what the model
// describes. One below says that forecasts were too cautious, which the next
// window's scale mends.
func judge(g spec.Gates, c *contest, y yardstick) verdict {
	challenger, champion := c.challenger.scores(), c.champion.scores()
	v := verdict{Decision: Decision{Outcome: Rejected}}
	if c.challenger.err == nil && c.champion.err == nil && challenger.Count > 0 {
		v.Gain = new(challenger.LogScore - champion.LogScore)
	}
	high := distuv.F{D1: math.Max(1, c.challenger.freedom()), D2: y.freedom}.Quantile((1 + g.Consistency) / 2)
	evidence := fmt.Sprintf("mean NIS %.3g (at most %.3g), %.0f %% inside their 90 %% intervals", challenger.NIS, high, 100*challenger.Coverage90)
	switch {
	case c.challenger.err != nil:
		v.Reason = fmt.Sprintf("the challenger could not follow the window: %v", c.challenger.err)
	case challenger.Count == 0:
		v.Reason = "no observation of the window is one that the model describes"
	case challenger.NIS > high:
		v.Reason = fmt.Sprintf("the window is not consistent with the model: mean NIS %.3g, at most %.3g is expected", challenger.NIS, high)
	case challenger.Coverage90 < g.Coverage[0] || challenger.Coverage90 > g.Coverage[1]:
		v.Reason = fmt.Sprintf("the window is not consistent with the model: %.1f %% of the observations lie inside their 90 %% intervals, expected %.1f to %.1f %%",
			100*challenger.Coverage90, 100*g.Coverage[0], 100*g.Coverage[1])
	case c.champion.err != nil:
		v.trusted, v.Outcome = true, Promoted
		v.Reason = fmt.Sprintf("the champion could not follow the window (%v), the challenger could: log score %.4f; %s", c.champion.err, challenger.LogScore, evidence)
	default:
		v.trusted = true
		words := "not better"
		if *v.Gain > g.MinScoreGain {
			v.Outcome, words = Promoted, "better"
		}
		v.Reason = fmt.Sprintf("the challenger is %s: log score %.4f against the champion's %.4f, a gain of %.4f per observation where more than %g is asked for; %s",
			words, challenger.LogScore, champion.LogScore, *v.Gain, g.MinScoreGain, evidence)
	}
	return v
}

// next returns the yardstick after a window.
func (y yardstick) next(c *contest, trusted bool) yardstick {
	if !trusted {
		// What is rejected teaches nothing about the scale but that it may be
		// wrong: a plant that changed for good passes after some windows.
		y.freedom = math.Max(1, y.freedom/2)
		return y
	}
	n := math.Min(windowFreedom, c.challenger.freedom())
	old := forgetting * y.freedom
	y.freedom = old + n
	y.scale = math.Max(smallestScale, y.scale*(old+n*c.challenger.scores().NIS)/y.freedom)
	return y
}
