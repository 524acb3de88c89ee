package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Figure is one drawing of the page.
type Figure struct {
	Title  string
	Legend []Key
	SVG    template.HTML
}

// A Section is a heading with drawings.
type Section struct {
	Title   string
	Text    string
	Figures []Figure
}

// marks explains what marker draws.
const marks = "A red triangle and a dashed line mark a cycle whose window was rejected: a sensor, the load or the cell did what the model does not describe."

const (
	figureWidth  = 310.0 // points; drawings scale with the page
	figureHeight = 200.0
)

// sections draws everything that the report holds; a drawing without data is
// left out.
func (r *Report) sections() ([]Section, error) {
	a := &artist{cells: r.Cells, alarm: r.Alarm, endOfLife: r.EndOfLife}
	all := []Section{
		{
			Title: "Capacity: what the twin expected, and what came",
			Text: "Dots are measured: the charge that a discharge delivered down to the cut-off voltage. The line and its band are the twin's median and 90 % interval, " +
				"made when the load set in, from earlier telemetry alone; nine dots of ten should lie in the band. Steps up are pauses in which a cell recovered. " + marks,
			Figures: a.perCell(a.capacity),
		},
		{
			Title:   "Health, resistance and life",
			Text:    "One line per cell with its 90 % band, after every recalibration. Where the trend leaves no upper end to the remaining cycles, the band shows the lower one.",
			Figures: []Figure{a.health(), a.resistance(), a.life()},
		},
		{
			Title: "Voltage of the last discharge",
			Text: "The line is the measured voltage under load. The marks were published after the discharge before, hours ahead: the voltage expected 5, 15 and 25 minutes " +
				"into the load, with its 90 % interval. A mark at the cut-off voltage says that the discharge is over by then.",
			Figures: a.perCell(a.voltage),
		},
		{
			Title: "Voltage of every discharge",
			Text: "The typical error of the voltage over a whole discharge, predicted when the load set in and run on the measured current: no voltage of the discharge " +
				"was seen. " + marks,
			Figures: a.perCell(a.trajectory),
		},
		{
			Title: "Does the model still explain the telemetry?",
			Text: "NIS is the squared error of a one-step forecast over the variance that the model claimed for it: 1 when the model is right, more when it is too sure of itself. " +
				"Coverage is the share of samples inside their 90 % intervals. A run that stands out is where a sensor, the load or the cell did something new; " +
				"a red triangle is a run whose new parameters were not taken.",
			Figures: []Figure{a.consistency(), a.coverage(), a.decisions()},
		},
	}
	kept := all[:0]
	for _, s := range all {
		figures := s.Figures[:0]
		for _, f := range s.Figures {
			if f.SVG != "" {
				figures = append(figures, f)
			}
		}
		if s.Figures = figures; len(figures) > 0 {
			kept = append(kept, s)
		}
	}
	return kept, a.err
}

// artist draws, and keeps the first error.
type artist struct {
	cells     []Cell
	alarm     *Alarm
	endOfLife *float64
	err       error
}

func (a *artist) finish(c *chart, title, alt string) Figure {
	svg, err := c.svg(alt, figureWidth, figureHeight)
	if err != nil && a.err == nil {
		a.err = err
	}
	return Figure{Title: title, Legend: c.legend, SVG: svg}
}

func (a *artist) perCell(f func(i int, c Cell) Figure) []Figure {
	figures := make([]Figure, 0, len(a.cells))
	for i, c := range a.cells {
		figures = append(figures, f(i, c))
	}
	return figures
}

// column collects x and y where y could be had.
type column struct{ x, y []float64 }

func (c *column) add(x int, y *float64) {
	if y != nil && !math.IsNaN(*y) && !math.IsInf(*y, 0) {
		c.x, c.y = append(c.x, float64(x)), append(c.y, *y)
	}
}

// fan collects quantiles.
type fan struct{ x, low, mid, high []float64 }

func (f *fan) add(x int, q *Quantiles) {
	if q != nil {
		f.x = append(f.x, float64(x))
		f.low, f.mid, f.high = append(f.low, q.P05), append(f.mid, q.P50), append(f.high, q.P95)
	}
}

// cut keeps the fan between two levels.
func (f *fan) cut(low, high float64) {
	for _, y := range [][]float64{f.low, f.mid, f.high} {
		for i := range y {
			y[i] = min(max(y[i], low), high)
		}
	}
}

func (f *fan) draw(c *chart, legend string, col int) {
	c.band(seriesColor(col), f.x, f.low, f.high)
	c.line(legend, seriesColor(col), nil, f.x, f.mid)
}

