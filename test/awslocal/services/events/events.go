// Package events is Amazon EventBridge: buses, rules that match, and their
// targets with input, role or resource policy, retries and dead-letter queue.
// Rules with a schedule expression are refused; use EventBridge Scheduler.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/events/delivery"
)

// Config is what the service needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Invoker  kernel.Invoker
	Roles    kernel.RoleSession
	Log      *slog.Logger
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// kept is how many of the latest events the service remembers for Handler.
const kept = 10000

// Service is the event bus service.
type Service struct {
	config  Config
	courier *delivery.Courier

	mu        sync.Mutex
	buses     map[string]map[string]*rule // by bus, by name
	observers []func(Event)
	log       []Record
}

// A Record is an event that was put, and the rules it matched.
type Record struct {
	Bus   string   `json:"bus"`
	Rules []string `json:"rules"`
	Event Event    `json:"event"`
}

// New returns the service with its default bus. Close ends it.
func New(c Config) *Service {
	return &Service{
		config:  c,
		courier: delivery.New(delivery.Config(c)),
		buses:   map[string]map[string]*rule{"default": {}},
	}
}

// Close ends deliveries under way and waits for them.
func (s *Service) Close() { s.courier.Close() }

// Name implements kernel.Service.
func (s *Service) Name() string { return "events" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"PutEvents":         s.putEvents,
		"PutRule":           s.putRule,
		"PutTargets":        s.putTargets,
		"DescribeRule":      s.describeRule,
		"ListRules":         s.listRules,
		"ListTargetsByRule": s.listTargetsByRule,
		"TestEventPattern":  s.testEventPattern,
	}
}

// Observe has f called with every event, synchronously and in the order in
// which they are put, before rules match: how a service of AWS's own follows
// events. f must not block.
func (s *Service) Observe(f func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observers = append(s.observers, f)
}

// Emit puts an event of AWS's own on the default bus. It fails only when the
// detail is not a JSON object.
func (s *Service) Emit(source, detailType string, resources []string, detail any) error {
	encoded, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("event %s / %s: %w", source, detailType, err)
	}
	if len(encoded) == 0 || encoded[0] != '{' {
		return fmt.Errorf("event %s / %s: the detail must be a JSON object", source, detailType)
	}
	s.put(Event{
		ID: newID(), Bus: "default", Source: source, DetailType: detailType, Account: s.config.Identity.Account,
		Region: s.config.Identity.Region, Time: s.config.Clock.Now(), Resources: resources, Detail: encoded,
	})
	return nil
}

// put shows an event to the observers and to the rules of its bus.
func (s *Service) put(e Event) {
	done := s.config.Clock.Begin() // until the deliveries have begun
	defer done()
	s.mu.Lock()
	observers := slices.Clone(s.observers)
	var matched []*rule
	names := []string{}
	decoded, err := e.decoded()
	if err != nil {
		s.config.Log.Error("event cannot be matched", "event", e.ID, "error", err.Error())
	}
	rules := s.buses[e.Bus]
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if r := rules[name]; err == nil && r.State == enabled && r.pattern != nil && r.pattern.match(decoded) {
			snapshot := *r
			snapshot.targets = slices.Clone(r.targets)
			matched, names = append(matched, &snapshot), append(names, name)
		}
	}
	s.log = append(s.log, Record{Bus: e.Bus, Rules: names, Event: e})
	if len(s.log) > kept {
		s.log = slices.Clone(s.log[len(s.log)-kept:])
	}
	s.mu.Unlock()
	for _, f := range observers {
		f(e)
	}
	for _, r := range matched {
		for _, t := range r.targets {
			s.deliver(r, t, e)
		}
	}
}

// busName is the name in a bus's name or ARN; the default bus when empty.
func busName(ref string) string {
	if ref == "" {
		return "default"
	}
	return ref[strings.LastIndex(ref, "/")+1:]
}

func (s *Service) busARN(name string) string {
	return s.config.Identity.ARN("events", "event-bus/"+name)
}

// An entry is one event of PutEvents.
type entry struct {
	Time                       *float64
	Source, DetailType, Detail string
	EventBusName               string
	Resources                  []string
	TraceHeader                string
}

