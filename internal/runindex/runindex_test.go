package runindex_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livetwin/livetwin/internal/runindex"
)

func TestNext(t *testing.T) {
	for _, c := range []struct {
		before runindex.State
		holds  bool
		want   runindex.State
	}{
		{"", false, runindex.Normal},
		{"", true, runindex.Active},
		{runindex.Normal, false, runindex.Normal},
		{runindex.Normal, true, runindex.Active},
		{runindex.Active, true, runindex.Active},
		{runindex.Active, false, runindex.Normal},
		{runindex.Acknowledged, true, runindex.Acknowledged},
		{runindex.Acknowledged, false, runindex.Normal},
		{runindex.SnoozeDisabled, true, runindex.SnoozeDisabled},
		{runindex.SnoozeDisabled, false, runindex.Normal},
	} {
		assert.Equal(t, c.want, runindex.Next(c.before, c.holds), "%q, condition %t", c.before, c.holds)
	}
}
