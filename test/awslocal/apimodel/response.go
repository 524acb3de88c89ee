package apimodel

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// CheckOutput marshals the output of an operation, unless it is JSON already,
// and checks it against the model. The result is by the model's member names,
// for callers inside the endpoint. An error says which member of our own answer
// is wrong.
func (s *Service) CheckOutput(operation string, out any) (json.RawMessage, error) {
	op, ok := s.operations[operation]
	if !ok {
		return nil, fmt.Errorf("%s has no operation %s", s.name, operation)
	}
	raw, err := marshal(out)
	if err != nil {
		return nil, fmt.Errorf("answer of %s:%s: %w", s.name, operation, err)
	}
	if op.output == nil {
		return json.RawMessage("{}"), nil
	}
	if _, err := s.checkOutput(op, raw); err != nil {
		return nil, err
	}
	return raw, nil
}

func marshal(out any) (json.RawMessage, error) {
	raw, ok := out.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(out); err != nil {
			return nil, err
		}
	}
	if t := bytes.TrimSpace(raw); len(t) == 0 || string(t) == "null" {
		return json.RawMessage("{}"), nil
	}
	return raw, nil
}

// checkOutput returns raw by wire names.
func (s *Service) checkOutput(op *operation, raw []byte) ([]byte, error) {
	wire, violations, err := check(raw, op.output, true)
	if err != nil {
		return nil, fmt.Errorf("answer of %s:%s is not JSON: %w", s.name, op.name, err)
	}
	if len(violations) > 0 {
		return nil, fmt.Errorf("answer of %s:%s breaks the API model: %s", s.name, op.name, strings.Join(violations, "; "))
	}
	return wire, nil
}

// EncodeResponse writes the output of an operation, marshalled to JSON by the
// model's member names, in the service's protocol. When the output breaks the
// model it writes nothing and returns an error that names the members; the
// caller logs it and answers 500.
func (s *Service) EncodeResponse(w http.ResponseWriter, operation string, out any) error {
	op, ok := s.operations[operation]
	if !ok {
		return fmt.Errorf("%s has no operation %s", s.name, operation)
	}
	raw, err := marshal(out)
	if err != nil {
		return fmt.Errorf("answer of %s:%s: %w", s.name, operation, err)
	}
	wire := []byte("{}")
	if op.output != nil {
		if wire, err = s.checkOutput(op, raw); err != nil {
			return err
		}
	}
	switch {
	case s.protocol == query:
		doc, err := s.xml(w, op, wire)
		if err != nil {
			return err
		}
		return write(w, op.status, s.contentType, doc)
	case s.protocol == jsonRPC && op.output == nil:
		return write(w, op.status, s.contentType, nil)
	case s.protocol == restJSON && (op.output == nil || op.status == http.StatusNoContent):
		w.WriteHeader(op.status)
		return nil
	case s.protocol == restJSON && op.output.bound():
		return s.encodeBound(w, op, wire)
	default:
		return write(w, op.status, s.contentType, wire)
	}
}

// encodeBound writes an output some members of which live outside the body.
func (s *Service) encodeBound(w http.ResponseWriter, op *operation, wire []byte) error {
	values, err := object(wire)
	if err != nil {
		return fmt.Errorf("answer of %s:%s: %w", s.name, op.name, err)
	}
	status, body := op.status, []byte(nil)
	rest := []byte{'{'}
	for _, m := range op.output.members {
		v, ok := values[m.wire]
		if !ok {
			continue
		}
		switch {
		case m == op.output.payload:
			body = v
			if m.shape.kind == kindBlob {
				if body, err = base64.StdEncoding.DecodeString(string(unquote(v))); err != nil {
					return fmt.Errorf("answer of %s:%s: member %s: %w", s.name, op.name, m.name, err)
				}
			}
		case m.location == "statusCode":
			if status, err = strconv.Atoi(string(v)); err != nil {
				return fmt.Errorf("answer of %s:%s: member %s: %w", s.name, op.name, m.name, err)
			}
		case m.location == "header":
			w.Header().Set(m.locName, string(unquote(v)))
		case m.location == "headers":
			entries, err := object(v)
			if err != nil {
				return fmt.Errorf("answer of %s:%s: member %s: %w", s.name, op.name, m.name, err)
			}
			for k, e := range entries {
				w.Header().Set(m.locName+k, string(unquote(e)))
			}
		default:
			rest = append(append(append(append(rest, '"'), m.wire...), '"', ':'), v...)
			rest = append(rest, ',')
		}
	}
	contentType := s.contentType
	if op.output.payload == nil {
		body = append(bytes.TrimSuffix(rest, []byte(",")), '}')
	} else if op.output.payload.shape.kind == kindBlob && w.Header().Get("Content-Type") != "" {
		contentType = w.Header().Get("Content-Type")
	}
	return write(w, status, contentType, body)
}

// object splits a JSON object into its members.
func object(raw []byte) (map[string]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	values := make(map[string]jsontext.Value)
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		key := string(unquote(name))
		v, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		values[key] = bytes.Clone(v)
	}
	return values, nil
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// EncodeError writes e as the service's clients expect it: the code in header
// and body, the status and the spelling of the message as the model says.
func (s *Service) EncodeError(w http.ResponseWriter, e *kernel.Error) {
	code, status, message := e.Code, e.Status, "message"
	if sh, ok := s.shapes.done[e.Code]; ok && sh.exception {
		if status == 0 {
			status = sh.statusCode
		}
		for _, m := range sh.members {
			if strings.EqualFold(m.name, "message") {
				message = m.wire
			}
		}
		if s.protocol == query && sh.errorCode != "" {
			code = sh.errorCode
		}
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	if s.protocol == query {
		s.xmlError(w, status, code, e.Message)
		return
	}
	body := map[string]any{}
	maps.Copy(body, e.Fields)
	body[message] = e.Message
	if s.protocol == jsonRPC {
		body["__type"] = code
		if s.queryCodes {
			fault := "Sender"
			if status >= http.StatusInternalServerError {
				fault = "Receiver"
			}
			w.Header().Set("X-Amzn-Query-Error", code+";"+fault)
		}
	}
	w.Header().Set("X-Amzn-Errortype", code)
	raw, err := json.Marshal(body)
	if err != nil { // a field that JSON cannot hold must not hide the error itself
		raw, _ = json.Marshal(map[string]string{"message": e.Message, "__type": code}) //nolint:errchkjson // strings marshal
	}
	_ = write(w, status, s.contentType, raw) //nolint:errcheck // the client is gone; nobody is left to tell
}
