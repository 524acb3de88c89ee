package sitewise

import (
	"slices"
	"sync"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/formula"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// A computation keeps the series of one transform or metric of one asset equal
// to what its inputs say. Inputs touch it when they change; refresh does the
// work for what was touched.
type computation struct {
	of     *property
	inputs map[string][]*property // by variable

	refreshing sync.Mutex // one at a time; held while inputs are read

	mu       sync.Mutex
	dirty    bool
	from, to int64          // transform: the stretch that changed, both inclusive
	windows  map[int64]bool // metric: the ends of windows that changed
	last     int64          // metric: the window touched last
	through  int64          // metric with a value in every window: computed up to this end
}

func newComputation(p *property) *computation {
	return &computation{of: p, inputs: map[string][]*property{}, windows: map[int64]bool{}, last: minTime, through: minTime}
}

// touch tells all that depends on p, at any distance, that p changed at t.
func (p *property) touch(t int64) {
	for _, c := range p.dependents {
		c.touch(p, t)
	}
}

func (c *computation) touch(in *property, t int64) {
	if in.kind == attribute {
		return // new values of attributes trigger nothing
	}
	until := t
	if c.of.kind == transform || c.of.expression.EveryInterval() { // a value holds until the next one
		until = maxTime
		if next, ok := in.series.First(t); ok {
			until = next.Time
		}
	}
	c.mu.Lock()
	if c.of.kind == transform {
		if !c.dirty {
			c.from, c.to = t, until
		}
		c.dirty, c.from, c.to = true, min(c.from, t), max(c.to, until)
		c.mu.Unlock()
		c.of.touch(t)
		return
	}
	end := c.of.window.end(t)
	if end != c.last || !c.windows[end] {
		c.windows[end] = true
		c.last = end
	}
	for w := end + c.of.window.interval; w <= min(c.through, c.of.window.end(min(until, c.through))); w += c.of.window.interval {
		c.windows[w] = true
	}
	c.mu.Unlock()
	c.of.touch(end)
}

// refresh brings the series of p up to date as of now, inputs first. Of a
// property that is not computed it does nothing.
func (p *property) refresh(now int64) {
	c := p.compute
	if c == nil {
		return
	}
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	for _, list := range c.inputs {
		for _, in := range list {
			in.refresh(now)
		}
	}
	if p.kind == transform {
		c.transform()
	} else {
		c.metric(now)
	}
}

// transform computes anew every point of the stretch that changed.
func (c *computation) transform() {
	c.mu.Lock()
	dirty, from, to := c.dirty, c.from, c.to
	c.dirty = false
	c.mu.Unlock()
	if !dirty {
		return
	}
	var times []int64
	for _, list := range c.inputs {
		if in := list[0]; in.kind != attribute {
			for _, p := range in.series.Range(before(from), to) {
				if p.Quality == tqv.Good && p.Value.Usable() {
					times = append(times, p.Time)
				}
			}
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	points := make([]tqv.Point, 0, len(times))
	for _, t := range times {
		v := c.of.expression.Transform(func(name string) (formula.Sample, bool) {
			return sampleAt(c.inputs[name][0], t)
		})
		if value, ok := c.output(v); ok {
			points = append(points, tqv.Point{Time: t, Value: value})
		}
	}
	removed := c.of.series.Replace(from, to, points)
	for _, p := range points {
		c.of.touch(p.Time)
	}
	for _, p := range removed {
		c.of.touch(p.Time)
	}
}

// before is the time just before t.
func before(t int64) int64 {
	if t == minTime {
		return t
	}
	return t - 1
}

// sampleAt is the value of a property that holds at t. An attribute that was set
// only later holds from the beginning.
func sampleAt(in *property, t int64) (formula.Sample, bool) {
	p, ok := in.series.Usable(t)
	if !ok && in.kind == attribute {
		p, ok = in.series.First(minTime)
	}
	return sample(p), ok
}

func sample(p tqv.Point) formula.Sample {
	v := formula.Number(p.Value.Number)
	if p.Value.Kind == tqv.String {
		v = formula.Text(p.Value.Text)
	}
	return formula.Sample{Time: p.Time, Value: v}
}

// output turns a result into a value of the property's type. A result of
// another type is no data point.
func (c *computation) output(v formula.Value) (tqv.Value, bool) {
	if c.of.dataType == "STRING" {
		t, ok := v.Str()
		return tqv.Value{Kind: tqv.String, Text: t}, ok && len(t) <= maxString
	}
	f, ok := v.Float()
	return tqv.Value{Kind: tqv.Double, Number: f}, ok
}

// metric computes every closed window that changed.
func (c *computation) metric(now int64) {
	c.mu.Lock()
	var ends []int64
	for end := range c.windows {
		if end <= now {
			ends = append(ends, end)
			delete(c.windows, end)
		}
	}
	if c.of.expression.EveryInterval() {
		ends = append(ends, c.every(now)...)
	}
	c.mu.Unlock()
	slices.Sort(ends)
	for _, end := range slices.Compact(ends) {
		var points []tqv.Point
		if value, ok := c.output(c.evaluate(end)); ok {
			points = []tqv.Point{{Time: end, Value: value}}
		}
		if removed := c.of.series.Replace(end, end, points); len(points)+len(removed) > 0 {
			c.of.touch(end)
		}
	}
}

// every lists the closed windows that were never computed, from the first input
// on.
func (c *computation) every(now int64) []int64 {
	w := c.of.window
	next := c.through + w.interval
	if c.through == minTime {
		oldest := int64(maxTime)
		for _, list := range c.inputs {
			for _, in := range list {
				if in.kind == attribute {
					continue
				}
				if p, ok := in.series.First(minTime); ok {
					oldest = min(oldest, p.Time)
				}
			}
		}
		if oldest == maxTime {
			return nil
		}
		next = w.end(oldest)
	}
	var ends []int64
	for ; next <= now; next += w.interval {
		ends = append(ends, next)
		c.through = next
	}
	return ends
}

func (c *computation) evaluate(end int64) formula.Value {
	start := end - c.of.window.interval
	collected := map[string][]formula.Sample{}
	return c.of.expression.Metric(formula.Window{
		Start: start, End: end,
		Samples: func(name string) []formula.Sample {
			if s, ok := collected[name]; ok {
				return s
			}
			s := samples(c.inputs[name], start, end)
			collected[name] = s
			return s
		},
		Before: func(name string) (formula.Sample, bool) {
			var best formula.Sample
			found := false
			for _, in := range c.inputs[name] {
				if p, ok := in.series.Usable(start); ok && (!found || p.Time > best.Time) {
					best, found = sample(p), true
				}
			}
			return best, found
		},
		Constant: func(name string) (formula.Sample, bool) {
			list := c.inputs[name]
			if len(list) != 1 || list[0].kind != attribute || list[0].asset != c.of.asset {
				return formula.Sample{}, false
			}
			return sampleAt(list[0], end)
		},
	})
}

// samples are the usable values of all inputs of a variable in a window, in
// order of time.
func samples(inputs []*property, start, end int64) []formula.Sample {
	var all []formula.Sample
	for _, in := range inputs {
		if in.kind == attribute { // a child's: its latest value
			if s, ok := sampleAt(in, end); ok {
				all = append(all, s)
			}
			continue
		}
		for _, p := range in.series.Range(start, end) {
			if p.Quality == tqv.Good && p.Value.Usable() {
				all = append(all, sample(p))
			}
		}
	}
	if len(inputs) > 1 {
		slices.SortStableFunc(all, func(a, b formula.Sample) int {
			switch {
			case a.Time < b.Time:
				return -1
			case a.Time > b.Time:
				return 1
			default:
				return 0
			}
		})
	}
	return all
}
