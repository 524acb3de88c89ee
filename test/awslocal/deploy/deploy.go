// Package deploy creates the resources of an assembly's stacks in the order of
// their dependencies, as CloudFormation does, through the providers of the
// services. What it does not know it refuses by name.
package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/assembly"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// parallel is how many resources of a stack are created at the same time.
const parallel = 16

// create makes one resource.
type create = func(context.Context, *kernel.Resource) (kernel.Physical, error)

// Parameters reads parameters of the store that templates name in their own
// parameters and in {{resolve:ssm:…}}.
type Parameters interface {
	// Parameter returns the value of a parameter, and whether it exists.
	Parameter(name string) (string, bool)
}

// A Deployer deploys stacks.
type Deployer struct {
	identity   kernel.Identity
	providers  map[string]create
	custom     create
	parameters Parameters

	mu      sync.RWMutex
	exports map[string]any
	stacks  []Stack
}

// A Stack is a deployed stack.
type Stack struct {
	Name      string
	ID        string // ARN
	Resources []DeployedResource
	Inert     map[string]int // resources that do nothing locally, by type
	Outputs   map[string]Output
	Took      time.Duration // wall time
	Created   time.Time     // wall time
}

// A DeployedResource is what became of a resource.
type DeployedResource struct {
	LogicalID string
	Type      string
	Physical  kernel.Physical
}

// An Output is an output's value.
type Output struct {
	Value       string
	Description string
	Export      string
}

// New returns a deployer. custom creates resources of type Custom::* and
// AWS::CloudFormation::CustomResource. Two providers for one type are an error.
func New(identity kernel.Identity, providers []kernel.Provider, custom create, parameters Parameters) (*Deployer, error) {
	d := &Deployer{
		identity: identity, providers: map[string]create{}, custom: custom,
		parameters: parameters, exports: map[string]any{},
	}
	for _, p := range providers {
		for name, f := range p.Provides() {
			if _, ok := d.providers[name]; ok {
				return nil, fmt.Errorf("two providers create %s", name)
			}
			if _, ok := inert[name]; ok {
				return nil, fmt.Errorf("%s has a provider and is in the list of types that do nothing", name)
			}
			d.providers[name] = f
		}
	}
	return d, nil
}

// provider returns what creates resources of a type.
func (d *Deployer) provider(name string) (f create, idle, ok bool) {
	if f, ok = d.providers[name]; ok {
		return f, false, true
	}
	if strings.HasPrefix(name, "Custom::") || name == "AWS::CloudFormation::CustomResource" {
		return d.custom, false, true
	}
	if kind, found := inert[name]; found {
		return kind.create(d.identity), true, true
	}
	return nil, false, false
}

// Check refuses an assembly with a resource type that nobody provides, before
// anything is created: it names every such resource.
func (d *Deployer) Check(a *assembly.Assembly) error {
	var problems []error
	for _, stack := range a.Stacks {
		for _, id := range stack.Template.IDs() {
			r := stack.Template.Resources[id]
			if _, _, ok := d.provider(r.Type); !ok {
				problems = append(problems, fmt.Errorf("stack %s: resource %s has the type %s, which the local endpoint does not have", stack.Name, id, r.Type))
			}
		}
	}
	if len(problems) > 0 {
		problems = append(problems, errors.New("implement a provider, or add the type with its reason to the list of types that do nothing locally (deploy/inert.go)"))
	}
	return errors.Join(problems...)
}

// Deploy creates all stacks of the assembly, one after the other.
func (d *Deployer) Deploy(ctx context.Context, a *assembly.Assembly) ([]Stack, error) {
	if err := d.Check(a); err != nil {
		return nil, err
	}
	for _, s := range a.Stacks {
		out, err := d.deploy(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("deploy stack %s: %w", s.Name, err)
		}
		d.mu.Lock()
		d.stacks = append(d.stacks, out)
		d.mu.Unlock()
	}
	return d.Stacks(), nil
}

// Stacks returns the stacks deployed so far.
func (d *Deployer) Stacks() []Stack {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.stacks)
}

