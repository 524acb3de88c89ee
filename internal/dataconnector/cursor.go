package dataconnector

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"time"
)

// A position is a place in the order of a request's answer: behind the sample
// of a property at an instant. Samples are ordered by time and, within an
// instant, as their properties are selected.
type position struct {
	time  time.Time
	index int // of the property in the selection
}

// A token is a version, a position and a digest over both and the request.
const (
	tokenVersion  = 1
	digestSize    = 16
	positionSize  = 1 + 8 + 4 + 1 // version, seconds, nanoseconds, index
	tokenSize     = positionSize + digestSize
	maxTokenChars = 64 // more than base64 of tokenSize
)

var tokens = base64.RawURLEncoding // 30 bytes are 40 characters, without bits to spare

// token returns the nextToken of a page that ends at a position.
func (r *Request) token(q query, end position) string {
	b := make([]byte, 0, tokenSize)
	b = append(b, tokenVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(end.time.Unix()))       // #nosec G115 -- bits, not a number
	b = binary.BigEndian.AppendUint32(b, uint32(end.time.Nanosecond())) // #nosec G115 -- below 1e9
	b = append(b, byte(end.index))                                      // #nosec G115 -- at most ten
	b = append(b, r.digest(q, b)...)
	return tokens.EncodeToString(b)
}

// parseToken returns the position in the request's nextToken.
func (r *Request) parseToken(q query) (position, error) {
	if len(r.NextToken) > maxTokenChars {
		return position{}, refuse("its nextToken is not one of this connector's: begin again without it")
	}
	b, err := tokens.DecodeString(r.NextToken)
	if err != nil || len(b) == 0 {
		return position{}, refuse("its nextToken is not one of this connector's: begin again without it")
	}
	if b[0] != tokenVersion {
		return position{}, refuse("its nextToken has version %d, this connector knows version %d: begin again without it", b[0], tokenVersion)
	}
	if len(b) != tokenSize || !bytes.Equal(b[positionSize:], r.digest(q, b[:positionSize])) {
		return position{}, refuse("its nextToken belongs to another request: properties, range and order must stay the same from page to page")
	}
	return position{
		time:  time.Unix(int64(binary.BigEndian.Uint64(b[1:])), int64(binary.BigEndian.Uint32(b[9:]))).UTC(), // #nosec G115 -- bits
		index: int(b[13]),
	}, nil
}

// digest ties a position to everything that decides the order of the answer.
func (r *Request) digest(q query, place []byte) []byte {
	properties := make([]string, len(q.selected))
	for i, p := range q.selected {
		properties[i] = p.PropertyName
	}
	bound, err := json.Marshal([]any{
		r.WorkspaceID, r.EntityID, r.ComponentName, r.ComponentTypeID, properties,
		q.start.Unix(), q.start.Nanosecond(), q.end.Unix(), q.end.Nanosecond(), q.descending, place,
	})
	if err != nil {
		panic(err) // strings, numbers and bytes can always be marshalled
	}
	sum := sha256.Sum256(bound)
	return sum[:digestSize]
}
