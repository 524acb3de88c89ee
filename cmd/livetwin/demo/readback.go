package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker"
	"github.com/aws/aws-sdk-go-v2/service/iottwinmaker/types"

	"github.com/livetwin/livetwin/internal/calibration"
	"github.com/livetwin/livetwin/internal/report"
	"github.com/livetwin/livetwin/internal/twin/definition"
)

// maxSelected is TwinMaker's limit on properties of one request.
const maxSelected = 10

// A published value is known by its series and instant.
type published struct {
	property string
	at       time.Time
}

// readBack asks TwinMaker for everything that was published and compares it,
// value by value, with the artifacts that it was published from. A value that
// is missing, differs or nobody published fails the demo.
func (s *session) readBack(ctx context.Context) error {
	api := iottwinmaker.NewFromConfig(s.aws)
	for _, asset := range s.calibration.Assets {
		want := map[published]float64{}
		properties := map[string]bool{}
		for _, d := range s.runs[asset] {
			for _, p := range d.Predictions {
				name := calibration.QuantileName(p.Output, p.Quantile)
				properties[name] = true
				want[published{name, d.WindowEnd.UTC()}] = p.Value
			}
		}
		names := slices.Sorted(maps.Keys(properties))
		s.readback.Series += len(names)
		for chunk := range slices.Chunk(names, maxSelected) {
			if err := s.compare(ctx, api, asset, chunk, want); err != nil {
				return err
			}
		}
		if len(want) > 0 {
			s.readback.Differed += len(want)
			for k, v := range want {
				return fmt.Errorf("%s %s at %s: %g was published, TwinMaker has no such value (nor %d others)", asset, k.property, short(k.at), v, len(want)-1)
			}
		}
	}
	s.out.detail("%d values of %d series are the ones that were published", s.readback.Values, s.readback.Series)
	for i := range s.definition.Alarms {
		if a := &s.definition.Alarms[i]; a.Calibration == s.calibration.Spec.Name {
			for _, asset := range a.Assets {
				if err := s.readAlarm(ctx, api, a, asset); err != nil {
					return err
				}
			}
		}
	}
	for _, a := range s.alarms {
		if a.State != normal {
			s.out.detail("alarm %q of %s went %s at %s", a.Title, a.Cell, a.State, short(a.Time))
		}
	}
	return nil
}

// States of an alarm that nobody acknowledged or snoozed.
const (
	normal = "NORMAL"
	active = "ACTIVE"
)

// readAlarm asks TwinMaker for the states of an alarm and compares them with
// what the published values make of its threshold.
func (s *session) readAlarm(ctx context.Context, api *iottwinmaker.Client, alarm *definition.Alarm, asset string) error {
	var want []report.AlarmState
	for _, d := range s.runs[asset] {
		for _, p := range d.Predictions {
			if calibration.QuantileName(p.Output, p.Quantile) != alarm.Property {
				continue
			}
			state := normal
			if alarm.Comparison.Holds(p.Value, alarm.Threshold) {
				state = active
			}
			if len(want) == 0 || want[len(want)-1].State != state {
				want = append(want, report.AlarmState{Cell: asset, Alarm: alarm.Name, Title: alarm.Title, Time: d.WindowEnd.UTC(), State: state})
			}
		}
	}
	runs := s.runs[asset]
	if len(runs) == 0 {
		return nil
	}
	var got []report.AlarmState
	pages := iottwinmaker.NewGetPropertyValueHistoryPaginator(api, &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: &s.twin.Workspace, EntityId: &asset, ComponentName: &alarm.Name,
		SelectedProperties: []string{"alarm_status"}, OrderByTime: types.OrderByTimeAscending,
		StartTime: aws.String(runs[0].WindowEnd.Add(-time.Second).UTC().Format(time.RFC3339)),
		EndTime:   aws.String(runs[len(runs)-1].WindowEnd.UTC().Format(time.RFC3339)),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("history of alarm %s of %s: %w", alarm.Name, asset, err)
		}
		for _, series := range page.PropertyValues {
			for _, v := range series.Values {
				at, err := time.Parse(time.RFC3339Nano, aws.ToString(v.Time))
				if err != nil {
					return fmt.Errorf("TwinMaker answers for alarm %s of %s with time %q: %w", alarm.Name, asset, aws.ToString(v.Time), err)
				}
				got = append(got, report.AlarmState{Cell: asset, Alarm: alarm.Name, Title: alarm.Title, Time: at.UTC(), State: aws.ToString(v.Value.StringValue)})
			}
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("alarm %s of %s: TwinMaker answers %v, the published values make it %v", alarm.Name, asset, got, want)
	}
	s.alarms = append(s.alarms, got...)
	return nil
}

// compare removes from want what TwinMaker answers for some properties.
func (s *session) compare(ctx context.Context, api *iottwinmaker.Client, asset string, properties []string, want map[published]float64) error {
	runs := s.runs[asset]
	in := &iottwinmaker.GetPropertyValueHistoryInput{
		WorkspaceId: &s.twin.Workspace, EntityId: &asset, ComponentName: &s.calibration.Spec.Name,
		SelectedProperties: properties, OrderByTime: types.OrderByTimeAscending,
		StartTime: aws.String(runs[0].WindowEnd.Add(-time.Second).UTC().Format(time.RFC3339Nano)),
		EndTime:   aws.String(runs[len(runs)-1].WindowEnd.UTC().Format(time.RFC3339Nano)),
	}
	pages := iottwinmaker.NewGetPropertyValueHistoryPaginator(api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("history of %s: %w", asset, err)
		}
		for _, series := range page.PropertyValues {
			property := aws.ToString(series.EntityPropertyReference.PropertyName)
			for _, v := range series.Values {
				at, err := time.Parse(time.RFC3339Nano, aws.ToString(v.Time))
				if err != nil {
					return fmt.Errorf("TwinMaker answers for %s %s with time %q: %w", asset, property, aws.ToString(v.Time), err)
				}
				key := published{property, at.UTC()}
				got, expected := aws.ToFloat64(v.Value.DoubleValue), want[key]
				if _, ok := want[key]; !ok || got != expected { //nolint:staticcheck // to the last bit
					return fmt.Errorf("%s %s at %s: TwinMaker answers %s, published was %s", asset, property, short(at),
						strconv.FormatFloat(got, 'g', -1, 64), strconv.FormatFloat(expected, 'g', -1, 64))
				}
				delete(want, key)
				s.readback.Values++
			}
		}
	}
	return nil
}