func (a *artist) capacity(i int, cell Cell) Figure {
	c := newChart("cycle", "capacity, A\u00b7h")
	var measured column
	var predicted fan
	for _, y := range cell.History {
		measured.add(y.Cycle, y.Measured)
		predicted.add(y.Cycle, y.Predicted)
	}
	// The first predictions know nothing but the prior: their bands are cut
	// near what was measured.
	if n := len(measured.y); n > 0 {
		low, high := slices.Min(measured.y), slices.Max(measured.y)
		predicted.cut(low-bandMargin, high+bandMargin)
	}
	predicted.draw(c, "expected, 90 % band", i)
	c.dots("measured", ink, draw.CircleGlyph{}, 1.8, measured.x, measured.y)
	c.marker(cell)
	return a.finish(c, cell.Cell, fmt.Sprintf("Capacity of %s by cycle, expected and measured: %s", cell.Cell, summary(measured, "A\u00b7h", 1, 3)))
}

// bandMargin is how far bands may leave the range of measured capacities, A.h.
const bandMargin = 0.06

// byRun draws one quantity of all cells after every run.
func (a *artist) byRun(c *chart, of func(Run) *Quantiles) (from, to float64) {
	from, to = math.Inf(1), math.Inf(-1)
	for i, cell := range a.cells {
		var f fan
		for _, run := range cell.Runs {
			f.add(run.Cycle, of(run))
		}
		f.draw(c, cell.Cell, i)
		if len(f.x) > 0 {
			from, to = min(from, f.x[0]), max(to, f.x[len(f.x)-1])
		}
	}
	return from, to
}

func (a *artist) health() Figure {
	c := newChart("cycle", "state of health")
	from, to := a.byRun(c, func(r Run) *Quantiles { return r.SoH })
	if a.alarm != nil && from < to {
		c.level(fmt.Sprintf("alarm below %.3g", a.alarm.Threshold), a.alarm.Threshold, from, to)
	}
	return a.finish(c, "State of health", "State of health of every cell by cycle, with the alarm's threshold")
}

func (a *artist) resistance() Figure {
	c := newChart("cycle", "ohmic resistance, m\u03a9")
	a.byRun(c, func(r Run) *Quantiles {
		if r.Resistance == nil {
			return nil
		}
		return &Quantiles{P05: 1e3 * r.Resistance.P05, P50: 1e3 * r.Resistance.P50, P95: 1e3 * r.Resistance.P95}
	})
	return a.finish(c, "Ohmic resistance", "Ohmic resistance of every cell by cycle")
}

// endless is the number of cycles beyond which no remaining life is published.
const endless = 1000

// lifeStarts is the first cycle whose remaining life is drawn: before it the
// trend is not known yet and the band would hide all others.
const lifeStarts = 6

func (a *artist) life() Figure {
	c := newChart("cycle", "remaining cycles")
	a.byRun(c, func(r Run) *Quantiles {
		if r.RUL == nil || r.Cycle < lifeStarts || r.RUL.P05 == nil || r.RUL.P50 == nil {
			return nil
		}
		q := Quantiles{P05: *r.RUL.P05, P50: *r.RUL.P50, P95: *r.RUL.P50}
		if r.RUL.P95 != nil { // without an upper end the band shows the lower half
			q.P95 = *r.RUL.P95
		}
		return &q
	})
	title := "Remaining cycles"
	if a.endOfLife != nil {
		title = fmt.Sprintf("Cycles left until %.3g A\u00b7h", *a.endOfLife)
	}
	return a.finish(c, title, "Remaining cycles until the end of life of every cell")
}

func (a *artist) voltage(i int, cell Cell) Figure {
	if cell.Voltage == nil {
		return Figure{}
	}
	c := newChart("minutes under load", "voltage, V")
	var x, y []float64
	for _, p := range cell.Voltage.Measured {
		x, y = append(x, p.Minutes), append(y, p.Volts)
	}
	c.line("measured", ink, nil, x, y)
	x, y = nil, nil
	for _, p := range cell.Voltage.Published {
		c.line("", seriesColor(i), nil, []float64{p.Minutes, p.Minutes}, []float64{p.Volts.P05, p.Volts.P95})
		x, y = append(x, p.Minutes), append(y, p.Volts.P50)
	}
	c.dots("expected, 90 %", seriesColor(i), draw.CircleGlyph{}, 3, x, y)
	return a.finish(c, fmt.Sprintf("%s, cycle %d", cell.Cell, cell.Voltage.Cycle), fmt.Sprintf("Voltage of a discharge of %s, measured and expected", cell.Cell))
}