func (s *Service) putEvents(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Entries []entry }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	buses := map[string]bool{}
	for _, e := range in.Entries {
		buses[s.busARN(busName(e.EventBusName))] = true
	}
	if err := c.Authorize("events:PutEvents", slices.Sorted(maps.Keys(buses))...); err != nil {
		return nil, err
	}
	size := 0
	for _, e := range in.Entries {
		size += len(e.Source) + len(e.DetailType) + len(e.Detail) + len(strings.Join(e.Resources, ""))
	}
	if size > 256<<10 {
		return nil, kernel.Errorf(400, "ValidationException", "Total size of the entries in the request is over the limit: %d bytes, 262144 are allowed", size)
	}
	failed, results := 0, []map[string]any{}
	for _, e := range in.Entries {
		event, refusal := s.event(e)
		if refusal != nil {
			failed++
			results = append(results, map[string]any{"ErrorCode": refusal.Code, "ErrorMessage": refusal.Message})
			continue
		}
		results = append(results, map[string]any{"EventId": event.ID})
		s.put(event)
	}
	return map[string]any{"FailedEntryCount": failed, "Entries": results}, nil
}

// event makes an event of an entry, or says why EventBridge refuses the entry.
func (s *Service) event(e entry) (Event, *kernel.Error) {
	bus := busName(e.EventBusName)
	s.mu.Lock()
	_, ok := s.buses[bus]
	s.mu.Unlock()
	switch {
	case e.Source == "" || e.DetailType == "" || e.Detail == "":
		return Event{}, kernel.Errorf(400, "InvalidArgument", "Parameter Source, DetailType or Detail is missing. Reason: all three are required.")
	case strings.HasPrefix(e.Source, "aws."):
		return Event{}, kernel.Errorf(400, "NotAuthorizedForSourceException", "Not authorized for the source.")
	case !ok:
		return Event{}, kernel.Errorf(400, "InvalidArgument", "Event bus %s does not exist.", bus)
	}
	detail := json.RawMessage(e.Detail)
	if v, err := decode(detail); err != nil {
		return Event{}, kernel.Errorf(400, "MalformedDetail", "Detail is malformed.")
	} else if _, ok := v.(map[string]any); !ok {
		return Event{}, kernel.Errorf(400, "MalformedDetail", "Detail is malformed: it is not a JSON object.")
	}
	at := s.config.Clock.Now()
	if e.Time != nil {
		at = fromEpoch(*e.Time)
	}
	return Event{
		ID: newID(), Bus: bus, Source: e.Source, DetailType: e.DetailType, Account: s.config.Identity.Account,
		Region: s.config.Identity.Region, Time: at, Resources: e.Resources, Detail: detail,
	}, nil
}

// Handler answers GET with the latest events as a JSON array of Record.
func (s *Service) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "events are read with GET", http.StatusMethodNotAllowed)
			return
		}
		s.mu.Lock()
		records := append([]Record{}, s.log...)
		s.mu.Unlock()
		body, err := json.Marshal(records)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client has gone: nobody to tell
	})
}

// deliver sends an event to a target of a rule.
func (s *Service) deliver(r *rule, t target, e Event) {
	original, err := json.Marshal(e)
	if err != nil {
		s.config.Log.Error("event cannot be delivered", "event", e.ID, "error", err.Error())
		return
	}
	d := delivery.Target{
		ARN: t.Arn, Role: t.RoleArn, Service: "events.amazonaws.com", Source: r.arn,
		Retries: delivery.DefaultAttempts, Age: delivery.DefaultAge, DeadLetterAsSvc: true,
		Event: &delivery.EventParameters{Source: e.Source, DetailType: e.DetailType, Resources: e.Resources},
	}
	if t.DeadLetterConfig != nil {
		d.DeadLetter = t.DeadLetterConfig.Arn
	}
	t.RetryPolicy.apply(&d)
	s.courier.Deliver(d, delivery.Payload{
		Input:      func(int) (string, error) { return t.input(r, e, string(original)) },
		DeadLetter: string(original),
		Attributes: map[string]string{"RULE_ARN": r.arn},
	})
}
