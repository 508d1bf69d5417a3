package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/benchmarks/internal/paired"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// This file is a service with every backend, as an instance runs it.

const (
	issuerURL, resource = "https://login.example", "https://api.example/"
	loginPassword       = "correct horse battery staple"
)

// member is a user with a password. The stamp never changes here.
type member struct{ account }

func (m *member) AuthStamp() string { return "stamp of " + m.id }

func anyMember(_ context.Context, id string) (auth.User, error) { return &member{account{id}}, nil }

// service has the backends of an instance, on one engine.
type service struct {
	knox      *knox.Tokens
	sessions  *session.Sessions
	pairs     *jwt.Tokens
	keys      *jwt.KeySet
	signing   *jwt.Key
	provider  *server.Server
	client    *server.Client
	resource  *oauth2.Resource
	passwords *password.Authenticator
	basic     *header.Basic
	verifier  *jwt.Verifier
}

// newService wires the backends.
func newService(ctx context.Context, b *backends) (*service, error) {
	s := &service{}
	var err error
	if s.signing, err = jwt.GenerateKey(jwt.ES256); err != nil {
		return nil, err
	}
	if s.keys, err = jwt.NewKeySet(s.signing); err != nil {
		return nil, err
	}
	steps := []func() error{
		func() (err error) {
			s.knox, err = knox.New(knox.Config{Store: b.knox, LoadUser: anyMember, Logger: quiet})
			return err
		},
		func() (err error) {
			s.sessions, err = session.New(session.Config{Store: b.sessions, LoadUser: anyMember})
			return err
		},
		func() (err error) {
			s.pairs, err = jwt.New(jwt.Config{Issuer: issuerURL, Keys: s.keys, Store: b.jwt, LoadUser: anyMember,
				Lifetimes: jwt.Lifetimes{Access: time.Hour}, Logger: quiet})
			return err
		},
		func() (err error) {
			s.verifier, err = jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: issuerURL,
				Audience: []string{issuerURL}, Keys: s.keys, Profile: jwt.Gatewarden(), LoadUser: anyMember}}})
			return err
		},
		s.addPasswords, func() error { return s.addOAuth(ctx, b.oauth) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// addPasswords has every user log in by the same password. Addresses are not throttled: all clients come from one.
func (s *service) addPasswords() error {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		return err
	}
	hash, err := hasher.Hash(context.Background(), loginPassword)
	if err != nil {
		return err
	}
	s.passwords, err = password.New(password.Config{Hasher: hasher, AllowUnthrottled: true, Logger: quiet,
		Account: func(_ context.Context, name string) (auth.User, string, error) {
			return &member{account{name}}, hash, nil
		}})
	if err != nil {
		return err
	}
	s.basic, err = header.NewBasic(header.BasicConfig{Check: s.passwords.Check, LoadUser: anyMember})
	return err
}

func (s *service) addOAuth(ctx context.Context, store server.Store) (err error) {
	s.provider, err = server.New(server.Config{Issuer: issuerURL, Store: store, Keys: s.keys,
		OpenID: server.OpenIDConfig{IDTokenAlgorithm: jwt.ES256}, LoadUser: anyMember,
		SignIn: func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
		Scopes: []server.Scope{{Name: "read"}}, Resources: []server.Resource{{ID: resource}},
		Tokens: server.TokenConfig{Lifetimes: server.Lifetimes{Access: time.Hour}}, Logger: quiet})
	if err != nil {
		return err
	}
	s.client, _, err = s.provider.AddClient(ctx, server.Registration{ClientID: fmt.Sprintf("web-%d", os.Getpid()),
		FirstParty: true, RedirectURIs: []string{"https://web.example/callback"},
		GrantTypes: []string{"authorization_code"}})
	if err != nil {
		return err
	}
	s.resource, err = oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{s.provider},
		LoadUser: anyMember})
	return err
}

