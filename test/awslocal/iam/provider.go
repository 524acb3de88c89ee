package iam

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

var validName = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)

// Provides implements kernel.Provider.
func (a *Authority) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::IAM::Role":          a.createRole,
		"AWS::IAM::Policy":        a.createPolicy,
		"AWS::IAM::ManagedPolicy": a.createManagedPolicy,
	}
}

type inlinePolicy struct {
	PolicyName     string
	PolicyDocument json.RawMessage
}

func (a *Authority) createRole(_ context.Context, res *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		RoleName                 string
		Path, Description        string
		AssumeRolePolicyDocument json.RawMessage
		ManagedPolicyArns        []string
		Policies                 []inlinePolicy
		PermissionsBoundary      string
		MaxSessionDuration       template.Int // seconds; sessions here outlive it
		Tags                     json.RawMessage
	}
	if err := template.Decode(res, &p); err != nil {
		return kernel.Physical{}, err
	}
	name := template.Name(res, p.RoleName, 64)
	if !validName.MatchString(name) || len(name) > 64 {
		return kernel.Physical{}, fmt.Errorf("RoleName %q does not match [\\w+=,.@-]{1,64}", name)
	}
	if p.PermissionsBoundary != "" {
		return kernel.Physical{}, fmt.Errorf("PermissionsBoundary is not implemented here: what %s permits would be more than in AWS", name)
	}
	trust, err := parse("trust policy of "+name, p.AssumeRolePolicyDocument, true)
	if err != nil {
		return kernel.Physical{}, err
	}
	sum := sha256.Sum256([]byte(name))
	r := &role{name: name, id: "AROA" + base32.StdEncoding.EncodeToString(sum[:])[:17], trust: trust, policies: map[string]*document{}}
	for _, inline := range p.Policies {
		d, err := parse(inline.PolicyName, inline.PolicyDocument, false)
		if err != nil {
			return kernel.Physical{}, err
		}
		r.policies[inline.PolicyName] = d
	}
	for _, arn := range p.ManagedPolicyArns {
		d, err := a.managedPolicy(arn)
		if err != nil {
			return kernel.Physical{}, err
		}
		r.policies[arn] = d
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.roles[name]; old != nil {
		for policy, d := range old.policies {
			if _, ok := r.policies[policy]; !ok {
				r.policies[policy] = d
			}
		}
	}
	a.roles[name] = r
	return kernel.Physical{Ref: name, Attributes: map[string]any{"Arn": a.roleARN(name), "RoleId": r.id}}, nil
}

func (a *Authority) createPolicy(_ context.Context, res *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		inlinePolicy
		Roles, Users, Groups []string
	}
	if err := template.Decode(res, &p); err != nil {
		return kernel.Physical{}, err
	}
	if len(p.Users)+len(p.Groups) > 0 {
		return kernel.Physical{}, fmt.Errorf("policies of users and groups are not implemented here: attach %s to a role", p.PolicyName)
	}
	d, err := parse(p.PolicyName, p.PolicyDocument, false)
	if err != nil {
		return kernel.Physical{}, err
	}
	if err := a.attach(d.name, d, p.Roles); err != nil {
		return kernel.Physical{}, err
	}
	return kernel.Physical{Ref: p.PolicyName, Attributes: map[string]any{"Id": p.PolicyName}}, nil
}

func (a *Authority) createManagedPolicy(_ context.Context, res *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		ManagedPolicyName    string
		Description, Path    string
		PolicyDocument       json.RawMessage
		Roles, Users, Groups []string
	}
	if err := template.Decode(res, &p); err != nil {
		return kernel.Physical{}, err
	}
	name := template.Name(res, p.ManagedPolicyName, 128)
	if len(p.Users)+len(p.Groups) > 0 {
		return kernel.Physical{}, fmt.Errorf("policies of users and groups are not implemented here: attach %s to a role", name)
	}
	arn := "arn:" + a.identity.Partition + ":iam::" + a.identity.Account + ":policy/" + strings.TrimPrefix(p.Path, "/") + name
	d, err := parse(name, p.PolicyDocument, false)
	if err != nil {
		return kernel.Physical{}, err
	}
	a.mu.Lock()
	a.managed[arn] = d
	a.mu.Unlock()
	if err := a.attach(arn, d, p.Roles); err != nil {
		return kernel.Physical{}, err
	}
	return kernel.Physical{Ref: arn, Attributes: map[string]any{"PolicyArn": arn}}, nil
}

func (a *Authority) attach(key string, d *document, roles []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range roles {
		r, ok := a.roles[roleName(name)]
		if !ok {
			return fmt.Errorf("the policy %s is for the role %s, which is not deployed", d.name, name)
		}
		r.policies[key] = d
	}
	return nil
}

// awsManaged are the policies that AWS owns, as far as templates use them,
// from the "AWS Managed Policy Reference Guide".
var awsManaged = map[string]string{
	"service-role/AWSLambdaBasicExecutionRole": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*",
		"Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"]}]}`,
	"service-role/AmazonECSTaskExecutionRolePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*",
		"Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"]}]}`,
	"AWSXRayDaemonWriteAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*",
		"Action":["xray:PutTraceSegments","xray:PutTelemetryRecords","xray:GetSamplingRules","xray:GetSamplingTargets","xray:GetSamplingStatisticSummaries"]}]}`,
}

func (a *Authority) managedPolicy(arn string) (*document, error) {
	a.mu.RLock()
	d, ok := a.managed[arn]
	a.mu.RUnlock()
	if ok {
		return d, nil
	}
	_, name, _ := strings.Cut(arn, ":policy/")
	text, ok := awsManaged[name]
	if !ok {
		return nil, fmt.Errorf("the managed policy %s is neither deployed nor one of AWS's that are known here; write out what the role needs", arn)
	}
	return parse(arn, []byte(text), false)
}
