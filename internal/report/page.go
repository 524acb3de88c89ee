package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html.tmpl
var pageSource string

// page is parsed once; a mistake in it shows in every test.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"number":  number,
	"percent": func(v *float64) string { return scaled(v, 100, 0, " %") },
	"milli":   func(v *float64) string { return scaled(v, 1e3, 1, "") },
	"spread":  quantileText,
	"share":   func(q *Quantiles) string { return quantiles(q, 100, 1, " %") },
	"life":    life,
	"time":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"gain": func(v *float64) string {
		if v == nil {
			return "–"
		}
		return fmt.Sprintf("%+.3f", *v)
	},
	"series": func(i int) template.CSS { return template.CSS("var(--s" + strconv.Itoa(i%len(series)) + ")") }, //nolint:gosec // a name of ours
}).Parse(pageSource))

// view is what the page shows.
type view struct {
	*Report
	Sections []Section
	Holding  int // floors that hold
	Events   []event
}

// An event is a run that somebody should know of.
type event struct {
	Cell string
	Run
}

// WriteHTML writes the page: one file, nothing loaded from elsewhere, light or
// dark as the reader's system asks for.
func (r *Report) WriteHTML(w io.Writer) error {
	sections, err := r.sections()
	if err != nil {
		return err
	}
	v := view{Report: r, Sections: sections}
	for _, f := range r.Floors {
		if f.Holds {
			v.Holding++
		}
	}
	for _, c := range r.Cells {
		for _, run := range c.Runs {
			if run.Outcome != "promoted" || run.Late > 0 {
				v.Events = append(v.Events, event{c.Cell, run})
			}
		}
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// Lead is what the page says first.
func (v view) Lead() string {
	runs, promoted := 0, 0
	for _, c := range v.Cells {
		runs += c.Recalibrations
		promoted += c.Promoted
	}
	return fmt.Sprintf("%d cells were followed through %d recalibrations; %d of them put new parameters in force.", len(v.Cells), runs, promoted)
}

// number is a figure to four decimals; absent is a dash.
func number(v *float64) string { return scaled(v, 1, 4, "") }

func scaled(v *float64, factor float64, digits int, unit string) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(factor**v, 'f', digits, 64) + unit
}

// life writes remaining cycles.
func life(q *Life) string {
	if q == nil {
		return "–"
	}
	f := func(v *float64) string {
		if v == nil {
			return "over " + strconv.Itoa(q.Beyond)
		}
		return strconv.FormatFloat(*v, 'f', 0, 64)
	}
	return f(q.P50) + " (" + f(q.P05) + " to " + f(q.P95) + ")"
}

func quantileText(q *Quantiles) string { return quantiles(q, 1, 3, "") }

func quantiles(q *Quantiles, factor float64, digits int, unit string) string {
	if q == nil {
		return "–"
	}
	f := func(v float64) string { return strconv.FormatFloat(factor*v, 'f', digits, 64) }
	return strings.Join([]string{f(q.P50) + unit, " (", f(q.P05), " to ", f(q.P95), ")"}, "")
}
