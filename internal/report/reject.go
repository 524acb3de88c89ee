package report

import (
	"slices"
	"strconv"
	"strings"
)

// rejected is the outcome of a run whose parameters were not taken.
const rejected = "rejected"

// RejectedCycles names the cycles of a range whose windows were rejected, such
// as "cycles 7 and 16"; none is "".
func (c Cell) RejectedCycles(in Range) string {
	var cycles []int
	for _, run := range c.Runs {
		if run.Outcome == rejected && run.Cycle >= in.From && run.Cycle <= in.To {
			cycles = append(cycles, run.Cycle)
		}
	}
	slices.Sort(cycles)
	names := make([]string, 0, len(cycles))
	for _, n := range slices.Compact(cycles) {
		names = append(names, strconv.Itoa(n))
	}
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return "cycle " + names[0]
	default:
		return "cycles " + strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// Doubts lists the cells whose figures include rejected cycles.
func (v view) Doubts() []Doubt {
	var all []Doubt
	for _, c := range v.Cells {
		if cycles := c.RejectedCycles(v.Cycles); cycles != "" {
			all = append(all, Doubt{c.Cell, cycles})
		}
	}
	return all
}

// A Doubt is a cell with rejected cycles.
type Doubt struct{ Cell, Cycles string }