func (d *Deployer) deploy(ctx context.Context, s *assembly.Stack) (Stack, error) {
	start := time.Now()
	sc, err := d.newScope(s)
	if err != nil {
		return Stack{}, err
	}
	wanted, err := sc.wanted()
	if err != nil {
		return Stack{}, err
	}
	if err := circle(wanted); err != nil {
		return Stack{}, err
	}
	out := Stack{Name: s.Name, ID: sc.stackID, Inert: map[string]int{}, Created: start}
	if err := d.createAll(ctx, sc, wanted); err != nil {
		return Stack{}, err
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		r := s.Template.Resources[id]
		if _, idle, _ := d.provider(r.Type); idle {
			out.Inert[r.Type]++
		}
		out.Resources = append(out.Resources, DeployedResource{id, r.Type, sc.physical[id]})
	}
	if out.Outputs, err = d.outputs(sc); err != nil {
		return Stack{}, err
	}
	out.Took = time.Since(start)
	return out, nil
}

// createAll creates the wanted resources, each as soon as those it depends on
// exist. The first error stops the rest.
func (d *Deployer) createAll(parent context.Context, sc *scope, wanted map[string][]string) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	done := map[string]chan struct{}{}
	for id := range wanted {
		done[id] = make(chan struct{})
	}
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for id, dependencies := range wanted {
		wg.Go(func() {
			for _, dep := range dependencies {
				select {
				case <-done[dep]:
				case <-ctx.Done():
					return
				}
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return
			}
			if err := d.createOne(ctx, sc, id); err != nil {
				cancel(err)
				return
			}
			close(done[id])
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (d *Deployer) createOne(ctx context.Context, sc *scope, id string) error {
	raw := sc.stack.Template.Resources[id]
	name := fmt.Sprintf("%s/%s (%s)", sc.stack.Name, id, raw.Type)
	resolved, err := assembly.Resolve(map[string]any(raw.Properties), sc)
	if err != nil {
		return fmt.Errorf("%s: Properties: %w", name, err)
	}
	properties, err := json.Marshal(resolved)
	if err != nil {
		return fmt.Errorf("%s: Properties: %w", name, err)
	}
	if resolved == nil || raw.Properties == nil {
		properties = []byte("{}")
	}
	f, _, _ := d.provider(raw.Type)
	physical, err := f(ctx, &kernel.Resource{
		Stack: sc.stack.Name, LogicalID: id, Type: raw.Type, Properties: properties, Assembly: sc.stack.Dir,
	})
	switch {
	case err == nil:
	case strings.HasPrefix(err.Error(), sc.stack.Name+"/"+id):
		return err
	default:
		return fmt.Errorf("%s: %w", name, err)
	}
	sc.mu.Lock()
	sc.physical[id] = physical
	sc.mu.Unlock()
	return nil
}

func (d *Deployer) outputs(sc *scope) (map[string]Output, error) {
	out := map[string]Output{}
	for name, o := range sc.stack.Template.Outputs {
		if ok, err := sc.holds(o.Condition); err != nil || !ok {
			if err != nil {
				return nil, fmt.Errorf("output %s: %w", name, err)
			}
			continue
		}
		v, err := assembly.Resolve(o.Value, sc)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		result := Output{Description: o.Description}
		if result.Value, err = assembly.Text(v); err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		if export, ok := o.Export["Name"]; ok {
			e, err := assembly.Resolve(export, sc)
			if err != nil {
				return nil, fmt.Errorf("export of output %s: %w", name, err)
			}
			if result.Export, err = assembly.Text(e); err != nil {
				return nil, fmt.Errorf("export of output %s: %w", name, err)
			}
			d.mu.Lock()
			_, taken := d.exports[result.Export]
			d.exports[result.Export] = result.Value
			d.mu.Unlock()
			if taken {
				return nil, fmt.Errorf("output %s: another stack exports %s already", name, result.Export)
			}
		}
		out[name] = result
	}
	return out, nil
}

// circle reports resources that depend on each other.
func circle(graph map[string][]string) error {
	left := maps.Clone(graph)
	for len(left) > 0 {
		progress := false
		for id, deps := range left {
			if !slices.ContainsFunc(deps, func(dep string) bool { _, waits := left[dep]; return waits }) {
				delete(left, id)
				progress = true
			}
		}
		if !progress {
			return fmt.Errorf("circular dependency between resources: %s", strings.Join(slices.Sorted(maps.Keys(left)), ", "))
		}
	}
	return nil
}
