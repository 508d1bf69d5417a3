package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
)

// reused is a ResponseWriter without costs of its own.
type reused struct {
	header http.Header
	status int
	body   []byte
}

func (w *reused) Header() http.Header         { return w.header }
func (w *reused) WriteHeader(status int)      { w.status = status }
func (w *reused) Write(p []byte) (int, error) { w.body = p; return len(p), nil }

func bearer(token string) *http.Request {
	return request("GET", "/", "Authorization", "Bearer "+token)
}

func TestRefusalAllocates(t *testing.T) {
	static := errors.New("a cause")
	for _, row := range []struct {
		name string
		err  error
		sent string // Authorization, or "" if it is not sent
	}{
		{"nothing for an unknown token", &auth.Error{Kind: auth.ErrInvalid, Detail: "Invalid token.", Cause: static},
			"Bearer x"},
		{"nothing for a token that is not recognized", &auth.Error{Kind: auth.ErrUnrecognized, Cause: static},
			"Bearer x"},
		{"nothing for a malformed token", &auth.Error{Kind: auth.ErrMalformed, Cause: static}, "Bearer x"},
		{"nothing for a bare kind", auth.ErrInvalid, "Bearer x"},
		{"nothing for an inactive user", auth.ErrUserInactive, "Bearer x"},
		{"nothing without credentials", auth.ErrNoCredentials, ""},
		{"nothing for a scheme that no backend speaks", auth.ErrNoCredentials, "Token x"},
		{"nothing for a bare token", auth.ErrNoCredentials, "x"},
		{"nothing for a header of 1 MiB", auth.ErrInvalid, "Bearer " + strings.Repeat("x", 1<<20)},
	} {
		t.Run(row.name, func(t *testing.T) {
			guard := guardOf(t, refusing(row.err))
			handler := guard.Require()(http.NotFoundHandler())
			r := httptest.NewRequest("GET", "/", nil)
			if row.sent != "" {
				r.Header.Set("Authorization", row.sent)
			}
			w := &reused{header: http.Header{}}
			if n := testing.AllocsPerRun(100, func() {
				clear(w.header)
				handler.ServeHTTP(w, r)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if w.status < 400 || !json.Valid(w.body) {
				t.Errorf("answered %d %q", w.status, w.body)
			}
		})
	}
}

// Of the errors of an application, each has its own sentence.
func TestPreparedAnswer(t *testing.T) {
	var stated error
	backend := refusing(nil)
	backend.answer = func(*http.Request) (auth.User, auth.Credential, error) { return nil, nil, stated }
	guard := guardOf(t, backend)
	// MapProblem makes the Guard write each answer anew.
	anew := guard.MapProblem(func(*http.Request, *auth.Problem) {})
	t.Run("is the one that is written anew, byte for byte", func(t *testing.T) {
		for i := range 300 { // more than are kept
			details := []string{"", "A <b> & \"c\"", fmt.Sprintf("Number %d.", i%100), "ungültig\xff"}
			stated = &auth.Error{
				Kind: []error{auth.ErrNoCredentials, auth.ErrUnrecognized, auth.ErrInvalid, auth.ErrMalformed,
					auth.ErrInsufficient, auth.ErrCrossOrigin, auth.ErrThrottled, auth.ErrInternal, nil}[i%9],
				Detail: details[i%4], Status: []int{0, 401, 415}[i%3], Code: []string{"", "other"}[i%2],
				RetryAfter: time.Duration(i%3) * 5 * time.Second, Cause: errors.New("cause"),
			}
			for _, r := range []*http.Request{bearer("x"), httptest.NewRequest("GET", "/", nil)} {
				got, want := httptest.NewRecorder(), httptest.NewRecorder()
				guard.Require()(http.NotFoundHandler()).ServeHTTP(got, r)
				anew.Require()(http.NotFoundHandler()).ServeHTTP(want, r)
				if got.Code != want.Code || !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) ||
					!maps.EqualFunc(got.Header(), want.Header(), func(a, b []string) bool {
						return fmt.Sprint(a) == fmt.Sprint(b)
					}) {
					t.Fatalf("%+v\nanswered %d %v %s\nwant     %d %v %s", stated, got.Code, got.Header(), got.Body,
						want.Code, want.Header(), want.Body)
				}
			}
		}
	})
	t.Run("stays as it is when a middleware adds to the headers", func(t *testing.T) {
		stated = auth.ErrInvalid
		var first string
		for range 3 {
			w := httptest.NewRecorder()
			w.Header().Set("WWW-Authenticate", "Outer")
			guard.Require()(http.NotFoundHandler()).ServeHTTP(w, bearer("x"))
			for _, name := range []string{"WWW-Authenticate", "Vary", "Cache-Control", "Content-Type"} {
				w.Header().Add(name, "more")
			}
			if all := fmt.Sprint(w.Header()); first == "" {
				first = all
			} else if all != first {
				t.Fatalf("then the answer had %s\nbefore it had       %s", all, first)
			}
		}
		if !strings.Contains(first, "[Outer Bearer realm") {
			t.Errorf("the challenges are not behind those that were there: %s", first)
		}
	})
	t.Run("stays as it is when a Render changes the problem", func(t *testing.T) {
		rendering := newGuard(t, auth.Config{Backends: []auth.Authenticator{backend},
			Render: func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) {
				if p.Detail != "Incorrect authentication credentials." || p.Challenges[0].Scheme != "Bearer" ||
					!errors.Is(p.Err, auth.ErrInvalid) {
					t.Errorf("Render got %+v", p)
				}
				params := p.Challenges[0].Params
				for i := range params {
					if strings.HasSuffix(params[i].Value, "changed") {
						t.Errorf("Render got what it changed before: %+v", p)
					}
					params[i].Value += "changed"
				}
				p.Challenges[0].Params = append(params, auth.Param{Name: "more", Value: "changed"})
				p.Challenges[0].Scheme, p.Detail, p.Status = "Changed", "changed", 418
				auth.WriteProblem(w, p)
			}})
		for range 2 {
			w := httptest.NewRecorder()
			rendering.Require()(http.NotFoundHandler()).ServeHTTP(w, bearer("x"))
			if w.Code != 418 {
				t.Errorf("answered %d", w.Code)
			}
		}
	})
	t.Run("is of the guard's own challenges", func(t *testing.T) {
		stated = auth.ErrNoCredentials
		both := newGuard(t, auth.Config{Backends: []auth.Authenticator{refusing(auth.ErrNoCredentials)},
			Challenges: []auth.Challenge{{Scheme: "Basic"}}})
		for _, g := range []*auth.Guard{both, both.WithoutDialog(), both} {
			w := httptest.NewRecorder()
			g.Require()(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if got := strings.Contains(fmt.Sprint(w.Header()["Www-Authenticate"]), "Basic"); got != (g == both) {
				t.Errorf("challenges %v", w.Header()["Www-Authenticate"])
			}
		}
	})
	t.Run("still reaches the observer and the log", func(t *testing.T) {
		var lines bytes.Buffer
		events := 0
		told := newGuard(t, auth.Config{Backends: []auth.Authenticator{backend},
			Logger:   slog.New(slog.NewTextHandler(&lines, nil)),
			Observer: auth.ObserverFunc(func(_ context.Context, e auth.Event) { events++ })})
		stated = &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("the cause")}
		for range 3 {
			told.Require()(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), bearer("x"))
		}
		if n := strings.Count(lines.String(), "the cause"); n != 3 || events != 3 {
			t.Errorf("%d lines and %d events for 3 refusals", n, events)
		}
	})
}

