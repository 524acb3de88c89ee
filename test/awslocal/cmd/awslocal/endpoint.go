package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/livetwin/livetwin/test/awslocal/apimodel"
	"github.com/livetwin/livetwin/test/awslocal/assembly"
	"github.com/livetwin/livetwin/test/awslocal/clock"
	"github.com/livetwin/livetwin/test/awslocal/deploy"
	"github.com/livetwin/livetwin/test/awslocal/gateway"
	"github.com/livetwin/livetwin/test/awslocal/iam"
	"github.com/livetwin/livetwin/test/awslocal/kernel"
	"github.com/livetwin/livetwin/test/awslocal/services/batch"
	"github.com/livetwin/livetwin/test/awslocal/services/cloudformation"
	"github.com/livetwin/livetwin/test/awslocal/services/dynamodb"
	"github.com/livetwin/livetwin/test/awslocal/services/events"
	"github.com/livetwin/livetwin/test/awslocal/services/lambda"
	"github.com/livetwin/livetwin/test/awslocal/services/s3"
	"github.com/livetwin/livetwin/test/awslocal/services/scheduler"
	"github.com/livetwin/livetwin/test/awslocal/services/sitewise"
	"github.com/livetwin/livetwin/test/awslocal/services/sns"
	"github.com/livetwin/livetwin/test/awslocal/services/sqs"
	"github.com/livetwin/livetwin/test/awslocal/services/ssm"
	"github.com/livetwin/livetwin/test/awslocal/services/states"
	"github.com/livetwin/livetwin/test/awslocal/services/sts"
	"github.com/livetwin/livetwin/test/awslocal/services/twinmaker"
)

// seeds are the parameters that every account has where the CDK is bootstrapped.
var seeds = map[string]string{"/cdk-bootstrap/hnb659fds/version": "30"}

// endpoint is everything that runs.
type endpoint struct {
	identity  kernel.Identity
	assembly  *assembly.Assembly
	authority *iam.Authority
	gateway   *gateway.Gateway
	clock     *clock.Clock
	s3        *s3.S3
	dynamodb  *dynamodb.DynamoDB
	deployer  *deploy.Deployer
	closers   []func() error
}

