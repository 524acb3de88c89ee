package states

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
)

// choose finds the first rule whose condition holds. Its Output and Assign
// apply; those of the state itself apply when no rule does.
func (v *frame) choose() (json.RawMessage, string, *failure) {
	variables := v.bindings(nil, nil)
	for i, r := range v.s.choices {
		text, f := v.evaluate(r.condition, variables)
		if f != nil {
			return nil, "", f
		}
		var holds bool
		if err := json.Unmarshal(text, &holds); err != nil {
			return nil, "", failf(queryEvaluationError, "Condition %d of the state '%s' is %.100s, want true or false", i, v.s.name, text)
		}
		if holds {
			out, f := v.conclude(v.input, r.output, r.assign, variables)
			return out, r.next, f
		}
	}
	if v.s.byDefault == "" {
		return nil, "", failf(noChoiceMatched, "No choice of the state '%s' matched and it has no Default.", v.s.name)
	}
	out, f := v.conclude(v.input, v.s.output, v.s.assign, variables)
	return out, v.s.byDefault, f
}

// wait waits on the business clock.
func (v *frame) wait() *failure {
	if v.s.seconds != nil {
		seconds, f := v.seconds(v.s.seconds)
		if f != nil {
			return f
		}
		return v.sleep(seconds)
	}
	text, f := v.evaluate(v.s.timestamp, v.bindings(nil, nil))
	if f != nil {
		return f
	}
	var at time.Time
	if err := json.Unmarshal(text, &at); err != nil {
		return failf(queryEvaluationError, "Timestamp of the state '%s' is %.100s, want an RFC 3339 time", v.s.name, text)
	}
	return v.sleepUntil(at)
}

// seconds evaluates a whole number of seconds, at least 0.
func (v *frame) seconds(e *expression) (time.Duration, *failure) {
	text, f := v.evaluate(e, v.bindings(nil, nil))
	if f != nil {
		return 0, f
	}
	var n float64
	if err := json.Unmarshal(text, &n); err != nil || n != math.Trunc(n) || n < 0 || n > 99999999 {
		return 0, failf(queryEvaluationError, "%s of the state '%s' is %.100s, want a whole number from 0 to 99999999", e.field, v.s.name, text)
	}
	return time.Duration(n) * time.Second, nil
}

func (v *frame) sleep(d time.Duration) *failure { return v.sleepUntil(v.service.clock.Now().Add(d)) }

func (v *frame) sleepUntil(at time.Time) *failure {
	m := newMailbox[struct{}](v.service.clock, v.w.name)
	cancel := clock.At(v.service.clock, at, "wait of "+v.w.name+" in "+v.s.name, func() { m.send(struct{}{}) })
	defer cancel()
	if _, ok := await(v.ctx, v.w, m); !ok {
		return v.stopped()
	}
	return nil
}

// fail is the failure that a Fail state asks for.
func (v *frame) fail() *failure {
	out := &failure{}
	for _, part := range []struct {
		e  *expression
		to *string
	}{{v.s.failError, &out.Error}, {v.s.failCause, &out.Cause}} {
		text, f := v.optional(part.e)
		if f != nil {
			return f
		}
		if text == nil {
			continue
		}
		if err := json.Unmarshal(text, part.to); err != nil {
			return failf(queryEvaluationError, "%s of the state '%s' is %.100s, want a string", part.e.field, v.s.name, text)
		}
	}
	return out
}

// retryDelay finds the retrier for a failure that has attempts left.
func (v *frame) retryDelay(problem *failure, attempts []int) (time.Duration, bool) {
	for i, r := range v.s.retry {
		if !problem.among(r.errorEquals) {
			continue
		}
		if attempts[i] >= r.maxAttempts {
			return 0, false
		}
		delay := float64(r.interval) * math.Pow(r.backoff, float64(attempts[i]))
		if r.maxDelay > 0 {
			delay = min(delay, float64(r.maxDelay))
		}
		delay = min(delay, float64(365*24*time.Hour))
		if r.jitter {
			delay *= v.chance(attempts[i])
		}
		attempts[i]++
		return time.Duration(delay), true
	}
	return 0, false
}

// chance is a number in [0, 1) that only depends on the execution's name, the
// state and the attempt: two runs wait alike.
func (v *frame) chance(attempt int) float64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d", v.name, v.s.name, v.item, attempt) // a hash takes everything
	return rand.New(rand.NewPCG(h.Sum64(), 1)).Float64()                             //nolint:gosec // not for secrets
}

// An outcome is how a branch or an item ended.
type outcome struct {
	index   int
	out     json.RawMessage
	problem *failure
	done    func() // the work in flight that is handed over
}

