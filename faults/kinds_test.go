package faults

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// state is what a client knows of a credential.
type state int

const (
	live   state = iota // its issue was acknowledged
	unsure              // a request that ends it has got no answer, or 503
	ended               // its end was acknowledged, or it was refused after it was unsure
)

func (s state) String() string { return [...]string{"live", "unsure", "ended"}[s] }

// credential is what a client was given.
type credential struct {
	kind    *kind
	user    string
	header  map[string]string // that proves the user
	access  string            // the token in it
	refresh string
	made    time.Time

	state   state
	endedAt time.Time // when the client knew it
	endedBy *slot     // where

	refreshUnsure bool     // whether a refresh has got no answer
	spent         []string // refresh tokens that were used, and acknowledged so
	code          string   // that was redeemed for it
	batch         int      // the request for all of the user that it is unsure of; 0 is none
}

// kind is a kind of credential.
type kind struct {
	name string

	// issue asks for a new one. It returns nil without an answer.
	issue func(w *worker, at *slot) (*credential, answer)
	// end asks for the end of one. A status of 2xx acknowledges it.
	end func(c *credential) request
	// refresh asks for the successor of a refresh token. It is nil for kinds without one.
	refresh func(refresh string) request
	// refused is the status of a refresh token that is of no use.
	refused int
	// endsQuietly is whether the end of one that has ended already is acknowledged too.
	endsQuietly bool
	// lifetime is how long one lives at least.
	lifetime time.Duration
}

func bearer(scheme, token string) map[string]string {
	return map[string]string{"Authorization": scheme + " " + token}
}

var (
	knoxKind = &kind{name: "knox token", lifetime: time.Hour, issue: func(w *worker, at *slot) (*credential, answer) {
		a := w.send(at, request{method: "POST", path: "/auth/login/", header: as(w.user)}, "a login with knox", 200)
		token := a.member("token")
		return &credential{access: token, header: bearer("Token", token)}, a
	}, end: func(c *credential) request {
		return request{method: "POST", path: "/auth/logout/", header: c.header}
	}}

	sessionKind = &kind{name: "session", lifetime: 20 * time.Minute, endsQuietly: true,
		issue: func(w *worker, at *slot) (*credential, answer) {
			header := map[string]string{"X-Username": w.user, "Accept": "application/json"}
			a := w.send(at, request{method: "POST", path: "/session/login", header: header}, "a login with a session", 200)
			cookie := a.cookie("__Host-session")
			return &credential{access: cookie, header: map[string]string{"Cookie": cookie, "Accept": "application/json"}}, a
		}, end: func(c *credential) request {
			return request{method: "POST", path: "/session/logout", header: c.header}
		}}

	jwtKind = &kind{name: "pair of JWTs", lifetime: time.Hour, refused: http.StatusUnauthorized,
		issue: func(w *worker, at *slot) (*credential, answer) {
			a := w.send(at, request{method: "POST", path: "/api/token/", header: as(w.user)}, "a login with JWT", 200)
			c := &credential{}
			c.takePair(a, "access", "refresh")
			return c, a
		}, end: func(c *credential) request {
			return request{method: "POST", path: "/api/token/blacklist/", body: map[string]string{"refresh": c.refresh}}
		}, refresh: func(refresh string) request {
			return request{method: "POST", path: "/api/token/refresh/", body: map[string]string{"refresh": refresh}}
		}}

	machineKind = &kind{name: "token of a machine", lifetime: 8 * time.Minute, endsQuietly: true,
		issue: func(w *worker, at *slot) (*credential, answer) {
			r := tokenRequest("demo-job", "grant_type", "client_credentials")
			a := w.send(at, r, "client credentials", 200)
			token := a.member("access_token")
			return &credential{access: token, header: bearer("Bearer", token)}, a
		}, end: func(c *credential) request { return revokeRequest("demo-job", c.access) }}

	grantKind = &kind{name: "grant", lifetime: 8 * time.Minute, refused: http.StatusBadRequest, endsQuietly: true,
		issue: issueGrant,
		end:   func(c *credential) request { return revokeRequest("demo-web", c.refresh) },
		refresh: func(refresh string) request {
			return tokenRequest("demo-web", "grant_type", "refresh_token", "refresh_token", refresh)
		}}

	kinds = []*kind{knoxKind, sessionKind, jwtKind, machineKind, grantKind}
)

