package stacks

import (
	"fmt"
	"path"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiottwinmaker"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"

	"github.com/livetwin/livetwin/infra/construct"
	"github.com/livetwin/livetwin/infra/deployment"
)

// scenesFolder is where scenes and their files are in the workspace's bucket.
const scenesFolder = "scenes/"

// contentTypes are the media types of scene files, by extension.
var contentTypes = map[string]string{
	".json": "application/json",
	".glb":  "model/gltf-binary",
}

// addScenes puts scenes and their 3D files into the workspace's bucket, by the
// function that copies them from the deployment's assets, and then registers
// the scenes.
func (t *twinStack) addScenes() error {
	if len(t.Twin.Scenes) == 0 {
		return nil
	}
	var files []any
	var objects []string
	known := map[string]bool{}
	add := func(name string, data []byte) error {
		if known[name] {
			return nil
		}
		known[name] = true
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("scene file %s: unknown extension; expected .json or .glb", name)
		}
		file, err := writeFile(t.Deployment, scenesFolder+name, data)
		if err != nil {
			return err
		}
		asset := awss3assets.NewAsset(t.stack, s(twinID("File", name)), &awss3assets.AssetProps{Path: s(file)})
		files = append(files, map[string]any{
			"Key":          scenesFolder + name,
			"ContentType":  contentType,
			"SourceBucket": asset.S3BucketName(),
			"SourceKey":    asset.S3ObjectKey(),
		})
		objects = append(objects, *asset.Bucket().ArnForObjects(asset.S3ObjectKey()))
		return nil
	}
	uri := func(file string) string {
		return "s3://" + t.Bucket(deployment.WorkspaceBucket) + "/" + scenesFolder + file
	}
	for _, scene := range t.Twin.Scenes {
		document, err := scene.Document(uri)
		if err != nil {
			return fmt.Errorf("scene %s: %w", scene.ID, err)
		}
		for _, f := range scene.Files {
			if err := add(f.Name, f.Data); err != nil {
				return fmt.Errorf("scene %s: %w", scene.ID, err)
			}
		}
		if err := add(scene.ID+".json", document); err != nil {
			return fmt.Errorf("scene %s: %w", scene.ID, err)
		}
	}
	copied := t.newWorkspaceFiles(files, objects)
	for _, scene := range t.Twin.Scenes {
		resource := awsiottwinmaker.NewCfnScene(t.stack, s(twinID("Scene", scene.ID)), &awsiottwinmaker.CfnSceneProps{
			WorkspaceId:     t.workspace.Ref(),
			SceneId:         s(scene.ID),
			Description:     s(scene.Title),
			ContentLocation: s(uri(scene.ID + ".json")),
		})
		resource.Node().AddDependency(t.workspace, copied)
		for _, e := range t.Twin.Entities {
			resource.Node().AddDependency(t.entities[e.ID]) // tags are bound to entities
		}
	}
	return nil
}

// newWorkspaceFiles copies files into the workspace's bucket.
func (t *twinStack) newWorkspaceFiles(files []any, objects []string) awscdk.CustomResource {
	bucket := *t.bucket.BucketArn()
	fn := construct.NewFunction(t.stack, "CompleteDeployment", construct.FunctionProps{
		Deployment:  t.Deployment,
		Folder:      "complete-deployment",
		Suffix:      "-twin",
		Description: "Copies scenes and their files into the workspace's bucket",
		Timeout:     300,
		Memory:      256,
		Policy: []awsiam.PolicyStatement{
			construct.Allow([]string{"s3:GetObject"}, objects),
			construct.Allow([]string{"s3:PutObject", "s3:DeleteObject"}, []string{bucket + "/" + scenesFolder + "*"}),
		},
	})
	construct.Suppress(fn.Role, construct.Wildcards("Files that leave the twin are deleted: their keys are those of an earlier deployment.",
		fmt.Sprintf("<%s.Arn>/%s*", *t.stack.GetLogicalId(t.bucket.Node().DefaultChild().(awss3.CfnBucket)), scenesFolder)))
	copied := awscdk.NewCustomResource(t.stack, s("CopiedFiles"), &awscdk.CustomResourceProps{
		ResourceType: s("Custom::WorkspaceFiles"),
		ServiceToken: fn.Lambda.FunctionArn(),
		Properties:   &map[string]any{"Bucket": t.bucket.BucketName(), "Files": files},
	})
	copied.Node().AddDependency(fn.Role, t.bucket)
	return copied
}