// parallel runs the branches at once; its result is the array of their outputs.
func (v *frame) parallel() (json.RawMessage, *failure) {
	input := v.input
	if v.s.arguments != nil {
		var f *failure
		if input, f = v.evaluate(v.s.arguments, v.bindings(nil, nil)); f != nil {
			return nil, f
		}
	}
	v.note("ParallelStateStarted", nil)
	out, f := v.fan(len(v.s.branches), len(v.s.branches), func(ctx context.Context, w *worker, i int) (json.RawMessage, *failure) {
		return v.flow(ctx, w, &v.s.branches[i], input, newScope(v.scope), v.item, v.previous)
	})
	v.noteOutcome("ParallelState", f)
	return out, f
}

// inlineLimit is how many items an inline Map works on at once when nothing
// says otherwise: what AWS documents.
const inlineLimit = 40

// mapItems runs the item processor for each item; its result is the array of
// their outputs.
func (v *frame) mapItems() (json.RawMessage, *failure) {
	source := v.input
	if v.s.items != nil {
		var f *failure
		if source, f = v.evaluate(v.s.items, v.bindings(nil, nil)); f != nil {
			return nil, f
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(source, &items); err != nil || items == nil {
		return nil, failf(queryEvaluationError, "Items of the state '%s' is %.100s, want an array", v.s.name, source)
	}
	concurrency := inlineLimit
	if v.s.maxConcurrency != nil {
		n, f := v.seconds(v.s.maxConcurrency) // a whole number, at least 0
		if f != nil {
			return nil, f
		}
		if k := int(n / time.Second); k > 0 {
			concurrency = min(k, inlineLimit)
		}
	}
	v.note("MapStateStarted", map[string]any{"length": len(items)})
	out, f := v.fan(len(items), concurrency, func(ctx context.Context, w *worker, i int) (json.RawMessage, *failure) {
		return v.iteration(ctx, w, i, items[i])
	})
	v.noteOutcome("MapState", f)
	return out, f
}

// iteration works on one item of a Map.
func (v *frame) iteration(ctx context.Context, w *worker, i int, item json.RawMessage) (json.RawMessage, *failure) {
	described, err := json.Marshal(map[string]any{"Index": i, "Value": item})
	if err != nil {
		return nil, failf(runtimeError, "item %d: %v", i, err)
	}
	id := v.record(v.previous, "MapIterationStarted", historyDetails("MapIterationStarted"), map[string]any{"name": v.s.name, "index": i})
	input := item
	if v.s.itemSelector != nil {
		here := *v
		here.item = described
		var f *failure
		if input, f = v.evaluate(v.s.itemSelector, here.bindings(nil, nil)); f != nil {
			return nil, f
		}
	}
	out, f := v.flow(ctx, w, &v.s.branches[0], input, newScope(v.scope), described, id)
	kind := "MapIterationSucceeded"
	if f != nil {
		kind = "MapIterationFailed"
		if ctx.Err() != nil {
			kind = "MapIterationAborted"
		}
	}
	v.record(id, kind, historyDetails(kind), map[string]any{"name": v.s.name, "index": i})
	return out, f
}

// fan runs n pieces of work, at most so many at once, in the order of their
// index, and collects their outputs. The first failure ends the others.
func (v *frame) fan(n, concurrency int, work func(context.Context, *worker, int) (json.RawMessage, *failure)) (json.RawMessage, *failure) {
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	if v.service.serial {
		concurrency = 1
	}
	outcomes := make(chan outcome, n)
	next, active := 0, 0
	start := func() {
		i := next
		next++
		active++
		w := newWorker(v.service.clock, v.w.name)
		v.service.wait.Go(func() {
			out, f := work(ctx, w, i)
			outcomes <- outcome{index: i, out: out, problem: f, done: w.done}
		})
	}
	for next < n && active < concurrency {
		start()
	}
	outputs := make([]json.RawMessage, n)
	var problem *failure
	for active > 0 {
		if problem == nil {
			v.w.done() // in flight are the branches
		}
		o := <-outcomes
		if problem == nil {
			v.w.done = o.done
		} else {
			o.done() // v has stayed in flight: the branches that it ended may not have been
		}
		active--
		outputs[o.index] = o.out
		if o.problem != nil && problem == nil {
			problem = o.problem
			cancel()
		}
		for problem == nil && next < n && active < concurrency {
			start()
		}
	}
	if problem != nil {
		return nil, problem
	}
	if f := v.stopped(); f != nil {
		return nil, f
	}
	out, err := json.Marshal(outputs)
	if err != nil {
		return nil, failf(runtimeError, "outputs of the state '%s': %v", v.s.name, err)
	}
	return out, nil
}
