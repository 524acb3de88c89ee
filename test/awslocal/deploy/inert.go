package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/template"
)

// An idle type is accepted and does nothing locally.
type idle struct {
	reason string
	// prefix of the made-up id that Ref answers, such as vpc-; empty: the name
	// CloudFormation would make up.
	prefix string
	// name is the property that holds the resource's name, when it may have one.
	name string
	// arn is the service and the resource's part before the id, such as
	// logs:log-group: ; empty: no ARN.
	arn string
	// arnSuffix follows the id in the attribute Arn.
	arnSuffix string
	// ids are further attributes that hold an id of their own, with its prefix;
	// one equal to the Ref has the prefix "=".
	ids map[string]string
}

const (
	network = "functions and jobs use this machine's network"
	watch   = "nothing evaluates CloudWatch metrics here"
	logs    = "logs are files in the state folder"
	keys    = "data at rest is not encrypted here"
)

// inert are the types that do nothing locally.
var inert = map[string]idle{
	"AWS::EC2::VPC":                         {reason: network, prefix: "vpc-", ids: map[string]string{"VpcId": "=", "CidrBlock": "10.0.0.0/16", "DefaultSecurityGroup": "sg-", "DefaultNetworkAcl": "acl-"}},
	"AWS::EC2::Subnet":                      {reason: network, prefix: "subnet-", ids: map[string]string{"SubnetId": "=", "AvailabilityZone": "zone-"}},
	"AWS::EC2::RouteTable":                  {reason: network, prefix: "rtb-", ids: map[string]string{"RouteTableId": "="}},
	"AWS::EC2::SubnetRouteTableAssociation": {reason: network, prefix: "rtbassoc-", ids: map[string]string{"Id": "="}},
	"AWS::EC2::Route":                       {reason: network, prefix: "r-"},
	"AWS::EC2::InternetGateway":             {reason: network, prefix: "igw-", ids: map[string]string{"InternetGatewayId": "="}},
	"AWS::EC2::VPCGatewayAttachment":        {reason: network, prefix: "igw-attach-"},
	"AWS::EC2::SecurityGroup":               {reason: network, prefix: "sg-", ids: map[string]string{"GroupId": "=", "Id": "=", "VpcId": "vpc-"}},
	"AWS::EC2::SecurityGroupIngress":        {reason: network, prefix: "sgr-"},
	"AWS::EC2::SecurityGroupEgress":         {reason: network, prefix: "sgr-"},
	"AWS::EC2::VPCEndpoint":                 {reason: network, prefix: "vpce-", ids: map[string]string{"Id": "="}},
	"AWS::EC2::FlowLog":                     {reason: network, prefix: "fl-", ids: map[string]string{"Id": "="}},
	"AWS::EC2::NetworkAcl":                  {reason: network, prefix: "acl-", ids: map[string]string{"Id": "="}},
	"AWS::EC2::PrefixList":                  {reason: network, prefix: "pl-", ids: map[string]string{"PrefixListId": "="}},
	"AWS::CloudWatch::Alarm":                {reason: watch, name: "AlarmName", arn: "cloudwatch:alarm:"},
	"AWS::CloudWatch::CompositeAlarm":       {reason: watch, name: "AlarmName", arn: "cloudwatch:alarm:"},
	"AWS::CloudWatch::Dashboard":            {reason: watch, name: "DashboardName"},
	"AWS::Logs::LogGroup":                   {reason: logs, name: "LogGroupName", arn: "logs:log-group:", arnSuffix: ":*"},
	"AWS::Logs::LogStream":                  {reason: logs, name: "LogStreamName"},
	"AWS::Logs::MetricFilter":               {reason: watch, name: "FilterName"},
	"AWS::Logs::ResourcePolicy":             {reason: logs, name: "PolicyName"},
	"AWS::KMS::Key":                         {reason: keys, prefix: "key-", arn: "kms:key/", ids: map[string]string{"KeyId": "="}},
	"AWS::KMS::Alias":                       {reason: keys, name: "AliasName"},
	"AWS::CDK::Metadata":                    {reason: "it only tells AWS which constructs were used"},
	"AWS::CloudFormation::WaitConditionHandle": {
		reason: "nothing waits for it: a stack is deployed in one go",
	},
}

// Inert returns the types that do nothing locally, sorted, with the reason of
// each.
func Inert() (types []string, reason func(string) string) {
	return slices.Sorted(maps.Keys(inert)), func(t string) string { return inert[t].reason }
}

// create answers Ref and Fn::GetAtt with ids that are the same in every run.
func (k idle) create(identity kernel.Identity) create {
	return func(_ context.Context, r *kernel.Resource) (kernel.Physical, error) {
		id := func(prefix string) string {
			sum := sha256.Sum256([]byte(identity.Account + identity.Region + r.Stack + "/" + r.LogicalID + prefix))
			return prefix + hex.EncodeToString(sum[:])[:17]
		}
		p := kernel.Physical{Attributes: map[string]any{}}
		if k.prefix != "" {
			p.Ref = id(k.prefix)
		} else {
			var properties map[string]any
			if err := r.Decode(&properties); err != nil {
				return p, template.Errorf(r, "properties: %w", err)
			}
			given, _ := properties[k.name].(string)
			p.Ref = template.Name(r, given, 255)
		}
		if k.arn != "" {
			service, part, _ := strings.Cut(k.arn, ":")
			p.Attributes["Arn"] = identity.ARN(service, part+p.Ref) + k.arnSuffix
		}
		for name, prefix := range k.ids {
			switch {
			case prefix == "=":
				p.Attributes[name] = p.Ref
			case prefix == "zone-":
				p.Attributes[name] = identity.Region + "a"
			case strings.Contains(prefix, "."):
				p.Attributes[name] = prefix
			default:
				p.Attributes[name] = id(prefix)
			}
		}
		return p, nil
	}
}
