package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/livetwin/livetwin/internal/deployed"
)

// deployedFlags name a deployed twin.
type deployedFlags struct {
	Twin  string `help:"The twin's definition, for its name." default:"twin.yaml" type:"path" placeholder:"FILE"`
	Stage string `help:"The stage that it is deployed as: local, dev, prod." default:"local"`
}

// find looks the twin up with the AWS SDK's usual configuration.
func (f deployedFlags) find(ctx context.Context) (*deployed.Twin, error) {
	t, err := loadTwin(f.Twin)
	if err != nil {
		return nil, wrongInput(err)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	d, err := deployed.Find(ctx, cfg, t.Name, f.Stage)
	if errors.Is(err, deployed.ErrAbsent) {
		return nil, wrongInput(err)
	}
	return d, err
}
