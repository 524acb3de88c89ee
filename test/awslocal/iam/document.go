// Package iam decides who may do what: it holds the roles of the deployed
// templates with their policies, the policies that resources carry, the
// sessions in which roles are played, and a record of what every role used.
//
// It evaluates as AWS does within one account: an explicit Deny wins; otherwise
// an Allow of the identity's or of the resource's policy is enough; otherwise
// the answer is no. A construct that it cannot evaluate is refused when the
// policy is deployed, never skipped.
package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A document is a compiled policy.
type document struct {
	name       string // of the policy, or the ARN of the resource that carries it
	statements []*statement
}

// A statement is one compiled statement of a policy.
type statement struct {
	policy string
	sid    string
	deny   bool

	actions      []string // lower case, with wildcards
	notActions   []string
	resources    []string
	notResources []string
	principals   *principals // nil in an identity's policy
	conditions   []condition

	written []string // actions as written
}

// principals is the Principal (or NotPrincipal) element of a resource's policy.
type principals struct {
	not      bool
	anyone   bool
	aws      []string // ARNs, account ids
	services []string
}

type rawStatement struct {
	Sid          string
	Effect       string
	Action       stringList
	NotAction    stringList
	Resource     stringList
	NotResource  stringList
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Condition    map[string]map[string]stringList
}

// stringList is a string or a list of strings; numbers and booleans in
// conditions are taken as written.
type stringList []string

func (l *stringList) UnmarshalJSON(data []byte) error {
	var many []json.RawMessage
	if err := json.Unmarshal(data, &many); err != nil {
		many = []json.RawMessage{data}
	}
	*l = make(stringList, 0, len(many))
	for _, one := range many {
		var s string
		if err := json.Unmarshal(one, &s); err != nil {
			switch c := bytes.TrimSpace(one); {
			case len(c) > 0 && (c[0] == '{' || c[0] == '['), string(c) == "null":
				return fmt.Errorf("%s is not a string", c)
			default:
				s = string(c)
			}
		}
		*l = append(*l, s)
	}
	return nil
}

// parse compiles a policy document. carried says that the policy belongs to a
// resource, or is a trust policy, and so names principals.
func parse(name string, data []byte, carried bool) (*document, error) {
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict(data, &raw); err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	if raw.Version != "" && raw.Version != "2012-10-17" && raw.Version != "2008-10-17" {
		return nil, fmt.Errorf("policy %s: Version is %q, expected 2012-10-17", name, raw.Version)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw.Statement, &list); err != nil {
		list = []json.RawMessage{raw.Statement}
	}
	d := &document{name: name}
	for i, one := range list {
		var r rawStatement
		if err := strict(one, &r); err != nil {
			return nil, fmt.Errorf("policy %s, statement %d: %w", name, i, err)
		}
		s, err := compile(name, r, carried)
		if err != nil {
			return nil, fmt.Errorf("policy %s, statement %d: %w", name, i, err)
		}
		d.statements = append(d.statements, s)
	}
	return d, nil
}

func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

func compile(policy string, r rawStatement, carried bool) (*statement, error) {
	s := &statement{
		policy: policy, sid: r.Sid, deny: r.Effect == "Deny",
		resources: r.Resource, notResources: r.NotResource, written: slices.Concat(r.Action, r.NotAction),
	}
	if !s.deny && r.Effect != "Allow" {
		return nil, fmt.Errorf("the Effect is %q, expected Allow or Deny", r.Effect)
	}
	if (len(r.Action) == 0) == (len(r.NotAction) == 0) {
		return nil, fmt.Errorf("expected exactly one of Action and NotAction")
	}
	for _, a := range s.written {
		if a != "*" && !strings.Contains(a, ":") {
			return nil, fmt.Errorf("the action %q has no service before a colon", a)
		}
	}
	s.actions, s.notActions = lower(r.Action), lower(r.NotAction)
	if !carried {
		if (len(r.Resource) == 0) == (len(r.NotResource) == 0) {
			return nil, fmt.Errorf("expected exactly one of Resource and NotResource")
		}
		if r.Principal != nil || r.NotPrincipal != nil {
			return nil, fmt.Errorf("the policy of an identity names no Principal")
		}
	} else {
		p, err := compilePrincipals(r)
		if err != nil {
			return nil, err
		}
		s.principals = p
	}
	for _, resource := range slices.Concat(r.Resource, r.NotResource) {
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
			return nil, fmt.Errorf("the resource %q is neither * nor an ARN", resource)
		}
	}
	var err error
	s.conditions, err = compileConditions(r.Condition)
	return s, err
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

func compilePrincipals(r rawStatement) (*principals, error) {
	raw, not := r.Principal, false
	if raw == nil {
		raw, not = r.NotPrincipal, true
	}
	if raw == nil {
		return nil, fmt.Errorf("expected a Principal: the policy belongs to a resource")
	}
	p := &principals{not: not}
	var word string
	if err := json.Unmarshal(raw, &word); err == nil {
		if word != "*" {
			return nil, fmt.Errorf("the Principal %q is neither * nor an object", word)
		}
		p.anyone = true
		return p, nil
	}
	var kinds map[string]stringList
	if err := json.Unmarshal(raw, &kinds); err != nil {
		return nil, fmt.Errorf("read the Principal: %w", err)
	}
	for kind, list := range kinds {
		switch kind {
		case "AWS":
			p.anyone = p.anyone || slices.Contains(list, "*")
			p.aws = list
		case "Service":
			p.services = list
		case "Federated", "CanonicalUser":
			// Nobody signs in this way here: such a principal matches no call.
		default:
			return nil, fmt.Errorf("the Principal's kind %q is not one of AWS, Service, Federated, CanonicalUser", kind)
		}
	}
	return p, nil
}

// matches reports whether the principal element names who calls.
func (p *principals) matches(r *Request, account string) bool {
	return p.names(r, account) != p.not
}

func (p *principals) names(r *Request, account string) bool {
	if p.anyone {
		return true
	}
	if r.Principal.Service != "" {
		return slices.Contains(p.services, r.Principal.Service)
	}
	role := ""
	if r.Principal.Role != "" {
		role = "arn:aws:iam::" + account + ":role/" + r.Principal.Role
	}
	for _, a := range p.aws {
		switch a {
		case account, "arn:aws:iam::" + account + ":root", r.Principal.ARN:
			return true
		case role:
			return role != ""
		}
	}
	return false
}

// glob matches a pattern with * and ? against the whole of s.
func glob(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
