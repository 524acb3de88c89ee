package apimodel

import (
	"regexp"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// A pattern is a regular expression of a model, in Java's dialect. AWS matches
// the whole value, anchored or not.
type pattern struct {
	source  string
	compile func() matcher // on first use: most patterns are never asked
}

type matcher interface{ match(s []byte) bool }

func newPattern(source string) *pattern {
	return &pattern{source: source, compile: sync.OnceValue(func() matcher { return compilePattern(source) })}
}

func (p *pattern) match(s []byte) bool { return p.compile().match(s) }

var (
	unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)
	surrogates    = regexp.MustCompile(`\\uD800\\uDC00-\\uDBFF\\uDFFF`)
	posixClass    = regexp.MustCompile(`\\p\{(ASCII|Print|Alpha|Digit|Alnum|Upper|Lower|Punct|Space)\}`)
	posixNames    = map[string]string{
		"ASCII": `\x00-\x7F`, "Print": `\x20-\x7E`, "Alpha": `A-Za-z`, "Digit": `0-9`, "Alnum": `A-Za-z0-9`,
		"Upper": `A-Z`, "Lower": `a-z`, "Punct": "!-/:-@\\[-`{-~", "Space": `\x09-\x0D\x20`,
	}
)

// compilePattern translates source for the standard library's engine, which
// takes linear time, and takes a backtracking one with a time limit for what
// that does not know: look-around and back references.
func compilePattern(source string) matcher {
	re2 := surrogates.ReplaceAllString(source, `\x{10000}-\x{10FFFF}`)
	re2 = unicodeEscape.ReplaceAllString(re2, `\x{$1}`)
	re2 = posixClass.ReplaceAllStringFunc(re2, func(class string) string {
		return "[" + posixNames[posixClass.FindStringSubmatch(class)[1]] + "]"
	})
	if re, err := regexp.Compile(`\A(?:` + re2 + `)\z`); err == nil {
		return linear{re}
	}
	re, err := regexp2.Compile(`\A(?:`+source+`)\z`, regexp2.None)
	if err != nil {
		return anything{}
	}
	re.MatchTimeout = 100 * time.Millisecond
	return backtracking{re}
}

type linear struct{ re *regexp.Regexp }

func (l linear) match(s []byte) bool { return l.re.Match(s) }

type backtracking struct{ re *regexp2.Regexp }

func (b backtracking) match(s []byte) bool {
	ok, err := b.re.MatchString(string(s))
	return ok && err == nil
}

// anything stands for a pattern that no engine here reads; a test holds the
// list of these.
type anything struct{}

func (anything) match([]byte) bool { return true }
