package calibration

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/livetwin/livetwin/internal/plant"
)

// StateVersion is the version of state.bin that this program reads and writes.
const StateVersion = 1

// stateMagic begins every state.bin.
const stateMagic = "LTWSTATE"

// A state is what a run hands to the next one.
type state struct {
	yardstick
	belief        belief
	parametersRun RunID      // the run whose posterior the belief's parameters come from
	segments      int        // so far
	lastEnd       *time.Time // of the last segment
	memory        plant.Memory
	at            *rowAt // without segments: where the states are
}

// storedState is the payload of state.bin.
type storedState struct {
	Model         string          `json:"model"`
	States        []string        `json:"states"`
	Parameters    []string        `json:"parameters"`
	Mean          []float64       `json:"mean"`
	Covariance    []float64       `json:"covariance"`
	ParametersRun RunID           `json:"parametersRun"`
	Scale         float64         `json:"scale"`
	Freedom       float64         `json:"freedom"`
	Segments      int             `json:"segments"`
	LastEnd       *time.Time      `json:"lastEnd,omitempty"`
	At            *rowAt          `json:"at,omitempty"`
	Memory        json.RawMessage `json:"memory,omitempty"`
}

// newState is the state before the first run.
func (s *setup) newState() *state {
	st := &state{yardstick: yardstick{1, statedFreedom}, belief: s.prior()}
	if s.segmented != nil {
		st.memory = s.segmented.NewMemory(s.priors)
	}
	return st
}

func (s *setup) layout() (states, parameters []string) {
	for _, q := range s.description.States {
		states = append(states, q.Name)
	}
	for _, p := range s.description.Parameters {
		parameters = append(parameters, p.Name)
	}
	return states, parameters
}

// encodeState returns the content of state.bin: magic, version and length of
// the payload (little-endian), its SHA-256, the payload (JSON).
func (s *setup) encodeState(st *state) ([]byte, error) {
	stored := storedState{
		Model: s.description.Name, Mean: st.belief.mean, Covariance: st.belief.covariance,
		ParametersRun: st.parametersRun, Scale: st.scale, Freedom: st.freedom,
		Segments: st.segments, LastEnd: st.lastEnd, At: st.at,
	}
	stored.States, stored.Parameters = s.layout()
	if st.memory != nil {
		stored.Memory = st.memory.Encode()
	}
	payload, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: encode %s: %w", ErrPermanent, StateArtifact, err)
	}
	var b bytes.Buffer
	b.WriteString(stateMagic)
	b.Write(binary.LittleEndian.AppendUint32(nil, StateVersion))
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(payload))))
	sum := sha256.Sum256(payload)
	b.Write(sum[:])
	b.Write(payload)
	return b.Bytes(), nil
}

// decodeState reads state.bin of a run and refuses what it does not know.
func (s *setup) decodeState(b []byte, run RunID) (*state, error) {
	fail := func(format string, args ...any) (*state, error) {
		return nil, fmt.Errorf("%w: %s of run %s "+format, append([]any{ErrPermanent, StateArtifact, run}, args...)...)
	}
	const header = len(stateMagic) + 4 + 8 + sha256.Size
	if len(b) < header || string(b[:len(stateMagic)]) != stateMagic {
		return fail("does not begin with %s: it is no state of this program; restore the object's version that the run wrote", stateMagic)
	}
	version := binary.LittleEndian.Uint32(b[len(stateMagic):])
	if version != StateVersion {
		return fail("has version %d, this program knows %d: deploy the program that wrote it, or a newer one", version, StateVersion)
	}
	length := binary.LittleEndian.Uint64(b[len(stateMagic)+4:])
	payload := b[header:]
	if uint64(len(payload)) != length {
		return fail("has %d bytes of payload, its header says %d: it is truncated; restore the object's version that the run wrote", len(payload), length)
	}
	if sum := sha256.Sum256(payload); !bytes.Equal(sum[:], b[header-sha256.Size:header]) {
		return fail("does not match its checksum: restore the object's version that the run wrote")
	}
	var stored storedState
	if err := json.Unmarshal(payload, &stored); err != nil {
		return fail("cannot be read: %w", err)
	}
	states, parameters := s.layout()
	if stored.Model != s.description.Name || !slices.Equal(stored.States, states) || !slices.Equal(stored.Parameters, parameters) {
		return fail("is of model %s with states %v and parameters %v, the calibration is of %s with %v and %v: a calibration with another model needs another name",
			stored.Model, stored.States, stored.Parameters, s.description.Name, states, parameters)
	}
	n := len(states) + len(parameters)
	if len(stored.Mean) != n || len(stored.Covariance) != n*n {
		return fail("holds %d means and %d covariances, expected %d and %d", len(stored.Mean), len(stored.Covariance), n, n*n)
	}
	st := &state{
		yardstick: yardstick{stored.Scale, stored.Freedom}, belief: belief{stored.Mean, stored.Covariance},
		parametersRun: stored.ParametersRun, segments: stored.Segments, lastEnd: stored.LastEnd, at: stored.At,
	}
	if !st.belief.finite() || !(st.scale > 0) || !(st.freedom > 0) {
		return fail("holds numbers that are not finite")
	}
	if s.segmented != nil {
		memory, err := s.segmented.Recall(stored.Memory)
		if err != nil {
			return fail("cannot be read: %w", err)
		}
		st.memory = memory
	}
	return st, nil
}
