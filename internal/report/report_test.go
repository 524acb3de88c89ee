package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/report"
)

func around(v, half float64) *report.Quantiles {
	return &report.Quantiles{P05: v - half, P50: v, P95: v + half}
}

// left is a remaining life without an upper end when it is long.
func left(v, half float64) *report.Life {
	if v > 55 {
		return &report.Life{P05: new(v - half), P50: &v, Beyond: 1000}
	}
	return &report.Life{P05: new(v - half), P50: &v, P95: new(v + half)}
}

// sample is a small report with everything in it: a rejected run, a cycle that
// was not measured, a cell without life.
func sample() *report.Report {
	start := time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC)
	r := &report.Report{
		Version: report.Version, Twin: "plant", Title: "Plant <of> cells", Calibration: "cell-health", Source: "a test",
		Cycles: report.Range{From: 6, To: 10}, EndOfLife: new(1.4), Alarm: &report.Alarm{Title: "Low", Threshold: 0.8},
		Telemetry: report.Telemetry{Samples: 100, Bad: 3, NotNumbers: 2},
		TwinMaker: report.Readback{Series: 2, Values: 20},
		Meta:      report.Meta{Started: start, Seconds: 12},
	}
	for i, name := range []string{"cell-1", "cell-2"} {
		c := report.Cell{
			Cell: name, Recalibrations: 10, Promoted: 10 - i, Rejected: i,
			CapacityRMSE: new(0.008), PersistenceRMSE: new(0.013), FrozenRMSE: new(0.1), Coverage90: new(0.9), Width90: new(0.03),
			VoltageRMSE: new(0.009), LastCycleRMSE: new(0.02), SoH: around(0.85, 0.01), RUL: left(30, 8),
		}
		for n := 1; n <= 10; n++ {
			at := start.Add(time.Duration(n) * 3 * time.Hour)
			q := 1.85 - 0.01*float64(n) - 0.05*float64(i)
			cycle := report.Cycle{Cycle: n, Start: at, Pause: new(3.0), Measured: new(q + 0.004*math.Sin(float64(n))), VoltageRMSE: new(0.009)}
			if n > 2 {
				cycle.Predicted = around(q, 0.015)
			}
			if n == 5 {
				cycle.Measured = nil
			}
			run := report.Run{
				WindowEnd: at, Cycle: n, Outcome: "promoted", Reason: "gained", Gain: new(0.1), NIS: 1.1, Coverage90: 0.9, Samples: 200,
				Capacity: around(q, 0.01), Resistance: around(0.05+0.001*float64(n), 0.002), SoH: around(q/2, 0.01), RUL: left(60-float64(n), 10),
			}
			if i == 1 && n == 7 {
				run.Outcome, run.Reason, run.NIS = "rejected", "NIS 35 is outside of 0.8 to 1.2", 35
			}
			c.History = append(c.History, cycle)
			c.Runs = append(c.Runs, run)
		}
		c.Voltage = &report.Voltage{
			Cycle: 10, Measured: []report.Point{{0, 4.1}, {10, 3.6}, {25, 3.1}},
			Published: []report.VoltageAhead{{5, *around(3.7, 0.02)}, {15, *around(3.5, 0.02)}, {25, *around(3.1, 0.05)}},
		}
		r.Cells = append(r.Cells, c)
	}
	r.Hold()
	return r
}

func TestPageStandsAlone(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, sample().WriteHTML(&b))
	page := b.String()
	for _, outside := range []string{"http://", "https://", "<script", "stylesheet", "@import", "url("} {
		assert.NotContains(t, strings.ReplaceAll(page, "http://www.w3.org/", ""), outside)
	}
	assert.Contains(t, page, "Plant &lt;of&gt; cells")
	assert.Contains(t, page, "NIS 35 is outside")
	assert.Contains(t, page, "cell-2: these figures include cycle 7, which the twin rejected", "beside the figures")
	assert.Contains(t, page, "cell-2 delivered 1.793")
	assert.Contains(t, page, "The telemetry of cycle 7 was rejected")
	assert.Equal(t, 2, strings.Count(page, "window rejected"), "in the drawings of cell-2 by cycle")
	assert.NotRegexp(t, "<svg [^>]*aria-label=\"\"", page)
	assert.Equal(t, 2+3+2+2+3, strings.Count(page, "<svg "))
	for i, part := range strings.Split(page, "<svg ")[1:] {
		svg, _, _ := strings.Cut("<svg "+part, "</svg>")
		d := xml.NewDecoder(strings.NewReader(svg + "</svg>"))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, "drawing %d is not well-formed", i)
		}
		assert.NotRegexp(t, `#[0-9A-F]{6}`, svg, "drawing %d has a colour that a dark page cannot change", i)
	}
	if file := os.Getenv("REPORT_HTML"); file != "" { // to look at it
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
	}
}

func TestAReportWithoutAnyCycleIsAPageToo(t *testing.T) {
	r := &report.Report{Version: report.Version, Title: "Nothing yet", Cells: []report.Cell{{Cell: "cell-1"}}}
	r.Hold()
	var b bytes.Buffer
	require.NoError(t, r.WriteHTML(&b))
	assert.NotContains(t, b.String(), "<svg")
	assert.NotContains(t, b.String(), "Floors", "they are for real cells")
	r.Real = true
	b.Reset()
	require.NoError(t, r.WriteHTML(&b))
	assert.Contains(t, b.String(), "0 of 6 hold")
}

// The floors, on both sides of each limit.
func TestFloorsAreHeldToTheWorstCell(t *testing.T) {
	for _, f := range sample().Floors {
		assert.True(t, f.Holds, f.Figure)
	}
	for i, spoil := range []func(*report.Cell){
		func(c *report.Cell) { c.CapacityRMSE, c.PersistenceRMSE = new(0.0111), new(1.0) },
		func(c *report.Cell) { c.PersistenceRMSE = new(0.0106) }, // 0.008 is more than 0.75 of it
		func(c *report.Cell) { c.Coverage90 = new(0.79) },
		func(c *report.Cell) { c.Width90 = new(0.046) },
		func(c *report.Cell) { c.VoltageRMSE, c.LastCycleRMSE = new(0.0131), new(1.0) },
		func(c *report.Cell) { c.LastCycleRMSE = new(0.0128) }, // 0.009 is more than 0.7 of it
	} {
		r := sample()
		spoil(&r.Cells[1])
		r.Hold()
		for j, f := range r.Floors {
			assert.Equal(t, i != j, f.Holds, "spoilt %d, floor %s", i, f.Figure)
		}
		assert.Equal(t, "cell-2", r.Floors[i].Cell)
	}
	r := sample()
	r.Cells[0].Coverage90 = new(0.99)
	r.Hold()
	assert.False(t, r.Floors[2].Holds)
	r.Cells[0].Coverage90 = nil
	r.Hold()
	assert.False(t, r.Floors[2].Holds, "a figure that could not be had does not hold")
}

func TestRejectedCycles(t *testing.T) {
	c := report.Cell{}
	in := report.Range{From: 2, To: 9}
	assert.Empty(t, c.RejectedCycles(in))
	for _, n := range []int{1, 9, 3, 3, 5, 10} {
		c.Runs = append(c.Runs, report.Run{Cycle: n, Outcome: "rejected"}, report.Run{Cycle: 4, Outcome: "promoted"})
	}
	assert.Equal(t, "cycles 3, 5 and 9", c.RejectedCycles(in))
	assert.Equal(t, "cycle 5", c.RejectedCycles(report.Range{From: 4, To: 6}))
}
