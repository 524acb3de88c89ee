package s3

import (
	"bytes"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
)

// maxDelete is the limit of the body that lists objects to delete, in bytes.
const maxDelete = 2 << 20

// A requestPlan is which permissions a request needs: the "Actions, resources, and
// condition keys for Amazon S3" of the Service Authorization Reference.
type requestPlan struct {
	needs  []need
	bucket string
	reads  bool
}

type need struct {
	action     string
	resources  []string
	conditions map[string][]string
}

// Subresources are query parameters that make another operation of a request;
// each has the action of every method that it is implemented for.
var bucketSubresources = map[string]map[string]string{
	"location":   {http.MethodGet: "s3:GetBucketLocation"},
	"versioning": {http.MethodGet: "s3:GetBucketVersioning", http.MethodPut: "s3:PutBucketVersioning"},
	"versions":   {http.MethodGet: "s3:ListBucketVersions"},
	"uploads":    {http.MethodGet: "s3:ListBucketMultipartUploads"},
	"cors":       {http.MethodGet: "s3:GetBucketCORS", http.MethodPut: "s3:PutBucketCORS", http.MethodDelete: "s3:PutBucketCORS"},
	"tagging":    {http.MethodGet: "s3:GetBucketTagging", http.MethodPut: "s3:PutBucketTagging", http.MethodDelete: "s3:PutBucketTagging"},
	"delete":     {http.MethodPost: "s3:DeleteObject"},
}

var objectSubresources = map[string]map[string]string{
	"tagging":    {http.MethodGet: "s3:GetObjectTagging", http.MethodPut: "s3:PutObjectTagging", http.MethodDelete: "s3:DeleteObjectTagging"},
	"attributes": {http.MethodGet: "s3:GetObjectAttributes"},
	"uploads":    {http.MethodPost: "s3:PutObject"},
	"uploadId": {
		http.MethodPut: "s3:PutObject", http.MethodPost: "s3:PutObject",
		http.MethodGet: "s3:ListMultipartUploadParts", http.MethodDelete: "s3:AbortMultipartUpload",
	},
}

// unknownSubresources would be taken for plain reads and writes if they were
// not refused.
var unknownSubresources = []string{
	"accelerate", "acl", "analytics", "append", "encryption", "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "logging",
	"metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject",
	"replication", "requestPayment", "restore", "retention", "select", "session", "torrent", "website",
}

// plan reads what the request wants.
func plan(r *http.Request) (requestPlan, error) {
	bucket, key := split(r.URL)
	query := r.URL.Query()
	p := requestPlan{bucket: bucket}
	for _, name := range unknownSubresources {
		if query.Has(name) {
			return p, notImplemented(r, name)
		}
	}
	switch {
	case bucket == "" && r.Method == http.MethodGet:
		p.need("s3:ListAllMyBuckets", "*")
		return p, nil
	case bucket == "":
		return p, notImplemented(r, "")
	case key == "":
		return p, p.bucketRequest(r, query)
	}
	return p, p.objectRequest(r, query, bucketARN(bucket)+"/"+key)
}

func (p *requestPlan) need(action string, resource ...string) {
	p.needs = append(p.needs, need{action: action, resources: resource})
}

func notImplemented(r *http.Request, name string) error {
	if name != "" {
		name = "?" + name
	}
	return kernel.Errorf(http.StatusNotImplemented, "NotImplemented", "the local endpoint does not implement %s %s%s of S3", r.Method, r.URL.Path, name)
}

func (p *requestPlan) bucketRequest(r *http.Request, query url.Values) error {
	arn := bucketARN(p.bucket)
	for name, actions := range bucketSubresources {
		if !query.Has(name) {
			continue
		}
		action, ok := actions[r.Method]
		if !ok {
			return notImplemented(r, name)
		}
		if name == "delete" {
			return p.deletions(r)
		}
		p.need(action, arn)
		return nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		conditions := map[string][]string{}
		for parameter, key := range map[string]string{"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"} {
			if query.Has(parameter) {
				conditions[key] = []string{query.Get(parameter)}
			}
		}
		p.needs = append(p.needs, need{"s3:ListBucket", []string{arn}, conditions})
	case http.MethodPut:
		p.need("s3:CreateBucket", arn)
	case http.MethodDelete:
		p.need("s3:DeleteBucket", arn)
	default:
		return notImplemented(r, "")
	}
	return nil
}

// deletions reads which objects a DeleteObjects request is about, and leaves
// the body to be read again.
func (p *requestPlan) deletions(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDelete+1))
	if err != nil || len(body) > maxDelete {
		return kernel.Errorf(http.StatusBadRequest, "MalformedXML", "the list of objects to delete broke off or is longer than %d bytes", maxDelete)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var list struct {
		Object []struct{ Key, VersionId string } //nolint:revive // the element's name
	}
	// The engine answers for what is not XML; it deletes nothing then.
	if err := xml.Unmarshal(body, &list); err != nil {
		return kernel.Errorf(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed: %v", err)
	}
	by := map[string][]string{}
	for _, o := range list.Object {
		action := "s3:DeleteObject"
		if o.VersionId != "" {
			action = "s3:DeleteObjectVersion"
		}
		by[action] = append(by[action], bucketARN(p.bucket)+"/"+o.Key)
	}
	for _, action := range slices.Sorted(maps.Keys(by)) {
		p.need(action, by[action]...)
	}
	return nil
}

func (p *requestPlan) objectRequest(r *http.Request, query url.Values, arn string) error {
	version := query.Has("versionId")
	for name, actions := range objectSubresources {
		if !query.Has(name) {
			continue
		}
		action, ok := actions[r.Method]
		if !ok {
			return notImplemented(r, name)
		}
		p.need(action, arn)
		switch {
		case name == "attributes":
			p.need("s3:GetObject", arn)
			p.reads = true
		case action == "s3:PutObject":
			return p.write(r, arn)
		}
		return nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.reads = true
		p.need(versioned("s3:GetObject", version), arn)
	case http.MethodPut:
		p.need("s3:PutObject", arn)
		return p.write(r, arn)
	case http.MethodDelete:
		p.need(versioned("s3:DeleteObject", version), arn)
	default:
		return notImplemented(r, "")
	}
	return nil
}

func versioned(action string, version bool) string {
	if version {
		return action + "Version"
	}
	return action
}

// write adds what a write needs beside PutObject: the source of a copy, tags,
// and reading for a condition on the present object's ETag.
func (p *requestPlan) write(r *http.Request, arn string) error {
	if r.Header.Get("If-Match") != "" {
		p.need("s3:GetObject", arn)
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		p.need("s3:PutObjectTagging", arn)
	}
	source := r.Header.Get("X-Amz-Copy-Source")
	if source == "" {
		return nil
	}
	path, _, version := strings.Cut(source, "?versionId=")
	name, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if err != nil || !strings.Contains(name, "/") || strings.HasPrefix(name, "arn:") {
		return kernel.Errorf(http.StatusBadRequest, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey, not %q", source)
	}
	p.need(versioned("s3:GetObject", version), "arn:aws:s3:::"+name)
	return nil
}
