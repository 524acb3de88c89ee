package template_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

func resource(properties string) *kernel.Resource {
	return &kernel.Resource{Stack: "demo-stack", LogicalID: "Queue1234", Type: "AWS::SQS::Queue", Properties: json.RawMessage(properties)}
}

func TestDecode(t *testing.T) {
	var v struct {
		Size template.Int
		On   template.Bool
	}
	require.NoError(t, template.Decode(resource(`{"Size": "7", "On": true}`), &v))
	assert.EqualValues(t, 7, v.Size)
	assert.True(t, bool(v.On))
	require.NoError(t, template.Decode(resource(``), &v), "a resource may have no properties")

	for name, properties := range map[string]string{
		"unknown property": `{"Sise": 7}`,
		"not a number":     `{"Size": "seven"}`,
		"not a boolean":    `{"On": "yes"}`,
		"two values":       `{} {}`,
	} {
		err := template.Decode(resource(properties), &v)
		require.Error(t, err, name)
		require.ErrorContains(t, err, "demo-stack/Queue1234 (AWS::SQS::Queue)", name)
	}
	require.ErrorContains(t, template.Decode(resource(`{"Sise": 7}`), &v), "Sise")
}

func TestName(t *testing.T) {
	r := resource(``)
	assert.Equal(t, "given", template.Name(r, "given", 80))
	made := template.Name(r, "", 80)
	assert.True(t, strings.HasPrefix(made, "demo-stack-Queue1234-"), made)
	assert.Equal(t, made, template.Name(r, "", 80), "two deployments agree")
	assert.Len(t, template.Name(r, "", 20), 20)
	r.LogicalID = "Other"
	assert.NotEqual(t, made[len(made)-12:], template.Name(r, "", 80)[len(template.Name(r, "", 80))-12:])
}
