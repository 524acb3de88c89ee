package construct

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/deployment"
)

// NewLogsBucket returns the bucket that S3 writes the access logs of the
// deployment's buckets to, and keeps them as long as logs are kept.
func NewLogsBucket(scope constructs.Construct, id string, d deployment.Deployment) awss3.Bucket {
	props := bucketProps(d, deployment.LogsBucket)
	props.LifecycleRules = &[]*awss3.LifecycleRule{{
		Id:                                  s("Expire"),
		AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
		Expiration:                          awscdk.Duration_Days(jsii.Number(d.Stage.LogRetentionDays)),
	}}
	bucket := awss3.NewBucket(scope, s(id), props)
	bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        s("AccessLogs"),
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(s("logging.s3.amazonaws.com"), nil)},
		Actions:    jsii.Strings("s3:PutObject"),
		Resources:  jsii.Strings(d.BucketARN(deployment.LogsBucket, "*")),
		Conditions: &map[string]any{
			"ArnLike":      map[string]any{"aws:SourceArn": []string{d.BucketARN(deployment.CalibrationsBucket), d.BucketARN(deployment.WorkspaceBucket)}},
			"StringEquals": map[string]any{"aws:SourceAccount": d.Stage.Account},
		},
	}))
	Suppress(bucket, Suppression{Rule: "AwsSolutions-S1", Reason: "This is where access logs go; logging its own accesses would feed itself."})
	return bucket
}
