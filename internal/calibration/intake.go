package calibration

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"time"

	"github.com/livetwin/livetwin/internal/telemetry"
)

// ManifestVersion is the version of inputs.manifest.json that this program
// reads and writes.
const ManifestVersion = 1

// A Manifest says which telemetry a run assimilated: the samples with
// From < time <= To of each series. A later reading of the same range that
// differs has late samples.
type Manifest struct {
	Version int `json:"version"`
	Key
	Run    RunID            `json:"run"`
	From   time.Time        `json:"from"`
	To     time.Time        `json:"to"`
	Series []SeriesManifest `json:"series"`
}

// A SeriesManifest counts the samples of one series.
type SeriesManifest struct {
	Property  string          `json:"property"`
	Alias     telemetry.Alias `json:"alias"`
	Count     int             `json:"count"` // all samples
	Bad       int             `json:"bad"`   // of them, those not used
	Null      int             `json:"null"`
	NonFinite int             `json:"nonFinite"`
	First     *time.Time      `json:"first,omitempty"`
	Last      *time.Time      `json:"last,omitempty"`
	SHA256    string          `json:"sha256"` // of times, values and qualities in order
}

// A series is what was read of one series.
type series struct {
	binding
	samples []telemetry.Sample // all, ascending
	usable  []telemetry.Sample
}

// readSeries reads a range of all series of a calibration, each once, by
// property.
func (e *Engine) readSeries(ctx context.Context, s *setup, from, to time.Time) (map[string]*series, error) {
	read := map[string]*series{}
	for _, b := range slices.Concat(s.inputs, s.outputs) {
		if b.property == "" || read[b.property] != nil {
			continue
		}
		r := &series{binding: b}
		for sample, err := range e.Telemetry.Samples(ctx, b.alias, from, to) {
			if errors.Is(err, telemetry.ErrNotFound) {
				return nil, fmt.Errorf("%w: series %s: %w: the asset model has no such property, or its alias is not set", ErrPermanent, b.alias, err)
			}
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", b.alias, classify(err))
			}
			sample.Time = sample.Time.UTC()
			if n := len(r.samples); n > 0 && !sample.Time.After(r.samples[n-1].Time) {
				return nil, fmt.Errorf("%w: series %s is not in ascending order at %s", ErrPermanent, b.alias, sample.Time.Format(time.RFC3339Nano))
			}
			r.samples = append(r.samples, sample)
			if sample.Usable() {
				r.usable = append(r.usable, sample)
			}
		}
		read[b.property] = r
	}
	return read, nil
}

// manifest describes the samples up to a time.
func manifest(key Key, run RunID, read map[string]*series, from, to time.Time) Manifest {
	m := Manifest{Version: ManifestVersion, Key: key, Run: run, From: from.UTC(), To: to.UTC()}
	for _, property := range sorted(read) {
		r := read[property]
		sm := SeriesManifest{Property: property, Alias: r.alias}
		h := sha256.New()
		for _, s := range r.samples {
			if s.Time.After(to) {
				break
			}
			if sm.First == nil {
				sm.First = new(s.Time)
			}
			sm.Last = new(s.Time)
			sm.Count++
			switch {
			case s.Null:
				sm.Null++
			case s.Quality == telemetry.Bad:
				sm.Bad++
			case !s.Usable():
				sm.NonFinite++
			}
			digest(h, s)
		}
		sm.SHA256 = hex.EncodeToString(h.Sum(nil))
		m.Series = append(m.Series, sm)
	}
	return m
}

func digest(h hash.Hash, s telemetry.Sample) {
	var b [17]byte
	binary.LittleEndian.PutUint64(b[:], uint64(s.Time.UnixNano())) //nolint:gosec // the bits are what counts
	bits := math.Float64bits(s.Value)
	if math.IsNaN(s.Value) {
		bits = math.Float64bits(math.NaN()) // one NaN is as good as another
	}
	binary.LittleEndian.PutUint64(b[8:], bits)
	if s.Null {
		b[16] = 1
	}
	_, _ = h.Write(b[:])              // a hash never fails
	_, _ = h.Write([]byte(s.Quality)) //
	_, _ = h.Write([]byte{0})         //
}

// late compares the range of the previous run with its manifest and counts the
// samples that arrived since.
func (e *Engine) late(ctx context.Context, s *setup, key Key, previous RunID) (count int, rewritten bool, err error) {
	b, err := e.Store.Artifact(ctx, key, previous, InputsArtifact)
	if err != nil {
		return 0, false, fmt.Errorf("read %s of run %s: %w", InputsArtifact, previous, classify(err))
	}
	var then Manifest
	if err := decode(b, InputsArtifact, previous, ManifestVersion, &then); err != nil {
		return 0, false, err
	}
	read, err := e.readSeries(ctx, s, then.From, then.To)
	if err != nil {
		return 0, false, err
	}
	now := manifest(key, previous, read, then.From, then.To)
	before := map[telemetry.Alias]SeriesManifest{}
	for _, sm := range then.Series {
		before[sm.Alias] = sm
	}
	for _, sm := range now.Series {
		old, ok := before[sm.Alias]
		if !ok || old.SHA256 == sm.SHA256 {
			continue
		}
		if sm.Count > old.Count {
			count += sm.Count - old.Count
		} else {
			rewritten = true
		}
	}
	return count, rewritten, nil
}

// decode reads a versioned JSON artifact.
func decode(b []byte, name string, run RunID, version int, into any) error {
	var head struct{ Version int }
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("%w: %s of run %s: %w", ErrPermanent, name, run, err)
	}
	if head.Version != version {
		return fmt.Errorf("%w: %s of run %s has version %d, this program knows %d: use the program that wrote it, or a newer one",
			ErrPermanent, name, run, head.Version, version)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %s of run %s: %w", ErrPermanent, name, run, err)
	}
	return nil
}
