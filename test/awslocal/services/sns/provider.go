package sns

import (
	"context"
	"encoding/json"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::SNS::Topic":        s.createTopic,
		"AWS::SNS::TopicPolicy":  s.createPolicy,
		"AWS::SNS::Subscription": s.createSubscription,
	}
}

func (s *Service) createTopic(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		TopicName, DisplayName, KmsMasterKeyId string
		SignatureVersion, TracingConfig        string
		FifoTopic                              template.Bool
		Subscription                           []struct{ Protocol, Endpoint string }
		Tags                                   template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if p.FifoTopic {
		return kernel.Physical{}, template.Errorf(r, "FIFO topics are not implemented by this endpoint")
	}
	name := template.Name(r, p.TopicName, 256)
	t := &topic{arn: s.config.Identity.ARN("sns", name), display: p.DisplayName, kmsKey: p.KmsMasterKeyId}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.topics[t.arn]; ok {
		t.subscriptions, t.policy = old.subscriptions, old.policy
	}
	for _, sub := range p.Subscription {
		if _, err := s.add(t, subscription{protocol: sub.Protocol, endpoint: sub.Endpoint}); err != nil {
			return kernel.Physical{}, template.Errorf(r, "%w", err)
		}
	}
	s.topics[t.arn] = t
	return kernel.Physical{Ref: t.arn, Attributes: map[string]any{"TopicArn": t.arn, "TopicName": name}}, nil
}

func (s *Service) createPolicy(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Topics         []string
		PolicyDocument json.RawMessage
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range p.Topics {
		t, ok := s.topics[arn]
		if !ok {
			return kernel.Physical{}, template.Errorf(r, "topic %s does not exist", arn)
		}
		t.policy = string(p.PolicyDocument)
		if s.config.Policies != nil {
			if err := s.config.Policies.SetResourcePolicy(arn, p.PolicyDocument); err != nil {
				return kernel.Physical{}, template.Errorf(r, "policy of topic %s: %w", arn, err)
			}
		}
	}
	id := template.Name(r, "", 128)
	return kernel.Physical{Ref: id, Attributes: map[string]any{"Id": id}}, nil
}

func (s *Service) createSubscription(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		TopicArn, Protocol, Endpoint, Region string
		RawMessageDelivery                   template.Bool
		RedrivePolicy                        *struct {
			DeadLetterTargetArn string `json:"deadLetterTargetArn"`
		}
		FilterPolicy, FilterPolicyScope, DeliveryPolicy, ReplayPolicy json.RawMessage
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	for name, v := range map[string]json.RawMessage{
		"FilterPolicy": p.FilterPolicy, "FilterPolicyScope": p.FilterPolicyScope, "DeliveryPolicy": p.DeliveryPolicy, "ReplayPolicy": p.ReplayPolicy,
	} {
		if len(v) > 0 {
			return kernel.Physical{}, template.Errorf(r, "%s is not implemented by this endpoint", name)
		}
	}
	sub := subscription{protocol: p.Protocol, endpoint: p.Endpoint, raw: bool(p.RawMessageDelivery)}
	if p.RedrivePolicy != nil {
		sub.deadLetter = p.RedrivePolicy.DeadLetterTargetArn
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.topics[p.TopicArn]
	if !ok {
		return kernel.Physical{}, template.Errorf(r, "topic %s does not exist", p.TopicArn)
	}
	added, err := s.add(t, sub)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	return kernel.Physical{Ref: added.arn, Attributes: map[string]any{"Arn": added.arn}}, nil
}
