package twin

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// A Scalar is a string, a number or a boolean, as it was written. The zero
// value is absent.
type Scalar struct {
	text string
	kind DataType // STRING, DOUBLE (a number) or BOOLEAN
}

// TextScalar makes a scalar of a text.
func TextScalar(s string) Scalar { return Scalar{text: s, kind: String} }

// NumberScalar makes a scalar of a number.
func NumberScalar(f float64) Scalar { return Scalar{text: formatNumber(f), kind: Double} }

// BooleanScalar makes a scalar of a boolean.
func BooleanScalar(b bool) Scalar { return Scalar{text: strconv.FormatBool(b), kind: Boolean} }

// IsZero reports whether the scalar is absent.
func (s Scalar) IsZero() bool { return s.kind == "" }

// String returns the scalar's text.
func (s Scalar) String() string { return s.text }

// As returns the scalar as a value of a data type: float64, int64, bool or
// string. The error says what was expected.
func (s Scalar) As(t DataType) (any, error) {
	switch t {
	case String:
		if s.kind == String {
			return s.text, nil
		}
		return nil, fmt.Errorf("text: write it in quotes, %q", s.text)
	case Boolean:
		if b, err := strconv.ParseBool(s.text); s.kind == Boolean && err == nil {
			return b, nil
		}
		return nil, fmt.Errorf("true or false")
	case Integer:
		if i, err := strconv.ParseInt(s.text, 10, 32); s.kind == Double && err == nil {
			return i, nil
		}
		return nil, fmt.Errorf("a whole number of 32 bits")
	case Double:
		if f, err := parseNumber(s.text); s.kind == Double && err == nil {
			return f, nil
		}
		return nil, fmt.Errorf("a number")
	}
	return nil, fmt.Errorf("a value of a known type")
}

func (s *Scalar) decode(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		if n.Value == "" {
			return fmt.Errorf("a text that is not empty, a number, true or false")
		}
		*s = TextScalar(n.Value)
	case "!!bool":
		b, err := strconv.ParseBool(n.Value)
		if err != nil {
			return fmt.Errorf("true or false")
		}
		*s = BooleanScalar(b)
	case "!!int", "!!float":
		if _, err := parseNumber(n.Value); err != nil {
			return err
		}
		*s = Scalar{text: n.Value, kind: Double}
	default:
		return fmt.Errorf("a text, a number, true or false")
	}
	return nil
}

func (s Scalar) encode() *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: s.text, Tag: "!!str"}
	if s.kind == Boolean {
		n.Tag = "!!bool"
	}
	if s.kind == Double {
		n.Tag = "!!float"
		if _, err := strconv.ParseInt(s.text, 10, 64); err == nil {
			n.Tag = "!!int"
		}
	}
	return n
}

// A Duration is a length of time, written with weeks, days, hours, minutes and
// seconds: 1w, 7d, 1h30m, 15m, 90s.
type Duration time.Duration

// units of a Duration, from the longest.
var durationUnits = []struct {
	name byte
	unit time.Duration
}{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// ParseDuration reads a duration.
func ParseDuration(text string) (Duration, error) {
	bad := fmt.Errorf("a length of time such as 15m, 1h30m, 7d or 1w")
	rest, total, next := text, time.Duration(0), 0
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i <= 0 || i > 9 {
			return 0, bad
		}
		count, err := strconv.ParseInt(rest[:i], 10, 64)
		if err != nil {
			return 0, bad
		}
		for next < len(durationUnits) && durationUnits[next].name != rest[i] {
			next++
		}
		if next == len(durationUnits) {
			return 0, bad
		}
		if count > int64(math.MaxInt64/4)/int64(durationUnits[next].unit) {
			return 0, bad
		}
		total += time.Duration(count) * durationUnits[next].unit
		rest, next = rest[i+1:], next+1
	}
	if text == "" || total < 0 {
		return 0, bad
	}
	return Duration(total), nil
}

// String returns the duration in its longest units: 1w, 1h30m.
func (d Duration) String() string {
	rest := time.Duration(d)
	if rest <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range durationUnits {
		if n := rest / u.unit; n > 0 && (b.Len() > 0 || rest%u.unit == 0 || u.unit <= 24*time.Hour) {
			fmt.Fprintf(&b, "%d%c", n, u.name)
			rest -= n * u.unit
		}
	}
	return b.String()
}

// Seconds returns the duration in seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

func (d *Duration) decode(n *yaml.Node) error {
	var err error
	*d, err = ParseDuration(n.Value)
	return err
}

func (d Duration) encode() *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: d.String(), Tag: "!!str"}
}

// parseNumber reads a finite decimal number.
func parseNumber(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(text, "xX_pP") {
		return 0, fmt.Errorf("a finite decimal number")
	}
	return f, nil
}

// formatNumber writes a number so that it reads back the same.
func formatNumber(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
