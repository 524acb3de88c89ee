package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/assembly"
	"github.com/livetwin/livetwin/test/awslocal/deploy"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

var identity = kernel.Identity{Account: "123456789012", Region: "eu-west-1", Partition: "aws", Endpoint: "http://127.0.0.1:4566"}

type object = map[string]any

// made provides Test::Thing and remembers what was created in which order.
type made struct {
	mu    sync.Mutex
	order []string
	seen  map[string]object
}

func (m *made) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"Test::Thing": func(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
			var p object
			if err := r.Decode(&p); err != nil {
				return kernel.Physical{}, err
			}
			if p["Fail"] != nil {
				return kernel.Physical{}, fmt.Errorf("%v", p["Fail"])
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.order = append(m.order, r.LogicalID)
			m.seen[r.LogicalID] = p
			return kernel.Physical{Ref: "ref of " + r.LogicalID, Attributes: object{"Arn": "arn of " + r.LogicalID, "A": object{"B": 7}}}, nil
		},
	}
}

type parameters map[string]string

func (p parameters) Parameter(name string) (string, bool) {
	v, ok := p[name]
	return v, ok
}

func run(t require.TestingT, dir string, templates ...object) (*made, []deploy.Stack, error) {
	m := &made{seen: map[string]object{}}
	artifacts := object{}
	for i, template := range templates {
		name := fmt.Sprintf("s%d", i)
		var before []string
		if i > 0 {
			before = []string{fmt.Sprintf("s%d", i-1)}
		}
		artifacts[name] = object{
			"type": "aws:cloudformation:stack", "environment": "aws://123456789012/eu-west-1",
			"properties": object{"templateFile": name + ".json"}, "dependencies": before,
		}
		data, err := json.Marshal(template)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".json"), data, 0o600))
	}
	data, err := json.Marshal(object{"artifacts": artifacts})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.json"), data, 0o600))
	a, err := assembly.Load(dir)
	require.NoError(t, err)
	custom := func(context.Context, *kernel.Resource) (kernel.Physical, error) {
		return kernel.Physical{}, errors.New("no custom resources here")
	}
	d, err := deploy.New(identity, []kernel.Provider{m}, custom, parameters{"/p": "stored"})
	require.NoError(t, err)
	stacks, err := d.Deploy(context.Background(), a)
	return m, stacks, err
}

func thing(properties object, more ...object) object {
	r := object{"Type": "Test::Thing", "Properties": properties}
	for _, m := range more {
		maps.Copy(r, m)
	}
	return r
}

// Whatever a template's resources depend on exists before them.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(rt, "resources")
		resources := object{}
		depends := map[string][]string{}
		for i := range n {
			id := fmt.Sprintf("R%d", i)
			properties, dependsOn := object{}, []string{}
			for j := range i {
				target := fmt.Sprintf("R%d", j)
				switch rapid.IntRange(0, 12).Draw(rt, "edge") {
				case 0:
					properties["ref"+target] = object{"Ref": target}
				case 1:
					properties["att"+target] = []any{object{"Fn::GetAtt": []string{target, "Arn"}}}
				case 2:
					properties["sub"+target] = object{"Fn::Sub": "x${" + target + ".Arn}"}
				case 3:
					dependsOn = append(dependsOn, target)
				default:
					continue
				}
				depends[id] = append(depends[id], target)
			}
			resources[id] = thing(properties, object{"DependsOn": dependsOn})
		}
		m, stacks, err := run(rt, dir, object{"Resources": resources})
		require.NoError(rt, err)
		require.Len(rt, stacks[0].Resources, n)
		position := map[string]int{}
		for i, id := range m.order {
			position[id] = i
		}
		for id, targets := range depends {
			for _, target := range targets {
				require.Less(rt, position[target], position[id])
			}
		}
	})
}

