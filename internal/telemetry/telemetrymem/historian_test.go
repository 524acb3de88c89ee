package telemetrymem_test

import (
	"testing"

	"github.com/livetwin/livetwin/internal/telemetry"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrymem"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrytest"
)

func TestHistorian(t *testing.T) {
	telemetrytest.TestHistorian(t, func(_ *testing.T, series ...telemetry.Alias) telemetrytest.Historian {
		return telemetrymem.New(series...)
	})
}
