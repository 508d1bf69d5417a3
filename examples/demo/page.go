package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/login"
	"github.com/gatewarden/auth/session"
)

//go:embed *.html
var templates embed.FS

//go:embed style.css
var styleCSS string

// pagePolicy allows pages their own style and forms, and nothing else.
var pagePolicy = "default-src 'none'; style-src " + digest(styleCSS) +
	"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// digest names a text to a Content-Security-Policy.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is what every page shows.
type view struct {
	Title, Here string
	User        string // who is signed in
	Flashes     []string
	Fault       string
	Accounts    bool // there are providers
	Page
}

// Page is what the single pages show.
type Page struct {
	Who            identity // home
	URL            string
	Steps          []step
	Users          [][2]string
	Username, Next string // login
	Devices        []device
	Cursor         string // of the next page, or ""
	Later          bool   // this is not the first page
	Backend        string
	Choices        []login.Choice
	Identities     []*login.Identity // account
	HasPassword    bool
	Code, State    string // callback
	LoginCode      string
	Answer         string
}

// pages writes pages. They work without script.
type pages struct {
	sessions *session.Sessions
	logins   *login.Logins // nil without -provider
	// accountPolicy also allows forms to lead to providers.
	accountPolicy string
	parsed        map[string]*template.Template

	toLogin, toPassword render
}

// render answers a refused request; see auth.Config.
type render = func(http.ResponseWriter, *http.Request, *auth.Problem)

// openPages parses the pages.
func (a *app) openPages(context.Context) (err error) {
	if a.pages, err = newPages(a.sessions); err != nil {
		return err
	}
	a.pages.logins = a.logins
	formAction := strings.Join(append([]string{"form-action 'self' https:"}, a.origins...), " ")
	a.pages.accountPolicy = strings.Replace(pagePolicy, "form-action 'self'", formAction, 1)
	return nil
}

func newPages(sessions *session.Sessions) (*pages, error) {
	ps := &pages{sessions: sessions, parsed: make(map[string]*template.Template)}
	ps.toLogin = sessions.RedirectToLogin("/session/login", nil)
	ps.toPassword = sessions.RedirectToLogin("/session/login", ps.passwordRefused)
	for _, name := range []string{"home", "login", "password", "devices", "callback", "account"} {
		parsed, err := template.New(name).Funcs(template.FuncMap{
			"trim": strings.TrimSpace,
			"css":  func() template.CSS { return template.CSS(styleCSS) },
		}).ParseFS(templates, "layout.html", name+".html")
		if err != nil {
			return nil, err
		}
		ps.parsed[name] = parsed
	}
	return ps, nil
}

func (ps *pages) write(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Here, v.Accounts = r.URL.Path, ps.logins != nil
	v.Flashes = append(v.Flashes, ps.sessions.Flashes(w, r)...)
	if u, ok := auth.UserFrom[*user](r.Context()); ok {
		v.User = u.name
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	if name == "account" {
		h.Set("Content-Security-Policy", ps.accountPolicy)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = ps.parsed[name].ExecuteTemplate(w, "layout", v)
}

// home shows who you are and what to try.
func (ps *pages) home(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ps.write(w, r, http.StatusOK, "home", view{Title: "Who you are", Page: Page{
			Who: identify(r.Context()), URL: url, Steps: steps,
			Users: [][2]string{{"alice", "correct-horse-battery"}, {"bob", "staple-tractor-lamp"},
				{"carol", "closed-account-99 (inactive)"}, {"admin", "only-for-the-demo"}}}})
	}
}

// callback is the redirect URI of demo-web: it shows what to do with the code.
func (ps *pages) callback(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
		ps.write(w, r, http.StatusOK, "callback", view{Title: "A code", Page: Page{URL: url, Code: r.FormValue("code"),
			LoginCode: r.FormValue("login_code"), State: r.FormValue("state"), Answer: r.FormValue("error")}})
	}
}

func (ps *pages) login(w http.ResponseWriter, r *http.Request) {
	next := r.URL.Query().Get("next")
	choices := ps.choices(r, cmp.Or(next, ps.sessions.ReturnPath(w, r)))
	ps.write(w, r, http.StatusOK, "login", view{Title: "Sign in", Page: Page{Next: next, Choices: choices}})
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
		Page: Page{Username: r.PostFormValue("username"), Next: next, Choices: ps.choices(r, next)}})
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
