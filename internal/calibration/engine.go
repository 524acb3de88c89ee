package calibration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/livetwin/livetwin/internal/calibration/spec"
	"github.com/livetwin/livetwin/internal/plant"
	"github.com/livetwin/livetwin/internal/telemetry"
)

// An Engine runs calibrations.
type Engine struct {
	Store     Store
	Telemetry telemetry.Reader
	// Model returns the model of that name; all.Model in production.
	Model func(name string) (plant.Model, error)
	// Lineage describes the attempt for lineage.json; nothing else depends on it.
	Lineage Lineage
}

// Lineage says who ran a run, and when, on the wall's clock.
type Lineage struct {
	Attempt   int               // 1 for the first
	Execution string            // of the state machine
	Job       string            // the Batch job's id
	Versions  map[string]string // of the program and what it was built with
	Now       func() time.Time  // nil: times are left out
}

// A run is one job on its way.
type run struct {
	*Engine
	job      Job
	setup    *setup
	champion *Champion // that the run read; nil before the first
	revision Revision
	state    *state
	started  time.Time
}

// Run carries out a job of the calibration sp of an asset.
//
// A nil error means that the job is done: promoted, rejected, superseded or
// skipped. An error is permanent ([ErrPermanent]), or transient
// ([ErrTransient]) and the job may be run again with the same result: whatever
// was done before, the same job on the same telemetry writes the same bytes.
func (e *Engine) Run(ctx context.Context, sp spec.Spec, asset Asset, job Job) (Outcome, error) {
	r := &run{Engine: e, job: job}
	if e.Lineage.Now != nil {
		r.started = e.Lineage.Now()
	}
	if err := job.Check(); err != nil {
		return Outcome{}, err
	}
	if sp.Name != job.Calibration || asset.Name != job.Asset {
		return Outcome{}, fmt.Errorf("%w: job is of %s, the spec is %s and the asset %s", ErrPermanent, job.Key, sp.Name, asset.Name)
	}
	model, err := e.Model(sp.Model)
	if err != nil {
		return Outcome{}, fmt.Errorf("%w: calibration %s: %w", ErrPermanent, sp.Name, err)
	}
	if r.setup, err = bind(model, sp, asset); err != nil {
		return Outcome{}, err
	}
	outcome, err := r.carryOut(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("run %s of %s: %w", job.Run, job.Key, err)
	}
	return outcome, nil
}

// carryOut reads, decides and writes.
func (r *run) carryOut(ctx context.Context) (Outcome, error) {
	if err := r.readChampion(ctx); err != nil {
		return Outcome{}, err
	}
	if done, outcome, err := r.settled(ctx, r.champion); done || err != nil {
		return outcome, err
	}
	if err := r.readState(ctx); err != nil {
		return Outcome{}, err
	}
	from := r.job.WindowEnd.Add(-time.Duration(r.setup.spec.Window.Start * float64(time.Second)))
	var intake Intake
	if r.champion != nil {
		from = r.champion.Watermark
	}
	if !from.Before(r.job.WindowEnd) {
		return r.outcome(Skipped, fmt.Sprintf("the window ends at %s, telemetry is assimilated up to %s already",
			r.job.WindowEnd.Format(time.RFC3339), from.Format(time.RFC3339))), nil
	}
	read, err := r.readSeries(ctx, r.setup, from, r.job.WindowEnd)
	if err != nil {
		return Outcome{}, err
	}
	w := r.setup.cut(read, r.job.WindowEnd, r.state.lastEnd, r.state.segments)
	if len(w.segments) == 0 {
		return r.outcome(Skipped, fmt.Sprintf("no whole segment of telemetry after %s", from.Format(time.RFC3339))), nil
	}
	if r.champion != nil {
		if intake.Late, intake.Rewritten, err = r.late(ctx, r.setup, r.job.Key, r.champion.StateRun); err != nil {
			return Outcome{}, err
		}
	}
	m := manifest(r.job.Key, r.job.Run, read, from, w.watermark)
	return r.decide(ctx, w, m, intake)
}

// readChampion reads the champion, if there is one.
func (r *run) readChampion(ctx context.Context) error {
	champion, revision, err := r.Store.Champion(ctx, r.job.Key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the champion: %w", classify(err))
	}
	if err := champion.Check(); err != nil {
		return err
	}
	r.champion, r.revision = &champion, revision
	return nil
}

