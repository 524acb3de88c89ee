package jsonata_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/services/states/jsonata"
)

var now = time.Date(2008, 4, 2, 12, 0, 0, 0, time.UTC)

func engine(tb testing.TB) *jsonata.Engine {
	tb.Helper()
	file := filepath.Join("..", "..", "..", "..", "..", "node_modules", "jsonata", "jsonata.js")
	if _, err := os.Stat(file); err != nil {
		tb.Skipf("jsonata is not installed (npm ci): %v", err)
	}
	e, err := jsonata.New(file, func() time.Time { return now })
	require.NoError(tb, err)
	return e
}

// The expected values of the functions that Step Functions adds are from the
// digests' own test vectors (RFC 1321, FIPS 180-4) and from the Step Functions
// developer guide, "Transforming data with JSONata in Step Functions".
func TestEvaluate(t *testing.T) {
	e := engine(t)
	variables := map[string]json.RawMessage{
		"states": json.RawMessage(`{"input":{"a":[1,2,3],"name":"cell-1"},"context":{"Execution":{"Name":"run"}}}`),
		"size":   json.RawMessage(`3`),
	}
	for expression, want := range map[string]string{
		`1 + 1`:              `2`,
		`$states.input.a[1]`: `2`,
		`$sum($states.input.a) = 6 and $size > 1`:               `true`,
		`$states.input.{'n': name}`:                             `{"n":"cell-1"}`,
		`$states.input.a ~> $map(function($v){$v*2})`:           `[2,4,6]`,
		`$size > 1 ? {'ArrayProperties': {'Size': $size}} : {}`: `{"ArrayProperties":{"Size":3}}`,
		`$partition([1,2,3,4,5], 2)`:                            `[[1,2],[3,4],[5]]`,
		`$partition([1], 10)`:                                   `[[1]]`,
		`$range(0, 10, 5)`:                                      `[0,5,10]`,
		`$range(3, 1, -1)`:                                      `[3,2,1]`,
		`$hash('abc', 'MD5')`:                                   `"900150983cd24fb0d6963f7d28e17f72"`,
		`$hash('abc', 'SHA-1')`:                                 `"a9993e364706816aba3e25717850c26c9cd0d89d"`,
		`$hash('abc', 'SHA-256')`:                               `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`$parse('{"a": [1, null]}')`:                            `{"a":[1,null]}`,
		`$random(7) = $random(7) and $random(7) < 1`:            `true`,
		`$length($uuid())`:                                      `36`,
		`$now()`:                                                `"2008-04-02T12:00:00.000Z"`,
		`$base64decode($base64encode('ab'))`:                    `"ab"`,
		`null`:                                                  `null`,
		`$replace('a b/c', /[^a-z]/, '-')`:                      `"a-b-c"`,
		`$merge([{'a': 1}, {'b': 2}])`:                          `{"a":1,"b":2}`,
		`$string($states.context.Execution.Name) & '!'`:         `"run!"`,
		`[$states.input.a[$ > 1]]`:                              `[2,3]`,
		`[]`:                                                    `[]`,
	} {
		got, err := e.Evaluate(expression, variables)
		require.NoError(t, err, expression)
		assert.JSONEq(t, want, string(got), expression)
	}
}

func TestEvaluateFails(t *testing.T) {
	e := engine(t)
	for expression, want := range map[string]string{
		`$states.input.none`:   "undefined",
		`$unknown`:             "undefined",
		`$eval('1+1')`:         "T1006",
		`$`:                    "undefined",
		`1 + 'a'`:              "T2002",
		`(`:                    "S0203",
		`function($x){$x}`:     "function",
		`{'f': $sum}`:          "function",
		`$hash('abc', 'CRC')`:  "SHA-256",
		`$parse('{')`:          "not JSON",
		`$partition([1,2], 0)`: "$partition",
		`$range(0, 1e9, 1)`:    "$range",
		`$error('no cells')`:   "no cells",
		`1/0`:                  "Infinity",
	} {
		_, err := e.Evaluate(expression, map[string]json.RawMessage{"states": json.RawMessage(`{"input":{}}`)})
		require.ErrorContains(t, err, want, expression)
	}
	_, err := e.Evaluate(`$none`, nil)
	require.ErrorIs(t, err, jsonata.ErrUndefined)
	require.Error(t, e.Check(`$states.input.(`))
	require.NoError(t, e.Check(`$states.input.a`))
}

func TestEndlessEvaluation(t *testing.T) {
	e := engine(t)
	_, err := e.Evaluate(`($f := function($x){$f($x+1)}; $f(0))`, nil)
	require.Error(t, err, "endless recursion ends")
	got, err := e.Evaluate(`1`, nil)
	require.NoError(t, err, "and leaves the engine usable")
	assert.JSONEq(t, `1`, string(got))
}

func TestEvaluationsAreIndependent(t *testing.T) {
	e := engine(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 20 {
				got, err := e.Evaluate(`($x := $n * 2; $x)`, map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(i*100 + n))})
				if assert.NoError(t, err) {
					assert.JSONEq(t, fmt.Sprint((i*100+n)*2), string(got))
				}
			}
		})
	}
	wg.Wait()
	_, err := e.Evaluate(`$x`, nil)
	require.ErrorIs(t, err, jsonata.ErrUndefined, "a variable of one evaluation is not seen by another")
}

func BenchmarkEvaluate(b *testing.B) {
	e := engine(b)
	variables := map[string]json.RawMessage{"states": json.RawMessage(`{"input":{"assets":["a","b","c"],"n":3},"context":{"Execution":{"Name":"run"}}}`)}
	for b.Loop() {
		if _, err := e.Evaluate(`$merge([{'name': $states.context.Execution.Name}, $states.input.n > 1 ? {'size': $states.input.n} : {}])`, variables); err != nil {
			b.Fatal(err)
		}
	}
}
