package twinmaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// connectorTimeout is how long TwinMaker waits for a connector, on wall time.
const connectorTimeout = 60 * time.Second

// connectorHistory asks a data connector for time series.
func (s *Service) connectorHistory(ctx context.Context, c *kernel.Call, q *queryRequest, t *target, sp span, reader *function) (*historyReply, error) {
	limit := q.MaxResults
	if limit == 0 {
		limit = historyPage
	}
	event := s.event(t, q.SelectedProperties)
	event["startTime"], event["endTime"] = sp.startText, sp.endText
	event["startDateTime"], event["endDateTime"] = floorSeconds(sp.start), floorSeconds(sp.end) // deprecated, still sent
	event["maxResults"] = limit
	event["orderByTime"] = "ASCENDING"
	if sp.descending {
		event["orderByTime"] = "DESCENDING"
	}
	if len(q.PropertyFilters) > 0 {
		event["propertyFilters"] = q.PropertyFilters
	}
	if q.Interpolation != nil {
		event["interpolation"] = q.Interpolation
	}
	with(event, "nextToken", q.NextToken)
	raw, err := s.invoke(ctx, c, t.workspace, reader.lambda, event)
	if err != nil {
		return nil, err
	}
	if _, err := s.Model.CheckOutput("GetPropertyValueHistory", raw); err != nil {
		return nil, connectorFailure(reader.lambda, "its reply is not valid: %v", err)
	}
	var reply historyReply
	if err := json.Unmarshal(raw, &reply); err != nil {
		return nil, connectorFailure(reader.lambda, "its reply is not valid: %v", err)
	}
	if err := q.checkReply(&reply, t, sp, limit); err != nil {
		return nil, connectorFailure(reader.lambda, "its reply is not valid: %v", err)
	}
	return &reply, nil
}

// event is what all readers are sent: what is asked, and the definition and
// value of every property of the component.
func (s *Service) event(t *target, selected []string) object {
	properties := object{}
	for name, d := range t.definitions() {
		p := object{"definition": d.event()}
		if t.component != nil && t.component.values[name] != nil {
			p["value"] = t.component.values[name]
		}
		properties[name] = p
	}
	o := object{"workspaceId": t.workspace.id, "selectedProperties": selected, "properties": properties}
	if t.entity != nil {
		o["entityId"], o["componentName"] = t.entity.id, t.component.name
	} else {
		o["componentTypeId"] = t.typ.id
	}
	return o
}

// event is a definition as connectors receive it: every flag under two names.
func (d *definition) event() object {
	o := d.describe()
	for long, short := range map[string]string{
		"isTimeSeries": "timeSeries", "isRequiredInEntity": "requiredInEntity", "isExternalId": "externalId",
		"isStoredExternally": "storedExternally", "isImported": "imported", "isFinal": "final", "isInherited": "inherited",
	} {
		o[short] = o[long]
	}
	return o
}

func floorSeconds(t time.Time) int64 { return int64(math.Floor(float64(t.UnixMilli()) / 1e3)) }

// attributes asks a connector for properties that are stored externally and are
// no time series.
func (s *Service) attributes(ctx context.Context, c *kernel.Call, t *target, names []string) (map[string]json.RawMessage, error) {
	reader := t.typ.functions["attributePropertyValueReaderByEntity"]
	if reader == nil {
		return nil, invalid("Component type %s has no function that reads %s", t.typ.id, strings.Join(names, ", "))
	}
	if reader.native {
		return s.nativeAttributes(ctx, t, names)
	}
	raw, err := s.invoke(ctx, c, t.workspace, reader.lambda, s.event(t, names))
	if err != nil {
		return nil, err
	}
	if _, err := s.Model.CheckOutput("GetPropertyValue", raw); err != nil {
		return nil, connectorFailure(reader.lambda, "its reply is not valid: %v", err)
	}
	var reply struct {
		PropertyValues map[string]json.RawMessage `json:"propertyValues"`
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		return nil, connectorFailure(reader.lambda, "its reply is not valid: %v", err)
	}
	for name := range reply.PropertyValues {
		if d := t.definitions()[name]; d == nil || !d.storedExternally || d.timeSeries {
			return nil, connectorFailure(reader.lambda, "its reply has the property %q, which was not asked for", name)
		}
	}
	return reply.PropertyValues, nil
}

// invoke runs a connector as the workspace's role, which must be allowed to.
func (s *Service) invoke(ctx context.Context, c *kernel.Call, w *workspace, lambda string, event object) (json.RawMessage, error) {
	role, err := s.Roles.Assume(w.role, "iottwinmaker.amazonaws.com")
	if err != nil {
		return nil, fmt.Errorf("assume the role of workspace %s: %w", w.id, err)
	}
	if err := c.Authorizer(role, "lambda:InvokeFunction", []string{lambda}); err != nil {
		return nil, err
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("write the event of a connector: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectorTimeout)
	defer cancel()
	result, functionError, err := s.Lambda.InvokeFunction(ctx, lambda, payload)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, connectorTimedOut(lambda, connectorTimeout.String())
	case err != nil:
		return nil, connectorFailure(lambda, "%v", err)
	case functionError != "":
		return nil, failed(lambda, result)
	}
	return result, nil
}

// failed turns a function's error object into TwinMaker's error.
func failed(lambda string, result []byte) error {
	var e struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(result, &e); err != nil || e.Message == "" {
		return connectorFailure(lambda, "it failed without a message")
	}
	if e.Type == "Sandbox.Timedout" || strings.Contains(e.Message, "Task timed out") {
		return connectorTimedOut(lambda, e.Message)
	}
	return connectorFailure(lambda, "%s: %s", e.Type, e.Message)
}

// name is the last part of a function's ARN.
func name(lambda string) string { return lambda[strings.LastIndexByte(lambda, ':')+1:] }

func connectorFailure(lambda, format string, args ...any) error {
	return kernel.Errorf(http.StatusFailedDependency, "ConnectorFailureException", "Data connector %s: %s", name(lambda), fmt.Sprintf(format, args...))
}

func connectorTimedOut(lambda, message string) error {
	return kernel.Errorf(http.StatusFailedDependency, "ConnectorTimeoutException", "Data connector %s did not answer in time: %s", name(lambda), message)
}