func TestPreparedAnswerUnderRace(t *testing.T) {
	backend := refusing(nil)
	backend.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
		_, token, _ := auth.TokenFrom(r, "Bearer")
		return nil, nil, &auth.Error{Kind: auth.ErrInvalid, Detail: "No " + token + ".", Cause: errors.New("cause")}
	}
	server := httptest.NewServer(guardOf(t, backend).Require()(http.NotFoundHandler()))
	defer server.Close()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 100 {
				want := fmt.Sprint(i % 80)
				r, err := http.NewRequest("GET", server.URL, nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+want)
				answer, err := server.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode != 401 || !strings.Contains(string(body), `"detail":"No `+want+`."`) {
					t.Errorf("client %d asked for %s and got %d %s", n, want, answer.StatusCode, body)
				}
			}
		})
	}
	all.Wait()
}

func TestChainAllocates(t *testing.T) {
	t.Run("no more for backends that do not recognize a token", func(t *testing.T) {
		unrecognized := &auth.Error{Kind: auth.ErrUnrecognized, Cause: errors.New("another prefix")}
		proving := speaking("Bearer", nil)
		var known auth.User = user("alice")
		proving.answer = func(*http.Request) (auth.User, auth.Credential, error) { return known, explicit{}, nil }
		count := func(backends ...auth.Authenticator) float64 {
			handler := guardOf(t, backends...).Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r, w := bearer("x"), &reused{header: http.Header{}}
			return testing.AllocsPerRun(100, func() {
				clear(w.header)
				handler.ServeHTTP(w, r)
			})
		}
		other := func(name string) auth.Authenticator {
			b := refusing(unrecognized)
			b.name = name
			return b
		}
		one := count(proving)
		five := count(other("a"), other("b"), other("c"), other("d"), proving)
		if one != five || one != 2 {
			t.Errorf("a proof takes %v allocations alone and %v as the fifth, want 2", one, five)
		}
	})
}