// build starts the engines and puts the services together. The caller closes
// what it returns; after an error there is nothing to close.
func (c *upCommand) build(address string) (*endpoint, error) {
	a, err := assembly.Load(c.Assembly)
	if err != nil {
		return nil, err
	}
	models, err := apimodel.Load(c.Models)
	if err != nil {
		return nil, err
	}
	keyring := make(iam.Keyring, 32)
	if _, err := rand.Read(keyring); err != nil {
		return nil, fmt.Errorf("make the keys of this start: %w", err)
	}
	e := &endpoint{
		identity: kernel.Identity{Account: a.Account, Region: a.Region, Partition: "aws", Endpoint: address},
		assembly: a,
	}
	e.authority = iam.New(e.identity, keyring)
	if e.gateway, err = gateway.New(e.identity, e.authority, models); err != nil {
		return nil, err
	}
	if e.clock, err = clock.New(c.From); err != nil {
		return nil, err
	}
	e.closers = append(e.closers, closer(e.clock.Close))
	if err := c.services(e, keyring, models); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// services starts the engines and adds every service and provider.
func (c *upCommand) services(e *endpoint, keyring iam.Keyring, models *apimodel.Models) (err error) {
	if e.s3, err = s3.Start(s3.Config{
		Region: e.identity.Region, State: filepath.Join(c.State, "s3"), Keyring: keyring,
		Policies: e.authority, Engine: engineOf(e.identity.Region),
	}); err != nil {
		return err
	}
	e.closers = append(e.closers, e.s3.Close)
	if e.dynamodb, err = dynamodb.Start(dynamodb.Config{
		Identity: e.identity, Program: filepath.Join(c.Tools, "@dynoxide", "linux-x64", "dynoxide"),
		State: filepath.Join(c.State, "dynamodb"), Policies: e.authority,
	}); err != nil {
		return err
	}
	e.closers = append(e.closers, e.dynamodb.Close)
	e.gateway.AddEngine("s3", e.s3)
	e.gateway.AddEngine("dynamodb", e.dynamodb)

	host, err := lambda.New(lambda.Config{
		Identity: e.identity, Clock: e.clock, Sessions: e.authority, Authorize: e.authority.Authorize, Policies: e.authority,
		Code: e.code, Logs: filepath.Join(c.State, "logs"), Invoker: e.gateway,
	})
	if err != nil {
		return err
	}
	e.closers = append(e.closers, closer(host.Close))
	store := ssm.New(e.identity, e.clock, seeds)
	custom, err := deploy.NewCustom(e.identity, host, gateway.ControlPrefix+"cfn-response/", filepath.Join(c.State, "custom-resources.json"))
	if err != nil {
		return err
	}
	e.gateway.Control(gateway.ControlPrefix+"cfn-response/", custom)
	e.gateway.Control(gateway.ControlPrefix+"clock", e.clock.Handler())

	log := slog.Default()
	bus := events.New(events.Config{Identity: e.identity, Clock: e.clock, Invoker: e.gateway, Roles: e.authority, Log: log})
	schedules := scheduler.New(scheduler.Config{Identity: e.identity, Clock: e.clock, Invoker: e.gateway, Roles: e.authority, Log: log})
	topics := sns.New(sns.Config{Identity: e.identity, Clock: e.clock, Invoker: e.gateway, Policies: e.authority, Log: log})
	jobs := batch.New(batch.Config{Identity: e.identity, Clock: e.clock, Roles: e.authority, Events: bus, StateDir: c.State, Log: log})
	e.closers = append(e.closers, closer(topics.Close), closer(bus.Close), closer(schedules.Close), closer(jobs.Close))
	queues := sqs.New(sqs.Config{Identity: e.identity, Clock: e.clock, Policies: e.authority})
	assets, err := sitewise.New(e.identity, e.clock, c.State)
	if err != nil {
		return err
	}
	e.closers = append(e.closers, assets.Close)
	machines, err := states.New(states.Config{
		Identity: e.identity, Clock: e.clock, Invoker: e.gateway, Roles: e.authority, Events: bus,
		JSONata: filepath.Join(c.Tools, "jsonata", "jsonata.js"), Models: c.Models, Log: log,
	})
	if err != nil {
		return err
	}
	e.closers = append(e.closers, closer(machines.Close))
	// A task that waits for a job goes on when the bus says that the job ended.
	bus.Observe(func(event events.Event) { machines.Observe(event.Source, event.DetailType, event.Detail) })
	twinModel, err := models.Service("iottwinmaker")
	if err != nil {
		return err
	}
	twins := twinmaker.New(twinmaker.Config{
		Identity: e.identity, Clock: e.clock, Lambda: host, Roles: e.authority, Invoker: e.gateway, Objects: e.s3, Model: twinModel,
	})
	e.gateway.Control(gateway.ControlPrefix+"faults", jobs.FaultsHandler())
	e.gateway.Control(gateway.ControlPrefix+"events", bus.Handler())
	e.gateway.Control(gateway.ControlPrefix+"mail", topics.MailHandler())

	providers := []kernel.Provider{e.authority, e.s3, e.dynamodb, host, store, bus, schedules, topics, jobs, queues, machines, assets, twins}
	if e.deployer, err = deploy.New(e.identity, providers, custom.Create, store); err != nil {
		return err
	}
	for _, s := range []kernel.Service{
		host, store, sts.New(e.authority), cloudformation.New(e.deployer.Stacks), bus, schedules, topics, jobs, queues, machines, assets, twins,
	} {
		if err := e.gateway.AddService(s); err != nil {
			return err
		}
	}
	return nil
}

// code returns the folder that `cdk deploy` would upload to key in bucket.
func (e *endpoint) code(bucket, key string) (string, bool) {
	asset, ok := e.assembly.Asset(bucket, key)
	return asset.Path, ok && asset.Zip
}

// ready waits for the engines.
func (e *endpoint) ready(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.s3.Ready(ctx) })
	group.Go(func() error { return e.dynamodb.Ready(ctx) })
	return group.Wait()
}

// engineEnded returns a channel that gets the name of an engine that ended by
// itself.
func (e *endpoint) engineEnded() <-chan string {
	ended := make(chan string, 2)
	for name, done := range map[string]<-chan struct{}{"S3": e.s3.Done(), "DynamoDB": e.dynamodb.Done()} {
		go func() {
			<-done
			ended <- name
		}()
	}
	return ended
}

// close ends everything, the latest first.
func (e *endpoint) close() error { return closeAll(e.closers) }
