package system

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// expected is permissions.yaml: what may be unused or denied, and why.
type expected struct {
	Unused []exception `yaml:"unused"`
	Denied []exception `yaml:"denied"`
}

// An exception explains lines of the report: actions of a role, spelled out,
// so that one that is added needs a reason of its own. In a resource, which
// denied calls have, * is anything.
type exception struct {
	Role     string   `yaml:"role"`
	Actions  []string `yaml:"actions"`
	Resource string   `yaml:"resource"`
	Reason   string   `yaml:"reason"`
	met      map[string]bool
}

func (x *exception) matches(line string) bool {
	fields := strings.SplitN(line, " ", 3)
	if fields[0] != x.Role || !slices.Contains(x.Actions, fields[1]) {
		return false
	}
	if len(fields) == 3 {
		// path.Match's * stops at a slash, which ARNs have.
		if ok, err := path.Match(strings.ReplaceAll(x.Resource, "/", "|"), strings.ReplaceAll(fields[2], "/", "|")); err != nil || !ok {
			return false
		}
	}
	if x.met == nil {
		x.met = map[string]bool{}
	}
	x.met[fields[1]] = true
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
			if strings.TrimSpace(x.Reason) == "" || len(x.Actions) == 0 {
				errs = append(errs, fmt.Errorf("%s: %s %s has no reason or no action", file, x.Role, strings.Join(x.Actions, " ")))
			}
			for _, action := range x.Actions {
				if !x.met[action] {
					errs = append(errs, fmt.Errorf("%s: %s of %s is not %s any more: remove it", file, action, x.Role, kind))
				}
			}
		}
	}
	explain("allowed but unused", u.unused, e.Unused)
	explain("denied", u.denied, e.Denied)
	return errors.Join(errs...)
}

// The check refuses what has no reason, and reasons that nothing needs.
func TestPermissionsAreChecked(t *testing.T) {
	u := usage{unused: map[string]bool{"r s3:GetObject": true, "r s3:PutObject": true}, denied: map[string]bool{"r s3:ListBucket arn:aws:s3:::b/c": true}}
	file := filepath.Join(t.TempDir(), "permissions.yaml")
	for text, want := range map[string]string{
		`{unused: [{role: r, actions: ["s3:*"], reason: x}], denied: []}`:                                "allowed but unused: r s3:GetObject",
		`{unused: [{role: r, actions: ["s3:GetObject", "s3:PutObject"], reason: x}], denied: []}`:        "denied: r s3:ListBucket",
		`{unused: [{role: r, actions: ["s3:GetObject", "s3:PutObject", "s3:Old"], reason: x}]}`:          "s3:Old of r is not allowed but unused any more",
		`{unused: [{role: r, actions: ["s3:GetObject", "s3:PutObject"]}]}`:                               "no reason",
		`{denied: [{role: r, actions: ["s3:ListBucket"], resource: "arn:aws:s3:::other/*", reason: x}]}`: "denied: r s3:ListBucket",
		`{unusde: []}`: "unusde",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.ErrorContains(t, u.check(file), want, text)
	}
	require.NoError(t, os.WriteFile(file, []byte(`{unused: [{role: r, actions: ["s3:GetObject", "s3:PutObject"], reason: x}],
		denied: [{role: r, actions: ["s3:ListBucket"], resource: "arn:aws:s3:::b/*", reason: x}]}`), 0o600))
	require.NoError(t, u.check(file))
}
