package expr

import (
	"math"
	"strconv"
	"strings"
)

// Render writes the formula as SiteWise takes it. Names in constants become
// their numbers.
func (f *Formula) Render(constants map[string]float64) string {
	r := &renderer{constants: constants}
	r.write(f.root, levelOr)
	return r.out.String()
}

type renderer struct {
	out       strings.Builder
	constants map[string]float64
}

// write writes n, in parentheses when it binds weaker than level.
func (r *renderer) write(n node, level int) {
	if r.level(n) < level {
		r.out.WriteByte('(')
		defer r.out.WriteByte(')')
	}
	switch n := n.(type) {
	case number:
		r.out.WriteString(n.text)
	case text:
		r.out.WriteString("'" + strings.ReplaceAll(n.value, "'", "''") + "'")
	case name:
		if v, ok := r.constants[n.name]; ok {
			r.out.WriteString(literal(v))
			return
		}
		r.out.WriteString(n.name)
	case unary:
		if n.op == "-" {
			r.out.WriteByte('-')
		} else {
			r.out.WriteString("not ")
		}
		r.write(n.operand, levelAtom)
	case binary:
		l := binaryLevels[n.op]
		left, right := l, l+1
		if l == levelCompare || l == levelPower || l <= levelAnd {
			left, right = levelAtom, levelAtom
			if b, ok := n.left.(binary); ok && b.op == n.op && l <= levelAnd {
				left = l // a chain of one operator
			}
		}
		r.write(n.left, left)
		r.out.WriteString(" " + n.op + " ")
		r.write(n.right, right)
	case call:
		r.out.WriteString(n.name)
		r.out.WriteByte('(')
		for i, a := range n.args {
			if i > 0 {
				r.out.WriteString(", ")
			}
			r.write(a, levelOr)
		}
		r.out.WriteByte(')')
	}
}

// level returns how strongly the outermost operator of n binds.
func (r *renderer) level(n node) int {
	switch n := n.(type) {
	case unary:
		if n.op == "-" {
			return levelSign
		}
		return levelNot
	case binary:
		return binaryLevels[n.op]
	case name:
		if v, ok := r.constants[n.name]; ok && (v < 0 || math.Signbit(v)) {
			return levelSign
		}
	}
	return levelAtom
}

// literal writes a number as SiteWise reads it.
func literal(v float64) string {
	if a := math.Abs(v); a != 0 && (a >= 1e15 || a < 1e-5) {
		return strings.Replace(strconv.FormatFloat(v, 'e', -1, 64), "e+", "e", 1)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
