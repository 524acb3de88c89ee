package clock_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/clock"
)

var start = time.Date(2008, 4, 2, 12, 0, 0, 0, time.UTC)

func stepped(t testing.TB) *clock.Clock {
	t.Helper()
	c, err := clock.New(start, clock.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestTimeStandsStillOutsideAdvance(t *testing.T) {
	c := stepped(t)
	fired := false
	c.At(start.Add(time.Second), func() { fired = true })
	assert.Equal(t, start, c.Now())
	require.NoError(t, c.Advance(t.Context(), start.Add(time.Second-1)))
	assert.False(t, fired)
	require.NoError(t, c.Advance(t.Context(), start.Add(time.Second)))
	assert.True(t, fired)
	assert.Equal(t, start.Add(time.Second), c.Now())
	require.ErrorIs(t, c.Advance(t.Context(), start), clock.ErrPast)
}

func TestATimerThatIsDueRunsAtOnce(t *testing.T) {
	c := stepped(t)
	ran := make(chan time.Time, 1)
	c.At(start, func() { ran <- c.Now() })
	assert.Equal(t, start, <-ran)
}

func TestTiesRunInTheOrderOfNames(t *testing.T) {
	c := stepped(t)
	var order []string
	for _, name := range []string{"schedule/b", "schedule/c", "schedule/a"} {
		c.AtNamed(start.Add(time.Second), name, func() { order = append(order, name) })
	}
	require.NoError(t, c.Advance(t.Context(), start.Add(time.Second)))
	assert.Equal(t, []string{"schedule/a", "schedule/b", "schedule/c"}, order)
}

func TestACancelledTimerDoesNotFire(t *testing.T) {
	c := stepped(t)
	cancel := c.At(start.Add(time.Second), func() { t.Error("fired") })
	cancel()
	cancel()
	require.NoError(t, c.Advance(t.Context(), start.Add(time.Minute)))
}

func TestAdvanceWaitsForWorkBeforeTheNextTimer(t *testing.T) {
	c := stepped(t)
	var finished atomic.Bool
	c.At(start.Add(1*time.Second), func() {
		done := c.Begin() // outlives the timer's function
		go func() {
			defer done()
			defer done() // twice is once
			time.Sleep(20 * time.Millisecond)
			assert.Equal(t, start.Add(time.Second), c.Now(), "time moved while work was in flight")
			finished.Store(true)
		}()
	})
	c.At(start.Add(2*time.Second), func() { assert.True(t, finished.Load()) })
	require.NoError(t, c.Advance(t.Context(), start.Add(time.Minute)))
	assert.True(t, finished.Load())
}

// TestOrder checks, for any set of timers that set and cancel further timers,
// that they fire by time, ties in the order of At, at exactly their own time,
// one at a time, and all of those due and not cancelled, in however many
// advances the way is made.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, err := clock.New(start)
		require.NoError(rt, err)
		defer c.Close()
		type event struct {
			at  int
			seq int
		}
		var (
			mu      sync.Mutex
			running atomic.Int32
			fired   []event
			want    []event
			seq     int
			set     func(at, depth int)
		)
		delays := rapid.SliceOfN(rapid.IntRange(0, 5), 64, 64).Draw(rt, "delays")
		set = func(at, depth int) {
			mu.Lock()
			seq++
			e := event{at, seq}
			drop := depth == 0 && delays[(seq*7)%len(delays)] == 5 && at > 0
			if !drop {
				want = append(want, e)
			}
			mu.Unlock()
			cancel := c.At(start.Add(time.Duration(e.at)*time.Second), func() {
				assert.Equal(rt, int32(1), running.Add(1), "two timers at once")
				defer running.Add(-1)
				assert.Equal(rt, start.Add(time.Duration(e.at)*time.Second), c.Now())
				mu.Lock()
				fired = append(fired, e)
				mu.Unlock()
				if depth < 2 {
					set(e.at+1+delays[(e.seq*3)%len(delays)], depth+1)
				}
			})
			if drop {
				cancel()
			}
		}
		for _, at := range rapid.SliceOfN(rapid.IntRange(1, 8), 0, 12).Draw(rt, "timers") {
			set(at, 0)
		}
		now := 0
		for now < 40 {
			now = min(40, now+rapid.IntRange(0, 15).Draw(rt, "advance"))
			require.NoError(rt, c.Advance(context.Background(), start.Add(time.Duration(now)*time.Second)))
			for _, e := range fired {
				require.LessOrEqual(rt, e.at, now)
			}
		}
		slices.SortFunc(want, func(a, b event) int {
			if a.at != b.at {
				return a.at - b.at
			}
			return a.seq - b.seq
		})
		require.Equal(rt, want, fired)
	})
}

func TestReachingWallTimeTheClockRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now() // the bubble's wall
		c, err := clock.New(began.Add(-time.Hour))
		require.NoError(t, err)
		defer c.Close()
		var mu sync.Mutex
		var fired []time.Duration
		firedSoFar := func() []time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(fired)
		}
		for _, d := range []time.Duration{-30 * time.Minute, time.Minute, 2 * time.Minute} {
			c.At(began.Add(d), func() {
				mu.Lock()
				defer mu.Unlock()
				fired = append(fired, d)
			})
		}
		require.NoError(t, c.CatchUp(t.Context()))
		assert.Equal(t, began, time.Now(), "catching up takes no wall time")
		assert.Equal(t, "live", c.State().Mode)
		assert.Equal(t, []time.Duration{-30 * time.Minute}, firedSoFar())

		time.Sleep(90 * time.Second)
		synctest.Wait()
		assert.Equal(t, []time.Duration{-30 * time.Minute, time.Minute}, firedSoFar())
		assert.Equal(t, began.Add(90*time.Second).UTC(), c.Now())

		require.NoError(t, c.Advance(t.Context(), began.Add(2*time.Minute)), "a live clock is waited for")
		assert.Len(t, firedSoFar(), 3)
		assert.Equal(t, began.Add(2*time.Minute), time.Now())

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, c.Advance(ctx, began.Add(time.Hour)), context.DeadlineExceeded)
	})
}

func TestAClockWithoutStartIsWallTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := clock.New(time.Time{})
		require.NoError(t, err)
		defer c.Close()
		fired := false
		c.At(time.Now().Add(time.Second), func() { fired = true })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.True(t, fired)
	})
}

func TestAStuckClockNamesWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().Add(-24 * time.Hour).UTC() // the bubble's wall is the year 2000
		c, err := clock.New(start, clock.WithLimit(time.Minute), clock.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		defer c.Close()
		release := make(chan struct{})
		clock.At(c, start.Add(time.Second), "delivery of rule/nightly", func() { <-release })
		err = c.Advance(t.Context(), start.Add(time.Hour))
		require.ErrorIs(t, err, clock.ErrStuck)
		require.ErrorContains(t, err, "delivery of rule/nightly")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = c.Advance(ctx, start.Add(time.Hour))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "delivery of rule/nightly")

		close(release) // and then it goes on from where it stood
		require.NoError(t, c.Advance(t.Context(), start.Add(time.Hour)))
		assert.Equal(t, start.Add(time.Hour), c.Now())
	})
}

func TestUnnamedWorkIsNamedAfterItsCaller(t *testing.T) {
	c := stepped(t)
	defer c.Begin()()
	require.Len(t, c.State().Work, 1)
	assert.Contains(t, c.State().Work[0].Name, "clock_test.go")
}

func TestCloseEndsAnAdvance(t *testing.T) {
	c := stepped(t)
	defer c.Begin()()
	failed := make(chan error, 1)
	go func() { failed <- c.Advance(t.Context(), start.Add(time.Hour)) }()
	c.Close()
	require.ErrorIs(t, <-failed, clock.ErrClosed)
	c.At(start, func() { t.Error("fired after Close") })
}

func TestAStartInTheFutureIsRefused(t *testing.T) {
	_, err := clock.New(time.Now().Add(time.Hour))
	require.ErrorContains(t, err, "after wall time")
}

func TestHandler(t *testing.T) {
	c := stepped(t)
	c.AtNamed(start.Add(time.Hour), "nightly", func() {})
	server := httptest.NewServer(c.Handler())
	defer server.Close()

	post := func(body string) (int, string) {
		t.Helper()
		res, err := http.Post(server.URL, "application/json", strings.NewReader(body)) //nolint:noctx // a test
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(b)
	}
	res, err := http.Get(server.URL) //nolint:noctx // a test
	require.NoError(t, err)
	defer res.Body.Close()
	var state clock.State
	require.NoError(t, json.NewDecoder(res.Body).Decode(&state))
	assert.Equal(t, start, state.Now)
	assert.Equal(t, "stepped", state.Mode)
	assert.Equal(t, start.Add(time.Hour), *state.NextTimer)
	assert.Equal(t, "nightly", state.NextName)

	status, body := post(`{"to": "2008-04-02T14:00:00Z"}`)
	assert.Equal(t, 200, status, body)
	assert.JSONEq(t, `{"now":"2008-04-02T14:00:00Z","mode":"stepped","timers":0,"inFlight":0}`, body)

	status, body = post(`{"to": "2008-04-02T13:00:00Z"}`)
	assert.Equal(t, 409, status)
	assert.Contains(t, body, "cannot go back")
	status, _ = post(`{"to": "tomorrow"}`)
	assert.Equal(t, 400, status)
	status, _ = post(`{"until": "now"}`)
	assert.Equal(t, 400, status)

	status, body = post(`{"to": "now"}`)
	assert.Equal(t, 200, status, body)
	assert.Contains(t, body, `"mode":"live"`)
}

func BenchmarkStep(b *testing.B) {
	c := stepped(b)
	for i := range b.N {
		c.At(start.Add(time.Duration(i+1)*time.Millisecond), func() {})
	}
	b.ResetTimer()
	require.NoError(b, c.Advance(b.Context(), start.Add(time.Duration(b.N)*time.Millisecond)))
}
