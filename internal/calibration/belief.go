package calibration

import (
	"slices"

	"github.com/livetwin/livetwin/internal/plant"
)

// A belief is a Gaussian over states followed by parameters in their
// coordinates.
type belief struct {
	mean, covariance []float64
}

func (b belief) clone() belief {
	return belief{slices.Clone(b.mean), slices.Clone(b.covariance)}
}

// prior is the belief before any telemetry; the states are not known yet.
func (s *setup) prior() belief {
	nx, np := len(s.description.States), len(s.priors)
	n := nx + np
	b := belief{make([]float64, n), make([]float64, n*n)}
	for i, p := range s.priors {
		b.mean[nx+i] = toCoordinate(p, p.Median)
		for j, q := range s.priors {
			b.covariance[(nx+i)*n+nx+j] = p.Deviation * q.Deviation * s.correlation(i, j)
		}
	}
	return b
}

func (s *setup) correlation(i, j int) float64 {
	if c, ok := s.instance.(plant.Correlated); ok {
		return c.Correlation(i, j)
	}
	if i == j {
		return 1
	}
	return 0
}

// drift widens the parameters' part by what they move by in one segment, times
// a factor.
func (s *setup) drift(b belief, factor float64) {
	nx, n := len(s.description.States), len(b.mean)
	for i, di := range s.drifts {
		for j, dj := range s.drifts {
			if di != 0 && dj != 0 {
				b.covariance[(nx+i)*n+nx+j] += factor * factor * di * dj * s.correlation(i, j)
			}
		}
	}
}

// replace makes element i independent of all others, with a mean and a
// standard deviation of its own.
func (b belief) replace(i int, mean, deviation float64) {
	n := len(b.mean)
	for j := range n {
		b.covariance[i*n+j], b.covariance[j*n+i] = 0, 0
	}
	b.mean[i], b.covariance[i*n+i] = mean, deviation*deviation
}

// condition takes in a direct measurement of element i.
func (b belief) condition(i int, mean, deviation float64) {
	n := len(b.mean)
	variance := b.covariance[i*n+i] + deviation*deviation
	if variance == 0 {
		return
	}
	e := (mean - b.mean[i]) / variance
	column := make([]float64, n)
	for j := range n {
		column[j] = b.covariance[j*n+i]
	}
	for j, cj := range column {
		b.mean[j] += cj * e
		for k, ck := range column {
			b.covariance[j*n+k] -= cj * ck / variance
		}
	}
}

// natural returns the medians of the parameters in their own units.
func (s *setup) natural(b belief) []float64 {
	nx := len(s.description.States)
	p := make([]float64, len(s.priors))
	for i, prior := range s.priors {
		p[i] = fromCoordinate(prior, b.mean[nx+i])
	}
	return p
}

func (s *setup) view(b belief) plant.Belief {
	return plant.Belief{Mean: b.mean, Covariance: b.covariance, Natural: s.natural(b)}
}

// finite reports whether all of a belief is, and no variance is negative.
func (b belief) finite() bool {
	n := len(b.mean)
	for i, v := range b.mean {
		if !isFinite(v) || b.covariance[i*n+i] < 0 {
			return false
		}
	}
	for _, v := range b.covariance {
		if !isFinite(v) {
			return false
		}
	}
	return true
}
