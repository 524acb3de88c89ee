package calibration

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/telemetry"
)

// MethodUnscented is the joint unscented Kalman filter, the only method.
const MethodUnscented = "unscented"

// A setup is a calibration bound to a model and an asset.
type setup struct {
	spec        spec.Spec
	asset       Asset
	description plant.Description
	instance    plant.Instance
	segmented   plant.Segmented // nil for a plant without segments

	priors []plant.Prior // by parameter of the model; Deviation 0: fixed
	drifts []float64
	noise  []float64 // variance by output; of those not observed any

	inputs  []binding // by input of the model
	outputs []binding // by output of the model; one without alias is not observed
}

// A binding is the series that an input or output is measured by.
type binding struct {
	property string
	alias    telemetry.Alias
}

// bind checks a calibration against its model and asset. Its errors name the
// part of the spec that is wrong.
func bind(model plant.Model, sp spec.Spec, asset Asset) (*setup, error) {
	fail := func(format string, args ...any) (*setup, error) {
		return nil, fmt.Errorf("%w: calibration %s of asset %s: "+format, append([]any{ErrPermanent, sp.Name, asset.Name}, args...)...)
	}
	if sp.Version != spec.Version {
		return fail("spec has version %d, this program knows %d", sp.Version, spec.Version)
	}
	if sp.Method != MethodUnscented {
		return fail("method is %q, expected %s", sp.Method, MethodUnscented)
	}
	d := model.Describe()
	constants, fixed, err := constantsOf(d, sp, asset)
	if err != nil {
		return fail("%w", err)
	}
	instance, err := model.New(constants)
	if err != nil {
		return fail("%w", err)
	}
	s := &setup{spec: sp, asset: asset, description: d, instance: instance}
	s.segmented, _ = instance.(plant.Segmented)
	if s.segmented != nil && sp.Window.SegmentGap <= 0 {
		return fail("window.segmentGap is %g s: model %s follows segments, state the gap that ends one", sp.Window.SegmentGap, d.Name)
	}
	if sp.Window.Start <= 0 {
		return fail("window.start is %g s, expected how far before the first run's end telemetry begins", sp.Window.Start)
	}
	if err := s.bindSeries(asset); err != nil {
		return fail("%w", err)
	}
	if err := s.bindParameters(fixed); err != nil {
		return fail("%w", err)
	}
	if err := s.checkOutputs(); err != nil {
		return fail("%w", err)
	}
	return s, nil
}

// constantsOf resolves the spec's constants: those of the model, and
// parameters that are fixed.
func constantsOf(d plant.Description, sp spec.Spec, asset Asset) (constants, fixed map[string]float64, err error) {
	constants, fixed = map[string]float64{}, map[string]float64{}
	for _, name := range sorted(sp.Constants) {
		c := sp.Constants[name]
		var v float64
		switch {
		case c.Value != nil:
			v = *c.Value
		default:
			a, ok := asset.Attributes[c.Attribute]
			if !ok {
				return nil, nil, fmt.Errorf("constants.%s: the asset has no attribute %q", name, c.Attribute)
			}
			if v, ok = number(a); !ok {
				return nil, nil, fmt.Errorf("constants.%s: attribute %q is %v, expected a number", name, c.Attribute, a)
			}
		}
		switch {
		case slices.ContainsFunc(d.Constants, func(k plant.Constant) bool { return k.Name == name }):
			constants[name] = v
		case slices.ContainsFunc(d.Parameters, func(p plant.Parameter) bool { return p.Name == name }):
			fixed[name] = v
		default:
			return nil, nil, fmt.Errorf("constants.%s: model %s has no such constant or parameter", name, d.Name)
		}
	}
	return constants, fixed, nil
}

func number(a any) (float64, bool) {
	switch v := a.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}

