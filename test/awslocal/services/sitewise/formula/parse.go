package formula

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxLength is the longest expression that the API takes, in characters.
const maxLength = 1024

// maxDepth bounds how deeply an expression may nest.
const maxDepth = 100

// A Use is what an expression is for.
type Use int

// The uses.
const (
	Transform Use = iota
	Metric
)

// Parse reads an expression over the given variables. An error says what is
// wrong and at which character, from 1.
func Parse(source string, declared []string, use Use) (*Expr, error) {
	if n := len([]rune(source)); n == 0 || n > maxLength {
		return nil, fmt.Errorf("an expression has 1 to %d characters, not %d", maxLength, n)
	}
	p := &parser{src: source, declared: declared, use: use, expr: &Expr{}}
	p.next()
	root, err := p.binary(0)
	if err == nil && p.tok.kind != tokenEnd {
		err = p.errorf("expected an operator or the end, found %s", p.tok)
	}
	if err == nil && use == Metric {
		err = p.checkMetric()
	}
	if err != nil {
		return nil, err
	}
	p.expr.root = root
	return p.expr, nil
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenString
	tokenName
	tokenSymbol
	tokenBad
)

type token struct {
	kind tokenKind
	text string
	at   int
}

func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end"
	}
	return strconv.Quote(t.text)
}

type parser struct {
	src      string
	at       int
	tok      token
	depth    int
	declared []string
	use      Use
	expr     *Expr
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("character %d: %s", p.tok.at+1, fmt.Sprintf(format, args...))
}

func (p *parser) next() {
	for p.at < len(p.src) && strings.ContainsRune(" \t\r\n", rune(p.src[p.at])) {
		p.at++
	}
	start := p.at
	rest := p.src[start:]
	p.tok = token{at: start}
	switch {
	case rest == "":
		return
	case isDigit(rest[0]) || rest[0] == '.' && len(rest) > 1 && isDigit(rest[1]):
		p.tok.kind = tokenNumber
		p.at += numberLength(rest)
	case isLetter(rest[0]):
		p.tok.kind = tokenName
		for p.at < len(p.src) && (isLetter(p.src[p.at]) || isDigit(p.src[p.at])) {
			p.at++
		}
	case rest[0] == '"' || rest[0] == '\'':
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			p.tok.kind, p.at = tokenBad, len(p.src)
			break
		}
		p.tok.kind, p.at = tokenString, start+end+2
	default:
		p.tok.kind = tokenBad
		p.at++
		for _, s := range []string{"<=", ">=", "==", "!=", "+", "-", "*", "/", "%", "^", "<", ">", "!", "(", ")", ","} {
			if strings.HasPrefix(rest, s) {
				p.tok.kind, p.at = tokenSymbol, start+len(s)
				break
			}
		}
	}
	p.tok.text = p.src[start:p.at]
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func numberLength(s string) int {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
		i++
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		for j < len(s) && isDigit(s[j]) {
			i, j = j+1, j+1
		}
	}
	return i
}

// levels are the binary operators, loosest first.
var levels = [][]string{{"or"}, {"and"}, {"==", "!="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "/", "%"}}

func (p *parser) binary(level int) (node, error) {
	if level == len(levels) {
		return p.unary()
	}
	x, err := p.binary(level + 1)
	for err == nil && (p.tok.kind == tokenSymbol || p.tok.kind == tokenName) && slices.Contains(levels[level], p.tok.text) {
		op := p.tok.text
		p.next()
		var y node
		if y, err = p.binary(level + 1); err == nil {
			x = binary{op, x, y}
		}
	}
	return x, err
}

func (p *parser) unary() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("the expression nests more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	switch op := p.tok.text; {
	case p.tok.kind == tokenSymbol && (op == "-" || op == "!"), p.tok.kind == tokenName && op == "not" && !p.calls():
		p.next()
		x, err := p.unary()
		return unary{op, x}, err
	case p.tok.kind == tokenSymbol && op == "+":
		p.next()
		return p.unary()
	}
	x, err := p.primary()
	if err == nil && p.tok.kind == tokenSymbol && p.tok.text == "^" { // binds tighter than a sign, to the right
		p.next()
		var y node
		if y, err = p.unary(); err == nil {
			x = binary{"^", x, y}
		}
	}
	return x, err
}

// calls reports whether the current name is followed by an argument list.
func (p *parser) calls() bool {
	return strings.HasPrefix(strings.TrimLeft(p.src[p.at:], " \t\r\n"), "(")
}

func (p *parser) primary() (node, error) {
	t := p.tok
	switch t.kind { //nolint:exhaustive // the others begin no value
	case tokenNumber:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, p.errorf("%s is not a number", t)
		}
		p.next()
		return literal{Number(f)}, nil
	case tokenString:
		p.next()
		return literal{Text(t.text[1 : len(t.text)-1])}, nil
	case tokenName:
		if p.calls() {
			return p.call()
		}
		return p.name()
	case tokenSymbol:
		if t.text == "(" {
			p.next()
			x, err := p.binary(0)
			if err != nil {
				return nil, err
			}
			return x, p.expect(")")
		}
	default:
	}
	return nil, p.errorf("expected a value, found %s", t)
}

func (p *parser) expect(symbol string) error {
	if p.tok.kind != tokenSymbol || p.tok.text != symbol {
		return p.errorf("expected %q, found %s", symbol, p.tok)
	}
	p.next()
	return nil
}

var constants = map[string]Value{
	"pi": Number(math.Pi), "e": Number(math.E), "true": boolean(true), "false": boolean(false), "none": {},
}

func (p *parser) name() (node, error) {
	name := p.tok.text
	if slices.Contains(p.declared, name) {
		p.next()
		if !slices.Contains(p.expr.variables, name) {
			p.expr.variables = append(p.expr.variables, name)
		}
		return variable{name}, nil
	}
	if c, ok := constants[name]; ok {
		p.next()
		return literal{c}, nil
	}
	return nil, p.errorf("%q is neither a variable of this property (%s) nor a constant", name, strings.Join(p.declared, ", "))
}

func (p *parser) call() (node, error) {
	at, name := p.tok, p.tok.text
	fn, known := functions[name]
	p.next()
	p.next() // the parenthesis
	var args []node
	for p.tok.kind != tokenSymbol || p.tok.text != ")" {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		a, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	p.next()
	p.tok, at = at, p.tok // errors below are about the name
	defer func() { p.tok = at }()
	if name == "if" {
		if len(args) != 3 {
			return nil, p.errorf("if takes a condition and two values, not %d arguments", len(args))
		}
		return conditional{args[0], args[1], args[2]}, nil
	}
	if !known {
		return nil, p.errorf("there is no function %q here", name)
	}
	if err := p.checkCall(name, fn, args); err != nil {
		return nil, err
	}
	p.expr.everyTime = p.expr.everyTime || fn.every
	return call{name, args, fn}, nil
}
