package iam

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
)

// OperatorKey is the access key of the operator.
const OperatorKey = "AKIAAWSLOCALOPERATOR" //nolint:gosec // a name; the secret is new at every start

// A Keyring derives secrets and session tokens from access keys, so that the
// storage engine, a process of its own, can check a signature without asking.
type Keyring []byte

// Secret returns the secret access key of an access key.
func (k Keyring) Secret(accessKey string) string { return k.derive("secret", accessKey)[:40] }

// Token returns the session token of a temporary access key, and nothing for a
// permanent one.
func (k Keyring) Token(accessKey string) string {
	if accessKey == OperatorKey {
		return ""
	}
	return k.derive("token", accessKey)
}

func (k Keyring) derive(what, accessKey string) string {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(what + "\x00" + accessKey))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// sessionKey names the session of a role: the same session has the same key in
// every run.
func sessionKey(arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return "ASIA" + base32.StdEncoding.EncodeToString(sum[:])[:16]
}
