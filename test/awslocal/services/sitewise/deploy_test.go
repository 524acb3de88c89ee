package sitewise_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	assetModelType = "AWS::IoTSiteWise::AssetModel"
	assetType      = "AWS::IoTSiteWise::Asset"
)

// What AWS refuses at deployment is refused here, by name.
func TestModelsThatAreRefused(t *testing.T) {
	p := newPlant(t)
	property := func(rest string) string {
		return `{"AssetModelName":"m","AssetModelProperties":[{"Name":"x","LogicalId":"x","DataType":"DOUBLE","Type":{"TypeName":"Measurement"}},` + rest + `]}`
	}
	transform := func(expression string) string {
		return property(`{"Name":"y","LogicalId":"y","DataType":"DOUBLE","Type":{"TypeName":"Transform","Transform":{"Expression":"` + expression +
			`","Variables":[{"Name":"x","Value":{"PropertyLogicalId":"x"}}]}}}`)
	}
	metric := func(variable, window string) string {
		return property(`{"Name":"y","LogicalId":"y","DataType":"DOUBLE","Type":{"TypeName":"Metric","Metric":{"Expression":"sum(v)",
			"Variables":[{"Name":"v","Value":` + variable + `}]` + window + `}}}`)
	}
	tests := map[string]struct{ template, want string }{
		"no name":            {`{"AssetModelProperties":[]}`, "AssetModelName must have 1 to 256 characters"},
		"unknown property":   {`{"AssetModelName":"m","AssetModelProperty":[]}`, "AssetModelProperty"},
		"another case":       {`{"assetModelName":"m"}`, "assetModelName"},
		"external id":        {`{"AssetModelName":"m","AssetModelExternalId":"-"}`, "AssetModelExternalId"},
		"external id taken":  {`{"AssetModelName":"m","AssetModelExternalId":"model.cell"}`, `belongs to asset model "cell" already`},
		"composite":          {`{"AssetModelName":"m","AssetModelCompositeModels":[{"Name":"c"}]}`, "AssetModelCompositeModels"},
		"changed, in use":    {`{"AssetModelName":"cell"}`, "has assets"},
		"no id":              {property(`{"Name":"y","DataType":"DOUBLE","Type":{"TypeName":"Measurement"}}`), "needs a LogicalId"},
		"name twice":         {property(`{"Name":"x","LogicalId":"y","DataType":"DOUBLE","Type":{"TypeName":"Measurement"}}`), "there twice"},
		"logical id twice":   {property(`{"Name":"y","LogicalId":"x","DataType":"DOUBLE","Type":{"TypeName":"Measurement"}}`), "there twice"},
		"data type":          {property(`{"Name":"y","LogicalId":"y","DataType":"FLOAT","Type":{"TypeName":"Measurement"}}`), `data type "FLOAT"`},
		"type name":          {property(`{"Name":"y","LogicalId":"y","DataType":"DOUBLE","Type":{"TypeName":"Formula"}}`), `type name "Formula"`},
		"default value":      {property(`{"Name":"y","LogicalId":"y","DataType":"INTEGER","Type":{"TypeName":"Attribute","Attribute":{"DefaultValue":"1.5"}}}`), `"1.5" is not an INTEGER`},
		"default elsewhere":  {property(`{"Name":"y","LogicalId":"y","DataType":"DOUBLE","Type":{"TypeName":"Measurement","Attribute":{"DefaultValue":"1"}}}`), "only an Attribute"},
		"no expression":      {property(`{"Name":"y","LogicalId":"y","DataType":"DOUBLE","Type":{"TypeName":"Transform"}}`), "needs its own expression"},
		"integer transform":  {strings.Replace(transform("x"), `"y","DataType":"DOUBLE"`, `"y","DataType":"INTEGER"`, 1), "DOUBLE or STRING, not INTEGER"},
		"syntax":             {transform("x +"), "expected a value"},
		"unknown variable":   {transform("x + z"), `"z"`},
		"unknown function":   {transform("median(x)"), "median"},
		"metric's function":  {transform("avg(x)"), "metrics only"},
		"itself":             {strings.Replace(transform("x"), `{"PropertyLogicalId":"x"}`, `{"PropertyLogicalId":"y"}`, 1), "computed from itself"},
		"unknown input":      {strings.Replace(transform("x"), `{"PropertyLogicalId":"x"}`, `{"PropertyLogicalId":"w"}`, 1), `no property "w"`},
		"child in transform": {strings.Replace(transform("x"), `{"PropertyLogicalId":"x"}`, `{"PropertyLogicalId":"x","HierarchyLogicalId":"h"}`, 1), "only a metric"},
		"unknown hierarchy":  {metric(`{"PropertyLogicalId":"x","HierarchyLogicalId":"h"}`, `,"Window":{"Tumbling":{"Interval":"1h"}}`), `no hierarchy "h"`},
		"no window":          {metric(`{"PropertyLogicalId":"x"}`, ""), "tumbling Window"},
		"short window":       {metric(`{"PropertyLogicalId":"x"}`, `,"Window":{"Tumbling":{"Interval":"30s"}}`), "between 1 minute and 1 week"},
		"odd window":         {metric(`{"PropertyLogicalId":"x"}`, `,"Window":{"Tumbling":{"Interval":"an hour"}}`), "an hour"},
		"no child model":     {`{"AssetModelName":"m","AssetModelHierarchies":[{"Name":"h","LogicalId":"h","ChildAssetModelId":"nobody"}]}`, "nobody not found"},
		"hierarchy, no id":   {`{"AssetModelName":"m","AssetModelHierarchies":[{"Name":"h","ChildAssetModelId":"externalId:model.cell"}]}`, "needs a LogicalId"},
		"hierarchy twice": {
			`{"AssetModelName":"m","AssetModelHierarchies":[{"Name":"h","LogicalId":"a","ChildAssetModelId":"externalId:model.cell"},` +
				`{"Name":"h","LogicalId":"b","ChildAssetModelId":"externalId:model.cell"}]}`, "there twice",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := p.try(assetModelType, "M", tt.template)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAssetsThatAreRefused(t *testing.T) {
	p := newPlant(t)
	model := p.create(t, assetModelType, "Rack2", replace(rackModel, "CELL", "externalId:model.cell", `"rack"`, `"rack2"`)).Ref
	tests := map[string]struct{ template, want string }{
		"no name":             {`{"AssetModelId":"MODEL"}`, "AssetName must have"},
		"no model":            {`{"AssetName":"a","AssetModelId":"nobody"}`, "nobody not found"},
		"external id taken":   {`{"AssetName":"a","AssetModelId":"MODEL","AssetExternalId":"asset.cell-1"}`, `belongs to asset "cell-1" already`},
		"unknown property":    {`{"AssetName":"a","AssetModelId":"MODEL","AssetProperties":[{"LogicalId":"x","Alias":"/x"}]}`, `has no property "x"`},
		"property twice":      {`{"AssetName":"a","AssetModelId":"MODEL","AssetProperties":[{"LogicalId":"total"},{"LogicalId":"total"}]}`, "there twice"},
		"alias taken":         {`{"AssetName":"a","AssetModelId":"MODEL","AssetProperties":[{"LogicalId":"total","Alias":"/cell-1/voltage"}]}`, `belongs to property "voltage" of asset "cell-1"`},
		"alias":               {`{"AssetName":"a","AssetModelId":"MODEL","AssetProperties":[{"LogicalId":"total","Alias":"a\nb"}]}`, "control character"},
		"notification":        {`{"AssetName":"a","AssetModelId":"MODEL","AssetProperties":[{"LogicalId":"total","NotificationState":"ON"}]}`, `"ON"`},
		"unknown hierarchy":   {`{"AssetName":"a","AssetModelId":"MODEL","AssetHierarchies":[{"LogicalId":"h","ChildAssetId":"CELL"}]}`, `no hierarchy "h"`},
		"unknown child":       {`{"AssetName":"a","AssetModelId":"MODEL","AssetHierarchies":[{"LogicalId":"cells","ChildAssetId":"nobody"}]}`, "nobody not found"},
		"child of other kind": {`{"AssetName":"a","AssetModelId":"MODEL","AssetHierarchies":[{"LogicalId":"cells","ChildAssetId":"RACK"}]}`, "which is not the hierarchy's"},
		"child has a parent":  {`{"AssetName":"a","AssetModelId":"MODEL","AssetHierarchies":[{"LogicalId":"cells","ChildAssetId":"CELL"}]}`, "has a parent already"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := p.try(assetType, "A", replace(tt.template, "MODEL", model, "CELL", p.cells[0], "RACK", p.rack))
			assert.ErrorContains(t, err, tt.want)
		})
	}
	free := p.create(t, assetType, "Free", `{"AssetName":"free","AssetModelId":"externalId:model.cell"}`).Ref
	_, err := p.try(assetType, "A", replace(`{"AssetName":"a","AssetModelId":"MODEL","AssetHierarchies":[
		{"LogicalId":"cells","ChildAssetId":"CELL"},{"LogicalId":"cells","ChildAssetId":"CELL"}]}`, "MODEL", model, "CELL", free))
	require.ErrorContains(t, err, "has a parent already", "nor can it be there twice")
	p.create(t, assetType, "A", replace(`{"AssetName":"a","AssetModelId":"MODEL","AssetHierarchies":[{"LogicalId":"cells","ChildAssetId":"CELL"}]}`, "MODEL", model, "CELL", free))
}

// A refused asset leaves nothing behind, and one that is the same is no change.
func TestDeployingAgain(t *testing.T) {
	p := newPlant(t)
	before := p.cells
	p.deploy(t)
	assert.Equal(t, before, p.cells)
	_, err := p.try(assetType, "cell-1", `{"AssetName":"other","AssetModelId":"externalId:model.cell"}`)
	require.ErrorContains(t, err, "exists with other properties")
	_, err = p.try(assetType, "B", `{"AssetName":"b","AssetModelId":"externalId:model.cell","AssetProperties":[
		{"LogicalId":"voltage","Alias":"/b/voltage"},{"LogicalId":"power","Alias":"/b/voltage"}]}`)
	require.ErrorContains(t, err, "same alias")
	created := p.create(t, assetType, "B", `{"AssetName":"b","AssetModelId":"externalId:model.cell","AssetProperties":[{"LogicalId":"voltage","Alias":"/b/voltage"}]}`)
	assert.Equal(t, "arn:aws:iotsitewise:us-east-1:000000000000:asset/"+created.Ref, created.Attributes["AssetArn"])
	assert.Equal(t, created.Ref, created.Attributes["AssetId"])
}
