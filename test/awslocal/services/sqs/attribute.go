package sqs

import (
	"crypto/md5" //nolint:gosec // the protocol's checksum, not a signature
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// An attribute is a message attribute that the sender chose.
type attribute struct {
	DataType    string  `json:"DataType"`
	StringValue *string `json:"StringValue,omitempty"`
	BinaryValue []byte  `json:"BinaryValue,omitempty"`
}

// chosen are the attributes that a receiver asked for: by name, by a prefix
// such as trace.*, or all of them.
func chosen(all map[string]attribute, names []string) map[string]attribute {
	out := map[string]attribute{}
	for name, a := range all {
		if slices.ContainsFunc(names, func(n string) bool {
			prefix, wild := strings.CutSuffix(n, ".*")
			return n == "All" || n == name || wild && strings.HasPrefix(name, prefix)
		}) {
			out[name] = a
		}
	}
	return out
}

// sumAttributes is the checksum that clients compare, as the SQS developer
// guide defines it: name, data type and value in the order of names, each with
// its length, the value after a byte for its kind.
func sumAttributes(all map[string]attribute) string {
	h := md5.New() //nolint:gosec // the protocol's checksum, not a signature
	write := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, uint32(len(b))) //nolint:gosec // SQS takes at most 1 MiB; a hash takes everything
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		write([]byte(name))
		write([]byte(a.DataType))
		if strings.HasPrefix(a.DataType, "Binary") {
			h.Write([]byte{2})
			write(a.BinaryValue)
			continue
		}
		h.Write([]byte{1})
		if a.StringValue != nil {
			write([]byte(*a.StringValue))
		} else {
			write(nil)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
