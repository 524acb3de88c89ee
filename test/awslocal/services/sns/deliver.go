package sns

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// attempts is how often a delivery is tried: once and three retries without a
// delay, the immediate phase of SNS's retry policy. SNS goes on for days after
// that; here the message then goes to the subscription's dead-letter queue.
const attempts = 4

// send delivers n, or puts it into the dead-letter queue of the subscription.
func (s *Service) send(n notification, sub subscription) error {
	var err error
	for range attempts {
		if err = s.attempt(n, sub); err == nil || s.ctx.Err() != nil {
			return err
		}
	}
	if sub.deadLetter == "" {
		return fmt.Errorf("deliver to %s: %w", sub.endpoint, err)
	}
	body, problem := n.envelope()
	if problem != nil {
		return problem
	}
	if problem = s.enqueue(n.topic, sub.deadLetter, body); problem != nil {
		return fmt.Errorf("deliver to %s: %w; then to its dead-letter queue: %w", sub.endpoint, err, problem)
	}
	return nil
}

func (s *Service) attempt(n notification, sub subscription) error {
	if sub.protocol == "sqs" {
		body := n.message
		if !sub.raw {
			var err error
			if body, err = n.envelope(); err != nil {
				return err
			}
		}
		return s.enqueue(n.topic, sub.endpoint, body)
	}
	payload, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": sub.arn, "Sns": n.fields(),
	}}})
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}
	_, err = s.config.Invoker.Invoke(s.ctx, principal(n.topic), "lambda", "Invoke", map[string]any{
		"FunctionName": sub.endpoint, "InvocationType": "Event", "Payload": base64.StdEncoding.EncodeToString(payload),
	})
	return err
}

// enqueue sends a body to a queue, named by its ARN, as the topic.
func (s *Service) enqueue(topic, queue, body string) error {
	id := s.config.Identity
	_, err := s.config.Invoker.Invoke(s.ctx, principal(topic), "sqs", "SendMessage", map[string]any{
		"QueueUrl": id.Endpoint + "/" + id.Account + "/" + template.LastOf(queue, ":"), "MessageBody": body,
	})
	return err
}

func (n notification) fields() map[string]any {
	f := map[string]any{
		"Type": "Notification", "MessageId": n.id, "TopicArn": n.topic, "Message": n.message,
		"Timestamp": n.at.UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	if n.subject != "" {
		f["Subject"] = n.subject
	}
	return f
}

// envelope is the JSON that SNS puts around a message.
func (n notification) envelope() (string, error) {
	b, err := json.Marshal(n.fields())
	if err != nil {
		return "", fmt.Errorf("encode notification of %s: %w", n.at.Format(time.RFC3339), err)
	}
	return string(b), nil
}
