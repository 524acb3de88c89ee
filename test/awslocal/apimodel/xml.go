package apimodel

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// xml renders an output of the query protocol. The request id is the one that
// the gateway has put into the header X-Amzn-Requestid.
func (s *Service) xml(w http.ResponseWriter, op *operation, wire []byte) ([]byte, error) {
	x := xmlWriter{}
	x.raw("<" + op.name + `Response xmlns="` + s.namespace + `">`)
	if op.output != nil {
		wrapper := op.resultWrapper
		if wrapper != "" {
			x.raw("<" + wrapper + ">")
		}
		if err := x.structure(op.output, wire); err != nil {
			return nil, fmt.Errorf("answer of %s:%s: %w", s.name, op.name, err)
		}
		if wrapper != "" {
			x.raw("</" + wrapper + ">")
		}
	}
	x.raw("<ResponseMetadata><RequestId>")
	x.text(w.Header().Get("X-Amzn-Requestid"))
	x.raw("</RequestId></ResponseMetadata></" + op.name + "Response>")
	return x.Bytes(), nil
}

func (s *Service) xmlError(w http.ResponseWriter, status int, code, message string) {
	fault := "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	x := xmlWriter{}
	x.raw(`<ErrorResponse xmlns="` + s.namespace + `"><Error><Type>` + fault + "</Type><Code>")
	x.text(code)
	x.raw("</Code><Message>")
	x.text(message)
	x.raw("</Message></Error><RequestId>")
	x.text(w.Header().Get("X-Amzn-Requestid"))
	x.raw("</RequestId></ErrorResponse>")
	_ = write(w, status, s.contentType, x.Bytes()) //nolint:errcheck // the client is gone; nobody is left to tell
}

// An xmlWriter writes checked JSON as XML, led by shapes.
type xmlWriter struct{ bytes.Buffer }

func (x *xmlWriter) raw(s string) { _, _ = x.WriteString(s) }

func (x *xmlWriter) text(s string) {
	_ = xml.EscapeText(&x.Buffer, []byte(s)) //nolint:errcheck // a buffer takes everything
}

func (x *xmlWriter) structure(s *shape, raw []byte) error {
	values, err := object(raw)
	if err != nil {
		return err
	}
	for _, m := range s.members {
		v, ok := values[m.wire]
		if !ok {
			continue
		}
		if err := x.element(m.wire, m.shape, v, m.flattened); err != nil {
			return err
		}
	}
	return nil
}

func (x *xmlWriter) element(name string, s *shape, v jsontext.Value, flattened bool) error {
	if s.kind == kindList && flattened {
		return x.list(name, s, v)
	}
	x.raw("<" + name + ">")
	var err error
	switch s.kind { //nolint:exhaustive // the others are written as they are
	case kindStructure:
		err = x.structure(s, v)
	case kindList:
		elem := s.elemName
		if elem == "" {
			elem = "member"
		}
		err = x.list(elem, s, v)
	case kindMap:
		err = x.dictionary(s, v)
	case kindTimestamp:
		x.time(v)
	default:
		if v.Kind() == '"' {
			x.text(string(unquote(v)))
		} else {
			x.raw(string(v))
		}
	}
	x.raw("</" + name + ">")
	return err
}

// time writes a checked timestamp: ISO 8601 is XML's default format.
func (x *xmlWriter) time(v jsontext.Value) {
	if t, err := parseEpoch(string(v)); err == nil {
		v = t.append(nil, formatISO)
	}
	x.text(string(unquote(v)))
}

func (x *xmlWriter) list(name string, s *shape, raw []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(raw)))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := x.element(name, s.elem, v, false); err != nil {
			return err
		}
	}
	return nil
}

func (x *xmlWriter) dictionary(s *shape, raw []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(raw)))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	keyName, valueName := s.keyName, s.elemName
	if keyName == "" {
		keyName = "key"
	}
	if valueName == "" {
		valueName = "value"
	}
	for dec.PeekKind() != '}' {
		k, err := dec.ReadValue()
		if err != nil {
			return err
		}
		x.raw("<entry><" + keyName + ">")
		x.text(string(unquote(k)))
		x.raw("</" + keyName + ">")
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := x.element(valueName, s.elem, v, false); err != nil {
			return err
		}
		x.raw("</entry>")
	}
	return nil
}