// explicit is a credential that no browser adds.
type explicit struct{}

func (explicit) Backend() string { return "own" }
func (explicit) Ambient() bool   { return false }

func TestAnswerOfSeveralBackends(t *testing.T) {
	t.Run("is what the first one says that says something", func(t *testing.T) {
		quiet, saying := refusing(auth.ErrUnrecognized), refusing(&auth.Error{Kind: auth.ErrUnrecognized,
			Code: "token_not_valid", Detail: "Given token not valid for any token type",
			Params: []auth.Param{{Name: "scope", Value: "read"}}, Cause: errors.New("another issuer")})
		quiet.name, saying.name = "quiet", "saying"
		w := do(guardOf(t, quiet, saying).Require()(whoami), bearer("x"))
		wantStatus(t, w, 401)
		if member(t, w, "code") != "token_not_valid" || !strings.Contains(w.Header().Get("WWW-Authenticate"),
			`scope="read"`) {
			t.Errorf("answered %s %v", w.Body, w.Header())
		}
	})
	t.Run("is 500 for a typed nil credential of an ambient backend", func(t *testing.T) {
		ambient := speaking("Cookie", nil)
		ambient.ambient = true
		ambient.answer = func(*http.Request) (auth.User, auth.Credential, error) {
			return user("alice"), (*pointed)(nil), nil
		}
		wantStatus(t, get(guardOf(t, ambient).Require()(whoami)), 500)
	})
}

// pointed is a credential whose methods need more than a nil pointer.
type pointed struct{ ambient bool }

func (p *pointed) Backend() string { return "pointed" }
func (p *pointed) Ambient() bool   { return p.ambient }

func TestInnerLayerAsksForTheOriginAgain(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	protection.AddInsecureBypassPattern("/dav/")
	ambient := speaking("Cookie", nil)
	ambient.ambient = true
	guard := newGuard(t, auth.Config{Backends: []auth.Authenticator{ambient}, CrossOrigin: protection})
	for _, method := range []string{"POST", "PROPFIND", "DELETE"} {
		t.Run("not for "+method+", which the outer layer was asked about", func(t *testing.T) {
			handler := guard.Require()(http.StripPrefix("/dav", guard.Require()(whoami)))
			wantStatus(t, do(handler, request(method, "/dav/x", "Sec-Fetch-Site", "cross-site")), 200)
		})
	}
	t.Run("for another method", func(t *testing.T) {
		handler := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.Method = "DELETE"
			guard.Require()(whoami).ServeHTTP(w, r)
		}))
		wantStatus(t, do(handler, request("GET", "/x", "Sec-Fetch-Site", "cross-site")), 403)
	})
}
