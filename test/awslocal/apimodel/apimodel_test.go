package apimodel_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel"
	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// used are the models that the endpoint serves.
var used = []string{
	"batch", "cloudformation", "dynamodb", "events", "iotsitewise", "iottwinmaker", "lambda",
	"scheduler", "sns", "sqs", "ssm", "states", "sts",
}

func service(tb testing.TB, name string) *apimodel.Service {
	tb.Helper()
	svc, err := apimodeltest.Models(tb).Service(name)
	require.NoError(tb, err)
	return svc
}

func TestEveryUsedModelCompiles(t *testing.T) {
	models := apimodeltest.Models(t)
	for _, name := range used {
		svc, err := models.Service(name)
		require.NoError(t, err, name)
		assert.NotEmpty(t, svc.Operations(), name)
		assert.Empty(t, svc.UnreadablePatterns(), name)
	}
}

func TestUnknownServiceAndFolder(t *testing.T) {
	_, err := apimodeltest.Models(t).Service("nonesuch")
	require.ErrorIs(t, err, apimodel.ErrUnknownService)
	_, err = apimodel.Load(t.TempDir())
	assert.ErrorContains(t, err, "fetchmodels")
}

func TestDecodeRequest(t *testing.T) {
	form := func(v url.Values) string { return v.Encode() }
	tests := []struct {
		name, service, method, target, amz, body string
		operation, input                         string
	}{
		{
			"rest-json, query string", "iotsitewise", "GET",
			"/properties/history?propertyAlias=%2Fa%2Fb&startDate=2026-01-02T03:04:05.5Z&endDate=1899-12-31T00:00:00Z&maxResults=7&qualities=GOOD", "", "",
			"GetAssetPropertyValueHistory", `{"propertyAlias":"/a/b","startDate":1767323045.5,"endDate":-2209075200,"maxResults":7,"qualities":["GOOD"]}`,
		},
		{
			"rest-json, label", "iotsitewise", "GET", "/assets/externalId%3Asite-1?excludeProperties=true", "", "",
			"DescribeAsset", `{"assetId":"externalId:site-1","excludeProperties":true}`,
		},
		{
			"rest-json, body and label", "iottwinmaker", "POST", "/workspaces/w1/entity-properties/value", "",
			`{"entityId":"e1","componentName":"c1","selectedProperties":["p"]}`,
			"GetPropertyValue", `{"workspaceId":"w1","entityId":"e1","componentName":"c1","selectedProperties":["p"]}`,
		},
		{
			"rest-json, a slash at the end", "iotsitewise", "GET", "/timeseries?aliasPrefix=%2Fx", "", "",
			"ListTimeSeries", `{"aliasPrefix":"/x"}`,
		},
		{
			"rest-json, payload and headers", "lambda", "POST", "/2015-03-31/functions/f/invocations?Qualifier=1", "", `{"a":1}`,
			"Invoke", `{"FunctionName":"f","Qualifier":"1","Payload":"eyJhIjoxfQ==","InvocationType":"Event"}`,
		},
		{
			"json", "states", "POST", "/", "AWSStepFunctions.StartExecution", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:s","input":"{}"}`,
			"StartExecution", `{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:s","input":"{}"}`,
		},
		{
			"query", "sns", "POST", "/", "", form(url.Values{
				"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {"t"}, "Message": {"m & n"},
				"MessageAttributes.entry.1.Name": {"k"}, "MessageAttributes.entry.1.Value.DataType": {"String"},
				"MessageAttributes.entry.1.Value.StringValue": {"v"},
			}),
			"Publish", `{"TopicArn":"t","Message":"m & n","MessageAttributes":{"k":{"DataType":"String","StringValue":"v"}}}`,
		},
		{
			"query, list and number", "sts", "POST", "/", "", form(url.Values{
				"Action": {"AssumeRole"}, "RoleArn": {"arn:aws:iam::000000000000:role/r"}, "RoleSessionName": {"session"},
				"DurationSeconds": {"900"}, "Tags.member.1.Key": {"k"}, "Tags.member.1.Value": {"v"},
			}),
			"AssumeRole", `{"RoleArn":"arn:aws:iam::000000000000:role/r","RoleSessionName":"session","DurationSeconds":900,"Tags":[{"Key":"k","Value":"v"}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			r.Header.Set("X-Amz-Target", tt.amz)
			r.Header.Set("X-Amz-Invocation-Type", "Event")
			operation, input, err := service(t, tt.service).DecodeRequest(r, []byte(tt.body))
			require.NoError(t, err)
			assert.Equal(t, tt.operation, operation)
			assert.JSONEq(t, tt.input, string(input))
		})
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	put := `{"entries":[{"entryId":"e","propertyAlias":"/a","propertyValues":[%s]}]}`
	value := func(v string) string { return strings.Replace(put, "%s", v, 1) }
	tests := []struct{ name, service, method, target, body, code, message string }{
		{"missing member", "iotsitewise", "POST", "/properties", `{}`, "InvalidRequestException", "Value null at 'entries' failed to satisfy constraint: Member must not be null"},
		{"nested missing member", "iotsitewise", "POST", "/properties", value(`{"value":{"doubleValue":1}}`), "InvalidRequestException", "entries.1.member.propertyValues.1.member.timestamp"},
		{"too many", "iotsitewise", "POST", "/properties", value(strings.Repeat(`{"value":{"doubleValue":1},"timestamp":{"timeInSeconds":1}},`, 10) + `{"value":{"doubleValue":1},"timestamp":{"timeInSeconds":1}}`), "InvalidRequestException", "length less than or equal to 10"},
		{"enumeration", "iotsitewise", "POST", "/properties", value(`{"value":{"doubleValue":1},"timestamp":{"timeInSeconds":1},"quality":"FINE"}`), "InvalidRequestException", "enum value set: [GOOD BAD UNCERTAIN]"},
		{"range", "iotsitewise", "POST", "/properties", value(`{"value":{"doubleValue":1},"timestamp":{"timeInSeconds":0}}`), "InvalidRequestException", "greater than or equal to 1"},
		{"pattern is anchored", "iotsitewise", "GET", "/properties/latest?propertyAlias=a%01", "", "InvalidRequestException", "regular expression pattern"},
		{"type", "iotsitewise", "POST", "/properties", value(`{"value":{"doubleValue":"1.5"},"timestamp":{"timeInSeconds":1}}`), "InvalidRequestException", "Member must be a number"},
		{"type of a query parameter", "iotsitewise", "GET", "/properties/history?maxResults=x", "", "InvalidRequestException", "Member must be an integer"},
		{"integer of 32 bits", "iotsitewise", "POST", "/properties", value(`{"value":{"integerValue":2147483648},"timestamp":{"timeInSeconds":1}}`), "InvalidRequestException", "integer of 32 bits"},
		{"unknown member", "iotsitewise", "POST", "/properties", `{"entries":[],"entry":1}`, "InvalidRequestException", "'entry' is not known"},
		{"twinmaker's own error", "iottwinmaker", "POST", "/workspaces/w/entity-properties/value", `{"selectedProperties":[]}`, "ValidationException", "greater than or equal to 1"},
		{"not JSON", "iotsitewise", "POST", "/properties", `{"entries":`, "SerializationException", ""},
		{"two values", "iotsitewise", "POST", "/properties", `{} {}`, "SerializationException", "more follows"},
		{"duplicate member", "iotsitewise", "POST", "/properties", `{"entries":[],"entries":[]}`, "SerializationException", "duplicate"},
		{"no such path", "iotsitewise", "GET", "/nowhere", "", "UnknownOperationException", "GET /nowhere"},
		{"no such target", "states", "POST", "/", "{}", "UnknownOperationException", "AWSStepFunctions.{operation}"},
		{"no such action", "sns", "POST", "/", "Action=Shout", "InvalidAction", "Shout"},
		{"unknown parameter", "sns", "POST", "/", "Action=Publish&Message=m&Colour=red", "InvalidParameterException", "Colour"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			_, _, err := service(t, tt.service).DecodeRequest(r, []byte(tt.body))
			e, ok := errors.AsType[*kernel.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, tt.code, e.Code)
			assert.Contains(t, e.Message, tt.message)
			assert.Less(t, e.Status, 500)
		})
	}
}

func TestEncodeResponse(t *testing.T) {
	tests := []struct {
		name, service, operation, out string
		status                        int
		body                          string
	}{
		{"json", "states", "StartExecution", `{"executionArn":"arn:x","startDate":"2026-01-02T03:04:05Z"}`, 200, `{"executionArn":"arn:x","startDate":1767323045}`},
		{"an output without members", "events", "DeleteRule", `{}`, 200, ``},
		{"status of the model", "lambda", "DeleteFunction", `{}`, 204, ``},
		{"payload and status code", "lambda", "Invoke", `{"StatusCode":202,"Payload":"eyJhIjoxfQ=="}`, 202, `{"a":1}`},
		{
			"query", "sts", "GetCallerIdentity", `{"Account":"000000000000","Arn":"arn:aws:iam::000000000000:user/a"}`, 200,
			`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>000000000000</Account>` +
				`<Arn>arn:aws:iam::000000000000:user/a</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			w.Header().Set("X-Amzn-Requestid", "id-1")
			require.NoError(t, service(t, tt.service).EncodeResponse(w, tt.operation, json.RawMessage(tt.out)))
			assert.Equal(t, tt.status, w.Code)
			assert.Equal(t, tt.body, w.Body.String())
		})
	}
}

