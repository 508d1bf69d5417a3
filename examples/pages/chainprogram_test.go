package pages_test

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
)

// loginProgram is an OpenID provider with the application's own login page. The policy of that page allows
// forms that lead to this service alone, as many applications have it.
type loginProgram struct {
	url      string
	mux      *http.ServeMux
	guard    *auth.Guard
	sessions *session.Sessions
	server   *server.Server
}

type person string

func (p person) UserID() string { return string(p) }

func loadPerson(_ context.Context, id string) (auth.User, error) { return person(id), nil }

// newLoginProgram serves the program by HTTPS at 127.0.0.1.
func newLoginProgram(t *testing.T) *loginProgram {
	t.Helper()
	mux := http.NewServeMux()
	service := httptest.NewTLSServer(mux)
	t.Cleanup(service.Close)
	p := &loginProgram{url: service.URL, mux: mux}
	var err error
	p.sessions, err = session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: loadPerson})
	must(t, err)
	p.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{p.sessions}})
	must(t, err)
	key, err := jwt.GenerateKey(jwt.RS256)
	must(t, err)
	keys, err := jwt.NewKeySet(key)
	must(t, err)
	p.server, err = server.New(server.Config{
		Issuer: p.url, Pages: server.Pages{Name: "Example"}, Store: server.NewMemoryStore(),
		LoadUser: loadPerson, Keys: keys,
		Scopes: []server.Scope{{Name: "reports:read", Text: "read your reports"}},
		SignIn: func(w http.ResponseWriter, r *http.Request, login server.SignInRequest) {
			http.Redirect(w, r, "/own/login?next="+url.QueryEscape(login.ReturnTo), http.StatusSeeOther)
		},
		OpenID: server.OpenIDConfig{Logout: func(w http.ResponseWriter, r *http.Request) error {
			_, err := p.sessions.Logout(w, r)
			return err
		}},
		Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	handlers, err := p.server.Handlers(p.guard)
	must(t, err)
	handlers.Register(mux)
	mux.HandleFunc("GET /own/login", showLogin)
	mux.HandleFunc("POST /own/login", p.logIn)
	mux.HandleFunc("POST /own/second", p.logIn)
	mux.HandleFunc("POST "+awayPath, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusSeeOther)
	})
	return p
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html><title>{{.Title}}</title>
<link rel="icon" href="data:,">
<form method="post" action="{{.Action}}"><input type="hidden" name="next" value="{{.Next}}">
<button name="send">{{.Title}}</button></form>`))

// showLogin shows the login form of the application.
func showLogin(w http.ResponseWriter, r *http.Request) {
	showOwnForm(w, "Password", "/own/login?second", r.URL.Query().Get("next"))
}

func showOwnForm(w http.ResponseWriter, title, action, next string) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; form-action 'self'")
	_ = loginPage.Execute(w, struct{ Title, Action, Next string }{title, action, next})
}

// logIn takes the first form, and shows one for a second factor, which signs alice in.
func (p *loginProgram) logIn(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery == "second" {
		showOwnForm(w, "Second factor", "/own/second", r.FormValue("next"))
		return
	}
	if _, err := p.sessions.SignIn(w, r, person("alice"), session.Options{}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, r.FormValue("next"), http.StatusSeeOther)
}

// relyingParty is an application of the login program, at a host of a kind.
type relyingParty struct {
	kind     string // what kind of redirect URI it has
	origin   string
	redirect string
	served   chan received // nil if it is no web server
}

// received is a request that an application got.
type received struct {
	method, path string
	values       url.Values
}

// serve starts an application on a listener. The callback leads to a page of the application at another host, if
// home names one.
func (c *relyingParty) serve(t *testing.T, network, address, host string, secure bool, home string) *relyingParty {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("no %s here: %v", address, err)
	}
	c.served = make(chan received, 16)
	mux := http.NewServeMux()
	service := httptest.NewUnstartedServer(mux)
	_ = service.Listener.Close()
	service.Listener = listener
	scheme := "http"
	if secure {
		scheme = "https"
		service.StartTLS()
	} else {
		service.Start()
	}
	t.Cleanup(service.Close)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	c.origin = scheme + "://" + host + ":" + port
	c.redirect = c.origin + "/callback"
	if home == "" {
		home = host
	}
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		c.served <- received{r.Method, r.URL.Path, r.Form}
		http.Redirect(w, r, scheme+"://"+home+":"+port+"/done", http.StatusSeeOther)
	})
	mux.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>done</title><link rel="icon" href="data:,"><p id="done">done`)
		c.served <- received{r.Method, r.URL.Path, nil}
	})
	// A page of the application that sends the request by POST. Its policy names the issuer alone.
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
		to, err := url.Parse(r.URL.Query().Get("to"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fields := to.Query()
		to.RawQuery = ""
		w.Header().Set("Content-Security-Policy", "form-action "+to.Scheme+"://"+to.Host)
		_ = formPage.Execute(w, struct {
			Action string
			Fields url.Values
		}{to.String(), fields})
	})
	return c
}

// relyingParties returns one application of each kind. Their callbacks lead on to another host of theirs, where
// there is one.
func relyingParties(t *testing.T) []*relyingParty {
	return []*relyingParty{
		(&relyingParty{kind: "http of 127.0.0.1"}).serve(t, "tcp4", "127.0.0.1:0", "127.0.0.1", false, "localhost"),
		(&relyingParty{kind: "http of [::1]"}).serve(t, "tcp6", "[::1]:0", "[::1]", false, ""),
		(&relyingParty{kind: "http of localhost"}).serve(t, "tcp4", "127.0.0.1:0", "localhost", false, "127.0.0.1"),
		(&relyingParty{kind: "https of another host"}).serve(t, "tcp4", "127.0.0.1:0", "client.example", true,
			"www.client.example"),
	}
}

// register adds an application to the program.
func (p *loginProgram) register(t *testing.T, c *relyingParty, id string, firstParty bool) {
	t.Helper()
	registration := server.Registration{ClientID: id, ClientName: "Application", FirstParty: firstParty,
		RedirectURIs: []string{c.redirect}, GrantTypes: []string{server.GrantAuthorizationCode}}
	if c.origin != "" {
		registration.PostLogoutRedirectURIs = []string{c.origin + "/done"}
	} else {
		registration.PostLogoutRedirectURIs = []string{c.redirect}
	}
	_, _, err := p.server.AddClient(t.Context(), registration)
	must(t, err)
}

// authorize returns the address to which an application sends a browser.
func (p *loginProgram) authorize(c *relyingParty, id string, more ...string) string {
	values := fields("response_type", "code", "client_id", id, "redirect_uri", c.redirect, "scope", "openid",
		"state", "some state", "code_challenge_method", "S256",
		"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
	for name, all := range fields(more...) {
		values[name] = all
	}
	return p.url + "/o/authorize/?" + values.Encode()
}

// awayPath leads to another host, which no page of the program allows.
const awayPath = "/own/away"

// chainTime is the longest that a chain of redirects takes.
const chainTime = 20 * time.Second
