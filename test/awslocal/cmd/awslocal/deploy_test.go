package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livetwin/livetwin/test/awslocal/awslocaltest"
)

func TestDeployment(t *testing.T) {
	e := awslocaltest.Start(t, app(t, nil))

	t.Run("it says what was deployed and what does nothing", func(t *testing.T) {
		assert.Regexp(t, `(?m)^base +\d+ +\d+ ms$`, e.Output())
		assert.Regexp(t, `(?m)^AWS::CloudWatch::Alarm +1 +nothing evaluates`, e.Output())
		assert.Regexp(t, `(?m)^LifecycleConfiguration of AWS::S3::Bucket +1 +`, e.Output())
		assert.Contains(t, e.Output(), "export AWS_SECRET_ACCESS_KEY="+e.SecretAccessKey)
		assert.Equal(t, "123456789012", e.Account)
		assert.Equal(t, "eu-west-1", e.Region)
		info, err := os.Stat(filepath.Join(e.State, "ready.json"))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds a secret")
	})

	t.Run("values flow from stack to stack and resource to resource", func(t *testing.T) {
		parameters := ssm.NewFromConfig(e.Config())
		out, err := parameters.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/app"), Recursive: aws.Bool(true)})
		require.NoError(t, err)
		require.Len(t, out.Parameters, 2)
		assert.Equal(t, "green", *out.Parameters[0].Value, "an attribute of a custom resource")
		assert.Equal(t, "thing-1: string, ${literal}", *out.Parameters[1].Value, "CloudFormation hands numbers over as text")
		flat, err := parameters.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/app")})
		require.NoError(t, err)
		assert.Len(t, flat.Parameters, 1)
		some, err := parameters.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/app/colour"}})
		require.NoError(t, err)
		assert.Len(t, some.Parameters, 1)
		some, err = parameters.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/app/colour", "/app/nothing"}})
		require.NoError(t, err)
		assert.Len(t, some.Parameters, 1)
		assert.Equal(t, []string{"/app/nothing"}, some.InvalidParameters)
		_, err = parameters.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/app/nothing")})
		assert.Equal(t, "ParameterNotFound", code(t, err))
	})

	t.Run("a condition that does not hold makes nothing", func(t *testing.T) {
		out, err := s3.NewFromConfig(e.Config()).ListBuckets(t.Context(), nil)
		require.NoError(t, err)
		var names []string
		for _, b := range out.Buckets {
			names = append(names, *b.Name)
		}
		assert.ElementsMatch(t, []string{data, "cdk-hnb659fds-assets-123456789012-eu-west-1"}, names)
	})

	t.Run("the table", func(t *testing.T) {
		tables := dynamodb.NewFromConfig(e.Config())
		item := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "a"}, "sk": &types.AttributeValueMemberS{Value: "1"}}
		put := &dynamodb.PutItemInput{TableName: aws.String("runs"), Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)")}
		_, err := tables.PutItem(t.Context(), put)
		require.NoError(t, err)
		_, err = tables.PutItem(t.Context(), put)
		assert.Equal(t, "ConditionalCheckFailedException", code(t, err))
		got, err := tables.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("runs"), Key: item})
		require.NoError(t, err)
		assert.Equal(t, item, got.Item)

		role := dynamodb.NewFromConfig(reader(t, e))
		_, err = role.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("runs"), Key: item})
		require.NoError(t, err)
		_, err = role.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String("runs"), KeyConditionExpression: aws.String("pk = :p"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":p": item["pk"]},
		})
		require.Equal(t, "AccessDeniedException", code(t, err))
		require.ErrorContains(t, err, "dynamodb:Query on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/runs")
		_, err = role.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
			{Put: &types.Put{TableName: aws.String("runs"), Item: item}},
		}})
		require.Equal(t, "AccessDeniedException", code(t, err))
		require.ErrorContains(t, err, "dynamodb:PutItem", "a transaction needs the right to each of its writes")
	})

	t.Run("roles are played by whom they trust", func(t *testing.T) {
		_, err := sts.NewFromConfig(e.Config()).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::123456789012:role/reader"), RoleSessionName: aws.String("test"), ExternalId: aws.String("wrong"),
		})
		require.Equal(t, "AccessDenied", code(t, err))
		_, err = sts.NewFromConfig(reader(t, e)).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::123456789012:role/reader"), RoleSessionName: aws.String("test"), ExternalId: aws.String("sesame"),
		})
		require.Equal(t, "AccessDenied", code(t, err))
		who, err := sts.NewFromConfig(e.Config()).GetCallerIdentity(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, "arn:aws:iam::123456789012:user/operator", *who.Arn)
	})
}

