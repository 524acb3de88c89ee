package scheduler

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/winebarrel/cronplan"
)

// An expression says when a schedule is due.
type expression interface {
	// next is the first instant strictly after t, in a schedule that began at
	// anchor; ok is false when there is none.
	next(t, anchor time.Time) (due time.Time, ok bool)
}

var rate = regexp.MustCompile(`^rate\(([1-9][0-9]*) (minute|minutes|hour|hours|day|days)\)$`)

// parseExpression reads rate(), cron() or at() in a time zone; an empty zone is
// UTC.
func parseExpression(text, zone string) (expression, error) {
	if zone == "" {
		zone = "UTC"
	}
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, fmt.Errorf("invalid Schedule Expression Timezone %q: want an IANA name such as Europe/Berlin", zone)
	}
	switch {
	case strings.HasPrefix(text, "rate("):
		m := rate.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("invalid Schedule Expression %s: want rate(value unit) with a whole value and minutes, hours or days", text)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 100000 {
			return nil, fmt.Errorf("invalid Schedule Expression %s: the value is too large", text)
		}
		if (n == 1) == strings.HasSuffix(m[2], "s") {
			return nil, fmt.Errorf("invalid Schedule Expression %s: the unit is singular for 1 and plural otherwise", text)
		}
		unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(m[2], "s")]
		return every(time.Duration(n) * unit), nil
	case strings.HasPrefix(text, "cron(") && strings.HasSuffix(text, ")"):
		plan, err := cronplan.Parse(text[len("cron(") : len(text)-1])
		if err != nil {
			return nil, fmt.Errorf("invalid Schedule Expression %s: %w", text, err)
		}
		return cron{plan, location}, nil
	case strings.HasPrefix(text, "at(") && strings.HasSuffix(text, ")"):
		t, err := time.ParseInLocation("2006-01-02T15:04:05", text[len("at("):len(text)-1], location)
		if err != nil {
			return nil, fmt.Errorf("invalid Schedule Expression %s: want at(yyyy-mm-ddThh:mm:ss)", text)
		}
		return once(t.UTC()), nil
	default:
		return nil, fmt.Errorf("invalid Schedule Expression %s: want rate(…), cron(…) or at(…)", text)
	}
}

// every is due at whole multiples of a duration after the anchor.
type every time.Duration

func (e every) next(t, anchor time.Time) (time.Time, bool) {
	if t.Before(anchor) {
		t = anchor
	}
	n := t.Sub(anchor)/time.Duration(e) + 1
	return anchor.Add(n * time.Duration(e)), true
}

// once is due at one instant.
type once time.Time

func (o once) next(t, _ time.Time) (time.Time, bool) { return time.Time(o), t.Before(time.Time(o)) }

// cron is due by the wall clock of a place. A time that daylight saving skips
// is skipped; one that it repeats is due once, as in AWS.
type cron struct {
	plan     *cronplan.Expression
	location *time.Location
}

func (c cron) next(t, _ time.Time) (time.Time, bool) {
	// The plan is asked in the wall clock's own terms, as if they were UTC: it
	// is then not confused by days that lack an hour.
	local := t.In(c.location)
	wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
	for {
		// Next includes the minute it is given: ask from the following one on.
		wall = c.plan.Next(wall.Add(time.Minute))
		if wall.IsZero() {
			return time.Time{}, false
		}
		due := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, c.location)
		exists := due.Hour() == wall.Hour() && due.Minute() == wall.Minute()
		if exists && due.After(t) {
			return due.UTC(), true
		}
	}
}
