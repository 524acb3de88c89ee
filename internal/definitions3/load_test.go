package definitions3_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/internal/definitions3"
	"github.com/livetwin/livetwin/internal/env"
	"github.com/livetwin/livetwin/internal/s3mem"
	"github.com/livetwin/livetwin/internal/step"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

var at = env.Object{Bucket: "assets", Key: "abc.json"}

func TestLoad(t *testing.T) {
	want := definition.Definition{
		Version: definition.Version, Twin: "battery-storage", Title: "Battery storage site",
		Models: []definition.Model{}, Assets: []definition.Asset{}, Calibrations: []definition.Calibration{}, Alarms: []definition.Alarm{},
	}
	data, err := want.JSON()
	require.NoError(t, err)
	client := new(s3mem.Client)
	client.Set(at.Bucket, at.Key, data)

	got, err := definitions3.Load(t.Context(), client, at, "battery-storage")
	require.NoError(t, err)
	assert.Equal(t, want, got)

	_, err = definitions3.Load(t.Context(), client, at, "pump-station")
	require.ErrorContains(t, err, "battery-storage")
	assert.Equal(t, step.Permanent, step.KindOf(err))
}

func TestLoadRefuses(t *testing.T) {
	client := new(s3mem.Client)
	_, err := definitions3.Load(t.Context(), client, at, "battery-storage")
	require.ErrorContains(t, err, "s3://assets/abc.json", "absent")

	client.Set(at.Bucket, at.Key, []byte(`{"version": 99}`))
	_, err = definitions3.Load(t.Context(), client, at, "battery-storage")
	require.ErrorContains(t, err, "version 99")
	assert.Equal(t, step.Permanent, step.KindOf(err))

	down := errors.New("connection reset")
	client.Before = func(string, string) error { return down }
	_, err = definitions3.Load(t.Context(), client, at, "battery-storage")
	require.ErrorIs(t, err, down)
	assert.Equal(t, step.Transient, step.KindOf(err))
}