func (s *setup) bindSeries(asset Asset) error {
	bound := func(property string) binding {
		return binding{property, telemetry.AliasOf(asset.Twin, asset.Name, property)}
	}
	d := s.description
	for _, q := range d.Inputs {
		property, ok := s.spec.Inputs[q.Name]
		if !ok {
			return fmt.Errorf("inputs: input %s of model %s (%s) is not bound to a property", q.Name, d.Name, q.Unit)
		}
		s.inputs = append(s.inputs, bound(property))
	}
	if err := known("inputs", "input", s.spec.Inputs, d.Name, d.Inputs); err != nil {
		return err
	}
	if err := known("observations", "output", s.spec.Observations, d.Name, d.Outputs); err != nil {
		return err
	}
	if len(s.spec.Observations) == 0 {
		return fmt.Errorf("observations: none; model %s has %s", d.Name, names(d.Outputs))
	}
	for _, q := range d.Outputs {
		o, ok := s.spec.Observations[q.Name]
		if !ok {
			s.outputs = append(s.outputs, binding{})
			s.noise = append(s.noise, 1)
			continue
		}
		if !(o.Noise > 0) || math.IsInf(o.Noise, 0) {
			return fmt.Errorf("observations.%s.noise is %g %s, expected a positive standard deviation", q.Name, o.Noise, q.Unit)
		}
		s.outputs = append(s.outputs, bound(o.Property))
		s.noise = append(s.noise, o.Noise*o.Noise)
	}
	return nil
}

func (s *setup) bindParameters(fixed map[string]float64) error {
	quantities := make([]plant.Quantity, len(s.description.Parameters))
	for i, p := range s.description.Parameters {
		quantities[i] = p.Quantity
	}
	if err := known("parameters", "parameter", s.spec.Parameters, s.description.Name, quantities); err != nil {
		return err
	}
	for _, p := range s.description.Parameters {
		if v, ok := fixed[p.Name]; ok {
			if _, both := s.spec.Parameters[p.Name]; both {
				return fmt.Errorf("parameters.%s is a constant too: it is either estimated or fixed", p.Name)
			}
			prior := plant.Prior{Median: v, Transform: cmp.Or(p.Transform, plant.Identity)}
			if z := toCoordinate(prior, v); math.IsNaN(z) || math.IsInf(z, 0) {
				return fmt.Errorf("constants.%s is %g %s, which the model cannot have", p.Name, v, p.Unit)
			}
			s.priors = append(s.priors, prior)
			s.drifts = append(s.drifts, 0)
			continue
		}
		var prior plant.Prior
		stated, ok := s.spec.Parameters[p.Name]
		switch {
		case ok:
			prior = plant.Prior{Median: stated.Median, Deviation: stated.Deviation, Transform: plant.Transform(stated.Transform)}
			if stated.Unit != "" && stated.Unit != p.Unit {
				return fmt.Errorf("parameters.%s.unit is %s, model %s has it in %s", p.Name, stated.Unit, s.description.Name, p.Unit)
			}
			if stated.Lower != nil {
				prior.Lower = *stated.Lower
			}
			if stated.Upper != nil {
				prior.Upper = *stated.Upper
			}
		case p.Prior != nil:
			prior = *p.Prior
		default:
			return fmt.Errorf("parameters: parameter %s of model %s (%s, %s) has no prior: state one, or its value under constants",
				p.Name, s.description.Name, p.Doc, p.Unit)
		}
		if err := checkPrior(p, prior); err != nil {
			return fmt.Errorf("parameters.%s: %w", p.Name, err)
		}
		s.priors, s.drifts = append(s.priors, prior), append(s.drifts, p.Drift)
	}
	return nil
}

func (s *setup) checkOutputs() error {
	for _, o := range s.spec.Outputs {
		unit, ok := "", false
		for _, p := range s.description.Parameters {
			if p.Name == o.Name {
				unit, ok = p.Unit, true
			}
		}
		for _, q := range s.description.Published {
			if q.Name == o.Name {
				unit, ok = q.Unit, true
			}
		}
		if !ok {
			return fmt.Errorf("outputs: model %s has no output %q; parameters can be published, and %s", s.description.Name, o.Name, names(s.description.Published))
		}
		if o.Unit != "" && o.Unit != unit {
			return fmt.Errorf("outputs: %s is in %s, model %s has it in %s", o.Name, o.Unit, s.description.Name, unit)
		}
		for _, q := range o.Quantiles {
			if !(q > 0 && q < 1) {
				return fmt.Errorf("outputs: %s has quantile %g, expected one between 0 and 1", o.Name, q)
			}
		}
	}
	return nil
}

// known returns an error that names the first key that is not a quantity.
func known[V any](part, kind string, m map[string]V, model string, have []plant.Quantity) error {
	for _, name := range sorted(m) {
		if !slices.ContainsFunc(have, func(q plant.Quantity) bool { return q.Name == name }) {
			return fmt.Errorf("%s.%s: model %s has no such %s; it has %s", part, name, model, kind, names(have))
		}
	}
	return nil
}

func names(q []plant.Quantity) string {
	s := make([]string, len(q))
	for i := range q {
		s[i] = q[i].Name
	}
	return strings.Join(s, ", ")
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
