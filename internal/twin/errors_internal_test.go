package twin

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSuggestionsAreTheNearestNames(t *testing.T) {
	assert.Equal(t, 1, editDistance("cell-3", "cell-1"))
	assert.Equal(t, 1, editDistance("curent", "current"))
	assert.Equal(t, 1, editDistance("naem", "name"), "an exchange of neighbours counts once")
	assert.Equal(t, 5, editDistance("cell-3", "site-1"))
	assert.Equal(t, 3, editDistance("", "abc"))
	assert.Equal(t, "cell-1", nearest("cell-3", []string{"site-1", "cell-1"}))
	assert.Empty(t, nearest("v", []string{"current"}))
}
