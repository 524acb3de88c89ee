package unit

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// An atom is a unit symbol of UCUM.
type atom struct {
	dims   dimensions
	factor float64 // to the coherent SI unit
	zero   float64
	scale  bool
	metric bool // takes prefixes
}

// Exponents in the order of dimensions: m, kg, s, A, K, mol, cd. Values are
// those of UCUM 2.1, table 1 to 6, which are exact.
var atoms = map[string]atom{
	"m":      {dims: dimensions{1}, factor: 1, metric: true},
	"g":      {dims: dimensions{0, 1}, factor: 1e-3, metric: true},
	"s":      {dims: dimensions{0, 0, 1}, factor: 1, metric: true},
	"A":      {dims: dimensions{0, 0, 0, 1}, factor: 1, metric: true},
	"K":      {dims: dimensions{0, 0, 0, 0, 1}, factor: 1, scale: true, metric: true},
	"mol":    {dims: dimensions{0, 0, 0, 0, 0, 1}, factor: 1, metric: true},
	"cd":     {dims: dimensions{0, 0, 0, 0, 0, 0, 1}, factor: 1, metric: true},
	"rad":    {factor: 1, metric: true},
	"sr":     {factor: 1, metric: true},
	"Hz":     {dims: dimensions{0, 0, -1}, factor: 1, metric: true},
	"Bq":     {dims: dimensions{0, 0, -1}, factor: 1, metric: true},
	"N":      {dims: dimensions{1, 1, -2}, factor: 1, metric: true},
	"Pa":     {dims: dimensions{-1, 1, -2}, factor: 1, metric: true},
	"J":      {dims: dimensions{2, 1, -2}, factor: 1, metric: true},
	"W":      {dims: dimensions{2, 1, -3}, factor: 1, metric: true},
	"C":      {dims: dimensions{0, 0, 1, 1}, factor: 1, metric: true},
	"V":      {dims: dimensions{2, 1, -3, -1}, factor: 1, metric: true},
	"F":      {dims: dimensions{-2, -1, 4, 2}, factor: 1, metric: true},
	"Ohm":    {dims: dimensions{2, 1, -3, -2}, factor: 1, metric: true},
	"S":      {dims: dimensions{-2, -1, 3, 2}, factor: 1, metric: true},
	"Wb":     {dims: dimensions{2, 1, -2, -1}, factor: 1, metric: true},
	"T":      {dims: dimensions{0, 1, -2, -1}, factor: 1, metric: true},
	"H":      {dims: dimensions{2, 1, -2, -2}, factor: 1, metric: true},
	"lm":     {dims: dimensions{0, 0, 0, 0, 0, 0, 1}, factor: 1, metric: true},
	"lx":     {dims: dimensions{-2, 0, 0, 0, 0, 0, 1}, factor: 1, metric: true},
	"Gy":     {dims: dimensions{2, 0, -2}, factor: 1, metric: true},
	"Sv":     {dims: dimensions{2, 0, -2}, factor: 1, metric: true},
	"kat":    {dims: dimensions{0, 0, -1, 0, 0, 1}, factor: 1, metric: true},
	"Cel":    {dims: dimensions{0, 0, 0, 0, 1}, factor: 1, zero: 273.15, scale: true, metric: true},
	"[degF]": {dims: dimensions{0, 0, 0, 0, 1}, factor: 5.0 / 9, zero: 459.67 * 5 / 9, scale: true},
	"min":    {dims: dimensions{0, 0, 1}, factor: 60},
	"h":      {dims: dimensions{0, 0, 1}, factor: 3600},
	"d":      {dims: dimensions{0, 0, 1}, factor: 86400},
	"wk":     {dims: dimensions{0, 0, 1}, factor: 604800},
	"a":      {dims: dimensions{0, 0, 1}, factor: 31557600},
	"L":      {dims: dimensions{3}, factor: 1e-3, metric: true},
	"l":      {dims: dimensions{3}, factor: 1e-3, metric: true},
	"bar":    {dims: dimensions{-1, 1, -2}, factor: 1e5, metric: true},
	"t":      {dims: dimensions{0, 1}, factor: 1e3, metric: true},
	"eV":     {dims: dimensions{2, 1, -2}, factor: 1.602176634e-19, metric: true},
	"deg":    {factor: math.Pi / 180},
	"%":      {factor: 1e-2},
	"[ppm]":  {factor: 1e-6},
	"[pH]":   {factor: 1, scale: true},
	"B":      {factor: 1, scale: true, metric: true}, // bel, of a level
	"[g]":    {dims: dimensions{1, 0, -2}, factor: 9.80665, metric: true},
	"By":     {factor: 1, metric: true},
	"bit":    {factor: 1, metric: true},
	"u":      {dims: dimensions{0, 1}, factor: 1.6605402e-27, metric: true},
	"atm":    {dims: dimensions{-1, 1, -2}, factor: 101325},
	"[psi]":  {dims: dimensions{-1, 1, -2}, factor: 6894.757293168361},
	"[in_i]": {dims: dimensions{1}, factor: 0.0254},
	"[ft_i]": {dims: dimensions{1}, factor: 0.3048},
	"[HP]":   {dims: dimensions{2, 1, -3}, factor: 745.6998715822702},
}

