package calibrationmem_test

import (
	"testing"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/calibration/calibrationmem"
	"github.com/livetwin/livetwin/internal/calibration/calibrationtest"
)

func TestStore(t *testing.T) {
	calibrationtest.TestStore(t, func(*testing.T) calibration.Store { return new(calibrationmem.Store) })
}
