package iam_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/versity/versitygw/iamapi/policy"
	"github.com/versity/versitygw/iamapi/types"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

type object = map[string]any

var identity = kernel.Identity{Account: "123456789012", Region: "eu-west-1", Partition: "aws", Endpoint: "http://127.0.0.1:4566"}

// authority returns one with the role worker, trusted by Lambda, that has the
// given statements.
func authority(t require.TestingT, statements ...object) *iam.Authority {
	a := iam.New(identity, iam.Keyring("key"))
	create(t, a, "AWS::IAM::Role", object{
		"RoleName": "worker",
		"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": []object{
			{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": object{"Service": "lambda.amazonaws.com"}},
			{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": object{"Service": "scheduler.amazonaws.com"}, "Condition": object{
				"StringEquals": object{"aws:SourceAccount": "123456789012"},
				"ArnLike":      object{"aws:SourceArn": "arn:aws:scheduler:*:*:schedule-group/night"},
			}},
		}},
		"Policies": []object{{"PolicyName": "inline", "PolicyDocument": object{"Version": "2012-10-17", "Statement": statements}}},
	})
	return a
}

func create(t require.TestingT, a *iam.Authority, kind string, properties object) kernel.Physical {
	p, err := try(a, kind, properties)
	require.NoError(t, err)
	return p
}

func try(a *iam.Authority, kind string, properties object) (kernel.Physical, error) {
	data, err := json.Marshal(properties)
	if err != nil {
		return kernel.Physical{}, err
	}
	return a.Provides()[kind](context.Background(), &kernel.Resource{Stack: "s", LogicalID: "R", Type: kind, Properties: data})
}

func worker() kernel.Principal {
	return kernel.Principal{ARN: "arn:aws:sts::123456789012:assumed-role/worker/job", Role: "worker"}
}

func ask(a *iam.Authority, p kernel.Principal, action, resource string, conditions map[string][]string) error {
	return a.Authorize(iam.Request{Principal: p, Action: action, Resources: []string{resource}, Conditions: conditions})
}

func allow(action, resource string, conditions object) object {
	s := object{"Effect": "Allow", "Action": action, "Resource": resource}
	if conditions != nil {
		s["Condition"] = conditions
	}
	return s
}

