package twin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/livetwin/livetwin/internal/twin/definition"
	"github.com/livetwin/livetwin/internal/twin/expr"
	"github.com/livetwin/livetwin/internal/twin/unit"
)

// Patterns of names, narrower than what SiteWise and TwinMaker allow so that one
// name fits all of SiteWise's ids and variables, TwinMaker's ids, keys in S3
// and parts of property aliases.
const (
	NamePattern         = `^[a-z][a-z0-9-]{1,29}$` // of twins
	AssetNamePattern    = `^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}[A-Za-z0-9]$`
	ModelNamePattern    = `^[a-z][a-z0-9-]{0,62}$` // of asset models, calibrations, alarms and rules
	PropertyNamePattern = `^[a-z][a-z0-9_]{0,63}$` // of properties, hierarchies, relationships, variables and constants
	SceneNamePattern    = `^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$`
)

var (
	twinName     = namePattern{regexp.MustCompile(NamePattern), "2 to 30 lower-case letters, digits and hyphens, beginning with a letter"}
	assetName    = namePattern{regexp.MustCompile(AssetNamePattern), "2 to 64 letters, digits, hyphens, underscores and points, with a letter or digit at both ends"}
	modelName    = namePattern{regexp.MustCompile(ModelNamePattern), "up to 63 lower-case letters, digits and hyphens, beginning with a letter"}
	propertyName = namePattern{regexp.MustCompile(PropertyNamePattern), "up to 64 lower-case letters, digits and underscores, beginning with a letter"}
	sceneName    = namePattern{regexp.MustCompile(SceneNamePattern), "2 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends"}
)

type namePattern struct {
	pattern *regexp.Regexp
	words   string
}

// A property is what is known of a property of a model.
type property struct {
	kind        definition.Kind
	dataType    DataType
	code        string // of the unit, as written
	unit        unit.Unit
	hasUnit     bool
	hasDefault  bool          // of an attribute
	formula     *expr.Formula // of a transform or metric, when it could be read
	calibration string        // that publishes it
}

// numeric reports whether the property's values are numbers.
func (p property) numeric() bool {
	return p.dataType == Double || p.dataType == Integer
}

// A model is what is known of an asset model: its properties by name.
type model struct {
	names      []string // of properties, in their order
	properties map[string]property
}

func (m *model) add(name string, p property) {
	if _, ok := m.properties[name]; !ok {
		m.names = append(m.names, name)
	}
	m.properties[name] = p
}

// An analysis checks a twin and keeps what compilation needs.
type analysis struct {
	t      *Twin
	source *source
	models map[string]*model
	scenes map[string]*sceneFiles
	errs   Errors
}

// analyse checks a twin and returns every mistake.
func analyse(t *Twin) (*analysis, Errors) {
	a := &analysis{t: t, source: t.source, models: map[string]*model{}, scenes: map[string]*sceneFiles{}}
	if a.source == nil {
		a.source = newSource(t.Name)
	}
	if !a.source.broken[path("version")] && t.Version != Version {
		a.reportValue(path("version"), fmt.Sprintf("version %d of the twin format", t.Version), fmt.Sprint(Version),
			"this program reads version 1 only; use the livetwin release that wrote the file")
	}
	a.name(path("twin"), "the twin", t.Name, twinName, a.source.value)
	a.text(path("title"), t.Title)
	a.checkModels()
	a.checkAssets()
	a.checkRelationships()
	a.checkCalibrations()
	a.checkFormulas() // after calibrations, whose outputs formulas may use
	a.checkAlarms()
	a.checkConnectors()
	a.checkScenes()
	a.checkSize()
	return a, a.errs.sorted()
}

// report adds a mistake at a position, unless what p names was reported as
// unreadable before.
func (a *analysis) report(p path, at position, what, expected, do string) {
	if a.source.isBroken(p) {
		return
	}
	a.errs = append(a.errs, Error{File: a.source.file, Line: at.line, Column: at.column, What: what, Expected: expected, Do: do})
}

func (a *analysis) reportValue(p path, what, expected, do string) {
	a.report(p, a.source.value(p), what, expected, do)
}

