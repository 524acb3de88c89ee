package events_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/livetwin/livetwin/events"
	"github.com/livetwin/livetwin/internal/golden"
)

func origin(id string) events.Origin {
	return events.Origin{Twin: "battery-storage", Stage: "prod", ID: id}
}

// Every detail type has its golden event, which is its schema.
func TestGolden(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	all := map[string]events.Event{
		"calibration-promoted": events.CalibrationPromoted{
			Origin: origin("9f86d081884c7d65"), Asset: "cell-1", Calibration: "cell-health", Run: "9f86d081884c7d65",
			Generation: 8, WindowEnd: at, Reason: "log score 0.21 better per observation; NIS and coverage inside their bands",
		},
		"calibration-rejected": events.CalibrationRejected{
			Origin: origin("9f86d081884c7d65"), Asset: "cell-1", Calibration: "cell-health", Run: "9f86d081884c7d65",
			Generation: 8, WindowEnd: at, Reason: "log score 0.03 worse per observation",
		},
		"recalibration-failed": events.RecalibrationFailed{
			Origin: origin("4a7c/cell-1"), Asset: "cell-1", Calibration: "cell-health", Execution: "4a7c",
			WindowEnd: "2026-01-02T03:00:00Z", Error: "the job left no outcome",
		},
		"recalibration-requested": events.RecalibrationRequested{
			Origin: origin("shift-change-17"), Calibration: "cell-health", WindowEnd: at,
		},
		"alarm-state-changed": events.AlarmStateChanged{
			Origin: origin("cell-1#low-health#2026-01-02T03:00:00Z"), Asset: "cell-1", Alarm: "low-health",
			State: "ACTIVE", Previous: "NORMAL", Value: 0.79, Time: at,
		},
	}
	types := map[string]bool{}
	for name, event := range all {
		t.Run(name, func(t *testing.T) {
			golden.JSON(t, "testdata/"+name+".json", map[string]any{
				"source": event.Source(), "detail-type": event.DetailType(), "detail": event,
			})
		})
		assert.Contains(t, []string{events.SourceCalibration, events.SourceTwin}, event.Source())
		assert.False(t, types[event.DetailType()], "two events of type %q", event.DetailType())
		types[event.DetailType()] = true
	}
}
