package apimodel

import (
	"net/url"
	"slices"
	"strings"
)

// A router finds the operation of a rest-json request.
type router struct {
	routes []route // the most literal first
}

type route struct {
	op       *operation
	segments []string   // {label}, {label+} or literal
	query    url.Values // literal parameters of the model's URI
	literals int
}

func newRouter(ops map[string]*operation) *router {
	r := &router{}
	for _, op := range ops {
		path, q, _ := strings.Cut(op.uri, "?")
		rt := route{op: op, segments: split(path)}
		if q != "" {
			rt.query, _ = url.ParseQuery(q) //nolint:errcheck // a model's own literal; a bad one matches nothing
		}
		for _, s := range rt.segments {
			if !strings.HasPrefix(s, "{") {
				rt.literals++
			}
		}
		r.routes = append(r.routes, rt)
	}
	slices.SortFunc(r.routes, func(a, b route) int {
		if d := b.literals - a.literals; d != 0 {
			return d
		}
		if d := len(b.query) - len(a.query); d != 0 {
			return d
		}
		return strings.Compare(a.op.name, b.op.name)
	})
	return r
}

// split cuts a path into segments; a slash at the end makes no difference.
func split(path string) []string {
	return strings.Split(strings.Trim(path, "/"), "/")
}

// find returns the operation of a method and an escaped path, with the labels'
// values, or nil.
func (r *router) find(method, escapedPath string, q url.Values) (*operation, map[string]string) {
	segments := split(escapedPath)
next:
	for _, rt := range r.routes {
		if rt.op.method != method {
			continue
		}
		for name, values := range rt.query {
			if got, ok := q[name]; !ok || (values[0] != "" && !slices.Contains(got, values[0])) {
				continue next
			}
		}
		if labels, ok := rt.match(segments); ok {
			return rt.op, labels
		}
	}
	return nil, nil
}

func (rt *route) match(segments []string) (map[string]string, bool) {
	var labels map[string]string
	for i, want := range rt.segments {
		greedy := strings.HasSuffix(want, "+}")
		if i >= len(segments) || (!greedy && i == len(rt.segments)-1 && len(segments) > len(rt.segments)) {
			return nil, false
		}
		if !strings.HasPrefix(want, "{") {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		got := segments[i]
		if greedy {
			got = strings.Join(segments[i:len(segments)-(len(rt.segments)-1-i)], "/")
		}
		value, err := url.PathUnescape(got)
		if err != nil || value == "" {
			return nil, false
		}
		if labels == nil {
			labels = make(map[string]string, 2)
		}
		labels[strings.Trim(want, "{}+")] = value
		if greedy {
			break // no model has anything but literals, checked above, after a greedy label
		}
	}
	return labels, true
}
