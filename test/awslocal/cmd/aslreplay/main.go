// Command aslreplay replays recorded executions of a state machine:
//
//	aslreplay -jsonata node_modules/jsonata/jsonata.js [-set Name=value]… definition.asl.json case.json…
//
// A placeholder ${Name} of the definition that no -set names is replaced by
// Name, or by a function's ARN where it stands as a Resource. The command
// prints what differs and exits with 1 when a case does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/services/states"
)

func main() {
	library := flag.String("jsonata", "node_modules/jsonata/jsonata.js", "jsonata.js of the npm package jsonata")
	values := map[string]string{}
	flag.Func("set", "Name=value of a placeholder; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("want Name=value")
		}
		values[name] = value
		return nil
	})
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "aslreplay: want a definition and at least one recorded execution")
		os.Exit(2)
	}
	failed, err := run(*library, flag.Arg(0), flag.Args()[1:], values)
	if err != nil {
		fmt.Fprintln(os.Stderr, "aslreplay:", err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}

func run(library, definition string, cases []string, values map[string]string) (failed bool, err error) {
	replayer, err := states.NewReplayer(library)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(definition) //nolint:gosec // named by the operator
	if err != nil {
		return false, fmt.Errorf("definition: %w", err)
	}
	text = []byte(substitute(string(text), values))
	for _, file := range cases {
		recorded, err := os.ReadFile(file) //nolint:gosec // named by the operator
		if err != nil {
			return false, fmt.Errorf("recorded execution: %w", err)
		}
		c, err := states.ParseCase(recorded)
		if err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
		if err := replayer.Replay(context.Background(), text, c); err != nil {
			failed = true
			fmt.Printf("FAIL %s: %s\n%s\n", filepath.Base(file), c.Name, indent(err.Error()))
			continue
		}
		fmt.Printf("ok   %s: %s\n", filepath.Base(file), c.Name)
	}
	return failed, nil
}

func indent(s string) string { return "     " + strings.ReplaceAll(s, "\n", "\n     ") }

var (
	function    = regexp.MustCompile(`("Resource"\s*:\s*)"\$\{([A-Za-z][A-Za-z0-9]*)\}"`)
	placeholder = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9]*)\}`)
)

// substitute replaces the placeholders of a definition.
func substitute(definition string, values map[string]string) string {
	for name, value := range values {
		definition = strings.ReplaceAll(definition, "${"+name+"}", value)
	}
	definition = function.ReplaceAllString(definition, `$1"arn:aws:lambda:us-east-1:000000000000:function:$2"`)
	return placeholder.ReplaceAllString(definition, "$1")
}
