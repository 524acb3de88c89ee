package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/golden"
)

// A recorder is both stores: it records what is done and fails as told.
type recorder struct {
	done   []string
	clock  time.Time              // what Put accepts a week around, when not zero
	refuse map[string][]error     // by alias: what successive puts answer
	copies func(key string) error // what copying answers; nil: success
	waits  []time.Duration        // slept between tries
}

func (r *recorder) Copy(_ context.Context, bucket string, f file) error {
	if r.copies != nil {
		if err := r.copies(f.Key); err != nil {
			return err
		}
	}
	r.done = append(r.done, fmt.Sprintf("copy s3://%s/%s to s3://%s/%s as %s", f.SourceBucket, f.SourceKey, bucket, f.Key, f.ContentType))
	return nil
}

func (r *recorder) Delete(_ context.Context, bucket, key string) error {
	r.done = append(r.done, fmt.Sprintf("delete s3://%s/%s", bucket, key))
	return nil
}

func (r *recorder) Put(_ context.Context, at time.Time, list []value) (map[int]error, error) {
	if len(list) == 0 || len(list) > maxValues {
		return nil, fmt.Errorf("%d entries; SiteWise takes 1 to %d", len(list), maxValues)
	}
	refused := map[int]error{}
	for i, v := range list {
		if !r.clock.IsZero() && at.Sub(r.clock).Abs() > 7*24*time.Hour {
			refused[i] = fmt.Errorf("%w: TimestampOutOfRangeException", errClock)
			continue
		}
		if answers := r.refuse[v.Alias]; len(answers) > 0 {
			r.refuse[v.Alias] = answers[1:]
			if answers[0] != nil {
				refused[i] = answers[0]
				continue
			}
		}
		r.done = append(r.done, fmt.Sprintf("put %s = %s %s at %s", v.Alias, v.Type, v.Value, at.Format(time.RFC3339)))
	}
	return refused, nil
}

// Updated answers by the recorder's clock.
func (r *recorder) Updated(_ context.Context, asset string) (time.Time, error) {
	r.done = append(r.done, "ask when "+asset+" was changed")
	return r.clock, nil
}

func (r *recorder) handler() *handler {
	return &handler{
		files:  r,
		values: r,
		now:    func() time.Time { return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) },
		sleep: func(_ context.Context, d time.Duration) error {
			r.waits = append(r.waits, d)
			return nil
		},
	}
}

// invoke sends an event through the runtime's handler and returns what
// CloudFormation is told.
func invoke(t *testing.T, h *handler, event []byte) map[string]any {
	t.Helper()
	var told map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.NoError(t, json.Unmarshal(body, &told))
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	event = []byte(strings.Replace(string(event), "https://response", server.URL, 1))
	_, err := lambda.NewHandler(cfn.LambdaWrap(h.handle)).Invoke(t.Context(), event)
	require.NoError(t, err, "the answer is in the response, not in an error: the runtime would repeat the request")
	return told
}

func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.json")
		t.Run(name, func(t *testing.T) {
			event, err := os.ReadFile(input)
			require.NoError(t, err)
			r := &recorder{refuse: map[string][]error{
				"/battery-storage/gone/rated_capacity": {fmt.Errorf("%w: ResourceNotFoundException", errGone)},
				"/battery-storage/shut/rated_capacity": {errors.New("InvalidRequestException: no")},
			}}
			told := invoke(t, r.handler(), event)
			golden.JSON(t, filepath.Join("testdata", name+".golden.json"), map[string]any{"done": r.done, "told": told})
		})
	}
}

func creation(t *testing.T, aliases ...string) []byte {
	t.Helper()
	var list []value
	for _, a := range aliases {
		list = append(list, value{Attribute: "cell/rated_capacity", Asset: "t-local-a", Alias: a, Type: "DOUBLE", Value: "2"})
	}
	data, err := json.Marshal(map[string]any{
		"RequestType": "Create", "RequestId": "r", "ResponseURL": "https://response", "ResourceType": attributeValues, "LogicalResourceId": "AttributeValues",
		"StackId": "s", "ResourceProperties": map[string]any{"ServiceToken": "x", "Values": list, "Defaults": map[string]any{}},
	})
	require.NoError(t, err)
	return data
}

