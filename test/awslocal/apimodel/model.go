package apimodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// ErrUnknownService reports a service that no model describes.
var ErrUnknownService = errors.New("apimodel: unknown service")

// Models are the models of one folder, read when they are first asked for.
type Models struct {
	services map[string]func() (*Service, error)
}

// Load finds the models below dir. Their files are read by Service, so that a
// start does not wait for services nobody calls.
func Load(dir string) (*Models, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "api-2.json"))
	if err != nil {
		return nil, fmt.Errorf("find API models in %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("find API models: no {service}/{version}/api-2.json in %s; run go run ./cmd/fetchmodels: %w", dir, fs.ErrNotExist)
	}
	slices.Sort(files)
	overlays, err := loadOverlays()
	if err != nil {
		return nil, err
	}
	m := &Models{services: make(map[string]func() (*Service, error), len(files))}
	for _, file := range files { // a later version replaces an earlier one
		name := filepath.Base(filepath.Dir(filepath.Dir(file)))
		m.services[name] = sync.OnceValues(func() (*Service, error) { return loadService(name, file, overlays[name]) })
	}
	return m, nil
}

// Names lists the services that have a model, sorted.
func (m *Models) Names() []string { return slices.Sorted(maps.Keys(m.services)) }

// Service returns the service with the given model name, such as iotsitewise,
// or an error that wraps ErrUnknownService.
func (m *Models) Service(name string) (*Service, error) {
	load, ok := m.services[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s has no API model here", ErrUnknownService, name)
	}
	return load()
}

// protocol is a wire protocol.
type protocol int

const (
	restJSON protocol = iota
	jsonRPC
	query
)

// A Service is one service's compiled model. It is safe for concurrent use.
type Service struct {
	name         string
	protocol     protocol
	contentType  string // of requests and responses, JSON protocols
	targetPrefix string // of X-Amz-Target, json protocol
	namespace    string // of XML responses, query protocol
	queryCodes   bool   // awsQueryCompatible: errors carry x-amzn-query-error
	validation   string // error code of an input that breaks the model
	operations   map[string]*operation
	routes       *router // rest-json
	shapes       *compiler
}

type operation struct {
	name          string
	method, uri   string
	status        int // of a success
	input         *shape
	output        *shape
	resultWrapper string
	hostPrefix    string
	refused       string // why no request of this operation can be read; empty when it can
}

// Name is the model's name.
func (s *Service) Name() string { return s.name }

// Operations lists the names of all operations of the model, sorted.
func (s *Service) Operations() []string { return slices.Sorted(maps.Keys(s.operations)) }

// HasOperation reports whether the model, with its overlay, has an operation.
func (s *Service) HasOperation(name string) bool {
	_, ok := s.operations[name]
	return ok
}

// rawModel is an api-2.json.
type rawModel struct {
	Metadata   rawMetadata             `json:"metadata"`
	Operations map[string]rawOperation `json:"operations"`
	Shapes     map[string]*rawShape    `json:"shapes"`
}

type rawMetadata struct {
	JSONVersion          string          `json:"jsonVersion"`
	Protocol             string          `json:"protocol"`
	TargetPrefix         string          `json:"targetPrefix"`
	XMLNamespace         string          `json:"xmlNamespace"`
	AWSQueryCompatible   json.RawMessage `json:"awsQueryCompatible"`
	ServiceFullName      string          `json:"serviceFullName"`
	SignatureSigningName string          `json:"signingName"`
}

type rawOperation struct {
	Name string `json:"name"`
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input    *rawRef `json:"input"`
	Output   *rawRef `json:"output"`
	Endpoint struct {
		HostPrefix string `json:"hostPrefix"`
	} `json:"endpoint"`
}

// rawRef is a reference to a shape, from an operation or as a member.
type rawRef struct {
	Shape           string `json:"shape"`
	Location        string `json:"location"`
	LocationName    string `json:"locationName"`
	TimestampFormat string `json:"timestampFormat"`
	Flattened       bool   `json:"flattened"`
	Streaming       bool   `json:"streaming"`
	JSONValue       bool   `json:"jsonvalue"`
	ResultWrapper   string `json:"resultWrapper"`
}

