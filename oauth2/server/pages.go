package server

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// Pages are the pages that people see. Nil ones are those of the package, which
// work without script and by keyboard. One of your own is executed with the type
// that is named here; it may define what it likes, but its style must be in
// StyleSheet, since the Content-Security-Policy allows no other.
type Pages struct {
	Consent      *template.Template // ConsentPage
	Authorized   *template.Template // AuthorizedPage
	Applications *template.Template // ApplicationsPage
	Application  *template.Template // ApplicationPage
	Logout       *template.Template // LogoutPage
	Error        *template.Template // ErrorPage
	FormPost     *template.Template // FormPostPage

	// StyleSheet is put into every page by {{.CSS}}; empty is that of the package.
	StyleSheet string
}

// Layout is what every page has.
type Layout struct {
	Title   string
	Service string       // Config.Name
	CSS     template.CSS // for a style element
	User    string       // identifier of who is signed in, or ""
}

// ConsentPage asks a user whether a client may have what it asks for.
//
// Its form is a POST to Action with the field "interaction" and, to agree, a field
// "allow" of any value; without that field it is denied.
type ConsentPage struct {
	Layout
	Client      *Client
	Scopes      []ConsentScope
	Resources   []Resource // what for, if there is a choice
	ReturnsTo   string     // the host, or the scheme, where the answer goes
	Native      bool       // which is a program on the user's machine
	Interaction string
	Action      string
}

// ConsentScope is a scope on a [ConsentPage].
type ConsentScope struct {
	Scope
	Before bool // the user agreed to it before
}

// ErrorPage tells of what went wrong where no application can be told.
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

//go:embed templates/*.html
var files embed.FS

//go:embed templates/style.css
var defaultStyle string

// submitScript is the one script there is.
const submitScript = "document.forms[0].submit()"

type pages struct {
	Pages
	style  string // to the Content-Security-Policy
	script string
}

func newPages(own Pages) (*pages, error) {
	ps := &pages{Pages: own}
	ps.StyleSheet = cmp.Or(ps.StyleSheet, defaultStyle)
	ps.style, ps.script = cspHash(ps.StyleSheet), cspHash(submitScript)
	for name, page := range map[string]**template.Template{"consent": &ps.Consent, "authorized": &ps.Authorized, "applications": &ps.Applications,
		"application": &ps.Application, "logout": &ps.Logout, "error": &ps.Error, "form_post": &ps.FormPost} {
		if *page != nil {
			continue
		}
		parsed, err := template.New("layout.html").ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("oauth2/server: page %s: %w", name, err)
		}
		*page = parsed
	}
	return ps, nil
}

// cspHash names a text to a Content-Security-Policy (CSP Level 3 §2.3.1).
func cspHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// secure sets the headers of a page (RFC 9700 §4.2.4, §4.16): it is kept nowhere,
// shown in no frame, and no address of it is told to others. A form of it may lead
// to redirect, if that is not "".
func (ps *pages) secure(w http.ResponseWriter, redirect string) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+ps.style+"; base-uri 'none'; form-action "+formAction(redirect)+"; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// formAction is where forms may lead. Browsers hold the redirects that follow a
// form to it, too, and an application's callback may redirect to hosts of its own.
func formAction(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case redirect == "" || err != nil:
		return "'self'"
	case u.Scheme == "https":
		return "'self' https:"
	case u.Scheme == "http": // of a loopback host
		return "'self' https: http://" + u.Host
	}
	return "'self' " + u.Scheme + ":"
}

// layout returns what a page has anyway. A nil user is nobody.
func (s *Server) layout(title string, user auth.User) Layout {
	l := Layout{Title: title, Service: s.config.Name, CSS: template.CSS(s.pages.StyleSheet)}
	if user != nil {
		l.User = user.UserID()
	}
	return l
}

// show writes a page whose headers are set. It is made first: half a page would
// be a consent to half of what is asked.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, page *template.Template, data any) {
	var text bytes.Buffer
	if err := page.Execute(&text, data); err != nil {
		s.logger().ErrorContext(r.Context(), "oauth2/server: cannot make a page", "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
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
	s.show(w, r, status, s.pages.Error, ErrorPage{s.layout("That did not work", nil), e.Code, e.Description})
}

// postTo sends parameters to a client by a form.
func (s *Server) postTo(w http.ResponseWriter, r *http.Request, uri string, params [][2]string) {
	params = slices.DeleteFunc(slices.Clone(params), func(p [2]string) bool { return p[1] == "" })
	page := FormPostPage{Layout: s.layout("Back to the application", nil), Action: uri, Script: submitScript,
		params: func() [][2]string { return params }}
	s.pages.secure(w, uri)
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "style-src", "script-src "+s.pages.script+"; style-src", 1))
	s.show(w, r, http.StatusOK, s.pages.FormPost, page)
}
