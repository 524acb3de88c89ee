package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

func TestWhoIsNotWhoTheySay(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))
	role, err := reader(t, e).Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		config  aws.Config
		s3, ssm string
		lambda  string
		sts     string
	}{
		"wrong secret":      {e.ConfigOf(e.AccessKeyID, "not the secret", ""), "SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException", "SignatureDoesNotMatch"},
		"unknown key":       {e.ConfigOf("AKIANOBODY", e.SecretAccessKey, ""), "InvalidAccessKeyId", "UnrecognizedClientException", "UnrecognizedClientException", "InvalidClientTokenId"},
		"token of another":  {e.ConfigOf(role.AccessKeyID, role.SecretAccessKey, "not the token"), "InvalidToken", "UnrecognizedClientException", "UnrecognizedClientException", "InvalidToken"},
		"token left out":    {e.ConfigOf(role.AccessKeyID, role.SecretAccessKey, ""), "InvalidToken", "UnrecognizedClientException", "UnrecognizedClientException", "InvalidToken"},
		"another's region":  {inRegion(e.Config(), "us-west-2"), "SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException", "SignatureDoesNotMatch"},
		"without signature": {anonymous(e.Config()), "AccessDenied", "MissingAuthenticationTokenException", "MissingAuthenticationTokenException", "MissingAuthenticationTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s3.NewFromConfig(c.config).ListBuckets(t.Context(), nil)
			assert.Equal(t, c.s3, code(t, err))
			_, err = ssm.NewFromConfig(c.config).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/app/colour")})
			assert.Equal(t, c.ssm, code(t, err))
			_, err = lambda.NewFromConfig(c.config).ListFunctions(t.Context(), nil)
			assert.Equal(t, c.lambda, code(t, err))
			if name != "without signature" { // a form says nothing of its service then
				_, err = sts.NewFromConfig(c.config).GetCallerIdentity(t.Context(), nil)
				assert.Equal(t, c.sts, code(t, err))
			}
			_, err = dynamodb.NewFromConfig(c.config).ListTables(t.Context(), nil)
			assert.Equal(t, c.ssm, code(t, err))
		})
	}

	t.Run("a changed body", func(t *testing.T) {
		body := `{"Name":"/app/colour"}`
		send := func(at time.Time, hashOf, body string) (int, string) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.Endpoint+"/", strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/x-amz-json-1.1")
			req.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
			credentials, err := e.Config().Credentials.Retrieve(t.Context())
			require.NoError(t, err)
			require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), credentials, req, hashOf, "ssm", e.Region, at))
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return resp.StatusCode, string(text)
		}
		const hash = "6d2a0d4bc6a0d0b1a3ab3d2d7ac80cd7d9c12ee25b1a2ef01d6a1fba3c9a1c51" // of something else
		status, text := send(time.Now(), hash, body)
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, text, "InvalidSignatureException")
		status, text = send(time.Now().Add(-6*time.Minute), hash, body)
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, text, "Signature expired")
	})
}

func inRegion(c aws.Config, region string) aws.Config {
	c.Region = region
	return c
}

func anonymous(c aws.Config) aws.Config {
	c.Credentials = aws.AnonymousCredentials{}
	return c
}

func TestRefusedByName(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))

	t.Run("operations", func(t *testing.T) {
		_, err := lambda.NewFromConfig(e.Config()).ListLayers(t.Context(), nil)
		require.Equal(t, "NotImplementedException", code(t, err))
		require.ErrorContains(t, err, "lambda:ListLayers")
		_, err = ssm.NewFromConfig(e.Config()).DescribeParameters(t.Context(), nil)
		require.Equal(t, "NotImplementedException", code(t, err))
		require.ErrorContains(t, err, "ssm:DescribeParameters")
		_, err = dynamodb.NewFromConfig(e.Config()).ExecuteStatement(t.Context(), &dynamodb.ExecuteStatementInput{Statement: aws.String("select")})
		require.Equal(t, "NotImplementedException", code(t, err))
		require.ErrorContains(t, err, "dynamodb:ExecuteStatement")
	})

	t.Run("services", func(t *testing.T) {
		config := e.Config()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.Endpoint+"/v1/apis", nil)
		require.NoError(t, err)
		credentials, err := config.Credentials.Retrieve(t.Context())
		require.NoError(t, err)
		const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), credentials, req, empty, "greengrass", e.Region, time.Now()))
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Contains(t, string(text), "does not have the service greengrass")
	})

	t.Run("hosts", func(t *testing.T) {
		at, err := url.Parse(e.Endpoint)
		require.NoError(t, err)
		client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}}
		resp, err := client.Get("http://example.com/data")
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
		assert.Contains(t, string(text), "no way to the host example.com")
	})
}

func TestBrowsersMayCall(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, e.Endpoint+"/2015-03-31/functions/worker/invocations", nil)
	require.NoError(t, err)
	req.Header.Set("Origin", "https://example.com")
	req.Header.Set("Access-Control-Request-Method", http.MethodPost)
	req.Header.Set("Access-Control-Request-Headers", "authorization,x-amz-date")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "authorization,x-amz-date", resp.Header.Get("Access-Control-Allow-Headers"))
}

// usage is the report of permissions.
type usage struct {
	Unused []struct{ Role, Action, Policy, SID string }
	Denied []struct {
		Role, Action, Resource string
		Count                  int
	}
	Used []struct {
		Role, Action string
		Count        int
	}
}

func TestUsage(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))
	operator := s3.NewFromConfig(e.Config())
	put(t, operator, "open/a", "hello")
	w := worker{lambda.NewFromConfig(e.Config())}
	for range 2 {
		result, functionError := w.do(t, object{"do": "get", "bucket": data, "key": "open/a"})
		require.Empty(t, functionError, "%v", result)
		_, functionError = w.do(t, object{"do": "put", "bucket": data, "key": "open/b"})
		require.NotEmpty(t, functionError)
	}
	resp, err := http.Get(e.Endpoint + "/_awslocal/usage")
	require.NoError(t, err)
	defer resp.Body.Close()
	var u usage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&u))

	var unused []string
	for _, one := range u.Unused {
		unused = append(unused, one.Role+" "+one.Action+" "+one.Policy+" "+one.SID)
	}
	assert.ElementsMatch(t, []string{
		"reader s3:PutObjectTagging reads Unneeded", "reader dynamodb:GetItem reads Unneeded", "reader sqs:SendMessage reads ",
	}, unused)
	require.Len(t, u.Denied, 1)
	assert.Equal(t, "reader s3:PutObject arn:aws:s3:::"+data+"/open/b", u.Denied[0].Role+" "+u.Denied[0].Action+" "+u.Denied[0].Resource)
	assert.Equal(t, 2, u.Denied[0].Count)
	used := map[string]int{}
	for _, one := range u.Used {
		used[one.Role+" "+one.Action] = one.Count
	}
	assert.Equal(t, 2, used["reader s3:GetObject"])
	assert.Positive(t, used["reader logs:PutLogEvents"], "Lambda writes logs as the function's role")
}