// The answers are those of the IAM User Guide, "IAM JSON policy elements:
// Condition operators" and "Creating a condition with multiple keys or values".
func TestConditions(t *testing.T) {
	for name, c := range map[string]struct {
		condition object
		keys      map[string][]string
		want      bool
	}{
		"equal":                             {object{"StringEquals": object{"s3:prefix": "a"}}, map[string][]string{"s3:prefix": {"a"}}, true},
		"equal is case sensitive":           {object{"StringEquals": object{"s3:prefix": "A"}}, map[string][]string{"s3:prefix": {"a"}}, false},
		"keys are not case sensitive":       {object{"StringEquals": object{"S3:PREFIX": "a"}}, map[string][]string{"s3:prefix": {"a"}}, true},
		"one of many values":                {object{"StringEquals": object{"s3:prefix": []string{"b", "a"}}}, map[string][]string{"s3:prefix": {"a"}}, true},
		"none of many values":               {object{"StringNotEquals": object{"s3:prefix": []string{"b", "a"}}}, map[string][]string{"s3:prefix": {"a"}}, false},
		"an absent key does not equal":      {object{"StringEquals": object{"s3:prefix": "a"}}, nil, false},
		"an absent key is unequal":          {object{"StringNotEquals": object{"s3:prefix": "a"}}, nil, true},
		"if it exists":                      {object{"StringEqualsIfExists": object{"s3:prefix": "a"}}, nil, true},
		"if it exists and differs":          {object{"StringEqualsIfExists": object{"s3:prefix": "a"}}, map[string][]string{"s3:prefix": {"b"}}, false},
		"like":                              {object{"StringLike": object{"s3:prefix": "in*/?"}}, map[string][]string{"s3:prefix": {"inbox/1"}}, true},
		"a star in equal is a star":         {object{"StringEquals": object{"s3:prefix": "in*"}}, map[string][]string{"s3:prefix": {"inbox"}}, false},
		"null":                              {object{"Null": object{"s3:prefix": "true"}}, nil, true},
		"not null":                          {object{"Null": object{"s3:prefix": "false"}}, nil, false},
		"numbers":                           {object{"NumericLessThanEquals": object{"s3:max-keys": 10}}, map[string][]string{"s3:max-keys": {"9"}}, true},
		"numbers are not texts":             {object{"NumericLessThan": object{"s3:max-keys": "10"}}, map[string][]string{"s3:max-keys": {"x"}}, false},
		"secure transport":                  {object{"Bool": object{"aws:SecureTransport": "true"}}, nil, true},
		"region":                            {object{"StringEquals": object{"aws:RequestedRegion": "eu-west-1"}}, nil, true},
		"address":                           {object{"IpAddress": object{"aws:SourceIp": "127.0.0.0/8"}}, nil, true},
		"the principal's ARN is the role's": {object{"ArnEquals": object{"aws:PrincipalArn": "arn:aws:iam::123456789012:role/worker"}}, nil, true},
		"an ARN's star stays in its part":   {object{"ArnLike": object{"aws:PrincipalArn": "arn:aws:*:role/worker"}}, nil, false},
		"the past is over":                  {object{"DateLessThan": object{"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, nil, false},
		"all of none":                       {object{"ForAllValues:StringEquals": object{"aws:TagKeys": "a"}}, nil, true},
		"all of them":                       {object{"ForAllValues:StringEquals": object{"aws:TagKeys": []string{"a", "b"}}}, map[string][]string{"aws:tagkeys": {"a", "c"}}, false},
		"any of them":                       {object{"ForAnyValue:StringEquals": object{"aws:TagKeys": []string{"a", "b"}}}, map[string][]string{"aws:tagkeys": {"a", "c"}}, true},
		"any of none":                       {object{"ForAnyValue:StringEquals": object{"aws:TagKeys": "a"}}, nil, false},
		"variables":                         {object{"StringLike": object{"s3:prefix": "${aws:PrincipalAccount}/*"}}, map[string][]string{"s3:prefix": {"123456789012/x"}}, true},
		"a variable without value":          {object{"StringLike": object{"s3:prefix": "${aws:Nothing}*"}}, map[string][]string{"s3:prefix": {"x"}}, false},
		"a variable with a default":         {object{"StringLike": object{"s3:prefix": "${aws:Nothing, 'x'}*"}}, map[string][]string{"s3:prefix": {"xy"}}, true},
		"a quoted star":                     {object{"StringLike": object{"s3:prefix": "${*}"}}, map[string][]string{"s3:prefix": {"*"}}, true},
		"every condition":                   {object{"StringEquals": object{"s3:prefix": "a"}, "Bool": object{"aws:SecureTransport": "false"}}, map[string][]string{"s3:prefix": {"a"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := authority(t, allow("s3:ListBucket", "arn:aws:s3:::b", c.condition))
			err := ask(a, worker(), "s3:ListBucket", "arn:aws:s3:::b", c.keys)
			if c.want {
				assert.NoError(t, err)
			} else {
				assert.Error(t, err)
			}
		})
	}
}

func TestWhatCannotBeEvaluatedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		statement object
		want      string
	}{
		"operator":        {allow("s3:*", "*", object{"StringFits": object{"aws:SourceIp": "x"}}), `the condition operator "StringFits" is not implemented`},
		"effect":          {object{"Effect": "Perhaps", "Action": "s3:*", "Resource": "*"}, `the Effect is "Perhaps"`},
		"no action":       {object{"Effect": "Allow", "Resource": "*"}, "exactly one of Action and NotAction"},
		"no resource":     {object{"Effect": "Allow", "Action": "s3:*"}, "exactly one of Resource and NotResource"},
		"service":         {allow("GetObject", "*", nil), `the action "GetObject" has no service`},
		"resource":        {allow("s3:*", "bucket", nil), `the resource "bucket" is neither * nor an ARN`},
		"principal":       {object{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}, "names no Principal"},
		"misspelt member": {object{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Conditon": object{}}, `"Conditon"`},
		"boolean":         {allow("s3:*", "*", object{"Bool": object{"aws:SecureTransport": "yes"}}), `"yes" is not true or false`},
		"network":         {allow("s3:*", "*", object{"IpAddress": object{"aws:SourceIp": "here"}}), `"here" is neither an address nor a network`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(authority(t), "AWS::IAM::Policy", object{
				"PolicyName": "p", "Roles": []string{"worker"}, "PolicyDocument": object{"Version": "2012-10-17", "Statement": c.statement},
			})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestDenyWins(t *testing.T) {
	a := authority(t, allow("s3:*", "*", nil), object{"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "arn:aws:s3:::vault/*"})
	require.NoError(t, ask(a, worker(), "s3:GetObject", "arn:aws:s3:::vault/a", nil))
	require.NoError(t, ask(a, worker(), "s3:PutObject", "arn:aws:s3:::open/a", nil))
	err := ask(a, worker(), "s3:PutObject", "arn:aws:s3:::vault/a", nil)
	require.EqualError(t, err, "User: arn:aws:sts::123456789012:assumed-role/worker/job is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::vault/a with an explicit deny in an identity-based policy")
	require.Error(t, a.Authorize(iam.Request{Principal: worker(), Action: "s3:PutObject", Resources: []string{"arn:aws:s3:::open/a", "arn:aws:s3:::vault/a"}}),
		"every resource must be allowed")
}

func TestPoliciesOfResources(t *testing.T) {
	const queue = "arn:aws:sqs:eu-west-1:123456789012:q"
	rule := kernel.Principal{ARN: "events.amazonaws.com", Service: "events.amazonaws.com", SourceARN: "arn:aws:events:eu-west-1:123456789012:rule/night"}
	a := authority(t)
	require.EqualError(t, ask(a, rule, "sqs:SendMessage", queue, nil),
		"User: events.amazonaws.com for arn:aws:events:eu-west-1:123456789012:rule/night is not authorized to perform: sqs:SendMessage on resource: "+queue+" because no resource-based policy allows the sqs:SendMessage action")
	require.NoError(t, a.SetResourcePolicy(queue, json.RawMessage(`{"Statement":[
		{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*",
		 "Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:events:eu-west-1:123456789012:rule/night"}}},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/worker"},"Action":"sqs:ReceiveMessage","Resource":"`+queue+`"}]}`)))
	require.NoError(t, ask(a, rule, "sqs:SendMessage", queue, nil))
	rule.SourceARN = "arn:aws:events:eu-west-1:123456789012:rule/day"
	require.Error(t, ask(a, rule, "sqs:SendMessage", queue, nil))
	require.NoError(t, ask(a, worker(), "sqs:ReceiveMessage", queue, nil), "within an account either policy is enough")
	require.Error(t, ask(a, worker(), "sqs:SendMessage", queue, nil))

	require.NoError(t, a.SetResourcePolicy(queue, nil))
	require.Error(t, ask(a, worker(), "sqs:ReceiveMessage", queue, nil))
	require.Error(t, a.SetResourcePolicy(queue, json.RawMessage(`{"Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}`)), "nobody is named")
}

func TestTrust(t *testing.T) {
	a := authority(t)
	p, err := a.Assume("arn:aws:iam::123456789012:role/worker", "lambda.amazonaws.com")
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:sts::123456789012:assumed-role/worker/lambda", p.ARN)
	_, err = a.Assume("worker", "states.amazonaws.com")
	require.ErrorContains(t, err, "trust policy does not admit it")
	_, err = a.AssumeFor("worker", "scheduler.amazonaws.com", "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/night")
	require.NoError(t, err)
	_, err = a.AssumeFor("worker", "scheduler.amazonaws.com", "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/day")
	require.Error(t, err)
	_, err = a.Assume("nobody", "lambda.amazonaws.com")
	require.ErrorContains(t, err, "nobody cannot be found")
}

func TestSessionsEnd(t *testing.T) {
	a := authority(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c, p, err := a.Session("worker", "job", now.Add(time.Hour))
	require.NoError(t, err)
	got, ok := a.Caller(c.AccessKeyID, now)
	assert.True(t, ok)
	assert.Equal(t, p, got)
	_, ok = a.Caller(c.AccessKeyID, now.Add(2*time.Hour))
	assert.False(t, ok)
	_, ok = a.Caller("AKIANOBODY", now)
	assert.False(t, ok)
}

func TestTheEnvironmentOfARole(t *testing.T) {
	env, err := authority(t).Environment("worker")
	require.NoError(t, err)
	text := strings.Join(env, "\n") + "\n"
	for _, want := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:4566\n", "HTTP_PROXY=http://127.0.0.1:4566\n", "TZ=UTC\n", "AWS_EC2_METADATA_DISABLED=true\n"} {
		assert.Contains(t, text, want)
	}
	again, err := authority(t).Environment("worker")
	require.NoError(t, err)
	assert.Equal(t, env, again, "the same keys name the same session")
}

// The outside oracle is versitygw's evaluator, on policies with conditions that
// both know.
func TestAgainstAnotherEvaluator(t *testing.T) {
	actions := []string{"s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject", "*", "s3:?etObject", "S3:getobject"}
	resources := []string{"*", "arn:aws:s3:::a/*", "arn:aws:s3:::a/b", "arn:aws:s3:::*/b", "arn:aws:s3:::a/?", "arn:aws:s3:::${aws:PrincipalAccount}/*"}
	conditions := []object{
		nil,
		{"StringEquals": object{"s3:prefix": "x"}},
		{"StringNotEquals": object{"s3:prefix": []string{"x", "y"}}},
		{"StringLike": object{"s3:prefix": "x*"}},
		{"StringLikeIfExists": object{"s3:prefix": "x*"}},
		{"Null": object{"s3:prefix": "true"}},
		{"ForAllValues:StringEquals": object{"s3:prefix": []string{"x", "y"}}},
		{"ForAnyValue:StringEquals": object{"s3:prefix": []string{"x", "y"}}},
		{"Bool": object{"aws:SecureTransport": "true"}},
		{"NumericGreaterThan": object{"s3:max-keys": "5"}},
		{"ArnLike": object{"aws:PrincipalArn": "arn:aws:iam::*:role/w*"}},
		{"StringEquals": object{"aws:PrincipalAccount": "123456789012"}, "Bool": object{"aws:SecureTransport": "true"}},
	}
	rapid.Check(t, func(t *rapid.T) {
		var statements []object
		for range rapid.IntRange(1, 4).Draw(t, "statements") {
			s := object{
				"Effect": rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect"),
				rapid.SampledFrom([]string{"Action", "Action", "NotAction"}).Draw(t, "a"):       rapid.SliceOfNDistinct(rapid.SampledFrom(actions), 1, 3, rapid.ID).Draw(t, "actions"),
				rapid.SampledFrom([]string{"Resource", "Resource", "NotResource"}).Draw(t, "r"): rapid.SliceOfNDistinct(rapid.SampledFrom(resources), 1, 3, rapid.ID).Draw(t, "resources"),
			}
			if c := rapid.SampledFrom(conditions).Draw(t, "condition"); c != nil {
				s["Condition"] = c
			}
			statements = append(statements, s)
		}
		action := rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "s3:GetObjectTagging"}).Draw(t, "action")
		resource := rapid.SampledFrom([]string{"arn:aws:s3:::a/b", "arn:aws:s3:::a/bc", "arn:aws:s3:::c/b", "arn:aws:s3:::123456789012/b"}).Draw(t, "resource")
		keys := map[string][]string{}
		if v := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "xz"}), 0, 2).Draw(t, "prefix"); len(v) > 0 {
			keys["s3:prefix"] = v
		}
		if v := rapid.SampledFrom([]string{"", "3", "7"}).Draw(t, "max-keys"); v != "" {
			keys["s3:max-keys"] = []string{v}
		}
		theirs := map[string][]string{
			"aws:SecureTransport": {"true"}, "aws:PrincipalArn": {"arn:aws:iam::123456789012:role/worker"}, "aws:PrincipalAccount": {"123456789012"},
		}
		maps.Copy(theirs, keys)
		document, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
		require.NoError(t, err)
		want := policy.EvaluateIdentityPolicies([]types.PolicyEntry{{PolicyDocument: string(document)}},
			policy.RequestContext{Action: action, Resource: resource, Condition: theirs})
		err = ask(authority(t, statements...), worker(), action, resource, keys)
		if (want == policy.DecisionAllow) != (err == nil) {
			t.Fatalf("%s on %s with %v under %s: versitygw says %d, we say %v", action, resource, keys, document, want, err)
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	a := authority(b, allow("s3:GetObject", "arn:aws:s3:::a/*", nil), allow("iotsitewise:BatchPutAssetPropertyValue", "arn:aws:iotsitewise:eu-west-1:123456789012:asset/*", nil))
	p := worker()
	b.ReportAllocs()
	for b.Loop() {
		if err := ask(a, p, "iotsitewise:BatchPutAssetPropertyValue", "arn:aws:iotsitewise:eu-west-1:123456789012:asset/x", nil); err != nil {
			b.Fatal(err)
		}
	}
}
