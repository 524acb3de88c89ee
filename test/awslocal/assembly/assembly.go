// Package assembly reads a cloud assembly, the folder cdk.out that `cdk synth`
// writes: its stacks in the order of their dependencies, their templates and
// the assets they need. It knows the formats of the CDK (cloud-assembly-schema)
// and of CloudFormation, and nothing of what resources mean.
package assembly

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Unknown is what the CDK writes for an environment that is not set.
const (
	unknownAccount = "unknown-account"
	unknownRegion  = "unknown-region"
	// DefaultAccount and DefaultRegion stand in for an environment that the
	// assembly leaves open.
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
)

// An Assembly is a loaded cdk.out.
type Assembly struct {
	Dir     string
	Account string // 12 digits
	Region  string
	Stacks  []*Stack // every stack after those it depends on
	Assets  []Asset
}

// A Stack is one stack of the assembly.
type Stack struct {
	Name       string // CloudFormation's
	Artifact   string // the CDK's id of it
	Dir        string // folder of the template and the asset manifests
	Template   *Template
	Parameters map[string]string // values given by the CDK
}

// An Asset is a file or folder that `cdk deploy` uploads to a bucket.
type Asset struct {
	Hash   string
	Path   string // absolute
	Zip    bool   // a folder that is uploaded as one zip file
	Bucket string
	Key    string
}

type manifest struct {
	Version   string
	Artifacts map[string]artifact
}

type artifact struct {
	Type         string
	Environment  string
	Dependencies []string
	DisplayName  string
	Properties   struct {
		TemplateFile  string
		StackName     string
		Parameters    map[string]string
		File          string // of an asset manifest
		DirectoryName string // of a nested assembly
	}
}

// Load reads the assembly in dir, nested assemblies (stages) included.
func Load(dir string) (*Assembly, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("load the assembly %s: %w", dir, err)
	}
	l := &loader{artifacts: map[string]*node{}}
	if err := l.folder(abs, ""); err != nil {
		return nil, fmt.Errorf("load the assembly %s: %w", dir, err)
	}
	a := &Assembly{Dir: abs, Account: l.account, Region: l.region}
	if a.Account == "" {
		a.Account = DefaultAccount
	}
	if a.Region == "" {
		a.Region = DefaultRegion
	}
	if a.Stacks, err = l.order(); err != nil {
		return nil, fmt.Errorf("load the assembly %s: %w", dir, err)
	}
	if len(a.Stacks) == 0 {
		return nil, fmt.Errorf("load the assembly %s: manifest.json names no stack", dir)
	}
	for _, m := range l.manifests {
		assets, err := readAssets(m, a)
		if err != nil {
			return nil, err
		}
		for _, asset := range assets {
			if !slices.ContainsFunc(a.Assets, func(b Asset) bool { return b.Bucket == asset.Bucket && b.Key == asset.Key }) {
				a.Assets = append(a.Assets, asset)
			}
		}
	}
	return a, nil
}

type node struct {
	id           string
	dependencies []string
	stack        *Stack
}

type loader struct {
	account, region string
	artifacts       map[string]*node // by folder and id
	ids             []string
	manifests       []string
}

func (l *loader) folder(dir, parent string) error {
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json")) //nolint:gosec // the assembly that is asked for
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no manifest.json: expected the output folder of cdk synth", dir)
	}
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%s/manifest.json: %w", dir, err)
	}
	names := make([]string, 0, len(m.Artifacts))
	for name := range m.Artifacts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		art := m.Artifacts[name]
		id := parent + name
		switch art.Type {
		case "cdk:cloud-assembly":
			if err := l.folder(filepath.Join(dir, art.Properties.DirectoryName), id+"/"); err != nil {
				return err
			}
		case "cdk:asset-manifest":
			l.manifests = append(l.manifests, filepath.Join(dir, art.Properties.File))
		case "aws:cloudformation:stack":
			stack, err := l.stack(dir, name, art)
			if err != nil {
				return err
			}
			n := &node{id: id, stack: stack}
			for _, d := range art.Dependencies {
				n.dependencies = append(n.dependencies, parent+d)
			}
			l.artifacts[id] = n
			l.ids = append(l.ids, id)
		}
	}
	return nil
}

