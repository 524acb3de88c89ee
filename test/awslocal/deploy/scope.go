package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/livetwin/livetwin/test/awslocal/assembly"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// scope is what the functions of one stack's template refer to.
type scope struct {
	d          *Deployer
	stack      *assembly.Stack
	stackID    string
	parameters map[string]any

	mu       sync.RWMutex
	physical map[string]kernel.Physical
}

var _ assembly.Scope = (*scope)(nil)

func (d *Deployer) newScope(s *assembly.Stack) (*scope, error) {
	sum := sha256.Sum256([]byte(d.identity.Account + d.identity.Region + s.Name))
	h := hex.EncodeToString(sum[:])
	uuid := strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:32]}, "-")
	sc := &scope{
		d: d, stack: s, stackID: d.identity.ARN("cloudformation", "stack/"+s.Name+"/"+uuid),
		parameters: map[string]any{}, physical: map[string]kernel.Physical{},
	}
	for name, p := range s.Template.Parameters {
		v, err := d.parameter(name, p, s.Parameters)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		sc.parameters[name] = v
	}
	return sc, sc.checkRules()
}

// parameter returns the value of a template's parameter. Lists are []any.
func (d *Deployer) parameter(name string, p assembly.Parameter, given map[string]string) (any, error) {
	value, ok := given[name]
	if !ok {
		if p.Default == nil {
			return nil, fmt.Errorf("it has neither a value nor a default")
		}
		var err error
		if value, err = assembly.Text(p.Default); err != nil {
			return nil, fmt.Errorf("default: %w", err)
		}
	}
	kind := p.Type
	if inner, ok := strings.CutPrefix(kind, "AWS::SSM::Parameter::Value<"); ok {
		stored, found := d.parameters.Parameter(value)
		if !found {
			return nil, fmt.Errorf("the parameter store has no %s", value)
		}
		value, kind = stored, strings.TrimSuffix(inner, ">")
	}
	if len(p.AllowedValues) > 0 && !slices.ContainsFunc(p.AllowedValues, func(a any) bool { t, err := assembly.Text(a); return err == nil && t == value }) {
		return nil, fmt.Errorf("%q is not one of the allowed values %v", value, p.AllowedValues)
	}
	switch {
	case kind == "CommaDelimitedList" || strings.HasPrefix(kind, "List<"):
		var list []any
		for item := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(item))
		}
		return list, nil
	case kind == "Number":
		if json.Unmarshal([]byte(value), new(float64)) != nil {
			return nil, fmt.Errorf("%q is not a number", value)
		}
	}
	return value, nil
}

func (s *scope) checkRules() error {
	for name, r := range s.stack.Template.Rules {
		if r.RuleCondition != nil {
			v, err := assembly.Resolve(r.RuleCondition, s)
			if err != nil {
				return fmt.Errorf("rule %s: %w", name, err)
			}
			if v != true {
				continue
			}
		}
		for _, a := range r.Assertions {
			v, err := assembly.Resolve(a.Assert, s)
			if err != nil {
				return fmt.Errorf("rule %s: %w", name, err)
			}
			if v != true {
				return fmt.Errorf("rule %s: %s", name, a.AssertDescription)
			}
		}
	}
	return nil
}

// wanted returns the resources whose condition holds, each with those it
// depends on.
func (s *scope) wanted() (map[string][]string, error) {
	out := map[string][]string{}
	for id, r := range s.stack.Template.Resources {
		ok, err := s.holds(r.Condition)
		if err != nil {
			return nil, fmt.Errorf("resource %s: %w", id, err)
		}
		if ok {
			out[id] = nil
		}
	}
	for id := range out {
		r := s.stack.Template.Resources[id]
		for _, dep := range r.DependsOn {
			if _, known := s.stack.Template.Resources[dep]; !known {
				return nil, fmt.Errorf("resource %s depends on %s, which the template does not have", id, dep)
			}
		}
		deps := slices.Concat(r.DependsOn, assembly.References(map[string]any(r.Properties)))
		slices.Sort(deps)
		for _, dep := range slices.Compact(deps) {
			if _, ok := out[dep]; ok && dep != id {
				out[id] = append(out[id], dep)
			}
		}
	}
	return out, nil
}

