package dataconnectortest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/dataconnector"
)

// Request returns a request for one property, without a range.
func Request(p dataconnector.PropertyRef) dataconnector.Request {
	request := dataconnector.Request{
		WorkspaceID: p.WorkspaceID, EntityID: p.EntityID, ComponentName: p.ComponentName,
		SelectedProperties: []string{p.PropertyName},
		Properties:         map[string]dataconnector.RequestProperty{p.PropertyName: {}},
	}
	for name, v := range p.Attributes {
		request.Properties[name] = dataconnector.RequestProperty{Value: &v}
	}
	return request
}

// Invoke sends a request through JSON both ways, as the Lambda runtime does,
// and requires an answer.
func Invoke(t *testing.T, handler *dataconnector.Handler, request dataconnector.Request) dataconnector.Response {
	t.Helper()
	payload, err := json.Marshal(request)
	require.NoError(t, err)
	answer, err := handler.Invoke(t.Context(), payload)
	require.NoError(t, err)
	var resp dataconnector.Response
	require.NoError(t, json.Unmarshal(answer, &resp))
	return resp
}
