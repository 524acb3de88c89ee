package gateway

import (
	"net/http"
	"strings"
)

// A preflighter answers the preflight requests of browsers itself: a bucket
// has rules of its own.
type preflighter interface {
	Preflight(w http.ResponseWriter, r *http.Request) bool
}

// preflight answers what a browser asks before it calls from another origin.
// AWS's services allow every origin; signatures guard them.
func (g *Gateway) preflight(w http.ResponseWriter, r *http.Request) {
	if _, s3 := g.find("s3"); s3 != nil && strings.Trim(r.URL.Path, "/") != "" {
		if p, ok := s3.(preflighter); ok && p.Preflight(w, r) {
			return
		}
	}
	h := w.Header()
	allowOrigin(h)
	h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	h.Set("Access-Control-Max-Age", "172800")
	w.WriteHeader(http.StatusOK)
}

func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "x-amzn-errortype,x-amzn-requestid,x-amzn-errormessage,x-amz-function-error,x-amz-request-id,Date")
}
