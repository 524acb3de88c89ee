package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// Provides implements kernel.Provider.
func (d *DynamoDB) Provides() map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error) {
	return map[string]func(context.Context, *kernel.Resource) (kernel.Physical, error){
		"AWS::DynamoDB::Table":       d.createTable,
		"AWS::DynamoDB::GlobalTable": d.createTable,
	}
}

type index struct {
	IndexName  string
	KeySchema  json.RawMessage
	Projection json.RawMessage

	ProvisionedThroughput, OnDemandThroughput, WriteProvisionedThroughputSettings, WriteOnDemandThroughputSettings, ContributorInsightsSpecification, WarmThroughput template.Ignored
}

// A table is the properties of both types of table. Capacity, encryption,
// backups and class change nothing in what a table answers.
type table struct {
	TableName               string
	AttributeDefinitions    json.RawMessage
	KeySchema               json.RawMessage
	GlobalSecondaryIndexes  []index
	LocalSecondaryIndexes   []index
	StreamSpecification     *struct{ StreamViewType string }
	TimeToLiveSpecification *struct {
		AttributeName string
		Enabled       template.Bool
	}
	Replicas       []struct{ Region string }
	ResourcePolicy *struct{ PolicyDocument json.RawMessage }

	BillingMode, SSESpecification, PointInTimeRecoverySpecification, DeletionProtectionEnabled, Tags, TableClass, ProvisionedThroughput, OnDemandThroughput,
	WriteProvisionedThroughputSettings, WriteOnDemandThroughputSettings, ContributorInsightsSpecification, WarmThroughput, MultiRegionConsistency template.Ignored
}

func (d *DynamoDB) createTable(ctx context.Context, r *kernel.Resource) (kernel.Physical, error) {
	t, err := readTable(r)
	if err != nil {
		return kernel.Physical{}, err
	}
	name := template.Name(r, t.TableName, 255)
	for _, replica := range t.Replicas {
		if replica.Region != d.config.Identity.Region {
			return kernel.Physical{}, template.Errorf(r, "the replica in %s is not implemented here: the endpoint is one region", replica.Region)
		}
	}
	created, err := d.ensure(ctx, name, t)
	if err != nil {
		return kernel.Physical{}, template.Errorf(r, "%w", err)
	}
	if t.ResourcePolicy != nil {
		if err := d.config.Policies.SetResourcePolicy(d.tableARN(name), t.ResourcePolicy.PolicyDocument); err != nil {
			return kernel.Physical{}, template.Errorf(r, "%w", err)
		}
	}
	attributes := map[string]any{"Arn": d.tableARN(name), "TableId": created.TableID}
	if t.StreamSpecification != nil {
		attributes["StreamArn"] = created.LatestStreamArn
	}
	return kernel.Physical{Ref: name, Attributes: attributes}, nil
}

// readTable decodes the properties; those of a replica beyond its region do
// nothing here.
func readTable(r *kernel.Resource) (table, error) {
	var t table
	var loose struct{ Replicas []struct{ Region string } }
	var all map[string]json.RawMessage
	if err := errors.Join(r.Decode(&all), r.Decode(&loose)); err != nil {
		return t, template.Errorf(r, "properties: %w", err)
	}
	delete(all, "Replicas")
	rest, err := json.Marshal(all)
	if err != nil {
		return t, template.Errorf(r, "properties: %w", err)
	}
	copied := *r
	copied.Properties = rest
	err = template.Decode(&copied, &t)
	t.Replicas = loose.Replicas
	return t, err
}

type description struct {
	TableID         string `json:"TableId"`
	LatestStreamArn string
	KeySchema       json.RawMessage
}

// ensure creates the table, or finds it with the same key.
func (d *DynamoDB) ensure(ctx context.Context, name string, t table) (description, error) {
	input := map[string]any{
		"TableName": name, "AttributeDefinitions": t.AttributeDefinitions, "KeySchema": t.KeySchema, "BillingMode": "PAY_PER_REQUEST",
	}
	for member, list := range map[string][]index{"GlobalSecondaryIndexes": t.GlobalSecondaryIndexes, "LocalSecondaryIndexes": t.LocalSecondaryIndexes} {
		var out []map[string]any
		for _, i := range list {
			out = append(out, map[string]any{"IndexName": i.IndexName, "KeySchema": i.KeySchema, "Projection": i.Projection})
		}
		if out != nil {
			input[member] = out
		}
	}
	if t.StreamSpecification != nil {
		input["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": t.StreamSpecification.StreamViewType}
	}
	var made struct{ TableDescription description }
	err := d.do(ctx, "CreateTable", input, &made)
	if e, ok := errors.AsType[*kernel.Error](err); ok && e.Code == "ResourceInUseException" {
		var found struct{ Table description }
		if err := d.do(ctx, "DescribeTable", map[string]any{"TableName": name}, &found); err != nil {
			return description{}, err
		}
		if !sameJSON(found.Table.KeySchema, t.KeySchema) {
			return description{}, fmt.Errorf("the table %s exists in the state folder with another key: start with an empty state folder", name)
		}
		return found.Table, nil
	}
	if err != nil {
		return description{}, err
	}
	if ttl := t.TimeToLiveSpecification; ttl != nil && bool(ttl.Enabled) {
		err = d.do(ctx, "UpdateTimeToLive", map[string]any{
			"TableName": name, "TimeToLiveSpecification": map[string]any{"AttributeName": ttl.AttributeName, "Enabled": true},
		}, nil)
	}
	return made.TableDescription, err
}

func (d *DynamoDB) do(ctx context.Context, operation string, input, out any) error {
	data, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	status, answer, err := d.send(ctx, operation, data)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s: %w", operation, readError(status, answer))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: read the answer: %w", operation, err)
	}
	return nil
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, err1 := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && string(p) == string(q)
}
