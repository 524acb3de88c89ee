package deploy

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// maxResponse is the limit of what a custom resource's function answers, in
// bytes, as in CloudFormation.
const maxResponse = 4096

// Custom creates custom resources: it invokes their function as CloudFormation
// does and waits for the answer at a URL of this endpoint. It remembers what it
// created in a file, so that a restart over the same state changes nothing that
// has not changed.
type Custom struct {
	identity kernel.Identity
	host     kernel.LambdaHost
	url      string // without the token
	file     string

	mu      sync.Mutex
	waiting map[string]chan customResponse
	created map[string]customState // by stack/logical id
}

type customState struct {
	Type       string
	PhysicalID string
	Properties json.RawMessage
	Data       map[string]any
	NoEcho     bool
}

type customResponse struct {
	Status             string
	Reason             string
	PhysicalResourceId string //nolint:revive // the member's name
	Data               map[string]any
	NoEcho             bool
}

// NewCustom returns a provider of custom resources whose functions answer below
// prefix of the endpoint, where Handler must be mounted. file keeps the state.
func NewCustom(identity kernel.Identity, host kernel.LambdaHost, prefix, file string) (*Custom, error) {
	c := &Custom{
		identity: identity, host: host, url: identity.Endpoint + prefix, file: file,
		waiting: map[string]chan customResponse{}, created: map[string]customState{},
	}
	data, err := os.ReadFile(file) //nolint:gosec // below the state folder
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &c.created)
	}
	if err != nil {
		return nil, fmt.Errorf("read the custom resources of the last start: %w", err)
	}
	return c, nil
}

// ServeHTTP takes the answers of functions: a PUT to a URL that was handed out.
func (c *Custom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	c.mu.Lock()
	answer, ok := c.waiting[token]
	delete(c.waiting, token)
	c.mu.Unlock()
	if !ok || r.Method != http.MethodPut {
		http.Error(w, "no custom resource waits for this answer", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	var response customResponse
	switch {
	case err != nil:
		response = customResponse{Status: "FAILED", Reason: "the answer broke off: " + err.Error()}
	case len(body) > maxResponse:
		response = customResponse{Status: "FAILED", Reason: "Response object is too long."}
	default:
		if err := json.Unmarshal(body, &response); err != nil {
			response = customResponse{Status: "FAILED", Reason: "Invalid response object: " + err.Error()}
		}
	}
	answer <- response
	w.WriteHeader(http.StatusOK)
}

// Create creates a custom resource, updates it when its properties differ from
// those of the last start, and leaves it alone otherwise.
func (c *Custom) Create(ctx context.Context, r *kernel.Resource) (kernel.Physical, error) {
	var properties map[string]any
	if err := json.Unmarshal(r.Properties, &properties); err != nil {
		return kernel.Physical{}, template.Errorf(r, "properties: %w", err)
	}
	service, _ := properties["ServiceToken"].(string)
	if !strings.Contains(service, ":lambda:") {
		return kernel.Physical{}, template.Errorf(r, "ServiceToken is %q, expected the ARN of a function", service)
	}
	var timeout time.Duration
	if v, ok := properties["ServiceTimeout"]; ok {
		seconds, err := strconv.Atoi(fmt.Sprint(v))
		if err != nil || seconds < 1 || seconds > 3600 {
			return kernel.Physical{}, template.Errorf(r, "ServiceTimeout is %v, expected 1 to 3600 seconds", v)
		}
		timeout = time.Duration(seconds) * time.Second
	}
	texts, err := json.Marshal(stringify(properties))
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "properties: %w", err)
	}
	name := r.Stack + "/" + r.LogicalID
	c.mu.Lock()
	old, exists := c.created[name]
	c.mu.Unlock()
	if exists && string(old.Properties) == string(texts) {
		return kernel.Physical{Ref: old.PhysicalID, Attributes: old.Data}, nil
	}
	request := map[string]any{
		"RequestType": "Create", "ResourceType": r.Type, "LogicalResourceId": r.LogicalID, "RequestId": uuid(r),
		"StackId": c.identity.ARN("cloudformation", "stack/"+r.Stack+"/"+uuid(r)), "ResourceProperties": json.RawMessage(texts),
	}
	if exists {
		request["RequestType"], request["PhysicalResourceId"] = "Update", old.PhysicalID
		request["OldResourceProperties"] = old.Properties
	}
	response, err := c.ask(ctx, service, request, timeout)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	if response.Status != "SUCCESS" {
		return kernel.Physical{}, template.Errorf(r, "the custom resource failed: %s", response.Reason)
	}
	if response.PhysicalResourceId == "" {
		return kernel.Physical{}, template.Errorf(r, "the function answered without a PhysicalResourceId")
	}
	state := customState{r.Type, response.PhysicalResourceId, texts, response.Data, response.NoEcho}
	if err := c.remember(name, state); err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	return kernel.Physical{Ref: state.PhysicalID, Attributes: state.Data}, nil
}

// ask invokes the function and waits for its answer: until the function has
// returned, and for ServiceTimeout (wall time) when it is set.
func (c *Custom) ask(ctx context.Context, service string, request map[string]any, timeout time.Duration) (customResponse, error) {
	token := rand.Text()
	answer := make(chan customResponse, 1)
	c.mu.Lock()
	c.waiting[token] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, token)
		c.mu.Unlock()
	}()
	request["ResponseURL"] = c.url + token
	payload, err := json.Marshal(request)
	if err != nil {
		return customResponse{}, fmt.Errorf("write the request: %w", err)
	}
	result, functionError, err := c.host.InvokeFunction(ctx, service, payload)
	if err != nil {
		return customResponse{}, fmt.Errorf("invoke %s: %w", service, err)
	}
	select {
	case response := <-answer:
		return response, nil
	default:
	}
	if functionError != "" {
		return customResponse{}, fmt.Errorf("the function %s failed: %s", service, result)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case response := <-answer:
		return response, nil
	case <-timer.C:
		return customResponse{}, fmt.Errorf("the function %s returned without an answer at its ResponseURL", service)
	case <-ctx.Done():
		return customResponse{}, ctx.Err()
	}
}

// remember writes the state, through a file of its own so that a crash leaves
// the old one whole.
func (c *Custom) remember(name string, state customState) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.created[name] = state
	data, err := json.Marshal(c.created) // properties stay as they were compared
	if err != nil {
		return fmt.Errorf("remember the custom resource: %w", err)
	}
	temporary := filepath.Join(filepath.Dir(c.file), "."+filepath.Base(c.file)+".new")
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("remember the custom resource: %w", err)
	}
	if err := os.Rename(temporary, c.file); err != nil {
		return fmt.Errorf("remember the custom resource: %w", err)
	}
	return nil
}

// stringify makes every scalar a string: CloudFormation hands the properties of
// custom resources over as text.
func stringify(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for name, item := range x {
			out[name] = stringify(item)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, item := range x {
			out[i] = stringify(item)
		}
		return out
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(x)
	case nil:
		return ""
	}
	return v
}

func uuid(r *kernel.Resource) string {
	sum := sha256.Sum256([]byte(r.Stack + "/" + r.LogicalID))
	h := hex.EncodeToString(sum[:])
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:32]}, "-")
}
