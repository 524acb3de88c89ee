package states_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/livetwin/livetwin/test/awslocal/services/servicetest"
)

// makespan is when a Map of waits ends whose items are taken in order by k
// workers, each taking the next as soon as it is free: list scheduling.
func makespan(waits []int, k int) int {
	free := make([]int, k)
	for _, w := range waits {
		slices.Sort(free)
		free[0] += w
	}
	return slices.Max(free)
}

// If the clock moved while a worker hands over to another, or stood still while
// all of them wait, an execution would end at another business time than theory
// says.
func TestBusinessTimeOfAMapIsThatOfListScheduling(t *testing.T) {
	f := newFlow(t)
	require.NoError(t, f.deploy("M", `"M":{"Type":"Map","Items":"{% $states.input.waits %}","MaxConcurrency":"{% $states.input.k %}","ItemProcessor":{"StartAt":"P","States":{
		"P":{"Type":"Parallel","Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":"{% $states.input %}","End":true}}},{"StartAt":"S","States":{"S":{"Type":"Succeed"}}}],"End":true}}},"Output":"{% $count($states.result) %}","End":true}`))
	rapid.Check(t, func(rt *rapid.T) {
		type input struct {
			Waits []int `json:"waits"`
			K     int   `json:"k"`
		}
		inputs := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) input {
			return input{rapid.SliceOfN(rapid.IntRange(0, 9), 1, 8).Draw(rt, "waits"), rapid.IntRange(1, 4).Draw(rt, "k")}
		}), 1, 3).Draw(rt, "executions")
		began := f.Clock.Now()
		var arns []string
		for _, in := range inputs {
			text, err := json.Marshal(in)
			require.NoError(rt, err)
			arns = append(arns, f.start(string(text)))
		}
		f.Advance(began.Sub(servicetest.Start) + 100*time.Second)
		for i, arn := range arns {
			got := f.describe(arn)
			require.Equal(rt, "SUCCEEDED", got["status"])
			took := got["stopDate"].(float64) - got["startDate"].(float64)
			require.InDelta(rt, makespan(inputs[i].Waits, inputs[i].K), took, 1e-3, "%+v", inputs[i])
		}
	})
}
