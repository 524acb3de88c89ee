// Package batch is AWS Batch on Fargate: queues, job definitions, plain and
// array jobs with retries and time-outs. A job runs the program that its
// image's Dockerfile names as a child process, with the credentials of its job
// role. Images are not built: see parseImage.
//
// Multi-node, EKS and ECS-properties jobs, and dependencies between the
// children of arrays, are refused by name. CPU and memory are not limited; at
// most Config.Parallel attempts run at once.
package batch

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// Emitter takes the events of AWS services.
type Emitter interface {
	// Emit puts an event on the default bus. It returns when every follower
	// inside the endpoint has seen it.
	Emit(source, detailType string, resources []string, detail any) error
}

// Config is what the service needs.
type Config struct {
	Identity kernel.Identity
	Clock    kernel.Clock
	Roles    kernel.RoleSession
	Events   Emitter
	StateDir string // logs go to logs/batch below it, working folders to batch
	Parallel int    // attempts that run at once; 0: one per CPU
	Log      *slog.Logger
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// Service is the batch service.
type Service struct {
	config Config
	ctx    context.Context //nolint:containedctx // the lifetime of jobs, ended by Close
	stop   context.CancelFunc
	slots  chan struct{} // one token per attempt that runs
	wait   sync.WaitGroup

	mu           sync.Mutex
	environments map[string]*environment // by ARN
	queues       map[string]*queue       // by ARN
	definitions  map[string][]*definition
	jobs         map[string]*job
	order        []*job // of submission
	faults       Faults
	kills        int // how often the killAttempt of faults struck
}

// New returns the service. Close ends it.
func New(c Config) *Service {
	if c.Parallel <= 0 {
		c.Parallel = runtime.NumCPU()
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Service{
		config: c, ctx: ctx, stop: stop, slots: make(chan struct{}, c.Parallel),
		environments: map[string]*environment{}, queues: map[string]*queue{}, definitions: map[string][]*definition{},
		jobs: map[string]*job{},
	}
}

// Close kills every job's process group and waits for the attempts to end.
func (s *Service) Close() {
	s.mu.Lock() // no attempt starts after this
	s.stop()
	s.mu.Unlock()
	s.wait.Wait()
}

// Name implements kernel.Service.
func (s *Service) Name() string { return "batch" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"SubmitJob":                   s.submitJob,
		"DescribeJobs":                s.describeJobs,
		"ListJobs":                    s.listJobs,
		"TerminateJob":                s.terminateJob,
		"CancelJob":                   s.cancelJob,
		"DescribeJobQueues":           s.describeJobQueues,
		"DescribeJobDefinitions":      s.describeJobDefinitions,
		"DescribeComputeEnvironments": s.describeComputeEnvironments,
	}
}

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
