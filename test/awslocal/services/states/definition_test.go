package states_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefinitionsThatAreRefused(t *testing.T) {
	f := newFlow(t)
	const end = `,"End":true}`
	for _, c := range []struct{ states, want string }{
		{`"A":{"Type":"Pass","QueryLanguage":"JSONPath"` + end, "state A: its QueryLanguage is JSONPath"},
		{`"A":{"Type":"Pass","Result":1` + end, "state A: Result is of JSONPath; a Pass state in JSONata has Output"},
		{`"A":{"Type":"Task","Resource":"${F}","Parameters":{}` + end, "Parameters is of JSONPath"},
		{`"A":{"Type":"Pass","Colour":1` + end, "field Colour is not supported"},
		{`"A":{"Type":"Jump"` + end, `Type is "Jump"`},
		{`"A":{"Type":"Pass"}`, "needs either Next or"},
		{`"A":{"Type":"Pass","Next":"B"}`, `next state "B" does not exist`},
		{`"A":{"Type":"Pass","Next":"A"}`, "no state in which its flow ends"},
		{`"A":{"Type":"Pass"` + end + `,"B":{"Type":"Succeed"}`, "state B: no state leads to it"},
		{`"A":{"Type":"Pass","Output":"{% 1 + %}"` + end, "state A: Output: the JSONata expression"},
		{`"A":{"Type":"Pass","Output":{"a":["{% 1"]}` + end, "Output/a[0]"},
		{`"A":{"Type":"Pass","Assign":{"states":1}` + end, `"states" is not a name for a variable`},
		{`"A":{"Type":"Pass","Assign":[1]` + end, "Assign must be an object"},
		{`"A":{"Type":"Wait"` + end, "either Seconds or Timestamp"},
		{`"A":{"Type":"Choice","Choices":[]}`, "at least one rule"},
		{`"A":{"Type":"Choice","Choices":[{"Variable":"$.a","Next":"A"}]}`, "choice 0: field Variable"},
		{`"A":{"Type":"Task","Resource":"x"` + end, `Resource "x" is not an ARN`},
		{`"A":{"Type":"Task","Resource":"arn:aws:states:::glue:startJobRun.sync"` + end, "glue:startJobRun is not implemented"},
		{`"A":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.waitForTaskToken"` + end, "no pattern"},
		{`"A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sqs:sendMessages"` + end, "no operation SendMessages"},
		{`"A":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob","Arguments":{"jobName":"x","Colour":1}` + end, `"Colour" is not supported by Step Functions`},
		{`"A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:0:activity:a"` + end, "activity:a"},
		{`"A":{"Type":"Task","Resource":"${F}","Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["X"]}]` + end, "States.ALL must stand alone, and last"},
		{`"A":{"Type":"Task","Resource":"${F}","Retry":[{"ErrorEquals":["X"],"BackoffRate":0.5}]` + end, "BackoffRate ≥ 1"},
		{`"A":{"Type":"Task","Resource":"${F}","Retry":[{"ErrorEquals":["X"],"Attempts":1}]` + end, "Attempts"},
		{`"A":{"Type":"Task","Resource":"${F}","Catch":[{"ErrorEquals":["X"],"ResultPath":"$","Next":"A"}]` + end, "field ResultPath"},
		{`"A":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}` + end, "INLINE maps only"},
		{`"A":{"Type":"Map","ItemReader":{},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}` + end, "field ItemReader"},
		{`"A":{"Type":"Map","ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}` + end, "two states of this name"},
		{`"A":{"Type":"Pass","Assign":{"v":1},"Next":"M"},"M":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"v":2},"End":true}}}` + end, `variable "v" exists outside`},
	} {
		require.ErrorContains(t, f.deploy("A", c.states), c.want, c.states)
	}
	require.ErrorContains(t, f.deployDefinition(`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`), "JSONPath, the default")
	require.ErrorContains(t, f.deployDefinition(`{"QueryLanguage":"JSONata","StartAt":"B","States":{"A":{"Type":"Succeed"}}}`), `StartAt is "B"`)
	require.ErrorContains(t, f.deployDefinition(`[]`), "not a JSON object")

	err := f.deploy("A", `"A":{"Type":"Pass","Colour":1,"Next":"B"},"B":{"Type":"Pass","Result":1,"End":true}`)
	require.ErrorContains(t, err, "Colour")
	require.ErrorContains(t, err, "Result", "all errors at once")

	_, err = f.Deploy(f.s, "AWS::StepFunctions::StateMachine", `{"RoleArn":"arn:aws:iam::0:role/untrusted","DefinitionString":"{\"QueryLanguage\":\"JSONata\",\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}"}`)
	require.ErrorContains(t, err, "AssumeRole")
	_, err = f.Deploy(f.s, "AWS::StepFunctions::StateMachine", `{"RoleArn":"r","StateMachineType":"EXPRESS","DefinitionString":"{}"}`)
	require.ErrorContains(t, err, "STANDARD workflows only")
}
