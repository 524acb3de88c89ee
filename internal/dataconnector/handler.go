package dataconnector

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// margin is what is left of the invocation's time when reading stops: enough
// to answer with an error that says why, instead of being killed.
const margin = 500 * time.Millisecond

// A Handler answers TwinMaker's requests from a Reader. It is a handler of
// aws-lambda-go: pass it to lambda.Start.
type Handler struct {
	reader Reader
	log    *slog.Logger
}

// NewHandler returns a handler that logs one line a request, without values.
func NewHandler(reader Reader, log *slog.Logger) *Handler {
	return &Handler{reader: reader, log: log}
}

// Invoke answers a request in JSON. An error is a *RequestError or a
// *SourceError; TwinMaker tells its caller of a failure of the connector.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	begin := time.Now() // of the log line only
	r, err := decode(payload)
	if err != nil {
		h.record(ctx, begin, &Request{}, page{}, err)
		return nil, err
	}
	resp, err := h.handle(ctx, begin, r)
	if err != nil {
		return nil, err
	}
	return resp.encode()
}

// Handle answers a request.
func (h *Handler) Handle(ctx context.Context, r Request) (Response, error) {
	return h.handle(ctx, time.Now(), &r)
}

func (h *Handler) handle(ctx context.Context, begin time.Time, r *Request) (Response, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	q, err := r.parse()
	var p page
	if err == nil {
		p, err = q.read(ctx, h.reader)
	}
	h.record(ctx, begin, r, p, err)
	if err != nil {
		return Response{}, err
	}
	return r.response(q, p), nil
}

// record logs what was asked and how it ended. The error itself is returned,
// not logged.
func (h *Handler) record(ctx context.Context, begin time.Time, r *Request, p page, err error) {
	level, outcome := slog.LevelInfo, "answered"
	if err != nil {
		level, outcome = slog.LevelError, "SourceError"
		if _, ok := errors.AsType[*RequestError](err); ok {
			level, outcome = slog.LevelWarn, "RequestError"
		}
	}
	h.log.LogAttrs(ctx, level, "series read",
		slog.String("outcome", outcome),
		slog.String("workspace", r.WorkspaceID), slog.String("entity", r.EntityID), slog.String("component", r.ComponentName),
		slog.Any("properties", r.SelectedProperties), slog.String("order", r.OrderByTime),
		slog.Bool("continued", r.NextToken != ""), slog.Int("values", p.count), slog.Bool("more", p.more),
		slog.Duration("took", time.Since(begin)))
}
