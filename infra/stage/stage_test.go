package stage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/infra/stage"
)

func TestCheckedStages(t *testing.T) {
	assert.Equal(t, []string{"dev", "local", "prod"}, stage.Names())
	places := map[string]string{}
	for _, name := range stage.Names() {
		s, err := stage.Load(name)
		require.NoError(t, err)
		assert.Equal(t, name, s.Name)
		place := s.Account + "/" + s.Region
		assert.Empty(t, places[place], "%s and %s share an account and a region", name, places[place])
		places[place] = name
	}
	prod, err := stage.Load("prod")
	require.NoError(t, err)
	assert.Equal(t, stage.ARM, prod.Architecture)
	assert.Equal(t, stage.Retain, prod.RemovalPolicy)
}

func TestUnknownStage(t *testing.T) {
	_, err := stage.Load("production")
	assert.EqualError(t, err, `stage "production": there is no infra/stage/production.yaml; expected one of dev, local, prod`)
}

func TestEveryMistakeAtOnce(t *testing.T) {
	_, err := stage.Parse("test", []byte(`
account: "12"
region: us-east-2
architecture: arm
logRetentionDays: 2
removalPolicy: keep
zones: [us-east-2a, us-west-2b]
staleTelemetryHours: 0
schedules: {state: "on", override: hourly}
alarmEmail: nobody
`))
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 10)
	for i, want := range []string{
		`infra/stage/test.yaml: account: "12"; expected the 12 digits`,
		`infra/stage/test.yaml: region: "us-east-2"; expected one that has IoT TwinMaker`,
		`infra/stage/test.yaml: architecture: "arm"; expected x86_64, arm64 or host`,
		`infra/stage/test.yaml: logRetentionDays: 2; expected`,
		`infra/stage/test.yaml: removalPolicy: "keep"; expected retain or destroy`,
		`infra/stage/test.yaml: zones: "us-west-2b"; expected a zone of the stage's region`,
		`infra/stage/test.yaml: staleTelemetryHours: 0; expected one hour or more`,
		`infra/stage/test.yaml: schedules.state: "on"; expected ENABLED or DISABLED`,
		`infra/stage/test.yaml: schedules.override: "hourly"; expected rate(…) or cron(…)`,
		`infra/stage/test.yaml: alarmEmail: "nobody"; expected an address`,
	} {
		assert.Contains(t, lines[i], want)
	}
}

func TestUnknownKeyNamesItsLine(t *testing.T) {
	_, err := stage.Parse("test", []byte("account: \"111122223333\"\nregoin: us-east-1\n"))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "infra/stage/test.yaml")
	assert.Contains(t, err.Error(), "line 2")
	assert.Contains(t, err.Error(), "regoin")
}
