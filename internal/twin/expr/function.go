package expr

import (
	"maps"
	"slices"
)

// A use says which kinds of property a function is for.
type use int

const (
	everywhere use = iota
	transforms
	metrics
)

// A rule gives the type and unit of a function's result.
type rule int

const (
	same        rule = iota // numbers of one unit, result in it
	pure                    // pure numbers, result a pure number
	root                    // one number, result in a root of its unit
	power                   // number and exponent
	anyNumber               // numbers of any unit, result a pure number
	comparison              // two values of one kind and unit, result 0 or 1
	choice                  // condition and two values of one kind and unit
	seconds                 // result in seconds
	textNumber              // texts, result a number of no known unit
	textText                // texts, result a text
	jsonValue               // text and a path, result of no known type
	formatValue             // a format and a value, result a text
)

// A function of the language.
type function struct {
	min, max int // number of arguments
	use      use
	rule     rule
	// window marks functions over the values of a window: each argument may
	// use one variable only, and texts after the first argument are options.
	window bool
	// temporal marks functions over the times of values: their arguments
	// neither aggregate nor use properties of children.
	temporal bool
	options  []string // values of an optional last argument
}

// many is the most arguments of functions that take any number.
const many = 100

var functions = map[string]function{
	"abs": {min: 1, max: 1, rule: same}, "ceil": {min: 1, max: 1, rule: same}, "floor": {min: 1, max: 1, rule: same},
	"acos": {min: 1, max: 1, rule: pure}, "asin": {min: 1, max: 1, rule: pure}, "atan": {min: 1, max: 1, rule: pure},
	"cos": {min: 1, max: 1, rule: pure}, "cosh": {min: 1, max: 1, rule: pure}, "cot": {min: 1, max: 1, rule: pure},
	"sin": {min: 1, max: 1, rule: pure}, "sinh": {min: 1, max: 1, rule: pure}, "tan": {min: 1, max: 1, rule: pure}, "tanh": {min: 1, max: 1, rule: pure},
	"exp": {min: 1, max: 1, rule: pure}, "expm1": {min: 1, max: 1, rule: pure}, "log": {min: 1, max: 1, rule: pure},
	"log10": {min: 1, max: 1, rule: pure}, "log1p": {min: 1, max: 1, rule: pure}, "log2": {min: 1, max: 1, rule: pure},
	"sqrt": {min: 1, max: 1, rule: root}, "cbrt": {min: 1, max: 1, rule: root}, "pow": {min: 2, max: 2, rule: power},
	"signum": {min: 1, max: 1, rule: anyNumber}, "isnan": {min: 1, max: 1, rule: anyNumber},

	"gt": {min: 2, max: 2, rule: comparison}, "gte": {min: 2, max: 2, rule: comparison}, "eq": {min: 2, max: 2, rule: comparison},
	"lt": {min: 2, max: 2, rule: comparison}, "lte": {min: 2, max: 2, rule: comparison},
	"if": {min: 3, max: 3, rule: choice},

	"avg": {min: 1, max: many, use: metrics, rule: same, window: true}, "sum": {min: 1, max: many, use: metrics, rule: same, window: true},
	"min": {min: 1, max: many, use: metrics, rule: same, window: true}, "max": {min: 1, max: many, use: metrics, rule: same, window: true},
	"count": {min: 1, max: many, use: metrics, rule: anyNumber, window: true}, "stdev": {min: 1, max: many, use: metrics, rule: same, window: true},
	"first": {min: 1, max: 1, use: metrics, rule: same, window: true, temporal: true}, "last": {min: 1, max: 1, use: metrics, rule: same, window: true, temporal: true},
	"earliest": {min: 1, max: 1, use: metrics, rule: same, window: true, temporal: true}, "latest": {min: 1, max: 1, use: metrics, rule: same, window: true, temporal: true},
	"statetime":         {min: 1, max: 1, use: metrics, rule: seconds, window: true, temporal: true},
	"TimeWeightedAvg":   {min: 1, max: 2, use: metrics, rule: same, window: true, temporal: true, options: []string{"locf", "linear"}},
	"TimeWeightedStDev": {min: 1, max: 2, use: metrics, rule: same, window: true, temporal: true, options: []string{"f", "p"}},
	"pretrigger":        {min: 1, max: 1, use: transforms, rule: same, temporal: true},
	"timestamp":         {min: 1, max: 1, rule: seconds}, "now": {rule: seconds},

	"len": {min: 1, max: 1, rule: textNumber}, "find": {min: 2, max: 2, rule: textNumber}, "contains": {min: 2, max: 2, rule: textNumber},
	"upper": {min: 1, max: 1, rule: textText}, "lower": {min: 1, max: 1, rule: textText}, "join": {min: 2, max: many, rule: textText},
	"jp": {min: 2, max: 2, rule: jsonValue}, "format": {min: 2, max: 2, rule: formatValue},
}

// Functions lists the names of the functions.
func Functions() []string { return slices.Sorted(maps.Keys(functions)) }
