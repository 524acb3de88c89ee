package twinmaker_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker/types"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/apimodel/apimodeltest"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise"
	"github.com/livetwin/livetwin/test/awslocal/services/twinmaker"
)

// noon is the business time of every test.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

type stopped struct{}

func (stopped) Now() time.Time                       { return noon }
func (stopped) At(time.Time, func()) func()          { panic("TwinMaker sets no timers") }
func (stopped) Begin() func()                        { return func() {} }
func (stopped) Environment(string) ([]string, error) { panic("TwinMaker starts no processes") }

// Assume admits TwinMaker to every role whose name does not say otherwise.
func (stopped) Assume(role, service string) (kernel.Principal, error) {
	name := role[strings.LastIndexByte(role, '/')+1:]
	if service != "iottwinmaker.amazonaws.com" || name == "untrusting" {
		return kernel.Principal{}, kernel.Errorf(403, "AccessDeniedException", "%s must not assume %s", service, name)
	}
	return kernel.Principal{ARN: "arn:aws:sts::000000000000:assumed-role/" + name + "/" + service, Role: name}, nil
}

// site is a workspace with a SiteWise beside it and a connector that the test
// answers for.
type site struct {
	t         testing.TB
	service   *twinmaker.Service
	server    *apimodeltest.Server
	client    *iottwinmaker.Client
	siteWise  *apimodeltest.Server
	plant     *sitewise.Service
	objects   map[string]bool // bucket/key
	connector func(ctx context.Context, event []byte) (reply []byte, functionError string, err error)

	mu              sync.Mutex
	invoked         []string // functions
	events          []json.RawMessage
	siteWiseCallers []string
}

// InvokeFunction implements kernel.LambdaHost.
func (s *site) InvokeFunction(ctx context.Context, function string, payload []byte) ([]byte, string, error) {
	s.mu.Lock()
	s.invoked, s.events = append(s.invoked, function), append(s.events, payload)
	s.mu.Unlock()
	return s.connector(ctx, payload)
}

// Invoke implements kernel.Invoker.
func (s *site) Invoke(ctx context.Context, p kernel.Principal, service, operation string, input any) (json.RawMessage, error) {
	if service != "iotsitewise" {
		return nil, kernel.Errorf(501, "NotImplemented", "%s", service)
	}
	s.mu.Lock()
	s.siteWiseCallers = append(s.siteWiseCallers, p.Role)
	s.mu.Unlock()
	return s.siteWise.Do(ctx, p, operation, input)
}

// Exists implements twinmaker.ObjectStore.
func (s *site) Exists(_ context.Context, bucket, key string) (bool, error) {
	return s.objects[bucket+"/"+key], nil
}

// empty starts a service without workspaces.
func empty(t testing.TB) *site {
	t.Helper()
	plant, err := sitewise.New(apimodeltest.Identity, stopped{}, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, plant.Close()) })
	model, err := apimodeltest.Models(t).Service("iottwinmaker")
	require.NoError(t, err)
	s := &site{t: t, plant: plant, siteWise: apimodeltest.Serve(t, plant), objects: map[string]bool{}}
	s.service = twinmaker.New(twinmaker.Config{
		Identity: apimodeltest.Identity, Clock: stopped{}, Lambda: s, Roles: stopped{}, Invoker: s, Objects: s, Model: model,
	})
	s.server = apimodeltest.Serve(t, s.service)
	s.client = iottwinmaker.NewFromConfig(s.server.Config())
	return s
}

// start deploys the workspace that most tests use.
func start(t testing.TB) *site {
	t.Helper()
	s := empty(t)
	s.create("Workspace", `{"WorkspaceId":"plant","Description":"A plant","Role":"arn:aws:iam::000000000000:role/twin","S3Location":"arn:aws:s3:::scenes"}`)
	return s
}

