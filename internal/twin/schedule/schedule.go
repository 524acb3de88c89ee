// Package schedule checks the schedule expressions of Amazon EventBridge
// Scheduler: rate(value unit) and cron(minutes hours day-of-month month
// day-of-week year), in UTC.
package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/winebarrel/cronplan"
)

// An Error says what is wrong with an expression.
type Error struct {
	What     string
	Expected string
	Do       string // may be empty
}

// Error implements error.
func (e *Error) Error() string {
	text := e.What + "; expected " + e.Expected
	if e.Do != "" {
		text += "; " + e.Do
	}
	return text
}

var rate = regexp.MustCompile(`^rate\((\d+) (minutes?|hours?|days?)\)$`)

// Check verifies an expression. It returns nil when it is good.
func Check(expression string) *Error {
	switch {
	case strings.HasPrefix(expression, "rate("):
		return checkRate(expression)
	case strings.HasPrefix(expression, "cron(") && strings.HasSuffix(expression, ")"):
		return checkCron(expression[len("cron(") : len(expression)-1])
	}
	return &Error{What: fmt.Sprintf("schedule %q", expression), Expected: "rate(1 hour), or cron(0 6 * * ? *) in UTC"}
}

func checkRate(expression string) *Error {
	expected := "rate(1 hour), rate(15 minutes) or rate(2 days)"
	m := rate.FindStringSubmatch(expression)
	if m == nil {
		return &Error{What: fmt.Sprintf("schedule %q", expression), Expected: expected}
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 || n > 100_000 {
		return &Error{What: fmt.Sprintf("schedule %q has a period out of range", expression), Expected: "a whole number from 1"}
	}
	if plural := strings.HasSuffix(m[2], "s"); plural != (n != 1) {
		name := strings.TrimSuffix(m[2], "s")
		if n != 1 {
			name += "s"
		}
		return &Error{What: fmt.Sprintf("schedule %q", expression), Expected: fmt.Sprintf("rate(%d %s)", n, name), Do: "a period of 1 takes the singular, others the plural"}
	}
	return nil
}

func checkCron(fields string) *Error {
	what := fmt.Sprintf("schedule \"cron(%s)\"", fields)
	parts := strings.Fields(fields)
	if len(parts) != 6 {
		do := ""
		if len(parts) == 5 {
			do = "add the year, and ? for the day that is not used: cron(0 6 * * ? *)"
		}
		return &Error{What: fmt.Sprintf("%s has %d fields", what, len(parts)), Expected: "6: minutes hours day-of-month month day-of-week year", Do: do}
	}
	if (parts[2] == "?") == (parts[4] == "?") {
		return &Error{What: what + " names both days or none", Expected: "? for exactly one of day-of-month and day-of-week"}
	}
	plan, err := cronplan.Parse(strings.Join(parts, " "))
	if err != nil {
		reason := err.Error()
		if _, after, ok := strings.Cut(reason, ": "); ok { // the parser's name of the field
			reason = after
		}
		return &Error{What: what + " is not read: " + reason, Expected: "six fields such as 0 6 * * ? *"}
	}
	// A year in the past, or the 30th of February, never comes.
	if plan.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return &Error{What: what + " never fires", Expected: "a time that comes"}
	}
	return nil
}
