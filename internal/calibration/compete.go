package calibration

import (
	"errors"
	"math"

	"github.com/livetwin/livetwin/internal/plant"
)

var errNotFinite = errors.New("the posterior is not finite")

// A contest is one window in which champion and challenger made the same
// forecasts.
type contest struct {
	champion, challenger tally
	segments             []Segment

	posterior belief       // of the challenger after the window
	memory    plant.Memory // that learned from the window; nil without segments
	rested    belief       // of the champion's states, without segments
}

// compete lets champion (parameters frozen at natural values p) and challenger
// (joint, from the state's belief) forecast and assimilate the window.
func (s *setup) compete(st *state, p []float64, w window) contest {
	c := contest{posterior: st.belief.clone()}
	if s.segmented != nil {
		c.memory = st.memory.Clone()
	} else {
		c.rested = s.statesOf(st.belief)
	}
	at := st.at
	for _, seg := range w.segments {
		report := Segment{
			Index: seg.Index, Start: seg.Raw[0].Time.UTC(), End: seg.Raw[len(seg.Raw)-1].Time.UTC(), Samples: len(seg.Raw),
		}
		if seg.Index > 1 && st.lastEnd != nil {
			report.Pause = new(seg.Pause)
		}
		var champion, challenger tally
		if s.segmented != nil {
			champion, challenger = s.segment(&c, &report, seg, p, st.scale)
		} else {
			champion, challenger = s.stretch(&c, seg, p, at, st.scale)
			last := seg.Rows[len(seg.Rows)-1]
			at = &rowAt{last.Time, last.U}
		}
		c.champion.add(champion)
		c.challenger.add(challenger)
		if champion.err == nil {
			report.ChampionScores = new(champion.scores())
		}
		report.ChallengerScores = challenger.scores()
		c.segments = append(c.segments, report)
		if c.challenger.err != nil {
			c.posterior = st.belief.clone() // go on from what is sound
		}
	}
	return c
}

// segment follows one segment of a plant that is observed in segments.
func (s *setup) segment(c *contest, report *Segment, seg plant.Segment, p []float64, scale float64) (champion, challenger tally) {
	nx := len(s.description.States)
	before := s.view(c.posterior)
	onset := c.memory.Begin(seg, before)
	start := c.posterior.clone()
	s.drift(start, onset.Drift)
	for _, m := range onset.States {
		start.replace(m.Index, m.Mean, m.Deviation)
	}
	for _, m := range onset.Parameters {
		if s.priors[m.Index].Deviation > 0 { // one that is fixed stays
			start.replace(nx+m.Index, m.Mean, m.Deviation)
		}
	}
	report.fill(c.memory.Report(seg, onset, before))

	joint := s.newFollower(true)
	joint.filter.Set(start.mean, start.covariance)
	challenger = joint.follow(seg.Rows, nil, scale)

	// What the whole segment measures directly, such as a counted charge, is
	// taken in before its rows: then they teach the parameters that are left.
	// The forecasts above did not know it.
	if m := c.memory.Measure(seg, onset); len(m) > 0 && challenger.err == nil {
		learned := start.clone()
		for _, v := range m {
			learned.condition(nx+v.Index, v.Mean, v.Deviation)
		}
		joint.filter.Set(learned.mean, learned.covariance)
		challenger.err = joint.follow(seg.Rows, nil, scale).err
	}
	posterior := belief{joint.filter.Mean(), joint.filter.Covariance()}
	if challenger.err == nil && !posterior.finite() {
		challenger.err = errNotFinite
	}
	if challenger.err == nil {
		c.posterior = posterior
		c.memory.Learn(seg, s.view(posterior), true)
	} else {
		c.memory.Learn(seg, before, false)
	}

	frozen := s.newFollower(false)
	copy(frozen.p, p)
	states := s.statesOf(start)
	frozen.filter.Set(states.mean, states.covariance)
	return frozen.follow(seg.Rows, nil, scale), challenger
}

// stretch follows one stretch of telemetry of a plant whose state goes on.
func (s *setup) stretch(c *contest, seg plant.Segment, p []float64, at *rowAt, scale float64) (champion, challenger tally) {
	s.drift(c.posterior, 1)
	var prev *plant.Row
	frozen := s.newFollower(false)
	copy(frozen.p, p)
	joint := s.newFollower(true)
	if at != nil {
		prev = &plant.Row{Time: at.Time, U: at.U}
		frozen.filter.Set(c.rested.mean, c.rested.covariance)
		joint.filter.Set(c.posterior.mean, c.posterior.covariance)
	} else {
		x, deviation := make([]float64, joint.nx), make([]float64, joint.nx)
		s.instance.Start(x, deviation, p, seg.Rows[0].U)
		for i := range x {
			c.posterior.replace(i, x[i], deviation[i])
		}
		states := s.statesOf(c.posterior)
		frozen.filter.Set(states.mean, states.covariance)
		joint.filter.Set(c.posterior.mean, c.posterior.covariance)
	}
	champion = frozen.follow(seg.Rows, prev, scale)
	challenger = joint.follow(seg.Rows, prev, scale)
	posterior := belief{joint.filter.Mean(), joint.filter.Covariance()}
	if challenger.err == nil && !posterior.finite() {
		challenger.err = errNotFinite
	}
	if challenger.err == nil {
		c.posterior = posterior
	}
	if champion.err == nil {
		c.rested = belief{frozen.filter.Mean(), frozen.filter.Covariance()}
	}
	return champion, challenger
}

// statesOf returns the marginal belief about the states.
func (s *setup) statesOf(b belief) belief {
	nx, n := len(s.description.States), len(b.mean)
	out := belief{make([]float64, nx), make([]float64, nx*nx)}
	copy(out.mean, b.mean)
	for i := range nx {
		copy(out.covariance[i*nx:(i+1)*nx], b.covariance[i*n:i*n+nx])
	}
	return out
}

// fill takes over what the model reports of a segment. What is not finite, as
// wild telemetry makes it, is left out.
func (g *Segment) fill(r plant.Report) {
	g.Figures = finiteOf(r.Figures)
	for _, f := range r.Forecasts {
		out := Forecast{
			Name: f.Name, Unit: f.Unit, Baselines: finiteOf(f.Baselines),
			Onset: intervalOf(f.Onset), Ahead: intervalOf(f.Ahead),
		}
		if isFinite(f.Measured) {
			out.Measured = new(f.Measured)
		}
		g.Forecasts = append(g.Forecasts, out)
	}
	for _, t := range r.Trajectories {
		if isFinite(t.SSE) {
			g.Trajectories = append(g.Trajectories, Trajectory{t.Name, t.Unit, t.Count, t.SSE, finiteOf(t.Baselines)})
		}
	}
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func finiteOf(values map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for name, v := range values {
		if isFinite(v) {
			out[name] = v
		}
	}
	return out
}

func intervalOf(q [3]float64) *Interval {
	if !isFinite(q[0]) || !isFinite(q[1]) || !isFinite(q[2]) {
		return nil
	}
	return &Interval{q[0], q[1], q[2]}
}
