package runindexmem_test

import (
	"testing"

	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/runindex/runindexmem"
	"github.com/livetwin/livetwin/internal/runindex/runindextest"
)

func TestIndex(t *testing.T) {
	runindextest.TestIndex(t, func(*testing.T) runindex.Index { return new(runindexmem.Index) })
}
