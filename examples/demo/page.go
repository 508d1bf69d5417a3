package main

import (
	"cmp"
	"context"
	"embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/page"
	"github.com/gatewarden/auth/session"
)

//go:embed *.html
var templates embed.FS

//go:embed style.css
var styleCSS string

// site is the look of all pages, also of those that the library has.
var site = page.Site{
	Home: "/", Links: navigation, StyleSheet: page.DefaultStyle() + styleCSS,
	Help: "The person who started this demo can help, too: the log says why.",
}

// name is that of the service.
const name = "Gatewarden demo"

// navigation returns the links of the bar.
func navigation(r *http.Request) []page.Link {
	if _, ok := auth.UserFrom[*user](r.Context()); ok {
		return []page.Link{{Text: "Account", URL: "/account"}, {Text: "Sign out", URL: "/session/logout", Post: true}}
	}
	return []page.Link{{Text: "Sign in", URL: "/session/login"}}
}

// view is what every page shows.
type view struct {
	page.Layout
	Title    string
	Flashes  []string
	Fault    string
	Accounts bool // there are providers
	Page
}

// Page is what the single pages show.
type Page struct {
	URL     string
	Backend string
	Choices []external.Choice
	Answer  string

	homePage
	loginPage
	devicesPage
	accountPage
	callbackPage
}

// homePage is what the first page shows besides.
type homePage struct {
	Who   identity
	Plain bool // it is served by http
	Steps []step
	Users []account
}

// loginPage is what the page for signing in shows besides.
type loginPage struct {
	Username string
	Next     string
}

// devicesPage is what the list of devices shows besides.
type devicesPage struct {
	Devices []device
	Cursor  string // of the next page, or ""
	Later   bool   // this is not the first page
}

// accountPage is what the account page shows besides.
type accountPage struct {
	Identities  []*external.Identity
	HasPassword bool
}

// callbackPage is what the redirect URI of demo-web shows besides.
type callbackPage struct {
	Code      string
	State     string
	LoginCode string
}

// pages writes pages. They work without script.
type pages struct {
	sessions *session.Sessions
	logins   *external.Logins // nil without -provider
	oauth    *server.Server
	// providers is where forms of the account page may lead to.
	providers string
	parsed    map[string]*template.Template

	toLogin    render
	toPassword render
}

// render answers a refused request. See auth.Config.
type render = func(http.ResponseWriter, *http.Request, *auth.Problem)

// openPages parses the pages.
func (a *app) openPages(context.Context) (err error) {
	if a.pages, err = newPages(a.sessions); err != nil {
		return err
	}
	a.pages.logins, a.pages.oauth = a.logins, a.oauth
	a.pages.providers = strings.Join(append([]string{"'self' https:"}, a.origins...), " ")
	return nil
}

func newPages(sessions *session.Sessions) (*pages, error) {
	ps := &pages{sessions: sessions, parsed: make(map[string]*template.Template)}
	ps.toLogin = sessions.RedirectToLogin("/session/login", nil)
	ps.toPassword = sessions.RedirectToLogin("/session/login", ps.passwordRefused)
	for _, name := range []string{"home", "login", "password", "devices", "callback", "account", "missing"} {
		parsed, err := page.New().ParseFS(templates, "content.html", name+".html")
		if err != nil {
			return nil, err
		}
		ps.parsed[name] = parsed
	}
	return ps, nil
}

func (ps *pages) write(w http.ResponseWriter, r *http.Request, status int, page string, v view) {
	v.Layout, v.Accounts = site.Layout(r, name, v.Title), ps.logins != nil
	v.Flashes = append(v.Flashes, ps.sessions.Flashes(w, r)...)
	formAction := ""
	if page == "account" {
		formAction = ps.providers
	}
	site.Secure(w.Header(), formAction)
	w.Header().Set("Referrer-Policy", "same-origin")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = ps.parsed[page].Execute(w, v)
}

// home shows the identity of the request and what to try.
func (ps *pages) home(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ps.write(w, r, http.StatusOK, "home", view{Title: "Who you are", Page: Page{URL: url,
			homePage: homePage{Who: identityOf(r.Context()), Plain: strings.HasPrefix(url, "http:"), Steps: steps,
				Users: accounts}}})
	}
}

func (ps *pages) login(w http.ResponseWriter, r *http.Request) {
	next := r.URL.Query().Get("next")
	leadsTo := cmp.Or(next, ps.sessions.ReturnPath(w, r))
	shown := Page{Choices: ps.choices(r, leadsTo), loginPage: loginPage{Next: next}}
	// An application that sent the browser here may know which user it expects.
	if asked, err := ps.oauth.SignInRequest(r.Context(), leadsTo); err == nil && asked != nil {
		shown.Username = asked.Hint
	}
	ps.write(w, r, http.StatusOK, "login", view{Title: "Sign in", Page: shown})
}

func (ps *pages) password(w http.ResponseWriter, r *http.Request) {
	ps.write(w, r, http.StatusOK, "password", view{Title: "Change your password"})
}

// refused is the Render of the guard: it answers every request that was refused.
// Programs get problem+json. A browser gets the form again that it sent, or is sent
// to the one for signing in.
func (ps *pages) refused(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/auth/"):
		auth.WriteProblem(w, p)
	case path == "/session/password":
		ps.toPassword(w, r, p)
	case strings.HasPrefix(path, "/session/"):
		ps.loginFailed(w, r, p)
	default:
		ps.toLogin(w, r, p)
	}
}

// loginFailed shows the form for signing in again.
func (ps *pages) loginFailed(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
	if !session.WantsPage(r) {
		auth.WriteProblem(w, p)
		return
	}
	delete(w.Header(), "Www-Authenticate") // a person reads this answer
	next := r.PostFormValue("next")
	ps.write(w, r, p.Status, "login", view{Title: "Sign in", Fault: p.Detail,
		Page: Page{Choices: ps.choices(r, next),
			loginPage: loginPage{Username: r.PostFormValue("username"), Next: next}}})
}

// passwordRefused shows the form for another password again.
func (ps *pages) passwordRefused(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
	if !session.WantsPage(r) {
		auth.WriteProblem(w, p)
		return
	}
	fault := p.Detail
	if reasons, ok := p.Extensions["errors"].([]map[string]string); ok {
		var all []string
		for _, reason := range reasons {
			all = append(all, reason["detail"])
		}
		fault = strings.Join(all, " ")
	}
	ps.write(w, r, p.Status, "password", view{Title: "Change your password", Fault: fault})
}
