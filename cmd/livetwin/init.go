package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/livetwin/livetwin/internal/twin/starter"
)

type initCommand struct {
	Dir string `arg:"" help:"Folder to write to; created when it does not exist." default:"." type:"path"`
}

// Run writes the starter twin. Nothing is written when one of its files exists.
func (c *initCommand) Run(out io.Writer) error {
	files := starter.Files()
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		path := filepath.Join(c.Dir, name)
		if _, err := os.Lstat(path); err == nil {
			return wrongInput(fmt.Errorf("%s exists: choose another folder, nothing was written", path))
		} else if !errors.Is(err, os.ErrNotExist) {
			return wrongInput(fmt.Errorf("look for %s: %w", path, err))
		}
	}
	for _, name := range names {
		path := filepath.Join(c.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a project is for its team to read
			return wrongInput(fmt.Errorf("make a folder: %w", err))
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil { //nolint:gosec // see above
			return wrongInput(fmt.Errorf("write the starter twin: %w", err))
		}
		fmt.Fprintln(out, "wrote", path)
	}
	fmt.Fprintf(out, "check it with: livetwin validate %s\n", filepath.Join(c.Dir, "twin.yaml"))
	return nil
}
