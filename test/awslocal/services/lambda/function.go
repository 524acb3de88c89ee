// Package lambda runs the functions of the deployed templates as AWS Lambda
// does: each execution environment is a process that starts the function's
// bootstrap and speaks the Lambda Runtime API with us. Only runtimes of the
// provided family are known: the others need an interpreter that is not ours.
package lambda

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// A function is a deployed function.
type function struct {
	name         string
	arn          string
	role         string // ARN
	dir          string // folder of the code
	handler      string
	runtime      string
	architecture string // x86_64 or arm64
	memory       int    // MB
	timeout      time.Duration
	reserved     int // concurrent executions; -1: no limit of its own
	variables    map[string]string
	logGroup     string
	ownLogGroup  bool // the template names the log group, so Lambda need not create it
	tracing      bool
	deadLetter   string // ARN of a queue or topic
	description  string
	modified     time.Time
}

// properties are those of AWS::Lambda::Function. What is Ignored has no effect
// on what a function computes.
type properties struct {
	Architectures []string
	Code          struct {
		S3Bucket, S3Key, S3ObjectVersion, ZipFile, ImageUri, SourceKMSKeyArn string
	}
	DeadLetterConfig             struct{ TargetArn string }
	Description                  string
	Environment                  struct{ Variables map[string]string }
	FunctionName                 string
	Handler                      string
	Layers                       []string
	FileSystemConfigs            []template.Ignored
	ImageConfig                  template.Ignored
	LoggingConfig                struct{ LogGroup, LogFormat, ApplicationLogLevel, SystemLogLevel string }
	MemorySize                   template.Int
	PackageType                  string
	ReservedConcurrentExecutions *template.Int
	Role                         string
	Runtime                      string
	Timeout                      template.Int
	TracingConfig                struct{ Mode string }

	EphemeralStorage, KmsKeyArn, RecursiveLoop, RuntimeManagementConfig, SnapStart, Tags, VpcConfig, CodeSigningConfigArn template.Ignored
}

// reservedVariables may not be set by a template, as in AWS.
var reservedVariables = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
	"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// newFunction checks the properties of a function as AWS does at deployment,
// and that this machine can run its code.
func (h *Host) newFunction(r *kernel.Resource) (*function, error) {
	var p properties
	if err := template.Decode(r, &p); err != nil {
		return nil, err
	}
	if p.PackageType == "Image" || p.Code.ImageUri != "" {
		return nil, template.Errorf(r, "functions from container images are not implemented here")
	}
	if !strings.HasPrefix(p.Runtime, "provided") {
		return nil, template.Errorf(r, "the runtime %q is not implemented here, only provided.al2023 and provided.al2: functions are programs with their own bootstrap", p.Runtime)
	}
	if p.Code.ZipFile != "" || p.Code.S3Bucket == "" {
		return nil, template.Errorf(r, "expected the code in a bucket (Code.S3Bucket and Code.S3Key): inline code needs an interpreter")
	}
	if len(p.Layers)+len(p.FileSystemConfigs) > 0 {
		return nil, template.Errorf(r, "layers and file systems are not implemented here")
	}
	dir, ok := h.config.Code(p.Code.S3Bucket, p.Code.S3Key)
	if !ok {
		return nil, template.Errorf(r, "the code s3://%s/%s is not a folder among the assembly's assets", p.Code.S3Bucket, p.Code.S3Key)
	}
	name := template.Name(r, p.FunctionName, 64)
	f := &function{
		name: name, arn: h.config.Identity.ARN("lambda", "function:"+name), role: p.Role, dir: dir,
		handler: p.Handler, runtime: p.Runtime, architecture: "x86_64", memory: 128, timeout: 3 * time.Second,
		reserved: -1, variables: p.Environment.Variables, logGroup: "/aws/lambda/" + name,
		tracing: p.TracingConfig.Mode == "Active", deadLetter: p.DeadLetterConfig.TargetArn,
		description: p.Description, modified: h.config.Clock.Now(),
	}
	if len(p.Architectures) > 0 {
		f.architecture = p.Architectures[0]
	}
	if p.MemorySize != 0 {
		f.memory = int(p.MemorySize)
	}
	if p.Timeout != 0 {
		f.timeout = time.Duration(p.Timeout) * time.Second
	}
	if p.ReservedConcurrentExecutions != nil {
		f.reserved = int(*p.ReservedConcurrentExecutions)
	}
	if p.LoggingConfig.LogGroup != "" {
		f.logGroup, f.ownLogGroup = p.LoggingConfig.LogGroup, true
	}
	if err := f.check(); err != nil {
		return nil, template.Errorf(r, "%w", err)
	}
	if _, err := h.config.Sessions.Assume(f.role, "lambda.amazonaws.com"); err != nil {
		return nil, template.Errorf(r, "the role defined for the function cannot be assumed by Lambda: %w", err)
	}
	return f, nil
}

