package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// mount gives every handler the guard, and a path.
func (a *app) mount() error {
	mux := http.NewServeMux()
	for _, mount := range []func(*http.ServeMux) error{a.mountTokens, a.mountSessions, a.mountOAuth, a.mountLogins} {
		if err := mount(mux); err != nil {
			return err
		}
	}
	a.mountAPI(mux)
	a.mountPages(mux)
	a.handler = a.withNotFound(mux)
	return nil
}

// mountTokens mounts the logins of programs.
func (a *app) mountTokens(mux *http.ServeMux) error {
	tokens, err := a.tokens.Handlers(a.guard)
	if err != nil {
		return err
	}
	pairs, err := a.pairs.Handlers(a.guard)
	if err != nil {
		return err
	}
	tokens.Register(mux, "/auth")
	pairs.Register(mux, "/api/token")
	mux.Handle("/.well-known/jwks.json", jwt.NewJWKSHandler(a.keyring, 5*time.Minute))
	return nil
}

// mountSessions mounts the login of people, and the change of their password.
func (a *app) mountSessions(mux *http.ServeMux) error {
	sessions, err := a.sessions.Handlers(a.guard)
	if err != nil {
		return err
	}
	// As lenient as Django, for trying things out. Without Validators there are
	// stricter ones.
	common, err := password.NotInList(strings.NewReader(
		"password\npassword1\npassword123\n12345678\nqwertyuiop\niloveyou\n"))
	if err != nil {
		return err
	}
	change, err := password.NewChange(a.guard, password.ChangeConfig{
		Authenticator: a.passwords, Redirect: "/devices?changed",
		UpdateConfig: password.UpdateConfig{
			Hasher: a.hasher, Set: a.users.setPassword, LoadUser: a.users.load, Observer: a.observer,
			Revokers: []auth.Revoker{a.sessions, a.tokens, a.pairs, a.oauth},
			Validators: password.Validators{
				password.MinLength(8), password.NotNumeric(), password.NotSimilar(), common},
			Attributes: func(u auth.User) []password.Attribute {
				return []password.Attribute{{Name: "username", Value: u.UserID()}}
			},
		},
	})
	if err != nil {
		return err
	}
	sessions.Register(mux, "/session")
	mux.Handle("POST /session/logout", a.signOut(sessions.Logout))
	mux.Handle("POST /session/password", change)
	return nil
}

// mountOAuth mounts the authorization server.
func (a *app) mountOAuth(mux *http.ServeMux) error {
	handlers, err := a.oauth.Handlers(a.guard)
	if err != nil {
		return err
	}
	handlers.Register(mux)
	a.api.Register(mux)
	return nil
}

// mountLogins mounts the logins with accounts at a -provider.
func (a *app) mountLogins(mux *http.ServeMux) error {
	if a.logins == nil {
		return nil
	}
	handlers, err := a.logins.Handlers(a.guard)
	if err != nil {
		return err
	}
	handlers.Register(mux)
	return nil
}

// mountAPI mounts what every backend is in front of.
func (a *app) mountAPI(mux *http.ServeMux) {
	anyone := a.guard.Optional(auth.AllowMachines)
	signedIn := a.guard.Require(auth.AllowMachines)
	reading := a.guard.Require(auth.AllowMachines, auth.FullAccessOr("reports:read"))
	writing := a.guard.Require(auth.AllowMachines, auth.FullAccessOr("reports:write"))
	admins := a.guard.Require(auth.FullAccess, auth.UserIs(func(u *user) bool { return u.admin }))
	mux.HandleFunc("GET /healthz", a.health)
	mux.Handle("GET /api/me", signedIn(http.HandlerFunc(whoami)))
	mux.Handle("GET /api/public", anyone(http.HandlerFunc(whoami)))
	mux.Handle("GET /api/reports", reading(http.HandlerFunc(whoami)))
	mux.Handle("POST /api/reports", writing(http.HandlerFunc(whoami)))
	mux.Handle("POST /api/users/{name}/disable", admins(a.switchUser(false)))
	mux.Handle("POST /api/users/{name}/enable", admins(a.switchUser(true)))
}

// mountPages mounts what people look at.
func (a *app) mountPages(mux *http.ServeMux) {
	visitors, members := a.guard.Optional(auth.AllowMachines), a.guard.Require(auth.FullAccess)
	mux.Handle("GET /{$}", visitors(a.pages.home(a.url)))
	mux.Handle("GET /callback", visitors(http.HandlerFunc(a.callback)))
	mux.HandleFunc("POST /callback", a.callback) // response_mode=form_post
	mux.Handle("GET /session/login", visitors(http.HandlerFunc(a.pages.login)))
	mux.Handle("GET /session/password", members(http.HandlerFunc(a.pages.password)))
	mux.Handle("GET /account", members(http.HandlerFunc(a.account)))
	mux.Handle("GET /devices", members(http.HandlerFunc(a.devices)))
	mux.Handle("POST /devices", members(http.HandlerFunc(a.endDevice)))
}

// signOut tells people that they are signed out, on the next page.
func (a *app) signOut(logout http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if session.WantsPage(r) && a.guard.CheckOrigin(r) == nil {
			a.sessions.AddFlash(w, r, "You are signed out.")
		}
		logout.ServeHTTP(w, r)
	})
}

func (a *app) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := a.ping(ctx); err != nil {
		a.logger.WarnContext(ctx, "the store does not answer", "error", database.Line(err))
		http.Error(w, "store does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// identity is the user of a request, as the API tells it.
type identity struct {
	User    any      `json:"user"` // null for a stranger and for a machine
	Backend string   `json:"backend,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Client  string   `json:"client,omitempty"`
}

func identityOf(ctx context.Context) (id identity) {
	if u, ok := auth.UserFrom[*user](ctx); ok {
		id.User = u.name
	}
	if m, ok := auth.UserFrom[auth.Machine](ctx); ok {
		id.Client = m.ID
	}
	if c, ok := auth.CredentialFrom[auth.Credential](ctx); ok {
		id.Backend = c.Backend()
		if scoped, ok := auth.As[auth.Scoped](c); ok {
			id.Scopes, _ = scoped.Scopes()
		}
		if token, ok := auth.As[*oauth2.Token](c); ok {
			id.Client = token.ClientID
		}
	}
	return id
}

func whoami(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(identityOf(r.Context()))
}

func (a *app) switchUser(active bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch found, err := a.users.setActive(r.Context(), r.PathValue("name"), active); {
		case err != nil:
			a.logger.ErrorContext(r.Context(), "users", "error", err)
			http.Error(w, "store does not answer", http.StatusServiceUnavailable)
		case !found:
			auth.WriteProblem(w, &auth.Problem{Status: http.StatusNotFound, Code: "not_found",
				Detail: "There is no such user."})
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