func TestEncodeResponseRefusesAnInvalidAnswer(t *testing.T) {
	svc := service(t, "iotsitewise")
	w := httptest.NewRecorder()
	err := svc.EncodeResponse(w, "GetAssetPropertyValueHistory", map[string]any{
		"assetPropertyValueHistory": []any{map[string]any{"value": map[string]any{"doubleValue": 1.5}, "when": 3}},
	})
	require.ErrorContains(t, err, "assetPropertyValueHistory.1.member.timestamp")
	require.ErrorContains(t, err, "'when' is not known")
	assert.Zero(t, w.Body.Len())
}

func TestEncodeError(t *testing.T) {
	tests := []struct {
		name, service string
		err           *kernel.Error
		status        int
		body, header  string
	}{
		{
			"rest-json, status of the model", "iottwinmaker", kernel.Errorf(0, "ConnectorTimeoutException", "slow"), 424, `{"message":"slow"}`, "ConnectorTimeoutException",
		},
		{"rest-json, quota", "iottwinmaker", kernel.Errorf(0, "ServiceQuotaExceededException", "m"), 402, `{"message":"m"}`, "ServiceQuotaExceededException"},
		{"json", "states", kernel.Errorf(400, "ExecutionDoesNotExist", "m"), 400, `{"__type":"ExecutionDoesNotExist","message":"m"}`, "ExecutionDoesNotExist"},
		{
			"further members", "iotsitewise", &kernel.Error{Code: "ResourceAlreadyExistsException", Message: "m", Fields: map[string]any{"resourceId": "r", "resourceArn": "a"}},
			409, `{"message":"m","resourceId":"r","resourceArn":"a"}`, "ResourceAlreadyExistsException",
		},
		{"not of the model", "iotsitewise", kernel.Errorf(403, "AccessDeniedException", "m"), 403, `{"message":"m"}`, "AccessDeniedException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			service(t, tt.service).EncodeError(w, tt.err)
			assert.Equal(t, tt.status, w.Code)
			assert.JSONEq(t, tt.body, w.Body.String())
			assert.Equal(t, tt.header, w.Header().Get("X-Amzn-Errortype"))
		})
	}
	w := httptest.NewRecorder()
	service(t, "sns").EncodeError(w, kernel.Errorf(0, "InvalidParameterException", "a < b"))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, w.Body.String(), "<Code>InvalidParameter</Code><Message>a &lt; b</Message>")
}

