package construct

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/livetwin/livetwin/infra/deployment"
)

// NewBucket returns a private, versioned, encrypted bucket that talks TLS only
// and whose accesses are logged below what/ in the logs bucket. The logs bucket
// admits every bucket of the deployment: NewLogsBucket.
func NewBucket(scope constructs.Construct, id string, d deployment.Deployment, what string, cors []*awss3.CorsRule) awss3.Bucket {
	props := bucketProps(d, what)
	props.Versioned = jsii.Bool(true)
	props.LifecycleRules = &[]*awss3.LifecycleRule{{
		Id:                                  s("Tidy"),
		AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
		NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(90)),
	}}
	if len(cors) > 0 {
		props.Cors = &cors
	}
	bucket := awss3.NewBucket(scope, s(id), props)
	bucket.Node().DefaultChild().(awss3.CfnBucket).SetLoggingConfiguration(&awss3.CfnBucket_LoggingConfigurationProperty{
		DestinationBucketName: s(d.Bucket(deployment.LogsBucket)),
		LogFilePrefix:         s(what + "/"),
	})
	return bucket
}

func bucketProps(d deployment.Deployment, what string) *awss3.BucketProps {
	return &awss3.BucketProps{
		BucketName:        s(d.Bucket(what)),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		RemovalPolicy:     RemovalPolicy(d),
	}
}
