package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// This file builds the lines of knox, session and chains, with stores in memory.

func newKnox(w *world, name, prefix string) (*knox.Tokens, error) {
	return knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: w.load, Name: name,
		Token: knox.TokenSettings{Prefix: prefix}})
}

// issueKnox returns a token of each user.
func issueKnox(w *world, tokens *knox.Tokens) ([]string, error) {
	all := make([]string, len(w.ids))
	for i, id := range w.ids {
		issued, err := tokens.Issue(context.Background(), id, knox.Options{})
		if err != nil {
			return nil, err
		}
		all[i] = issued.Secret.Reveal()
	}
	return all, nil
}

// knoxClient returns a client with the tokens of all users, behind a Guard with tokens after others.
func knoxClient(w *world, tokens *knox.Tokens, others ...auth.Authenticator) (c *client, secrets []string, err error) {
	if secrets, err = issueKnox(w, tokens); err != nil {
		return nil, nil, err
	}
	handler, err := w.guard(append(others, tokens)...)
	if err != nil {
		return nil, nil, err
	}
	return w.authorized(handler, "Token", secrets), secrets, nil
}

func knoxMemory(w *world) (comparison, error) {
	tokens, err := newKnox(w, "", "")
	if err != nil {
		return comparison{}, err
	}
	ours, secrets, err := knoxClient(w, tokens)
	if err != nil {
		return comparison{}, err
	}
	return pair(ours, w.authorized(w.floorHeader("Token", secrets), "Token", secrets))
}

const cookieName = "__Host-session"

func newSessions(w *world) (*session.Sessions, error) {
	return session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: w.load})
}

// signIn returns the cookie's value of a session of each user.
func signIn(w *world, sessions *session.Sessions) ([]string, error) {
	all := make([]string, len(w.ids))
	for i, id := range w.ids {
		recorder := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "https://app.example/", nil)
		if _, err := sessions.SignIn(recorder, r, w.users[id], session.Options{}); err != nil {
			return nil, err
		}
		for _, cookie := range recorder.Result().Cookies() {
			if cookie.Name == cookieName {
				all[i] = cookie.Value
			}
		}
	}
	return all, nil
}

// cookies returns the Cookie headers of a browser that has two more.
func cookies(values []string) []string {
	all := make([]string, len(values))
	for i, value := range values {
		all[i] = "theme=dark; " + cookieName + "=" + value + "; lang=en"
	}
	return all
}

// sessionClient returns a client with a session of each user.
func sessionClient(w *world, sessions *session.Sessions) (c *client, values []string, err error) {
	if values, err = signIn(w, sessions); err != nil {
		return nil, nil, err
	}
	handler, err := w.guard(sessions)
	if err != nil {
		return nil, nil, err
	}
	return w.client(handler, "Cookie", cookies(values), http.StatusOK), values, nil
}

func sessionMemory(w *world) (comparison, error) {
	sessions, err := newSessions(w)
	if err != nil {
		return comparison{}, err
	}
	ours, values, err := sessionClient(w, sessions)
	if err != nil {
		return comparison{}, err
	}
	least := floor.Cookie(cookieName, floor.FinderOf(w.table(values), w.users), w.innerFloor())
	return pair(ours, w.client(least, "Cookie", cookies(values), http.StatusOK))
}

func oneSession(w *world) (*client, error) {
	sessions, err := newSessions(w)
	if err != nil {
		return nil, err
	}
	c, _, err := sessionClient(w, sessions)
	return c, err
}

// oneKnox is what chains are compared with.
func oneKnox(w *world) (*client, error) {
	tokens, err := newKnox(w, "", "")
	if err != nil {
		return nil, err
	}
	c, _, err := knoxClient(w, tokens)
	return c, err
}

func chainOfKnox(w *world) (comparison, error) {
	var chain []auth.Authenticator
	for _, name := range []string{"b", "c", "d", "e"} {
		other, err := newKnox(w, name, name+"_")
		if err != nil {
			return comparison{}, err
		}
		chain = append(chain, other)
	}
	return chainBeforeKnox(w, chain)
}

func chainOfKinds(w *world) (comparison, error) {
	basic, err := header.NewBasic(header.BasicConfig{LoadUser: w.load,
		Check: func(*http.Request, string, string) (auth.User, error) { return nil, auth.ErrInvalid }})
	if err != nil {
		return comparison{}, err
	}
	proxied, err := header.New(header.Config{Header: "X-Username", LoadUser: w.load,
		Trust: header.Trust{SecretHeader: "X-Proxy-Secret", Secret: "0123456789abcdef"}})
	if err != nil {
		return comparison{}, err
	}
	sessions, errSessions := newSessions(w)
	verifier, errVerifier := newVerifier(w, testKey("ES256"), 0)
	if err := errors.Join(errSessions, errVerifier); err != nil {
		return comparison{}, err
	}
	return chainBeforeKnox(w, []auth.Authenticator{basic, proxied, sessions, verifier})
}

func chainBeforeKnox(w *world, chain []auth.Authenticator) (comparison, error) {
	tokens, err := newKnox(w, "", "")
	if err != nil {
		return comparison{}, err
	}
	ours, _, err := knoxClient(w, tokens, chain...)
	if err != nil {
		return comparison{}, err
	}
	one, err := oneKnox(w)
	if err != nil {
		return comparison{}, err
	}
	return pair(ours, one)
}

// refusedKnox compares refused values of the Authorization header with tokens that pass.
func refusedKnox(values []string, status int) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		good, err := oneKnox(w)
		if err != nil {
			return comparison{}, err
		}
		return pair(w.client(good.handler, "Authorization", values, status), good)
	}
}

// unknownKnox presents tokens that have the right shape and checksum, and that the store does not know.
func unknownKnox(w *world) (comparison, error) {
	good, err := oneKnox(w)
	if err != nil {
		return comparison{}, err
	}
	elsewhere, err := newKnox(w, "", "")
	if err != nil {
		return comparison{}, err
	}
	unknown, err := issueKnox(w, elsewhere)
	if err != nil {
		return comparison{}, err
	}
	return pair(w.client(good.handler, "Authorization", prefixed("Token ", unknown), http.StatusUnauthorized), good)
}

var (
	garbage  = strings.Repeat("x", 40)
	mebibyte = strings.Repeat("x", 1<<20)
	dots     = strings.Repeat(".", 1<<20)
)
