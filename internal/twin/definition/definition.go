// Package definition is the compiled twin that functions read at run time: a
// JSON document of assets, calibrations and alarms with every default filled
// in. Package twin writes it; deployment puts it where functions find it.
package definition

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/livetwin/livetwin/internal/calibration/spec"
)

// Version is the version of the format that this program reads and writes.
const Version = 1

// A Definition is a compiled twin. Lists keep the order of the twin.
type Definition struct {
	Version int    `json:"version"`
	Twin    string `json:"twin"`
	Title   string `json:"title"`

	Models       []Model       `json:"models"`
	Assets       []Asset       `json:"assets"`
	Calibrations []Calibration `json:"calibrations"`
	Alarms       []Alarm       `json:"alarms"`
}

// A Model is an asset model.
type Model struct {
	Name       string     `json:"name"`
	Title      string     `json:"title"`
	Properties []Property `json:"properties"`
}

// A Kind is a kind of property.
type Kind string

// The kinds of properties.
const (
	Attribute   Kind = "attribute"
	Measurement Kind = "measurement" // measured by the plant
	Transform   Kind = "transform"
	Metric      Kind = "metric"
	Published   Kind = "published" // a measurement in SiteWise that a calibration writes
)

// A Property is a property of an asset model.
type Property struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Type string `json:"type"` // DOUBLE, INTEGER, BOOLEAN or STRING
	Unit string `json:"unit"` // UCUM code; empty for what has none
}

// An Asset is a piece of equipment.
type Asset struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Model  string `json:"model"`
	Parent string `json:"parent,omitempty"`
	// Attributes holds the value of every attribute that has one: float64,
	// int64, bool or string, as the attribute's type says. JSON numbers are
	// read back by that type too.
	Attributes map[string]any `json:"attributes"`
}

// A Calibration is a calibration and the assets that it follows.
type Calibration struct {
	Spec     spec.Spec `json:"spec"`
	Title    string    `json:"title"`
	Model    string    `json:"assetModel"`
	Schedule string    `json:"schedule"` // rate(…) or cron(…), UTC
	Assets   []string  `json:"assets"`
	Outputs  []Output  `json:"outputs"` // the published properties, in the order of the specification
}

// An Output is one published quantile of a parameter or prediction.
type Output struct {
	Property string  `json:"property"` // such as state_of_health_p50
	Name     string  `json:"name"`     // such as state_of_health
	Quantile float64 `json:"quantile"`
	Unit     string  `json:"unit"`
}

// An Alarm is a condition on one published property of every asset of a model.
type Alarm struct {
	Name        string     `json:"name"`
	Title       string     `json:"title"`
	Calibration string     `json:"calibration"` // that publishes the property
	Property    string     `json:"property"`
	Comparison  Comparison `json:"comparison"`
	Threshold   float64    `json:"threshold"` // in the property's unit
	Assets      []string   `json:"assets"`
}

// A Comparison relates a value to a threshold.
type Comparison string

// The comparisons of alarms, named as those of AWS IoT alarms.
const (
	Greater        Comparison = "GREATER"
	GreaterOrEqual Comparison = "GREATER_OR_EQUAL"
	Less           Comparison = "LESS"
	LessOrEqual    Comparison = "LESS_OR_EQUAL"
	Equal          Comparison = "EQUAL"
	NotEqual       Comparison = "NOT_EQUAL"
)

// Holds reports whether value stands in relation c to threshold.
func (c Comparison) Holds(value, threshold float64) bool {
	switch c {
	case Greater:
		return value > threshold
	case GreaterOrEqual:
		return value >= threshold
	case Less:
		return value < threshold
	case LessOrEqual:
		return value <= threshold
	case Equal:
		return value == threshold
	case NotEqual:
		return value != threshold
	}
	return false
}

// PropertyOf returns the property that holds a quantile of an output:
// {output}_p and the percentage, with two digits at least, such as
// capacity_p05. Quantiles are whole percents.
func PropertyOf(output string, quantile float64) string {
	return fmt.Sprintf("%s_p%02d", output, int(math.Round(100*quantile)))
}

// A RunMetric is a number that every run reports beside what it publishes.
type RunMetric struct {
	Name string // in the runs table and as a property of the calibration's component
	Unit string
	Doc  string
}