// trajectory draws the error of the voltage of every cycle, mV.
func (a *artist) trajectory(i int, cell Cell) Figure {
	c := newChart("cycle", "voltage RMSE, mV")
	var errors column
	for _, y := range cell.History {
		if y.VoltageRMSE != nil {
			mV := 1e3 * *y.VoltageRMSE
			errors.add(y.Cycle, &mV)
		}
	}
	c.line("", seriesColor(i), nil, errors.x, errors.y)
	c.dots("", seriesColor(i), draw.CircleGlyph{}, 1.8, errors.x, errors.y)
	c.p.Y.Min = 0
	c.marker(cell)
	return a.finish(c, cell.Cell, fmt.Sprintf("Voltage error of %s by cycle: %s", cell.Cell, summary(errors, "mV", 1, 1)))
}

// summary says in words what a line shows.
func summary(c column, unit string, factor float64, digits int) string {
	if len(c.y) == 0 {
		return "no values"
	}
	f := func(v float64) string { return strconv.FormatFloat(factor*v, 'f', digits, 64) + " " + unit }
	return fmt.Sprintf("%s in cycle %.0f, %s in cycle %.0f, from %s to %s in between",
		f(c.y[0]), c.x[0], f(c.y[len(c.y)-1]), c.x[len(c.x)-1], f(slices.Min(c.y)), f(slices.Max(c.y)))
}

// marker marks the rejected cycles over the height of what is drawn.
func (c *chart) marker(cell Cell) {
	low, high := c.p.Y.Min, c.p.Y.Max
	label := "window rejected"
	for _, run := range cell.Runs {
		if run.Outcome == rejected {
			x := float64(run.Cycle)
			c.line("", alert, []vg.Length{vg.Points(3), vg.Points(3)}, []float64{x, x}, []float64{low, high})
			c.dots(label, alert, draw.PyramidGlyph{}, 3.5, []float64{x}, []float64{high})
			label = ""
		}
	}
}

// scalars draws a number of every run, rejected runs as triangles.
func (a *artist) scalars(c *chart, of func(Run) float64) {
	for i, cell := range a.cells {
		var all, refused column
		for _, run := range cell.Runs {
			v := of(run)
			all.add(run.Cycle, &v)
			if run.Outcome == rejected {
				refused.add(run.Cycle, &v)
			}
		}
		c.line(cell.Cell, seriesColor(i), nil, all.x, all.y)
		c.dots("", alert, draw.PyramidGlyph{}, 3.5, refused.x, refused.y)
	}
}

func (a *artist) consistency() Figure {
	c := newChart("cycle", "NIS per sample")
	c.p.Y.Scale, c.p.Y.Tick.Marker = logScale{}, decades{}
	a.scalars(c, func(r Run) float64 { return max(r.NIS, 1e-3) })
	if c.p.X.Max > c.p.X.Min {
		c.line("", ink, []vg.Length{vg.Points(2), vg.Points(3)}, []float64{c.p.X.Min, c.p.X.Max}, []float64{1, 1})
	}
	return a.finish(c, "Consistency (NIS)", "Normalised innovation squared of every run")
}

func (a *artist) coverage() Figure {
	c := newChart("cycle", "share inside 90 %")
	a.scalars(c, func(r Run) float64 { return r.Coverage90 })
	return a.finish(c, "Coverage", "Share of samples inside their 90 percent intervals, by run")
}

// decisions is a row of marks per cell: what became of every run.
func (a *artist) decisions() Figure {
	c := newChart("cycle", "")
	names := make([]string, len(a.cells))
	for i, cell := range a.cells {
		row := float64(len(a.cells) - i)
		names[len(a.cells)-1-i] = cell.Cell
		var promoted, refused column
		for _, run := range cell.Runs {
			switch run.Outcome {
			case "promoted":
				promoted.add(run.Cycle, &row)
			case rejected:
				refused.add(run.Cycle, &row)
			}
		}
		c.dots("", seriesColor(i), draw.CircleGlyph{}, 2.6, promoted.x, promoted.y)
		c.dots("", alert, draw.PyramidGlyph{}, 4, refused.x, refused.y)
	}
	ticks := make(plot.ConstantTicks, len(names))
	for i, name := range names {
		ticks[i] = plot.Tick{Value: float64(i + 1), Label: name}
	}
	c.p.Y.Tick.Marker = ticks
	c.p.Y.Tick.Length, c.p.Y.Width = 0, 0
	c.p.Y.Min, c.p.Y.Max = 0.5, float64(len(names))+0.5
	c.p.Y.Padding = vg.Points(6)
	return a.finish(c, "Promoted (dot) or rejected (triangle)", "Outcome of every run of every cell")
}
