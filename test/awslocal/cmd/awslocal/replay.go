package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/livetwin/livetwin/test/awslocal/services/states"
)

type replayCommand struct {
	Definition string            `arg:"" type:"existingfile" help:"Definition of a state machine (ASL, JSONata)."`
	Cases      []string          `arg:"" type:"existingfile" help:"Recorded executions."`
	Set        map[string]string `help:"Values of the definition's placeholders; others stand for functions of their name."`
	Tools      string            `default:"node_modules" help:"Folder of the npm package jsonata."`
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9]*)\}`)

// Run replays each case and reports every difference.
func (c *replayCommand) Run(ctx context.Context) error {
	definition, err := os.ReadFile(c.Definition)
	if err != nil {
		return fmt.Errorf("read the definition: %w", err)
	}
	definition = placeholder.ReplaceAllFunc(definition, func(match []byte) []byte {
		name := string(match[2 : len(match)-1])
		if value, ok := c.Set[name]; ok {
			return []byte(value)
		}
		return []byte("arn:aws:lambda:us-east-1:000000000000:function:" + name)
	})
	replayer, err := states.NewReplayer(filepath.Join(c.Tools, "jsonata", "jsonata.js"))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range c.Cases {
		if err := replay(ctx, replayer, definition, file); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		fmt.Println("ok", file)
	}
	return errors.Join(errs...)
}

func replay(ctx context.Context, replayer *states.Replayer, definition []byte, file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // a file that the caller names
	if err != nil {
		return fmt.Errorf("read a recorded execution: %w", err)
	}
	recorded, err := states.ParseCase(text)
	if err != nil {
		return err
	}
	return replayer.Replay(ctx, definition, recorded)
}
