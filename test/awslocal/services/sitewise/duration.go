package sitewise

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var (
	shortDuration = regexp.MustCompile(`^(\d{1,5})([smhdw])$`)
	isoDuration   = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)
	units         = map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
)

// parseDuration reads 15m or PT15M.
func parseDuration(s string) (time.Duration, error) {
	if m := shortDuration.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, fmt.Errorf("duration %q: %w", s, err)
		}
		return time.Duration(n) * units[m[2]], nil
	}
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "P" || s == "PT" {
		return 0, fmt.Errorf("duration %q is neither like 15m, 1h, 1d, 1w nor like PT15M", s)
	}
	var d time.Duration
	for i, unit := range []string{"w", "d", "h", "m", "s"} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n > 100_000 {
			return 0, fmt.Errorf("duration %q is too long", s)
		}
		d += time.Duration(n) * units[unit]
	}
	return d, nil
}

// window is a tumbling window, in nanoseconds.
type window struct {
	interval, offset int64
	text, offsetText string
}

// weekStart is a Monday, 1970-01-05: windows of one week end on Sunday at
// midnight.
const weekStart = int64(4 * 24 * time.Hour)

// end is the end of the window that t lies in: start exclusive, end inclusive.
func (w window) end(t int64) int64 {
	switch d := (t - weekStart - w.offset) % w.interval; {
	case d == 0:
		return t
	case d < 0:
		return t - d
	default:
		return t + w.interval - d
	}
}

// parseWindow reads a tumbling window.
func parseWindow(interval, offset string) (window, error) {
	w := window{text: interval, offsetText: offset}
	d, err := parseDuration(interval)
	if err != nil {
		return w, fmt.Errorf("interval: %w", err)
	}
	if d < time.Minute || d > 7*24*time.Hour {
		return w, fmt.Errorf("interval %s is not between 1 minute and 1 week", interval)
	}
	w.interval = int64(d)
	if offset == "" {
		return w, nil
	}
	if d, err = parseDuration(offset); err != nil {
		return w, fmt.Errorf("offset (24-hour clocks and time zones are not supported by the local endpoint): %w", err)
	}
	w.offset = int64(d) % w.interval
	return w, nil
}
