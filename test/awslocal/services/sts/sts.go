// Package sts is the Security Token Service: who am I, and may I play a role.
package sts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

const defaultDuration = time.Hour

// A Service is STS over an authority.
type Service struct{ authority *iam.Authority }

var _ kernel.Service = (*Service)(nil)

// New returns the service.
func New(a *iam.Authority) *Service { return &Service{a} }

// Name implements kernel.Service.
func (s *Service) Name() string { return "sts" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"GetCallerIdentity": s.getCallerIdentity,
		"AssumeRole":        s.assumeRole,
	}
}

// getCallerIdentity needs no permission, as in AWS: whoever signed may know
// who they are.
func (s *Service) getCallerIdentity(_ context.Context, c *kernel.Call) (any, error) {
	c.Exempt()
	user := c.Principal.ARN[strings.LastIndexByte(c.Principal.ARN, '/')+1:]
	if c.Principal.Role != "" {
		user = c.Principal.Role + ":" + user
	}
	return map[string]any{"Account": c.Account, "Arn": c.Principal.ARN, "UserId": user}, nil
}

func (s *Service) assumeRole(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		RoleArn, RoleSessionName, ExternalId, Policy string //nolint:revive // the members' names
		DurationSeconds                              int
	}
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if in.Policy != "" {
		return nil, kernel.Errorf(http.StatusBadRequest, "NotImplementedException", "the local endpoint does not implement session policies of sts:AssumeRole")
	}
	if err := c.Authorize("sts:AssumeRole", in.RoleArn); err != nil {
		return nil, err
	}
	duration := time.Duration(in.DurationSeconds) * time.Second
	if duration == 0 {
		duration = defaultDuration
	}
	expires := time.Now().Add(duration) // tokens live on wall time
	credential, principal, id, err := s.authority.AssumeRole(c.Principal, in.RoleArn, in.RoleSessionName, in.ExternalId, expires)
	if d, ok := errors.AsType[*iam.Denied](err); ok {
		return nil, kernel.Errorf(http.StatusForbidden, "AccessDenied", "%s", d.Error())
	}
	if e, ok := errors.AsType[*kernel.Error](err); ok {
		// AWS does not tell a stranger which roles exist.
		return nil, kernel.Errorf(http.StatusForbidden, "AccessDenied", "%s", e.Message)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"Credentials": map[string]any{
			"AccessKeyId": credential.AccessKeyID, "SecretAccessKey": credential.SecretAccessKey,
			"SessionToken": credential.SessionToken, "Expiration": expires.Unix(),
		},
		"AssumedRoleUser": map[string]any{"AssumedRoleId": id, "Arn": principal.ARN},
	}, nil
}