type rawShape struct {
	Type            string            `json:"type"`
	Members         map[string]rawRef `json:"members"`
	Required        []string          `json:"required"`
	Min             *json.Number      `json:"min"`
	Max             *json.Number      `json:"max"`
	Pattern         string            `json:"pattern"`
	Enum            []string          `json:"enum"`
	Member          *rawRef           `json:"member"`
	Key             *rawRef           `json:"key"`
	Value           *rawRef           `json:"value"`
	Payload         string            `json:"payload"`
	Union           bool              `json:"union"`
	Document        bool              `json:"document"`
	Flattened       bool              `json:"flattened"`
	EventStream     bool              `json:"eventstream"`
	Streaming       bool              `json:"streaming"`
	TimestampFormat string            `json:"timestampFormat"`
	Exception       bool              `json:"exception"`
	Fault           bool              `json:"fault"`
	Error           *rawError         `json:"error"`
}

type rawError struct {
	Code           string `json:"code"`
	HTTPStatusCode int    `json:"httpStatusCode"`
}

func loadService(name, file string, o overlay) (*Service, error) {
	data, err := os.ReadFile(file) //nolint:gosec // a model of the module cache
	if err != nil {
		return nil, fmt.Errorf("read the API model of %s: %w", name, err)
	}
	var raw rawModel
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("read the API model of %s from %s: %w", name, file, err)
	}
	if err := o.apply(&raw); err != nil {
		return nil, fmt.Errorf("complete the API model of %s: %w", name, err)
	}
	s, err := newService(name, &raw, o)
	if err != nil {
		return nil, fmt.Errorf("compile the API model of %s from %s: %w", name, file, err)
	}
	return s, nil
}

func newService(name string, raw *rawModel, o overlay) (*Service, error) {
	s := &Service{
		name:         name,
		targetPrefix: raw.Metadata.TargetPrefix,
		namespace:    raw.Metadata.XMLNamespace,
		queryCodes:   raw.Metadata.AWSQueryCompatible != nil,
		validation:   o.ValidationError,
		operations:   make(map[string]*operation, len(raw.Operations)),
		shapes:       newCompiler(raw.Shapes),
	}
	if s.validation == "" {
		s.validation = "ValidationException"
	}
	switch raw.Metadata.Protocol {
	case "rest-json":
		s.protocol, s.contentType = restJSON, "application/json"
	case "json":
		s.protocol, s.contentType = jsonRPC, "application/x-amz-json-"+raw.Metadata.JSONVersion
	case "query":
		s.protocol, s.contentType = query, "text/xml"
	default:
		return nil, fmt.Errorf("protocol %q is not supported; rest-json, json and query are", raw.Metadata.Protocol)
	}
	for opName, r := range raw.Operations {
		op := &operation{name: opName, method: r.HTTP.Method, uri: r.HTTP.RequestURI, status: r.HTTP.ResponseCode, hostPrefix: r.Endpoint.HostPrefix}
		if op.status == 0 {
			op.status = 200
		}
		var err error
		if r.Input != nil {
			if op.input, err = s.shapes.compile(r.Input.Shape); err != nil {
				return nil, fmt.Errorf("input of %s: %w", opName, err)
			}
		}
		if r.Output != nil {
			op.resultWrapper = r.Output.ResultWrapper
			if op.output, err = s.shapes.compile(r.Output.Shape); err != nil {
				return nil, fmt.Errorf("output of %s: %w", opName, err)
			}
			if op.output.eventStream() {
				op.refused = "its answer is an event stream"
			}
		}
		s.operations[opName] = op
	}
	for shapeName, r := range raw.Shapes { // errors are looked up by code, from any goroutine
		if !r.Exception && r.Error == nil {
			continue
		}
		if _, err := s.shapes.compile(shapeName); err != nil {
			return nil, err
		}
	}
	if s.protocol == restJSON {
		s.routes = newRouter(s.operations)
	}
	return s, nil
}
