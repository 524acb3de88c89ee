package schedule_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/twin/schedule"
)

// The good ones are examples of the user guide of EventBridge Scheduler.
func TestSchedules(t *testing.T) {
	for _, s := range []string{
		"rate(1 minute)", "rate(5 minutes)", "rate(1 hour)", "rate(12 hours)", "rate(1 day)", "rate(7 days)",
		"cron(0 10 * * ? *)", "cron(15 12 * * ? *)", "cron(0 18 ? * MON-FRI *)", "cron(0 8 1 * ? *)", "cron(0/15 * * * ? *)",
		"cron(0/10 * ? * MON-FRI *)", "cron(0/5 8-17 ? * MON-FRI *)", "cron(0 9 ? * 2#1 *)", "cron(0 0 L * ? *)", "cron(0 0 ? * 6L *)", "cron(0 0 15W * ? *)",
	} {
		assert.Nil(t, schedule.Check(s), s)
	}
	for s, want := range map[string]string{
		"":                         "rate(1 hour)",
		"hourly":                   "rate(1 hour)",
		"rate(1 hours)":            "singular",
		"rate(2 hour)":             "rate(2 hours)",
		"rate(0 hours)":            "from 1",
		"rate(1 week)":             "rate(15 minutes)",
		"rate(1.5 hours)":          "rate(15 minutes)",
		"rate(1 hour":              "rate(15 minutes)",
		"cron(0 10 * * ?)":         "has 5 fields",
		"cron(0 10 * * * *)":       "both days or none",
		"cron(0 10 ? * ? *)":       "both days or none",
		"cron(60 10 * * ? *)":      "minute must be 0-59",
		"cron(0 10 32 * ? *)":      "is not read",
		"cron(0 10 * FOO ? *)":     "is not read",
		"cron(0 10 31 4 ? *)":      "never fires",
		"cron(0 10 * * ? 1999)":    "never fires",
		"at(2026-11-21T00:00:00Z)": "rate(1 hour)",
	} {
		bad := schedule.Check(s)
		require.NotNil(t, bad, s)
		assert.Contains(t, bad.Error(), want, s)
	}
}
