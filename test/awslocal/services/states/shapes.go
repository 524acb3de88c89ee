package states

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Shapes translates between the names that definitions use, which begin with a
// capital, and those of the API models, some of which do not: it knows which
// objects are structures and which are maps, whose keys are data.
type Shapes struct {
	dir string

	mu     sync.Mutex
	models map[string]*model
}

type model struct {
	Operations map[string]struct {
		Input, Output *struct {
			Shape string `json:"shape"`
		}
	} `json:"operations"`
	Shapes map[string]shape `json:"shapes"`
}

type shape struct {
	Type    string               `json:"type"`
	Members map[string]shapeName `json:"members"`
	Member  shapeName            `json:"member"`
	Value   shapeName            `json:"value"`
}

type shapeName struct {
	Shape string `json:"shape"`
}

// NewShapes reads API models lazily from a folder that holds them as
// {service}/{version}/api-2.json.
func NewShapes(dir string) *Shapes { return &Shapes{dir: dir, models: map[string]*model{}} }

func (s *Shapes) model(service string) (*model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.models[service]; ok {
		return m, nil
	}
	files, err := filepath.Glob(filepath.Join(s.dir, service, "*", "api-2.json"))
	if err != nil {
		return nil, fmt.Errorf("find the API model of %s: %w", service, err)
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("service %s has %d API models in %s, want 1", service, len(files), s.dir)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return nil, fmt.Errorf("API model: %w", err)
	}
	m := &model{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", files[0], err)
	}
	s.models[service] = m
	return m, nil
}

// Input translates a definition's arguments into an operation's input. A field
// that the operation does not have is an error that names it.
func (s *Shapes) Input(service, operation string, arguments json.RawMessage) (json.RawMessage, error) {
	return s.translate(service, operation, arguments, true)
}

// Output translates an operation's output into a task's result: names begin
// with a capital, timestamps are RFC 3339.
func (s *Shapes) Output(service, operation string, output json.RawMessage) (json.RawMessage, error) {
	return s.translate(service, operation, output, false)
}

// Has reports why an operation does not exist.
func (s *Shapes) Has(service, operation string) error {
	m, err := s.model(service)
	if err != nil {
		return err
	}
	if _, ok := m.Operations[operation]; !ok {
		return fmt.Errorf("service %s has no operation %s", service, operation)
	}
	return nil
}

func (s *Shapes) translate(service, operation string, text json.RawMessage, in bool) (json.RawMessage, error) {
	if err := s.Has(service, operation); err != nil {
		return nil, err
	}
	m, err := s.model(service)
	if err != nil {
		return nil, err
	}
	o := m.Operations[operation]
	side := o.Output
	if in {
		side = o.Input
	}
	if side == nil {
		return json.RawMessage(`{}`), nil
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%s:%s: %w", service, operation, err)
	}
	t := translation{m: m, in: in}
	v, err = t.value(v, side.Shape, "")
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// A translation renames the members of one value.
type translation struct {
	m  *model
	in bool
}

func (t translation) value(v any, name, path string) (any, error) {
	sh := t.m.Shapes[name]
	switch v := v.(type) {
	case map[string]any:
		return t.object(v, sh, path)
	case []any:
		for i := range v {
			x, err := t.value(v[i], sh.Member.Shape, fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, err
			}
			v[i] = x
		}
		return v, nil
	case json.Number:
		if sh.Type == "timestamp" && !t.in {
			seconds, err := v.Float64()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return time.UnixMilli(int64(math.Round(seconds * 1e3))).UTC().Format("2006-01-02T15:04:05.000Z"), nil
		}
	case string:
		if sh.Type == "timestamp" && t.in {
			at, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return nil, fmt.Errorf("%s is %q, want an RFC 3339 time", path, v)
			}
			return float64(at.UnixMilli()) / 1e3, nil
		}
	}
	return v, nil
}

func (t translation) object(v map[string]any, sh shape, path string) (any, error) {
	out := make(map[string]any, len(v))
	for k, member := range v {
		where := path + "/" + k
		name, to := sh.Value.Shape, k
		if sh.Type != "map" {
			inModel, ok := sh.member(k)
			if !ok && t.in {
				return nil, fmt.Errorf("the field %q is not supported by Step Functions", strings.TrimPrefix(where, "/"))
			}
			name = sh.Members[inModel].Shape
			if to = inModel; !t.in {
				to = capital(k)
			}
		}
		x, err := t.value(member, name, where)
		if err != nil {
			return nil, err
		}
		out[to] = x
	}
	return out, nil
}

// member is the model's name of a member that begins with a capital here.
func (s shape) member(name string) (string, bool) {
	if _, ok := s.Members[name]; ok {
		return name, true
	}
	r, n := utf8.DecodeRuneInString(name)
	small := string(unicode.ToLower(r)) + name[n:]
	_, ok := s.Members[small]
	return small, ok
}

func capital(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r)) + name[n:]
}

// accepts reports whether an operation has an input member of the name that a
// definition uses.
func (s *Shapes) accepts(service, operation, name string) bool {
	m, err := s.model(service)
	if err != nil {
		return false
	}
	in := m.Operations[operation].Input
	if in == nil {
		return false
	}
	_, ok := m.Shapes[in.Shape].member(name)
	return ok
}
