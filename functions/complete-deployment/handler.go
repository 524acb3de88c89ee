package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
)

// Types of our custom resources.
const (
	workspaceFiles  = "Custom::WorkspaceFiles"
	attributeValues = "Custom::AttributeValues"
)

// errTransient marks an error that trying again may overcome.
var errTransient = errors.New("transient")

// A handler does what a custom resource asks for. Everything it does may be
// done again: CloudFormation repeats requests.
type handler struct {
	files  files
	values values
	now    func() time.Time // of values that are written, which SiteWise compares with its clock
	sleep  func(context.Context, time.Duration) error
}

// files is the store that scenes and their files are copied in.
type files interface {
	// Copy copies a file and sets its content type, whatever is there.
	Copy(ctx context.Context, bucket string, f file) error
	// Delete deletes a key; an absent key, or bucket, is no error.
	Delete(ctx context.Context, bucket, key string) error
}

// values is the historian that values of attributes are written to.
type values interface {
	// Put writes at most maxValues values as of at and returns what was refused,
	// by index.
	Put(ctx context.Context, at time.Time, list []value) (map[int]error, error)
	// Updated returns when, by the historian's clock, an asset was last made or
	// changed, by its external id.
	Updated(ctx context.Context, asset string) (time.Time, error)
}

// handle answers one request of CloudFormation, and returns the resource's
// physical id.
func (h *handler) handle(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
	var id string
	var err error
	switch event.ResourceType {
	case workspaceFiles:
		id, err = h.workspaceFiles(ctx, event)
	case attributeValues:
		id, err = "attribute-values", h.attributeValues(ctx, event)
	default:
		id, err = event.PhysicalResourceID, fmt.Errorf("resource type %s: expected %s or %s", event.ResourceType, workspaceFiles, attributeValues)
	}
	if err != nil {
		return id, nil, fmt.Errorf("%s %s: %w", strings.ToLower(string(event.RequestType)), event.LogicalResourceID, err)
	}
	slog.InfoContext(ctx, "custom resource completed", "request", event.RequestID, "type", event.ResourceType, "operation", event.RequestType)
	return id, nil, nil
}

// properties reads the properties of a custom resource.
func properties[T any](of map[string]any) (T, error) {
	var p T
	data, err := json.Marshal(of)
	if err != nil {
		return p, fmt.Errorf("resource properties: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("resource properties: %w", err)
	}
	return p, nil
}

// Backoff of what may be tried again: 1, 2, 4, 8 and 16 s between six tries. A
// role that was made seconds ago may not hold everywhere yet.
const (
	tries     = 6
	firstWait = time.Second
)

// retry calls f until it returns no error, or one that is not transient, or
// has been tried often enough.
func (h *handler) retry(ctx context.Context, f func() error) error {
	wait := firstWait
	for try := 1; ; try++ {
		err := f()
		if err == nil || !errors.Is(err, errTransient) {
			return err
		}
		if try == tries {
			return fmt.Errorf("given up after %d tries: %w", tries, err)
		}
		if err := h.sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}
