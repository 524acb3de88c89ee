package gateway

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"hash/crc32"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/gateway/sigv4"
	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// protocols of services whose errors may have to be told before the request
// could be decoded; the others speak REST with JSON.
var (
	xmlServices = map[string]bool{"s3": true, "sns": true, "sts": true, "cloudformation": true, "iam": true}
	rpcServices = map[string]bool{"dynamodb": true, "events": true, "states": true, "ssm": true, "sqs": true, "logs": true}
)

// notImplemented is a refusal by name. Its status is 400, so that no SDK tries
// again.
func notImplemented(format string, args ...any) *kernel.Error {
	return kernel.Errorf(http.StatusBadRequest, "NotImplementedException", format, args...)
}

// denial turns the authority's no into the service's own error.
func denial(service string, err error) error {
	d, ok := errors.AsType[*iam.Denied](err)
	if !ok {
		return err
	}
	switch {
	case service == "sns":
		return &kernel.Error{Status: http.StatusForbidden, Code: "AuthorizationError", Message: d.Error()}
	case xmlServices[service]:
		return &kernel.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: d.Error()}
	case rpcServices[service]:
		return &kernel.Error{Status: http.StatusBadRequest, Code: "AccessDeniedException", Message: d.Error()}
	}
	return &kernel.Error{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: d.Error()}
}

// signatureError turns a signature's error into the service's own.
func signatureError(service string, err error) error {
	e, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		return err
	}
	var codes [2]string // of services that speak XML, and of the others
	switch e.Kind {
	case sigv4.Missing:
		codes = [2]string{"AccessDenied", "MissingAuthenticationTokenException"}
	case sigv4.Malformed:
		codes = [2]string{"AuthorizationHeaderMalformed", "IncompleteSignatureException"}
	case sigv4.Unknown:
		codes = [2]string{"InvalidAccessKeyId", "UnrecognizedClientException"}
		if service != "s3" {
			codes[0] = "InvalidClientTokenId"
		}
	case sigv4.Token:
		codes = [2]string{"InvalidToken", "UnrecognizedClientException"}
	case sigv4.Mismatch:
		codes = [2]string{"SignatureDoesNotMatch", "InvalidSignatureException"}
	case sigv4.Expired:
		codes = [2]string{"RequestTimeTooSkewed", "InvalidSignatureException"}
	}
	code := codes[1]
	if xmlServices[service] {
		code = codes[0]
	}
	return &kernel.Error{Status: http.StatusForbidden, Code: code, Message: e.Message}
}

// guess names the service that an unsigned request is probably for: AWS knows
// it from the host. SDKs name the API that they call.
func guess(r *http.Request) string {
	if r.Header.Get("X-Amz-Target") != "" {
		return ""
	}
	if _, api, ok := strings.Cut(r.UserAgent(), " api/"); ok && !strings.HasPrefix(api, "s3#") {
		return ""
	}
	return "s3"
}

// reject writes an error in the form of the service's protocol.
func reject(w http.ResponseWriter, service string, err error) {
	e, ok := errors.AsType[*kernel.Error](err)
	if !ok {
		slog.Error("a request failed", "service", service, "error", err)
		e = kernel.Errorf(http.StatusInternalServerError, "InternalFailure", "%v", err)
	}
	if xmlServices[service] {
		WriteXMLError(w, service, e)
		return
	}
	WriteJSONError(w, e)
}

// WriteJSONError writes an error as the services with JSON protocols do.
func WriteJSONError(w http.ResponseWriter, e *kernel.Error) {
	body := map[string]any{"__type": e.Code, "message": e.Message}
	maps.Copy(body, e.Fields)
	data, err := json.Marshal(body)
	if err != nil { // a field that JSON cannot hold must not hide the error itself
		data = []byte(`{"__type":"` + e.Code + `"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("X-Amzn-Errortype", e.Code)
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(data)), 10)) // DynamoDB's clients want it
	w.WriteHeader(e.Status)
	_, _ = w.Write(data) //nolint:errcheck,gosec // marshalled JSON; the client is gone; nobody is left to tell
}

// WriteXMLError writes an error as S3 and the services with the query protocol
// do.
func WriteXMLError(w http.ResponseWriter, service string, e *kernel.Error) {
	type fault struct {
		XMLName xml.Name `xml:"Error"`
		Type    string   `xml:",omitempty"`
		Code    string
		Message string
	}
	f := fault{Code: e.Code, Message: e.Message}
	var doc any = f
	if service != "s3" {
		f.Type = "Sender"
		doc = struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Error     fault
			RequestID string `xml:"RequestId"`
		}{Error: f, RequestID: w.Header().Get("X-Amzn-Requestid")}
	}
	data, err := xml.Marshal(doc)
	if err != nil {
		data = []byte("<Error><Code>" + e.Code + "</Code></Error>")
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.Status)
	_, _ = w.Write(append([]byte(xml.Header), data...)) //nolint:errcheck,gosec // marshalled XML; the client is gone; nobody is left to tell
}
