// Package jsonata evaluates JSONata as AWS Step Functions does: the version
// that AWS documents, run as it is published, with the functions that Step
// Functions adds ($partition, $range, $hash, $random, $uuid, $parse) and
// without the one it forbids ($eval).
package jsonata

import (
	"crypto/md5"  //nolint:gosec // offered by $hash
	"crypto/sha1" //nolint:gosec // offered by $hash
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	crand "crypto/rand"

	"github.com/dop251/goja"
)

//go:embed functions.js
var functions string

// limit is how long one evaluation may take, in wall time.
const limit = 5 * time.Second

// cached is how many compiled expressions a runtime keeps.
const cached = 2000

// ErrUndefined reports that an expression returned nothing.
var ErrUndefined = errors.New("returned nothing (undefined)")

// An Engine evaluates expressions, any number at once.
type Engine struct {
	library, shim *goja.Program
	now           func() time.Time

	mu   sync.Mutex
	idle []*runtime
}

// New loads JSONata from the jsonata.js of its npm package. now is the time of
// $now and $millis.
func New(file string, now func() time.Time) (*Engine, error) {
	source, err := os.ReadFile(file) //nolint:gosec // named by the operator
	if err != nil {
		return nil, fmt.Errorf("JSONata's jsonata.js (npm package jsonata): %w", err)
	}
	library, err := goja.Compile("jsonata.js", "(function(){var module={exports:{}},exports=module.exports;"+string(source)+"\nreturn module.exports;})()", false)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", file, err)
	}
	shim, err := goja.Compile("functions.js", functions, true)
	if err != nil {
		return nil, fmt.Errorf("compile the functions of Step Functions: %w", err)
	}
	e := &Engine{library: library, shim: shim, now: now}
	r, err := e.newRuntime() // a library that cannot run is found now
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", file, err)
	}
	e.idle = append(e.idle, r)
	return e, nil
}

// A runtime is one JavaScript machine; it serves one evaluation at a time.
type runtime struct {
	vm                *goja.Runtime
	compile, evaluate goja.Callable
	compiled          map[string]goja.Value
}

func (e *Engine) newRuntime() (*runtime, error) {
	vm := goja.New()
	vm.SetTimeSource(e.now)
	vm.SetMaxCallStackSize(2000)
	vm.SetFieldNameMapper(goja.UncapFieldNameMapper())
	// $base64encode and $base64decode look for the browser's functions.
	window := vm.NewObject()
	if err := errors.Join(
		window.Set("btoa", func(s string) string { return base64.StdEncoding.EncodeToString(latin1(s)) }),
		window.Set("atob", func(s string) (string, error) {
			b, err := base64.StdEncoding.DecodeString(s)
			return fromLatin1(b), err
		}),
		vm.Set("window", window),
	); err != nil {
		return nil, err
	}
	library, err := vm.RunProgram(e.library)
	if err != nil {
		return nil, err
	}
	shim, err := vm.RunProgram(e.shim)
	if err != nil {
		return nil, err
	}
	factory, ok := goja.AssertFunction(shim)
	if !ok {
		return nil, errors.New("functions.js is not a function")
	}
	host := vm.NewObject()
	if err := errors.Join(host.Set("hash", digest(vm)), host.Set("uuid", uuid), host.Set("random", random(vm))); err != nil {
		return nil, err
	}
	api, err := factory(goja.Undefined(), library, host)
	if err != nil {
		return nil, err
	}
	r := &runtime{vm: vm, compiled: map[string]goja.Value{}}
	var okCompile, okEvaluate bool
	r.compile, okCompile = goja.AssertFunction(api.ToObject(vm).Get("compile"))
	r.evaluate, okEvaluate = goja.AssertFunction(api.ToObject(vm).Get("evaluate"))
	if !okCompile || !okEvaluate {
		return nil, errors.New("functions.js lacks compile or evaluate")
	}
	return r, nil
}

// take returns an idle runtime or makes one.
func (e *Engine) take() (*runtime, error) {
	e.mu.Lock()
	if n := len(e.idle); n > 0 {
		r := e.idle[n-1]
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		return r, nil
	}
	e.mu.Unlock()
	return e.newRuntime()
}

func (e *Engine) give(r *runtime) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = append(e.idle, r)
}

// Check reports a syntax error in an expression.
func (e *Engine) Check(expression string) error {
	r, err := e.take()
	if err != nil {
		return err
	}
	defer e.give(r)
	_, err = r.expression(expression)
	return err
}

// expression compiles text, or finds it compiled.
func (r *runtime) expression(text string) (goja.Value, error) {
	if v, ok := r.compiled[text]; ok {
		return v, nil
	}
	v, err := r.compile(goja.Undefined(), r.vm.ToValue(text))
	if err != nil {
		return nil, r.describe(err)
	}
	if len(r.compiled) >= cached {
		clear(r.compiled)
	}
	r.compiled[text] = v
	return v, nil
}

