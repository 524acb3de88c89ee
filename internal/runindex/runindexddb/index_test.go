package runindexddb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/runindex"
	"github.com/livetwin/livetwin/internal/runindex/runindexddb"
	"github.com/livetwin/livetwin/internal/runindex/runindextest"
)

// engine is dynoxide, a real engine of DynamoDB's API, as npm ci installs it.
const engine = "../../../node_modules/@dynoxide/linux-x64/dynoxide"

var (
	at   = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	dawn = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
)

func TestIndex(t *testing.T) {
	client := database(t)
	tables := 0
	runindextest.TestIndex(t, func(t *testing.T) runindex.Index {
		tables++
		return runindexddb.New(client, table(t, client, "runs-"+strconv.Itoa(tables)))
	})
}

func TestRowsAreThoseOfTheArchitecture(t *testing.T) {
	client := database(t)
	name := table(t, client, "runs")
	x := runindexddb.New(client, name)
	require.NoError(t, x.PutRun(t.Context(), runindex.Run{
		Asset: "cell-1", Calibration: "cell-health", ID: "9f86d081884c7d65", Generation: 8, WindowEnd: at,
		Watermark: at.Add(-time.Second), Outcome: "promoted", Reason: "better", Values: map[string]float64{"nis": 0.5},
	}))
	require.NoError(t, x.PutAlarm(t.Context(), runindex.AlarmState{
		Asset: "cell-1", Alarm: "low-health", Time: at, State: runindex.Active, Value: 0.79,
	}))
	row := func(pk, sk string) map[string]types.AttributeValue {
		got, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &name, Key: key(pk, sk)})
		require.NoError(t, err)
		return got.Item
	}
	s := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	n := func(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }
	assert.Equal(t, map[string]types.AttributeValue{
		"pk": s("RUN#cell-1#cell-health"), "sk": s("2026-01-02T03:00:00.000000000Z#9f86d081884c7d65"),
		"version": n("1"), "asset": s("cell-1"), "calibration": s("cell-health"), "run": s("9f86d081884c7d65"),
		"generation": n("8"), "windowEnd": s("2026-01-02T03:00:00.000000000Z"), "watermark": s("2026-01-02T02:59:59.000000000Z"),
		"outcome": s("promoted"), "reason": s("better"),
		"values": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"nis": n("0.5")}},
	}, row("RUN#cell-1#cell-health", "2026-01-02T03:00:00.000000000Z#9f86d081884c7d65"))
	assert.Equal(t, map[string]types.AttributeValue{
		"pk": s("ALARM#cell-1#low-health"), "sk": s("2026-01-02T03:00:00.000000000Z"),
		"version": n("1"), "asset": s("cell-1"), "alarm": s("low-health"), "state": s("ACTIVE"), "value": n("0.79"),
	}, row("ALARM#cell-1#low-health", "2026-01-02T03:00:00.000000000Z"))
}

func TestStrangeRowsAreRefused(t *testing.T) {
	client := database(t)
	for name, c := range map[string]struct {
		change func(row map[string]types.AttributeValue)
		says   string
	}{
		"another version": {func(r map[string]types.AttributeValue) { r["version"] = &types.AttributeValueMemberN{Value: "2"} }, "version 2"},
		"no version":      {func(r map[string]types.AttributeValue) { delete(r, "version") }, `"version" is missing`},
		"no values":       {func(r map[string]types.AttributeValue) { delete(r, "values") }, `"values" is missing`},
		"a text value": {func(r map[string]types.AttributeValue) {
			r["values"] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"nis": &types.AttributeValueMemberS{Value: "1"}}}
		}, `"nis"`},
		"a broken time": {func(r map[string]types.AttributeValue) { r["watermark"] = &types.AttributeValueMemberS{Value: "noon"} }, `"watermark"`},
	} {
		t.Run(name, func(t *testing.T) {
			tableName := table(t, client, "strange")
			x := runindexddb.New(client, tableName)
			require.NoError(t, x.PutRun(t.Context(), runindex.Run{Asset: "a", Calibration: "c", ID: "1", WindowEnd: at, Watermark: at}))
			got, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &tableName, Key: key("RUN#a#c", "2026-01-02T03:00:00.000000000Z#1")})
			require.NoError(t, err)
			c.change(got.Item)
			_, err = client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &tableName, Item: got.Item})
			require.NoError(t, err)
			var last error
			for _, err := range x.Runs(t.Context(), "a", "c", dawn, at, runindex.Ascending) {
				last = err
			}
			require.ErrorContains(t, last, c.says)
			require.ErrorContains(t, last, "RUN#a#c 2026-01-02T03:00:00.000000000Z#1", "the message names the row")
			if name == "another version" {
				require.ErrorIs(t, last, runindex.ErrVersion)
			}
		})
	}
}

func TestNumbersBeyondTheService(t *testing.T) {
	x := runindexddb.New(database(t), "unused")
	r := runindex.Run{Asset: "a", Calibration: "c", ID: "1", WindowEnd: at, Values: map[string]float64{"gain": 1e126}}
	require.ErrorContains(t, x.PutRun(t.Context(), r), "gain")
}

var errDown = errors.New("connection refused")

type down struct{ *dynamodb.Client }

func (down) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return nil, errDown
}

func TestAFailedQueryIsAnErrorAndNoEmptyAnswer(t *testing.T) {
	x := runindexddb.New(down{}, "runs")
	var errs []error
	for _, err := range x.Alarms(t.Context(), "cell-1", "low-health", dawn, at, runindex.Descending) {
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], errDown)
}

func key(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}}
}

// table creates a table that is gone after the test.
func table(t *testing.T, client *dynamodb.Client, name string) string {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
		assert.NoError(t, err)
	})
	return name
}

// database starts an engine in memory for the length of the test.
func database(t *testing.T) *dynamodb.Client {
	t.Helper()
	program, err := filepath.Abs(engine)
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		t.Skipf("no DynamoDB engine: npm ci installs it for Linux on x86-64 (%v)", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	require.NoError(t, free.Close())

	var output bytes.Buffer
	var mu sync.Mutex
	server := exec.Command(program, "serve", "--port", strconv.Itoa(port)) // #nosec G204 -- a pinned tool of the build
	server.Stdout, server.Stderr = &locked{&mu, &output}, &locked{&mu, &output}
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(fmt.Sprintf("http://127.0.0.1:%d", port)), Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
	require.Eventually(t, func() bool {
		_, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{})
		return err == nil
	}, 20*time.Second, 5*time.Millisecond, "the engine does not answer: %s", &output)
	return client
}

type locked struct {
	mu  *sync.Mutex
	buf *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}