// settled reports whether the champion says that the job is done: this run
// wrote it (an earlier attempt got as far as that), or another one did.
func (r *run) settled(ctx context.Context, c *Champion) (bool, Outcome, error) {
	generation := int64(0)
	if c != nil {
		generation = c.Generation
	}
	switch {
	case generation == r.job.Generation:
		return false, Outcome{}, nil
	case c != nil && c.StateRun == r.job.Run:
		d, err := ReadDiagnostics(ctx, r.Store, r.job.Key, r.job.Run)
		if err != nil {
			return true, Outcome{}, err
		}
		return true, r.outcome(d.Decision.Outcome, d.Decision.Reason), nil
	default:
		return true, r.outcome(Superseded, fmt.Sprintf("the champion is at generation %d, the run was planned for generation %d", generation, r.job.Generation)), nil
	}
}

// readState reads what the last run left, with the parameters in force.
func (r *run) readState(ctx context.Context) error {
	if r.champion == nil {
		r.state = r.setup.newState()
		return nil
	}
	b, err := r.Store.Artifact(ctx, r.job.Key, r.champion.StateRun, StateArtifact)
	if err != nil {
		return fmt.Errorf("read %s of run %s: %w", StateArtifact, r.champion.StateRun, missing(err))
	}
	if r.state, err = r.setup.decodeState(b, r.champion.StateRun); err != nil {
		return err
	}
	if r.state.parametersRun == r.champion.ParametersRun {
		return nil
	}
	// A rollback put other parameters in force than the state's.
	run := r.champion.ParametersRun
	if b, err = r.Store.Artifact(ctx, r.job.Key, run, PosteriorArtifact); err != nil {
		return fmt.Errorf("read %s of run %s: %w", PosteriorArtifact, run, missing(err))
	}
	var p Posterior
	if err := decode(b, PosteriorArtifact, run, PosteriorVersion, &p); err != nil {
		return err
	}
	r.state.parametersRun = run
	return r.setup.parametersFrom(p, r.state.belief)
}

// missing marks an artifact that the champion names and that is not there as
// permanent.
func missing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: champion.json names it: %w", ErrPermanent, err)
	}
	return classify(err)
}

// decide lets champion and challenger compete and writes the outcome.
func (r *run) decide(ctx context.Context, w window, m Manifest, intake Intake) (Outcome, error) {
	s := r.setup
	c := s.compete(r.state, s.natural(r.state.belief), w)
	v := judge(s.spec.Gates, &c, r.state.yardstick)
	if r.champion == nil && v.Outcome == Promoted {
		v.Reason = "first calibration, against the prior: " + v.Reason
	}

	intake.Assimilated, intake.Pending, intake.Unpaired = c.challenger.count, w.pending, w.unpaired
	for _, sm := range m.Series {
		intake.Bad += sm.Bad
		intake.Null += sm.Null
		intake.NonFinite += sm.NonFinite
	}
	next := s.advance(r.state, &c, w, v, r.job.Run)
	champion := Champion{
		Version: ChampionVersion, Key: r.job.Key, Generation: r.job.Generation + 1,
		ParametersRun: next.parametersRun, StateRun: r.job.Run,
		Watermark: w.watermark, WindowEnd: r.job.WindowEnd.UTC(), Decision: v.Decision,
	}
	champion, err := champion.withWriteID()
	if err != nil {
		return Outcome{}, err
	}
	d := Diagnostics{
		Version: DiagnosticsVersion, Key: r.job.Key, Run: r.job.Run, Champion: r.champion,
		WindowEnd: champion.WindowEnd, Watermark: champion.Watermark, Decision: v.Decision, Telemetry: intake,
		ChallengerScores: c.challenger.scores(), Segments: c.segments,
		Yardstick:   Yardstick{Scale: next.scale, Freedom: next.freedom},
		Predictions: s.predictions(next),
	}
	if r.champion != nil {
		d.Previous = r.champion.StateRun
	}
	if c.champion.err == nil {
		d.ChampionScores = new(c.champion.scores())
	}
	evidence := c.posterior
	if r.champion == nil && v.Outcome == Rejected {
		evidence = s.prior()
	}
	if err := r.store(ctx, m, next, s.posteriorOf(r.job.Key, r.job.Run, v.Outcome, evidence), d); err != nil {
		return Outcome{}, err
	}
	return r.swap(ctx, champion)
}

