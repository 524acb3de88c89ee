// Package cloudformation tells what was deployed. Stacks are made by package
// deploy at start; none is changed through the API.
package cloudformation

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/livetwin/livetwin/test/awslocal/deploy"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// A Service answers for the deployed stacks.
type Service struct{ stacks func() []deploy.Stack }

var _ kernel.Service = (*Service)(nil)

// New returns the service; stacks returns what is deployed so far.
func New(stacks func() []deploy.Stack) *Service { return &Service{stacks} }

// Name implements kernel.Service.
func (s *Service) Name() string { return "cloudformation" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"DescribeStacks":         s.describeStacks,
		"DescribeStackResources": s.describeStackResources,
	}
}

// find returns the stack of a name or id, or all of them for "".
func (s *Service) find(c *kernel.Call, action string) ([]deploy.Stack, error) {
	var in struct {
		StackName, NextToken string
		PhysicalResourceId   string //nolint:revive // the member's name
		LogicalResourceId    string //nolint:revive // the member's name
	}
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if in.PhysicalResourceId != "" || in.LogicalResourceId != "" {
		return nil, kernel.Errorf(http.StatusBadRequest, "NotImplementedException", "the local endpoint implements cloudformation:%s by StackName only", c.Operation)
	}
	all := s.stacks()
	if in.StackName == "" {
		return all, c.Authorize(action, "*")
	}
	i := slices.IndexFunc(all, func(d deploy.Stack) bool { return d.Name == in.StackName || d.ID == in.StackName })
	if i < 0 {
		if err := c.Authorize(action, c.ARN("cloudformation", "stack/"+in.StackName+"/*")); err != nil {
			return nil, err
		}
		return nil, kernel.Errorf(http.StatusBadRequest, "ValidationError", "Stack with id %s does not exist", in.StackName)
	}
	return all[i : i+1], c.Authorize(action, all[i].ID)
}

func (s *Service) describeStacks(_ context.Context, c *kernel.Call) (any, error) {
	stacks, err := s.find(c, "cloudformation:DescribeStacks")
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, d := range stacks {
		outputs := []any{}
		for _, key := range slices.Sorted(maps.Keys(d.Outputs)) {
			o := d.Outputs[key]
			one := map[string]any{"OutputKey": key, "OutputValue": o.Value}
			if o.Description != "" {
				one["Description"] = o.Description
			}
			if o.Export != "" {
				one["ExportName"] = o.Export
			}
			outputs = append(outputs, one)
		}
		list = append(list, map[string]any{
			"StackName": d.Name, "StackId": d.ID, "StackStatus": "CREATE_COMPLETE", "CreationTime": d.Created.Unix(), "Outputs": outputs,
		})
	}
	return map[string]any{"Stacks": list}, nil
}

func (s *Service) describeStackResources(_ context.Context, c *kernel.Call) (any, error) {
	stacks, err := s.find(c, "cloudformation:DescribeStackResources")
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, d := range stacks {
		for _, r := range d.Resources {
			list = append(list, map[string]any{
				"StackName": d.Name, "StackId": d.ID, "LogicalResourceId": r.LogicalID, "PhysicalResourceId": r.Physical.Ref,
				"ResourceType": r.Type, "ResourceStatus": "CREATE_COMPLETE", "Timestamp": d.Created.Unix(),
			})
		}
	}
	return map[string]any{"StackResources": list}, nil
}
