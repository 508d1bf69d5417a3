package page_test

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/page"
)

type member string

func (m member) UserID() string { return string(m) }

// cookie proves the user that the cookie "user" names.
type cookie struct{ down error }

func (c cookie) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	if c.down != nil {
		return nil, nil, c.down
	}
	if found, err := r.Cookie("user"); err == nil {
		return member(found.Value), nil, nil
	}
	return nil, nil, auth.ErrNoCredentials
}

func (cookie) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Cookie"}} }

func guardOf(t *testing.T, down error) *auth.Guard {
	t.Helper()
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{cookie{down}}})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// links is the navigation of the tests.
func links(r *http.Request) []page.Link {
	if _, ok := auth.UserFrom[auth.User](r.Context()); ok {
		return []page.Link{{Text: "Account", URL: "/account"}, {Text: "Sign out", URL: "/logout", Post: true}}
	}
	return []page.Link{{Text: "Sign in", URL: "/login"}}
}

func request(path, user string) *http.Request {
	r := httptest.NewRequest("GET", path, nil)
	if user != "" {
		r.AddCookie(&http.Cookie{Name: "user", Value: user})
	}
	return r
}

func render(t *testing.T, l page.Layout) string {
	t.Helper()
	content, err := page.New().Parse(`{{define "content"}}<h1>{{.Title}}</h1>{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := content.Execute(&text, l); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestLayout(t *testing.T) {
	site := page.Site{Home: "/", Links: links, Help: "Ask us."}
	for name, c := range map[string]struct {
		site page.Site
		r    *http.Request
		has  []string
		not  []string
	}{
		"the zero value is a bar with the name of the service": {page.Site{}, request("/", ""),
			[]string{`<span class="brand">Acme &amp; Co</span>`, "<title>A page · Acme &amp; Co</title>"},
			[]string{"<nav", "<a "}},
		"a proved request has the user and their links": {site,
			request("/", "").WithContext(auth.WithIdentity(t.Context(), member("alice"), nil)),
			[]string{`<a class="brand" href="/">`, "Signed in as <strong>alice</strong>",
				`<a href="/account">Account</a>`,
				`<form method="post" action="/logout"><button class="quiet">Sign out</button></form>`},
			[]string{"Sign in<"}},
		"the guard proves what no middleware has proved": {site, page.WithGuard(request("/", "bob"), guardOf(t, nil)),
			[]string{"Signed in as <strong>bob</strong>"}, []string{"Not signed in"}},
		"a stranger has the links of strangers": {site, page.WithGuard(request("/", ""), guardOf(t, nil)),
			[]string{"Not signed in", `<a href="/login">Sign in</a>`}, nil},
		"a store that is down shows no navigation": {site,
			page.WithGuard(request("/", ""), guardOf(t, errors.New("down"))),
			[]string{`<a class="brand" href="/">`}, []string{"<nav", "Not signed in"}},
		"the page after a logout has no user": {site,
			page.SignedOut(page.WithGuard(request("/", "bob"), guardOf(t, nil))),
			[]string{"Not signed in"}, []string{"bob"}},
		"the link of the page itself is marked": {site, page.WithGuard(request("/login", ""), guardOf(t, nil)),
			[]string{`<a href="/login" aria-current="page">`}, nil},
		"a name is escaped": {site, request("/", "").WithContext(auth.WithIdentity(t.Context(), member("<b>"), nil)),
			[]string{"&lt;b&gt;"}, []string{"<b>"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := c.site.Layout(c.r, "Acme & Co", "A page")
			if l.Help != c.site.Help || l.Home != c.site.Home {
				t.Errorf("layout has %q and %q", l.Help, l.Home)
			}
			text := render(t, l)
			for _, want := range c.has {
				if !strings.Contains(text, want) {
					t.Errorf("the page lacks %s:\n%s", want, text)
				}
			}
			for _, unwanted := range c.not {
				if strings.Contains(text, unwanted) {
					t.Errorf("the page has %s:\n%s", unwanted, text)
				}
			}
		})
	}
}

func TestStyleSheet(t *testing.T) {
	own := page.DefaultStyle() + ":root { --accent: red }"
	for name, c := range map[string]struct{ set, want string }{
		"the default is the style of the package": {"", page.DefaultStyle()},
		"one of the application takes its place":  {own, own},
	} {
		t.Run(name, func(t *testing.T) {
			site := page.Site{StyleSheet: c.set}
			text := render(t, site.Layout(request("/", ""), "Acme", "A page"))
			_, style, _ := strings.Cut(text, "<style>")
			style, _, _ = strings.Cut(style, "</style>")
			if style != c.want {
				t.Errorf("the page has the style %q", style)
			}
			header := http.Header{}
			site.Secure(header, "")
			policy := header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "style-src "+page.Hash(style)+";") {
				t.Errorf("the policy %s does not allow the style of the page", policy)
			}
		})
	}
	t.Run("one that ends the style element is refused", func(t *testing.T) {
		if err := (page.Site{StyleSheet: "p{}</STYLE><p>"}).Check(); err == nil {
			t.Error("no error")
		}
		if err := (page.Site{StyleSheet: own}).Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestSecure(t *testing.T) {
	for name, c := range map[string]struct{ set, want string }{
		"forms lead to this service by default": {"", "form-action 'self';"},
		"forms lead where the page says":        {"'self' https:", "form-action 'self' https:;"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			page.Site{}.Secure(header, c.set)
			policy := header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", c.want} {
				if !strings.Contains(policy, want) {
					t.Errorf("the policy %s lacks %s", policy, want)
				}
			}
			if strings.Contains(policy, "script-src") || header.Get("Cache-Control") != "no-store" ||
				header.Get("X-Frame-Options") != "DENY" || header.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("headers %v", header)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Run("a template does not change the next one", func(t *testing.T) {
		template.Must(page.New().Parse(`{{define "content"}}first{{end}}`))
		if text := render(t, page.Layout{Title: "second"}); strings.Contains(text, "first") {
			t.Errorf("%s", text)
		}
	})
}

// A page of the application in the look of all others.
func ExampleNew() {
	site := page.Site{Home: "/", Links: func(*http.Request) []page.Link {
		return []page.Link{{Text: "Prices", URL: "/prices"}}
	}}
	greeting := template.Must(page.New().Parse(`{{define "content"}}<h1>Hello, {{.User}}</h1>{{end}}`))
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site.Secure(w.Header(), "")
		_ = greeting.Execute(w, site.Layout(r, "Acme", "Hello"))
	})

	r := httptest.NewRequest("GET", "/hello", nil)
	r = r.WithContext(auth.WithIdentity(context.Background(), member("alice"), nil)) // as a guard does
	w := httptest.NewRecorder()
	hello.ServeHTTP(w, r)
	_, bar, _ := strings.Cut(w.Body.String(), "<body>\n")
	fmt.Print(bar)
	// Output:
	// <header class="bar">
	// <a class="brand" href="/">Acme</a>
	// <nav aria-label="Account">
	// <span>Signed in as <strong>alice</strong></span>
	// <a href="/prices">Prices</a>
	// </nav>
	// </header>
	// <main>
	// <h1>Hello, alice</h1>
	// </main>
	// </body>
	// </html>
}
