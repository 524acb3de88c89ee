package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/calibration"
)

func TestTextsBesideARowBreakBetweenWords(t *testing.T) {
	text := "the window is not consistent with the model"
	assert.Equal(t, []string{"row  " + text}, beside("row  ", text, 0))
	assert.Equal(t, []string{"row  " + text}, beside("row  ", text, 48))
	assert.Equal(t, []string{
		"row  the window is not",
		"     consistent with the",
		"     model",
	}, beside("row  ", text, 29))
	assert.Equal(t, []string{
		strings.Repeat("x", 30),
		"      the window is not consistent with",
		"      the model",
	}, beside(strings.Repeat("x", 30), text, 40))
}

func TestARowShowsWhatIsScored(t *testing.T) {
	var b bytes.Buffer
	c := newConsole(&b)
	require.False(t, c.dynamic, "no terminal: plain lines")
	c.header()
	d := calibration.Diagnostics{
		Key: calibration.Key{Asset: "cell-2"}, WindowEnd: time.Date(2026, 3, 4, 9, 20, 0, 0, time.UTC),
		Decision: calibration.Decision{
			Outcome: calibration.Rejected, Gain: new(-0.5),
			Reason: "the window is not consistent with the model: mean NIS 35, at most 3.1 is expected; more",
		},
		ChallengerScores: calibration.Scores{NIS: 35},
		Segments: []calibration.Segment{{Index: 7, Forecasts: []calibration.Forecast{{
			Name: "capacity", Measured: new(1.81), Onset: &calibration.Interval{P05: 1.79, P50: 1.8, P95: 1.82},
		}}}},
		Predictions: []calibration.Prediction{
			{Output: "state_of_health", Quantile: 0.05, Value: 0.89},
			{Output: "state_of_health", Quantile: 0.5, Value: 0.9},
			{Output: "state_of_health", Quantile: 0.95, Value: 0.91},
		},
	}
	c.row(d)
	d.Decision = calibration.Decision{Outcome: calibration.Promoted, Reason: "the challenger is better: log score 5 against 4; mean NIS 1"}
	d.Segments = append(d.Segments, calibration.Segment{Index: 8})
	c.row(d)
	lines := strings.Split(strings.Trim(b.String(), "\n"), "\n")
	require.Len(t, lines, 3)
	assert.Equal(t, "  2026-03-04 09:20  cell-2         7  rejected    1.8100  1.8000 [1.790, 1.820]    90.0 %   35.00    -0.500  "+
		"the window is not consistent with the model: mean NIS 35, at most 3.1 is expected", lines[1])
	assert.Equal(t, "  2026-03-04 09:20  cell-2       7-8  promoted         –  –                        90.0 %   35.00         –  the challenger is better", lines[2])
	head, _, _ := strings.Cut(lines[0], "why")
	row, _, _ := strings.Cut(lines[1], "the window")
	assert.Equal(t, utf8.RuneCountInString(row), utf8.RuneCountInString(head), "columns line up")
}
