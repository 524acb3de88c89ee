package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
)

// keys tells how a program is given an account, or the endpoint of make up.
const keys = "set AWS_PROFILE, or AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; against make up, export the lines that it prints"

// advice says what to do about a failure of AWS or of the way there, or "".
func advice(err error) string {
	if err == nil {
		return ""
	}
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	text := err.Error()
	switch {
	// The SDK has no error types of its own for these two.
	case strings.Contains(text, "get credentials:"), strings.Contains(text, "failed to get shared config profile"):
		return "there are no AWS credentials: " + keys
	case strings.Contains(text, "Missing Region"):
		return "there is no AWS region: " + keys
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && endpoint != "" && strings.HasPrefix(dns.Name, "data.") {
		return fmt.Sprintf("the SDK puts a name before the endpoint's, which only the endpoint itself can reach: export HTTP_PROXY=%s", endpoint)
	}
	if errors.Is(err, syscall.ECONNREFUSED) && endpoint != "" {
		return fmt.Sprintf("nobody listens at AWS_ENDPOINT_URL=%s: start make up and export the lines that it prints, or unset the variable to reach AWS", endpoint)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId",
			"ExpiredToken", "ExpiredTokenException":
			return "the keys are not, or no longer, those of this account: " + keys
		case "AccessDeniedException", "AccessDenied":
			return "these credentials may not do that: the caller needs to read SSM parameters below /livetwin/, the calibrations bucket, and to write SiteWise values"
		}
	}
	return ""
}