// takePair takes an access and a refresh token from an answer.
func (c *credential) takePair(a answer, access, refresh string) {
	c.access, c.refresh = a.member(access), a.member(refresh)
	c.header = bearer("Bearer", c.access)
}

// take takes the successor of a refresh token from an answer.
func (c *credential) take(a answer) {
	c.spent = append(c.spent, c.refresh)
	if c.kind == jwtKind {
		c.takePair(a, "access", "refresh")
	} else {
		c.takePair(a, "access_token", "refresh_token")
	}
}

// tokenRequest asks the token endpoint as a client that the demo has.
func tokenRequest(client string, pairs ...string) request {
	form := url.Values{"client_id": {client}, "client_secret": {client + "-secret"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return request{method: "POST", path: "/o/token/", form: form}
}

func revokeRequest(client, token string) request {
	r := tokenRequest(client, "token", token)
	r.path = "/o/revoke_token/"
	return r
}

func introspectRequest(client, token string) request {
	r := tokenRequest(client, "token", token)
	r.path = "/o/introspect/"
	return r
}

const verifier, redirect = "a-verifier-that-is-the-same-for-all-the-codes-of-a-test", "http://127.0.0.1/callback"

// authorizeRequest asks for a code in a browser that has a session.
func authorizeRequest(session *credential) request {
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{"response_type": {"code"}, "client_id": {"demo-web"}, "redirect_uri": {redirect},
		"scope": {"reports:read"}, "state": {"xyz"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}
	return request{method: "GET", path: "/o/authorize/?" + query.Encode(), header: browser(session)}
}

func browser(session *credential) map[string]string {
	return map[string]string{"Cookie": session.header["Cookie"], "Accept": "text/html"}
}

func redeemRequest(code string) request {
	return tokenRequest("demo-web", "grant_type", "authorization_code", "code", code, "redirect_uri", redirect,
		"code_verifier", verifier)
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// allowRequest answers the question whether demo-web is allowed in.
func allowRequest(session *credential, page []byte) request {
	form := url.Values{"allow": {"Allow"}}
	for _, input := range hiddenInput.FindAllStringSubmatch(string(page), -1) {
		form.Set(input[1], html.UnescapeString(input[2]))
	}
	return request{method: "POST", path: "/o/authorize/", header: browser(session), form: form}
}

// codeOf returns the code that an answer leads back with.
func codeOf(a answer) string {
	back, err := url.Parse(a.header.Get("Location"))
	if err != nil || !strings.HasPrefix(a.header.Get("Location"), redirect) {
		return ""
	}
	return back.Query().Get("code")
}

// issueGrant lets demo-web in, and redeems the code. The user was asked once, before the load began.
func issueGrant(w *worker, at *slot) (*credential, answer) {
	a := w.send(at, authorizeRequest(w.session), "the question for a code", 303)
	if a.outage() {
		return nil, a
	}
	code := codeOf(a)
	if code == "" {
		w.load.stats.fault("no code: %d %s %s", a.status, a.header.Get("Location"), a.body)
		return nil, a
	}
	if !w.load.ownCodes {
		at = w.pick()
	}
	a = w.send(at, redeemRequest(code), "a code", 200)
	if a.outage() {
		// It was redeemed or not. If it was, then it is refused, and what nobody has got is ended.
		a = w.send(at, redeemRequest(code), "a code once more", 200, 400)
	}
	if a.status != 200 {
		return nil, a
	}
	c := &credential{code: code}
	c.takePair(a, "access_token", "refresh_token")
	return c, a
}
