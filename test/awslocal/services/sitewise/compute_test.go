package sitewise_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"
	"github.com/aws/aws-sdk-go-v2/service/iotsitewise/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTransformHasAValueAtEveryInput(t *testing.T) {
	p := newPlant(t)
	p.putEvery(t, 10*time.Second, "/cell-1/voltage", noon, 4, 3, 2) // 12:00:00, :10, :20
	assert.Empty(t, p.history(t, "/cell-1/power"), "no current yet")
	p.putEvery(t, 10*time.Second, "/cell-1/current", noon.Add(5*time.Second), 2, 5) // :05, :15
	want := []sample{{"12:00:05", 8}, {"12:00:10", 6}, {"12:00:15", 15}, {"12:00:20", 10}}
	assert.Equal(t, want, p.history(t, "/cell-1/power"), "each from the latest values at or before its time")

	p.put(t, "/cell-1/voltage", noon.Add(12*time.Second), 10) // late
	want = []sample{{"12:00:05", 8}, {"12:00:10", 6}, {"12:00:12", 20}, {"12:00:15", 50}, {"12:00:20", 10}}
	assert.Equal(t, want, p.history(t, "/cell-1/power"), "a late value changes what follows it, up to the next one")

	out, err := p.client.GetAssetPropertyValue(t.Context(), &iotsitewise.GetAssetPropertyValueInput{PropertyAlias: aws.String("/cell-1/power")})
	require.NoError(t, err)
	assert.InDelta(t, 10, *out.PropertyValue.Value.DoubleValue, 0)
}

func TestOnlyUsableValuesAreComputedWith(t *testing.T) {
	p := newPlant(t)
	p.put(t, "/cell-1/current", noon, 2)
	require.Empty(t, p.batch(t, entry("e", "/cell-1/voltage",
		value(noon.Add(1*time.Second), double(3), types.QualityGood),
		value(noon.Add(2*time.Second), double(4), types.QualityBad),
		value(noon.Add(3*time.Second), double(5), types.QualityUncertain),
		value(noon.Add(4*time.Second), types.Variant{NullValue: &types.PropertyValueNullValue{ValueType: "D"}}, types.QualityBad),
	)))
	assert.Equal(t, []sample{{"12:00:01", 6}}, p.history(t, "/cell-1/power"))
}

// Windows are (start, end], their value is placed at the end (API reference of
// TumblingWindow).
func TestMetricWaitsForTheEndOfItsWindow(t *testing.T) {
	p := newPlant(t)
	at := noon.Add(time.Minute)
	p.put(t, "/cell-1/current", at, 1)
	p.putEvery(t, time.Minute, "/cell-1/voltage", at, 4, 8) // mean power 6 W, 1.5 W h in 15 minutes
	p.put(t, "/cell-1/voltage", noon.Add(15*time.Minute-5*time.Minute), 6)
	p.clock.set(noon.Add(15*time.Minute - 1))
	assert.Empty(t, p.history(t, "/cell-1/energy"))
	p.clock.set(noon.Add(15 * time.Minute))
	assert.Equal(t, []sample{{"12:15:00", 1.5}}, p.history(t, "/cell-1/energy"))

	p.put(t, "/cell-1/voltage", noon.Add(15*time.Minute), 18) // the end belongs to the window: mean 9
	assert.Equal(t, []sample{{"12:15:00", 2.25}}, p.history(t, "/cell-1/energy"), "late data computes its window again")
	p.put(t, "/cell-1/voltage", noon.Add(15*time.Minute+time.Second), 100)
	assert.Equal(t, []sample{{"12:15:00", 2.25}}, p.history(t, "/cell-1/energy"), "the start does not")
	p.clock.set(noon.Add(30 * time.Minute))
	assert.Equal(t, []sample{{"12:15:00", 2.25}, {"12:30:00", 25}}, p.history(t, "/cell-1/energy"))
}

