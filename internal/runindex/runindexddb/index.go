// Package runindexddb keeps the index of runs in one DynamoDB table with the
// keys pk and sk, both strings. docs/architecture.md describes its rows.
package runindexddb

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/livetwin/livetwin/internal/runindex"
)

// pageSize is how many rows one query reads: two of a connector's pages. A
// row has about 2 kB, so it stays below the service's page of 1 MB.
const pageSize = 200

// api is the part of *dynamodb.Client that an Index calls.
type api interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

var _ runindex.Index = (*Index)(nil)

// An Index is a table of runs.
type Index struct {
	api   api
	table string
}

// New returns the index in a table.
func New(api api, table string) *Index { return &Index{api: api, table: table} }

// PutRun implements runindex.Index.
func (x *Index) PutRun(ctx context.Context, run runindex.Run) error {
	if err := run.Check(); err != nil {
		return err
	}
	row, err := runItem(run)
	if err != nil {
		return err
	}
	return x.put(ctx, row)
}

// PutAlarm implements runindex.Index.
func (x *Index) PutAlarm(ctx context.Context, state runindex.AlarmState) error {
	if err := state.Check(); err != nil {
		return err
	}
	row, err := alarmItem(state)
	if err != nil {
		return err
	}
	return x.put(ctx, row)
}

func (x *Index) put(ctx context.Context, row item) error {
	_, err := x.api.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(x.table), Item: row})
	if err != nil {
		return fmt.Errorf("put row %s into table %s: %w", row.name(), x.table, err)
	}
	return nil
}

// Runs implements runindex.Index.
func (x *Index) Runs(ctx context.Context, asset, calibration string, from, to time.Time, order runindex.Order) iter.Seq2[runindex.Run, error] {
	// A run's sort key is its time, # and its id: the range reaches from behind
	// every run at from to behind every run at to.
	return read(ctx, x, runKey(asset, calibration), stamp(from)+afterHash, stamp(to)+afterHash, order, runOf)
}

// Alarms implements runindex.Index.
func (x *Index) Alarms(ctx context.Context, asset, alarm string, from, to time.Time, order runindex.Order) iter.Seq2[runindex.AlarmState, error] {
	return read(ctx, x, alarmKey(asset, alarm), stamp(from)+afterHash, stamp(to), order, alarmOf)
}

// read yields the rows of pk with low <= sk <= high.
func read[T any](ctx context.Context, x *Index, pk, low, high string, order runindex.Order, parse func(item) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if low > high { // which DynamoDB refuses
			return
		}
		var none T
		query := &dynamodb.QueryInput{
			TableName:              aws.String(x.table),
			KeyConditionExpression: aws.String("pk = :pk AND sk BETWEEN :low AND :high"),
			ExpressionAttributeValues: item{
				":pk": text(pk), ":low": text(low), ":high": text(high),
			},
			ScanIndexForward: aws.Bool(order == runindex.Ascending),
			ConsistentRead:   aws.Bool(true),
			Limit:            aws.Int32(pageSize),
		}
		for {
			page, err := x.api.Query(ctx, query)
			if err != nil {
				yield(none, fmt.Errorf("query %s in table %s: %w", pk, x.table, err))
				return
			}
			for _, row := range page.Items {
				v, err := parse(row)
				if err != nil {
					yield(none, fmt.Errorf("row %s of table %s: %w", item(row).name(), x.table, err))
					return
				}
				if !yield(v, nil) {
					return
				}
			}
			if len(page.LastEvaluatedKey) == 0 {
				return
			}
			query.ExclusiveStartKey = page.LastEvaluatedKey
		}
	}
}