func (f *function) check() error {
	if f.memory < 128 || f.memory > 10240 {
		return fmt.Errorf("the MemorySize is %d MB, expected 128 to 10240", f.memory)
	}
	if f.timeout < time.Second || f.timeout > 15*time.Minute {
		return fmt.Errorf("the Timeout is %s, expected 1 to 900 seconds", f.timeout)
	}
	size := 0
	for name, value := range f.variables {
		if slices.Contains(reservedVariables, name) {
			return fmt.Errorf("the environment variable %s is reserved for Lambda", name)
		}
		size += len(name) + len(value)
	}
	if size > 4096 {
		return fmt.Errorf("the environment variables take %d bytes, more than 4096", size)
	}
	return checkProgram(filepath.Join(f.dir, "bootstrap"), f.architecture)
}

var machines = map[elf.Machine]struct{ name, lambda, goarch string }{
	elf.EM_X86_64:  {"x86-64", "x86_64", "amd64"},
	elf.EM_AARCH64: {"arm64", "arm64", "arm64"},
}

// checkProgram refuses a bootstrap that is not there, cannot be executed, is
// neither a script nor an ELF file, or is built for another architecture than
// the function's or this machine's.
func checkProgram(path, architecture string) error {
	file, err := os.Open(path) //nolint:gosec // the deployed code
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the code has no file bootstrap: build the function before synth (%s)", path)
	}
	if err != nil {
		return fmt.Errorf("look at the function's program: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	if info, err := file.Stat(); err != nil || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s may not be executed: Lambda needs the permission in the file's mode", path)
	}
	head := make([]byte, 2)
	if _, err := file.ReadAt(head, 0); err == nil && string(head) == "#!" {
		return nil // a script runs everywhere
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %w", path, err)
	}
	m, ok := machines[program.Machine]
	if !ok {
		return fmt.Errorf("%s is built for %s, which Lambda does not have", path, program.Machine)
	}
	if m.lambda != architecture {
		return fmt.Errorf("%s is built for %s, but the function's architecture is %s", path, m.name, architecture)
	}
	if m.goarch != runtime.GOARCH {
		return fmt.Errorf("%s is built for %s, this machine is %s: synthesise for a stage with the architecture of this machine", path, m.name, machineName(runtime.GOARCH))
	}
	return nil
}

func machineName(goarch string) string {
	for _, m := range machines {
		if m.goarch == goarch {
			return m.name
		}
	}
	return goarch
}

// environment is what the function's process sees, complete.
func (f *function) environment(session []string, runtimeAPI, stream string) []string {
	env := slices.Clone(session)
	for name, value := range map[string]string{
		"AWS_EXECUTION_ENV":               "AWS_Lambda_" + f.runtime,
		"AWS_LAMBDA_FUNCTION_NAME":        f.name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": fmt.Sprint(f.memory),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       f.logGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME":      stream,
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"LAMBDA_TASK_ROOT":                f.dir,
		"LAMBDA_RUNTIME_DIR":              f.dir,
		"_HANDLER":                        f.handler,
	} {
		env = append(env, name+"="+value)
	}
	for name, value := range f.variables {
		env = append(env, name+"="+value)
	}
	return env
}

// failure is the payload of an invocation that Lambda itself found to fail.
func failure(kind, format string, args ...any) []byte {
	data, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": fmt.Sprintf(format, args...)})
	if err != nil {
		panic("lambda: two strings do not marshal: " + err.Error())
	}
	return data
}
