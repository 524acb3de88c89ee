// Package sqs is Amazon SQS as far as deployed stacks use it: standard queues
// with visibility, delay, retention and redrive, all on the business clock.
// FIFO queues are refused by name. Messages are kept in
// memory: they end with the endpoint.
package sqs

import (
	"context"
	"crypto/md5" //nolint:gosec // the protocol's checksum, not a signature
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Config is what the service needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Policies kernel.ResourcePolicies // may be nil: then queue policies are not enforced
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// Service is the queue service.
type Service struct {
	config Config

	mu     sync.Mutex
	queues map[string]*queue // by name
	serial int
}

// New returns the service.
func New(c Config) *Service { return &Service{config: c, queues: map[string]*queue{}} }

// Name implements kernel.Service.
func (s *Service) Name() string { return "sqs" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"SendMessage":        s.sendMessage,
		"ReceiveMessage":     s.receiveMessage,
		"DeleteMessage":      s.deleteMessage,
		"PurgeQueue":         s.purgeQueue,
		"GetQueueUrl":        s.getQueueURL,
		"GetQueueAttributes": s.getQueueAttributes,
		"ListQueues":         s.listQueues,
	}
}

// A queue's durations are in business time.
type queue struct {
	name, arn, url string
	created        time.Time
	visibility     time.Duration
	delay          time.Duration
	retention      time.Duration
	maxSize        int // bytes
	redrive        *redrive
	managedSSE     bool
	kmsKey         string
	policy         string
	messages       []*message // in order of arrival
}

// A redrive moves a message to another queue once it has been received often.
type redrive struct {
	Target     string       `json:"deadLetterTargetArn"`
	MaxReceive template.Int `json:"maxReceiveCount"`
}

type message struct {
	id, body, sender, source string // source: the queue it was redriven from
	sent, first, visible     time.Time
	received                 int
	receipt                  string
	extra                    map[string]attribute
}

func noQueue(name string) *kernel.Error {
	return kernel.Errorf(400, "QueueDoesNotExist", "The specified queue %q does not exist.", name)
}

// find returns the queue that a URL, an ARN or a name means; s.mu is held.
func (s *Service) find(ref string) (*queue, error) {
	name := template.LastOf(template.LastOf(ref, "/"), ":")
	q, ok := s.queues[name]
	if !ok {
		return nil, noQueue(name)
	}
	return q, nil
}

// authorized finds the queue of a call that may perform action on it. Whoever
// may not learns nothing about whether the queue exists.
func (s *Service) authorized(c *kernel.Call, action, ref string) (*queue, error) {
	name := template.LastOf(template.LastOf(ref, "/"), ":")
	if err := c.Authorize("sqs:"+action, s.config.Identity.ARN("sqs", name)); err != nil {
		return nil, err
	}
	return s.find(ref)
}

func (s *Service) sendMessage(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		QueueUrl, MessageBody                  string
		DelaySeconds                           *int
		MessageAttributes                      map[string]attribute
		MessageSystemAttributes                map[string]json.RawMessage
		MessageDeduplicationId, MessageGroupId *string
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.authorized(c, "SendMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	switch {
	case in.MessageDeduplicationId != nil || in.MessageGroupId != nil:
		return nil, kernel.Errorf(400, "UnsupportedOperation", "%s is a standard queue: MessageGroupId and MessageDeduplicationId are for FIFO queues, which this endpoint does not have", q.name)
	case len(in.MessageSystemAttributes) > 0:
		return nil, kernel.Errorf(400, "UnsupportedOperation", "message system attributes are not implemented by this endpoint")
	case in.MessageBody == "":
		return nil, kernel.Errorf(400, "InvalidMessageContents", "MessageBody must not be empty")
	case len(in.MessageBody) > q.maxSize:
		return nil, kernel.Errorf(400, "InvalidMessageContents", "the message has %d bytes, queue %s takes %d", len(in.MessageBody), q.name, q.maxSize)
	}
	now := s.config.Clock.Now()
	delay := q.delay
	if in.DelaySeconds != nil {
		delay = time.Duration(*in.DelaySeconds) * time.Second
	}
	m := &message{id: s.id("msg"), body: in.MessageBody, sender: c.Principal.ARN, sent: now, visible: now.Add(delay), extra: in.MessageAttributes}
	q.messages = append(q.messages, m)
	out := map[string]any{"MessageId": m.id, "MD5OfMessageBody": sum(m.body)}
	if len(m.extra) > 0 {
		out["MD5OfMessageAttributes"] = sumAttributes(m.extra)
	}
	return out, nil
}

