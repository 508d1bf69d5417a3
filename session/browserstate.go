package session

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
)

// browserState is what a browser keeps for us in a cookie. It is sealed, so that only this service
// can write and read it. It is in no store, so that strangers cannot fill one.
type browserState struct {
	// Return is where a login leads back to.
	Return string `json:"r,omitempty"`
	// Reauthenticated is the ID of the session that RedirectToLogin sent to log in again.
	Reauthenticated string   `json:"a,omitempty"`
	Flashes         []string `json:"f,omitempty"`
	// Until is in seconds since 1970.
	Until int64 `json:"u"`
}

const (
	stateTTL = 30 * time.Minute
	maxState = 2500 // bytes before sealing: browsers keep cookies of 4096
	// maxReturn is the longest Return, in bytes. It leaves room for flashes.
	maxReturn = 1024
)

// AddFlash keeps a text for the browser's next page, without a session: a
// sealed cookie holds it, for 30 minutes at most. The oldest texts give way
// where there are more than a cookie holds. A text of more than 1000 bytes is cut,
// and control characters are left out.
func (s *Sessions) AddFlash(w http.ResponseWriter, r *http.Request, text string) {
	state := s.readState(w, r)
	state.Flashes = append(state.Flashes, backend.CleanText(text, 1000))
	s.setState(w, state)
}

// Flashes returns the texts that were kept for this page, and forgets them: a
// header is set on w, so call it before the body is written. Markup in them is
// as it was given, since html/template escapes it.
func (s *Sessions) Flashes(w http.ResponseWriter, r *http.Request) []string {
	state := s.readState(w, r)
	texts := state.Flashes
	if len(texts) > 0 {
		state.Flashes = nil
		s.setState(w, state)
	}
	return texts
}

// setReturn keeps where a login is to lead back to.
func (s *Sessions) setReturn(w http.ResponseWriter, r *http.Request, path string) {
	state := s.readState(w, r)
	state.Return = path
	s.setState(w, state)
}

// ReturnPath returns where [Sessions.RedirectToLogin] found the browser, or "": for a page
// of login with buttons for other ways to log in, such as those of oauth2/external,
// which are told where to lead back to. [Handlers].Login finds it by itself.
func (s *Sessions) ReturnPath(w http.ResponseWriter, r *http.Request) string {
	return s.readState(w, r).Return
}

// forgetReturn forgets where a login leads back to.
func (s *Sessions) forgetReturn(w http.ResponseWriter, r *http.Request) {
	if state := s.readState(w, r); state.Return != "" {
		state.Return = ""
		s.setState(w, state)
	}
}

// readState returns the state that this answer leaves with the browser so far, or else the one that
// the browser sent.
func (s *Sessions) readState(w http.ResponseWriter, r *http.Request) (state browserState) {
	answer := http.Response{Header: w.Header()}
	for _, c := range answer.Cookies() {
		if c.Name == s.stateCookie.FullName() {
			state, _ = s.unseal(c.Value, time.Now())
			return state
		}
	}
	if value, count := backend.CookieValue(r, s.stateCookie.FullName()); count == 1 {
		state, _ = s.unseal(value, time.Now())
	}
	return state
}

// setState writes the state into its cookie, or clears the cookie if the state is empty.
func (s *Sessions) setState(w http.ResponseWriter, state browserState) {
	if state.Return == "" && state.Reauthenticated == "" && len(state.Flashes) == 0 {
		s.stateCookie.Clear(w.Header())
		return
	}
	state.Until = time.Now().Add(stateTTL).Unix()
	s.stateCookie.Set(w.Header(), s.seal(state), stateTTL)
}

// seal encrypts the state (AES-256-GCM). The name of the cookie is the additional data. It removes
// the oldest flashes until the text fits into maxState.
func (s *Sessions) seal(state browserState) string {
	text := state.encode()
	for len(text) > maxState && len(state.Flashes) > 0 {
		state.Flashes = state.Flashes[1:]
		text = state.encode()
	}
	return seal.Seal(s.seals, text, s.stateCookie.FullName())
}

// encode writes "<" and "&" as they are: escaped they take six bytes.
func (state browserState) encode() []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(state) // of strings and a number
	return text.Bytes()
}

var errState = errors.New("session: the state of the browser is not ours or too old")

// unseal decrypts the state, unless it is too old at now.
func (s *Sessions) unseal(value string, now time.Time) (browserState, error) {
	text, err := seal.Open(s.seals, value, s.stateCookie.FullName())
	if err != nil {
		return browserState{}, errState
	}
	var state browserState
	if json.Unmarshal(text, &state) != nil || !now.Before(time.Unix(state.Until, 0)) {
		return browserState{}, errState
	}
	return state, nil
}

// seals derives a key for the state from each of the application's.
func seals(keys []auth.Secret) ([]seal.Key, error) {
	if len(keys) == 0 {
		random := make([]byte, seal.MinKey)
		_, _ = rand.Read(random) // never fails
		keys = []auth.Secret{auth.Secret(random)}
	}
	all, err := seal.NewKeys(keys, "gatewarden session notes")
	if err != nil {
		return nil, fmt.Errorf("session: Config.Keys: %w", err)
	}
	return all, nil
}