// advance returns the state after the window: the challenger's when it was
// promoted, else the champion's, whose parameters are less certain by what
// they may have moved.
func (s *setup) advance(st *state, c *contest, w window, v verdict, id RunID) *state {
	last := w.segments[len(w.segments)-1]
	next := &state{
		yardstick: st.next(c, v.trusted), belief: c.posterior, parametersRun: id,
		segments: last.Index, lastEnd: new(w.watermark), memory: c.memory,
	}
	if s.segmented == nil {
		row := last.Rows[len(last.Rows)-1]
		next.at = &rowAt{row.Time, row.U}
	}
	if v.Outcome == Promoted {
		return next
	}
	next.belief = st.belief.clone()
	if st.parametersRun != "" {
		next.parametersRun = st.parametersRun
	}
	for range w.segments {
		s.drift(next.belief, 1)
	}
	if s.segmented == nil {
		for i, x := range c.rested.mean {
			next.belief.replace(i, x, 0)
		}
		nx, n := len(c.rested.mean), len(next.belief.mean)
		for i := range nx {
			copy(next.belief.covariance[i*n:i*n+nx], c.rested.covariance[i*nx:(i+1)*nx])
		}
	} else if !v.trusted {
		next.memory = st.memory.Clone()
		for _, seg := range w.segments {
			next.memory.Learn(seg, s.view(st.belief), false)
		}
	}
	return next
}

// store writes the artifacts. The order does not matter: nothing reads them
// before the champion names the run.
func (r *run) store(ctx context.Context, m Manifest, next *state, p Posterior, d Diagnostics) error {
	state, err := r.setup.encodeState(next)
	if err != nil {
		return err
	}
	artifacts := []struct {
		name  string
		value any
	}{
		{SpecArtifact, specification{r.setup.spec, r.setup.asset}},
		{InputsArtifact, m},
		{PosteriorArtifact, p},
		{StateArtifact, state},
		{DiagnosticsArtifact, d},
		{PredictionsArtifact, predictionsCSV(d.Predictions)},
		{LineageArtifact, r.lineage()},
	}
	for _, a := range artifacts {
		data, ok := a.value.([]byte)
		if !ok {
			if data, err = encode(a.name, a.value); err != nil {
				return err
			}
		}
		if err := r.Store.PutArtifact(ctx, r.job.Key, r.job.Run, a.name, data); err != nil {
			return fmt.Errorf("store %s: %w", a.name, classify(err))
		}
	}
	return nil
}

// A specification is the content of spec.json: the spec and the asset that it
// was applied to.
type specification struct {
	spec.Spec
	Asset Asset `json:"asset"`
}

// swap makes the one write that counts.
func (r *run) swap(ctx context.Context, champion Champion) (Outcome, error) {
	_, err := r.Store.SwapChampion(ctx, r.job.Key, champion, r.revision)
	if err == nil {
		return r.outcome(champion.Decision.Outcome, champion.Decision.Reason), nil
	}
	if !errors.Is(err, ErrConflict) {
		return Outcome{}, fmt.Errorf("write the champion: %w", classify(err))
	}
	now, _, err := r.Store.Champion(ctx, r.job.Key)
	if err != nil {
		return Outcome{}, fmt.Errorf("read the champion after a conflict: %w", classify(err))
	}
	if done, outcome, err := r.settled(ctx, &now); done || err != nil {
		return outcome, err
	}
	return Outcome{}, fmt.Errorf("%w: the store reported a conflict, and the champion is still at generation %d", ErrTransient, now.Generation)
}

func (r *run) outcome(result Result, reason string) Outcome {
	return Outcome{Version: OutcomeVersion, Key: r.job.Key, Run: r.job.Run, Outcome: result, Reason: reason}
}

// lineage is the content of lineage.json, the only artifact that differs from
// attempt to attempt.
func (r *run) lineage() any {
	l := struct {
		Version   int `json:"version"`
		Job       `json:"job"`
		Attempt   int               `json:"attempt"`
		Execution string            `json:"execution,omitempty"`
		BatchJob  string            `json:"batchJob,omitempty"`
		Versions  map[string]string `json:"versions,omitempty"`
		Started   *time.Time        `json:"started,omitempty"`
		Stored    *time.Time        `json:"stored,omitempty"`
	}{Version: 1, Job: r.job, Attempt: r.Lineage.Attempt, Execution: r.Lineage.Execution, BatchJob: r.Lineage.Job, Versions: r.Lineage.Versions}
	if r.Lineage.Now != nil {
		l.Started, l.Stored = new(r.started.UTC()), new(r.Lineage.Now().UTC())
	}
	return l
}

// Artifacts are the names of all artifacts of a run, in order.
func Artifacts() []string {
	return slices.Clone([]string{
		SpecArtifact, InputsArtifact, PosteriorArtifact, StateArtifact, DiagnosticsArtifact, PredictionsArtifact, LineageArtifact,
	})
}