func (s *Service) receiveMessage(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		QueueUrl                                                           string
		MaxNumberOfMessages, VisibilityTimeout                             *int
		AttributeNames, MessageSystemAttributeNames, MessageAttributeNames []string
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.authorized(c, "ReceiveMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	limit, visibility, now := 1, q.visibility, s.config.Clock.Now()
	if in.MaxNumberOfMessages != nil {
		limit = *in.MaxNumberOfMessages
	}
	if limit < 1 || limit > 10 {
		return nil, kernel.Errorf(400, "InvalidParameterValue", "MaxNumberOfMessages is %d, want 1 to 10", limit)
	}
	if in.VisibilityTimeout != nil {
		visibility = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	s.expire(q, now)
	names := append(slices.Clone(in.AttributeNames), in.MessageSystemAttributeNames...)
	messages := []any{}
	for _, m := range slices.Clone(q.messages) {
		if len(messages) == limit {
			break
		}
		if m.visible.After(now) {
			continue
		}
		if q.redrive != nil && m.received >= int(q.redrive.MaxReceive) {
			if target, err := s.find(q.redrive.Target); err == nil {
				q.messages = slices.DeleteFunc(q.messages, func(o *message) bool { return o == m })
				m.source, m.received, m.receipt = q.arn, 0, ""
				target.messages = append(target.messages, m)
			}
			continue
		}
		m.received++
		if m.received == 1 {
			m.first = now
		}
		m.visible, m.receipt = now.Add(visibility), s.id("rcpt")
		out := map[string]any{
			"MessageId": m.id, "ReceiptHandle": m.receipt, "Body": m.body, "MD5OfBody": sum(m.body),
			"Attributes": m.attributes(names),
		}
		if extra := chosen(m.extra, in.MessageAttributeNames); len(extra) > 0 {
			out["MessageAttributes"], out["MD5OfMessageAttributes"] = extra, sumAttributes(extra)
		}
		messages = append(messages, out)
	}
	return map[string]any{"Messages": messages}, nil
}

func (m *message) attributes(names []string) map[string]string {
	all := map[string]string{
		"SenderId":                         m.sender,
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.received),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
	}
	if m.source != "" {
		all["DeadLetterQueueSourceArn"] = m.source
	}
	if slices.Contains(names, "All") {
		return all
	}
	chosen := map[string]string{}
	for _, n := range names {
		if v, ok := all[n]; ok {
			chosen[n] = v
		}
	}
	return chosen
}

// expire drops the messages that are older than the queue keeps them.
func (s *Service) expire(q *queue, now time.Time) {
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return now.Sub(m.sent) > q.retention })
}

func (s *Service) deleteMessage(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ QueueUrl, ReceiptHandle string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.authorized(c, "DeleteMessage", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.ReceiptHandle, "rcpt-") {
		return nil, kernel.Errorf(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	// A handle of an earlier receive deletes nothing, without an error, as SQS.
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.receipt == in.ReceiptHandle })
	return map[string]any{}, nil
}

func (s *Service) purgeQueue(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ QueueUrl string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.authorized(c, "PurgeQueue", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.messages = nil
	return map[string]any{}, nil
}

func (s *Service) getQueueURL(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ QueueName string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.authorized(c, "GetQueueUrl", in.QueueName)
	if err != nil {
		return nil, err
	}
	return map[string]any{"QueueUrl": q.url}, nil
}

func (s *Service) listQueues(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ QueueNamePrefix string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := c.Authorize("sqs:ListQueues", s.config.Identity.ARN("sqs", "*")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := []string{}
	for name, q := range s.queues {
		if strings.HasPrefix(name, in.QueueNamePrefix) {
			urls = append(urls, q.url)
		}
	}
	slices.Sort(urls)
	return map[string]any{"QueueUrls": urls}, nil
}

func (s *Service) getQueueAttributes(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		QueueUrl       string
		AttributeNames []string
	}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.authorized(c, "GetQueueAttributes", in.QueueUrl)
	if err != nil {
		return nil, err
	}
	now := s.config.Clock.Now()
	s.expire(q, now)
	all := q.attributes(now)
	if slices.Contains(in.AttributeNames, "All") {
		return map[string]any{"Attributes": all}, nil
	}
	chosen := map[string]string{}
	for _, n := range in.AttributeNames {
		if v, ok := all[n]; ok {
			chosen[n] = v
		}
	}
	return map[string]any{"Attributes": chosen}, nil
}

func (q *queue) attributes(now time.Time) map[string]string {
	visible, hidden, delayed := 0, 0, 0
	for _, m := range q.messages {
		switch {
		case !m.visible.After(now):
			visible++
		case m.received == 0:
			delayed++
		default:
			hidden++
		}
	}
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
	all := map[string]string{
		"QueueArn":                              q.arn,
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      strconv.FormatInt(q.created.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.created.Unix(), 10),
		"VisibilityTimeout":                     seconds(q.visibility),
		"DelaySeconds":                          seconds(q.delay),
		"MessageRetentionPeriod":                seconds(q.retention),
		"MaximumMessageSize":                    strconv.Itoa(q.maxSize),
		"ReceiveMessageWaitTimeSeconds":         "0",
		"SqsManagedSseEnabled":                  strconv.FormatBool(q.managedSSE),
	}
	if q.redrive != nil {
		all["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, q.redrive.Target, q.redrive.MaxReceive)
	}
	if q.kmsKey != "" {
		all["KmsMasterKeyId"] = q.kmsKey
	}
	if q.policy != "" {
		all["Policy"] = q.policy
	}
	return all
}

// id makes an identifier; s.mu is held.
func (s *Service) id(kind string) string {
	s.serial++
	return fmt.Sprintf("%s-%012d", kind, s.serial)
}

func sum(body string) string {
	h := md5.Sum([]byte(body)) //nolint:gosec // the protocol's checksum, not a signature
	return hex.EncodeToString(h[:])
}