func TestMetricOfChildren(t *testing.T) {
	p := newPlant(t)
	for i, cell := range []string{"cell-1", "cell-2"} {
		p.put(t, "/"+cell+"/current", noon.Add(time.Minute), 1)
		p.put(t, "/"+cell+"/voltage", noon.Add(time.Minute), float64(4+4*i)) // 1 and 2 W h
	}
	p.put(t, "/cell-1/voltage", noon.Add(20*time.Minute-10*time.Minute), 4)
	p.clock.set(noon.Add(time.Hour))
	assert.Equal(t, []sample{{"13:00:00", 3}}, p.history(t, "/rack-1/total"))
	p.put(t, "/cell-2/voltage", noon.Add(50*time.Minute), 20) // another window, 5 W h
	assert.Equal(t, []sample{{"13:00:00", 8}}, p.history(t, "/rack-1/total"), "what changes below changes above")
}

// latest computes a data point for every interval once there is data (user
// guide, temporal functions).
func TestLatestGoesOnWithoutData(t *testing.T) {
	p := newPlant(t)
	put := func(at time.Time, mode string) {
		require.Empty(t, p.batch(t, entry("e", "/cell-1/mode", value(at, types.Variant{StringValue: &mode}, ""))))
	}
	modes := func() []string {
		out, err := p.client.GetAssetPropertyValueHistory(t.Context(), &iotsitewise.GetAssetPropertyValueHistoryInput{PropertyAlias: aws.String("/cell-1/last_mode")})
		require.NoError(t, err)
		var all []string
		for _, v := range out.AssetPropertyValueHistory {
			all = append(all, time.Unix(*v.Timestamp.TimeInSeconds, 0).UTC().Format("15:04 ")+*v.Value.StringValue)
		}
		return all
	}
	put(noon.Add(time.Minute), "charge")
	p.clock.set(noon.Add(3 * time.Hour))
	assert.Equal(t, []string{"13:00 charge", "14:00 charge", "15:00 charge"}, modes())
	put(noon.Add(90*time.Minute), "rest")
	assert.Equal(t, []string{"13:00 charge", "14:00 rest", "15:00 rest"}, modes(), "a late value holds until the next one")
	p.clock.set(noon.Add(4 * time.Hour))
	assert.Equal(t, []string{"13:00 charge", "14:00 rest", "15:00 rest", "16:00 rest"}, modes())
}

// What is computed is a function of what is stored: neither the order of
// arrival, nor reads in between, nor batches show in it.
func TestOrderOfArrivalDoesNotShow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type arrival struct {
			alias string
			at    time.Duration
			v     float64
		}
		var all []arrival
		for alias, n := range map[string]int{"/cell-1/voltage": 12, "/cell-1/current": 6, "/cell-2/voltage": 5, "/cell-2/current": 5} {
			for range n {
				all = append(all, arrival{alias, time.Duration(rapid.IntRange(1, 3600).Draw(rt, "second")) * time.Second, float64(rapid.IntRange(-4, 4).Draw(rt, "value"))})
			}
		}
		slices.SortFunc(all, func(a, b arrival) int { // one value per instant, whatever the order
			if a.alias != b.alias {
				return map[bool]int{true: -1, false: 1}[a.alias < b.alias]
			}
			return int(a.at - b.at)
		})
		all = slices.CompactFunc(all, func(a, b arrival) bool { return a.alias == b.alias && a.at == b.at })
		run := func(seed uint64, peek bool) map[string][]sample {
			p := newPlant(t)
			p.clock.set(noon.Add(time.Hour))
			order := slices.Clone(all)
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for i, a := range order {
				p.put(t, a.alias, noon.Add(a.at), a.v)
				if peek && i%5 == 0 {
					p.history(t, "/rack-1/total")
				}
			}
			out := map[string][]sample{}
			for _, alias := range []string{"/cell-1/power", "/cell-1/energy", "/cell-2/power", "/rack-1/total"} {
				out[alias] = p.history(t, alias)
			}
			return out
		}
		assert.Equal(t, run(1, false), run(rapid.Uint64().Draw(rt, "seed"), true))
	})
}
