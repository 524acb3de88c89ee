package step_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/step"
)

var errTaken = errors.New("taken")

func TestKindOf(t *testing.T) {
	fault := func(code string, fault smithy.ErrorFault) error {
		return fmt.Errorf("put: %w", &smithy.GenericAPIError{Code: code, Fault: fault})
	}
	cases := map[string]struct {
		err  error
		kind step.Kind
		exit int
	}{
		"marked":                 {fmt.Errorf("read: %w", step.Permanentf("bad spec")), step.Permanent, 64},
		"outermost mark decides": {step.Mark(step.Transient, step.Permanentf("x")), step.Transient, 75},
		"conflict":               {step.Mark(step.Conflict, errTaken), step.Conflict, 75},
		"superseded":             {step.Mark(step.Superseded, errTaken), step.Superseded, 0},
		"cancelled":              {fmt.Errorf("get: %w", context.Canceled), step.Transient, 75},
		"deadline":               {context.DeadlineExceeded, step.Transient, 75},
		"throttled":              {fault("ThrottlingException", smithy.FaultClient), step.Transient, 75},
		"denied":                 {fault("AccessDenied", smithy.FaultClient), step.Permanent, 64},
		"server's fault":         {fault("InternalError", smithy.FaultServer), step.Transient, 75},
		"unknown":                {errTaken, step.Transient, 75},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			kind := step.KindOf(c.err)
			assert.Equal(t, c.kind, kind)
			assert.Equal(t, c.exit, kind.ExitCode())
		})
	}
}

func TestMarkKeepsTheError(t *testing.T) {
	err := step.Mark(step.Conflict, fmt.Errorf("swap: %w", errTaken))
	require.ErrorIs(t, err, errTaken)
	require.EqualError(t, err, "swap: taken")
	assert.NoError(t, step.Mark(step.Conflict, nil))
}

func TestNamesWrap(t *testing.T) {
	names := step.Names{{Is: errTaken, Name: "Taken", Kind: step.Conflict}}
	require.NoError(t, names.Wrap(nil))

	var answer messages.InvokeResponse_Error
	require.ErrorAs(t, names.Wrap(fmt.Errorf("swap: %w", errTaken)), &answer)
	assert.Equal(t, "Taken", answer.Type)
	assert.Equal(t, "swap: taken", answer.Message)
	assert.Equal(t, step.Conflict, names.Kind(errTaken))

	require.ErrorAs(t, names.Wrap(step.Permanentf("no such calibration")), &answer)
	assert.Equal(t, "Permanent", answer.Type)
	require.ErrorAs(t, names.Wrap(errors.New("connection reset")), &answer)
	assert.Equal(t, "Transient", answer.Type)
}
