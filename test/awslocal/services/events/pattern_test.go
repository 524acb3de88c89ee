package events

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The cases follow the EventBridge user guide, "Comparison operators for use in
// event patterns", operator by operator.
func TestMatch(t *testing.T) {
	const event = `{"source":"livetwin.calibration","account":"000000000000","time":"2026-01-02T03:00:00Z","region":"us-east-1",
		"detail":{"state":"running","cells":["cell-1","cell-2"],"soh":0.795,"count":300,"ip":"10.0.0.17","ok":true,"none":null,"empty":"",
		"list":[],"path":"dir/a.png","jobs":[{"name":"a","code":1},{"name":"b","code":2}],"Deep":{"er":{"x":"y"}}}}`
	for pattern, want := range map[string]bool{
		`{"source":["livetwin.calibration"]}`:                                        true,
		`{"source":["other","livetwin.calibration"]}`:                                true,
		`{"source":["livetwin"]}`:                                                    false,
		`{"source":["livetwin.calibration"],"detail":{"state":["stopped"]}}`:         false,
		`{"detail":{"cells":["cell-2"]}}`:                                            true,
		`{"detail":{"cells":["cell-3"]}}`:                                            false,
		`{"detail":{"count":[300]}}`:                                                 true,
		`{"detail":{"count":[300.0]}}`:                                               false, // by their text
		`{"detail":{"count":["300"]}}`:                                               false,
		`{"detail":{"ok":[true]}}`:                                                   true,
		`{"detail":{"none":[null]}}`:                                                 true,
		`{"detail":{"empty":[""]}}`:                                                  true,
		`{"detail":{"missing":[null]}}`:                                              false,
		`{"time":[{"prefix":"2026-01-02"}]}`:                                         true,
		`{"detail":{"state":[{"prefix":{"equals-ignore-case":"RUN"}}]}}`:             true,
		`{"detail":{"path":[{"suffix":".png"}]}}`:                                    true,
		`{"detail":{"path":[{"suffix":{"equals-ignore-case":".PNG"}}]}}`:             true,
		`{"detail":{"state":[{"equals-ignore-case":"RUNNING"}]}}`:                    true,
		`{"detail":{"path":[{"wildcard":"dir/*.png"}]}}`:                             true,
		`{"detail":{"path":[{"wildcard":"*/b*"}]}}`:                                  false,
		`{"detail":{"path":[{"wildcard":"d*r/*.p*"}]}}`:                              true,
		`{"detail":{"state":[{"anything-but":"stopped"}]}}`:                          true,
		`{"detail":{"state":[{"anything-but":["running","stopped"]}]}}`:              false,
		`{"detail":{"count":[{"anything-but":[100,200]}]}}`:                          true,
		`{"detail":{"state":[{"anything-but":{"prefix":"run"}}]}}`:                   false,
		`{"detail":{"state":[{"anything-but":{"suffix":["ed","ng"]}}]}}`:             false,
		`{"detail":{"state":[{"anything-but":{"equals-ignore-case":"RUNNING"}}]}}`:   false,
		`{"detail":{"path":[{"anything-but":{"wildcard":"*.jpg"}}]}}`:                true,
		`{"detail":{"missing":[{"anything-but":"x"}]}}`:                              false,
		`{"detail":{"soh":[{"numeric":["<",0.8]}]}}`:                                 true,
		`{"detail":{"soh":[{"numeric":[">",0,"<=",0.7]}]}}`:                          false,
		`{"detail":{"count":[{"numeric":["=",3e2]}]}}`:                               true,
		`{"detail":{"ip":[{"cidr":"10.0.0.0/24"}]}}`:                                 true,
		`{"detail":{"ip":[{"cidr":"10.0.1.0/24"}]}}`:                                 false,
		`{"detail":{"state":[{"exists":true}]}}`:                                     true,
		`{"detail":{"missing":[{"exists":false}]}}`:                                  true,
		`{"detail":{"state":[{"exists":false}]}}`:                                    false,
		`{"absent":{"deep":[{"exists":false}]}}`:                                     true,
		`{"detail":{"list":[{"exists":true}]}}`:                                      false,
		`{"detail":{"Deep":[{"exists":true}]}}`:                                      false, // leaves only
		`{"detail":{"Deep":{"er":{"x":["y"]}}}}`:                                     true,
		`{"detail":{"jobs":{"name":["a"],"code":[1]}}}`:                              true,
		`{"detail":{"jobs":{"name":["a"],"code":[2]}}}`:                              false, // not one and the same element
		`{"$or":[{"source":["x"]},{"detail":{"state":["running"]}}]}`:                true,
		`{"region":["us-east-1"],"$or":[{"source":["x"]},{"source":["y"]}]}`:         false,
		`{"detail":{"$or":[{"state":["stopped"]},{"count":[{"numeric":[">",1]}]}]}}`: true,
		`{"detail":{"state":["stopped",{"prefix":"run"}]}}`:                          true,
	} {
		p, err := parsePattern([]byte(pattern))
		require.NoError(t, err, pattern)
		v, err := decode([]byte(event))
		require.NoError(t, err)
		assert.Equal(t, want, p.match(v.(map[string]any)), pattern)
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		`{}`:                                     "empty object",
		`[]`:                                     "must be a JSON object",
		`{"a":"b"}`:                              "a: must be an object or an array",
		`{"a":[]}`:                               "a: an empty array",
		`{"a":{"b":{}}}`:                         "a.b: an empty object",
		`{"a":[{"like":"b"}]}`:                   "a[0]: like: unrecognized match type",
		`{"a":[{"numeric":["<"]}]}`:              "numeric",
		`{"a":[{"numeric":["~",1]}]}`:            "numeric",
		`{"a":[{"numeric":["<",6e9]}]}`:          "outside",
		`{"a":[{"prefix":1}]}`:                   "prefix: must be a string",
		`{"a":[{"prefix":"a","suffix":"b"}]}`:    "exactly one operator",
		`{"a":[{"exists":"yes"}]}`:               "exists",
		`{"a":[{"cidr":"10.0.0.0"}]}`:            "CIDR",
		`{"a":[{"wildcard":"a**b"}]}`:            "consecutive wildcard",
		`{"a":[{"wildcard":"a\\b"}]}`:            "escape",
		`{"a":[["b"]]}`:                          "array inside an array",
		`{"a":[{"anything-but":[true]}]}`:        "strings or numbers",
		`{"a":[{"anything-but":{"numeric":1}}]}`: "unsupported inside anything-but",
		`{"a":["b"]} x`:                          "not valid",
	} {
		_, err := parsePattern([]byte(pattern))
		require.ErrorContains(t, err, want, pattern)
	}
}

// A wildcard that is made of a text, with stars in place of parts of it, matches
// the text.
func TestWildcardMatchesWhatItWasMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[ab]{1,3}`), 1, 6).Draw(t, "parts")
		text, pattern := "", ""
		for i, p := range parts {
			text += p
			if star := i%2 == 1; star {
				pattern += "*"
			} else {
				pattern += p
			}
		}
		f, err := compileWildcard(pattern)
		require.NoError(t, err)
		require.True(t, f(text), "%s does not match %s", pattern, text)
	})
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"a":[{"prefix":"b"}],"$or":[{"c":["d"]},{"e":[1]}]}`, `{"a":"bc","c":["d"]}`)
	f.Fuzz(func(_ *testing.T, pattern, event string) {
		p, err := parsePattern([]byte(pattern))
		if err != nil {
			return
		}
		if v, err := decode([]byte(event)); err == nil {
			if object, ok := v.(map[string]any); ok {
				_ = fmt.Sprint(p.match(object))
			}
		}
	})
}
