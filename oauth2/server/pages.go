package server

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth/page"
)

// Pages are the pages that people see. Nil templates are those of the package, which
// work without script and by keyboard. One of your own is executed with the type
// that is named here. It may define what it likes, but its style must be in
// StyleSheet, since the Content-Security-Policy allows no other.
type Pages struct {
	// Name is what the pages call the service. Empty is the issuer's host.
	Name string

	Consent      *template.Template // ConsentPage
	Authorized   *template.Template // AuthorizedPage
	Applications *template.Template // ApplicationsPage
	Application  *template.Template // ApplicationPage
	Logout       *template.Template // LogoutPage
	Error        *template.Template // ErrorPage
	FormPost     *template.Template // FormPostPage
	Continue     *template.Template // ContinuePage
	Leave        *template.Template // LeavePage

	// Site is the look of the application around the content: navigation, style and
	// where to ask.
	Site page.Site
}

// Layout is what every page has. Its Service is Config.Pages.Name.
type Layout = page.Layout

// ConsentPage asks a user whether a client may have what it asks for.
//
// Its form is a POST to Action with the field "interaction" and, to agree, a field
// "allow" of any value. Without that field it is denied.
type ConsentPage struct {
	Layout
	Client      *Client
	Permissions []ShownPermission // what it asks for
	ReturnsTo   string            // the host, or the scheme, where the answer goes
	Native      bool              // which is a program on the user's machine
	Interaction string
	Action      string
}

// ErrorPage tells of what went wrong where no application can be told. Code is empty if
// nothing did, because the user chose to stay signed in.
type ErrorPage struct {
	Layout
	Code, Description string
}

// FormPostPage sends an answer to an application by POST (OAuth 2.0 Form Post
// Response Mode). Script may submit its form, which has a button besides.
type FormPostPage struct {
	Layout
	Action string
	Script template.JS

	params func() [][2]string // of which a code is a secret
}

// Params returns the names and values of the form's fields.
func (p FormPostPage) Params() [][2]string {
	if p.params == nil {
		return nil
	}
	return p.params()
}

// pageType is the type of every page.
const pageType = "text/html; charset=utf-8"

//go:embed templates/*.html
var files embed.FS

// submitScript is the one script there is.
const submitScript = "document.forms[0].submit()"

type pages struct {
	Pages
	script string // to the Content-Security-Policy
}

func newPages(own Pages) (*pages, error) {
	ps := &pages{Pages: own, script: page.Hash(submitScript)}
	if err := own.Site.Check(); err != nil {
		return nil, fmt.Errorf("oauth2/server: Config.Pages: %w", err)
	}
	for name, parsed := range map[string]**template.Template{
		"consent": &ps.Consent, "authorized": &ps.Authorized, "applications": &ps.Applications,
		"application": &ps.Application, "logout": &ps.Logout, "error": &ps.Error, "form_post": &ps.FormPost,
		"continue": &ps.Continue, "leave": &ps.Leave,
	} {
		if *parsed != nil {
			continue
		}
		var err error
		if *parsed, err = page.New().ParseFS(files, "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("oauth2/server: page %s: %w", name, err)
		}
	}
	return ps, nil
}

// secure sets the headers of a page (RFC 9700 §4.2.4, §4.16): it is kept nowhere,
// shown in no frame, and no address of it is told to others. A form of it may lead
// to redirect, if that is not "".
func (ps *pages) secure(w http.ResponseWriter, redirect string) {
	ps.Site.Secure(w.Header(), formAction(redirect))
	w.Header().Set("Referrer-Policy", "no-referrer") // unless there is a form: see show
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
}

// layout returns what every page has that answers r. A user that is signed in is in
// the context of r, or proved by its guard: see seen.
func (s *Server) layout(r *http.Request, title string) Layout {
	return s.pages.Site.Layout(r, s.config.Pages.Name, title)
}

// question returns the layout of a page with one form to answer: it has the user, and
// no links that lead away from the question.
func (s *Server) question(r *http.Request, title string) Layout {
	l := s.layout(r, title)
	l.Links = nil
	return l
}

// withPageUser makes pages show the signed-in user, also where no user is needed.
func (h *handler) withPageUser(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next(w, page.WithGuard(r, h.guard))
	})
}

// show writes a page after its headers were set. It is made first: half a page would
// be a consent to half of what is asked.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, page *template.Template, data any) {
	var text bytes.Buffer
	if err := page.Execute(&text, data); err != nil {
		s.logger().ErrorContext(r.Context(), "oauth2/server: cannot make a page", "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", pageType)
	if bytes.Contains(text.Bytes(), []byte("<form")) { // which needs an Origin: see page.Site.Secure
		w.Header().Set("Referrer-Policy", "same-origin")
	}
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// showError shows an error to the user. Nothing that was sent is on the page.
func (s *Server) showError(w http.ResponseWriter, r *http.Request, err error) {
	s.report(r, statusOf(err), err)
	s.showPage(w, r, err)
}

// showPage is showError for what is no refusal.
func (s *Server) showPage(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		w.Header().Set("Retry-After", "5")
		e = &Error{Code: CodeTemporarilyUnavailable, Status: http.StatusServiceUnavailable, Cause: err,
			Description: "Something is not working. Please try again in a moment."}
	}
	status := cmp.Or(e.Status, http.StatusBadRequest)
	s.pages.secure(w, "")
	shown := ErrorPage{s.layout(r, "That did not work"), e.Code, e.Description}
	if status < http.StatusBadRequest {
		shown.Title, shown.Code = "Nothing has changed", ""
	}
	s.show(w, r, status, s.pages.Error, shown)
}

// postTo sends parameters to a client by a form.
func (s *Server) postTo(w http.ResponseWriter, r *http.Request, uri string, params [][2]string) {
	params = slices.DeleteFunc(slices.Clone(params), func(p [2]string) bool { return p[1] == "" })
	// The script submits the first form, so the page has no other one.
	form := FormPostPage{Layout: s.question(r, "Back to the application"), Action: uri, Script: submitScript,
		params: func() [][2]string { return params }}
	s.pages.secure(w, uri)
	h := w.Header()
	const policy = "Content-Security-Policy"
	h.Set(policy, strings.Replace(h.Get(policy), "style-src", "script-src "+s.pages.script+"; style-src", 1))
	s.show(w, r, http.StatusOK, s.pages.FormPost, form)
}