var name = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*)`)

// Uses returns the names of the variables that an expression may refer to.
func Uses(expression string) map[string]bool {
	names := map[string]bool{}
	for _, m := range name.FindAllStringSubmatch(expression, -1) {
		names[m[1]] = true
	}
	return names
}

// Evaluate evaluates an expression with variables, given as JSON by name
// without the dollar. It returns JSON, or an error in JSONata's words; one that
// wraps ErrUndefined when there is no result.
func (e *Engine) Evaluate(expression string, variables map[string]json.RawMessage) (json.RawMessage, error) {
	r, err := e.take()
	if err != nil {
		return nil, err
	}
	result, err := r.run(expression, variables)
	if _, interrupted := errors.AsType[*goja.InterruptedError](err); interrupted {
		return nil, fmt.Errorf("evaluation took longer than %s", limit) // the runtime is not used again
	}
	e.give(r)
	return result, err
}

func (r *runtime) run(text string, variables map[string]json.RawMessage) (json.RawMessage, error) {
	expression, err := r.expression(text)
	if err != nil {
		return nil, err
	}
	var names, texts []any
	uses := Uses(text)
	for _, n := range slices.Sorted(maps.Keys(variables)) {
		if uses[n] {
			names, texts = append(names, n), append(texts, string(variables[n]))
		}
	}
	timer := time.AfterFunc(limit, func() { r.vm.Interrupt("too long") })
	v, err := r.evaluate(goja.Undefined(), expression, r.vm.NewArray(names...), r.vm.NewArray(texts...))
	if !timer.Stop() {
		r.vm.ClearInterrupt()
	}
	if err != nil {
		return nil, r.describe(err)
	}
	promise, ok := v.Export().(*goja.Promise)
	if !ok {
		return nil, errors.New("JSONata did not answer with a promise")
	}
	switch promise.State() {
	case goja.PromiseStateFulfilled:
		if goja.IsUndefined(promise.Result()) {
			return nil, ErrUndefined
		}
		return json.RawMessage(promise.Result().String()), nil
	case goja.PromiseStateRejected:
		return nil, r.message(promise.Result())
	case goja.PromiseStatePending:
	}
	return nil, errors.New("the evaluation did not end")
}

// describe turns what JavaScript threw into an error in JSONata's words.
func (r *runtime) describe(err error) error {
	if thrown, ok := errors.AsType[*goja.Exception](err); ok {
		return r.message(thrown.Value())
	}
	return err
}

// message is the error in a thrown value: JSONata throws objects with a code, a
// message and a position.
func (r *runtime) message(v goja.Value) error {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return errors.New("unknown error")
	}
	o := v.ToObject(r.vm)
	text := v.String()
	if m := o.Get("message"); m != nil && !goja.IsUndefined(m) {
		text = m.String()
	}
	if c := o.Get("code"); c != nil && !goja.IsUndefined(c) && !strings.HasPrefix(text, c.String()) {
		text = c.String() + ": " + text
	}
	if p := o.Get("position"); p != nil && !goja.IsUndefined(p) {
		text += fmt.Sprintf(" (at position %s)", p)
	}
	return errors.New(text)
}

// digest is $hash: hexadecimal, or undefined for an unknown algorithm.
func digest(vm *goja.Runtime) func(text, algorithm string) goja.Value {
	return func(text, algorithm string) goja.Value {
		b := []byte(text)
		switch algorithm {
		case "MD5":
			h := md5.Sum(b) //nolint:gosec // what the definition asked for
			return vm.ToValue(hex.EncodeToString(h[:]))
		case "SHA-1":
			h := sha1.Sum(b) //nolint:gosec // what the definition asked for
			return vm.ToValue(hex.EncodeToString(h[:]))
		case "SHA-256":
			h := sha256.Sum256(b)
			return vm.ToValue(hex.EncodeToString(h[:]))
		case "SHA-384":
			h := sha512.Sum384(b)
			return vm.ToValue(hex.EncodeToString(h[:]))
		case "SHA-512":
			h := sha512.Sum512(b)
			return vm.ToValue(hex.EncodeToString(h[:]))
		default:
			return goja.Undefined()
		}
	}
}

// uuid is $uuid, a random UUID of version 4.
func uuid() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// random is $random: in [0, 1), the same for the same seed.
func random(vm *goja.Runtime) func(goja.FunctionCall) goja.Value {
	return func(call goja.FunctionCall) goja.Value {
		seed := call.Argument(0)
		if goja.IsUndefined(seed) {
			return vm.ToValue(rand.Float64()) //nolint:gosec // not for secrets
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(seed.String()))                            // a hash takes everything
		return vm.ToValue(rand.New(rand.NewPCG(h.Sum64(), 0)).Float64()) //nolint:gosec // not for secrets
	}
}

// latin1 are the bytes of a string whose characters stand for bytes, as btoa
// takes it.
func latin1(s string) []byte {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r)) //nolint:gosec // btoa keeps the low byte
	}
	return b
}

func fromLatin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}