func (s *site) try(kind, properties string) (kernel.Physical, error) {
	var p kernel.Provider = s.service
	full := "AWS::IoTTwinMaker::" + kind
	if kind == "Asset" || kind == "AssetModel" {
		p, full = s.plant, "AWS::IoTSiteWise::"+kind
	}
	return p.Provides()[full](s.t.Context(), &kernel.Resource{Stack: "twin", LogicalID: kind, Type: full, Properties: json.RawMessage(properties)})
}

func (s *site) create(kind, properties string) kernel.Physical {
	s.t.Helper()
	got, err := s.try(kind, properties)
	require.NoError(s.t, err)
	return got
}

const connectorARN = "arn:aws:lambda:us-east-1:000000000000:function:reader"

// calibrated is a component type whose series a connector serves, and a cell
// that has one.
func (s *site) calibrated() {
	s.t.Helper()
	s.create("ComponentType", `{"WorkspaceId":"plant","ComponentTypeId":"plant.calibration","Description":"Calibration",
		"Functions":{
			"dataReader":{"ImplementedBy":{"IsNative":false,"Lambda":{"Arn":"`+connectorARN+`"}},"Scope":"ENTITY","RequiredProperties":["asset"]},
			"attributePropertyValueReaderByEntity":{"ImplementedBy":{"Lambda":{"Arn":"`+connectorARN+`"}}}},
		"PropertyDefinitions":{
			"asset":{"DataType":{"Type":"STRING"},"IsExternalId":true,"IsRequiredInEntity":true},
			"method":{"DataType":{"Type":"STRING"},"DefaultValue":{"StringValue":"unscented"}},
			"runs":{"DataType":{"Type":"INTEGER"},"IsStoredExternally":true},
			"state":{"DataType":{"Type":"STRING"},"IsStoredExternally":true,"IsTimeSeries":true},
			"capacity":{"DataType":{"Type":"DOUBLE","UnitOfMeasure":"A.h"},"IsStoredExternally":true,"IsTimeSeries":true}}}`)
	s.create("Entity", `{"WorkspaceId":"plant","EntityId":"cell-1","EntityName":"Cell 1","Components":{
		"aging":{"ComponentTypeId":"plant.calibration","Properties":{"asset":{"Value":{"StringValue":"cell-1"}}}}}}`)
}

// answer has the connector reply with a text.
func (s *site) answer(reply string) {
	s.connector = func(context.Context, []byte) ([]byte, string, error) { return []byte(reply), "", nil }
}

func (s *site) history(change func(*iottwinmaker.GetPropertyValueHistoryInput)) (*iottwinmaker.GetPropertyValueHistoryOutput, error) {
	in := &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: aws.String("plant"), EntityId: aws.String("cell-1"), ComponentName: aws.String("aging"), SelectedProperties: []string{"capacity"},
		StartTime: aws.String("2026-01-05T11:00:00Z"), EndTime: aws.String("2026-01-05T12:00:00Z"),
	}
	if change != nil {
		change(in)
	}
	return s.client.GetPropertyValueHistory(s.t.Context(), in)
}

// flat is a property's values as time and double.
func flat(p types.PropertyValueHistory) (list []string) {
	for _, v := range p.Values {
		raw, err := json.Marshal(*v.Value.DoubleValue)
		if err != nil {
			panic(err)
		}
		list = append(list, *v.Time+" "+string(raw))
	}
	return list
}

// write stores one value in SiteWise.
func (s *site) write(asset, property string, at time.Time, v string) {
	s.t.Helper()
	out, err := s.siteWise.Do(s.t.Context(), apimodeltest.Caller, "BatchPutAssetPropertyValue", json.RawMessage(`{"entries":[{"entryId":"e","assetId":"`+asset+
		`","propertyId":"`+property+`","propertyValues":[{"value":`+v+`,"timestamp":{"timeInSeconds":`+strconv.FormatInt(at.Unix(), 10)+`},"quality":"GOOD"}]}]}`))
	require.NoError(s.t, err)
	require.JSONEq(s.t, `{"errorEntries":[]}`, string(out))
}
