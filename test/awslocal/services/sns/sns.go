// Package sns is Amazon SNS as far as deployed stacks use it: standard topics
// that deliver to queues and functions. Mail is recorded, never sent. Filter
// policies, FIFO topics and message attributes are refused by name.
package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Config is what the service needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Invoker  kernel.Invoker
	Policies kernel.ResourcePolicies // may be nil: then topic policies are not enforced
	Log      *slog.Logger
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// Service is the topic service.
type Service struct {
	config Config
	ctx    context.Context //nolint:containedctx // the lifetime of deliveries, ended by Close
	stop   context.CancelFunc
	wait   sync.WaitGroup

	mu     sync.Mutex
	topics map[string]*topic // by ARN
	serial int
	mail   []Mail
}

// A topic keeps its subscriptions in the order in which they were made.
type topic struct {
	arn, display, policy, kmsKey string
	subscriptions                []*subscription
}

type subscription struct {
	arn, protocol, endpoint string
	raw                     bool
	deadLetter              string // queue ARN
}

// Mail is a message that SNS would have sent by e-mail or SMS.
type Mail struct {
	Time     time.Time `json:"time"` // business
	Topic    string    `json:"topic"`
	Protocol string    `json:"protocol"`
	Endpoint string    `json:"endpoint"`
	Subject  string    `json:"subject,omitempty"`
	Message  string    `json:"message"`
}

// New returns the service. Close ends it.
func New(c Config) *Service {
	ctx, stop := context.WithCancel(context.Background())
	return &Service{config: c, ctx: ctx, stop: stop, topics: map[string]*topic{}}
}

// Close ends deliveries under way and waits for them.
func (s *Service) Close() {
	s.mu.Lock() // no delivery starts after this
	s.stop()
	s.mu.Unlock()
	s.wait.Wait()
}

// Name implements kernel.Service.
func (s *Service) Name() string { return "sns" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"Publish":                  s.publish,
		"Subscribe":                s.subscribe,
		"ListTopics":               s.listTopics,
		"ListSubscriptionsByTopic": s.listSubscriptionsByTopic,
		"GetTopicAttributes":       s.getTopicAttributes,
	}
}

// MailHandler answers GET with the recorded mail as a JSON array.
func (s *Service) MailHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "mail is read with GET", http.StatusMethodNotAllowed)
			return
		}
		s.mu.Lock()
		body, err := json.Marshal(append([]Mail{}, s.mail...))
		s.mu.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client has gone: nobody to tell
	})
}

// authorized finds the topic of a call that may perform action on it; s.mu is held.
func (s *Service) authorized(c *kernel.Call, action, arn string) (*topic, error) {
	if err := c.Authorize("sns:"+action, arn); err != nil {
		return nil, err
	}
	t, ok := s.topics[arn]
	if !ok {
		return nil, kernel.Errorf(404, "NotFoundException", "Topic does not exist: %s", arn)
	}
	return t, nil
}

type publishInput struct {
	TopicArn, TargetArn, PhoneNumber string
	Message, Subject                 string
	MessageStructure                 string
	MessageAttributes                map[string]json.RawMessage
	MessageDeduplicationId           *string
	MessageGroupId                   *string
}

func (s *Service) publish(_ context.Context, c *kernel.Call) (any, error) {
	var in publishInput
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := in.TopicArn
	if arn == "" {
		arn = in.TargetArn
	}
	t, err := s.authorized(c, "Publish", arn)
	if err != nil {
		return nil, err
	}
	switch {
	case in.PhoneNumber != "" || in.MessageStructure != "" || len(in.MessageAttributes) > 0 || in.MessageDeduplicationId != nil || in.MessageGroupId != nil:
		return nil, kernel.Errorf(400, "InvalidParameterException", "this endpoint publishes plain messages to standard topics: no PhoneNumber, MessageStructure, MessageAttributes, MessageGroupId or MessageDeduplicationId")
	case in.Message == "":
		return nil, kernel.Errorf(400, "InvalidParameterException", "Invalid parameter: Empty message")
	case len(in.Message) > 262144:
		return nil, kernel.Errorf(400, "InvalidParameterException", "Invalid parameter: Message too long")
	}
	n := notification{
		id: s.id(), topic: t.arn, subject: in.Subject, message: in.Message, at: s.config.Clock.Now(),
	}
	for _, sub := range t.subscriptions {
		s.deliver(n, *sub)
	}
	return map[string]any{"MessageId": n.id}, nil
}

