package clock

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// advance is Advance, or CatchUp when catchUp is set.
func (c *Clock) advance(ctx context.Context, to time.Time, catchUp bool) error {
	select {
	case c.advancing <- struct{}{}:
		defer func() { <-c.advancing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for an earlier advance of the clock: %w", ctx.Err())
	}
	if now, live := c.mode(); !catchUp && !live && to.Before(now) {
		return fmt.Errorf("%w: %s is before the clock's %s", ErrPast, to.Format(time.RFC3339Nano), now.Format(time.RFC3339Nano))
	}
	for {
		if err := c.quiesce(ctx); err != nil {
			return err
		}
		switch c.step(to, catchUp) {
		case stepped:
		case arrived:
			return nil
		case ranInto:
			if catchUp {
				return c.quiesce(ctx)
			}
			return c.waitUntil(ctx, to)
		}
	}
}

func (c *Clock) mode() (now time.Time, live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked(), c.live
}

// An outcome is what one step of the clock came to.
type outcome int

const (
	stepped outcome = iota // a timer was started, or new work had begun
	arrived                // the clock stands at its goal
	ranInto                // the clock runs with the wall
)

// step makes one step, provided that nothing is in flight.
func (c *Clock) step(to time.Time, catchUp bool) outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live {
		return ranInto
	}
	if len(c.work) > 0 {
		return stepped
	}
	wall := c.wall().UTC()
	goal, reached := to, false
	if catchUp || !to.Before(wall) {
		goal, reached = wall, true
	}
	if len(c.timers) > 0 && !c.timers[0].at.After(goal) {
		t := heap.Pop(&c.timers).(*timer)
		if t.at.After(c.now) {
			c.now = t.at
		}
		c.start(t)
		return stepped
	}
	if goal.After(c.now) {
		c.now = goal
	}
	c.notify()
	if !reached {
		return arrived
	}
	c.live = true
	c.setAlarm()
	return ranInto
}

// quiesce waits until nothing is in flight.
func (c *Clock) quiesce(ctx context.Context) error {
	began := time.Now()
	var notice, limit *time.Timer
	for {
		c.mu.Lock()
		idle, closed, changed := len(c.work) == 0, c.closed, c.changed
		c.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case idle:
			return nil
		}
		if notice == nil {
			notice, limit = time.NewTimer(c.notice), time.NewTimer(c.limit)
			defer notice.Stop()
			defer limit.Stop()
		}
		select {
		case <-changed:
			limit.Reset(c.limit)
		case <-notice.C:
			c.log.LogAttrs(ctx, slog.LevelWarn, "the clock waits for work in flight",
				slog.Time("business_time", c.Now()), slog.Float64("waited_s", time.Since(began).Seconds()),
				slog.String("in_flight", c.inFlight()))
			notice.Reset(c.notice)
		case <-limit.C:
			return fmt.Errorf("%w at %s for %s: in flight: %s", ErrStuck, c.Now().Format(time.RFC3339), c.limit, c.inFlight())
		case <-ctx.Done():
			return fmt.Errorf("clock at %s waits for what is in flight: %s: %w", c.Now().Format(time.RFC3339), c.inFlight(), ctx.Err())
		}
	}
}

// waitUntil waits, live, until the wall reaches to and nothing due is left.
func (c *Clock) waitUntil(ctx context.Context, to time.Time) error {
	reached := time.NewTimer(max(0, to.Sub(c.wall())))
	defer reached.Stop()
	for waiting := true; waiting; {
		c.mu.Lock()
		closed, changed := c.closed, c.changed
		c.mu.Unlock()
		if closed {
			return ErrClosed
		}
		select {
		case <-reached.C:
			waiting = false
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the clock runs at 1× and has not reached %s yet: %w", to.Format(time.RFC3339), ctx.Err())
		}
	}
	c.ring() // what is due at to has started before the wait below
	return c.quiesce(ctx)
}

// inFlight lists the names of what is in flight and its age, the oldest first.
func (c *Clock) inFlight() string {
	work := c.State().Work
	names := make([]string, 0, min(len(work), 20)+1)
	for i, w := range work {
		if i == 20 {
			names = append(names, fmt.Sprintf("and %d more", len(work)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s for %.1f s", w.Name, w.Seconds))
	}
	return strings.Join(names, ", ")
}

// A State is what the clock's control endpoint shows.
type State struct {
	Now       time.Time  `json:"now"`
	Mode      string     `json:"mode"` // stepped or live
	NextTimer *time.Time `json:"nextTimer,omitempty"`
	NextName  string     `json:"nextName,omitempty"`
	Timers    int        `json:"timers"`
	InFlight  int        `json:"inFlight"`
	Work      []Work     `json:"work,omitempty"`
}

// Work is one piece of work in flight.
type Work struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"` // of wall time, since it began
}

// State describes the clock.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := State{Now: c.nowLocked(), Mode: "stepped", Timers: len(c.timers), InFlight: len(c.work)}
	if c.live {
		s.Mode = "live"
	}
	if len(c.timers) > 0 {
		at := c.timers[0].at
		s.NextTimer, s.NextName = &at, c.timers[0].name
	}
	wall := c.wall()
	for _, w := range c.work {
		s.Work = append(s.Work, Work{Name: w.name, Seconds: wall.Sub(w.since).Seconds()})
	}
	slices.SortFunc(s.Work, func(a, b Work) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// A timer waits for business time.
type timer struct {
	at    time.Time
	seq   uint64 // breaks the last ties: the order of At
	name  string
	run   func()
	index int // in the heap; -1 when it has left it
}

// timers is a heap by time, then by name, then by order of At.
type timers []*timer

func (h timers) Len() int { return len(h) }

func (h timers) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	if h[i].name != h[j].name {
		return h[i].name < h[j].name
	}
	return h[i].seq < h[j].seq
}

func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop implements heap.Interface.
func (h *timers) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	t.index = -1
	*h = old[:len(old)-1]
	return t
}
