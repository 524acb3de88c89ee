package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// An Asset says which measurements a twin has for a file of telemetry.
type Asset struct {
	Name         string
	Measurements map[string]string // UCUM unit by name; "" is no unit
}

// AssetsOf lists the assets of a twin that are measured.
func AssetsOf(d *definition.Definition) []Asset {
	var assets []Asset
	for _, a := range d.Assets {
		m, _ := d.Model(a.Model)
		measured := map[string]string{}
		for _, p := range m.Properties {
			if p.Kind == definition.Measurement {
				measured[p.Name] = p.Unit
			}
		}
		if len(measured) > 0 {
			assets = append(assets, Asset{Name: a.Name, Measurements: measured})
		}
	}
	return assets
}

// A Recording is telemetry read from files, complete and checked.
type Recording struct {
	Twin    string
	Series  []Series
	Skipped []Skip
	Columns []Column // that are not measurements of their asset
	// Duplicates counts rows whose instant another row of the same file has
	// too: the later row wins, as in SiteWise.
	Duplicates int
	// Reordered counts rows that were older than the row before them.
	Reordered int
	Files     int
}

// A Series is one measurement of one asset in ascending order of time.
type Series struct {
	Alias   telemetry.Alias
	Samples []telemetry.Sample
}

// A Skip is a file that holds no telemetry.
type Skip struct{ File, Reason string }

// A Column of a file was ignored.
type Column struct{ File, Name string }

// Samples counts the samples of all series.
func (r *Recording) Samples() int {
	n := 0
	for _, s := range r.Series {
		n += len(s.Samples)
	}
	return n
}

// maxProblems is how many wrong rows of one file are listed: enough to see the
// pattern, few enough to read.
const maxProblems = 20

// Load reads every *.csv of a folder. A file's base name is the asset's, its
// first column is time, RFC 3339 with a zone; a column is a measurement when
// it has its name, or its name, an underscore and its unit (voltage_V,
// temperature_C for Cel; units without dots, so energy_Wh for W.h). A column
// named quality holds GOOD, BAD or UNCERTAIN for the row. An empty cell is no
// sample; NaN and NULL are samples of quality BAD without a number, which is
// how SiteWise takes them. A file whose first column is not time is skipped.
//
// All files are read before Load returns, and everything that is wrong with
// them is in its error, each with file and line.
func Load(dir fs.FS, twin string, assets []Asset) (*Recording, error) {
	files, err := fs.Glob(dir, "*.csv")
	if err != nil {
		return nil, fmt.Errorf("list telemetry: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("no *.csv in the folder: want one file per asset, named as the asset")
	}
	slices.Sort(files)
	r := &Recording{Twin: twin}
	var errs []error
	for _, name := range files {
		errs = append(errs, r.load(dir, name, assets))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(r.Series) == 0 {
		return nil, fmt.Errorf("none of %d files holds telemetry: the first column of a file of telemetry is time", len(files))
	}
	return r, nil
}

// IsTelemetry reports whether a file's first column is time.
func IsTelemetry(dir fs.FS, name string) (bool, error) {
	f, err := dir.Open(name)
	if err != nil {
		return false, fmt.Errorf("read telemetry: %w", err)
	}
	defer f.Close()
	header, err := csv.NewReader(f).Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("%s:1: %w", name, err)
	}
	return len(header) > 0 && header[0] == "time", nil
}

func (r *Recording) load(dir fs.FS, name string, assets []Asset) error {
	f, err := dir.Open(name)
	if err != nil {
		return fmt.Errorf("read telemetry: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.ReuseRecord = true
	header, err := in.Read()
	switch {
	case errors.Is(err, io.EOF):
		r.Skipped = append(r.Skipped, Skip{name, "it is empty"})
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case header[0] != "time":
		r.Skipped = append(r.Skipped, Skip{name, fmt.Sprintf("its first column is %q, not time", header[0])})
		return nil
	}
	asset := strings.TrimSuffix(path.Base(name), ".csv")
	i := slices.IndexFunc(assets, func(a Asset) bool { return a.Name == asset })
	if i < 0 {
		names := make([]string, len(assets))
		for i, a := range assets {
			names[i] = a.Name
		}
		return fmt.Errorf("%s: the twin has no asset %s with measurements: want one of %s", name, asset, strings.Join(names, ", "))
	}
	t, err := r.newTable(name, header, assets[i])
	if err != nil {
		return err
	}
	if err := t.read(in); err != nil {
		return err
	}
	r.Files++
	r.Reordered += t.reordered
	r.Duplicates += t.settle()
	for _, c := range t.columns {
		r.Series = append(r.Series, Series{Alias: telemetry.AliasOf(r.Twin, asset, c.measurement), Samples: c.samples})
	}
	return nil
}

// A table is one file being read.
type table struct {
	file      string
	columns   []*column
	quality   int // field of the row's quality, or -1
	reordered int
	previous  time.Time
}

type column struct {
	field       int
	name        string // in the file
	measurement string
	samples     []telemetry.Sample
}

func (r *Recording) newTable(name string, header []string, asset Asset) (*table, error) {
	t := &table{file: name, quality: -1}
	var errs []error
	for i, h := range header[1:] {
		if h == "quality" && asset.Measurements[h] == "" {
			t.quality = i + 1
			continue
		}
		measurement, err := measurementOf(h, asset.Measurements)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:1: column %s: %w", name, h, err))
			continue
		}
		if measurement == "" {
			r.Columns = append(r.Columns, Column{name, h})
			continue
		}
		if j := slices.IndexFunc(t.columns, func(c *column) bool { return c.measurement == measurement }); j >= 0 {
			errs = append(errs, fmt.Errorf("%s:1: columns %s and %s are both %s: leave out one", name, t.columns[j].name, h, measurement))
			continue
		}
		t.columns = append(t.columns, &column{field: i + 1, name: h, measurement: measurement})
	}
	if len(t.columns) == 0 && len(errs) == 0 {
		want := make([]string, 0, len(asset.Measurements))
		for m, unit := range asset.Measurements {
			want = append(want, strings.TrimSuffix(m+"_"+plain(unit), "_"))
		}
		slices.Sort(want)
		errs = append(errs, fmt.Errorf("%s:1: no column is a measurement of %s: want %s", name, asset.Name, strings.Join(want, ", ")))
	}
	return t, errors.Join(errs...)
}

// measurementOf returns the measurement a column's name stands for, or "".
func measurementOf(name string, measurements map[string]string) (string, error) {
	if _, ok := measurements[name]; ok {
		return name, nil
	}
	i := strings.LastIndexByte(name, '_')
	if i < 0 {
		return "", nil
	}
	base, suffix := name[:i], name[i+1:]
	unit, ok := measurements[base]
	if !ok {
		return "", nil
	}
	if suffix != plain(unit) {
		return "", fmt.Errorf("its unit is %s, that of %s is %s: convert the column and name it %s", suffix, base, unit, base+"_"+plain(unit))
	}
	return base, nil
}

// plain is how people write a UCUM unit in a header.
func plain(unit string) string {
	switch unit {
	case "Cel":
		return "C"
	case "1", "":
		return ""
	}
	return strings.NewReplacer(".", "", "{", "", "}", "").Replace(unit)
}

func (t *table) read(in *csv.Reader) error {
	var errs []error
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err == nil {
			err = t.row(row)
		} else if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			err = fmt.Errorf("%s:%d: %w", t.file, parse.Line, parse.Err)
		} else {
			return fmt.Errorf("%s: %w", t.file, err) // the disk, not the row
		}
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*rowError](err); ok {
			line, _ := in.FieldPos(0)
			err = fmt.Errorf("%s:%d: %w", t.file, line, err)
		}
		if errs = append(errs, err); len(errs) == maxProblems {
			errs = append(errs, fmt.Errorf("%s: more than %d wrong rows; the rest was not read", t.file, maxProblems-1))
			return errors.Join(errs...)
		}
	}
}

