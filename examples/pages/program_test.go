package pages_test

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

const (
	rightPassword = "correct-horse-battery"
	newPassword   = "a lamp, a ladder and rain"
)

type account struct{ name, encoded string }

func (a account) UserID() string    { return a.name }
func (a account) AuthStamp() string { return a.encoded }

// kind is what differs between programs.
type kind struct {
	basic     bool   // the guard has a backend for HTTP Basic
	challenge bool   // Config.Challenges has one for HTTP Basic
	login     string // path of RedirectToLogin in Config.Render, if not ""
}

// program is a service with every handler of the library that answers with pages. No
// backend of it is Silent.
type program struct {
	kind
	url       string
	user      account
	hasher    *password.Hasher
	sessions  *session.Sessions
	passwords *password.Authenticator
	guard     *auth.Guard
}

// newProgram serves a program by HTTPS, so that its cookies are those of production.
func newProgram(t *testing.T, k kind) *program {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	p := &program{kind: k, url: server.URL}
	config := auth.Config{}
	must(t, p.makeBackends(&config))
	if k.challenge {
		config.Challenges = []auth.Challenge{{Scheme: "Basic", Params: []auth.Param{{Name: "realm", Value: "api"}}}}
	}
	if k.login != "" {
		config.Render = p.sessions.RedirectToLogin(k.login, nil)
	}
	var err error
	p.guard, err = auth.New(config)
	must(t, err)
	must(t, p.mount(mux))
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *program) load(_ context.Context, id string) (auth.User, error) {
	if id != p.user.name {
		return nil, auth.ErrUserNotFound
	}
	return p.user, nil
}

// makeBackends makes what session/example_test.go makes, and Basic.
func (p *program) makeBackends(config *auth.Config) (err error) {
	if p.hasher, err = password.NewHasher(password.HasherConfig{}); err != nil {
		return err
	}
	encoded, err := p.hasher.Hash(context.Background(), rightPassword)
	if err != nil {
		return err
	}
	p.user = account{"alice", encoded}
	p.sessions, err = session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: p.load})
	if err != nil {
		return err
	}
	p.passwords, err = password.New(password.Config{
		Hasher: p.hasher, AllowUnthrottled: true,
		Account: func(ctx context.Context, name string) (auth.User, string, error) {
			user, err := p.load(ctx, name)
			return user, encoded, err
		},
	})
	if err != nil {
		return err
	}
	config.Backends = []auth.Authenticator{p.sessions}
	config.Login = []auth.Authenticator{p.passwords}
	if !p.basic {
		return nil
	}
	checked, err := header.NewBasic(header.BasicConfig{Check: p.passwords.Check, LoadUser: p.load})
	config.Backends = append(config.Backends, checked)
	return err
}

// mount serves the handlers of the library, and the pages of the application.
func (p *program) mount(mux *http.ServeMux) error {
	sessions, err := p.sessions.Handlers(p.guard)
	if err != nil {
		return err
	}
	sessions.Register(mux, "/session")
	for _, mount := range []func(*http.ServeMux) error{p.mountPasswords, p.mountServer, p.mountLogins} {
		if err := mount(mux); err != nil {
			return err
		}
	}
	mux.HandleFunc("GET /session/login", showForm)
	mux.HandleFunc("GET /form", showForm)
	mux.Handle("/account", p.guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[account](r.Context())
		_, _ = w.Write([]byte("the account of " + user.name))
	})))
	return nil
}

func (p *program) mountPasswords(mux *http.ServeMux) error {
	update := password.UpdateConfig{
		Hasher: p.hasher, LoadUser: p.load, Revokers: []auth.Revoker{p.sessions},
		Set: func(context.Context, auth.User, string) error { return errors.New("no test changes the password") },
	}
	change, err := password.NewChange(p.guard, password.ChangeConfig{UpdateConfig: update, Authenticator: p.passwords})
	if err != nil {
		return err
	}
	links, err := password.NewOneTimeTokens(password.OneTimeConfig{
		Store: password.NewMemoryOneTimeStore(), LoadUser: p.load})
	if err != nil {
		return err
	}
	reset, err := password.NewReset(p.guard, password.ResetConfig{UpdateConfig: update, Tokens: links})
	if err != nil {
		return err
	}
	mux.Handle("/password/change", change)
	mux.Handle("/password/reset", reset)
	return nil
}

func (p *program) mountServer(mux *http.ServeMux) error {
	srv, err := server.New(server.Config{
		Issuer: p.url, Store: server.NewMemoryStore(), LoadUser: p.load,
		Clients: server.ClientConfig{Developers: auth.FullAccess},
		Scopes:  []server.Scope{{Name: "reports:read", Text: "read your reports"}},
		SignIn: func(w http.ResponseWriter, r *http.Request, login server.SignInRequest) {
			http.Redirect(w, r, "/session/login?next="+url.QueryEscape(login.ReturnTo), http.StatusSeeOther)
		},
	})
	if err != nil {
		return err
	}
	handlers, err := srv.Handlers(p.guard)
	if err != nil {
		return err
	}
	handlers.Register(mux)
	return nil
}

func (p *program) mountLogins(mux *http.ServeMux) error {
	logins, err := external.New(external.Config{
		URL: p.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: external.NewMemoryStore(),
		LoadUser: p.load, Providers: []external.Provider{external.GitHub{ClientID: "id", ClientSecret: "secret"}},
		SignIn: func(w http.ResponseWriter, r *http.Request, user auth.User, proof *external.Credential) error {
			_, err := p.sessions.SignIn(w, r, user, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Pages:  external.Pages{SignInURL: "/session/login", AccountURL: "/account"},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	handlers, err := logins.Handlers(p.guard)
	if err != nil {
		return err
	}
	handlers.Register(mux)
	return nil
}

var formPage = template.Must(template.New("form").Parse(`<!doctype html><title>form</title>
<link rel="icon" href="data:,">
<form method="post" action="{{.Action}}">{{range $name, $value := .Fields}}
<input name="{{$name}}" value="{{index $value 0}}">{{end}}
<button>Send</button></form>`))

// showForm shows a form that posts the fields of the query to the path "to".
func showForm(w http.ResponseWriter, r *http.Request) {
	fields := r.URL.Query()
	action := fields.Get("to")
	fields.Del("to")
	_ = formPage.Execute(w, struct {
		Action string
		Fields url.Values
	}{action, fields})
}
