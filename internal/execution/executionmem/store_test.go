package executionmem_test

import (
	"testing"

	"github.com/livetwin/livetwin/internal/execution"
	"github.com/livetwin/livetwin/internal/execution/executionmem"
	"github.com/livetwin/livetwin/internal/execution/executiontest"
)

func TestStore(t *testing.T) {
	executiontest.TestStore(t, func(*testing.T) execution.Store { return new(executionmem.Store) })
}