// RunMetrics lists the metrics of a run.
func RunMetrics() []RunMetric {
	return []RunMetric{
		{Name: "log_score", Unit: "1", Doc: "Mean log score per observation of the calibration that is in force after the run"},
		{Name: "nis", Unit: "1", Doc: "Mean normalised innovation squared; 1 when the model is right"},
		{Name: "coverage90", Unit: "1", Doc: "Share of observations inside their 90 % intervals"},
		{Name: "gain", Unit: "1", Doc: "Mean log score per observation that the challenger gained on the champion"},
		{Name: "samples", Unit: "1", Doc: "Samples assimilated"},
		{Name: "late", Unit: "1", Doc: "Samples that came after their window was assimilated"},
	}
}

// JSON returns the document: the same bytes for equal definitions.
func (d Definition) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the definition of %s: %w", d.Twin, err)
	}
	return append(b, '\n'), nil
}

// Hash returns the SHA-256 of the document, in hexadecimal.
func (d Definition) Hash() (string, error) {
	b, err := d.JSON()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Parse reads a definition. It refuses another version, unknown fields and
// references that dangle.
func Parse(data []byte) (Definition, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Definition{}, fmt.Errorf("parse a compiled twin: %w", err)
	}
	if head.Version != Version {
		return Definition{}, fmt.Errorf("compiled twin has version %d, this program reads version %d: deploy the twin and the functions from the same release", head.Version, Version)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var d Definition
	if err := dec.Decode(&d); err != nil {
		return Definition{}, fmt.Errorf("parse a compiled twin: %w", err)
	}
	if err := d.check(); err != nil {
		return Definition{}, fmt.Errorf("compiled twin %s: %w", d.Twin, err)
	}
	return d, nil
}

// check verifies references and gives attributes the Go types of their values.
func (d *Definition) check() error {
	for _, a := range d.Assets {
		m, ok := d.Model(a.Model)
		if !ok {
			return fmt.Errorf("asset %s has the unknown model %q", a.Name, a.Model)
		}
		for name, v := range a.Attributes {
			p, ok := m.Property(name)
			if !ok || p.Kind != Attribute {
				return fmt.Errorf("asset %s sets %q, which is no attribute of model %s", a.Name, name, m.Name)
			}
			if f, isNumber := v.(float64); isNumber && p.Type == "INTEGER" {
				a.Attributes[name] = int64(f)
			}
		}
	}
	for _, c := range d.Calibrations {
		if err := d.checkAssets("calibration "+c.Spec.Name, c.Assets); err != nil {
			return err
		}
	}
	for _, a := range d.Alarms {
		if err := d.checkAssets("alarm "+a.Name, a.Assets); err != nil {
			return err
		}
		if _, ok := d.Calibration(a.Calibration); !ok {
			return fmt.Errorf("alarm %s watches the unknown calibration %q", a.Name, a.Calibration)
		}
	}
	return nil
}

func (d *Definition) checkAssets(owner string, names []string) error {
	for _, name := range names {
		if _, ok := d.Asset(name); !ok {
			return fmt.Errorf("%s lists the unknown asset %q", owner, name)
		}
	}
	return nil
}

// Model returns the asset model of a name.
func (d *Definition) Model(name string) (*Model, bool) {
	i := slices.IndexFunc(d.Models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Models[i], true
}

// Asset returns the asset of a name.
func (d *Definition) Asset(name string) (*Asset, bool) {
	i := slices.IndexFunc(d.Assets, func(a Asset) bool { return a.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Assets[i], true
}

// Calibration returns the calibration of a name.
func (d *Definition) Calibration(name string) (*Calibration, bool) {
	i := slices.IndexFunc(d.Calibrations, func(c Calibration) bool { return c.Spec.Name == name })
	if i < 0 {
		return nil, false
	}
	return &d.Calibrations[i], true
}

// AlarmsOn returns the alarms that watch a calibration of an asset.
func (d *Definition) AlarmsOn(calibration, asset string) []Alarm {
	var on []Alarm
	for _, a := range d.Alarms {
		if a.Calibration == calibration && slices.Contains(a.Assets, asset) {
			on = append(on, a)
		}
	}
	return on
}

// Property returns the property of a name.
func (m *Model) Property(name string) (*Property, bool) {
	i := slices.IndexFunc(m.Properties, func(p Property) bool { return p.Name == name })
	if i < 0 {
		return nil, false
	}
	return &m.Properties[i], true
}
