package sitewise

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

// Service is AWS IoT SiteWise. It implements kernel.Service and kernel.Provider.
type Service struct {
	identity kernel.Identity
	clock    kernel.Clock
	registry *registry
	log      *tqv.Log

	mu     sync.Mutex
	series map[string]*tqv.Series // by asset id/property id, those of an earlier run included
}

var (
	_ kernel.Service  = (*Service)(nil)
	_ kernel.Provider = (*Service)(nil)
)

// New opens the service with its values in the folder state. Assets and models
// come with each deployment; the values of an asset that is deployed again under
// the same names are there again.
func New(identity kernel.Identity, clock kernel.Clock, state string) (*Service, error) {
	s := &Service{identity: identity, clock: clock, registry: newRegistry(), series: map[string]*tqv.Series{}}
	var err error
	s.log, err = tqv.OpenLog(filepath.Join(state, "sitewise", "values.log"), func(e tqv.Entry) {
		s.seriesOf(e.Series).Put(e.Points...)
	})
	if err != nil {
		return nil, fmt.Errorf("start SiteWise: %w", err)
	}
	return s, nil
}

// Close closes the log of values.
func (s *Service) Close() error { return s.log.Close() }

// seriesOf returns the series of a name, new or of an earlier run.
func (s *Service) seriesOf(name string) *tqv.Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.series[name] == nil {
		s.series[name] = &tqv.Series{}
	}
	return s.series[name]
}

func (s *Service) append(entries []tqv.Entry) error {
	if err := s.log.Append(entries); err != nil {
		return fmt.Errorf("keep values: %w", err)
	}
	return nil
}

// Name implements kernel.Service.
func (s *Service) Name() string { return "iotsitewise" }

// Operations implements kernel.Service.
func (s *Service) Operations() map[string]kernel.Handler {
	return map[string]kernel.Handler{
		"BatchPutAssetPropertyValue":        s.batchPut,
		"GetAssetPropertyValue":             s.getValue,
		"GetAssetPropertyValueHistory":      s.getHistory,
		"GetAssetPropertyAggregates":        s.getAggregates,
		"BatchGetAssetPropertyValue":        s.batchGetValue,
		"BatchGetAssetPropertyValueHistory": s.batchGetHistory,
		"BatchGetAssetPropertyAggregates":   s.batchGetAggregates,
		"DescribeAsset":                     s.describeAsset,
		"DescribeAssetModel":                s.describeAssetModel,
		"DescribeAssetProperty":             s.describeAssetProperty,
		"DescribeTimeSeries":                s.describeTimeSeries,
		"ListAssets":                        s.listAssets,
		"ListAssetModels":                   s.listAssetModels,
		"ListAssetModelProperties":          s.listAssetModelProperties,
		"ListAssetProperties":               s.listAssetProperties,
		"ListAssociatedAssets":              s.listAssociatedAssets,
		"ListTimeSeries":                    s.listTimeSeries,
	}
}

// Provides implements kernel.Provider.
func (s *Service) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::IoTSiteWise::AssetModel": s.createModel,
		"AWS::IoTSiteWise::Asset":      s.createAsset,
	}
}

// authorizeProperty asks for an action on the asset of a property, or, when the
// request names none, on any.
func (s *Service) authorizeProperty(c *kernel.Call, p *property) error {
	resource := s.identity.ARN("iotsitewise", "asset/*")
	if p != nil {
		resource = p.asset.arn
	}
	return c.Authorize("iotsitewise:"+c.Operation, resource)
}

// find resolves and authorizes a property. What is not there is not revealed to
// a caller who may not ask.
func (s *Service) find(c *kernel.Call, ref propertyRef) (*property, error) {
	p, err := s.registry.property(ref)
	if denied := s.authorizeProperty(c, p); denied != nil {
		return nil, denied
	}
	return p, err
}

// decodeToken reads a nextToken of ours into v. An empty one is none.
func decodeToken(token string, v any) error {
	if token == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return invalid("The nextToken is not one that this operation returned")
	}
	return nil
}

func encodeToken(v any) string {
	raw, err := json.Marshal(v)
	if err != nil { // tokens are plain structures of ours
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}
