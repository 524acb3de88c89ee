// Package ssm is the Parameter Store of AWS Systems Manager, as far as
// templates fill it and programs read it.
package ssm

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// pageSize is how many parameters a page of GetParametersByPath has at most.
const pageSize = 10

// A Store holds parameters.
type Store struct {
	identity kernel.Identity
	clock    kernel.Clock

	mu         sync.RWMutex
	parameters map[string]parameter
}

type parameter struct {
	name     string
	kind     string // String or StringList
	value    string
	modified time.Time
}

var (
	_ kernel.Service  = (*Store)(nil)
	_ kernel.Provider = (*Store)(nil)
)

// New returns a store with the given parameters, by name.
func New(identity kernel.Identity, clock kernel.Clock, given map[string]string) *Store {
	s := &Store{identity: identity, clock: clock, parameters: map[string]parameter{}}
	for name, value := range given {
		s.parameters[name] = parameter{name, "String", value, clock.Now()}
	}
	return s
}

// Parameter returns the value of a parameter.
func (s *Store) Parameter(name string) (string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.parameters[name]
	return p.value, ok
}

// Name implements kernel.Service.
func (s *Store) Name() string { return "ssm" }

// Operations implements kernel.Service.
func (s *Store) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"GetParameter":        s.getParameter,
		"GetParameters":       s.getParameters,
		"GetParametersByPath": s.getParametersByPath,
	}
}

// Provides implements kernel.Provider.
func (s *Store) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::SSM::Parameter": s.create,
	}
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

func (s *Store) create(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Name, Type, Value, AllowedPattern    string
		DataType                             string
		Description, Tags, Tier, PolicyTypes template.Ignored
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	name := template.Name(r, p.Name, 1011)
	switch {
	case p.Type != "String" && p.Type != "StringList":
		return kernel.Physical{}, template.Errorf(r, "Type is %q, expected String or StringList", p.Type)
	case len(name) > 1011 || !validName.MatchString(name) || strings.Contains(name[1:], "/") && name[0] != '/':
		return kernel.Physical{}, template.Errorf(r, "Name %q: expected letters, digits and . _ - /, with a leading / if there is any other", name)
	case p.Value == "" || len(p.Value) > 8192:
		return kernel.Physical{}, template.Errorf(r, "Value has %d bytes, expected 1 to 8192", len(p.Value))
	case p.DataType != "" && p.DataType != "text":
		return kernel.Physical{}, template.Errorf(r, "DataType %q is not implemented here", p.DataType)
	}
	if p.AllowedPattern != "" {
		re, err := regexp.Compile(p.AllowedPattern)
		if err != nil {
			return kernel.Physical{}, template.Errorf(r, "AllowedPattern: %w", err)
		}
		if !re.MatchString(p.Value) {
			return kernel.Physical{}, template.Errorf(r, "Value does not match AllowedPattern %s", p.AllowedPattern)
		}
	}
	s.mu.Lock()
	s.parameters[name] = parameter{name, p.Type, p.Value, s.clock.Now()}
	s.mu.Unlock()
	return kernel.Physical{Ref: name, Attributes: map[string]any{"Type": p.Type, "Value": p.Value}}, nil
}

func (s *Store) arn(name string) string {
	return s.identity.ARN("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
}

// describe returns a parameter as the API has it.
func (s *Store) describe(p parameter) map[string]any {
	return map[string]any{
		"Name": p.name, "Type": p.kind, "Value": p.value, "Version": 1, "ARN": s.arn(p.name), "DataType": "text",
		"LastModifiedDate": float64(p.modified.UnixMilli()) / 1000,
	}
}

func (s *Store) getParameter(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Name string }
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	name := s.plain(in.Name)
	if err := c.Authorize("ssm:GetParameter", s.arn(name)); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.parameters[name]
	if !ok {
		return nil, kernel.Errorf(http.StatusBadRequest, "ParameterNotFound", "there is no parameter %s", in.Name)
	}
	return map[string]any{"Parameter": s.describe(p)}, nil
}

// plain returns the name of a parameter given by name or ARN.
func (s *Store) plain(name string) string {
	if rest, ok := strings.CutPrefix(name, s.identity.ARN("ssm", "parameter/")); ok {
		if _, exists := s.Parameter("/" + rest); exists {
			return "/" + rest
		}
		return rest
	}
	return name
}

func (s *Store) getParameters(_ context.Context, c *kernel.Call) (any, error) {
	var in struct{ Names []string }
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	arns := make([]string, len(in.Names))
	for i, name := range in.Names {
		arns[i] = s.arn(s.plain(name))
	}
	if err := c.Authorize("ssm:GetParameters", arns...); err != nil {
		return nil, err
	}
	found, missing := []any{}, []string{}
	for _, name := range in.Names {
		plain := s.plain(name)
		s.mu.RLock()
		p, ok := s.parameters[plain]
		s.mu.RUnlock()
		if ok {
			found = append(found, s.describe(p))
		} else {
			missing = append(missing, name)
		}
	}
	out := map[string]any{"Parameters": found}
	if len(missing) > 0 {
		out["InvalidParameters"] = missing
	}
	return out, nil
}

func (s *Store) getParametersByPath(_ context.Context, c *kernel.Call) (any, error) {
	var in struct {
		Path, NextToken  string
		Recursive        bool
		MaxResults       int
		ParameterFilters []any
	}
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if err := c.Authorize("ssm:GetParametersByPath", s.arn(strings.TrimSuffix(in.Path, "/"))); err != nil {
		return nil, err
	}
	switch {
	case !strings.HasPrefix(in.Path, "/"):
		return nil, kernel.Errorf(http.StatusBadRequest, "ValidationException", "the path %q does not begin with /", in.Path)
	case len(in.ParameterFilters) > 0:
		return nil, kernel.Errorf(http.StatusBadRequest, "NotImplementedException", "the local endpoint does not implement the ParameterFilters of ssm:GetParametersByPath")
	case in.MaxResults == 0:
		in.MaxResults = pageSize
	}
	from := 0
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 {
			return nil, kernel.Errorf(http.StatusBadRequest, "InvalidNextToken", "the token %q is not one of ours", in.NextToken)
		}
	}
	names := s.below(in.Path, in.Recursive)
	out := map[string]any{}
	page := []any{}
	for i := from; i < len(names) && len(page) < in.MaxResults; i++ {
		s.mu.RLock()
		page = append(page, s.describe(s.parameters[names[i]]))
		s.mu.RUnlock()
	}
	if next := from + len(page); next < len(names) {
		out["NextToken"] = strconv.Itoa(next)
	}
	out["Parameters"] = page
	return out, nil
}

// below returns the names under a path, sorted.
func (s *Store) below(path string, recursive bool) []string {
	path = strings.TrimSuffix(path, "/") + "/"
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for name := range s.parameters {
		rest, ok := strings.CutPrefix(name, path)
		if ok && (recursive || !strings.Contains(rest, "/")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
