package sitewise

import (
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/livetwin/livetwin/test/awslocal/services/sitewise/tqv"
)

const (
	minTime = math.MinInt64
	maxTime = math.MaxInt64
)

// maxString is the longest string value, in bytes.
const maxString = 1024

// parseValue reads an attribute's default value, which templates hold as text.
func parseValue(dataType, text string) (tqv.Value, error) {
	switch dataType {
	case "STRING":
		return tqv.Value{Kind: tqv.String, Text: text}, nil
	case "DOUBLE":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return tqv.Value{}, fmt.Errorf("%q is not a DOUBLE", text)
		}
		return tqv.Value{Kind: tqv.Double, Number: f}, nil
	case "INTEGER":
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return tqv.Value{}, fmt.Errorf("%q is not an INTEGER of 32 bits", text)
		}
		return tqv.Value{Kind: tqv.Integer, Number: float64(n)}, nil
	default:
		switch text {
		case "true":
			return tqv.Value{Kind: tqv.Boolean, Number: 1}, nil
		case "false":
			return tqv.Value{Kind: tqv.Boolean}, nil
		}
		return tqv.Value{}, fmt.Errorf("%q is neither true nor false", text)
	}
}

var nullTypes = map[string]string{"DOUBLE": "D", "BOOLEAN": "B", "STRING": "S", "INTEGER": "I"}

// appendPoint writes a point as the API's AssetPropertyValue.
func appendPoint(b []byte, p tqv.Point) []byte {
	b = append(b, `{"value":{`...)
	switch p.Value.Kind {
	case tqv.Double:
		b = append(b, `"doubleValue":`...)
		b = appendDouble(b, p.Value.Number)
	case tqv.Integer:
		b = append(b, `"integerValue":`...)
		b = strconv.AppendInt(b, int64(p.Value.Number), 10)
	case tqv.Boolean:
		b = append(b, `"booleanValue":`...)
		b = strconv.AppendBool(b, p.Value.Number != 0)
	case tqv.String:
		b = append(b, `"stringValue":`...)
		b = appendString(b, p.Value.Text)
	case tqv.Null:
		b = append(b, `"nullValue":{"valueType":"`...)
		b = append(b, p.Value.Text...)
		b = append(b, `"}`...)
	}
	b = append(b, `},"timestamp":`...)
	b = appendTime(b, p.Time)
	b = append(b, `,"quality":"`...)
	b = append(b, p.Quality.String()...)
	return append(b, `"}`...)
}

// appendTime writes the API's TimeInNanos.
func appendTime(b []byte, t int64) []byte {
	b = append(b, `{"timeInSeconds":`...)
	b = strconv.AppendInt(b, t/1e9, 10)
	b = append(b, `,"offsetInNanos":`...)
	b = strconv.AppendInt(b, t%1e9, 10)
	return append(b, '}')
}

func appendDouble(b []byte, f float64) []byte {
	if math.IsNaN(f) {
		return append(b, `"NaN"`...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

func appendString(b []byte, s string) []byte {
	q, err := jsontext.AppendQuote(b, s)
	if err != nil { // stored text came out of JSON, so it is valid UTF-8
		return append(b, `""`...)
	}
	return q
}
