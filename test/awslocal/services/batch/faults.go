package batch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Faults are what goes wrong on request. The zero value is a healthy service.
type Faults struct {
	// SpotCapacity false keeps jobs of FARGATE_SPOT queues RUNNABLE: they wait,
	// and time passes. True or absent: there is capacity.
	SpotCapacity *bool `json:"spotCapacity,omitempty"`
	// KillAttempt ends attempts with SIGKILL.
	KillAttempt *KillAttempt `json:"killAttempt,omitempty"`
	// InterruptSpot takes the machine from under so many of the next attempts
	// on FARGATE_SPOT, each InterruptAfterMillis (wall time; 0: at once) after
	// its start.
	InterruptSpot        int   `json:"interruptSpot,omitempty"`
	InterruptAfterMillis int64 `json:"interruptAfterMillis,omitempty"`
}

// KillAttempt says which attempts are killed, and when. One of AfterBytesOfLog
// and AfterMillis is positive.
type KillAttempt struct {
	JobDefinition   string `json:"jobDefinition"` // name or ARN; empty: any
	Attempt         int    `json:"attempt"`       // counted from 1
	ArrayIndex      *int   `json:"arrayIndex,omitempty"`
	Times           int    `json:"times,omitempty"`           // 0: every such attempt
	AfterBytesOfLog int64  `json:"afterBytesOfLog,omitempty"` // written by the attempt
	AfterMillis     int64  `json:"afterMillis,omitempty"`     // wall time after its start
}

func (f Faults) check() error {
	k := f.KillAttempt
	switch {
	case f.InterruptSpot < 0 || f.InterruptAfterMillis < 0:
		return fmt.Errorf("interruptSpot and interruptAfterMillis must not be negative")
	case k == nil:
		return nil
	case k.Attempt < 1 || k.Attempt > 10:
		return fmt.Errorf("killAttempt.attempt is %d, want 1 to 10", k.Attempt)
	case (k.AfterBytesOfLog > 0) == (k.AfterMillis > 0) || k.AfterBytesOfLog < 0 || k.AfterMillis < 0:
		return fmt.Errorf("killAttempt wants one of afterBytesOfLog and afterMillis, a positive number")
	}
	return nil
}

// SetFaults replaces the faults. Jobs that waited for capacity go on.
func (s *Service) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
	s.kills = 0
	for _, j := range s.order {
		s.dispatch(j)
	}
	return nil
}

// FaultsHandler answers the control endpoint of faults: GET shows them, POST
// replaces them by those of its JSON body, DELETE mends everything.
func (s *Service) FaultsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f Faults
		switch r.Method {
		case http.MethodGet:
		case http.MethodPost:
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
			d.DisallowUnknownFields()
			if err := d.Decode(&f); err != nil {
				http.Error(w, "faults: "+err.Error(), http.StatusBadRequest)
				return
			}
			fallthrough
		case http.MethodDelete:
			if err := s.SetFaults(f); err != nil {
				http.Error(w, "faults: "+err.Error(), http.StatusBadRequest)
				return
			}
		default:
			w.Header().Set("Allow", "GET, POST, DELETE")
			http.Error(w, "faults take GET, POST and DELETE", http.StatusMethodNotAllowed)
			return
		}
		s.mu.Lock()
		body, err := json.Marshal(s.faults)
		s.mu.Unlock()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n')) // the client has gone: nobody to tell
	})
}

// An interference is what the faults do to one attempt; the zero value nothing.
type interference struct {
	killAfterBytes int64
	killAfter      time.Duration // wall time; 0: never
	interruptAfter time.Duration // wall time; 0: never
}

// plan decides what happens to an attempt; Service.mu is held.
func (s *Service) plan(j *job, number int) interference {
	var p interference
	k := s.faults.KillAttempt
	if k != nil && k.Attempt == number && (k.JobDefinition == "" || k.JobDefinition == j.definition.name || k.JobDefinition == j.definition.arn) &&
		(k.ArrayIndex == nil || j.parent != nil && *k.ArrayIndex == j.index) && (k.Times == 0 || s.kills < k.Times) {
		s.kills++
		p.killAfterBytes, p.killAfter = k.AfterBytesOfLog, time.Duration(k.AfterMillis)*time.Millisecond
	}
	if s.faults.InterruptSpot > 0 && j.queue.spot() {
		s.faults.InterruptSpot--
		p.interruptAfter = max(1, time.Duration(s.faults.InterruptAfterMillis)*time.Millisecond)
	}
	return p
}
