// Package starter holds the small twin that newcomers begin with.
package starter

import _ "embed"

//go:embed twin.yaml
var definition string

// Files returns the files of a new twin by their names: one definition that
// validates.
func Files() map[string]string {
	return map[string]string{"twin.yaml": definition}
}
