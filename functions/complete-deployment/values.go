package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
)

// A valueSet is what Custom::AttributeValues asks for: these values, and the
// model's default for what it no longer asks for.
type valueSet struct {
	Values   []value
	Defaults map[string]fallback // by model/attribute
}

// A value is the value of an attribute of an asset.
type value struct {
	Attribute string // model/attribute
	Asset     string // external id of the asset
	Alias     string
	Type      string // DOUBLE, INTEGER, BOOLEAN or STRING
	Value     string
}

// A fallback is the default of an attribute.
type fallback struct {
	Type  string
	Value string
}

// maxValues is how many entries one BatchPutAssetPropertyValue takes.
const maxValues = 10

func (s valueSet) check() error {
	for i, v := range s.Values {
		if v.Alias == "" || v.Asset == "" {
			return fmt.Errorf("property Values[%d]: Alias or Asset is missing", i)
		}
		if _, err := variant(v); err != nil {
			return fmt.Errorf("property Values[%d]: %w", i, err)
		}
	}
	return nil
}

// attributeValues writes values, and puts attributes whose value left the set
// back to their default: SiteWise has no way to forget a value.
func (h *handler) attributeValues(ctx context.Context, event cfn.Event) error {
	set, err := properties[valueSet](event.ResourceProperties)
	if err == nil {
		err = set.check()
	}
	if err != nil {
		// A creation that failed for its properties has nothing to undo.
		if event.RequestType == cfn.RequestDelete {
			return nil
		}
		return err
	}
	switch event.RequestType {
	case cfn.RequestDelete:
		// The assets may go with the stack, or before it.
		return h.put(ctx, reverted(set.Values, nil, set.Defaults), true)
	case cfn.RequestUpdate:
		old, err := properties[valueSet](event.OldResourceProperties)
		if err != nil {
			return fmt.Errorf("old %w", err)
		}
		defaults := map[string]fallback{}
		maps.Copy(defaults, old.Defaults)
		maps.Copy(defaults, set.Defaults)
		if err := h.put(ctx, reverted(old.Values, set.Values, defaults), true); err != nil {
			return err
		}
	case cfn.RequestCreate:
	}
	return h.put(ctx, set.Values, false)
}

// reverted returns the defaults of the values that are not among those to keep.
func reverted(values, keep []value, defaults map[string]fallback) []value {
	kept := make(map[string]bool, len(keep))
	for _, v := range keep {
		kept[v.Alias] = true
	}
	var list []value
	for _, v := range values {
		if d, ok := defaults[v.Attribute]; ok && !kept[v.Alias] {
			list = append(list, value{Attribute: v.Attribute, Asset: v.Asset, Alias: v.Alias, Type: d.Type, Value: d.Value})
		}
	}
	return list
}

// put writes values in groups. What SiteWise refuses is tried again when that
// may help, and named value by value when it does not; with forgiving, a series
// that is gone is no error.
func (h *handler) put(ctx context.Context, list []value, forgiving bool) error {
	at := h.now()
	var errs []error
	for group := range slices.Chunk(list, maxValues) {
		err := h.retry(ctx, func() error {
			refused, err := h.write(ctx, &at, group)
			if err != nil {
				return err
			}
			var again []value
			var transient error
			for _, i := range slices.Sorted(maps.Keys(refused)) {
				err := fmt.Errorf("%s: %w", group[i].Alias, refused[i])
				switch {
				case errors.Is(err, errTransient):
					again = append(again, group[i])
					transient = errors.Join(transient, err)
				case !forgiving || !errors.Is(err, errGone):
					errs = append(errs, err)
				}
			}
			group = again
			return transient
		})
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("write attribute values: %w", errors.Join(errs...))
	}
	return nil
}

// write writes a group of values as of *at. SiteWise refuses what its own clock
// takes for older than a week or for the future; then the clock of this machine
// does not count, and *at becomes the time at which SiteWise saw the asset, which
// this deployment has just made or changed.
func (h *handler) write(ctx context.Context, at *time.Time, group []value) (map[int]error, error) {
	refused, err := h.values.Put(ctx, *at, group)
	if err != nil {
		return nil, err
	}
	for i, e := range refused {
		if errors.Is(e, errClock) {
			if *at, err = h.values.Updated(ctx, group[i].Asset); err != nil {
				return nil, fmt.Errorf("%w; then %w", e, err)
			}
			return h.values.Put(ctx, *at, group)
		}
	}
	return refused, nil
}

