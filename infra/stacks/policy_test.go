package stacks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/infra/stage"
)

// anyResource are the actions that may be allowed on Resource *: their services
// have no narrower form.
var anyResource = []string{
	"batch:DescribeJobs", "batch:TerminateJob", // jobs have no ARN before they are submitted
	"ecr:GetAuthorizationToken",
	"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
	"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
	"xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
}

// statements yields every statement of every policy document, wherever it is in
// a template.
func statements(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		if s, ok := v["Statement"]; ok {
			for _, one := range list(s) {
				if m, ok := one.(map[string]any); ok {
					visit(m)
				}
			}
		}
		for _, child := range v {
			statements(child, visit)
		}
	case []any:
		for _, child := range v {
			statements(child, visit)
		}
	}
}

func TestLeastPrivilege(t *testing.T) {
	for _, name := range stage.Names() {
		for what, tmpl := range example(t, name).templates {
			for id, r := range tmpl.Resources {
				statements(any(r.Properties), func(s map[string]any) {
					if s["Effect"] != "Allow" {
						return
					}
					where := fmt.Sprintf("%s/%s/%s: %v", name, what, id, s)
					assert.NotContains(t, s, "NotAction", where)
					assert.NotContains(t, s, "NotResource", where)
					for _, action := range list(s["Action"]) {
						assert.NotContains(t, action, "*", where)
						if slices.Contains(list(s["Resource"]), any("*")) {
							assert.Contains(t, anyResource, action, where)
						}
					}
				})
			}
		}
	}
}

// Nobody but a service of AWS may assume a role, and the public has no access
// to a resource.
func TestPrincipals(t *testing.T) {
	for what, tmpl := range example(t, "prod").templates {
		for id, r := range tmpl.Resources {
			statements(any(r.Properties), func(s map[string]any) {
				if principal, ok := s["Principal"]; ok && s["Effect"] == "Allow" {
					service, ok := at(principal, "Service").(string)
					require.True(t, ok, "%s/%s: %v", what, id, s)
					assert.True(t, strings.HasSuffix(service, ".amazonaws.com"), service)
				}
			})
		}
	}
}

// Every role that a function or a job acts as is its own.
func TestRolesAreNotShared(t *testing.T) {
	users := map[string]string{}
	for what, tmpl := range example(t, "local").templates {
		for id, r := range tmpl.Resources {
			if r.Type != "AWS::Lambda::Function" {
				continue
			}
			role := fmt.Sprint(what, r.Properties["Role"])
			assert.Empty(t, users[role], "%s and %s share %s", id, users[role], role)
			users[role] = id
		}
	}
	assert.Len(t, users, 5)
}