var prefixes = map[string]float64{
	"Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
	"d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18, "z": 1e-21, "y": 1e-24,
}

// foreign maps what people write to the UCUM code.
var foreign = map[string]string{
	"Ah": "A.h", "mAh": "mA.h", "Wh": "W.h", "kWh": "kW.h", "MWh": "MW.h", "°C": "Cel", "degC": "Cel", "C°": "Cel",
	"°F": "[degF]", "degF": "[degF]", "Ω": "Ohm", "ohm": "Ohm", "sec": "s", "hr": "h", "hour": "h", "minute": "min", "day": "d",
	"Volt": "V", "volt": "V", "Amp": "A", "ampere": "A", "Watt": "W", "watt": "W", "rpm": "{rev}/min", "cycles": "{cycle}", "cycle": "{cycle}",
	"psi": "[psi]", "percent": "%", "°": "deg", "kph": "km/h", "liter": "L", "ppm": "[ppm]", "hp": "[HP]", "tonne": "t", "celsius": "Cel",
}

// An Error says what is wrong with a code.
type Error struct {
	Code string
	What string // such as: has the unknown unit "Volt"
	Do   string // such as: did you mean "V"?; may be empty
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("unit %q %s", e.Code, e.What)
	if e.Do != "" {
		text += "; " + e.Do
	}
	return text
}

// Parse reads a UCUM code. The error is an [*Error].
func Parse(code string) (Unit, error) {
	fail := func(what, do string) (Unit, error) { return Unit{}, &Error{Code: code, What: what, Do: do} }
	if code == "" {
		return fail("is empty", `write "1" for a pure number`)
	}
	if len(code) > 256 {
		return fail("is longer than 256 characters", "")
	}
	if ucum, ok := foreign[code]; ok {
		return fail("is no UCUM code", fmt.Sprintf("did you mean %q?", ucum))
	}
	p := parser{code: code}
	u, err := p.term(0)
	if err != nil {
		return Unit{}, err
	}
	if p.pos < len(code) {
		return fail(fmt.Sprintf("has %q in an unexpected place", code[p.pos:]), "write products as A.h and quotients as km/h")
	}
	if math.IsInf(u.factor, 0) || u.factor == 0 {
		return fail("is out of range", "")
	}
	u.code = code
	return u, nil
}

// MustParse is Parse for codes that are known to be right; it panics.
func MustParse(code string) Unit {
	u, err := Parse(code)
	if err != nil {
		panic(err)
	}
	return u
}

type parser struct {
	code string
	pos  int
}

func (p *parser) fail(what, do string) error { return &Error{Code: p.code, What: what, Do: do} }

func (p *parser) peek() byte {
	if p.pos < len(p.code) {
		return p.code[p.pos]
	}
	return 0
}

// term reads components joined by . and /, from left to right.
func (p *parser) term(depth int) (Unit, error) {
	if depth > 20 {
		return Unit{}, p.fail("is nested too deep", "")
	}
	result := One
	divide := p.peek() == '/'
	if divide {
		p.pos++
	}
	for first := !divide; ; first = false {
		u, err := p.component(depth)
		if err != nil {
			return Unit{}, err
		}
		switch {
		case divide:
			result = result.Div(u)
		case first:
			result = u
		default:
			result = result.Mul(u)
		}
		for i := range result.dims {
			if result.dims[i] > 50 || result.dims[i] < -50 {
				return Unit{}, p.fail("has an exponent out of range", "")
			}
		}
		switch p.peek() {
		case '.':
			divide = false
		case '/':
			divide = true
		default:
			return result, nil
		}
		p.pos++
	}
}

