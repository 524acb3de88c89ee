package lambda

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Name implements kernel.Service.
func (h *Host) Name() string { return "lambda" }

// Operations implements kernel.Service.
func (h *Host) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"Invoke":                   h.invokeOperation,
		"GetFunction":              h.getFunction,
		"GetFunctionConfiguration": h.getFunctionConfiguration,
		"ListFunctions":            h.listFunctions,
	}
}

func (h *Host) invokeOperation(ctx context.Context, c *kernel.Call) (any, error) {
	var in struct {
		FunctionName, InvocationType, LogType, Qualifier string
		Payload                                          []byte
	}
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input of Invoke: %w", err)
	}
	name := in.FunctionName
	if in.Qualifier != "" {
		name += ":" + in.Qualifier
	}
	f, missing := h.function(name)
	arn := h.config.Identity.ARN("lambda", "function:"+strings.TrimPrefix(in.FunctionName, h.config.Identity.ARN("lambda", "function:")))
	if missing == nil {
		arn = f.arn
	}
	if err := c.Authorize("lambda:InvokeFunction", arn); err != nil {
		return nil, err
	}
	if missing != nil {
		return nil, missing
	}
	out := map[string]any{"ExecutedVersion": "$LATEST"}
	switch in.InvocationType {
	case "DryRun":
		return map[string]any{"StatusCode": http.StatusNoContent}, nil
	case "Event":
		return map[string]any{"StatusCode": http.StatusAccepted}, h.Enqueue(f.name, in.Payload)
	case "", "RequestResponse":
	default:
		return nil, kernel.Errorf(http.StatusBadRequest, "InvalidParameterValueException", "InvocationType %q is not one of RequestResponse, Event, DryRun", in.InvocationType)
	}
	before := h.logSize(f)
	result, functionError, err := h.InvokeFunction(ctx, f.name, in.Payload)
	if err != nil {
		return nil, err
	}
	out["StatusCode"], out["Payload"] = http.StatusOK, base64.StdEncoding.EncodeToString(result)
	if functionError != "" {
		out["FunctionError"] = functionError
	}
	if in.LogType == "Tail" {
		tail, err := h.logTail(f, before)
		if err != nil {
			return nil, err
		}
		out["LogResult"] = base64.StdEncoding.EncodeToString(tail)
	}
	return out, nil
}

// logSize returns the length of the function's log in bytes.
func (h *Host) logSize(f *function) int64 {
	info, err := os.Stat(h.logPath(f))
	if err != nil {
		return 0 // nothing logged yet
	}
	return info.Size()
}

// logTail returns what was logged since the log was so long, at most 4 KB.
func (h *Host) logTail(f *function, from int64) ([]byte, error) {
	file, err := os.Open(h.logPath(f))
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", f.name, err)
	}
	defer file.Close()
	from = max(from, h.logSize(f)-4096)
	data, err := io.ReadAll(io.NewSectionReader(file, from, 4096))
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", f.name, err)
	}
	return data, nil
}

func (h *Host) getFunction(_ context.Context, c *kernel.Call) (any, error) {
	f, err := h.named(c, "lambda:GetFunction")
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"Configuration": f.configuration(),
		"Code":          map[string]any{"RepositoryType": "S3", "Location": "file://" + f.dir},
	}, nil
}

func (h *Host) getFunctionConfiguration(_ context.Context, c *kernel.Call) (any, error) {
	f, err := h.named(c, "lambda:GetFunctionConfiguration")
	if err != nil {
		return nil, err
	}
	return f.configuration(), nil
}

func (h *Host) named(c *kernel.Call, action string) (*function, error) {
	var in struct{ FunctionName string }
	if err := c.Decode(&in); err != nil {
		return nil, fmt.Errorf("read the input of %s: %w", c.Operation, err)
	}
	f, missing := h.function(in.FunctionName)
	arn := h.config.Identity.ARN("lambda", "function:"+in.FunctionName)
	if missing == nil {
		arn = f.arn
	}
	if err := c.Authorize(action, arn); err != nil {
		return nil, err
	}
	return f, missing
}

func (h *Host) listFunctions(_ context.Context, c *kernel.Call) (any, error) {
	if err := c.Authorize("lambda:ListFunctions", "*"); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []map[string]any{}
	for _, f := range h.functions {
		list = append(list, f.configuration())
	}
	slices.SortFunc(list, func(a, b map[string]any) int {
		return strings.Compare(a["FunctionName"].(string), b["FunctionName"].(string))
	})
	return map[string]any{"Functions": list}, nil
}

func (f *function) configuration() map[string]any {
	mode := "PassThrough"
	if f.tracing {
		mode = "Active"
	}
	out := map[string]any{
		"FunctionName": f.name, "FunctionArn": f.arn, "Role": f.role, "Runtime": f.runtime, "Handler": f.handler,
		"Architectures": []string{f.architecture}, "MemorySize": f.memory, "Timeout": int(f.timeout.Seconds()),
		"Version": "$LATEST", "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip",
		"LastModified": f.modified.UTC().Format("2006-01-02T15:04:05.000+0000"), "Description": f.description,
		"TracingConfig": map[string]any{"Mode": mode}, "LoggingConfig": map[string]any{"LogGroup": f.logGroup},
	}
	if len(f.variables) > 0 {
		out["Environment"] = map[string]any{"Variables": f.variables}
	}
	if f.deadLetter != "" {
		out["DeadLetterConfig"] = map[string]any{"TargetArn": f.deadLetter}
	}
	return out
}