func TestValues(t *testing.T) {
	m, stacks, err := run(t, t.TempDir(), object{
		"Resources": object{"A": thing(object{})},
		"Outputs":   object{"Arn": object{"Value": object{"Fn::GetAtt": []string{"A", "Arn"}}, "Export": object{"Name": "a:arn"}}},
	}, object{
		"Parameters": object{
			"Stored": object{"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/p"},
			"List":   object{"Type": "CommaDelimitedList", "Default": "x, y"},
		},
		"Mappings":   object{"M": object{"eu-west-1": object{"k": "mapped"}}},
		"Conditions": object{"Off": object{"Fn::Equals": []string{"a", "b"}}},
		"Resources": object{
			"B": thing(object{
				"Imported": object{"Fn::ImportValue": "a:arn"}, "Stored": object{"Ref": "Stored"}, "List": object{"Fn::Select": []any{1, object{"Ref": "List"}}},
				"Region": object{"Fn::FindInMap": []any{"M", object{"Ref": "AWS::Region"}, "k"}}, "Stack": object{"Ref": "AWS::StackName"},
				"Zone": object{"Fn::Select": []any{2, object{"Fn::GetAZs": ""}}}, "Dynamic": "{{resolve:ssm:/p:3}}",
			}),
			"Absent": thing(object{}, object{"Condition": "Off"}),
			"C":      thing(object{"Deep": object{"Fn::GetAtt": []string{"B", "A.B"}}}, object{"DependsOn": []string{"Absent"}}),
			"Alarm":  object{"Type": "AWS::CloudWatch::Alarm"},
			"Group":  object{"Type": "AWS::Logs::LogGroup", "Properties": object{"LogGroupName": "/g"}},
			"D":      thing(object{"Log": object{"Fn::GetAtt": []string{"Group", "Arn"}}}),
		},
	})
	require.NoError(t, err)
	assert.Equal(t, object{
		"Imported": "arn of A", "Stored": "stored", "List": "y", "Region": "mapped", "Stack": "s1", "Zone": "eu-west-1c", "Dynamic": "stored",
	}, m.seen["B"])
	assert.Equal(t, object{"Deep": 7.0}, m.seen["C"])
	assert.Equal(t, "arn:aws:logs:eu-west-1:123456789012:log-group:/g:*", m.seen["D"]["Log"])
	assert.NotContains(t, m.seen, "Absent")
	assert.Equal(t, map[string]int{"AWS::CloudWatch::Alarm": 1, "AWS::Logs::LogGroup": 1}, stacks[1].Inert)
	assert.Equal(t, deploy.Output{Value: "arn of A", Export: "a:arn"}, stacks[0].Outputs["Arn"])
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		template object
		want     string
	}{
		"provider": {object{"Resources": object{"A": thing(object{"Fail": "the disk is full"})}}, "deploy stack s0: s0/A (Test::Thing): the disk is full"},
		"own prefix stands once": {
			object{"Resources": object{"A": thing(object{"Fail": "s0/A (Test::Thing): full"})}}, "deploy stack s0: s0/A (Test::Thing): full",
		},
		"self":          {object{"Resources": object{"A": thing(object{"X": object{"Ref": "B"}}), "B": thing(object{"X": object{"Ref": "A"}})}}, "circular dependency between resources: A, B"},
		"DependsOn":     {object{"Resources": object{"A": thing(object{}, object{"DependsOn": "Nobody"})}}, "resource A depends on Nobody"},
		"no value":      {object{"Parameters": object{"P": object{"Type": "String"}}, "Resources": object{}}, "parameter P: it has neither a value nor a default"},
		"not stored":    {object{"Parameters": object{"P": object{"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/q"}}}, "parameter P: the parameter store has no /q"},
		"not allowed":   {object{"Parameters": object{"P": object{"Type": "String", "Default": "c", "AllowedValues": []string{"a", "b"}}}}, `parameter P: "c" is not one of`},
		"rule":          {object{"Rules": object{"R": object{"Assertions": []object{{"Assert": object{"Fn::Equals": []string{"a", "b"}}, "AssertDescription": "a is b"}}}}}, "rule R: a is b"},
		"condition":     {object{"Resources": object{"A": thing(object{}, object{"Condition": "Maybe"})}}, "resource A: the template has no condition Maybe"},
		"output":        {object{"Outputs": object{"O": object{"Value": object{"Ref": "Nobody"}}}}, "output O: Ref:"},
		"unknown types": {object{"Resources": object{"A": object{"Type": "AWS::Moon::Base"}, "B": object{"Type": "AWS::Mars::Rover"}}}, "stack s0: resource A has the type AWS::Moon::Base"},
		"secret":        {object{"Resources": object{"A": thing(object{"X": "{{resolve:secretsmanager:s}}"})}}, "references to secretsmanager are not implemented"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := run(t, t.TempDir(), c.template)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, 1, strings.Count(err.Error(), c.want))
		})
	}
}

func TestTwoStacksDoNotExportTheSameName(t *testing.T) {
	one := object{"Outputs": object{"O": object{"Value": "v", "Export": object{"Name": "n"}}}}
	_, _, err := run(t, t.TempDir(), one, one)
	require.ErrorContains(t, err, "another stack exports n already")
}
