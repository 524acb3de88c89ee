package sigv4_test

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/gateway/sigv4"
)

const (
	secret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" // of AWS's examples
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// The key is that of "Examples of how to derive a signing key" in the IAM guide.
func TestDeriveKey(t *testing.T) {
	key := sigv4.DeriveKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
	assert.Equal(t, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9", hex.EncodeToString(key))
}

// The requests are the examples of "Signature Calculations for the
// Authorization Header" and "Authenticating Requests: Using Query Parameters"
// in the S3 API reference.
func TestAWSExamples(t *testing.T) {
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

	header := httptest.NewRequest(http.MethodGet, "http://examplebucket.s3.amazonaws.com/test.txt", nil)
	header.Header.Set("Range", "bytes=0-9")
	header.Header.Set("X-Amz-Content-Sha256", emptyHash)
	header.Header.Set("X-Amz-Date", "20130524T000000Z")
	header.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")

	query := httptest.NewRequest(http.MethodGet, "http://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", nil)

	for name, c := range map[string]struct {
		r    *http.Request
		hash string
		late time.Duration
	}{"header": {header, emptyHash, 6 * time.Minute}, "query": {query, sigv4.UnsignedPayload, 25 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			s, err := sigv4.Parse(c.r)
			require.NoError(t, err)
			assert.Equal(t, "AKIAIOSFODNN7EXAMPLE", s.AccessKey)
			assert.Equal(t, "s3", s.Service)
			assert.Equal(t, "us-east-1", s.Region)
			require.NoError(t, s.Verify(c.r, secret, c.hash, at))
			assert.Equal(t, sigv4.Mismatch, kind(t, s.Verify(c.r, "another secret", c.hash, at)))
			assert.Equal(t, sigv4.Expired, kind(t, s.Verify(c.r, secret, c.hash, at.Add(c.late))))
		})
	}
}

func kind(t *testing.T, err error) sigv4.Kind {
	t.Helper()
	e, ok := errors.AsType[*sigv4.Error](err)
	require.True(t, ok, "%v", err)
	return e.Kind
}

// What the SDK signs is verified, and nothing else of it.
func TestAgainstTheSDK(t *testing.T) {
	credentials := aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: secret, SessionToken: "token"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	text := rapid.StringMatching(`[a-zA-Z0-9 /+%=&?~*ä.'()!-]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		service := rapid.SampledFrom([]string{"s3", "lambda", "iotsitewise"}).Draw(t, "service")
		u := &url.URL{Scheme: "http", Host: "127.0.0.1:4566", Path: "/" + text.Draw(t, "path")}
		q := url.Values{}
		for range rapid.IntRange(0, 3).Draw(t, "parameters") {
			q.Add("k"+text.Draw(t, "name"), text.Draw(t, "value"))
		}
		u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // as the SDK sends it
		r, err := http.NewRequest(http.MethodPost, u.String(), strings.NewReader("body"))
		if err != nil {
			t.Skip("not a URL")
		}
		r.Header.Set("X-Custom", rapid.StringMatching(`[a-z ]{0,10}`).Draw(t, "header"))
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
		require.NoError(t, signer.SignHTTP(t.Context(), credentials, r, emptyHash, service, "us-east-1", at))
		r.Host = u.Host

		s, err := sigv4.Parse(r)
		require.NoError(t, err)
		assert.Equal(t, "token", s.Token)
		require.NoError(t, s.Verify(r, secret, emptyHash, at), "%s", u)

		changed := r.Clone(t.Context())
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			changed.URL.Path, changed.URL.RawPath = changed.URL.Path+"x", ""
		case 1:
			changed.URL.RawQuery += "&x=y"
		case 2:
			changed.Header.Set("X-Custom", "another")
		case 3:
			changed.Method = http.MethodPut
		}
		require.Error(t, s.Verify(changed, secret, emptyHash, at))
	})
}

func TestMalformed(t *testing.T) {
	const good = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	for name, c := range map[string]struct {
		authorization, date string
		want                sigv4.Kind
	}{
		"nothing":           {"", "20260101T000000Z", sigv4.Missing},
		"other algorithm":   {"AWS AKIA:signature", "20260101T000000Z", sigv4.Malformed},
		"no date":           {good, "", sigv4.Malformed},
		"other date format": {good, "Thu, 01 Jan 2026 00:00:00 GMT", sigv4.Malformed},
		"other day":         {good, "20260102T000000Z", sigv4.Malformed},
		"short scope":       {strings.Replace(good, "/aws4_request", "", 1), "20260101T000000Z", sigv4.Malformed},
		"host not signed":   {strings.Replace(good, "host;", "", 1), "20260101T000000Z", sigv4.Malformed},
		"no signature":      {strings.Replace(good, "Signature=00", "Signature=", 1), "20260101T000000Z", sigv4.Malformed},
		"part without =":    {good + ", what", "20260101T000000Z", sigv4.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
			r.Header.Set("Authorization", c.authorization)
			r.Header.Set("X-Amz-Date", c.date)
			_, err := sigv4.Parse(r)
			assert.Equal(t, c.want, kind(t, err))
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "20260101T000000Z", "a=b")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60&X-Amz-Credential=a/b/c/d/aws4_request")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		r.URL.RawQuery = query
		s, err := sigv4.Parse(r)
		if err != nil {
			return
		}
		if s.Verify(r, secret, emptyHash, s.Date) == nil {
			t.Fatal("a signature was accepted that nobody made")
		}
	})
}