// component reads a parenthesised term, an annotation, a number or a symbol
// with an exponent and an annotation.
func (p *parser) component(depth int) (Unit, error) {
	switch c := p.peek(); {
	case c == '(':
		p.pos++
		u, err := p.term(depth + 1)
		if err != nil {
			return Unit{}, err
		}
		if p.peek() != ')' {
			return Unit{}, p.fail("lacks a closing parenthesis", "")
		}
		p.pos++
		return u, nil
	case c == '{':
		return One, p.annotation()
	case c >= '0' && c <= '9':
		return p.number()
	}
	end := p.pos
	for end < len(p.code) && !strings.ContainsRune("./(){}+-0123456789", rune(p.code[end])) {
		if p.code[end] == '[' {
			closing := strings.IndexByte(p.code[end:], ']')
			if closing < 0 {
				return Unit{}, p.fail("lacks a closing bracket", "")
			}
			end += closing
		}
		end++
	}
	symbol := p.code[p.pos:end]
	if symbol == "" {
		return Unit{}, p.fail("lacks a unit symbol", "write products as A.h and quotients as km/h")
	}
	u, ok := lookup(symbol)
	if !ok {
		return Unit{}, p.unknown(symbol)
	}
	p.pos = end
	if e, found, err := p.exponent(); err != nil {
		return Unit{}, err
	} else if found {
		if u, ok = u.Pow(float64(e)); !ok {
			return Unit{}, p.fail("has an exponent out of range", "")
		}
	}
	if p.peek() == '{' {
		return u, p.annotation()
	}
	return u, nil
}

func (p *parser) annotation() error {
	end := strings.IndexByte(p.code[p.pos:], '}')
	if end < 0 {
		return p.fail("lacks a closing brace", "")
	}
	for _, r := range p.code[p.pos+1 : p.pos+end] {
		if r < '!' || r > '~' || r == '{' {
			return p.fail("has an annotation with a character other than visible ASCII", "")
		}
	}
	p.pos += end + 1
	return nil
}

// number reads a whole number, or a power of ten as 10*3.
func (p *parser) number() (Unit, error) {
	start := p.pos
	for p.peek() >= '0' && p.peek() <= '9' {
		p.pos++
	}
	text := p.code[start:p.pos]
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil || n == 0 {
		return Unit{}, p.fail("has a number out of range", "")
	}
	if text == "10" && (p.peek() == '*' || p.peek() == '^') {
		p.pos++
		e, found, err := p.exponent()
		if err != nil {
			return Unit{}, err
		}
		if !found {
			e = 1
		}
		return Unit{factor: math.Pow(10, float64(e))}, nil
	}
	return Unit{factor: float64(n)}, nil
}

func (p *parser) exponent() (e int, found bool, err error) {
	start := p.pos
	if c := p.peek(); c == '+' || c == '-' {
		p.pos++
	}
	digits := p.pos
	for p.peek() >= '0' && p.peek() <= '9' {
		p.pos++
	}
	if p.pos == start {
		return 0, false, nil
	}
	if p.pos == digits || p.pos-digits > 2 {
		return 0, false, p.fail("has a bad exponent", "write it as m2 or s-1")
	}
	e, err = strconv.Atoi(p.code[start:p.pos])
	if err != nil || e == 0 {
		return 0, false, p.fail("has a bad exponent", "write it as m2 or s-1")
	}
	return e, true, nil
}

// lookup finds a symbol, or a prefix before a metric one.
func lookup(symbol string) (Unit, bool) {
	if a, ok := atoms[symbol]; ok {
		return Unit{dims: a.dims, factor: a.factor, zero: a.zero, scale: a.scale, code: symbol}, true
	}
	for _, n := range []int{2, 1} {
		if len(symbol) <= n {
			continue
		}
		factor, ok := prefixes[symbol[:n]]
		if a, known := atoms[symbol[n:]]; ok && known && a.metric {
			return Unit{dims: a.dims, factor: factor * a.factor, zero: a.zero, scale: a.scale, code: symbol}, true
		}
	}
	return Unit{}, false
}

func (p *parser) unknown(symbol string) error {
	do := "use UCUM codes, such as V, A, W.h, Cel, Ohm, 1"
	if strings.ContainsAny(symbol, "*^· ²³") {
		do = "write products as A.h, quotients as km/h and powers as m2"
	}
	if ucum, ok := foreign[symbol]; ok {
		do = fmt.Sprintf("did you mean %q?", ucum)
	} else {
		for _, known := range slices.Sorted(maps.Keys(atoms)) {
			if strings.EqualFold(known, symbol) {
				do = fmt.Sprintf("did you mean %q?", known)
				break
			}
		}
	}
	return p.fail(fmt.Sprintf("has the unknown unit %q", symbol), do)
}
