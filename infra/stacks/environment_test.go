package stacks_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/statemachines"
)

// variables reads which environment variables internal/env names, by the name
// of their constant.
func variables(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/env/env.go"), nil, 0)
	require.NoError(t, err)
	names := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Var" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		names[spec.Names[0].Name] = value
		return true
	})
	require.Equal(t, string(env.RunsTable), names["RunsTable"])
	return names
}

// uses returns the variables that the program in a folder names.
func uses(t *testing.T, folder string) []string {
	t.Helper()
	names := variables(t)
	found := map[string]bool{}
	packages, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	require.NoError(t, err)
	for _, path := range packages {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "env" {
				if value, ok := names[selector.Sel.Name]; ok {
					found[value] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// Every variable that a program names is set where it runs, and no other is: a
// variable too many is a dependency that nobody needs.
func TestProgramsGetTheVariablesTheyName(t *testing.T) {
	for _, s := range []*synthesised{example(t, "local"), overrides(t)} {
		for id, f := range s.of("AWS::Lambda::Function") {
			name := strings.TrimPrefix(f.Properties["FunctionName"].(string), s.deployment.Prefix()+"-")
			folder := "functions/" + name
			switch {
			case strings.HasPrefix(name, "complete-deployment-"):
				folder = "functions/complete-deployment"
			case strings.HasPrefix(name, "connector-"):
				folder = "connectors/" + strings.TrimPrefix(name, "connector-")
			}
			wants := uses(t, folder)
			require.NotEmpty(t, wants, "%s: no program in %s", id, folder)
			set, _ := at(f.Properties, "Environment", "Variables").(map[string]any)
			assert.Equal(t, wants, slices.Sorted(maps.Keys(set)), "%s runs %s", id, folder)
		}
		for id, job := range s.of("AWS::Batch::JobDefinition") {
			set := []string{string(env.Manifest), string(env.BatchArrayIndex), string(env.BatchAttempt)} // by the state machine and by Batch
			assert.Contains(t, statemachines.Recalibrate, "'Name': '"+string(env.Manifest)+"'")
			for _, v := range list(at(job.Properties, "ContainerProperties", "Environment")) {
				set = append(set, at(v, "Name").(string))
			}
			for _, wanted := range uses(t, "functions/calibrate") {
				assert.Contains(t, set, wanted, id)
			}
		}
	}
}

// Every deployed program has its source: a folder that is renamed would break
// deployments only.
func TestEveryFunctionHasItsFolder(t *testing.T) {
	var folders []string
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "functions"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() == "main.go" {
			folders = append(folders, filepath.Base(filepath.Dir(path)))
		}
		return err
	}))
	assert.Subset(t, folders, []string{"plan-recalibration", "calibrate", "collect-outcomes", "publish-predictions", "complete-deployment"})
}