// A rowError lacks only its place.
type rowError struct{ problem string }

func (e *rowError) Error() string { return e.problem }

func problemf(format string, args ...any) error {
	return &rowError{fmt.Sprintf(format, args...)}
}

func (t *table) row(row []string) error {
	at, err := time.Parse(time.RFC3339Nano, row[0])
	if err != nil {
		return problemf("time %q: want RFC 3339 with a zone, such as 2026-01-02T03:04:05.678Z", row[0])
	}
	at = at.UTC()
	quality := telemetry.Good
	if t.quality >= 0 {
		quality = telemetry.Quality(row[t.quality])
		if !slices.Contains([]telemetry.Quality{telemetry.Good, telemetry.Bad, telemetry.Uncertain}, quality) {
			return problemf("quality %q: want GOOD, BAD or UNCERTAIN", row[t.quality])
		}
	}
	// All cells are checked before the first is kept.
	for _, c := range t.columns {
		if _, _, err := sampleOf(row[c.field], at, quality); err != nil {
			return problemf("column %s: %v", c.name, err)
		}
	}
	if at.Before(t.previous) {
		t.reordered++
	}
	t.previous = at
	for _, c := range t.columns {
		if s, ok, _ := sampleOf(row[c.field], at, quality); ok {
			c.samples = append(c.samples, s)
		}
	}
	return nil
}

// sampleOf reads a cell; ok is false when it holds no sample.
func sampleOf(cell string, at time.Time, quality telemetry.Quality) (s telemetry.Sample, ok bool, err error) {
	switch cell {
	case "":
		return s, false, nil
	case "NaN", "nan":
		return telemetry.Sample{Time: at, Value: math.NaN(), Quality: telemetry.Bad}, true, nil
	case "NULL", "null":
		return telemetry.Sample{Time: at, Value: math.NaN(), Quality: telemetry.Bad, Null: true}, true, nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return s, false, fmt.Errorf("%q is not a number: want one such as -4.02, NaN, NULL or nothing", cell)
	}
	return telemetry.Sample{Time: at, Value: v, Quality: quality}, true, nil
}

// settle sorts the columns and keeps the last of the samples at one instant.
// It returns how many rows lost an instant to a later row.
func (t *table) settle() int {
	lost := map[time.Time]int{}
	for _, c := range t.columns {
		slices.SortStableFunc(c.samples, func(a, b telemetry.Sample) int { return a.Time.Compare(b.Time) })
		here := map[time.Time]int{}
		kept := c.samples[:0]
		for _, s := range c.samples {
			if n := len(kept); n > 0 && kept[n-1].Time.Equal(s.Time) {
				kept[n-1] = s
				here[s.Time]++
				continue
			}
			kept = append(kept, s)
		}
		c.samples = kept
		for at, n := range here {
			lost[at] = max(lost[at], n)
		}
	}
	n := 0
	for _, k := range lost {
		n += k
	}
	return n
}