func (s *Service) subscribe(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		TopicArn, Protocol, Endpoint string
		Attributes                   map[string]string
		ReturnSubscriptionArn        bool
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.authorized(c, "Subscribe", in.TopicArn)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) > 0 {
		return nil, kernel.Errorf(400, "InvalidParameterException", "this endpoint takes subscription attributes from templates only")
	}
	sub, err := s.add(t, subscription{protocol: in.Protocol, endpoint: in.Endpoint})
	if err != nil {
		return nil, kernel.Errorf(400, "InvalidParameterException", "%v", err)
	}
	return map[string]any{"SubscriptionArn": sub.arn}, nil
}

// add subscribes; the same protocol and endpoint again replace what was there.
func (s *Service) add(t *topic, sub subscription) (*subscription, error) {
	if !slices.Contains([]string{"sqs", "lambda", "email", "email-json", "sms"}, sub.protocol) {
		return nil, fmt.Errorf("protocol %q is not implemented by this endpoint; it has sqs, lambda, and email, email-json and sms (recorded only)", sub.protocol)
	}
	if sub.endpoint == "" {
		return nil, fmt.Errorf("a %s subscription needs an endpoint", sub.protocol)
	}
	for _, old := range t.subscriptions {
		if old.protocol == sub.protocol && old.endpoint == sub.endpoint {
			sub.arn = old.arn
			*old = sub
			return old, nil
		}
	}
	sub.arn = fmt.Sprintf("%s:%s", t.arn, s.id())
	t.subscriptions = append(t.subscriptions, &sub)
	return &sub, nil
}

func (s *Service) listTopics(_ context.Context, c *kernel.Call) (any, error) {
	if err := c.Authorize("sns:ListTopics", s.config.Identity.ARN("sns", "*")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	topics := []map[string]string{}
	for arn := range s.topics {
		topics = append(topics, map[string]string{"TopicArn": arn})
	}
	slices.SortFunc(topics, func(a, b map[string]string) int { return strings.Compare(a["TopicArn"], b["TopicArn"]) })
	return map[string]any{"Topics": topics}, nil
}

func (s *Service) listSubscriptionsByTopic(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ TopicArn string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.authorized(c, "ListSubscriptionsByTopic", in.TopicArn)
	if err != nil {
		return nil, err
	}
	subscriptions := []map[string]string{}
	for _, sub := range t.subscriptions {
		subscriptions = append(subscriptions, map[string]string{
			"SubscriptionArn": sub.arn, "Owner": s.config.Identity.Account, "Protocol": sub.protocol,
			"Endpoint": sub.endpoint, "TopicArn": t.arn,
		})
	}
	return map[string]any{"Subscriptions": subscriptions}, nil
}

func (s *Service) getTopicAttributes(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ TopicArn string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.authorized(c, "GetTopicAttributes", in.TopicArn)
	if err != nil {
		return nil, err
	}
	attributes := map[string]string{
		"TopicArn": t.arn, "Owner": s.config.Identity.Account, "DisplayName": t.display,
		"SubscriptionsConfirmed": fmt.Sprint(len(t.subscriptions)), "SubscriptionsPending": "0", "SubscriptionsDeleted": "0",
	}
	if t.policy != "" {
		attributes["Policy"] = t.policy
	}
	if t.kmsKey != "" {
		attributes["KmsMasterKeyId"] = t.kmsKey
	}
	return map[string]any{"Attributes": attributes}, nil
}

// id makes a message's or subscription's id; s.mu is held.
func (s *Service) id() string {
	s.serial++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.serial)
}

// A notification is one published message.
type notification struct {
	id, topic, subject, message string
	at                          time.Time
}

// principal is SNS acting for a topic.
func principal(topic string) kernel.Principal {
	return kernel.Principal{ARN: "sns.amazonaws.com", Service: "sns.amazonaws.com", SourceARN: topic}
}

// deliver sends n to one subscriber as work in flight; s.mu is held.
func (s *Service) deliver(n notification, sub subscription) {
	if sub.protocol != "sqs" && sub.protocol != "lambda" {
		s.mail = append(s.mail, Mail{
			Time: n.at, Topic: n.topic, Protocol: sub.protocol, Endpoint: sub.endpoint, Subject: n.subject, Message: n.message,
		})
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	done := clock.Begin(s.config.Clock, "sns delivery to "+sub.endpoint)
	s.wait.Go(func() {
		defer done()
		if err := s.send(n, sub); err != nil {
			s.config.Log.ErrorContext(s.ctx, "notification lost", "topic", n.topic, "subscription", sub.arn, "message", n.id, "error", err.Error())
		}
	})
}
