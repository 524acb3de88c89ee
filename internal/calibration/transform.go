package calibration

import (
	"fmt"
	"math"

	"github.com/livetwin/livetwin/internal/plant"
)

// toCoordinate maps a parameter to the coordinate it is estimated in.
func toCoordinate(prior plant.Prior, p float64) float64 {
	switch prior.Transform {
	case plant.Log:
		return math.Log(p)
	case plant.Logit:
		return math.Log((p - prior.Lower) / (prior.Upper - p))
	case plant.Identity:
	}
	return p
}

// fromCoordinate is the inverse of toCoordinate.
func fromCoordinate(prior plant.Prior, z float64) float64 {
	switch prior.Transform {
	case plant.Log:
		return math.Exp(z)
	case plant.Logit:
		return prior.Lower + (prior.Upper-prior.Lower)/(1+math.Exp(-z))
	case plant.Identity:
	}
	return z
}

func checkPrior(p plant.Parameter, prior plant.Prior) error {
	switch prior.Transform {
	case plant.Log:
		if !(prior.Median > 0) {
			return fmt.Errorf("median is %g, expected a positive number with transform log", prior.Median)
		}
	case plant.Logit:
		if !(prior.Lower < prior.Median && prior.Median < prior.Upper) {
			return fmt.Errorf("median is %g, expected one between lower %g and upper %g with transform logit", prior.Median, prior.Lower, prior.Upper)
		}
	case plant.Identity:
	default:
		return fmt.Errorf("transform is %q, expected log, logit or identity", prior.Transform)
	}
	if p.Transform != "" && prior.Transform != p.Transform {
		return fmt.Errorf("transform is %s, the model needs %s", prior.Transform, p.Transform)
	}
	if !(prior.Deviation > 0) || math.IsInf(prior.Deviation, 0) {
		return fmt.Errorf("deviation is %g, expected a positive number; a parameter that is known goes under constants", prior.Deviation)
	}
	if math.IsInf(prior.Median, 0) || math.IsNaN(prior.Median) {
		return fmt.Errorf("median is %g, expected a number", prior.Median)
	}
	return nil
}