func (l *loader) stack(dir, name string, art artifact) (*Stack, error) {
	account, region, ok := strings.Cut(strings.TrimPrefix(art.Environment, "aws://"), "/")
	if !ok {
		return nil, fmt.Errorf("%s/manifest.json: stack %s: the environment %q is not aws://ACCOUNT/REGION", dir, name, art.Environment)
	}
	for _, e := range []struct {
		what, value, unknown string
		have                 *string
	}{{"account", account, unknownAccount, &l.account}, {"region", region, unknownRegion, &l.region}} {
		switch {
		case e.value == e.unknown:
		case *e.have == "":
			*e.have = e.value
		case *e.have != e.value:
			return nil, fmt.Errorf("stack %s is for the %s %s, another one for %s: the endpoint is one account in one region", name, e.what, e.value, *e.have)
		}
	}
	file := filepath.Join(dir, art.Properties.TemplateFile)
	data, err := os.ReadFile(file) //nolint:gosec // a file of the assembly
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", name, err)
	}
	t, err := ParseTemplate(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	s := &Stack{Name: art.Properties.StackName, Artifact: name, Dir: dir, Template: t, Parameters: art.Properties.Parameters}
	if s.Name == "" {
		s.Name = name
	}
	return s, nil
}

// order sorts the stacks topologically, by id where the order is free.
func (l *loader) order() ([]*Stack, error) {
	var out []*Stack
	const (
		visiting = 1
		done     = 2
	)
	state := map[string]int{}
	var visit func(id string) error
	visit = func(id string) error {
		n, ok := l.artifacts[id]
		if !ok || state[id] == done {
			return nil // an asset manifest, or placed already
		}
		if state[id] == visiting {
			return fmt.Errorf("the stacks depend on each other in a circle, %s among them", id)
		}
		state[id] = visiting
		for _, d := range n.dependencies {
			if err := visit(d); err != nil {
				return err
			}
		}
		state[id] = done
		out = append(out, n.stack)
		return nil
	}
	for _, id := range l.ids {
		if err := visit(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readAssets(file string, a *Assembly) ([]Asset, error) {
	data, err := os.ReadFile(file) //nolint:gosec // a file of the assembly
	if err != nil {
		return nil, fmt.Errorf("read the assets: %w", err)
	}
	data = bytes.ReplaceAll(data, []byte("${AWS::AccountId}"), []byte(a.Account))
	data = bytes.ReplaceAll(data, []byte("${AWS::Region}"), []byte(a.Region))
	data = bytes.ReplaceAll(data, []byte("${AWS::Partition}"), []byte("aws"))
	var m struct {
		Files map[string]struct {
			Source struct {
				Path       string
				Packaging  string
				Executable []string
			}
			Destinations map[string]struct {
				BucketName string
				ObjectKey  string
			}
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var out []Asset
	for hash, f := range m.Files {
		if len(f.Source.Executable) > 0 {
			return nil, fmt.Errorf("%s: the asset %s is made by running %s, which is not implemented here", file, hash, f.Source.Executable[0])
		}
		for _, d := range f.Destinations {
			out = append(out, Asset{
				Hash: hash, Path: filepath.Join(filepath.Dir(file), f.Source.Path),
				Zip: f.Source.Packaging == "zip", Bucket: d.BucketName, Key: d.ObjectKey,
			})
		}
	}
	slices.SortFunc(out, func(x, y Asset) int { return strings.Compare(x.Key, y.Key) })
	return out, nil
}

// Asset returns the asset that `cdk deploy` uploads to key in bucket.
func (a *Assembly) Asset(bucket, key string) (Asset, bool) {
	i := slices.IndexFunc(a.Assets, func(x Asset) bool { return x.Bucket == bucket && x.Key == key })
	if i < 0 {
		return Asset{}, false
	}
	return a.Assets[i], true
}
