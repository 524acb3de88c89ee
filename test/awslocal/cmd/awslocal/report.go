package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/livetwin/livetwin/test/awslocal/deploy"
	"github.com/livetwin/livetwin/test/awslocal/services/s3"
)

// deploy publishes the assets, creates the stacks and says what became of them.
func (e *endpoint) deploy(ctx context.Context, out io.Writer) error {
	if err := e.deployer.Check(e.assembly); err != nil {
		return err
	}
	if err := e.assembly.Publish(ctx, e.s3); err != nil {
		return err
	}
	stacks, err := e.deployer.Deploy(ctx, e.assembly)
	if err != nil {
		return err
	}
	return e.print(out, stacks)
}

func (e *endpoint) print(out io.Writer, stacks []deploy.Stack) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nStack\tResources\tDeployed in\n")
	idle := map[string]int{}
	for _, s := range stacks {
		fmt.Fprintf(w, "%s\t%d\t%d ms\n", s.Name, len(s.Resources), s.Took.Milliseconds())
		for name, n := range s.Inert {
			idle[name] += n
		}
	}
	fmt.Fprintf(w, "\nDoes nothing locally\tCount\tBecause\n")
	types, reason := deploy.Inert()
	for _, name := range types {
		if idle[name] > 0 {
			fmt.Fprintf(w, "%s\t%d\t%s\n", name, idle[name], reason(name))
		}
	}
	for _, property := range slices.Sorted(maps.Keys(s3.Idle)) {
		if n := e.bucketsWith(property); n > 0 {
			fmt.Fprintf(w, "%s of AWS::S3::Bucket\t%d\t%s\n", property, n, s3.Idle[property])
		}
	}
	fmt.Fprintf(w, "\nThe operator's environment:\n")
	for _, variable := range e.environment() {
		fmt.Fprintf(w, "  export %s\n", variable)
	}
	return w.Flush()
}

// environment is what a program of the operator needs to call the endpoint.
func (e *endpoint) environment() []string {
	c := e.authority.OperatorCredential()
	return strings.Split(fmt.Sprintf("AWS_ENDPOINT_URL=%[1]s HTTP_PROXY=%[1]s AWS_REGION=%[2]s AWS_ACCESS_KEY_ID=%[3]s AWS_SECRET_ACCESS_KEY=%[4]s",
		e.identity.Endpoint, e.identity.Region, c.AccessKeyID, c.SecretAccessKey), " ")
}

// bucketsWith counts the buckets of the assembly that have a property.
func (e *endpoint) bucketsWith(property string) int {
	n := 0
	for _, s := range e.assembly.Stacks {
		for _, r := range s.Template.Resources {
			if _, ok := r.Properties[property]; ok && r.Type == "AWS::S3::Bucket" {
				n++
			}
		}
	}
	return n
}
