package apimodel

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The formats of timestamps on the wire.
const (
	formatUnix = "unixTimestamp"
	formatISO  = "iso8601"
	formatRFC  = "rfc822"
)

// An instant is a timestamp. It holds any epoch second a client may send, those
// far outside time.Time's printable years included.
type instant struct {
	seconds int64
	nanos   int64 // 0 to 999,999,999
}

func instantOf(t time.Time) instant { return instant{t.Unix(), int64(t.Nanosecond())} }

// parseEpoch reads epoch seconds with an optional fraction or exponent.
func parseEpoch(s string) (instant, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil && len(frac) <= 9 && !strings.ContainsAny(frac, "eE+-") {
		if frac == "" {
			return instant{n, 0}, nil
		}
		f, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
		if err != nil {
			return instant{}, fmt.Errorf("read epoch seconds %q: %w", s, err)
		}
		if strings.HasPrefix(whole, "-") && f > 0 {
			return instant{n - 1, 1e9 - f}, nil
		}
		return instant{n, f}, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e15 {
		return instant{}, fmt.Errorf("%q is not a time in epoch seconds", s)
	}
	seconds := math.Floor(f)
	nanos := int64(math.Round((f-seconds)*1e6)) * 1000 // a float64 holds microseconds of this century
	if nanos == 1e9 {
		return instant{int64(seconds) + 1, 0}, nil
	}
	return instant{int64(seconds), nanos}, nil
}

// parseInstant reads an ISO 8601 or an HTTP date.
func parseInstant(s string) (instant, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		if t, err = http.ParseTime(s); err != nil {
			return instant{}, fmt.Errorf("%q is neither an RFC 3339 nor an HTTP date", s)
		}
	}
	return instantOf(t), nil
}

// append writes t in a wire format. The fraction of epoch seconds is as long as
// it needs to be.
func (t instant) append(b []byte, format string) []byte {
	switch format {
	case formatISO:
		b = append(b, '"')
		b = time.Unix(t.seconds, t.nanos).UTC().AppendFormat(b, "2006-01-02T15:04:05.999Z")
		return append(b, '"')
	case formatRFC:
		b = append(b, '"')
		b = time.Unix(t.seconds, t.nanos).UTC().AppendFormat(b, http.TimeFormat)
		return append(b, '"')
	}
	seconds, nanos := t.seconds, t.nanos
	if seconds < 0 && nanos > 0 {
		seconds, nanos = seconds+1, 1e9-nanos
		if seconds == 0 {
			b = append(b, '-')
		}
	}
	b = strconv.AppendInt(b, seconds, 10)
	if nanos == 0 {
		return b
	}
	frac := strings.TrimRight(fmt.Sprintf("%09d", nanos), "0")
	return append(append(b, '.'), frac...)
}
