package twinmaker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// siteWiseToken says where a page of several properties goes on.
type siteWiseToken struct {
	Property int    `json:"p"`
	Next     string `json:"n,omitempty"`
}

// nativeHistory reads time series from SiteWise, as the workspace's role. A page
// holds up to maxResults values of all properties together, property after
// property.
func (s *Service) nativeHistory(ctx context.Context, q *queryRequest, t *target, sp span) (*historyReply, error) {
	if len(q.PropertyFilters) > 0 || q.Interpolation != nil {
		return nil, invalid("propertyFilters and interpolation are not supported by the local endpoint for %s", siteWiseType)
	}
	var at siteWiseToken
	if q.NextToken != "" {
		raw, err := base64.StdEncoding.DecodeString(q.NextToken)
		if err == nil {
			err = json.Unmarshal(raw, &at)
		}
		if err != nil || at.Property < 0 || at.Property >= len(q.SelectedProperties) {
			return nil, invalid("The nextToken is not one that this operation returned")
		}
	}
	left := q.MaxResults
	if left == 0 {
		left = historyPage
	}
	reply := &historyReply{PropertyValues: []seriesReply{}}
	for i := at.Property; i < len(q.SelectedProperties); i++ {
		if left == 0 {
			reply.NextToken = siteWiseToken{Property: i}.encode()
			break
		}
		values, next, err := s.siteWiseHistory(ctx, t, q.SelectedProperties[i], sp, left, at.Next)
		if err != nil {
			return nil, err
		}
		at.Next = ""
		p := seriesReply{Values: values}
		p.Reference.EntityID, p.Reference.ComponentName, p.Reference.PropertyName = t.entity.id, t.component.name, q.SelectedProperties[i]
		reply.PropertyValues = append(reply.PropertyValues, p)
		left -= len(values)
		if next != "" {
			reply.NextToken = siteWiseToken{Property: i, Next: next}.encode()
			break
		}
	}
	return reply, nil
}

func (t siteWiseToken) encode() string {
	raw, err := json.Marshal(t)
	if err != nil { // a number and a string
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// siteWiseValue is SiteWise's AssetPropertyValue.
type siteWiseValue struct {
	Value     map[string]json.RawMessage `json:"value"`
	Timestamp struct {
		Seconds int64 `json:"timeInSeconds"`
		Nanos   int64 `json:"offsetInNanos"`
	} `json:"timestamp"`
}

// convert turns a value into TwinMaker's; false for one that TwinMaker cannot
// hold: a null, NaN, or a string of no or of more than 256 characters.
func (v *siteWiseValue) convert() (sampleReply, bool) {
	for name, raw := range v.Value {
		var text string
		quoted := json.Unmarshal(raw, &text) == nil
		switch name {
		case "integerValue", "booleanValue":
		case "doubleValue":
			if quoted {
				return sampleReply{}, false
			}
		case "stringValue":
			if n := len([]rune(text)); n < 1 || n > 256 {
				return sampleReply{}, false
			}
		default:
			return sampleReply{}, false
		}
		at := time.Unix(v.Timestamp.Seconds, v.Timestamp.Nanos).UTC()
		return sampleReply{
			Time:  at.Format(time.RFC3339Nano),
			Value: json.RawMessage(`{"` + name + `":` + string(raw) + `}`),
		}, true
	}
	return sampleReply{}, false
}

func (s *Service) siteWiseHistory(ctx context.Context, t *target, property string, sp span, limit int, token string) ([]sampleReply, string, error) {
	order := "ASCENDING"
	if sp.descending {
		order = "DESCENDING"
	}
	in := object{
		"assetId": stringValue(t.component.values["sitewiseAssetId"]), "propertyId": strings.TrimPrefix(property, propertyPrefix),
		"startDate": epochSeconds(sp.start), "endDate": epochSeconds(sp.end), "timeOrdering": order, "maxResults": limit, "qualities": []string{"GOOD"},
	}
	var out struct {
		Values []siteWiseValue `json:"assetPropertyValueHistory"`
		Next   string          `json:"nextToken"`
	}
	if err := s.siteWise(ctx, t.workspace, "GetAssetPropertyValueHistory", with(in, "nextToken", token), &out); err != nil {
		return nil, "", err
	}
	values := []sampleReply{}
	for i := range out.Values {
		if v, ok := out.Values[i].convert(); ok {
			values = append(values, v)
		}
	}
	return values, out.Next, nil
}

// epochSeconds keeps every nanosecond.
func epochSeconds(t time.Time) json.Number {
	seconds, nanos := t.Unix(), t.Nanosecond()
	sign := ""
	if seconds < 0 && nanos > 0 {
		seconds, nanos, sign = -seconds-1, int(time.Second)-nanos, "-"
	}
	return json.Number(fmt.Sprintf("%s%d.%09d", sign, seconds, nanos))
}

// nativeAttributes reads SiteWise attributes.
func (s *Service) nativeAttributes(ctx context.Context, t *target, names []string) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	for _, name := range names {
		var got struct {
			Value *siteWiseValue `json:"propertyValue"`
		}
		err := s.siteWise(ctx, t.workspace, "GetAssetPropertyValue", object{
			"assetId": stringValue(t.component.values["sitewiseAssetId"]), "propertyId": strings.TrimPrefix(name, propertyPrefix),
		}, &got)
		if err != nil {
			return nil, err
		}
		o := object{"propertyReference": t.reference(name)}
		if got.Value != nil {
			if v, ok := got.Value.convert(); ok {
				o["propertyValue"] = v.Value
			}
		}
		raw, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("write the value of %s: %w", name, err)
		}
		out[name] = raw
	}
	return out, nil
}

// siteWise calls SiteWise as the workspace's role.
func (s *Service) siteWise(ctx context.Context, w *workspace, operation string, in object, out any) error {
	role, err := s.Roles.Assume(w.role, "iottwinmaker.amazonaws.com")
	if err != nil {
		return fmt.Errorf("assume the role of workspace %s: %w", w.id, err)
	}
	raw, err := s.Invoker.Invoke(ctx, role, "iotsitewise", operation, in)
	if e, ok := errors.AsType[*kernel.Error](err); ok {
		if e.Code == "AccessDeniedException" {
			return e
		}
		return kernel.Errorf(http.StatusFailedDependency, "ConnectorFailureException", "SiteWise: %s", e.Message)
	}
	if err != nil {
		return fmt.Errorf("call SiteWise: %w", err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("read SiteWise's answer: %w", err)
	}
	return nil
}
