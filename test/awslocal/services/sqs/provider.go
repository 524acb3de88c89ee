package sqs

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::SQS::Queue":       s.createQueue,
		"AWS::SQS::QueuePolicy": s.createPolicy,
	}
}

func (s *Service) createQueue(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	p := struct {
		QueueName                     string
		VisibilityTimeout             template.Int
		DelaySeconds                  template.Int
		MessageRetentionPeriod        template.Int
		MaximumMessageSize            template.Int
		ReceiveMessageWaitTimeSeconds template.Int
		RedrivePolicy                 *redrive
		RedriveAllowPolicy            template.Ignored
		SqsManagedSseEnabled          template.Bool
		KmsMasterKeyId                string
		KmsDataKeyReusePeriodSeconds  template.Int
		FifoQueue                     template.Bool
		Tags                          template.Ignored
	}{VisibilityTimeout: 30, MessageRetentionPeriod: 345600, MaximumMessageSize: 262144, SqsManagedSseEnabled: true}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if bool(p.FifoQueue) || strings.HasSuffix(p.QueueName, ".fifo") {
		return kernel.Physical{}, template.Errorf(r, "FIFO queues are not implemented by this endpoint")
	}
	name := template.Name(r, p.QueueName, 80)
	id := s.config.Identity
	q := &queue{
		name: name, arn: id.ARN("sqs", name), url: id.Endpoint + "/" + id.Account + "/" + name,
		created:    s.config.Clock.Now(),
		visibility: time.Duration(p.VisibilityTimeout) * time.Second,
		delay:      time.Duration(p.DelaySeconds) * time.Second,
		retention:  time.Duration(p.MessageRetentionPeriod) * time.Second,
		maxSize:    int(p.MaximumMessageSize), redrive: p.RedrivePolicy,
		managedSSE: bool(p.SqsManagedSseEnabled) && p.KmsMasterKeyId == "", kmsKey: p.KmsMasterKeyId,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.queues[name]; ok { // an update keeps what is in the queue
		q.created, q.messages, q.policy = old.created, old.messages, old.policy
	}
	s.queues[name] = q
	return kernel.Physical{Ref: q.url, Attributes: map[string]any{"Arn": q.arn, "QueueName": name, "QueueUrl": q.url}}, nil
}

func (s *Service) createPolicy(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Queues         []string
		PolicyDocument json.RawMessage
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, url := range p.Queues {
		q, err := s.find(url)
		if err != nil {
			return kernel.Physical{}, template.Errorf(r, "queue %s: %w", url, err)
		}
		q.policy = string(p.PolicyDocument)
		if s.config.Policies != nil {
			if err := s.config.Policies.SetResourcePolicy(q.arn, p.PolicyDocument); err != nil {
				return kernel.Physical{}, template.Errorf(r, "policy of queue %s: %w", q.name, err)
			}
		}
	}
	return kernel.Physical{Ref: template.Name(r, "", 128)}, nil
}
