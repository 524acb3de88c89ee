package twin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An Error is one mistake in a twin.
type Error struct {
	File     string
	Line     int // counted from 1; 0 when the mistake is in no line
	Column   int // counted from 1, in characters
	What     string
	Expected string // may be empty
	Do       string // what to do; may be empty
}

// Error returns the mistake as file:line:column: what; expected; what to do.
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	b.WriteString(e.What)
	if e.Expected != "" {
		b.WriteString("; expected ")
		b.WriteString(e.Expected)
	}
	if e.Do != "" {
		b.WriteString("; ")
		b.WriteString(e.Do)
	}
	return b.String()
}

// Errors are all mistakes of a twin, in the order of their positions.
type Errors []Error

// Error returns one line per mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, err := range e {
		all[i] = err
	}
	return all
}

// sorted returns the mistakes by position, each once.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.What, b.What))
	})
	return slices.Compact(e)
}

// err returns e as an error, nil when there is no mistake.
func (e Errors) err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// nearest returns the candidate that a person who wrote name probably meant,
// or "". The edit distance must be less than half of the name's length, and at
// most 3.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", min(len(name)/2, 3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance && c != name {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and exchanges of
// neighbours (optimal string alignment).
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// didYouMean returns a suggestion, or "".
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}

// oneOf lists candidates for a message, in their order, up to a dozen.
func oneOf(candidates []string) string {
	const most = 12
	switch {
	case len(candidates) == 0:
		return ""
	case len(candidates) == 1:
		return candidates[0]
	case len(candidates) > most:
		return "one of " + strings.Join(candidates[:most], ", ") + ", …"
	}
	return "one of " + strings.Join(candidates, ", ")
}
