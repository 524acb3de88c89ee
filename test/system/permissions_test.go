package system

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// expected is permissions.yaml: what may be unused or denied, and why.
type expected struct {
	Unused []exception `yaml:"unused"`
	Denied []exception `yaml:"denied"`
}

// An exception matches lines of the report: role, action and resource are
// patterns in which * is anything.
type exception struct {
	Role     string `yaml:"role"`
	Action   string `yaml:"action"`
	Resource string `yaml:"resource"`
	Reason   string `yaml:"reason"`
	met      bool
}

func (x *exception) matches(line string) bool {
	fields := strings.SplitN(line, " ", 3)
	patterns := []string{x.Role, x.Action, x.Resource}
	for i, field := range fields {
		pattern := patterns[i]
		if i == 2 && pattern == "" {
			pattern = "*"
		}
		// path.Match's * stops at a slash, which ARNs have.
		if ok, err := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(field, "/", "|")); err != nil || !ok {
			return false
		}
	}
	x.met = true
	return true
}

// check compares what was collected with the file: a line without a written
// reason is an error, and so is a reason that nothing needs any more.
func (u *usage) check(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reasons for permissions: %w", err)
	}
	var e expected
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&e); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	explain := func(kind string, lines map[string]bool, exceptions []exception) {
		for _, line := range slices.Sorted(maps.Keys(lines)) {
			known := false
			for i := range exceptions {
				known = exceptions[i].matches(line) || known
			}
			if !known {
				errs = append(errs, fmt.Errorf("%s: %s; take it away, or write the reason into test/system/%s", kind, line, file))
			}
		}
		for _, x := range exceptions {
			if x.Reason == "" {
				errs = append(errs, fmt.Errorf("%s: %s %s %s has no reason", file, x.Role, x.Action, x.Resource))
			}
			if !x.met {
				errs = append(errs, fmt.Errorf("%s: nothing is %s by %s %s any more: remove the line", file, kind, x.Role, x.Action))
			}
		}
	}
	explain("allowed but unused", u.unused, e.Unused)
	explain("denied", u.denied, e.Denied)
	return errors.Join(errs...)
}
