// Package apimodel speaks AWS's wire protocols as AWS's own API models describe
// them: it turns a request into an operation and a validated input, and an
// output into a validated response. It knows no service: whatever a service's
// model says about members, types, lengths, ranges, patterns and enumerations
// holds for every request and, so that the endpoint cannot drift from AWS, for
// every answer as well.
//
// The models are the api-2.json files of github.com/aws/aws-sdk-go v1.55.8, in
// the layout {service}/{version}/api-2.json; overlay.json adds what they lack.
//
// Inside the endpoint, inputs and outputs are JSON objects by the model's
// member names, timestamps are epoch seconds and blobs are base64. A number that
// JSON cannot hold is one of the strings "NaN", "Infinity" and "-Infinity".
//
// The protocols are rest-json, json 1.0 and 1.1, and query. A model of any other
// protocol is refused when it is loaded.
package apimodel