// routes returns the handler of an instance with a name, which each answer has.
func (s *service) routes(name string) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /open/{user}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.PathValue("user")))
	})
	for _, one := range []struct {
		name    string
		backend auth.Authenticator
	}{{"knox", s.knox}, {"session", s.sessions}, {"jwt", s.pairs}, {"jwks", s.verifier}, {"oauth", s.resource},
		{"basic", s.basic}} {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{one.backend}, Logger: quiet})
		if err != nil {
			return nil, err
		}
		mux.Handle("GET /"+one.name+"/{user}", guard.Require()(http.HandlerFunc(writeMember)))
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.knox, s.pairs, s.sessions},
		Login: []auth.Authenticator{s.passwords}, Logger: quiet})
	if err != nil {
		return nil, err
	}
	tokens, err := s.knox.Handlers(guard)
	if err != nil {
		return nil, err
	}
	pairs, err := s.pairs.Handlers(guard)
	if err != nil {
		return nil, err
	}
	mux.Handle("POST /login", tokens.Login)
	mux.Handle("POST /logout", tokens.Logout)
	mux.Handle("GET /tokens", tokens.Tokens)
	mux.Handle("POST /pair", pairs.Obtain)
	mux.Handle("POST /refresh", pairs.Refresh)
	mux.HandleFunc("GET /usage", writeUsage)
	mux.HandleFunc("POST /credentials/{backend}", s.writeCredentials)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Instance", name)
		mux.ServeHTTP(w, r)
	}), nil
}

// writeMember answers with the user's identifier.
func writeMember(w http.ResponseWriter, r *http.Request) {
	if user, ok := auth.UserFrom[*member](r.Context()); ok {
		_, _ = w.Write([]byte(user.id))
	}
}

// usage is what the process takes.
type usage struct {
	CPU        time.Duration `json:"cpu"`
	Resident   uint64        `json:"resident"` // bytes
	Heap       uint64        `json:"heap"`     // bytes that are live after a collection, if it was asked for
	Goroutines int           `json:"goroutines"`
}

func writeUsage(w http.ResponseWriter, r *http.Request) {
	u := usage{CPU: paired.CPUTime(), Goroutines: runtime.NumGoroutine(), Resident: resident()}
	if r.FormValue("heap") != "" {
		u.Heap = live()
	}
	_ = json.NewEncoder(w).Encode(u)
}

// resident returns the resident memory of this process as Linux tells it, or 0.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

// writeCredentials answers with values of the header that proves the first n users.
func (s *service) writeCredentials(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	values := make([]string, n)
	for i := range values {
		var err error
		if values[i], err = s.credential(r.Context(), r.PathValue("backend"), userID(i)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	_ = json.NewEncoder(w).Encode(values)
}

// credential returns what proves a user.
func (s *service) credential(ctx context.Context, backend, user string) (string, error) {
	switch backend {
	case "open":
		return "Token " + strings.Repeat("0", 40), nil
	case "knox":
		issued, err := s.knox.Issue(ctx, user, sampleOptions)
		if err != nil {
			return "", err
		}
		return "Token " + issued.Secret.Reveal(), nil
	case "session":
		return s.cookie(user)
	case "jwt", "jwks":
		pair, err := s.pairs.Issue(ctx, user, jwt.Options{})
		if err != nil {
			return "", err
		}
		return "Bearer " + pair.Access.Reveal(), nil
	case "oauth":
		response, err := s.provider.Issue(ctx, server.Issuance{Client: s.client, Type: "authorization_code",
			UserID: user, Scopes: []string{"read"}})
		if err != nil {
			return "", err
		}
		return "Bearer " + response.AccessToken().Reveal(), nil
	case "basic":
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, loginPassword)
		return r.Header.Get("Authorization"), nil
	}
	return "", errors.New("there is no backend " + backend)
}

// cookie signs a user in.
func (s *service) cookie(user string) (string, error) {
	w := httptest.NewRecorder()
	login := httptest.NewRequest(http.MethodPost, "https://app.example/", nil)
	_, err := s.sessions.SignIn(w, login, &member{account{user}}, session.Options{})
	if err != nil {
		return "", err
	}
	for _, line := range w.Header()["Set-Cookie"] {
		if cookie, err := http.ParseSetCookie(line); err == nil && strings.HasSuffix(cookie.Name, "session") {
			return cookie.Name + "=" + cookie.Value, nil
		}
	}
	return "", http.ErrNoCookie
}
