// Package sigv4 verifies AWS Signature Version 4, in headers and in presigned
// query strings, as described in "Signature Version 4 signing process" of the
// AWS General Reference. It decides only who signed; what they may do is iam's
// affair. Times are wall time: signatures know no business clock.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// UnsignedPayload is the payload hash of requests that do not sign their body.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

const (
	algorithm  = "AWS4-HMAC-SHA256"
	dateFormat = "20060102T150405Z"
	maxExpires = 7 * 24 * time.Hour
)

// MaxSkew is how far a signature's date may be from wall time.
const MaxSkew = 5 * time.Minute

// A Kind says what is wrong with a signature.
type Kind int

// The kinds of error.
const (
	Missing   Kind = iota // the request carries no signature
	Malformed             // the signature cannot be read
	Unknown               // nobody has this access key
	Token                 // the session token is not that of the key
	Mismatch              // the signature is another one
	Expired               // too old, or from the future
)

// An Error is a signature that was not accepted.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

func fail(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// A Signature is what a request says about its signer, before it is verified.
type Signature struct {
	AccessKey string
	Date      time.Time // wall time
	Day       string    // YYYYMMDD of the credential scope
	Region    string
	Service   string // signing name
	Token     string // session token, empty when there is none
	Presigned bool

	expires time.Duration
	headers []string
	hex     string
}

// Parse reads the signature of r from its Authorization header or its query.
func Parse(r *http.Request) (*Signature, error) {
	if q := r.URL.Query(); q.Get("X-Amz-Algorithm") != "" || q.Get("X-Amz-Signature") != "" {
		return parseQuery(r)
	}
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return nil, fail(Missing, "Missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(auth, algorithm+" ")
	if !ok {
		return nil, fail(Malformed, "the Authorization header does not start with %s", algorithm)
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return nil, fail(Malformed, "the Authorization header has a part without a value: %q", part)
		}
		fields[name] = value
	}
	s := &Signature{
		Token:   r.Header.Get("X-Amz-Security-Token"),
		headers: strings.Split(fields["SignedHeaders"], ";"),
		hex:     fields["Signature"],
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		return nil, fail(Malformed, "Authorization header requires existence of an 'X-Amz-Date' header")
	}
	return s, s.complete(fields["Credential"], date)
}

func parseQuery(r *http.Request) (*Signature, error) {
	q := r.URL.Query()
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, fail(Malformed, "X-Amz-Algorithm only supports %s", algorithm)
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	expires := time.Duration(seconds) * time.Second
	if err != nil || expires < 0 || expires > maxExpires {
		return nil, fail(Malformed, "X-Amz-Expires must be a number of seconds from 0 to %d, not %q", int(maxExpires.Seconds()), q.Get("X-Amz-Expires"))
	}
	s := &Signature{
		Token:     q.Get("X-Amz-Security-Token"),
		Presigned: true,
		expires:   expires,
		headers:   strings.Split(q.Get("X-Amz-SignedHeaders"), ";"),
		hex:       q.Get("X-Amz-Signature"),
	}
	return s, s.complete(q.Get("X-Amz-Credential"), q.Get("X-Amz-Date"))
}

// complete fills in what the credential scope and the date say.
func (s *Signature) complete(credential, date string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" {
		return fail(Malformed, "the credential %q is not KEY/DATE/REGION/SERVICE/aws4_request", credential)
	}
	s.AccessKey, s.Day, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	t, err := time.Parse(dateFormat, date)
	if err != nil {
		return fail(Malformed, "the date %q is not in the form %s", date, dateFormat)
	}
	s.Date = t
	if !strings.HasPrefix(date, s.Day) {
		return fail(Malformed, "the credential's date %s is not the day of the signature %s", s.Day, date)
	}
	if !slices.Contains(s.headers, "host") {
		return fail(Malformed, "the host header is not signed")
	}
	if s.hex == "" {
		return fail(Malformed, "the signature is empty")
	}
	return nil
}

// Verify checks the signature of r, made with secret, against the hash of its
// payload (lower-case hexadecimal SHA-256, or a word such as UnsignedPayload)
// at wall time now.
func (s *Signature) Verify(r *http.Request, secret, payloadHash string, now time.Time) error {
	if s.Presigned {
		if now.After(s.Date.Add(s.expires)) || now.Before(s.Date.Add(-MaxSkew)) {
			return fail(Expired, "Request has expired: it was signed at %s for %s", s.Date.Format(time.RFC3339), s.expires)
		}
	} else if now.Sub(s.Date).Abs() > MaxSkew {
		return fail(Expired, "Signature expired: %s is more than %s away from %s", s.Date.Format(dateFormat), MaxSkew, now.UTC().Format(dateFormat))
	}
	canonical, err := s.canonical(r, payloadHash)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{s.Day, s.Region, s.Service, "aws4_request"}, "/")
	text := strings.Join([]string{algorithm, s.Date.Format(dateFormat), scope, hex.EncodeToString(sum[:])}, "\n")
	want := hmacSHA256(DeriveKey(secret, s.Day, s.Region, s.Service), text)
	got, err := hex.DecodeString(s.hex)
	if err != nil || !hmac.Equal(got, want) {
		return fail(Mismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return nil
}

// DeriveKey returns the signing key of a secret for a day (YYYYMMDD), a region
// and a service.
func DeriveKey(secret, day, region, service string) []byte {
	key := hmacSHA256([]byte("AWS4"+secret), day)
	key = hmacSHA256(key, region)
	key = hmacSHA256(key, service)
	return hmacSHA256(key, "aws4_request")
}

func hmacSHA256(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}
