package observe_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/observe"
)

func TestLinesSayWhereTheyBelong(t *testing.T) {
	var out bytes.Buffer
	o := observe.New(&out, "battery-storage", "local", time.Now)
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "4f1c"})
	o.With("asset", "cell-1").InfoContext(ctx, "published", "values", 24)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	delete(line, "time")
	assert.Equal(t, map[string]any{
		"level": "INFO", "msg": "published", "twin": "battery-storage", "stage": "local", "asset": "cell-1", "values": 24.0, "request": "4f1c",
	}, line)
}

// The shape is that of the embedded metric format specification: metadata
// under _aws, targets of metrics and dimensions at the root of the document.
func TestMetrics(t *testing.T) {
	var out bytes.Buffer
	o := observe.New(&out, "battery-storage", "prod", func() time.Time { return time.UnixMilli(1767322800123) })
	o.Metrics(t.Context(), observe.Metric{Name: "TelemetryAge", Unit: observe.Seconds, Value: 12.5})
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	delete(line, "time")
	want := `{"level":"INFO","msg":"metrics","twin":"battery-storage","stage":"prod","Twin":"battery-storage","Stage":"prod","TelemetryAge":12.5,
		"_aws":{"Timestamp":1767322800123,"CloudWatchMetrics":[{"Namespace":"Livetwin","Dimensions":[["Twin","Stage"]],
		"Metrics":[{"Name":"TelemetryAge","Unit":"Seconds"}]}]}}`
	got, err := json.Marshal(line)
	require.NoError(t, err)
	assert.JSONEq(t, want, string(got))
}