// variant returns a value as SiteWise takes it.
func variant(v value) (*types.Variant, error) {
	fail := func(expected string) error {
		return fmt.Errorf("%s: value %q of type %s: expected %s", v.Alias, v.Value, v.Type, expected)
	}
	switch v.Type {
	case "STRING":
		return &types.Variant{StringValue: aws.String(v.Value)}, nil
	case "DOUBLE":
		f, err := strconv.ParseFloat(v.Value, 64)
		if err != nil {
			return nil, fail("a number")
		}
		return &types.Variant{DoubleValue: aws.Float64(f)}, nil
	case "INTEGER":
		n, err := strconv.ParseInt(v.Value, 10, 32)
		if err != nil {
			return nil, fail("a whole number of 32 bits")
		}
		return &types.Variant{IntegerValue: aws.Int32(int32(n))}, nil
	case "BOOLEAN":
		b, err := strconv.ParseBool(v.Value)
		if err != nil {
			return nil, fail("true or false")
		}
		return &types.Variant{BooleanValue: aws.Bool(b)}, nil
	default:
		return nil, fail("type DOUBLE, INTEGER, BOOLEAN or STRING")
	}
}

// What SiteWise refuses values for, beside what may pass.
var (
	errGone  = errors.New("no such series")                // it does not exist (any more)
	errClock = errors.New("clock differs from SiteWise's") // a timestamp that SiteWise does not accept now
)

// siteWiseAPI is the part of *iotsitewise.Client that siteWiseValues calls.
type siteWiseAPI interface {
	BatchPutAssetPropertyValue(context.Context, *iotsitewise.BatchPutAssetPropertyValueInput, ...func(*iotsitewise.Options)) (*iotsitewise.BatchPutAssetPropertyValueOutput, error)
	DescribeAsset(context.Context, *iotsitewise.DescribeAssetInput, ...func(*iotsitewise.Options)) (*iotsitewise.DescribeAssetOutput, error)
}

// siteWiseValues implements values.
type siteWiseValues struct{ api siteWiseAPI }

func (s siteWiseValues) Put(ctx context.Context, at time.Time, list []value) (map[int]error, error) {
	entries := make([]types.PutAssetPropertyValueEntry, len(list))
	for i, v := range list {
		data, err := variant(v)
		if err != nil {
			return nil, err
		}
		entries[i] = types.PutAssetPropertyValueEntry{
			EntryId:       aws.String(strconv.Itoa(i)),
			PropertyAlias: aws.String(v.Alias),
			PropertyValues: []types.AssetPropertyValue{{
				Quality:   types.QualityGood,
				Timestamp: &types.TimeInNanos{TimeInSeconds: aws.Int64(at.Unix()), OffsetInNanos: aws.Int32(int32(at.Nanosecond()))}, //nolint:gosec // below 1e9
				Value:     data,
			}},
		}
	}
	out, err := s.api.BatchPutAssetPropertyValue(ctx, &iotsitewise.BatchPutAssetPropertyValueInput{Entries: entries})
	if err != nil {
		return nil, classify(err)
	}
	refused := map[int]error{}
	for _, entry := range out.ErrorEntries {
		i, err := strconv.Atoi(aws.ToString(entry.EntryId))
		if err != nil || i < 0 || i >= len(list) {
			return nil, fmt.Errorf("SiteWise refused the unknown entry %q", aws.ToString(entry.EntryId))
		}
		for _, e := range entry.Errors {
			switch code := string(e.ErrorCode); {
			case temporary[code]:
				refused[i] = fmt.Errorf("%w: %s: %s", errTransient, code, aws.ToString(e.ErrorMessage))
			case e.ErrorCode == types.BatchPutAssetPropertyValueErrorCodeResourceNotFoundException:
				refused[i] = fmt.Errorf("%w: %s: %s", errGone, code, aws.ToString(e.ErrorMessage))
			case e.ErrorCode == types.BatchPutAssetPropertyValueErrorCodeTimestampOutOfRangeException:
				refused[i] = fmt.Errorf("%w: %s: %s", errClock, code, aws.ToString(e.ErrorMessage))
			default:
				refused[i] = fmt.Errorf("%s: %s", code, aws.ToString(e.ErrorMessage))
			}
		}
	}
	return refused, nil
}

func (s siteWiseValues) Updated(ctx context.Context, asset string) (time.Time, error) {
	out, err := s.api.DescribeAsset(ctx, &iotsitewise.DescribeAssetInput{AssetId: aws.String("externalId:" + asset), ExcludeProperties: true})
	if err != nil {
		return time.Time{}, fmt.Errorf("describe asset %s: %w", asset, classify(err))
	}
	if out.AssetLastUpdateDate == nil {
		return time.Time{}, fmt.Errorf("describe asset %s: SiteWise does not say when it was changed", asset)
	}
	return *out.AssetLastUpdateDate, nil
}
