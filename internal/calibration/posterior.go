package calibration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/livetwin/livetwin/internal/calibration/spec"
)

// PosteriorVersion is the version of posterior.json that this program reads
// and writes.
const PosteriorVersion = 1

// A Posterior is what a run knows of the parameters: the content of
// posterior.json. Of a rejected first run it is the prior, since that stays in
// force; of any other rejected run it is the challenger's, as evidence.
type Posterior struct {
	Version int `json:"version"`
	Key
	Run        RunID                `json:"run"`
	Outcome    Result               `json:"outcome"`
	Parameters []PosteriorParameter `json:"parameters"`
	// Covariance of the parameters in the coordinates of their transforms, in
	// their order, row by row.
	Covariance []float64 `json:"covariance"`
}

// A PosteriorParameter is the marginal of one parameter.
type PosteriorParameter struct {
	Name      string  `json:"name"`
	Unit      string  `json:"unit"`
	Transform string  `json:"transform"`
	Mean      float64 `json:"mean"`      // in the transform's coordinate
	Deviation float64 `json:"deviation"` // in the transform's coordinate
	P05       float64 `json:"p05"`       // in its unit
	P50       float64 `json:"p50"`
	P95       float64 `json:"p95"`
}

// posteriorOf describes the parameters of a belief.
func (s *setup) posteriorOf(key Key, run RunID, outcome Result, b belief) Posterior {
	nx, n := len(s.description.States), len(b.mean)
	p := Posterior{Version: PosteriorVersion, Key: key, Run: run, Outcome: outcome}
	for i, q := range s.description.Parameters {
		mean := b.mean[nx+i]
		deviation := math.Sqrt(b.covariance[(nx+i)*n+nx+i])
		at := func(z float64) float64 { return fromCoordinate(s.priors[i], mean+z*deviation) }
		p.Parameters = append(p.Parameters, PosteriorParameter{
			Name: q.Name, Unit: q.Unit, Transform: string(s.priors[i].Transform), Mean: mean, Deviation: deviation,
			P05: at(-z90), P50: at(0), P95: at(z90),
		})
		p.Covariance = append(p.Covariance, b.covariance[(nx+i)*n+nx:(nx+i)*n+n]...)
	}
	return p
}

// parametersFrom writes the parameters of a posterior to a belief.
func (s *setup) parametersFrom(p Posterior, b belief) error {
	nx, np, n := len(s.description.States), len(s.priors), len(b.mean)
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s of run %s "+format, append([]any{ErrPermanent, PosteriorArtifact, p.Run}, args...)...)
	}
	if len(p.Parameters) != np || len(p.Covariance) != np*np {
		return fail("has %d parameters and %d covariances, model %s has %d parameters", len(p.Parameters), len(p.Covariance), s.description.Name, np)
	}
	for i, q := range p.Parameters {
		if q.Name != s.description.Parameters[i].Name || q.Transform != string(s.priors[i].Transform) {
			return fail("has %s (%s) where the calibration has %s (%s): a calibration with other parameters needs another name",
				q.Name, q.Transform, s.description.Parameters[i].Name, s.priors[i].Transform)
		}
		for j := range nx {
			b.covariance[(nx+i)*n+j], b.covariance[j*n+nx+i] = 0, 0
		}
		b.mean[nx+i] = q.Mean
		copy(b.covariance[(nx+i)*n+nx:(nx+i+1)*n], p.Covariance[i*np:(i+1)*np])
	}
	if !b.finite() {
		return fail("holds numbers that are not finite")
	}
	return nil
}

// predictions returns the published quantiles, in the order of the spec.
func (s *setup) predictions(st *state) []Prediction {
	out := []Prediction{}
	for _, o := range s.spec.Outputs {
		unit, values := s.quantiles(st, o)
		for k, v := range values {
			if isFinite(v) {
				out = append(out, Prediction{o.Name, unit, o.Quantiles[k], v})
			}
		}
	}
	return out
}

// quantiles returns those of one output: what the model publishes by that name,
// else the parameter. There are none as long as the memory knows none.
func (s *setup) quantiles(st *state, o spec.Output) (unit string, values []float64) {
	for _, q := range s.description.Published {
		if q.Name == o.Name && st.memory != nil {
			values, _ = st.memory.Predict(o.Name, o.Quantiles, s.view(st.belief))
			return q.Unit, values
		}
	}
	nx, n := len(s.description.States), len(st.belief.mean)
	for i, p := range s.description.Parameters {
		if p.Name != o.Name {
			continue
		}
		deviation := math.Sqrt(st.belief.covariance[(nx+i)*n+nx+i])
		for _, q := range o.Quantiles {
			values = append(values, fromCoordinate(s.priors[i], st.belief.mean[nx+i]+deviation*distuv.UnitNormal.Quantile(q)))
		}
		return p.Unit, values
	}
	return o.Unit, nil
}

// predictionsCSV is the content of predictions.csv.
func predictionsCSV(predictions []Prediction) []byte {
	b := bytes.NewBufferString("output,unit,quantile,value\n")
	for _, p := range predictions {
		fmt.Fprintf(b, "%s,%s,%s,%s\n", p.Output, p.Unit,
			strconv.FormatFloat(p.Quantile, 'g', -1, 64), strconv.FormatFloat(p.Value, 'g', -1, 64))
	}
	return b.Bytes()
}

// encode returns a JSON artifact, indented for people.
func encode(name string, v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: encode %s: %w", ErrPermanent, name, err)
	}
	return append(b, '\n'), nil
}