func (a *analysis) reportKey(p path, what, expected, do string) {
	a.report(p, a.source.key(p), what, expected, do)
}

// name checks a name; position tells where it is written.
func (a *analysis) name(p path, what, name string, pattern namePattern, position func(path) position) bool {
	if pattern.pattern.MatchString(name) {
		return true
	}
	a.report(p, position(p), fmt.Sprintf("%s has the bad name %q", what, shorten(name)), pattern.words, "")
	return false
}

// text checks a title or another text that people read: SiteWise and TwinMaker
// take 256 characters without control characters.
func (a *analysis) text(p path, s string) {
	if n := utf8.RuneCountInString(s); n > 256 {
		a.reportValue(p, fmt.Sprintf("%s has %d characters", p, n), "at most 256", "")
		return
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }); i >= 0 {
		a.reportValue(p, fmt.Sprintf("%s has the control character %q", p, s[i]), "one line of text", "")
	}
}

// reference checks that a name at p is one of the candidates. container is the
// section that declares them: one with unknown keys gives no further errors.
func (a *analysis) reference(p path, noun, name string, candidates []string, container path) bool {
	if slices.Contains(candidates, name) {
		return true
	}
	if a.source.broken[container.at("\x01unknown")] || a.source.isBroken(container) {
		return false
	}
	do := didYouMean(name, candidates)
	expected := oneOf(candidates)
	if len(candidates) == 0 {
		expected, do = "", fmt.Sprintf("the twin declares no %s", noun)
	}
	a.reportValue(p, fmt.Sprintf("%s names the unknown %s %q", p, noun, shorten(name)), expected, do)
	return false
}

// choice checks that a value is one of the words; an empty one is a default.
func (a *analysis) choice(p path, value string, words ...string) bool {
	if value == "" && !a.source.has(p) || slices.Contains(words, value) {
		return true
	}
	a.reportValue(p, fmt.Sprintf("%s is %q", p, shorten(value)), oneOf(words), didYouMean(value, words))
	return false
}

// unit reads the unit at p.
func (a *analysis) unit(p path, code string) (unit.Unit, bool) {
	if code == "" && !a.source.has(p) {
		return unit.Unit{}, false
	}
	u, err := unit.Parse(code)
	if err != nil {
		bad, ok := err.(*unit.Error) //nolint:errorlint // Parse documents its type
		if !ok {
			bad = &unit.Error{Code: code, What: err.Error()}
		}
		a.reportValue(p, fmt.Sprintf("%s: unit %q %s", p, shorten(code), bad.What), "a UCUM code", bad.Do)
		return unit.Unit{}, false
	}
	return u, true
}

// modelOf returns a model that is declared, and marks nothing.
func (a *analysis) modelOf(name string) *model {
	if m, ok := a.models[name]; ok {
		return m
	}
	return &model{properties: map[string]property{}}
}

// assetsOf lists the assets of a model in their order.
func (t *Twin) assetsOf(model string) []string {
	var names []string
	for name, asset := range t.Assets.All() {
		if asset.Model == model {
			names = append(names, name)
		}
	}
	return names
}

// connectors lists the sources of data connectors that exist, below
// connectors/.
var connectors = []string{"calibration"}

func (a *analysis) checkConnectors() {
	for name := range a.t.Connectors.All() {
		p := path("connectors").at(name)
		if slices.Contains(connectors, name) {
			continue
		}
		a.reportKey(p, fmt.Sprintf("unknown connector %q", shorten(name)), oneOf(connectors), didYouMean(name, connectors))
	}
	if (a.t.Calibrations.Len() > 0 || a.t.Alarms.Len() > 0) && !a.t.Connectors.Has("calibration") {
		p := path("calibrations")
		if a.t.Calibrations.Len() == 0 {
			p = path("alarms")
		}
		if a.source.broken[path("connectors")] || a.source.broken[path("\x01unknown")] {
			return
		}
		a.reportKey(p, fmt.Sprintf("%s without the connector that serves them to TwinMaker", p), "connectors: {calibration: {}}", "add it")
	}
}
