package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"

	"github.com/livetwin/livetwin/test/awslocal/services/s3"
	"github.com/livetwin/livetwin/test/awslocal/services/s3/engine"
)

// engineCommand is how this program runs as the storage engine of another one.
type engineCommand struct {
	Socket string `arg:""`
	Dir    string `arg:""`
	Region string `arg:""`
}

// Run serves S3 until the process is told to end.
func (c *engineCommand) Run(ctx context.Context) error {
	keyring, err := hex.DecodeString(os.Getenv(s3.EngineKey))
	if err != nil || len(keyring) == 0 {
		return fmt.Errorf("%s does not hold a keyring: awslocal up starts the engine, not you", s3.EngineKey)
	}
	return engine.Run(ctx, c.Dir, c.Socket, c.Region, keyring)
}

// engineOf returns what starts this program as an engine.
func engineOf(region string) func(socket, dir string) *exec.Cmd {
	return func(socket, dir string) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", "s3-engine", socket, dir, region) //nolint:gosec // this program itself
		cmd.Env = []string{"HOME=" + dir, "TZ=UTC"}
		return cmd
	}
}
