// Package expr reads and checks formulas of AWS IoT SiteWise: the expressions
// of transforms and metrics. It follows the user guide's pages "Use formula
// expressions" (operators, constants, literals, functions and the quotas of 10
// variables, 10 functions and 1,024 characters), and adds the dimensions of
// units. Where the guide gives no precedence (powers of powers, signs before
// powers, comparisons of comparisons), rendered formulas carry parentheses.
//
// Left out, and refused by name: method syntax (x.log()), indexing (s[0]),
// functions that take or return arrays and objects.
package expr

import (
	"fmt"
	"strings"
)

// Quotas of a formula.
const (
	MaxVariables = 10
	MaxFunctions = 10
	MaxLength    = 1024
)

// An Error is a mistake at a byte offset of a formula.
type Error struct {
	Offset   int
	What     string
	Expected string // may be empty
	Do       string // what to do; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s at character %d", e.What, e.Offset+1)
	if e.Expected != "" {
		text += "; expected " + e.Expected
	}
	if e.Do != "" {
		text += "; " + e.Do
	}
	return text
}

// A Formula is a parsed expression.
type Formula struct {
	root      node
	variables []string // in the order of their first use
}

// Variables returns the names that the formula uses, in the order of first
// use: variables and named constants alike.
func (f *Formula) Variables() []string { return f.variables }

// A node is a part of a formula; at is the byte offset it begins or, for an
// operator, stands at.
type node interface{ at() int }

type (
	number struct {
		offset int
		text   string
		value  float64
	}
	text struct {
		offset int
		value  string
	}
	name struct {
		offset int
		name   string
	}
	unary struct {
		offset  int
		op      string // - or not
		operand node
	}
	binary struct {
		offset      int
		op          string
		left, right node
	}
	call struct {
		offset int
		name   string
		args   []node
	}
)

func (n number) at() int { return n.offset }
func (n text) at() int   { return n.offset }
func (n name) at() int   { return n.offset }
func (n unary) at() int  { return n.offset }
func (n binary) at() int { return n.offset }
func (n call) at() int   { return n.offset }

// walk visits n and its parts, outer first.
func walk(n node, visit func(node)) {
	visit(n)
	switch n := n.(type) {
	case unary:
		walk(n.operand, visit)
	case binary:
		walk(n.left, visit)
		walk(n.right, visit)
	case call:
		for _, a := range n.args {
			walk(a, visit)
		}
	}
}

// constants of the language, in lower case; they may be written in any.
var constants = []string{"pi", "e", "true", "false", "none"}

func isConstant(word string) bool {
	for _, c := range constants {
		if strings.EqualFold(c, word) {
			return true
		}
	}
	return false
}
