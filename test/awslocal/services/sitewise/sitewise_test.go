package sitewise_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise"
)

// noon is the business time at which tests start; wall time plays no part.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// clock is a business clock that a test moves. SiteWise sets no timers, so it
// has none.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) At(time.Time, func()) func() { panic("SiteWise sets no timers") }
func (c *clock) Begin() func()               { return func() {} }

// plant is a deployed rack of two cells and a client that reaches it.
type plant struct {
	*sitewise.Service

	clock  *clock
	server *apimodeltest.Server
	client *iotsitewise.Client
	rack   string
	cells  [2]string
}

func start(t testing.TB, state string) *plant {
	t.Helper()
	c := &clock{now: noon}
	svc, err := sitewise.New(apimodeltest.Identity, c, state)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, svc.Close()) })
	p := &plant{Service: svc, clock: c, server: apimodeltest.Serve(t, svc)}
	p.client = iotsitewise.NewFromConfig(p.server.Config())
	return p
}

// newPlant deploys the models and assets most tests use.
func newPlant(t testing.TB) *plant {
	t.Helper()
	p := start(t, t.TempDir())
	p.deploy(t)
	return p
}

func (p *plant) deploy(t testing.TB) {
	t.Helper()
	cell := p.create(t, "AWS::IoTSiteWise::AssetModel", "CellModel", cellModel)
	rack := p.create(t, "AWS::IoTSiteWise::AssetModel", "RackModel", replace(rackModel, "CELL", cell.Ref))
	for i, name := range []string{"cell-1", "cell-2"} {
		p.cells[i] = p.create(t, "AWS::IoTSiteWise::Asset", name, replace(cellAsset, "MODEL", cell.Ref, "NAME", name)).Ref
	}
	p.rack = p.create(t, "AWS::IoTSiteWise::Asset", "rack-1", replace(rackAsset, "MODEL", rack.Ref, "CELL1", p.cells[0], "CELL2", p.cells[1])).Ref
}

func (p *plant) try(kind, logicalID, properties string) (kernel.Physical, error) {
	return p.Provides()[kind](context.Background(), &kernel.Resource{
		Stack: "telemetry", LogicalID: logicalID, Type: kind, Properties: json.RawMessage(properties),
	})
}

func (p *plant) create(t testing.TB, kind, logicalID, properties string) kernel.Physical {
	t.Helper()
	got, err := p.try(kind, logicalID, properties)
	require.NoError(t, err)
	return got
}

const (
	cellModel = `{
		"AssetModelName": "cell", "AssetModelDescription": "Cell", "AssetModelExternalId": "model.cell", "AssetModelHierarchies": [],
		"AssetModelProperties": [
			{"Name": "capacity", "LogicalId": "capacity", "ExternalId": "attribute.capacity", "DataType": "DOUBLE", "Unit": "A.h",
			 "Type": {"TypeName": "Attribute", "Attribute": {"DefaultValue": "2.5"}}},
			{"Name": "chemistry", "LogicalId": "chemistry", "DataType": "STRING", "Type": {"TypeName": "Attribute", "Attribute": {"DefaultValue": "LiCoO2"}}},
			{"Name": "voltage", "LogicalId": "voltage", "DataType": "DOUBLE", "Unit": "V", "Type": {"TypeName": "Measurement"}},
			{"Name": "current", "LogicalId": "current", "DataType": "DOUBLE", "Unit": "A", "Type": {"TypeName": "Measurement"}},
			{"Name": "cycles", "LogicalId": "cycles", "DataType": "INTEGER", "Type": {"TypeName": "Measurement"}},
			{"Name": "door", "LogicalId": "door", "DataType": "BOOLEAN", "Type": {"TypeName": "Measurement"}},
			{"Name": "mode", "LogicalId": "mode", "DataType": "STRING", "Type": {"TypeName": "Measurement"}},
			{"Name": "power", "LogicalId": "power", "DataType": "DOUBLE", "Unit": "W", "Type": {"TypeName": "Transform", "Transform": {
			 "Expression": "voltage * current", "Variables": [
				{"Name": "voltage", "Value": {"PropertyLogicalId": "voltage"}}, {"Name": "current", "Value": {"PropertyLogicalId": "current"}}]}}},
			{"Name": "energy", "LogicalId": "energy", "DataType": "DOUBLE", "Unit": "W.h", "Type": {"TypeName": "Metric", "Metric": {
			 "Expression": "avg(power) * 0.25 + 0 * capacity", "Variables": [
				{"Name": "power", "Value": {"PropertyLogicalId": "power"}}, {"Name": "capacity", "Value": {"PropertyLogicalId": "capacity"}}],
			 "Window": {"Tumbling": {"Interval": "15m"}}}}},
			{"Name": "last_mode", "LogicalId": "last_mode", "DataType": "STRING", "Type": {"TypeName": "Metric", "Metric": {
			 "Expression": "latest(mode)", "Variables": [{"Name": "mode", "Value": {"PropertyLogicalId": "mode"}}],
			 "Window": {"Tumbling": {"Interval": "1h"}}}}}
		]}`
	rackModel = `{
		"AssetModelName": "rack",
		"AssetModelHierarchies": [{"Name": "cells", "LogicalId": "cells", "ExternalId": "hierarchy.cells", "ChildAssetModelId": "CELL"}],
		"AssetModelProperties": [
			{"Name": "total", "LogicalId": "total", "DataType": "DOUBLE", "Type": {"TypeName": "Metric", "Metric": {
			 "Expression": "sum(energy)", "Variables": [{"Name": "energy", "Value": {"PropertyLogicalId": "energy", "HierarchyLogicalId": "cells"}}],
			 "Window": {"Tumbling": {"Interval": "1h"}}}}}
		]}`
	cellAsset = `{"AssetName": "NAME", "AssetExternalId": "asset.NAME", "AssetModelId": "MODEL", "AssetProperties": [
		{"LogicalId": "voltage", "Alias": "/NAME/voltage"}, {"LogicalId": "current", "Alias": "/NAME/current"},
		{"LogicalId": "capacity", "Alias": "/NAME/capacity"}, {"LogicalId": "chemistry", "Alias": "/NAME/chemistry"},
		{"LogicalId": "cycles", "Alias": "/NAME/cycles"}, {"LogicalId": "door", "Alias": "/NAME/door"}, {"LogicalId": "mode", "Alias": "/NAME/mode"},
		{"LogicalId": "power", "Alias": "/NAME/power"}, {"LogicalId": "energy", "Alias": "/NAME/energy"}, {"LogicalId": "last_mode", "Alias": "/NAME/last_mode"}]}`
	rackAsset = `{"AssetName": "rack-1", "AssetModelId": "MODEL", "AssetProperties": [{"LogicalId": "total", "Alias": "/rack-1/total"}],
		"AssetHierarchies": [{"LogicalId": "cells", "ChildAssetId": "CELL1"}, {"LogicalId": "cells", "ChildAssetId": "CELL2"}]}`
)

