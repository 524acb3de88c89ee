package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/report"
)

// short is how the demo shows times: UTC to the minute.
func short(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// console prints steps, rows and, on a terminal, one line of progress that the
// next line replaces. With CI set, or without a terminal, lines stay plain.
type console struct {
	out     io.Writer
	dynamic bool
	pending bool // a progress line is shown
	width   int
	step    string
	details []string
}

func newConsole(out io.Writer) *console {
	c := &console{out: out, width: 60}
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) && os.Getenv("CI") == "" {
		c.dynamic = true
	}
	return c
}

func (c *console) clear() {
	if c.pending {
		fmt.Fprint(c.out, "\r\x1b[K")
		c.pending = false
	}
}

func (c *console) line(format string, args ...any) {
	c.clear()
	fmt.Fprintln(c.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// begin announces a step; its details follow when it has ended.
func (c *console) begin(i, of int, title string) {
	c.step = fmt.Sprintf("[%d/%d] %s", i, of, title)
	c.details = nil
	if c.dynamic {
		c.clear()
		fmt.Fprint(c.out, c.step, " …")
		c.pending = true
	}
}

func (c *console) end(took time.Duration) {
	c.line("%-70s %6.1f s", c.step, took.Seconds())
	for _, d := range c.details {
		c.line("      %s", d)
	}
}

func (c *console) detail(format string, args ...any) {
	c.details = append(c.details, fmt.Sprintf(format, args...))
}

// progress shows how far the replay is.
func (c *console) progress(until time.Time, share float64) {
	if c.dynamic {
		fmt.Fprintf(c.out, "\r\x1b[K      %s  %3.0f %%", short(until), 100*share)
		c.pending = true
	}
}

const rowFormat = "  %-16s  %-10s %5s  %-8s  %-22s  %8s  %6s  %6s  %7s  %s"

func (c *console) header() {
	c.line("%s", c.step)
	c.line(rowFormat, "window end", "cell", "cycle", "outcome", "capacity [90 %], A.h", "measured", "SoH", "NIS", "gain", "why")
}

// row shows one recalibration.
func (c *console) row(d calibration.Diagnostics) {
	scores := d.ChallengerScores
	if d.Decision.Outcome == calibration.Rejected && d.ChampionScores != nil {
		scores = *d.ChampionScores
	}
	cycle, measured := "", ""
	for _, s := range d.Segments {
		cycle = fmt.Sprint(s.Index)
		for _, f := range s.Forecasts {
			if f.Name == "capacity" && f.Measured != nil {
				measured = fmt.Sprintf("%.4f", *f.Measured)
			}
		}
	}
	capacity, health, gain := "", "", ""
	if q := report.Published(d, "capacity"); q != nil {
		capacity = fmt.Sprintf("%.4f [%.3f, %.3f]", q.P50, q.P05, q.P95)
	}
	if q := report.Published(d, "state_of_health"); q != nil {
		health = fmt.Sprintf("%.1f %%", 100*q.P50)
	}
	if d.Decision.Gain != nil {
		gain = fmt.Sprintf("%+.3f", *d.Decision.Gain)
	}
	c.line(rowFormat, short(d.WindowEnd), d.Asset, cycle, d.Decision.Outcome, capacity, measured, health,
		fmt.Sprintf("%.2f", scores.NIS), gain, c.fit(d.Decision.Reason))
}

// fit shortens a text to what fits beside a row.
func (c *console) fit(text string) string {
	if r := []rune(text); len(r) > c.width {
		return string(r[:c.width-1]) + "…"
	}
	return text
}

// figures shows the report's table.
func (c *console) figures(r *report.Report) {
	number := func(v *float64, factor float64, digits int) string {
		if v == nil {
			return "–"
		}
		return fmt.Sprintf("%.*f", digits, factor**v)
	}
	c.detail("cycles %d to %d", r.Cycles.From, r.Cycles.To)
	c.detail("%-10s %14s %12s %12s %11s %11s %14s %12s", "cell", "capacity RMSE", "persistence", "frozen", "coverage90", "width90", "voltage RMSE", "last cycle")
	for _, x := range r.Cells {
		c.detail("%-10s %10s A.h %8s A.h %8s A.h %11s %7s A.h %11s mV %9s mV", x.Cell,
			number(x.CapacityRMSE, 1, 4), number(x.PersistenceRMSE, 1, 4), number(x.FrozenRMSE, 1, 4),
			number(x.Coverage90, 1, 2), number(x.Width90, 1, 4), number(x.VoltageRMSE, 1e3, 1), number(x.LastCycleRMSE, 1e3, 1))
	}
	for _, f := range r.Floors {
		if r.Real && !f.Holds {
			c.detail("floor not reached: %s: %s %s, want %s (%s)", f.Figure, number(f.Worst, 1, 4), f.Unit, f.Limit, f.Cell)
		}
	}
}
