package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iotsitewise"

	"github.com/livetwin/livetwin/internal/replay"
	"github.com/livetwin/livetwin/internal/telemetry/telemetrysitewise"
)

type replayCommand struct {
	deployedFlags
	Dir        string        `arg:"" help:"Folder of CSV files, one per asset and named as it (cell-1.csv)." type:"path"`
	SegmentGap time.Duration `help:"A gap longer than this separates segments; only such gaps may be shortened." default:"30m"`
	DryRun     bool          `help:"Check the files and show where they would go in time; write nothing."`
}

// Run checks all files, then writes them in the order of time.
func (c *replayCommand) Run(ctx context.Context, out io.Writer) error {
	t, err := loadTwin(c.Twin)
	if err != nil {
		return wrongInput(err)
	}
	compiled, err := t.Compile()
	if err != nil {
		return wrongInput(err)
	}
	r, err := replay.Load(os.DirFS(c.Dir), compiled.Name, replay.AssetsOf(&compiled.Definition))
	if err != nil {
		return wrongInput(err)
	}
	describeRecording(out, r)
	// The historian judges times by the wall clock, so this program does too.
	line, err := replay.Fit(r, c.SegmentGap, replay.Accepted(time.Now().UTC()))
	if err != nil {
		return wrongInput(err)
	}
	fmt.Fprintln(out, line)
	if c.DryRun {
		return nil
	}
	// SiteWise takes values of series that no asset has: without the twin they
	// would be lost to it.
	d, err := c.find(ctx)
	if err != nil {
		return err
	}
	next := 0
	res, err := replay.Write(ctx, telemetrysitewise.New(iotsitewise.NewFromConfig(d.Config())), r, replay.Options{
		Timeline: line, Pacer: replay.AtOnce{},
		Progress: func(p replay.Progress) {
			if percent := 100 * p.Samples / p.Of; percent >= next {
				fmt.Fprintf(out, "%3d %%  %s\n", percent, p.Until.Format(stamp))
				next = percent - percent%10 + 10
			}
		},
	})
	if err != nil {
		return err
	}
	return describeResult(out, res)
}

func describeRecording(out io.Writer, r *replay.Recording) {
	fmt.Fprintf(out, "%d samples of %d series in %d files; %d duplicate rows (the later one is kept), %d rows out of order (sorted)\n",
		r.Samples(), len(r.Series), r.Files, r.Duplicates, r.Reordered)
	for _, s := range r.Skipped {
		fmt.Fprintf(out, "  %s skipped: %s\n", s.File, s.Reason)
	}
	for _, c := range r.Columns {
		fmt.Fprintf(out, "  %s: column %s ignored: it is no measurement\n", c.File, c.Name)
	}
}

// describeResult prints what became of the samples; refused ones are an error.
func describeResult(out io.Writer, r replay.Result) error {
	fmt.Fprintf(out, "%d samples written, %s to %s; %d of quality BAD, %d of them NaN or NULL; %d refused\n",
		r.Samples, r.First.Format(stamp), r.Last.Format(stamp), r.Bad, r.NotNumbers, len(r.Rejections))
	const shown = 20
	for i, j := range r.Rejections {
		if i == shown {
			fmt.Fprintf(out, "  and %d more\n", len(r.Rejections)-shown)
			break
		}
		fmt.Fprintf(out, "  %s at %s: %s: %s\n", j.Point.Series, j.Point.Sample.Time.Format(time.RFC3339Nano), j.Code, j.Reason)
	}
	if n := len(r.Rejections); n > 0 {
		return wrongInput(fmt.Errorf("SiteWise refused %d samples; the others are written", n))
	}
	return nil
}
