package iam

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// A Request is one action that somebody wants to perform on some resources.
type Request struct {
	Principal  kernel.Principal
	Action     string   // service:Operation
	Resources  []string // ARNs, or * for an action that names none
	Conditions map[string][]string

	// Service, when set, is the AWS service through which the principal calls.
	Service string
}

// Denied is the answer no, in the words that AWS uses.
type Denied struct {
	Principal string
	Action    string
	Resource  string
	Reason    string
}

func (d *Denied) Error() string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", d.Principal, d.Action, d.Resource, d.Reason)
}

type verdict int

const (
	noMatch verdict = iota
	allowed
	denied
)

// applies reports whether the statement is about this action on this resource
// by this principal; index is that of the action entry that matched.
func (s *statement) applies(r *Request, action, resource, account string, keys map[string][]string) (index int, ok bool) {
	if s.principals != nil && !s.principals.matches(r, account) {
		return 0, false
	}
	if len(s.actions) > 0 {
		index = slices.IndexFunc(s.actions, func(p string) bool { return glob(p, action) })
		if index < 0 {
			return 0, false
		}
	} else if slices.ContainsFunc(s.notActions, func(p string) bool { return glob(p, action) }) {
		return 0, false
	}
	matches := func(p string) bool { return glob(substitute(p, keys), resource) }
	if len(s.resources) > 0 && !slices.ContainsFunc(s.resources, matches) {
		return 0, false
	}
	if len(s.notResources) > 0 && slices.ContainsFunc(s.notResources, matches) {
		return 0, false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(keys) {
			return 0, false
		}
	}
	return index, true
}

// use is the action entry of a statement that allowed a call.
type use struct {
	statement *statement
	index     int
}

func evaluate(documents []*document, r *Request, resource, account string, keys map[string][]string) (verdict, []use) {
	action := strings.ToLower(r.Action)
	result := noMatch
	var uses []use
	for _, d := range documents {
		for _, s := range d.statements {
			index, ok := s.applies(r, action, resource, account, keys)
			if !ok {
				continue
			}
			uses = append(uses, use{s, index})
			if s.deny {
				return denied, uses
			}
			result = allowed
		}
	}
	return result, uses
}

// keys are the condition keys of a request, lower case: the global ones and
// those that the operation adds. Every call counts as made over TLS: the
// endpoint listens on the loopback interface only, where AWS has TLS.
func (a *Authority) keys(r *Request) map[string][]string {
	now := time.Now().UTC()
	k := map[string][]string{
		"aws:currenttime":           {now.Format(time.RFC3339)},
		"aws:epochtime":             {strconv.FormatInt(now.Unix(), 10)},
		"aws:securetransport":       {"true"},
		"aws:sourceip":              {"127.0.0.1"},
		"aws:requestedregion":       {a.identity.Region},
		"aws:resourceaccount":       {a.identity.Account},
		"aws:principalisawsservice": {strconv.FormatBool(r.Principal.Service != "")},
		"aws:viaawsservice":         {"false"},
	}
	if r.Principal.Service != "" {
		k["aws:principalservicename"] = []string{r.Principal.Service}
		k["aws:sourceaccount"] = []string{a.identity.Account}
		if r.Principal.SourceARN != "" {
			k["aws:sourcearn"] = []string{r.Principal.SourceARN}
		}
	} else {
		k["aws:principalarn"] = []string{r.Principal.ARN}
		k["aws:principalaccount"] = []string{a.identity.Account}
		k["aws:principaltype"] = []string{"User"}
		if r.Principal.Role != "" {
			k["aws:principalarn"] = []string{a.roleARN(r.Principal.Role)}
			k["aws:principaltype"] = []string{"AssumedRole"}
			k["aws:userid"] = []string{"AROA:" + r.Principal.ARN[strings.LastIndexByte(r.Principal.ARN, '/')+1:]}
		} else if _, name, ok := strings.Cut(r.Principal.ARN, ":user/"); ok {
			k["aws:username"] = []string{name}
		}
	}
	for key, values := range r.Conditions {
		k[strings.ToLower(key)] = values
	}
	return k
}

// Authorize decides whether the principal may perform the action on every one
// of the resources, records the decision, and returns a *Denied if not. The
// operator may do whatever no policy of a resource denies.
func (a *Authority) Authorize(r Request) error {
	keys := a.keys(&r)
	if len(r.Resources) == 0 {
		r.Resources = []string{"*"}
	}
	a.mu.RLock()
	role := a.roles[r.Principal.Role]
	a.mu.RUnlock()
	for _, resource := range r.Resources {
		reason, uses := a.decide(&r, role, resource, keys)
		a.usage.record(&r, resource, reason == "", uses)
		if reason != "" {
			who := r.Principal.ARN
			if r.Principal.Service != "" {
				who = r.Principal.Service
				if r.Principal.SourceARN != "" {
					who += " for " + r.Principal.SourceARN
				}
			}
			return &Denied{Principal: who, Action: r.Action, Resource: resource, Reason: reason}
		}
	}
	return nil
}

// decide returns why not, or an empty reason.
func (a *Authority) decide(r *Request, role *role, resource string, keys map[string][]string) (reason string, uses []use) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	carried, carriedUses := noMatch, []use(nil)
	if d := a.carriedBy(resource); d != nil {
		carried, carriedUses = evaluate([]*document{d}, r, resource, a.identity.Account, keys)
	}
	if carried == denied {
		return "with an explicit deny in a resource-based policy", carriedUses
	}
	switch {
	case r.Principal.Service != "":
		if carried == allowed {
			return "", carriedUses
		}
		return "because no resource-based policy allows the " + r.Action + " action", nil
	case r.Principal.Role == "":
		return "", nil
	case role == nil:
		return "because its role is not deployed", nil
	}
	identity, identityUses := evaluate(slices.Collect(maps.Values(role.policies)), r, resource, a.identity.Account, keys)
	switch {
	case identity == denied:
		return "with an explicit deny in an identity-based policy", identityUses
	case identity == allowed || carried == allowed:
		return "", identityUses
	}
	return "because no identity-based policy allows the " + r.Action + " action", nil
}

// carriedBy returns the policy of the resource, or of the bucket or function
// that the resource is a part of.
func (a *Authority) carriedBy(resource string) *document {
	if d, ok := a.carried[resource]; ok {
		return d
	}
	if strings.HasPrefix(resource, "arn:aws:s3:::") {
		bucket, _, _ := strings.Cut(resource, "/")
		return a.carried[bucket]
	}
	if parts := strings.Split(resource, ":"); len(parts) == 8 && parts[2] == "lambda" {
		return a.carried[strings.Join(parts[:7], ":")]
	}
	return nil
}
