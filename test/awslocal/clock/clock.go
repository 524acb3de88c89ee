// Package clock is business time as a stepped clock. Time stands still except
// in Advance, which goes from one due timer to the next and waits, before each
// step, until nothing is in flight: what happens does not depend on how fast
// the machine is. Having reached wall time the clock runs with it, at 1×.
//
// Only business time is kept here. Signatures, tokens and the age of child
// processes live on wall time.
package clock

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// ErrPast reports that the clock was asked to go back.
var ErrPast = errors.New("clock: cannot go back")

// ErrStuck reports that something in flight did not end within the clock's
// limit; the error's text names it.
var ErrStuck = errors.New("clock: stuck")

// ErrClosed reports that the clock was closed while someone waited for it.
var ErrClosed = errors.New("clock: closed")

var _ kernel.Clock = (*Clock)(nil)

// A Clock is a stepped clock. It is safe for concurrent use.
type Clock struct {
	wall   func() time.Time
	log    *slog.Logger
	notice time.Duration // wall time after which a wait is logged, and again
	limit  time.Duration // wall time without any progress after which a wait fails

	advancing chan struct{} // holds one token: Advance calls are served one after the other

	mu      sync.Mutex
	now     time.Time // business time while stepped
	live    bool
	closed  bool
	timers  timers
	seq     uint64
	work    map[uint64]item
	changed chan struct{} // closed and replaced whenever work, timers or mode change
	alarm   *time.Timer   // of the next timer while live
}

// An item is a piece of work in flight.
type item struct {
	name  string
	since time.Time // wall
}

// An Option changes a default of New.
type Option func(*Clock)

// WithLogger sets where long waits are reported; slog.Default without it.
func WithLogger(l *slog.Logger) Option { return func(c *Clock) { c.log = l } }

// WithLimit sets how long, in wall time, Advance waits for work in flight that
// makes no progress before it fails with ErrStuck; 15 minutes without it.
func WithLimit(d time.Duration) Option { return func(c *Clock) { c.limit = d } }

// WithNotice sets how long, in wall time, a wait lasts before it is logged with
// the names of what is in flight, and how often from then on; 10 s without it.
func WithNotice(d time.Duration) Option { return func(c *Clock) { c.notice = d } }

// New returns a clock that stands at start, or one that runs with the wall when
// start is the zero time. A start after wall time is an error: such a clock
// could never reach it.
func New(start time.Time, options ...Option) (*Clock, error) {
	c := &Clock{
		wall: time.Now, log: slog.Default(), notice: 10 * time.Second, limit: 15 * time.Minute,
		advancing: make(chan struct{}, 1),
		work:      map[uint64]item{},
		changed:   make(chan struct{}),
	}
	for _, o := range options {
		o(c)
	}
	switch now := c.wall(); {
	case start.IsZero():
		c.live = true
	case start.After(now):
		return nil, fmt.Errorf("clock: start %s is after wall time %s; give a time that has passed",
			start.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	default:
		c.now = start.UTC()
	}
	return c, nil
}

// Now implements kernel.Clock. The time is UTC and never goes back.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *Clock) nowLocked() time.Time {
	if c.live {
		return c.wall().UTC()
	}
	return c.now
}

// Begin implements kernel.Clock; the work is named after its caller.
func (c *Clock) Begin() (done func()) { return c.begin(caller()) }

// BeginNamed is Begin with a name that a stuck clock reports.
func (c *Clock) BeginNamed(name string) (done func()) { return c.begin(name) }

func (c *Clock) begin(name string) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beginLocked(name)
}

func (c *Clock) beginLocked(name string) func() {
	c.seq++
	id := c.seq
	c.work[id] = item{name: name, since: c.wall()}
	c.notify()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, ok := c.work[id]; ok {
			delete(c.work, id)
			c.notify()
		}
	}
}