func (s *scope) holds(condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	return s.Condition(condition)
}

// Ref implements assembly.Scope.
func (s *scope) Ref(name string) (any, error) {
	switch name {
	case "AWS::AccountId":
		return s.d.identity.Account, nil
	case "AWS::Region":
		return s.d.identity.Region, nil
	case "AWS::Partition":
		return s.d.identity.Partition, nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::StackName":
		return s.stack.Name, nil
	case "AWS::StackId":
		return s.stackID, nil
	case "AWS::NotificationARNs":
		return []any{}, nil
	case "AWS::NoValue":
		return assembly.NoValue{}, nil
	}
	if v, ok := s.parameters[name]; ok {
		return v, nil
	}
	p, err := s.resource(name)
	return p.Ref, err
}

func (s *scope) resource(id string) (kernel.Physical, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.physical[id]
	if ok {
		return p, nil
	}
	if _, declared := s.stack.Template.Resources[id]; declared {
		return p, fmt.Errorf("the resource %s does not exist: its condition is false", id)
	}
	return p, fmt.Errorf("the template has neither a parameter nor a resource %s", id)
}

// GetAtt implements assembly.Scope. A name with dots is looked up whole first.
func (s *scope) GetAtt(id, attribute string) (any, error) {
	p, err := s.resource(id)
	if err != nil {
		return nil, err
	}
	if v, ok := p.Attributes[attribute]; ok {
		return v, nil
	}
	var v any = p.Attributes
	for part := range strings.SplitSeq(attribute, ".") {
		m, ok := v.(map[string]any)
		if !ok || m[part] == nil {
			return nil, fmt.Errorf("the resource %s (%s) has no attribute %s here", id, s.stack.Template.Resources[id].Type, attribute)
		}
		v = m[part]
	}
	return v, nil
}

// Import implements assembly.Scope.
func (s *scope) Import(name string) (any, error) {
	s.d.mu.RLock()
	defer s.d.mu.RUnlock()
	v, ok := s.d.exports[name]
	if !ok {
		return nil, fmt.Errorf("no stack deployed so far exports %s", name)
	}
	return v, nil
}

// Condition implements assembly.Scope.
func (s *scope) Condition(name string) (bool, error) {
	raw, ok := s.stack.Template.Conditions[name]
	if !ok {
		return false, fmt.Errorf("the template has no condition %s", name)
	}
	v, err := assembly.Resolve(raw, s)
	if err != nil {
		return false, fmt.Errorf("condition %s: %w", name, err)
	}
	yes, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("condition %s is %v, which is neither true nor false", name, v)
	}
	return yes, nil
}

// Mapping implements assembly.Scope.
func (s *scope) Mapping(name, top, second string) (any, error) {
	m, _ := s.stack.Template.Mappings[name].(map[string]any)
	t, _ := m[top].(map[string]any)
	v, ok := t[second]
	if !ok {
		return nil, fmt.Errorf("the mapping %s has no %s.%s", name, top, second)
	}
	return v, nil
}

// Zones implements assembly.Scope: every region has three zones here.
func (s *scope) Zones(region string) ([]any, error) {
	if region == "" {
		region = s.d.identity.Region
	}
	return []any{region + "a", region + "b", region + "c"}, nil
}

// Dynamic implements assembly.Scope.
func (s *scope) Dynamic(service, key string) (string, error) {
	if service != "ssm" {
		return "", fmt.Errorf("references to %s are not implemented here", service)
	}
	name, _, _ := strings.Cut(key, ":") // a version may follow
	v, ok := s.d.parameters.Parameter(name)
	if !ok {
		return "", fmt.Errorf("the parameter store has no %s", name)
	}
	return v, nil
}
