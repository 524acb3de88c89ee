package apimodel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// DecodeRequest finds the operation that r asks for and reads its input, with
// body the request's whole body, checked against the model. An error is a
// *kernel.Error in the service's own words, of status 4xx, whatever the bytes;
// operation is set, also with an error, once it is known.
func (s *Service) DecodeRequest(r *http.Request, body []byte) (operation string, input json.RawMessage, err error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" && enc != "aws-chunked" {
		return "", nil, kernel.Errorf(http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException", "the content encoding %s is not supported here", shorten([]byte(enc)))
	}
	switch s.protocol {
	case restJSON:
		return s.decodeREST(r, body)
	case jsonRPC:
		return s.decodeRPC(r, body)
	case query:
	}
	return s.decodeForm(r, body)
}

func (s *Service) decodeRPC(r *http.Request, body []byte) (string, json.RawMessage, error) {
	target := r.Header.Get("X-Amz-Target")
	prefix, name, ok := strings.Cut(target, ".")
	op := s.operations[name]
	if !ok || prefix != s.targetPrefix || op == nil {
		return "", nil, unknownOperation("the X-Amz-Target %q names no operation of %s; %s.{operation} is expected", shorten([]byte(target)), s.name, s.targetPrefix)
	}
	input, err := s.CheckInput(op.name, body)
	return op.name, input, err
}

func unknownOperation(format string, args ...any) error {
	return kernel.Errorf(http.StatusNotFound, "UnknownOperationException", format, args...)
}

// CheckInput checks the input of an operation, an object in the service's JSON
// form, and returns it by the model's member names. Callers inside the endpoint
// use it as DecodeRequest does. An error is a *kernel.Error; empty means {}.
func (s *Service) CheckInput(operation string, input []byte) (json.RawMessage, error) {
	op, ok := s.operations[operation]
	if !ok {
		return nil, unknownOperation("%s has no operation %s", s.name, operation)
	}
	if len(bytes.TrimSpace(input)) == 0 {
		input = []byte("{}")
	}
	if op.input == nil {
		if !json.Valid(input) {
			return nil, malformed(fmt.Errorf("the body is not JSON"))
		}
		return json.RawMessage("{}"), nil
	}
	return s.checkInput(input, op.input)
}

func (s *Service) checkInput(input []byte, of *shape) (json.RawMessage, error) {
	out, violations, err := check(input, of, false)
	if err != nil {
		return nil, malformed(err)
	}
	if len(violations) > 0 {
		return nil, s.invalid(violations)
	}
	return out, nil
}

func malformed(err error) error {
	return kernel.Errorf(http.StatusBadRequest, "SerializationException", "%s", err.Error())
}

// invalid is the service's error for an input that breaks its model.
func (s *Service) invalid(violations []string) error {
	noun := "validation error"
	if len(violations) > 1 {
		noun += "s"
	}
	return kernel.Errorf(http.StatusBadRequest, s.validation, "%d %s detected: %s", len(violations), noun, strings.Join(violations, "; "))
}
