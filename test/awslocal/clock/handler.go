package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Handler answers the control endpoint of the clock:
//
//	GET                     the State
//	POST {"to": RFC 3339}   Advance, and the State when it is done
//	POST {"to": "now"}      CatchUp, and the State when it is done
//
// A bad request is 400, a time in the past 409, a stuck clock 504; the body of
// an error is {"error": text, "state": State}. A request that goes away ends
// its wait and leaves the clock where it got to.
func (c *Clock) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			c.reply(w, http.StatusOK, nil)
		case http.MethodPost:
			c.post(w, r)
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			c.reply(w, http.StatusMethodNotAllowed, fmt.Errorf("method %s: the clock answers GET and POST", r.Method))
		}
	})
}

func (c *Clock) post(w http.ResponseWriter, r *http.Request) {
	var request struct {
		To string `json:"to"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		c.reply(w, http.StatusBadRequest, fmt.Errorf(`body: want {"to": an RFC 3339 time or "now"}: %w`, err))
		return
	}
	var err error
	if request.To == "now" {
		err = c.CatchUp(r.Context())
	} else {
		var to time.Time
		if to, err = time.Parse(time.RFC3339Nano, request.To); err != nil {
			c.reply(w, http.StatusBadRequest, fmt.Errorf(`to is %q, want an RFC 3339 time or "now"`, request.To))
			return
		}
		err = c.Advance(r.Context(), to)
	}
	switch {
	case err == nil:
		c.reply(w, http.StatusOK, nil)
	case errors.Is(err, ErrPast):
		c.reply(w, http.StatusConflict, err)
	case errors.Is(err, ErrClosed):
		c.reply(w, http.StatusServiceUnavailable, err)
	default:
		c.reply(w, http.StatusGatewayTimeout, err)
	}
}

// reply writes the state, or an error with the state.
func (c *Clock) reply(w http.ResponseWriter, status int, err error) {
	var body any = c.State()
	if err != nil {
		body = struct {
			Error string `json:"error"`
			State State  `json:"state"`
		}{err.Error(), c.State()}
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // the client has gone: nobody to tell
}