// What is wrong with an assembly stops the start, with the reason and its place.
func TestRefusedDeployments(t *testing.T) {
	properties := func(resources object, id string) object { return resources[id].(object)["Properties"].(object) }
	for name, c := range map[string]struct {
		edit func(resources object)
		want []string
	}{
		"unknown type": {func(r object) {
			r["Cluster"] = object{"Type": "AWS::ECS::Cluster"}
			r["Camera"] = object{"Type": "AWS::Rekognition::StreamProcessor"}
		}, []string{"stack app: resource Cluster has the type AWS::ECS::Cluster", "Camera has the type AWS::Rekognition::StreamProcessor"}},
		"custom resource fails": {
			func(r object) { properties(r, "Thing")["Do"] = "coffee" },
			[]string{"app/Thing (Custom::Thing)", "the custom resource failed: no coffee today"},
		},
		"custom resource panics": {
			func(r object) { properties(r, "Thing")["Do"] = "panic" },
			[]string{"app/Thing (Custom::Thing)", "the custom resource failed: Function panicked"},
		},
		"unknown property": {
			func(r object) { properties(r, "Function")["Memory"] = 512 },
			[]string{"app/Function (AWS::Lambda::Function)", `"Memory"`},
		},
		"unknown attribute": {
			func(r object) { properties(r, "Colour")["Value"] = object{"Fn::GetAtt": []string{"Thing", "Shape"}} },
			[]string{"app/Colour (AWS::SSM::Parameter)", "Value: Fn::GetAtt", "Thing (Custom::Thing) has no attribute Shape"},
		},
		"unknown reference": {
			func(r object) { properties(r, "Colour")["Value"] = object{"Ref": "Nobody"} },
			[]string{"app/Colour", "neither a parameter nor a resource Nobody"},
		},
		"unknown export": {
			func(r object) { properties(r, "Colour")["Value"] = object{"Fn::ImportValue": "base:Nothing"} },
			[]string{"app/Colour", "no stack deployed so far exports base:Nothing"},
		},
		"circle": {func(r object) {
			properties(r, "Colour")["Description"] = object{"Ref": "Number"}
			properties(r, "Number")["Description"] = object{"Ref": "Colour"}
		}, []string{"circular dependency between resources: Colour, Number"}},
		"condition operator": {func(r object) {
			document := properties(r, "RolePolicy")["PolicyDocument"].(object)
			document["Statement"].([]any)[0].(object)["Condition"] = object{"StringFits": object{"aws:PrincipalArn": "x"}}
		}, []string{"app/RolePolicy", `condition operator "StringFits"`}},
		"foreign runtime": {
			func(r object) { properties(r, "Function")["Runtime"] = "python3.13" },
			[]string{"app/Function", `the runtime "python3.13"`},
		},
		"untrusted service": {func(r object) {
			document := properties(r, "Role")["AssumeRolePolicyDocument"].(object)
			document["Statement"] = document["Statement"].([]any)[1:]
		}, []string{"cannot be assumed by Lambda"}},
		"reserved variable": {
			func(r object) {
				properties(r, "Function")["Environment"] = object{"Variables": object{"AWS_REGION": "mars-1"}}
			},
			[]string{"app/Function", "AWS_REGION is reserved"},
		},
		"managed policy": {
			func(r object) {
				properties(r, "Role")["ManagedPolicyArns"] = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
			},
			[]string{"app/Role", "arn:aws:iam::aws:policy/AdministratorAccess is neither deployed nor"},
		},
		"other architecture": {
			func(r object) { properties(r, "Function")["Architectures"] = []string{"arm64"} },
			[]string{"app/Function", "is built for x86-64, but the function's architecture is arm64"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := awslocaltest.Begin(t, app(t, c.edit), t.TempDir())
			assert.Equal(t, 1, e.Wait(t))
			for _, want := range c.want {
				assert.Contains(t, e.Output(), want)
			}
			assert.NoFileExists(t, filepath.Join(e.State, "ready.json"))
		})
	}

	t.Run("code for another machine", func(t *testing.T) {
		dir := app(t, func(r object) {
			for _, id := range []string{"Function", "Custom"} {
				properties(r, id)["Architectures"] = []string{"arm64"}
			}
		})
		program := filepath.Join(dir, "asset.f00", "bootstrap")
		code, err := os.ReadFile(program)
		require.NoError(t, err)
		code[18], code[19] = 0xb7, 0 // e_machine of the ELF header: EM_AARCH64
		require.NoError(t, os.WriteFile(program, code, 0o755))
		e := awslocaltest.Begin(t, dir, t.TempDir())
		assert.Equal(t, 1, e.Wait(t))
		assert.Contains(t, e.Output(), "is built for arm64, this machine is x86-64")
	})

	t.Run("no assembly", func(t *testing.T) {
		e := awslocaltest.Begin(t, t.TempDir(), t.TempDir())
		assert.Equal(t, 1, e.Wait(t))
		assert.Contains(t, e.Output(), "has no manifest.json: expected the output folder of cdk synth")
	})
}

// A second start over the same state finds what the first one left.
func TestASecondStart(t *testing.T) {
	state := t.TempDir()
	dir := app(t, nil)
	first := awslocaltest.Begin(t, dir, state)
	first.WaitReady(t)
	put(t, s3.NewFromConfig(first.Config()), "open/a", "still here")
	item := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "a"}, "sk": &types.AttributeValueMemberS{Value: "1"}}
	_, err := dynamodb.NewFromConfig(first.Config()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("runs"), Item: item})
	require.NoError(t, err)

	other := awslocaltest.Begin(t, dir, state)
	assert.Equal(t, 1, other.Wait(t))
	assert.Contains(t, other.Output(), "another awslocal runs over the state folder")

	first.Stop(t)
	second := awslocaltest.Begin(t, app(t, func(r object) {
		r["Custom"].(object)["Properties"].(object)["Timeout"] = 5
	}), state)
	second.WaitReady(t)
	text, err := get(t, s3.NewFromConfig(second.Config()), data, "open/a")
	require.NoError(t, err)
	assert.Equal(t, "still here", text)
	got, err := dynamodb.NewFromConfig(second.Config()).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("runs"), Key: item})
	require.NoError(t, err)
	assert.Equal(t, item, got.Item)
	log, err := os.ReadFile(filepath.Join(state, "logs", "custom.log"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(log), "START"), "an unchanged custom resource is left alone")
	second.Stop(t)

	third := awslocaltest.Begin(t, app(t, func(r object) {
		r["Thing"].(object)["Properties"].(object)["Number"] = 8
	}), state)
	third.WaitReady(t)
	third.Stop(t)
	log, err = os.ReadFile(filepath.Join(state, "custom-resources.json"))
	require.NoError(t, err)
	assert.Contains(t, string(log), `"Request":"Update"`)
}
