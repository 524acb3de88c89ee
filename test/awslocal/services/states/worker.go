package states

import (
	"context"
	"sync"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// A worker runs one line of an execution: the execution itself, a branch or an
// item. While it computes or calls, it is work in flight; while it waits for a
// job, a timer or its branches it is not, so that the clock can move. Whoever
// wakes it hands over work in flight of its own: the clock does not move in
// between.
type worker struct {
	clock kernel.Clock
	name  string
	done  func()
}

func newWorker(c kernel.Clock, name string) *worker {
	return &worker{clock: c, name: name, done: clock.Begin(c, name)}
}

// end releases the clock for good.
func (w *worker) end() { w.done() }

// A mailbox is where a waiting worker is woken. It keeps the first letter and
// drops others.
type mailbox[T any] struct {
	clock kernel.Clock
	name  string
	ch    chan letter[T]

	mu     sync.Mutex
	closed bool
}

type letter[T any] struct {
	value T
	done  func() // the work in flight that is handed over
}

func newMailbox[T any](c kernel.Clock, name string) *mailbox[T] {
	return &mailbox[T]{clock: c, name: name, ch: make(chan letter[T], 1)}
}

// send wakes the worker that waits at m. The caller is work in flight.
func (m *mailbox[T]) send(v T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	l := letter[T]{v, clock.Begin(m.clock, m.name)}
	select {
	case m.ch <- l:
	default:
		l.done()
	}
}

// close drops what comes or lies there unread.
func (m *mailbox[T]) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	select {
	case l := <-m.ch:
		l.done()
	default:
	}
}

// await waits at m without being in flight, and then closes it. ok is false
// when ctx ended first; whoever ends ctx is in flight until the execution has
// ended.
func await[T any](ctx context.Context, w *worker, m *mailbox[T]) (v T, ok bool) {
	w.done()
	defer m.close()
	select {
	case l := <-m.ch:
		w.done = l.done
		return l.value, true
	case <-ctx.Done():
		w.done = clock.Begin(w.clock, w.name)
		return v, false
	}
}
