// Package stage reads the checked files that say where and how a twin is
// deployed: account, region, processor, how long logs are kept, whether data
// outlives its stack.
package stage

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed *.yaml
var files embed.FS

// A Stage is where and how a twin is deployed.
type Stage struct {
	Name             string    `yaml:"-"`
	Account          string    `yaml:"account"` // 12 digits
	Region           string    `yaml:"region"`  // one that has IoT TwinMaker
	Architecture     string    `yaml:"architecture"`
	LogRetentionDays int       `yaml:"logRetentionDays"`
	RemovalPolicy    string    `yaml:"removalPolicy"` // retain or destroy
	Zones            []string  `yaml:"zones"`         // availability zones that jobs run in, two or more
	Schedules        Schedules `yaml:"schedules"`
	// StaleTelemetryHours is how old the newest sample of a calibrated asset may
	// become before operators are told; 24 when the file does not say.
	StaleTelemetryHours int    `yaml:"staleTelemetryHours"`
	AlarmEmail          string `yaml:"alarmEmail"` // subscribed to the alarm topic when not empty
}

// Schedules says what a stage does to the twin's schedules.
type Schedules struct {
	State    string `yaml:"state"`    // ENABLED (the default) or DISABLED
	Override string `yaml:"override"` // an expression for every schedule; "" keeps the twin's
}

// Architectures of functions and jobs, in Lambda's words.
const (
	X86 = "x86_64"
	ARM = "arm64"
)

// Removal policies.
const (
	Retain  = "retain"
	Destroy = "destroy"
)

// Regions are those that have IoT TwinMaker.
var Regions = []string{
	"ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
	"eu-central-1", "eu-west-1", "us-east-1", "us-west-2",
}

// retentions are the numbers of days that CloudWatch Logs accepts.
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

var (
	nameRE     = regexp.MustCompile(`^[a-z][a-z0-9]{1,9}$`)
	accountRE  = regexp.MustCompile(`^\d{12}$`)
	zoneRE     = regexp.MustCompile(`^[a-z]$`)
	scheduleRE = regexp.MustCompile(`^(rate|cron)\(.+\)$`)
)

// Names lists the checked stages, sorted.
func Names() []string {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil { // only a malformed pattern
		panic(err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, path.Ext(name))
	}
	return names
}

// Load returns a checked stage by name.
func Load(name string) (Stage, error) {
	if !slices.Contains(Names(), name) {
		return Stage{}, fmt.Errorf("stage %q: there is no infra/stage/%s.yaml; expected one of %s", name, name, strings.Join(Names(), ", "))
	}
	data, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return Stage{}, fmt.Errorf("read stage %q: %w", name, err)
	}
	return Parse(name, data)
}

// Parse reads a stage strictly and returns every mistake at once. The name's
// file, infra/stage/NAME.yaml, is what errors point at.
func Parse(name string, data []byte) (Stage, error) {
	s := Stage{Name: name, Schedules: Schedules{State: "ENABLED"}, StaleTelemetryHours: 24}
	file := "infra/stage/" + name + ".yaml"
	if err := yaml.Load(data, &s, yaml.WithKnownFields()); err != nil {
		return Stage{}, fmt.Errorf("%s: %w", file, err)
	}
	if s.Architecture == "host" {
		s.Architecture = host(runtime.GOARCH)
	}
	if err := s.check(file); err != nil {
		return Stage{}, err
	}
	return s, nil
}

// host is the word of Lambda for a Go architecture.
func host(goarch string) string {
	switch goarch {
	case "amd64":
		return X86
	default:
		return goarch
	}
}

func (s Stage) check(file string) error {
	var errs []error
	fail := func(property, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s: %s", file, property, fmt.Sprintf(format, args...)))
	}
	if !nameRE.MatchString(s.Name) {
		fail("file name", "%q; expected 2 to 10 small letters and digits, a letter first: it becomes part of resource names", s.Name)
	}
	if !accountRE.MatchString(s.Account) {
		fail("account", "%q; expected the 12 digits of an AWS account, in quotes", s.Account)
	}
	if !slices.Contains(Regions, s.Region) {
		fail("region", "%q; expected one that has IoT TwinMaker: %s", s.Region, strings.Join(Regions, ", "))
	}
	if s.Architecture != X86 && s.Architecture != ARM {
		fail("architecture", "%q; expected x86_64, arm64 or host", s.Architecture)
	}
	if !slices.Contains(retentions, s.LogRetentionDays) {
		fail("logRetentionDays", "%d; expected a number of days that CloudWatch Logs accepts: %s", s.LogRetentionDays, strings.Trim(fmt.Sprint(retentions), "[]"))
	}
	if s.RemovalPolicy != Retain && s.RemovalPolicy != Destroy {
		fail("removalPolicy", "%q; expected retain or destroy", s.RemovalPolicy)
	}
	if len(s.Zones) < 2 {
		fail("zones", "%v; expected two availability zones or more, such as %sa", s.Zones, s.Region)
	}
	for i, zone := range s.Zones {
		if suffix, ok := strings.CutPrefix(zone, s.Region); !ok || !zoneRE.MatchString(suffix) {
			fail("zones", "%q; expected a zone of the stage's region, such as %sa", zone, s.Region)
		}
		if slices.Contains(s.Zones[:i], zone) {
			fail("zones", "%q is named twice", zone)
		}
	}
	if s.StaleTelemetryHours < 1 {
		fail("staleTelemetryHours", "%d; expected one hour or more", s.StaleTelemetryHours)
	}
	if s.Schedules.State != "ENABLED" && s.Schedules.State != "DISABLED" {
		fail("schedules.state", "%q; expected ENABLED or DISABLED", s.Schedules.State)
	}
	if s.Schedules.Override != "" && !scheduleRE.MatchString(s.Schedules.Override) {
		fail("schedules.override", "%q; expected rate(…) or cron(…)", s.Schedules.Override)
	}
	if s.AlarmEmail != "" {
		if address, err := mail.ParseAddress(s.AlarmEmail); err != nil || address.Address != s.AlarmEmail {
			fail("alarmEmail", "%q; expected an address such as operators@example.com", s.AlarmEmail)
		}
	}
	return errors.Join(errs...)
}
