package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

// BenchmarkIngest writes values with one client of the SDK, in batches as large
// as SiteWise takes: to a server that reads the request and answers, and to the
// whole endpoint, with signature, policy, model, storage and log. The ratio of
// the two says what the endpoint costs, whatever the machine.
func BenchmarkIngest(b *testing.B) {
	null := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer := make([]byte, 32<<10)
		for {
			if _, err := r.Body.Read(buffer); err != nil {
				break
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"errorEntries":[]}`))
	}))
	defer null.Close()
	e := awslocaltest.Start(b, app(b, func(resources object) {
		var properties, aliases []object
		for i := range 10 {
			id := "p" + strconv.Itoa(i)
			properties = append(properties, object{"Name": id, "LogicalId": id, "DataType": "DOUBLE", "Type": object{"TypeName": "Measurement"}})
			aliases = append(aliases, object{"LogicalId": id, "Alias": "/bench/" + id})
		}
		resources["Model"] = object{"Type": "AWS::IoTSiteWise::AssetModel", "Properties": object{"AssetModelName": "m", "AssetModelProperties": properties}}
		resources["Asset"] = object{"Type": "AWS::IoTSiteWise::Asset", "Properties": object{
			"AssetName": "a", "AssetModelId": object{"Ref": "Model"}, "AssetProperties": aliases,
		}}
	}))
	rates := map[string]float64{}
	for _, server := range []string{"null", "awslocal"} {
		b.Run(server, func(b *testing.B) {
			config := e.Config()
			if server == "null" {
				config.BaseEndpoint, config.HTTPClient = aws.String(null.URL), http.DefaultClient
			}
			client := iotsitewise.NewFromConfig(config, func(o *iotsitewise.Options) {
				if server == "null" { // no host prefix: the server is not a proxy
					o.APIOptions = append(o.APIOptions, withoutHostPrefix)
				}
			})
			start := time.Now().Add(-24 * time.Hour)
			values := 0
			for b.Loop() {
				out, err := client.BatchPutAssetPropertyValue(b.Context(), &iotsitewise.BatchPutAssetPropertyValueInput{Entries: batch(start, values)})
				require.NoError(b, err)
				require.Empty(b, out.ErrorEntries)
				values += 100
			}
			rates[server] = float64(values) / b.Elapsed().Seconds()
			b.ReportMetric(rates[server], "values/s")
			if server == "awslocal" && rates["null"] > 0 {
				b.ReportMetric(100*rates["awslocal"]/rates["null"], "%null")
			}
		})
	}
}

// batch makes ten entries of ten values, the n-th and the following.
func batch(start time.Time, n int) []types.PutAssetPropertyValueEntry {
	entries := make([]types.PutAssetPropertyValueEntry, 10)
	for i := range entries {
		values := make([]types.AssetPropertyValue, 10)
		for j := range values {
			at := start.Add(time.Duration(n/10+j) * time.Millisecond)
			values[j] = types.AssetPropertyValue{
				Timestamp: &types.TimeInNanos{TimeInSeconds: aws.Int64(at.Unix()), OffsetInNanos: aws.Int32(int32(at.Nanosecond()))},
				Value:     &types.Variant{DoubleValue: aws.Float64(3.7 + float64(j)/1000)},
				Quality:   types.QualityGood,
			}
		}
		entries[i] = types.PutAssetPropertyValueEntry{EntryId: aws.String(fmt.Sprint(i)), PropertyAlias: aws.String("/bench/p" + strconv.Itoa(i)), PropertyValues: values}
	}
	return entries
}

// withoutHostPrefix leaves the host as it is.
func withoutHostPrefix(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("WithoutHostPrefix", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(smithyhttp.SetHostnameImmutable(ctx, true), in)
	}), middleware.Before)
}
