package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours are those of the light page; svg replaces each by the page's variable
// for it, so that a dark page gets its own.
var (
	ink    = color.NRGBA{R: 0x1b, G: 0x24, B: 0x30, A: 0xff}
	faint  = color.NRGBA{R: 0xd9, G: 0xde, B: 0xe5, A: 0xff}
	alert  = color.NRGBA{R: 0xc4, G: 0x2b, B: 0x1c, A: 0xff}
	series = []color.NRGBA{
		{R: 0x0b, G: 0x6e, B: 0x99, A: 0xff},
		{R: 0xb3, G: 0x5c, B: 0x00, A: 0xff},
		{R: 0x5b, G: 0x4b, B: 0xb5, A: 0xff},
		{R: 0x2d, G: 0x7d, B: 0x46, A: 0xff},
		{R: 0xa8, G: 0x32, B: 0x79, A: 0xff},
		{R: 0x6b, G: 0x6b, B: 0x2b, A: 0xff},
	}
)

// variables of the page, by colour.
func variables() *strings.Replacer {
	pairs := []string{hex(ink), "var(--ink)", hex(faint), "var(--faint)", hex(alert), "var(--alert)"}
	for i, c := range series {
		pairs = append(pairs, hex(c), fmt.Sprintf("var(--s%d)", i),
			hex(bandColor(c)), fmt.Sprintf("var(--s%d);fill-opacity:.2", i))
	}
	return strings.NewReplacer(pairs...)
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B) }

func seriesColor(i int) color.NRGBA { return series[i%len(series)] }

// bandColor stands for the translucent form of c: an opaque colour beside it,
// because the canvas rounds colours that are translucent.
func bandColor(c color.NRGBA) color.NRGBA {
	c.B ^= 1
	return c
}

// chart is a plot in the report's style.
type chart struct {
	p      *plot.Plot
	legend []Key
	err    error
}

// A Key explains one mark of a drawing; the page shows it beside the title.
type Key struct {
	Label string
	Dot   bool // a dot rather than a line
	Color template.CSS
}

func (c *chart) key(label string, dot bool, col color.NRGBA) {
	if label != "" {
		c.legend = append(c.legend, Key{label, dot, template.CSS(variables().Replace(hex(col)))}) //nolint:gosec // a name of ours
	}
}

func newChart(x, y string) *chart {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color = ink
		a.Width = vg.Points(0.5)
		a.Label.TextStyle.Color = ink
		a.Label.TextStyle.Font.Size = vg.Points(10)
		a.Label.TextStyle.Font.Variant = "Sans"
		a.Tick.Color = ink
		a.Tick.Width = vg.Points(0.5)
		a.Tick.Length = vg.Points(3)
		a.Tick.Label.Color = ink
		a.Tick.Label.Font.Size = vg.Points(9.5)
		a.Tick.Label.Font.Variant = "Sans"
		a.Padding = vg.Points(3)
		a.Tick.Marker = ticks{}
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, nil
	grid.Horizontal.Width, grid.Vertical.Width = vg.Points(0.5), 0
	p.Add(grid)
	return &chart{p: p}
}

// add keeps the first error of a plotter.
func (c *chart) add(p plot.Plotter, err error) {
	if err != nil {
		if c.err == nil {
			c.err = err
		}
		return
	}
	c.p.Add(p)
}

// band fills between lower and upper over x.
func (c *chart) band(col color.NRGBA, x, lower, upper []float64) {
	if len(x) < 2 {
		return
	}
	ring := make(plotter.XYs, 0, 2*len(x))
	for i := range x {
		ring = append(ring, plotter.XY{X: x[i], Y: upper[i]})
	}
	for i, at := range slices.Backward(x) {
		ring = append(ring, plotter.XY{X: at, Y: lower[i]})
	}
	poly, err := plotter.NewPolygon(ring)
	if err == nil {
		poly.Color = bandColor(col)
		poly.Width = 0
	}
	c.add(poly, err)
}