// value makes one value of a batch.
func value(at time.Time, v types.Variant, q types.Quality) types.AssetPropertyValue {
	return types.AssetPropertyValue{
		Value: &v, Quality: q,
		Timestamp: &types.TimeInNanos{TimeInSeconds: aws.Int64(at.Unix()), OffsetInNanos: aws.Int32(int32(at.Nanosecond()))},
	}
}

func double(f float64) types.Variant { return types.Variant{DoubleValue: &f} }

// put writes good doubles to an alias, a second apart, and wants no error.
func (p *plant) put(t testing.TB, alias string, at time.Time, values ...float64) {
	t.Helper()
	p.putEvery(t, time.Second, alias, at, values...)
}

// putEvery writes good doubles to an alias, a step apart, and wants no error.
func (p *plant) putEvery(t testing.TB, step time.Duration, alias string, at time.Time, values ...float64) {
	t.Helper()
	for len(values) > 0 {
		n := min(10, len(values))
		var list []types.AssetPropertyValue
		for _, v := range values[:n] {
			list = append(list, value(at, double(v), types.QualityGood))
			at = at.Add(step)
		}
		values = values[n:]
		out := p.batch(t, types.PutAssetPropertyValueEntry{EntryId: aws.String("e"), PropertyAlias: &alias, PropertyValues: list})
		require.Empty(t, out)
	}
}

func (p *plant) batch(t testing.TB, entries ...types.PutAssetPropertyValueEntry) []types.BatchPutAssetPropertyErrorEntry {
	t.Helper()
	out, err := p.client.BatchPutAssetPropertyValue(t.Context(), &iotsitewise.BatchPutAssetPropertyValueInput{Entries: entries})
	require.NoError(t, err)
	return out.ErrorEntries
}

type sample struct {
	at string // RFC 3339 of the day's time
	v  float64
}

// history reads all doubles of an alias.
func (p *plant) history(t testing.TB, alias string) []sample {
	t.Helper()
	return p.read(t, &iotsitewise.GetAssetPropertyValueHistoryInput{PropertyAlias: &alias, EndDate: aws.Time(noon.AddDate(1, 0, 0))})
}

func (p *plant) read(t testing.TB, in *iotsitewise.GetAssetPropertyValueHistoryInput) []sample {
	t.Helper()
	var all []sample
	pages := iotsitewise.NewGetAssetPropertyValueHistoryPaginator(p.client, in)
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, v := range out.AssetPropertyValueHistory {
			at := time.Unix(*v.Timestamp.TimeInSeconds, int64(*v.Timestamp.OffsetInNanos)).UTC()
			s := sample{at: at.Format("15:04:05.999999999")}
			if v.Value.DoubleValue != nil {
				s.v = *v.Value.DoubleValue
			}
			all = append(all, s)
		}
	}
	return all
}
