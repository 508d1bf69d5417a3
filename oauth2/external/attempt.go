package external

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
)

// maxAttempt is the longest that a browser may be away.
const maxAttempt = 10 * time.Minute

// purpose is what an attempt is for. One begun for the one is no good for the other.
type purpose string

const (
	toSignIn purpose = "login"
	toLink   purpose = "link"
)

// attempt is a login that is under way. The browser that began it keeps it sealed in a
// cookie, so that no other can end it (RFC 9700 §4.7.1) and strangers fill no store.
type attempt struct {
	Purpose  purpose `json:"k"`
	Provider string  `json:"p"`
	State    string  `json:"s"`
	Nonce    string  `json:"n,omitempty"`
	Verifier string  `json:"v"` // of PKCE (RFC 7636)
	MaxAge   *int    `json:"m,omitempty"`
	Expires  int64   `json:"e"` // seconds since 1970

	Next string `json:"r,omitempty"` // path to lead to

	// Of an app.
	ReturnTo  string `json:"a,omitempty"`
	Challenge string `json:"c,omitempty"`
	AppState  string `json:"t,omitempty"`

	// The user that links.
	UserID string `json:"u,omitempty"`
	Stamp  string `json:"x,omitempty"`
}

// replayKey returns the key of the attempt in the [ReplayStore].
func (a *attempt) replayKey() string { return "login " + digest(a.State) }

// challenge is that of the verifier (RFC 7636 §4.2).
func challenge(verifier string) string { return digest(verifier) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// stateLength is how long newSecret's texts are.
const stateLength = 26

// idLength is how much of a state names the cookie of its attempt.
const idLength = 8

// cookie is that of an attempt: each has its own, so that a login in another tab
// does not end it. The answer of some providers is a POST of their own page.
func (l *Logins) cookie(p *provider, id string) backend.Cookie {
	c := backend.Cookie{Name: l.config.Cookie.Name + "-" + id, Insecure: l.config.Cookie.Insecure}
	if p.formPost {
		c.SameSite = http.SameSiteNoneMode
	}
	return c
}

// saveAttempt makes the random values of an attempt, and gives the attempt to the browser in a cookie.
func (l *Logins) saveAttempt(w http.ResponseWriter, r *http.Request, p *provider, a *attempt, now time.Time) error {
	a.Provider, a.State, a.Verifier = p.name, newSecret(), newSecret()+newSecret()
	if p.nonce {
		a.Nonce = newSecret()
	}
	a.Expires = now.Add(l.config.Cookie.TTL).Unix()
	return l.setAttemptCookie(w, r, p, a)
}

// encode writes "<" and "&" as they are: escaped they take six bytes.
func (a *attempt) encode() []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(a) // of strings and numbers
	return text.Bytes()
}

// openAttempt returns the attempt with a state from the cookie of the browser. Otherwise the error says why.
func (l *Logins) openAttempt(r *http.Request, p *provider, state string, now time.Time) (*attempt, error) {
	if len(state) != stateLength {
		return nil, errStateForm
	}
	c := l.cookie(p, state[:idLength])
	value, count := c.Value(r)
	switch {
	case count == 0:
		return nil, errNoAttempt
	case count > 1:
		return nil, errTwoAttempts
	}
	text, err := seal.Open(l.seals, value, l.sealContext(c.FullName()))
	if err == nil {
		text, err = unpack(text)
	}
	if err != nil {
		return nil, errSealed
	}
	a := &attempt{}
	switch {
	case json.Unmarshal(text, a) != nil:
		return nil, errSealed
	case !same(a.State, state):
		return nil, errOtherState
	case !now.Before(time.Unix(a.Expires, 0)):
		return nil, errTooLate
	}
	return a, nil
}

// clearAttempt clears the cookie of an attempt.
func (l *Logins) clearAttempt(w http.ResponseWriter, p *provider, a *attempt) {
	l.cookie(p, a.State[:idLength]).Clear(w.Header())
}