// Errors of many requests at once are encoded by one model.
func TestEncodeErrorConcurrently(t *testing.T) {
	svc := service(t, "iottwinmaker")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, code := range []string{"ValidationException", "ConnectorFailureException", "TooManyTagsException", "NotOfTheModel"} {
				svc.EncodeError(httptest.NewRecorder(), kernel.Errorf(0, code, "m"))
			}
		})
	}
	all.Wait()
}

func FuzzDecodeRequest(f *testing.F) {
	for _, name := range used {
		f.Add(name, "GET", "/properties/history?maxResults=1&startDate=x", "", `{"entries":[{}]}`)
	}
	f.Add("states", "POST", "/", "AWSStepFunctions.StartExecution", `{"stateMachineArn":1}`)
	f.Add("sns", "POST", "/", "", "Action=Publish&MessageAttributes.entry.1.Name=x")
	f.Add("lambda", "POST", "/2015-03-31/functions/f/invocations", "", "\xff\xfe")
	f.Add("iottwinmaker", "PUT", "/workspaces/w/entities/e", "", `{"componentUpdates":{"a":{"propertyUpdates":{"p":{"value":{"listValue":[{"mapValue":{}}]}}}}}}`)
	models := apimodeltest.Models(f)
	f.Fuzz(func(t *testing.T, name, method, target, amz, body string) {
		svc, err := models.Service(name)
		if err != nil {
			t.Skip("no such service")
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Skip("no request line could hold it")
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{"X-Amz-Target": {amz}, "X-Amz-Meta": {amz}}}
		operation, input, err := svc.DecodeRequest(r, []byte(body))
		if err != nil {
			e, ok := errors.AsType[*kernel.Error](err)
			if !ok || e.Status < 400 || e.Status >= 500 {
				t.Fatalf("%v is no client error", err)
			}
			return
		}
		if !json.Valid(input) {
			t.Fatalf("%s: %q is not JSON", operation, input)
		}
		if name != "lambda" { // its payload is bound to the body; all others read their own answer again
			again, err := svc.CheckInput(operation, input)
			if err != nil {
				t.Fatalf("%s: a checked input %s is refused: %v", operation, input, err)
			}
			if string(again) != string(input) {
				t.Fatalf("%s: %s became %s", operation, input, again)
			}
		}
	})
}
