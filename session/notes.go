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

// notes are what a browser keeps for us: sealed, so that only this service can write
// and read them, and in no store, so that strangers cannot fill one.
type notes struct {
	Return  string   `json:"r,omitempty"` // where a login leads back to
	Again   string   `json:"a,omitempty"` // ID of the session that RedirectToLogin sent to log in again
	Flashes []string `json:"f,omitempty"`
	Until   int64    `json:"u"` // seconds since 1970
}

const (
	notesTTL = 30 * time.Minute
	maxNotes = 2500 // bytes before sealing: browsers keep cookies of 4096
	// maxReturn is the longest way back that notes keep, in bytes. It leaves room for flashes.
	maxReturn = 1024
)

// AddFlash keeps a text for the browser's next page, without a session: a
// sealed cookie holds it, for 30 minutes at most. The oldest texts give way
// where there are more than a cookie holds. A text of more than 1000 bytes is cut,
// and control characters are left out.
func (s *Sessions) AddFlash(w http.ResponseWriter, r *http.Request, text string) {
	n := s.readNotes(w, r)
	n.Flashes = append(n.Flashes, backend.CleanText(text, 1000))
	s.setNotes(w, n)
}

// Flashes returns the texts that were kept for this page, and forgets them: a
// header is set on w, so call it before the body is written. Markup in them is
// as it was given, since html/template escapes it.
func (s *Sessions) Flashes(w http.ResponseWriter, r *http.Request) []string {
	n := s.readNotes(w, r)
	texts := n.Flashes
	if len(texts) > 0 {
		n.Flashes = nil
		s.setNotes(w, n)
	}
	return texts
}

// setReturn keeps where a login is to lead back to.
func (s *Sessions) setReturn(w http.ResponseWriter, r *http.Request, path string) {
	n := s.readNotes(w, r)
	n.Return = path
	s.setNotes(w, n)
}

// ReturnPath returns where [Sessions.RedirectToLogin] found the browser, or "": for a page
// of login with buttons for other ways to log in, such as those of oauth2/external,
// which are told where to lead back to. [Handlers].Login finds it by itself.
func (s *Sessions) ReturnPath(w http.ResponseWriter, r *http.Request) string {
	return s.readNotes(w, r).Return
}

// forgetReturn forgets where a login leads back to.
func (s *Sessions) forgetReturn(w http.ResponseWriter, r *http.Request) {
	if n := s.readNotes(w, r); n.Return != "" {
		n.Return = ""
		s.setNotes(w, n)
	}
}

// readNotes returns what this answer leaves with the browser so far, or what the
// browser sent.
func (s *Sessions) readNotes(w http.ResponseWriter, r *http.Request) (n notes) {
	answer := http.Response{Header: w.Header()}
	for _, c := range answer.Cookies() {
		if c.Name == s.notes.FullName() {
			n, _ = s.unseal(c.Value, time.Now())
			return n
		}
	}
	if value, count := backend.CookieValue(r, s.notes.FullName()); count == 1 {
		n, _ = s.unseal(value, time.Now())
	}
	return n
}

func (s *Sessions) setNotes(w http.ResponseWriter, n notes) {
	if n.Return == "" && n.Again == "" && len(n.Flashes) == 0 {
		s.notes.Clear(w.Header())
		return
	}
	n.Until = time.Now().Add(notesTTL).Unix()
	s.notes.Set(w.Header(), s.seal(n), notesTTL)
}

// seal encrypts notes. The name of the cookie is bound in.
func (s *Sessions) seal(n notes) string {
	text := n.encode()
	for len(text) > maxNotes && len(n.Flashes) > 0 {
		n.Flashes = n.Flashes[1:]
		text = n.encode()
	}
	return seal.Seal(s.seals, text, s.notes.FullName())
}

// encode writes "<" and "&" as they are: escaped they take six bytes.
func (n notes) encode() []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(n) // of strings and a number
	return text.Bytes()
}

var errNotes = errors.New("session: notes are not ours or too old")

func (s *Sessions) unseal(value string, now time.Time) (notes, error) {
	text, err := seal.Open(s.seals, value, s.notes.FullName())
	if err != nil {
		return notes{}, errNotes
	}
	var n notes
	if json.Unmarshal(text, &n) != nil || !now.Before(time.Unix(n.Until, 0)) {
		return notes{}, errNotes
	}
	return n, nil
}

// seals derives a key for notes from each of the application's.
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