// Refused values are tried again alone, so none is lost and none that was
// stored is written twice.
func TestOnlyRefusedValuesAreTriedAgain(t *testing.T) {
	busy := fmt.Errorf("%w: ThrottlingException", errTransient)
	r := &recorder{refuse: map[string][]error{"/t/b/x": {busy, busy, nil}}}
	told := invoke(t, r.handler(), creation(t, "/t/a/x", "/t/b/x", "/t/c/x"))
	assert.Equal(t, "SUCCESS", told["Status"])
	assert.Equal(t, []string{
		"put /t/a/x = DOUBLE 2 at 2026-01-02T03:00:00Z",
		"put /t/c/x = DOUBLE 2 at 2026-01-02T03:00:00Z",
		"put /t/b/x = DOUBLE 2 at 2026-01-02T03:00:00Z",
	}, r.done)
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, r.waits)
}

func TestEveryRefusedValueIsNamed(t *testing.T) {
	busy := fmt.Errorf("%w: ThrottlingException: slow down", errTransient)
	r := &recorder{refuse: map[string][]error{
		"/t/a/x": {errors.New("InvalidRequestException: wrong type")},
		"/t/b/x": {busy, busy, busy, busy, busy, busy},
	}}
	told := invoke(t, r.handler(), creation(t, "/t/a/x", "/t/b/x", "/t/c/x"))
	assert.Equal(t, "FAILED", told["Status"])
	assert.Contains(t, told["Reason"], "/t/a/x: InvalidRequestException: wrong type")
	assert.Contains(t, told["Reason"], "given up after 6 tries: /t/b/x: transient: ThrottlingException: slow down")
	assert.NotContains(t, told["Reason"], "/t/c/x")
}

// A batch takes ten entries: the recorder refuses more.
func TestManyValuesAreWrittenInGroups(t *testing.T) {
	var aliases []string
	for i := range 23 {
		aliases = append(aliases, fmt.Sprintf("/t/a%d/x", i))
	}
	r := &recorder{}
	told := invoke(t, r.handler(), creation(t, aliases...))
	assert.Equal(t, "SUCCESS", told["Status"])
	assert.Len(t, r.done, 23)
}

// SiteWise's clock decides what is now, not this machine's.
func TestValuesAreWrittenBySiteWisesClock(t *testing.T) {
	r := &recorder{clock: time.Date(2008, 4, 2, 13, 0, 0, 0, time.UTC)}
	told := invoke(t, r.handler(), creation(t, "/t/a/x", "/t/b/x"))
	assert.Equal(t, "SUCCESS", told["Status"])
	assert.Equal(t, []string{
		"ask when t-local-a was changed",
		"put /t/a/x = DOUBLE 2 at 2008-04-02T13:00:00Z",
		"put /t/b/x = DOUBLE 2 at 2008-04-02T13:00:00Z",
	}, r.done)
	assert.Empty(t, r.waits)
}

// A file that cannot be copied fails the deployment before anything is deleted.
func TestNothingIsDeletedWhenACopyFails(t *testing.T) {
	event, err := os.ReadFile("testdata/files-update.in.json")
	require.NoError(t, err)
	r := &recorder{copies: func(key string) error {
		if strings.HasSuffix(key, ".json") {
			return errors.New("NoSuchKey: no such asset")
		}
		return nil
	}}
	told := invoke(t, r.handler(), event)
	assert.Equal(t, "FAILED", told["Status"])
	assert.Contains(t, told["Reason"], "scenes/overview.json: NoSuchKey: no such asset")
	for _, done := range r.done {
		assert.NotContains(t, done, "delete")
	}
}

// A request that is repeated does the same again and says the same.
func TestRequestsMayBeRepeated(t *testing.T) {
	event, err := os.ReadFile("testdata/files-update.in.json")
	require.NoError(t, err)
	first, second := &recorder{}, &recorder{}
	assert.Equal(t, withoutURL(invoke(t, first.handler(), event)), withoutURL(invoke(t, second.handler(), event)))
	assert.Equal(t, first.done, second.done)
}

func withoutURL(told map[string]any) map[string]any {
	told = maps.Clone(told)
	delete(told, "ResponseURL")
	return told
}
