package password_test

import (
	"bytes"
	"context"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// loginsOf returns the handlers that log somebody in by passwords, by name, with a guard
// that also takes passwords everywhere.
func loginsOf(t *testing.T) (*auth.Guard, map[string]http.Handler, *bytes.Buffer) {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	load := func(_ context.Context, id string) (auth.User, error) { return user(id), nil }
	passwords := newLogin(t, func(c *password.Config) { c.AllowUnthrottled = true })
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: load})
	fatal(err)
	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: load})
	fatal(err)
	key, err := jwt.GenerateKey(jwt.EdDSA)
	fatal(err)
	keys, err := jwt.NewKeySet(key)
	fatal(err)
	pairs, err := jwt.New(jwt.Config{Keys: keys, Issuer: "https://api.example", Audience: []string{"api"},
		Store: jwt.NewMemoryStore(), LoadUser: load})
	fatal(err)
	var log bytes.Buffer
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, pairs, sessions, passwords},
		Login: []auth.Authenticator{passwords}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	fatal(err)
	byKnox, err := tokens.Handlers(guard)
	fatal(err)
	bySession, err := sessions.Handlers(guard)
	fatal(err)
	byJWT, err := pairs.Handlers(guard)
	fatal(err)
	return guard, map[string]http.Handler{"knox": byKnox.Login, "session": bySession.Login, "jwt": byJWT.Obtain,
		"jwt, sliding": byJWT.Sliding}, &log
}

func TestUnitALoginBodyOfAnotherTypeIs415(t *testing.T) {
	guard, logins, log := loginsOf(t)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	w.WriteField("username", "alice")
	w.WriteField("password", "password")
	w.Close()
	for name, login := range logins {
		t.Run(name, func(t *testing.T) {
			for kind, body := range map[string]string{"text/plain": "username=alice&password=password",
				"": `{"username":"alice","password":"password"}`, typeJSON + "; charset=latin1": `{"username":"alice"}`,
				"application/xml": "<username>alice</username>"} {
				log.Reset()
				got := serve(login, post(kind, body))
				if got.Code != 415 || got.Header().Get("Accept") != backend.AcceptedTypes {
					t.Errorf("%q: %d and Accept %q, want 415 and the types", kind, got.Code, got.Header().Get("Accept"))
				}
				if !strings.Contains(got.Body.String(), "multipart/form-data") || !strings.Contains(got.Body.String(),
					"unsupported_media_type") {
					t.Errorf("%q: the client reads %s, want the accepted types", kind, got.Body)
				}
				if got.Header().Get("WWW-Authenticate") != "" {
					t.Errorf("%q: 415 with a challenge", kind)
				}
				if line := log.String(); strings.Count(line, "status=415") != 1 ||
					!strings.Contains(line, "Content-Type") {
					t.Errorf("%q: the log has %q, want one line with the cause", kind, line)
				}
			}
			for kind, body := range map[string]string{typeForm: "username=alice&password=password",
				typeJSON: `{"username":"alice","password":"password"}`, w.FormDataContentType(): form.String()} {
				if got := serve(login, post(kind, body)); got.Code >= 400 {
					t.Errorf("%q: %d %s, want a login", kind, got.Code, got.Body)
				}
			}
			empty := post("text/plain", "")
			if got := serve(login, empty); got.Code == 415 {
				t.Errorf("no body: 415, want what a login without credentials gets")
			}
			basic := byBasic("alice", "password")
			basic.Method, basic.Body = "POST", post("", "text").Body
			if got := serve(login, basic); got.Code >= 400 {
				t.Errorf("Basic beside a text: %d %s, want a login", got.Code, got.Body)
			}
		})
	}
	// Where passwords are taken everywhere, an upload without credentials stays what it was.
	log.Reset()
	upload := httptest.NewRequest("POST", "/files", strings.NewReader("bytes"))
	upload.Header.Set("Content-Type", "application/octet-stream")
	got := serve(guard.Require()(http.NotFoundHandler()), upload)
	if got.Code != 401 || got.Header().Get("Accept") != "" || !strings.Contains(got.Body.String(),
		"were not provided") || log.Len() > 0 {
		t.Errorf("an upload: %d %s, log %q, want 401 and no line", got.Code, got.Body, log)
	}
}

func TestUnitRefusedChangesAreInTheLog(t *testing.T) {
	s := newService(t)
	change := s.change("")
	for sentence, row := range map[string]struct {
		r    *http.Request
		want []string
	}{
		"a body that lacks a field": {s.changes(typeJSON, `{"old":"password"}`),
			[]string{"status=400", "lacks old or new"}},
		"a weak password": {s.changes(typeJSON, `{"old":"password","new":"short"}`),
			[]string{"status=400", "too short"}},
		"a wrong old password": {s.changes(typeJSON, `{"old":"passwort","new":"`+newOne+`"}`),
			[]string{"status=400", "the password is wrong"}},
		"another type": {s.changes("text/plain", changeBody), []string{"status=415", "the Content-Type is",
			"text/plain"}},
	} {
		s.logged.Reset()
		w := serve(change, row.r)
		for _, want := range append(row.want, "user=alice", "backend=password") {
			if !strings.Contains(s.logged.String(), want) {
				t.Errorf("%s, %d: the log %q lacks %q", sentence, w.Code, s.logged.String(), want)
			}
		}
		if strings.Contains(w.Body.String(), "Content-Type") {
			t.Errorf("%s: the client is told the cause: %s", sentence, w.Body)
		}
	}
	d := newDesk(t)
	w := serve(d.reset(""), post(typeJSON, resetBody("garbage", newOne)))
	if w.Code != 400 || !strings.Contains(d.logged.String(), "status=400") {
		t.Errorf("%d, and the log %q", w.Code, d.logged.String())
	}
}
