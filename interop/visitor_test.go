package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// visitor is alice with a browser: it keeps cookies as browsers do, follows redirects, and fills in the forms that a
// login consists of.
type visitor struct {
	*testing.T
	client *http.Client
}

func newVisitor(t *testing.T, authority *x509.Certificate) *visitor {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, &http.Client{Jar: jar, Transport: transport}}
}

// sheet is what the visitor ends at.
type sheet struct {
	at       *url.URL
	status   int
	location string // of a redirect that the client does not follow
	refresh  string // where the page goes on to by itself
	text     string
	body     map[string]any // if it is JSON
}

// open follows an address through redirects, pages that go on by themselves, and forms. It returns the first page
// without such a form.
func (v *visitor) open(at string) sheet {
	v.Helper()
	page := v.do(http.MethodGet, at, nil)
	for range 10 {
		method := http.MethodPost
		action, fields := formOf(page.text)
		switch {
		case page.refresh != "":
			method, action, fields = http.MethodGet, page.refresh, nil
		case fields == nil:
			return page
		}
		to, err := page.at.Parse(action)
		if err != nil {
			v.Fatal(err)
		}
		page = v.do(method, to.String(), fields)
	}
	v.Fatalf("no end of forms at %s: %s", page.at, page.text)
	return page
}

func (v *visitor) do(method, at string, form url.Values) sheet {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, at, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.Fatal(err)
	}
	page := sheet{at: answer.Request.URL, status: answer.StatusCode, location: answer.Header.Get("Location"),
		text: string(text)}
	page.refresh, _ = strings.CutPrefix(answer.Header.Get("Refresh"), "0; url=")
	_ = json.Unmarshal(text, &page.body)
	return page
}

var (
	forms      = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	inputs     = regexp.MustCompile(`<input[^>]*>`)
	attributes = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// formOf returns the form of a page that asks to sign in, to agree or to sign out, filled in. The fields are
// nil if the page has no such form.
func formOf(page string) (action string, fields url.Values) {
	for _, form := range forms.FindAllStringSubmatch(page, -1) {
		named := url.Values{}
		for _, input := range inputs.FindAllString(form[2], -1) {
			a := attributesOf(input)
			if a["type"] != "checkbox" {
				named.Set(a["name"], a["value"])
			}
		}
		switch {
		case named.Has("password"):
			named.Set("username", "alice")
			named.Set("password", "correct-horse-battery")
		case named.Has("interaction"): // ours, of consent and of logout
			named.Set("allow", "Allow")
		case named.Has("csrfToken"), named.Has("_csrf"): // of Auth.js and of Spring Security
		default:
			continue
		}
		return attributesOf(form[1])["action"], named
	}
	return "", nil
}

func attributesOf(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attributes.FindAllStringSubmatch(tag, -1) {
		all[m[1]] = html.UnescapeString(m[2])
	}
	return all
}
