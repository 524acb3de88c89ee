package iam

import (
	"cmp"
	"slices"
	"sync"
)

// maxSamples is how many different resources of one action are remembered in
// the list of used permissions; the denied ones are all remembered.
const maxSamples = 5

// Usage is what the roles of the deployed templates used of what they may.
type Usage struct {
	Unused []UnusedAction `json:"unused"`
	Denied []DeniedCall   `json:"denied"`
	Used   []UsedAction   `json:"used"`
}

// An UnusedAction is an action that a role's policy allows and no call needed.
type UnusedAction struct {
	Role      string   `json:"role"`
	Action    string   `json:"action"` // as written in the policy, wildcards included
	Policy    string   `json:"policy"`
	SID       string   `json:"sid,omitempty"`
	Resources []string `json:"resources"`
}

// A DeniedCall counts the refused calls of a role (or service, or user) for an
// action on a resource.
type DeniedCall struct {
	Role     string `json:"role"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Reason   string `json:"reason"`
	Count    int    `json:"count"`
}

// A UsedAction counts the permitted calls of a role for an action.
type UsedAction struct {
	Role      string   `json:"role"`
	Action    string   `json:"action"`
	Resources []string `json:"resources"` // up to five of them
	Count     int      `json:"count"`
}

// usage records decisions.
type usage struct {
	mu     sync.Mutex
	used   map[[2]string]*UsedAction   // role, action
	denied map[[3]string]*DeniedCall   // role, action, resource
	hits   map[*statement]map[int]bool // action entries of statements that allowed something
}

func newUsage() *usage {
	return &usage{
		used:   map[[2]string]*UsedAction{},
		denied: map[[3]string]*DeniedCall{},
		hits:   map[*statement]map[int]bool{},
	}
}

func (u *usage) record(r *Request, resource string, ok bool, uses []use) {
	who := r.Principal.Role
	if who == "" {
		who = cmp.Or(r.Principal.Service, r.Principal.ARN)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !ok {
		key := [3]string{who, r.Action, resource}
		d := u.denied[key]
		if d == nil {
			d = &DeniedCall{Role: who, Action: r.Action, Resource: resource}
			u.denied[key] = d
		}
		d.Count++
		d.Reason = "not allowed"
		if len(uses) > 0 {
			d.Reason = "explicit deny in " + uses[len(uses)-1].statement.policy
		}
		return
	}
	for _, use := range uses {
		if u.hits[use.statement] == nil {
			u.hits[use.statement] = map[int]bool{}
		}
		u.hits[use.statement][use.index] = true
	}
	key := [2]string{who, r.Action}
	a := u.used[key]
	if a == nil {
		a = &UsedAction{Role: who, Action: r.Action}
		u.used[key] = a
	}
	a.Count++
	if len(a.Resources) < maxSamples && !slices.Contains(a.Resources, resource) {
		a.Resources = append(a.Resources, resource)
	}
}

// Usage reports what was used so far, sorted by role and action.
func (a *Authority) Usage() Usage {
	a.mu.RLock()
	defer a.mu.RUnlock()
	a.usage.mu.Lock()
	defer a.usage.mu.Unlock()
	out := Usage{Unused: []UnusedAction{}, Denied: []DeniedCall{}, Used: []UsedAction{}}
	for name, role := range a.roles {
		for _, d := range role.policies {
			for _, s := range d.statements {
				out.Unused = append(out.Unused, a.usage.unused(name, d, s)...)
			}
		}
	}
	for _, d := range a.usage.denied {
		out.Denied = append(out.Denied, *d)
	}
	for _, u := range a.usage.used {
		one := *u
		one.Resources = slices.Sorted(slices.Values(u.Resources))
		out.Used = append(out.Used, one)
	}
	slices.SortFunc(out.Unused, func(x, y UnusedAction) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Policy, y.Policy), slices.Compare(x.Resources, y.Resources))
	})
	slices.SortFunc(out.Denied, func(x, y DeniedCall) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Resource, y.Resource))
	})
	slices.SortFunc(out.Used, func(x, y UsedAction) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.Action, y.Action))
	})
	return out
}

func (u *usage) unused(role string, d *document, s *statement) []UnusedAction {
	if s.deny {
		return nil
	}
	var out []UnusedAction
	for i, action := range s.written {
		if u.hits[s][i] {
			continue
		}
		if len(s.notActions) > 0 {
			action = "everything but " + action
		}
		out = append(out, UnusedAction{
			Role: role, Action: action, Policy: d.name, SID: s.sid,
			Resources: slices.Concat(s.resources, s.notResources),
		})
	}
	return out
}
