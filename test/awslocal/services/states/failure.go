package states

import (
	"fmt"
	"slices"
)

// Error names of the Amazon States Language.
const (
	anyError             = "States.ALL"
	taskFailed           = "States.TaskFailed"
	timeoutError         = "States.Timeout"
	heartbeatTimeout     = "States.HeartbeatTimeout"
	queryEvaluationError = "States.QueryEvaluationError"
	dataLimitExceeded    = "States.DataLimitExceeded"
	noChoiceMatched      = "States.NoChoiceMatched"
	runtimeError         = "States.Runtime"
)

// A failure is an error of a state, as Retry and Catch see it.
type failure struct {
	Error string
	Cause string
}

func failf(name, format string, args ...any) *failure {
	return &failure{Error: name, Cause: fmt.Sprintf(format, args...)}
}

// among reports whether a retrier's or catcher's names include f: States.ALL
// means everything but a broken execution, States.TaskFailed every failure of a
// task but a time-out.
func (f *failure) among(names []string) bool {
	if slices.Contains(names, f.Error) {
		return true
	}
	if f.Error == dataLimitExceeded || f.Error == runtimeError {
		return false
	}
	if slices.Contains(names, timeoutError) && f.Error == heartbeatTimeout {
		return true
	}
	return slices.Contains(names, anyError) || slices.Contains(names, taskFailed) && f.Error != timeoutError
}
