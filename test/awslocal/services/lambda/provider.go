package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Provides implements kernel.Provider.
func (h *Host) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::Lambda::Function":          h.createFunction,
		"AWS::Lambda::Permission":        h.createPermission,
		"AWS::Lambda::EventInvokeConfig": h.createEventInvokeConfig,
	}
}

func (h *Host) createFunction(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	f, err := h.newFunction(r)
	if err != nil {
		return kernel.Physical{}, err
	}
	h.mu.Lock()
	h.functions[f.name] = f
	h.mu.Unlock()
	return kernel.Physical{Ref: f.name, Attributes: map[string]any{"Arn": f.arn}}, nil
}

// createPermission adds a statement to the policy of a function.
func (h *Host) createPermission(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var p struct {
		Action, FunctionName, Principal, SourceAccount, SourceArn string
		EventSourceToken, FunctionUrlAuthType, PrincipalOrgID     string
		InvokedViaFunctionUrl                                     *template.Bool
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	if p.EventSourceToken+p.FunctionUrlAuthType+p.PrincipalOrgID != "" || p.InvokedViaFunctionUrl != nil {
		return kernel.Physical{}, template.Errorf(r, "EventSourceToken, FunctionUrlAuthType, InvokedViaFunctionUrl and PrincipalOrgID are not implemented here")
	}
	f, err := h.function(p.FunctionName)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	sid := template.Name(r, "", 100)
	principal := map[string]any{"AWS": p.Principal}
	if strings.HasSuffix(p.Principal, ".amazonaws.com") {
		principal = map[string]any{"Service": p.Principal}
	}
	statement := map[string]any{"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": p.Action, "Resource": f.arn}
	condition := map[string]any{}
	if p.SourceArn != "" {
		condition["ArnLike"] = map[string]any{"AWS:SourceArn": p.SourceArn}
	}
	if p.SourceAccount != "" {
		condition["StringEquals"] = map[string]any{"AWS:SourceAccount": p.SourceAccount}
	}
	if len(condition) > 0 {
		statement["Condition"] = condition
	}
	data, err := json.Marshal(statement)
	if err != nil {
		return kernel.Physical{}, fmt.Errorf("write the permission: %w", err)
	}
	if err := h.permit(f, sid, data); err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	return kernel.Physical{Ref: sid, Attributes: map[string]any{"Id": sid}}, nil
}

// permit adds a statement to the policy that a function carries.
func (h *Host) permit(f *function, sid string, statement json.RawMessage) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.permissions[f.arn] == nil {
		h.permissions[f.arn] = map[string]json.RawMessage{}
	}
	h.permissions[f.arn][sid] = statement
	var statements []json.RawMessage
	for _, key := range slices.Sorted(maps.Keys(h.permissions[f.arn])) {
		statements = append(statements, h.permissions[f.arn][key])
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		return fmt.Errorf("write the policy of %s: %w", f.name, err)
	}
	return h.config.Policies.SetResourcePolicy(f.arn, document)
}

func (h *Host) createEventInvokeConfig(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
	type destination struct{ Destination string }
	var p struct {
		FunctionName, Qualifier  string
		MaximumEventAgeInSeconds template.Ignored // attempts here are at most three minutes apart
		MaximumRetryAttempts     *template.Int
		DestinationConfig        struct{ OnFailure, OnSuccess destination }
	}
	if err := template.Decode(r, &p); err != nil {
		return kernel.Physical{}, err
	}
	f, err := h.function(p.FunctionName)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	config := defaultEvents
	if p.MaximumRetryAttempts != nil {
		config.retries = int(*p.MaximumRetryAttempts)
	}
	config.onFailure, config.onSuccess = p.DestinationConfig.OnFailure.Destination, p.DestinationConfig.OnSuccess.Destination
	h.mu.Lock()
	h.retries[f.name] = config
	h.mu.Unlock()
	return kernel.Physical{Ref: f.name + "-events"}, nil
}
