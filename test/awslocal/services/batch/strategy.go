package batch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// A strategy says when a failed attempt is tried again. Templates write its
// members with a capital, the API without; JSON takes both.
type strategy struct {
	Attempts       template.Int `json:"attempts,omitempty"`
	EvaluateOnExit []exitRule   `json:"evaluateOnExit,omitempty"`
}

// An exitRule holds when each of its patterns does. A pattern is taken
// literally but for a star at its end.
type exitRule struct {
	OnStatusReason string `json:"onStatusReason,omitempty"`
	OnReason       string `json:"onReason,omitempty"`
	OnExitCode     string `json:"onExitCode,omitempty"`
	Action         string `json:"action"`
}

// check reports a strategy that Batch refuses.
func (s *strategy) check() error {
	if s == nil {
		return nil
	}
	if s.Attempts < 0 || s.Attempts > 10 || len(s.EvaluateOnExit) > 0 && s.Attempts == 0 {
		return fmt.Errorf("retryStrategy.attempts is %d, want 1 to 10", s.Attempts)
	}
	if len(s.EvaluateOnExit) > 5 {
		return fmt.Errorf("retryStrategy.evaluateOnExit has %d rules, Batch takes 5", len(s.EvaluateOnExit))
	}
	for i, r := range s.EvaluateOnExit {
		if action := strings.ToUpper(r.Action); action != "RETRY" && action != "EXIT" {
			return fmt.Errorf("retryStrategy.evaluateOnExit[%d].action is %q, want RETRY or EXIT", i, r.Action)
		}
		if r.OnStatusReason == "" && r.OnReason == "" && r.OnExitCode == "" {
			return fmt.Errorf("retryStrategy.evaluateOnExit[%d] has no condition", i)
		}
		if digits := strings.TrimSuffix(r.OnExitCode, "*"); digits != "" {
			if _, err := strconv.Atoi(digits); err != nil {
				return fmt.Errorf("retryStrategy.evaluateOnExit[%d].onExitCode is %q, want digits, optionally with a * at the end", i, r.OnExitCode)
			}
		}
	}
	return nil
}

// retries reports whether attempt number n, counted from 1, that ended so is
// followed by another. What no rule matches is tried again, as in Batch.
func (s *strategy) retries(n int, end ending) bool {
	if s == nil || n >= int(s.Attempts) {
		return false
	}
	for _, r := range s.EvaluateOnExit {
		if glob(r.OnStatusReason, end.statusReason) && glob(r.OnReason, end.reason) && globExit(r.OnExitCode, end.exitCode) {
			return strings.EqualFold(r.Action, "RETRY")
		}
	}
	return true
}

// glob reports whether text matches a pattern; an absent pattern always does.
func glob(pattern, text string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(text, prefix)
	}
	return pattern == "" || pattern == text
}

// globExit is glob for the exit code; without one only a bare star matches.
func globExit(pattern string, code *int) bool {
	if code == nil {
		return pattern == "" || pattern == "*"
	}
	return glob(pattern, strconv.Itoa(*code))
}