func (c *chart) line(legend string, col color.NRGBA, dashes []vg.Length, x, y []float64) {
	if len(x) == 0 {
		return
	}
	l, err := plotter.NewLine(points(x, y))
	if err == nil {
		l.Color, l.Width, l.Dashes = col, vg.Points(1.4), dashes
	}
	c.key(legend, false, col)
	c.add(l, err)
}

func (c *chart) dots(legend string, col color.NRGBA, shape draw.GlyphDrawer, radius float64, x, y []float64) {
	if len(x) == 0 {
		return
	}
	s, err := plotter.NewScatter(points(x, y))
	if err == nil {
		s.Color, s.Shape, s.Radius = col, shape, vg.Points(radius)
	}
	c.key(legend, true, col)
	c.add(s, err)
}

// level draws a horizontal line over the range of x.
func (c *chart) level(legend string, y, from, to float64) {
	c.line(legend, alert, []vg.Length{vg.Points(4), vg.Points(3)}, []float64{from, to}, []float64{y, y})
}

func points(x, y []float64) plotter.XYs {
	xy := make(plotter.XYs, len(x))
	for i := range x {
		xy[i] = plotter.XY{X: x[i], Y: y[i]}
	}
	return xy
}

// ticks marks multiples of 1, 2 or 5 times a power of ten, about five of them,
// written with the digits that tell them apart.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	if !(high > low) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 4, 64)}}
	}
	power := math.Pow(10, math.Floor(math.Log10((high-low)/5)))
	step := power
	for _, m := range []float64{1, 2, 5, 10} {
		if step = m * power; (high-low)/step <= 6 {
			break
		}
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var all []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		all = append(all, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', digits, 64)})
	}
	return all
}

var (
	svgHead  = regexp.MustCompile(`(?s)^.*?<svg width="[^"]*" height="[^"]*"`)
	svgFonts = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;?`)
)

// svg renders the chart for the page: no size of its own, the page's colours
// and font, a title for those who cannot see it.
func (c *chart) svg(title string, width, height float64) (template.HTML, error) {
	if c.err != nil {
		return "", fmt.Errorf("draw %s: %w", title, c.err)
	}
	if math.IsInf(c.p.X.Min, 0) || math.IsInf(c.p.Y.Min, 0) {
		return "", nil // nothing was drawn
	}
	canvas := vgsvg.New(vg.Points(width), vg.Points(height))
	// The margin holds the half of a tick's label that leaves the axes.
	c.p.Draw(draw.Crop(draw.New(canvas), 0, -vg.Points(10), 0, -vg.Points(6)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %s: %w", title, err)
	}
	text := svgHead.ReplaceAllString(b.String(), `<svg role="img"`)
	text = svgFonts.ReplaceAllString(text, "")
	text = variables().Replace(text)
	label := template.HTMLEscapeString(title)
	text = strings.Replace(text, `xmlns:xlink="http://www.w3.org/1999/xlink">`, `aria-label="`+label+`"><title>`+label+`</title>`, 1)
	return template.HTML(text), nil //nolint:gosec // drawn here; texts in it are escaped by the canvas
}

// logScale is plot.LogScale over a range that may be one point.
type logScale struct{}

// Normalize implements plot.Normalizer.
func (logScale) Normalize(low, high, x float64) float64 {
	if high <= low {
		return 0.5
	}
	return plot.LogScale{}.Normalize(low, high, x)
}

// decades marks 1, 2 and 5 times the powers of ten, or the powers alone where
// that is too many.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) []plot.Tick {
	if !(high > low && low > 0) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 3, 64)}}
	}
	within := []float64{1, 2, 5}
	if math.Log10(high/low) > 2 {
		within = within[:1]
	}
	var all []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for _, m := range within {
			if v := m * math.Pow(10, e); v >= low && v <= high {
				digits := max(0, -int(e))
				all = append(all, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', digits, 64)})
			}
		}
	}
	return all
}
