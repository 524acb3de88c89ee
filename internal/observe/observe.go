// Package observe is how functions and jobs tell what they do: JSON lines of
// log, each with the twin, the stage and the request that it belongs to, and
// metrics in CloudWatch's embedded metric format.
package observe

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Namespace is the namespace of Livetwin's metrics.
const Namespace = "Livetwin"

// Units of metrics, as CloudWatch names them.
const (
	Seconds = "Seconds"
	Count   = "Count"
)

// An Observer writes the logs and metrics of one deployed twin.
type Observer struct {
	*slog.Logger
	twin, stage string
	now         func() time.Time
}

// New returns an observer that writes lines to w. Metrics are stamped with
// now, the wall's clock: CloudWatch refuses times of business far from it.
func New(w io.Writer, twin, stage string, now func() time.Time) *Observer {
	handler := requests{slog.NewJSONHandler(w, nil)}
	return &Observer{Logger: slog.New(handler).With("twin", twin, "stage", stage), twin: twin, stage: stage, now: now}
}

// requests adds the id of the Lambda request in the context to every line.
type requests struct{ slog.Handler }

func (h requests) Handle(ctx context.Context, line slog.Record) error {
	if request, ok := lambdacontext.FromContext(ctx); ok {
		line.AddAttrs(slog.String("request", request.AwsRequestID))
	}
	return h.Handler.Handle(ctx, line)
}

func (h requests) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requests{h.Handler.WithAttrs(attrs)}
}

func (h requests) WithGroup(name string) slog.Handler { return requests{h.Handler.WithGroup(name)} }

// Members of a document in the embedded metric format.
const (
	dimensionTwin  = "Twin"
	dimensionStage = "Stage"
	metadata       = "_aws"
)

// A Metric is one number.
type Metric struct {
	Name  string
	Unit  string
	Value float64
}

// The embedded metric format:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type (
	directive struct {
		Timestamp         int64         `json:"Timestamp"` // milliseconds since 1970
		CloudWatchMetrics []metricGroup `json:"CloudWatchMetrics"`
	}
	metricGroup struct {
		Namespace  string       `json:"Namespace"`
		Dimensions [][]string   `json:"Dimensions"`
		Metrics    []metricName `json:"Metrics"`
	}
	metricName struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	}
)

// Metrics writes metrics with the dimensions Twin and Stage, in one line.
func (o *Observer) Metrics(ctx context.Context, metrics ...Metric) {
	group := metricGroup{Namespace: Namespace, Dimensions: [][]string{{dimensionTwin, dimensionStage}}}
	attrs := []slog.Attr{slog.String(dimensionTwin, o.twin), slog.String(dimensionStage, o.stage)} //nolint:sloglint // the format looks for these names
	for _, m := range metrics {
		group.Metrics = append(group.Metrics, metricName{Name: m.Name, Unit: m.Unit})
		attrs = append(attrs, slog.Float64(m.Name, m.Value))
	}
	attrs = append(attrs, slog.Any(metadata, directive{Timestamp: o.now().UnixMilli(), CloudWatchMetrics: []metricGroup{group}})) //nolint:sloglint // the format looks for this name
	o.LogAttrs(ctx, slog.LevelInfo, "metrics", attrs...)
}
