package external_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"net/http"

	"github.com/gatewarden/auth/oauth2/external"
)

// FuzzCallback sends what browsers can come back with, beside a good attempt: nobody is
// signed in but by the one answer, whatever else is there, and nothing is a crash.
func FuzzCallback(f *testing.F) {
	f.Add("code=x&state=S&iss=I", "")
	f.Add("error=access_denied&state=S", "a=b")
	f.Add("state=S&state=S&code=\x00", "__Host-login-AAAAAAAA=AAAA")
	f.Add("code=x&state=AAAAAAAAAAAAAAAAAAAAAAAAAA&%", ";;=")
	a := newApp(f, nil)
	handlers := a.handlers()
	f.Fuzz(func(t *testing.T, query, cookie string) {
		begin, start := httptest.NewRequest("GET", "/login/acme/", nil), httptest.NewRecorder()
		begin.SetPathValue("provider", "acme")
		handlers.Start.ServeHTTP(start, begin)
		state := mustURL(start.Header().Get("Location")).Query().Get("state")
		query = strings.NewReplacer("S", state, "I", a.idp.URL()).Replace(query)
		r := httptest.NewRequest("GET", "/login/acme/callback/", nil)
		r.SetPathValue("provider", "acme")
		r.URL.RawQuery = query
		r.Header["Cookie"] = []string{strings.SplitN(start.Header().Get("Set-Cookie"), ";", 2)[0], cookie}
		w := httptest.NewRecorder()
		handlers.Callback.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest && w.Code != http.StatusForbidden &&
			w.Code != http.StatusServiceUnavailable || a.logged() != 0 {
			t.Errorf("%q: %d", query, w.Code)
		}
		if strings.Contains(w.Body.String(), "<script") || w.Header().Get("Location") != "" {
			t.Errorf("%q: %s", query, w.Body)
		}
	})
}

// FuzzAnswerByPOST posts what a page of another site can send beside a good attempt, follows the redirect, and sends
// the query alone as well: no user is signed in, and nothing is a crash.
func FuzzAnswerByPOST(f *testing.F) {
	f.Add("code=x&state=S&iss=I", "answer=x")
	f.Add("state=S&user=%7B&session_state="+strings.Repeat("x", 7000), "answer=&answer=")
	f.Add("error=access_denied&error_description=<script>&state=S", "code=x&state=S")
	a := newApp(f, byForm)
	handlers := a.handlers()
	f.Fuzz(func(t *testing.T, body, query string) {
		begin, start := httptest.NewRequest("GET", "/login/acme/", nil), httptest.NewRecorder()
		begin.SetPathValue("provider", "acme")
		handlers.Start.ServeHTTP(start, begin)
		state := mustURL(start.Header().Get("Location")).Query().Get("state")
		fill, cookie := strings.NewReplacer("S", state, "I", a.idp.URL()), start.Header().Get("Set-Cookie")
		send := func(method, query, body string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequest(method, "/login/acme/callback/", strings.NewReader(body)),
				httptest.NewRecorder()
			r.SetPathValue("provider", "acme")
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", strings.SplitN(cookie, ";", 2)[0])
			handlers.Callback.ServeHTTP(w, r)
			if w.Code != http.StatusSeeOther && (w.Code < 400 || w.Code >= 500 && w.Code != 503) || a.logged() != 0 ||
				strings.Contains(w.Body.String(), "<script") {
				t.Errorf("%s %q %q: got %d and %d logins, want a refusal", method, query, body, w.Code, a.logged())
			}
			return w
		}
		send("GET", fill.Replace(query), "")
		w := send("POST", "", fill.Replace(body))
		if w.Code != http.StatusSeeOther {
			return
		}
		to := mustURL(w.Header().Get("Location"))
		if to.Path != "/login/acme/callback/" || to.Host != "" || len(to.RawQuery) > 7500 {
			t.Errorf("%q leads to %.300q", body, to)
		}
		if w := send("GET", to.RawQuery, ""); w.Code == http.StatusSeeOther {
			t.Errorf("%q: the GET leads to %q", body, w.Header().Get("Location"))
		}
	})
}

// FuzzStart sends what pages can send a browser with.
func FuzzStart(f *testing.F) {
	f.Add("next=/a&max_age=7")
	f.Add("return_to=com.example.app:/done&code_challenge=x&code_challenge_method=S256")
	f.Add("next=//evil.example&next=%0d%0a")
	a := newApp(f, withApp)
	handlers := a.handlers()
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/login/acme/", nil)
		r.SetPathValue("provider", "acme")
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		handlers.Start.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther && w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", query, w.Code)
		}
		if to := w.Header().Get("Location"); to != "" && !strings.HasPrefix(to, a.idp.URL()+"/authorize?") {
			t.Errorf("%q: %s", query, to)
		}
	})
}

// FuzzWhatOthersWrite reads what comes through a browser, or from a provider, and is not
// signed: nothing of it is a crash, and nothing that no screen should show gets through.
func FuzzWhatOthersWrite(f *testing.F) {
	f.Add(`{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"a@b.example"}`)
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.")
	f.Add("a@b@c")
	f.Add("a@\u04f2") // a capital letter beyond ASCII, which no domain is compared by
	f.Add("{\"name\":{\"firstName\":\"\u202e\\u0000\"}}")
	f.Fuzz(func(t *testing.T, text string) {
		name := external.AppleName(text)
		if len(name) > 255 || !utf8.ValidString(name) ||
			strings.ContainsFunc(name, func(r rune) bool {
				return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
			}) {
			t.Errorf("got the name %q, want at most 255 bytes of UTF-8 without control characters", name)
		}
		_ = external.UnverifiedIssuer(text)
		capital := func(r rune) bool { return 'A' <= r && r <= 'Z' }
		if domain := external.DomainOf(text); strings.ContainsFunc(domain, capital) ||
			strings.ContainsAny(domain, "@<>\" \t") {
			t.Errorf("%q is a domain", domain)
		}
	})
}

// FuzzTenantOf reads the issuer of an ID token that is not verified yet: an issuer has a
// tenant only if it is the template with one segment of a path filled in.
func FuzzTenantOf(f *testing.F) {
	f.Add("https://idp.example/11111111-2222-4333-8444-555555555555/v2.0")
	f.Add("https://idp.example/{tenantid}/v2.0")
	f.Add("https://idp.example/a/b/v2.0")
	f.Add("https://idp.example//v2.0")
	f.Add("https://idp.example/v2.0")
	f.Add("https://idp.example/v2.0/v2.0")
	f.Fuzz(func(t *testing.T, iss string) {
		tenant := external.TenantOf("https://idp.example/{tenantid}/v2.0", iss)
		if tenant != "" && ("https://idp.example/"+tenant+"/v2.0" != iss || strings.ContainsAny(tenant, "/?#{}")) {
			t.Errorf("%q has the tenant %q", iss, tenant)
		}
	})
}
