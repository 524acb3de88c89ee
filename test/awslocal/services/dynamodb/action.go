package dynamodb

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// need is one permission that a request needs, as in the "Actions, resources,
// and condition keys for Amazon DynamoDB" of the Service Authorization
// Reference.
type need struct {
	action    string
	resources []string
}

// tableOperations need the permission of their own name on their table, or on
// the index that they read.
var tableOperations = []string{
	"CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive",
	"GetItem", "PutItem", "Query", "Scan", "TagResource", "UntagResource", "UpdateItem", "UpdateTable", "UpdateTimeToLive",
}

// plan reads which tables a request is about.
func (d *DynamoDB) plan(operation string, input []byte) ([]need, error) {
	type named struct{ TableName string }
	var in struct {
		TableName, IndexName, ResourceArn string //nolint:revive // the members' names
		RequestItems                      map[string]json.RawMessage
		TransactItems                     []struct{ Put, Update, Delete, ConditionCheck, Get *named }
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, kernel.Errorf(http.StatusBadRequest, "SerializationException", "the request is not a JSON object: %v", err)
	}
	by := map[string][]string{}
	add := func(action, table string) { by["dynamodb:"+action] = append(by["dynamodb:"+action], d.tableARN(table)) }
	switch operation {
	case "ListTables", "DescribeLimits", "DescribeEndpoints":
		by["dynamodb:"+operation] = []string{"*"}
	case "BatchGetItem", "BatchWriteItem":
		for table := range in.RequestItems {
			add(operation, table)
		}
	case "TransactWriteItems", "TransactGetItems":
		for _, item := range in.TransactItems {
			for action, t := range map[string]*named{
				"PutItem": item.Put, "UpdateItem": item.Update, "DeleteItem": item.Delete,
				"ConditionCheckItem": item.ConditionCheck, "GetItem": item.Get,
			} {
				if t != nil {
					add(action, t.TableName)
				}
			}
		}
	default:
		if !slices.Contains(tableOperations, operation) {
			return nil, kernel.Errorf(http.StatusBadRequest, "NotImplementedException", "the local endpoint does not implement dynamodb:%s", operation)
		}
		table := in.TableName
		if table == "" {
			table = in.ResourceArn
		}
		if in.IndexName != "" {
			table = d.tableARN(table) + "/index/" + in.IndexName
		}
		add(operation, table)
	}
	var needs []need
	for _, action := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[action])
		needs = append(needs, need{action, slices.Compact(by[action])})
	}
	return needs, nil
}

// tableARN returns the ARN of a table given by name or ARN.
func (d *DynamoDB) tableARN(table string) string {
	if strings.HasPrefix(table, "arn:") {
		return table
	}
	return d.config.Identity.ARN("dynamodb", "table/"+table)
}
