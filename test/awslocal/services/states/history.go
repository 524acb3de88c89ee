package states

import (
	"strings"
	"time"
)

// maxHistory is how many history events an execution may have.
const maxHistory = 25000

// A historyEvent is one entry of GetExecutionHistory.
type historyEvent struct {
	id, previous int
	at           time.Time // business
	kind         string
	member       string // of the details, such as stateEnteredEventDetails
	details      map[string]any
}

func (h historyEvent) describe() map[string]any {
	out := map[string]any{"id": h.id, "previousEventId": h.previous, "timestamp": epoch(h.at), "type": h.kind}
	if h.member != "" {
		out[h.member] = h.details
	}
	return out
}

// historyDetails is the member that holds the details of a kind of event, or ""
// when it has none.
func historyDetails(kind string) string {
	switch {
	case strings.HasSuffix(kind, "StateEntered"):
		return "stateEnteredEventDetails"
	case strings.HasSuffix(kind, "StateExited"):
		return "stateExitedEventDetails"
	case kind == "MapStateStarted", strings.HasPrefix(kind, "MapIteration"), strings.HasPrefix(kind, "Execution"),
		kind == "LambdaFunctionScheduled", kind == "LambdaFunctionSucceeded", kind == "LambdaFunctionFailed", kind == "LambdaFunctionTimedOut",
		strings.HasPrefix(kind, "Task"):
		return strings.ToLower(kind[:1]) + kind[1:] + "EventDetails"
	default:
		return ""
	}
}

// record adds an event and returns its id.
func (x *execution) record(previous int, kind, member string, details map[string]any) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := len(x.history) + 1
	x.history = append(x.history, historyEvent{id: id, previous: previous, at: x.service.clock.Now(), kind: kind, member: member, details: details})
	if id == maxHistory {
		x.cancel(stop{status: failed, error: runtimeError, cause: "The execution reached the maximum number of history events (25000)."})
	}
	return id
}

// note adds an event to v's line.
func (v *frame) note(kind string, details map[string]any) {
	v.previous = v.record(v.previous, kind, historyDetails(kind), details)
}

// enter notes that the state was entered.
func (v *frame) enter() {
	v.mu.Lock()
	v.path = append(v.path, v.s.name)
	v.mu.Unlock()
	v.note(v.s.kind+"StateEntered", map[string]any{"name": v.s.name, "input": string(v.input)})
}

// exit notes that the state was left.
func (v *frame) exit(out []byte) {
	v.note(v.s.kind+"StateExited", map[string]any{"name": v.s.name, "output": string(out)})
}

// noteOutcome notes how a Map or Parallel ended.
func (v *frame) noteOutcome(kind string, f *failure) {
	if f == nil {
		v.note(kind+"Succeeded", nil)
		return
	}
	v.note(kind+"Failed", nil)
}

// taskDetails are the members that all events of a task have.
func (v *frame) taskDetails(more map[string]any) map[string]any {
	kind, name := v.s.resource.integration()
	more["resourceType"], more["resource"] = kind, name
	return more
}

// scheduled notes that a task is about to run.
func (v *frame) scheduled(c taskCall) {
	if v.s.resource.function != "" {
		v.note("LambdaFunctionScheduled", map[string]any{"resource": v.s.resource.arn, "input": string(c.arguments)})
		v.note("LambdaFunctionStarted", nil)
		return
	}
	d := v.taskDetails(map[string]any{"parameters": string(c.arguments), "region": v.region()})
	if c.timeout > 0 {
		d["timeoutInSeconds"] = int(c.timeout / time.Second)
	}
	v.note("TaskScheduled", d)
	v.note("TaskStarted", v.taskDetails(map[string]any{}))
}

// settled notes how a task ended.
func (v *frame) settled(out []byte, f *failure) {
	kind, details := "Succeeded", map[string]any{"output": string(out)}
	if f != nil {
		kind, details = "Failed", map[string]any{"error": f.Error, "cause": f.Cause}
		if f.Error == timeoutError {
			kind = "TimedOut"
		}
	}
	if v.s.resource.function != "" {
		v.note("LambdaFunction"+kind, details)
		return
	}
	v.note("Task"+kind, v.taskDetails(details))
}

func (v *frame) region() string {
	if parts := strings.Split(v.arn, ":"); len(parts) > 3 {
		return parts[3]
	}
	return "us-east-1"
}

// epoch is a time as a timestamp of the API.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
