package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/aws/aws-lambda-go/lambda" // testdata/function needs it, and go mod tidy does not look there
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	awslocaltest.Cleanup()
	os.Exit(code)
}

// object is a JSON object.
type object = map[string]any

// app copies the assembly in testdata, with its function built, after edit has
// changed the template of the stack app.
func app(t testing.TB, edit func(resources object)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cdk.out")
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/app")))
	code, err := os.ReadFile(awslocaltest.Go(t, "./cmd/awslocal/testdata/function"))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "asset.f00"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "asset.f00", "bootstrap"), code, 0o755))
	if edit == nil {
		return dir
	}
	file := filepath.Join(dir, "App.template.json")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var template object
	require.NoError(t, json.Unmarshal(data, &template))
	edit(template["Resources"].(object))
	data, err = json.Marshal(template)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return dir
}
