package main

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// visitor is somebody with a browser, as far as it is cookies and headers. They
// are kept by hand: Go's jar does not send Secure cookies to http, as browsers
// do to their own machine.
type visitor struct {
	t       *testing.T
	p       *program
	cookies map[string]string
	headers http.Header // of every request
}

// visit is a newcomer with a browser, which asks for pages.
func (p *program) visit() *visitor {
	return &visitor{p.t, p, make(map[string]string), http.Header{
		"Accept":     {"text/html,application/xhtml+xml,*/*;q=0.8"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}}}
}

// signIn is a visitor that has filled in the form.
func (p *program) signIn(credentials string) *visitor {
	p.t.Helper()
	v := p.visit()
	if got := v.logIn(credentials); got.status != 303 {
		p.t.Fatalf("signing in as %s: %d %s", credentials, got.status, got.body)
	}
	return v
}

func (v *visitor) logIn(credentials string, more ...string) answer {
	v.t.Helper()
	user, password, _ := strings.Cut(credentials, ":")
	return v.post("/session/login", url.Values{"username": {user}, "password": {password}}, more...)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// cookie returns the Set-Cookie line of that name.
func (a answer) cookie(name string) string {
	for _, line := range a.header["Set-Cookie"] {
		if strings.HasPrefix(line, name+"=") {
			return line
		}
	}
	return ""
}

// send sends a request with the cookies, and keeps those of the answer.
func (v *visitor) send(method, path, contentType, body string, more ...string) answer {
	v.t.Helper()
	got, err := v.try(method, path, contentType, body, more...)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range (&http.Response{Header: got.header}).Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return got
}

// try sends a request with the cookies, and keeps no new ones, so it may run concurrently.
func (v *visitor) try(method, path, contentType, body string, more ...string) (got answer, err error) {
	r, err := http.NewRequest(method, v.p.url+path, strings.NewReader(body))
	if err != nil {
		return got, err
	}
	r.Header = v.headers.Clone()
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	response, err := http.DefaultTransport.RoundTrip(r) // follows nothing
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text)}, err
}

func (v *visitor) get(path string, more ...string) answer {
	v.t.Helper()
	return v.send("GET", path, "", "", more...)
}

func (v *visitor) post(path string, form url.Values, more ...string) answer {
	v.t.Helper()
	return v.send("POST", path, "application/x-www-form-urlencoded", form.Encode(), more...)
}

// want asks the API for the user.
func (v *visitor) want(status int, user string) {
	v.t.Helper()
	before := v.with(v.session()) // what the answer clears stays with the visitor
	got := before.get("/api/me")
	for late := time.Now().Add(v.p.patience); got.status == 200 && status == 401 && time.Now().Before(late); {
		got = before.get("/api/me")
	}
	if got.status != status || status == 200 && !strings.Contains(got.body, `"user":"`+user+`","backend":"session"`) {
		v.t.Errorf("/api/me: %d %s, want %d %s", got.status, got.body, status, user)
	}
}

// name is that of the session's cookie, which holds the port of the issuer.
func (v *visitor) name() string { return "__Host-session-" + portOf(v.p.issuer) }

func (v *visitor) session() string { return v.cookies[v.name()] }

// with is a browser that has a session's cookie and no other.
func (v *visitor) with(session string) *visitor {
	return &visitor{v.t, v.p, map[string]string{v.name(): session}, v.headers}
}

// row is one of the page of devices.
type row struct {
	current bool
	form    url.Values
	text    string // HTML
}

var (
	rowPattern   = regexp.MustCompile(`(?s)<li( data-current)?>(.*?)</li>`)
	inputPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// devices reads the page of devices, on which each row has one form.
func (v *visitor) devices() (rows []row) {
	v.t.Helper()
	page := v.get("/devices")
	if page.status != 200 {
		v.t.Fatalf("/devices: %d %s", page.status, page.body)
	}
	for _, li := range rowPattern.FindAllStringSubmatch(page.body, -1) {
		r := row{li[1] != "", url.Values{}, li[2]}
		if strings.Count(r.text, "<form ") != 1 || !strings.Contains(r.text, `<form method="post" action="/devices">`) {
			v.t.Errorf("a row without its form: %s", r.text)
		}
		for _, input := range inputPattern.FindAllStringSubmatch(r.text, -1) {
			r.form.Set(input[1], html.UnescapeString(input[2]))
		}
		rows = append(rows, r)
	}
	return rows
}
