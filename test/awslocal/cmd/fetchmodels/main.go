// Command fetchmodels copies the AWS API models that the local endpoint
// validates requests and answers against out of the Go module cache, where the
// pinned github.com/aws/aws-sdk-go put them, with its licence and notice:
//
//	go run ./cmd/fetchmodels -o ../../build/models
//
// The result has the layout of the module: {service}/{version}/api-2.json.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	_ "github.com/aws/aws-sdk-go/aws/awserr" //nolint:staticcheck // keeps the module that holds the models in go.mod; only its data is used
)

const module = "github.com/aws/aws-sdk-go"

// services are the models the endpoint uses, by the name of their folder.
var services = []string{
	"batch", "cloudformation", "dynamodb", "events", "iotsitewise", "iottwinmaker", "lambda",
	"scheduler", "sns", "sqs", "ssm", "states", "sts",
}

func main() {
	out := flag.String("o", "build/models", "folder to write to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "fetchmodels:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	dir, err := moduleDir()
	if err != nil {
		return err
	}
	for _, name := range []string{"LICENSE.txt", "NOTICE.txt"} {
		if err := copyFile(filepath.Join(dir, name), filepath.Join(out, name)); err != nil {
			return err
		}
	}
	for _, service := range services {
		models, err := filepath.Glob(filepath.Join(dir, "models", "apis", service, "*", "api-2.json"))
		if err != nil {
			return fmt.Errorf("find the model of %s: %w", service, err)
		}
		if len(models) != 1 {
			return fmt.Errorf("found %d models of %s in %s, want 1", len(models), service, dir)
		}
		version := filepath.Base(filepath.Dir(models[0]))
		if err := copyFile(models[0], filepath.Join(out, service, version, "api-2.json")); err != nil {
			return err
		}
	}
	return nil
}

// moduleDir returns where the module's files are, downloading them first where
// this machine has none.
func moduleDir() (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s%s", err, bytes.TrimSpace(exit.Stderr), bytes.TrimSpace(out))
		}
		return "", fmt.Errorf("locate %s (run fetchmodels inside the awslocal module): %w", module, err)
	}
	var info struct{ Dir string }
	if err := json.Unmarshal(out, &info); err != nil {
		return "", fmt.Errorf("read the answer of go mod download: %w", err)
	}
	if info.Dir == "" {
		return "", fmt.Errorf("go mod download names no folder for %s", module)
	}
	return info.Dir, nil
}

// copyFile writes from to to unless it is there with the same bytes, so that a
// second run leaves times alone.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from) //nolint:gosec // a file of the module
	if err != nil {
		return err
	}
	old, err := os.ReadFile(to) //nolint:gosec // below the folder that is asked for
	if err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600) //nolint:gosec // as above
}
