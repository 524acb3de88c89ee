package demo

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/plant/cell"
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
	width   int  // of the terminal; 0: lines are as long as they are
	step    string
	details []string
}

func newConsole(out io.Writer) *console {
	c := &console{out: out}
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) && os.Getenv("CI") == "" {
		c.dynamic = true
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil { // else lines are as long as they are
			c.width = int(size.Col)
		}
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

const rowFormat = "  %-16s  %-10s %5s  %-8s  %8s  %-22s  %7s  %6s  %8s  "

func (c *console) header() {
	c.line("%s", c.step)
	c.line(rowFormat+"%s", "window end", "cell", "cycle", "outcome", "measured", "predicted [90 %], A.h", "SoH", "NIS", "gain", "why")
}

// row shows one recalibration. Measured and predicted are the capacity of its
// last cycle and what was predicted of it when the load set in: the figures of
// the report are made of these.
func (c *console) row(d calibration.Diagnostics) {
	scores := d.ChallengerScores
	if d.Decision.Outcome == calibration.Rejected && d.ChampionScores != nil {
		scores = *d.ChampionScores
	}
	cycle, measured, predicted, health, gain := "", "–", "–", "–", "–"
	for _, s := range d.Segments {
		cycle, measured, predicted = strconv.Itoa(s.Index), "–", "–"
		for _, f := range s.Forecasts {
			if f.Name != cell.Capacity {
				continue
			}
			if f.Measured != nil {
				measured = fmt.Sprintf("%.4f", *f.Measured)
			}
			if q := f.Onset; q != nil {
				predicted = fmt.Sprintf("%.4f [%.3f, %.3f]", q.P50, q.P05, q.P95)
			}
		}
	}
	if n := len(d.Segments); n > 1 {
		cycle = fmt.Sprintf("%d-%s", d.Segments[0].Index, cycle)
	}
	if q := report.Published(d, "state_of_health"); q != nil {
		health = fmt.Sprintf("%.1f %%", 100*q.P50)
	}
	if d.Decision.Gain != nil {
		gain = fmt.Sprintf("%+.3f", *d.Decision.Gain)
	}
	row := fmt.Sprintf(rowFormat, short(d.WindowEnd), d.Asset, cycle, d.Decision.Outcome, measured, predicted, health,
		fmt.Sprintf("%.2f", scores.NIS), gain)
	for _, line := range beside(row, why(d.Decision), c.width) {
		c.line("%s", line)
	}
}

// why is the reason of a decision in short: the numbers of a promotion are in
// the columns beside it, what speaks against one is told in full.
func why(d calibration.Decision) string {
	reason, _, _ := strings.Cut(d.Reason, "; ")
	if d.Outcome == calibration.Promoted {
		reason, _, _ = strings.Cut(reason, ": ")
	}
	return reason
}

// leastBeside is how many columns a text needs beside a row; with fewer it
// goes below.
const leastBeside = 24

// beside puts a text to the right of a row and breaks it between words to a
// width, 0 for one line of any length.
func beside(row, text string, width int) []string {
	indent := utf8.RuneCountInString(row)
	if width == 0 || indent+utf8.RuneCountInString(text) <= width {
		return []string{row + text}
	}
	lines := []string{row}
	if width-indent < leastBeside {
		indent = 6
		lines = append(lines, strings.Repeat(" ", indent))
	}
	room, used := width-indent, 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		last := len(lines) - 1
		switch {
		case used == 0:
			lines[last] += word
			used = n
		case used+1+n <= room:
			lines[last] += " " + word
			used += 1 + n
		default:
			lines = append(lines, strings.Repeat(" ", indent)+word)
			used = n
		}
	}
	return lines
}

// figures shows the report's table, and beside it what the figures include
// that the twin did not believe.
func (c *console) figures(r *report.Report) {
	number := func(v *float64, factor float64, digits int) string {
		if v == nil {
			return "–"
		}
		return strconv.FormatFloat(factor**v, 'f', digits, 64)
	}
	c.detail("cycles %d to %d; capacities in A.h, voltages in mV, each beside what simpler predictions give", r.Cycles.From, r.Cycles.To)
	c.detail("%-10s %13s %11s %8s %8s %8s %12s %11s", "cell", "capacity RMSE", "last value", "frozen", "in 90 %", "width", "voltage RMSE", "last cycle")
	for _, x := range r.Cells {
		c.detail("%-10s %13s %11s %8s %8s %8s %12s %11s", x.Cell,
			number(x.CapacityRMSE, 1, 4), number(x.PersistenceRMSE, 1, 4), number(x.FrozenRMSE, 1, 4),
			number(x.Coverage90, 1, 2), number(x.Width90, 1, 4), number(x.VoltageRMSE, 1e3, 1), number(x.LastCycleRMSE, 1e3, 1))
	}
	for _, x := range r.Cells {
		if cycles := x.RejectedCycles(r.Cycles); cycles != "" {
			c.detail("%s: the figures include what the twin rejected: %s", x.Cell, cycles)
		}
		if x.CapacityRMSE == nil {
			c.detail("%s: no figures: they start with cycle %d, its telemetry ends before", x.Cell, r.Cycles.From)
		}
	}
	for _, f := range r.Floors {
		if r.Real && !f.Holds {
			c.detail("floor not reached: %s: %s, want %s (%s)", f.Figure, strings.TrimSpace(number(f.Worst, 1, 4)+" "+f.Unit), f.Limit, f.Cell)
		}
	}
}
