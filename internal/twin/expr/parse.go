package expr

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Levels of precedence, from the weakest.
const (
	levelOr = iota + 1
	levelAnd
	levelNot
	levelCompare
	levelAdd
	levelMultiply
	levelSign
	levelPower
	levelAtom
)

var binaryLevels = map[string]int{
	"or": levelOr, "and": levelAnd,
	"<": levelCompare, ">": levelCompare, "<=": levelCompare, ">=": levelCompare, "==": levelCompare, "!=": levelCompare,
	"+": levelAdd, "-": levelAdd, "*": levelMultiply, "/": levelMultiply, "%": levelMultiply, "^": levelPower,
}

// maxDepth bounds nesting; no formula of 1,024 characters that makes sense is
// deeper.
const maxDepth = 60

// Parse reads a formula.
func Parse(source string) (*Formula, *Error) {
	tokens, err := scan(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	root, err := p.expression(levelOr)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.unexpected(t, "an operator or the end")
	}
	if height(root) > maxDepth {
		return nil, tooDeep(0)
	}
	f := &Formula{root: root}
	walk(root, func(n node) {
		if v, ok := n.(name); ok && !slices.Contains(f.variables, v.name) {
			f.variables = append(f.variables, v.name)
		}
	})
	return f, nil
}

func tooDeep(offset int) *Error {
	return &Error{Offset: offset, What: "nested too deep", Expected: fmt.Sprintf("at most %d levels", maxDepth)}
}

// height counts the operators and functions on the longest way into n; a chain
// such as a + b + c counts once.
func height(n node) int {
	deepest := 0
	switch n := n.(type) {
	case unary:
		deepest = height(n.operand)
	case binary:
		left, right := height(n.left), height(n.right)
		if b, ok := n.left.(binary); ok && binaryLevels[b.op] == binaryLevels[n.op] {
			left--
		}
		deepest = max(left, right)
	case call:
		for _, a := range n.args {
			deepest = max(deepest, height(a))
		}
	}
	return deepest + 1
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenText
	tokenWord
	tokenSymbol
)

type token struct {
	kind   tokenKind
	offset int
	text   string // of a text literal, its value
}

// scan cuts a formula into tokens.
func scan(source string) ([]token, *Error) {
	var tokens []token
	for i := 0; i < len(source); {
		c := source[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case isDigit(c) || c == '.' && i+1 < len(source) && isDigit(source[i+1]):
			i = numberEnd(source, i)
			tokens = append(tokens, token{tokenNumber, start, source[start:i]})
		case isLetter(c):
			for i < len(source) && (isLetter(source[i]) || isDigit(source[i])) {
				i++
			}
			tokens = append(tokens, token{tokenWord, start, source[start:i]})
		case c == '\'' || c == '"':
			value, end, ok := textEnd(source, i)
			if !ok {
				return nil, &Error{Offset: start, What: "a text without an end", Expected: fmt.Sprintf("a closing %c", c)}
			}
			i = end
			tokens = append(tokens, token{tokenText, start, value})
		default:
			symbol := source[i : i+1]
			if i+1 < len(source) && slices.Contains([]string{"<=", ">=", "==", "!="}, source[i:i+2]) {
				symbol = source[i : i+2]
			}
			if !strings.Contains("+-*/^%<>!(),", symbol[:1]) && symbol != "==" {
				return nil, badCharacter(source, i)
			}
			i += len(symbol)
			tokens = append(tokens, token{tokenSymbol, start, symbol})
		}
	}
	return append(tokens, token{tokenEnd, len(source), ""}), nil
}

