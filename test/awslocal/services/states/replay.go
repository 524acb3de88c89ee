package states

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/states/jsonata"
)

// A Case is a recorded execution: what its tasks answer, and what then becomes
// of it.
type Case struct {
	Name      string                       `json:"name"`
	Execution string                       `json:"execution"` // the execution's name
	Input     json.RawMessage              `json:"input"`
	Replies   map[string][]Reply           `json:"replies"`   // by state, in the order of attempts
	Arguments map[string][]json.RawMessage `json:"arguments"` // by state, what successive attempts are given; absent states are not compared
	Status    string                       `json:"status"`
	Output    json.RawMessage              `json:"output"` // of a success
	Error     string                       `json:"error"`  // of a failure
	Cause     string                       `json:"cause"`  // of a failure; empty: not compared
	Path      []string                     `json:"path"`   // states in the order in which they are entered; empty: not compared
}

// A Reply is what one attempt of a task answers.
type Reply struct {
	Output json.RawMessage `json:"output"`
	Error  string          `json:"error"`
	Cause  string          `json:"cause"`
}

// ParseCase reads a case strictly.
func ParseCase(text []byte) (Case, error) {
	var c Case
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("recorded execution: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("recorded execution: more than one JSON value")
	}
	return c, nil
}

// A Replayer runs definitions against recorded executions, without any service.
type Replayer struct{ engine *jsonata.Engine }

// replayStart is the business time at which every replay begins.
var replayStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// NewReplayer loads JSONata from the jsonata.js of its npm package.
func NewReplayer(file string) (*Replayer, error) {
	engine, err := jsonata.New(file, func() time.Time { return replayStart })
	if err != nil {
		return nil, err
	}
	return &Replayer{engine: engine}, nil
}

// Replay runs a definition, whose placeholders have been replaced, with the
// replies of c, and reports every difference between what became of the
// execution and what c says. Waits take no time; branches and items run one
// after another.
func (r *Replayer) Replay(ctx context.Context, definition []byte, c Case) error {
	m, err := parse(definition, r.engine)
	if err != nil {
		return fmt.Errorf("definition:\n%w", err)
	}
	stepped, err := clock.New(replayStart, clock.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	defer stepped.Close()
	var group sync.WaitGroup
	tasks := &replies{left: map[string][]Reply{}, given: map[string][]json.RawMessage{}}
	for name, list := range c.Replies {
		tasks.left[name] = slices.Clone(list)
	}
	x := &execution{
		service: &runner{clock: stepped, engine: r.engine, wait: &group, tasks: tasks, serial: true},
		machine: m, name: orDefault(c.Execution, "replay"), input: c.Input, started: replayStart, ended: make(chan struct{}), status: running,
		principal: kernel.Principal{},
	}
	x.arn = "arn:aws:states:us-east-1:000000000000:execution:replay:" + x.name
	if len(x.input) == 0 {
		x.input = json.RawMessage(`{}`)
	}
	x.ctx, x.cancel = context.WithCancelCause(ctx)
	w := newWorker(stepped, x.arn)
	group.Go(func() { x.run(w) })
	for ended := false; !ended; {
		next := stepped.Now()
		if at := stepped.State().NextTimer; at != nil {
			next = *at
		}
		if err := stepped.Advance(ctx, next); err != nil {
			x.cancel(err)
			group.Wait()
			return fmt.Errorf("replay: %w", err)
		}
		select {
		case <-x.ended:
			ended = true
		default:
		}
	}
	group.Wait()
	return errors.Join(append(tasks.problems, compare(x, tasks, c)...)...)
}

// replies answer tasks from a case.
type replies struct {
	mu       sync.Mutex
	left     map[string][]Reply
	given    map[string][]json.RawMessage
	problems []error
}

func (r *replies) run(v *frame, c taskCall) (json.RawMessage, *failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := v.s.name
	r.given[name] = append(r.given[name], c.arguments)
	left := r.left[name]
	if len(left) == 0 {
		r.problems = append(r.problems, fmt.Errorf("state %s: attempt %d has no reply", name, len(r.given[name])))
		return nil, failf(runtimeError, "the recorded execution has no reply for attempt %d of %s", len(r.given[name]), name)
	}
	r.left[name] = left[1:]
	if left[0].Error != "" {
		return nil, &failure{Error: left[0].Error, Cause: left[0].Cause}
	}
	return left[0].Output, nil
}

// compare lists the differences between an execution that has ended and a case.
func compare(x *execution, tasks *replies, c Case) []error {
	var out []error
	differ := func(what string, got, want any) {
		out = append(out, fmt.Errorf("%s is\n  %v, want\n  %v", what, got, want))
	}
	if x.status != c.Status {
		differ("status", fmt.Sprintf("%s (error %q, cause %q)", x.status, x.error, x.cause), c.Status)
	}
	if c.Status == succeeded && !equalJSON(x.output, c.Output) {
		differ("output", string(x.output), string(c.Output))
	}
	if c.Status != succeeded && x.error != c.Error {
		differ("error", x.error, c.Error)
	}
	if c.Status != succeeded && c.Cause != "" && x.cause != c.Cause {
		differ("cause", x.cause, c.Cause)
	}
	if len(c.Path) > 0 && !slices.Equal(x.path, c.Path) {
		differ("path", strings.Join(x.path, " → "), strings.Join(c.Path, " → "))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Arguments)) {
		want, got := c.Arguments[name], tasks.given[name]
		if len(want) != len(got) {
			differ(fmt.Sprintf("number of attempts of %s", name), len(got), len(want))
			continue
		}
		for i := range want {
			if !equalJSON(got[i], want[i]) {
				differ(fmt.Sprintf("arguments of %s, attempt %d,", name, i+1), string(got[i]), string(want[i]))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tasks.left)) {
		if n := len(tasks.left[name]); n > 0 {
			out = append(out, fmt.Errorf("state %s: %d replies were not asked for", name, n))
		}
	}
	return out
}

func equalJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
