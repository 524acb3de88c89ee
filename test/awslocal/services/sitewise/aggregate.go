package sitewise

import (
	"iter"
	"math"
	"slices"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// collect yields the windows with from < end <= to that hold values, by the end
// of each.
func collect(p *property, w window, from, to int64, q tqv.Quality, descending bool) iter.Seq2[int64, numbers] {
	return func(yield func(int64, numbers) bool) {
		start := from
		if from > minTime+w.interval { // the first window may have begun before from
			start = from - w.interval
		}
		points := p.series.Range(start, to)
		if descending {
			slices.Reverse(points)
		}
		var x numbers
		var end int64
		for _, point := range points {
			if point.Quality != q || !point.Value.Usable() {
				continue
			}
			e := w.end(point.Time)
			if e <= from || e > to {
				continue
			}
			if len(x) > 0 && e != end {
				if !yield(end, x) {
					return
				}
				x = nil
			}
			end = e
			x = append(x, point.Value.Number)
		}
		if len(x) > 0 {
			yield(end, x)
		}
	}
}

// numbers are the values of a window, in no particular order.
type numbers []float64

// summary computes the wanted aggregates; of a property that is no number only
// the count exists.
func (x numbers) summary(types []string, dataType string) map[string]float64 {
	slices.Sort(x) // so that the order of reading does not show in the last digit
	n := float64(len(x))
	var sum, squares float64
	for _, v := range x {
		sum += v
	}
	for _, v := range x {
		squares += (v - sum/n) * (v - sum/n)
	}
	out := map[string]float64{}
	for _, t := range types {
		if t == "COUNT" {
			out["count"] = n
		}
		if dataType != "DOUBLE" && dataType != "INTEGER" {
			continue
		}
		switch t {
		case "AVERAGE":
			out["average"] = sum / n
		case "SUM":
			out["sum"] = sum
		case "MINIMUM":
			out["minimum"] = x[0]
		case "MAXIMUM":
			out["maximum"] = x[len(x)-1]
		case "STANDARD_DEVIATION":
			out["standardDeviation"] = math.Sqrt(squares / n)
		}
	}
	return out
}
