// Package page gives the pages that the library shows to people the look of one application. Packages
// oauth2/server and oauth2/external have such pages: consent, applications with access, and the errors of a login.
// Give both the same [Site]:
//
//	site := page.Site{
//		Home: "/",
//		Help: "Ask us at help@example.com.",
//		Links: func(r *http.Request) []page.Link {
//			if _, ok := auth.UserFrom[auth.User](r.Context()); !ok {
//				return []page.Link{{Text: "Sign in", URL: "/session/login"}}
//			}
//			return []page.Link{{Text: "Account", URL: "/account"},
//				{Text: "Sign out", URL: "/session/logout", Post: true}}
//		},
//		StyleSheet: page.DefaultStyle() + ":root { --accent: #0b6b50 }",
//	}
//	srv, err := server.New(server.Config{Pages: server.Pages{Site: site}})
//	logins, err := external.New(external.Config{Pages: external.Pages{Site: site}})
//
// An application can show pages of its own in the same look: see [New]. No page needs script, and the
// Content-Security-Policy of [Site.Secure] allows no script.
package page

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
)

// Site is what all pages of an application have around their content. The zero value is a bar with the name of
// the service and no link. A Site is not changed after it was given away, and is then safe for concurrent use.
type Site struct {
	// Home is where the name of the service leads: a path such as "/", or a URL. If empty, the name is no link.
	Home string

	// Links returns the navigation, if it is not nil. It is called for each page, concurrently, and finds the
	// signed-in user by auth.UserFrom(r.Context()). Without a user there, it returns what strangers see. It is
	// not called if that cannot be told, for example because a store is down. The page has no navigation then.
	// Pages that ask one question, such as consent, have no navigation either.
	Links func(r *http.Request) []Link

	// Help says in plain text where to ask: "Ask us at help@example.com." Pages about an error show it. If empty,
	// they name the service.
	Help string

	// StyleSheet is the style of all pages. If empty, it is that of [DefaultStyle]. Start with DefaultStyle to
	// change some of it, for example the colours, which are custom properties. It must not contain "</style".
	StyleSheet string
}

// Link is an entry of the navigation.
type Link struct {
	Text string
	URL  string // a path of this service, or a URL
	Post bool   // it is a button that sends an empty form by POST, as to sign out. URL must be of this service
}

// Layout is what a template of [New] shows around the content. Embed it in the type of your own page.
type Layout struct {
	Title   string
	Service string       // name of the service
	CSS     template.CSS // for a style element
	User    string       // identifier of the signed-in user, or ""
	Home    string       // Site.Home
	Links   []Link       // Site.Links
	Help    string       // Site.Help
	Path    string       // of the page itself
}

// Layout returns the layout of a page that answers r.
func (s Site) Layout(r *http.Request, service, title string) Layout {
	l := Layout{Title: title, Service: service, CSS: template.CSS(s.style()), Home: s.Home, Help: s.Help}
	if r.URL != nil {
		l.Path = r.URL.Path
	}
	r, known := identified(r)
	if user, ok := auth.UserFrom[auth.User](r.Context()); ok {
		l.User = user.UserID()
	}
	if s.Links != nil && known {
		l.Links = s.Links(r)
	}
	return l
}

// Check returns an error if a setting cannot be used.
func (s Site) Check() error {
	if strings.Contains(strings.ToLower(s.StyleSheet), "</style") {
		return errors.New("page: Site.StyleSheet contains \"</style\", which would end the style element")
	}
	return nil
}

// style is the style sheet. A template inserts it as it is.
func (s Site) style() string { return cmp.Or(s.StyleSheet, defaultStyle) }

// Secure sets the headers of a page: it is not cached, not shown in a frame, and its address is not told to other
// sites. Its own site is told, because a form of a page with "no-referrer" has the header "Origin: null" (Fetch
// Standard, "append a request Origin header"), which a guard refuses where the browser sends no Sec-Fetch-Site. Its
// Content-Security-Policy allows the style sheet, and forms that lead to formAction, a source list of CSP Level 3
// §6.4.1 such as "'self' https:". If formAction is empty, it is 'self'.
func (s Site) Secure(h http.Header, formAction string) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+Hash(s.style())+
		"; base-uri 'none'; form-action "+cmp.Or(formAction, "'self'")+"; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// Hash names an inline style or script to a Content-Security-Policy (CSP Level 3 §2.3.1).
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

//go:embed style.css
var defaultStyle string

// DefaultStyle returns the style of the package, for light and dark. Its colours and sizes are the custom
// properties --ink, --soft, --paper, --card, --line, --accent, --on-accent, --bad and --width.
func DefaultStyle() string { return defaultStyle }

//go:embed layout.html
var layoutHTML string

var layout = template.Must(template.New("layout").Parse(layoutHTML))

// New returns a template of the layout. Parse a template "content" into it and execute it with a [Layout], or with
// a struct that embeds one:
//
//	greeting, err := page.New().Parse(`{{define "content"}}<h1>Hello, {{.User}}</h1>{{end}}`)
func New() *template.Template { return template.Must(layout.Clone()) }