// At implements kernel.Clock; the timer is named after its caller. Timers that
// are due at the same instant run in the order of their names, and of At where
// the names are the same: an order that does not depend on which goroutine set
// its timer first. Each runs after the one before has come to rest. After Close
// nothing runs.
func (c *Clock) At(t time.Time, f func()) (cancel func()) { return c.at(t, caller(), f) }

// AtNamed is At with a name, which orders timers of the same instant and which
// a stuck clock reports.
func (c *Clock) AtNamed(t time.Time, name string, f func()) (cancel func()) { return c.at(t, name, f) }

func (c *Clock) at(t time.Time, name string, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return func() {}
	}
	c.seq++
	timer := &timer{at: t.UTC(), seq: c.seq, name: name, run: f}
	if !timer.at.After(c.nowLocked()) {
		c.start(timer)
		return func() {}
	}
	heap.Push(&c.timers, timer)
	c.notify()
	c.setAlarm()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if timer.index >= 0 {
			heap.Remove(&c.timers, timer.index)
			c.notify()
			c.setAlarm()
		}
	}
}

// start runs a timer as work in flight; c.mu is held.
func (c *Clock) start(t *timer) {
	t.index = -1
	done := c.beginLocked(t.name)
	go func() {
		defer done()
		t.run()
	}()
}

// notify wakes everyone who waits for a change; c.mu is held.
func (c *Clock) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// setAlarm arms the wall timer of the next due timer while live; c.mu is held.
func (c *Clock) setAlarm() {
	if c.alarm != nil {
		c.alarm.Stop()
		c.alarm = nil
	}
	if c.live && !c.closed && len(c.timers) > 0 {
		c.alarm = time.AfterFunc(max(0, c.timers[0].at.Sub(c.wall())), c.ring)
	}
}

// ring starts every timer that is due on the wall.
func (c *Clock) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for now := c.wall(); len(c.timers) > 0 && !c.timers[0].at.After(now); {
		c.start(heap.Pop(&c.timers).(*timer))
	}
	c.setAlarm()
}

// Close stops the clock: no timer fires any more and every Advance returns
// ErrClosed. Work that is already in flight is its owner's business.
func (c *Clock) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, t := range c.timers {
		t.index = -1
	}
	c.timers = nil
	c.setAlarm()
	c.notify()
}

// caller names the code that called the clock's exported method.
func caller() string {
	pc, file, line, ok := runtime.Caller(2)
	if !ok {
		return "unnamed"
	}
	name := path.Base(runtime.FuncForPC(pc).Name())
	return fmt.Sprintf("%s (%s:%d)", strings.TrimSuffix(name, ".func1"), path.Base(file), line)
}

// named is a clock whose work can be named.
type named interface {
	BeginNamed(name string) (done func())
	AtNamed(t time.Time, name string, f func()) (cancel func())
}

// Begin marks named work in flight on c, which need not know of names.
func Begin(c kernel.Clock, name string) (done func()) {
	if n, ok := c.(named); ok {
		return n.BeginNamed(name)
	}
	return c.Begin()
}

// At sets a named timer on c, which need not know of names.
func At(c kernel.Clock, t time.Time, name string, f func()) (cancel func()) {
	if n, ok := c.(named); ok {
		return n.AtNamed(t, name, f)
	}
	return c.At(t, f)
}

// CatchUp advances to wall time, from where the clock runs at 1×, and returns
// when nothing is in flight.
func (c *Clock) CatchUp(ctx context.Context) error { return c.advance(ctx, time.Time{}, true) }

// Advance steps through every timer due until to, in order, and returns when
// the clock stands at to and nothing is in flight. A clock that reaches wall
// time on the way goes on at 1×. It fails when ctx ends, with ErrPast for a time
// before Now, and with ErrStuck when something in flight makes no progress; the
// clock then stands where it got to and can be advanced again.
//
// Whoever calls Advance must not hold work in flight of its own.
func (c *Clock) Advance(ctx context.Context, to time.Time) error {
	return c.advance(ctx, to.UTC(), false)
}