func badCharacter(source string, i int) *Error {
	e := &Error{Offset: i, Expected: "names, numbers, texts in quotes, + - * / ^ %, comparisons, and, or, not, functions"}
	switch source[i] {
	case '=':
		e.What, e.Expected, e.Do = "a single =", "==", "compare with =="
	case '&':
		e.What, e.Expected, e.Do = "&", "and", "write and"
	case '|':
		e.What, e.Expected, e.Do = "|", "or", "write or"
	case '.':
		e.What, e.Expected, e.Do = "the method syntax of SiteWise", "a function call", "write log(x) instead of x.log()"
	case '[', ']':
		e.What, e.Expected, e.Do = "indexing", "a whole value", "use a property of its own for a part of a text"
	default:
		r := []rune(source[i:])[0]
		e.What = fmt.Sprintf("the character %q", r)
	}
	return e
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// numberEnd returns the end of the number at i: digits, a point, an exponent.
func numberEnd(source string, i int) int {
	digits := func() {
		for i < len(source) && isDigit(source[i]) {
			i++
		}
	}
	digits()
	if i < len(source) && source[i] == '.' {
		i++
		digits()
	}
	if i < len(source) && (source[i] == 'e' || source[i] == 'E') {
		j := i + 1
		if j < len(source) && (source[j] == '+' || source[j] == '-') {
			j++
		}
		if j < len(source) && isDigit(source[j]) {
			i = j
			digits()
		}
	}
	return i
}

// textEnd returns the value and the end of the text literal at i. A doubled
// quote stands for one.
func textEnd(source string, i int) (value string, end int, ok bool) {
	quote := source[i]
	var b strings.Builder
	for i++; i < len(source); i++ {
		if source[i] == quote {
			if i+1 < len(source) && source[i+1] == quote {
				i++
			} else {
				return b.String(), i + 1, true
			}
		}
		b.WriteByte(source[i])
	}
	return "", 0, false
}

type parser struct {
	tokens []token
	pos    int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != tokenEnd {
		p.pos++
	}
	return t
}

func (p *parser) accept(symbol string) bool {
	if t := p.peek(); t.kind == tokenSymbol && t.text == symbol {
		p.pos++
		return true
	}
	return false
}

func (p *parser) unexpected(t token, expected string) *Error {
	e := &Error{Offset: t.offset, Expected: expected}
	switch t.kind { //nolint:exhaustive // the others show what was written
	case tokenEnd:
		e.What = "the formula ends too early"
	case tokenText:
		e.What = fmt.Sprintf("unexpected text %q", t.text)
	default:
		e.What = fmt.Sprintf("unexpected %q", t.text)
	}
	return e
}

// operator returns the binary operator that is next, and its level.
func (p *parser) operator() (string, int) {
	t := p.peek()
	op := t.text
	if t.kind == tokenWord {
		op = strings.ToLower(op)
	} else if t.kind != tokenSymbol {
		return "", 0
	}
	return op, binaryLevels[op]
}

// expression reads operators of a level or stronger ones.
func (p *parser) expression(level int) (node, *Error) {
	if p.depth++; p.depth > 2*maxDepth { // parentheses count twice: they open an expression and its operand
		return nil, tooDeep(p.peek().offset)
	}
	defer func() { p.depth-- }()
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for {
		op, l := p.operator()
		if l < level || l == 0 {
			return left, nil
		}
		t := p.next()
		from := l + 1
		if op == "^" { // groups to the right
			from = levelPower
		}
		right, err := p.expression(from)
		if err != nil {
			return nil, err
		}
		if b, ok := left.(binary); ok && l == levelCompare && binaryLevels[b.op] == levelCompare && !p.closed(t) {
			return nil, &Error{Offset: t.offset, What: "a comparison of a comparison", Expected: "one comparison", Do: "join two with and, or use parentheses"}
		}
		left = binary{t.offset, op, left, right}
	}
}

// closed reports whether the token before t closes parentheses.
func (p *parser) closed(t token) bool {
	for i, u := range p.tokens {
		if u.offset == t.offset {
			return i > 0 && p.tokens[i-1].kind == tokenSymbol && p.tokens[i-1].text == ")"
		}
	}
	return false
}

// operand reads a sign, a negation, or an atom.
func (p *parser) operand() (node, *Error) {
	t := p.peek()
	switch {
	case t.kind == tokenSymbol && (t.text == "-" || t.text == "+"):
		p.next()
		x, err := p.expression(levelSign + 1)
		if err != nil || t.text == "+" {
			return x, err
		}
		return unary{t.offset, "-", x}, nil
	case t.kind == tokenSymbol && t.text == "!":
		p.next()
		x, err := p.expression(levelSign + 1)
		if err != nil {
			return nil, err
		}
		return unary{t.offset, "not", x}, nil
	case t.kind == tokenWord && strings.EqualFold(t.text, "not"):
		p.next()
		x, err := p.expression(levelNot + 1)
		if err != nil {
			return nil, err
		}
		return unary{t.offset, "not", x}, nil
	}
	return p.atom()
}

func (p *parser) atom() (node, *Error) {
	t := p.next()
	switch t.kind { //nolint:exhaustive // the others begin no value
	case tokenNumber:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, &Error{Offset: t.offset, What: fmt.Sprintf("the number %s is out of range", t.text), Expected: "a double"}
		}
		return number{t.offset, t.text, f}, nil
	case tokenText:
		return text{t.offset, t.text}, nil
	case tokenWord:
		if _, isOperator := binaryLevels[strings.ToLower(t.text)]; isOperator {
			return nil, p.unexpected(t, "a value")
		}
		if p.accept("(") {
			return p.arguments(t)
		}
		return name{t.offset, t.text}, nil
	}
	if t.kind == tokenSymbol && t.text == "(" {
		x, err := p.expression(levelOr)
		if err != nil {
			return nil, err
		}
		if !p.accept(")") {
			return nil, p.unexpected(p.peek(), "a closing parenthesis")
		}
		return x, nil
	}
	return nil, p.unexpected(t, "a value")
}

func (p *parser) arguments(function token) (node, *Error) {
	c := call{offset: function.offset, name: function.text}
	if p.accept(")") {
		return c, nil
	}
	for {
		x, err := p.expression(levelOr)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, x)
		if p.accept(")") {
			return c, nil
		}
		if !p.accept(",") {
			return nil, p.unexpected(p.peek(), "a comma or a closing parenthesis")
		}
	}
}
