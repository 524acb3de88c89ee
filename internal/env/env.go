// Package env names the environment variables by which deployment configures
// functions and jobs. Infra sets them, functions read them, and both sides meet
// here, so that a misspelt name does not compile.
package env

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A Var is the name of an environment variable.
type Var string

// The variables. The comments of holds say what each of them holds.
const (
	Twin               Var = "LIVETWIN_TWIN"
	Stage              Var = "LIVETWIN_STAGE"
	Definition         Var = "LIVETWIN_DEFINITION"
	CalibrationsBucket Var = "LIVETWIN_CALIBRATIONS_BUCKET"
	RunsTable          Var = "LIVETWIN_RUNS_TABLE"
	Manifest           Var = "LIVETWIN_MANIFEST"

	// BatchArrayIndex is set by AWS Batch in the children of an array job only.
	BatchArrayIndex Var = "AWS_BATCH_JOB_ARRAY_INDEX"
	// BatchAttempt is set by AWS Batch, and counts from 1.
	BatchAttempt Var = "AWS_BATCH_JOB_ATTEMPT"
)

// holds says what a variable holds and who sets it, for error messages.
var holds = map[Var]string{
	Twin:               "the name of the twin, set by deployment",
	Stage:              "the name of the stage (local, dev, prod), set by deployment",
	Definition:         "the place of the compiled twin as s3://bucket/key, set by deployment",
	CalibrationsBucket: "the name of the bucket of calibrations, set by deployment",
	RunsTable:          "the name of the table of runs, set by deployment",
	Manifest:           "the key of the execution's manifest in the calibrations bucket, set by the state machine when it submits the job",
	BatchArrayIndex:    "the index of this child in its array job, set by AWS Batch",
	BatchAttempt:       "the number of this attempt, set by AWS Batch",
}

// Holds says what the variable holds and who sets it; "" for an unknown one.
func (v Var) Holds() string { return holds[v] }

// Get returns the value. A variable that is not set, or empty, is an error
// that names it and says what it should hold.
func (v Var) Get() (string, error) {
	value := os.Getenv(string(v))
	if value == "" {
		return "", fmt.Errorf("environment variable %s is not set; it holds %s", v, holds[v])
	}
	return value, nil
}

// Lookup returns the value and whether the variable is set to something. It is
// for variables that may be absent, such as BatchArrayIndex in a plain job.
func (v Var) Lookup() (string, bool) {
	value := os.Getenv(string(v))
	return value, value != ""
}

// Int returns the value as a decimal integer ≥ 0, or def when the variable is
// not set.
func (v Var) Int(def int) (int, error) {
	value, ok := v.Lookup()
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("environment variable %s is %q; expected a whole number from 0: it holds %s", v, value, holds[v])
	}
	return n, nil
}

// An Object is a place in S3.
type Object struct {
	Bucket string
	Key    string
}

// String returns s3://bucket/key.
func (o Object) String() string { return "s3://" + o.Bucket + "/" + o.Key }

// Object returns the value of a variable that holds s3://bucket/key.
func (v Var) Object() (Object, error) {
	value, err := v.Get()
	if err != nil {
		return Object{}, err
	}
	rest, ok := strings.CutPrefix(value, "s3://")
	bucket, key, cut := strings.Cut(rest, "/")
	if !ok || !cut || bucket == "" || key == "" {
		return Object{}, fmt.Errorf("environment variable %s is %q; expected s3://bucket/key: it holds %s", v, value, holds[v])
	}
	return Object{Bucket: bucket, Key: key}, nil
}
