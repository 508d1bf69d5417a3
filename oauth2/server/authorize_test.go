package server_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// shown wants an error page that leads nowhere and says nothing of what was sent.
func shown(t *testing.T, sentence string, a answer, status int) {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Location") != "" || !strings.HasPrefix(a.Header.Get("Content-Type"),
		"text/html") || strings.Contains(a.body, "evil") {
		t.Errorf("%s: %d %v %s", sentence, a.StatusCode, a.Header, a.body)
	}
}

// sent wants an error that goes to the client web.
func sent(t *testing.T, s *service, sentence string, a answer, code string) {
	t.Helper()
	if a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), "https://web.example/callback?a=b&error=") ||
		a.location("error") != code ||
		a.location("iss") != s.http.URL || a.location("code") != "" || a.location("error_description") == "" {
		t.Errorf("%s: %d %s, want %s", sentence, a.StatusCode, a.Header.Get("Location"), code)
	}
}

func TestBeforeClientAndRedirectURIAreKnownNothingIsSentAnywhere(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "two", RedirectURIs: []string{"https://a.example/", "https://b.example/"}})
	s.add(server.Registration{ClientID: "off", RedirectURIs: []string{"https://web.example/callback?a=b"}})
	off, err := s.server.Client(t.Context(), "off")
	s.must(err)
	_, err = s.server.DisableClient(t.Context(), off, true)
	s.must(err)
	const registered = "https://web.example/callback?a=b"
	rows := map[string][]string{
		"no client":                   {"client_id", "-"},
		"an unknown client":           {"client_id", "evil"},
		"a client with a NUL":         {"client_id", "web\x00"},
		"a client that is no text":    {"client_id", "w\xffb"},
		"a disabled client":           {"client_id", "off"},
		"none of two redirect URIs":   {"client_id", "two", "redirect_uri", "-"},
		"a client without any":        {"client_id", "job", "redirect_uri", "-"},
		"a client in another case":    {"client_id", "Web"},
		"none of one, with openid":    {"redirect_uri", "-", "scope", "read openid"},
		"an unregistered one":         {"redirect_uri", "https://evil.example/"},
		"a slash at the end":          {"redirect_uri", "https://web.example/callback/?a=b"},
		"a path in another case":      {"redirect_uri", "https://web.example/Callback?a=b"},
		"a host in another case":      {"redirect_uri", "https://WEB.example/callback?a=b"},
		"more of a query":             {"redirect_uri", registered + "&evil=1"},
		"less of a query":             {"redirect_uri", "https://web.example/callback"},
		"an encoded letter":           {"redirect_uri", "https://web.example/c%61llback?a=b"},
		"a user":                      {"redirect_uri", "https://evil@web.example/callback?a=b"},
		"a port":                      {"redirect_uri", "https://web.example:8443/callback?a=b"},
		"the default port":            {"redirect_uri", "https://web.example:443/callback?a=b"},
		"a fragment":                  {"redirect_uri", registered + "#evil"},
		"an empty fragment":           {"redirect_uri", registered + "#"},
		"http":                        {"redirect_uri", "http://web.example/callback?a=b"},
		"a suffix of the host":        {"redirect_uri", "https://web.example.evil.example/callback?a=b"},
		"a line break":                {"redirect_uri", registered + "\r\nLocation: https://evil.example/"},
		"prompt none changes nothing": {"redirect_uri", "https://evil.example/", "prompt", "none"},
		"a script":                    {"redirect_uri", "javascript:evil()"},
	}
	for sentence, pairs := range rows {
		shown(t, sentence, s.as("alice").authorize(pairs...), 400)
		shown(t, sentence+", by POST", s.as("alice").do("POST", "/o/authorize/", query(pairs...).Encode()), 400)
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		shown(t, name+" twice", s.as("alice").do("GET", "/o/authorize/?"+query().Encode()+"&"+name+"="+url.QueryEscape(
			query().Get(name)), ""), 400)
		shown(t, name+" in query and body",
			s.as("alice").do("POST", "/o/authorize/?"+name+"="+url.QueryEscape(query().Get(name)), query().Encode()),
			400)
	}
	shown(t, "a query that is none", s.as("alice").do("GET", "/o/authorize/?a=%zz", ""), 400)
	shown(t, "a query that is very long",
		s.as("alice").do("GET", "/o/authorize/?"+query("state", strings.Repeat("x", 70<<10)).Encode(), ""), 413)
	shown(t, "a body that is very long",
		s.as("alice").do("POST", "/o/authorize/", query("state", strings.Repeat("x", 70<<10)).Encode()), 413)
	shown(t, "JSON", s.as("alice").do("POST", "/o/authorize/", "{}", "Content-Type", "application/json"), 400)
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		a := s.as("alice").do(method, "/o/authorize/?"+query().Encode(), "")
		if shown(t, method, a, 405); a.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: Allow %q", method, a.Header.Get("Allow"))
		}
	}
}

func TestWhatIsWrongWithARequestGoesToTheClient(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "nocode", GrantTypes: []string{"client_credentials"},
		RedirectURIs: []string{"https://web.example/callback?a=b"}})
	bad := challenge(verifier)[:42]
	rows := map[string]struct {
		code  string
		pairs []string
	}{
		"no response type":           {"invalid_request", []string{"response_type", "-"}},
		"the implicit grant":         {"unsupported_response_type", []string{"response_type", "token"}},
		"a hybrid":                   {"unsupported_response_type", []string{"response_type", "code id_token"}},
		"a client without the grant": {"unauthorized_client", []string{"client_id", "nocode"}},
		"no challenge": {"invalid_request",
			[]string{"code_challenge", "-", "code_challenge_method", "-"}},
		"a method without a challenge": {"invalid_request", []string{"code_challenge", "-"}},
		"no method, which means plain": {"invalid_request", []string{"code_challenge_method", "-"}},
		"plain":                        {"invalid_request", []string{"code_challenge_method", "plain"}},
		"S512":                         {"invalid_request", []string{"code_challenge_method", "S512"}},
		"s256":                         {"invalid_request", []string{"code_challenge_method", "s256"}},
		"a challenge of 42":            {"invalid_request", []string{"code_challenge", bad}},
		"a challenge of 44":            {"invalid_request", []string{"code_challenge", bad + "AA"}},
		"a challenge with padding":     {"invalid_request", []string{"code_challenge", bad + "="}},
		"a challenge of base64":        {"invalid_request", []string{"code_challenge", "+/" + bad[2:] + "A"}},
		"a challenge with stray bits": {"invalid_request",
			[]string{"code_challenge", strings.Repeat("A", 42) + "B"}},
		"a relative resource":               {"invalid_target", []string{"resource", "/api"}},
		"a resource with a fragment":        {"invalid_target", []string{"resource", s.http.URL + "#x"}},
		"an unknown resource":               {"invalid_target", []string{"resource", "https://unknown.example/"}},
		"a scope with an illegal character": {"invalid_scope", []string{"scope", `re"ad`}},
		"a scope that is not the client's":  {"invalid_scope", []string{"scope", "openid admin"}},
		"two spaces in a scope":             {"invalid_scope", []string{"scope", "openid  read"}},
		"prompt none and another":           {"invalid_request", []string{"prompt", "none login"}},
		"an unknown prompt":                 {"invalid_request", []string{"prompt", "create"}},
		"a max_age that is no number":       {"invalid_request", []string{"max_age", "-1"}},
		"a request object":                  {"request_not_supported", []string{"request", "eyJhbGciOiJub25lIn0.e30."}},
		"a request by reference": {"request_uri_not_supported",
			[]string{"request_uri", "https://web.example/request"}},
		"both": {"invalid_request",
			[]string{"request", "x", "request_uri", "https://web.example/request"}},
		"a registration":               {"registration_not_supported", []string{"registration", "{}"}},
		"a response mode there is not": {"invalid_request", []string{"response_mode", "fragment"}},
		"a hint that is no token":      {"invalid_request", []string{"id_token_hint", "x"}},
		"a nonce that is very long":    {"invalid_request", []string{"nonce", strings.Repeat("x", 3000)}},
	}
	for sentence, row := range rows {
		for _, who := range []*browser{s.stranger(), s.as("alice")} {
			a := who.authorize(row.pairs...)
			if sent(t, s, sentence, a, row.code); a.location("state") != "xyz" {
				t.Errorf("%s: state %q", sentence, a.location("state"))
			}
		}
	}
	for _, name := range []string{"response_type", "scope", "code_challenge", "nonce", "prompt", "max_age",
		"response_mode"} {
		value := url.QueryEscape(query("nonce", "n", "prompt", "consent", "max_age", "9", "response_mode", "query").Get(
			name))
		a := s.as("alice").do(
			"GET", "/o/authorize/?"+query("nonce", "n").Encode()+"&"+name+"="+value+"&"+name+"="+value, "")
		if sent(t, s, name+" twice", a, "invalid_request"); a.location("state") != "xyz" {
			t.Errorf("%s twice: state %q", name, a.location("state"))
		}
		sent(t, s, name+" in query and body", s.as("alice").do("POST", "/o/authorize/?"+name+"="+value,
			query().Encode()), "invalid_request")
	}
	twice := s.as("alice").do("GET", "/o/authorize/?"+query().Encode()+"&state=abc", "")
	if sent(t, s, "state twice", twice, "invalid_request"); twice.location("state") != "" {
		t.Error("one of two states is sent back")
	}
}

func TestWhatMeansNothingIsIgnored(t *testing.T) {
	s := newService(t, nil)
	for sentence, pairs := range map[string][]string{
		"an unknown parameter":               {"foo", "bar"},
		"an empty state":                     {"state", ""},
		"an empty resource":                  {"resource", ""},
		"no redirect URI where there is one": {"redirect_uri", "-", "scope", "read"},
		"no scope":                           {"scope", "-"},
		"an ACR":                             {"acr_values", "a b"},
		"a display":                          {"display", "touch", "ui_locales", "de"},
	} {
		if a := s.as("alice").authorize(pairs...); a.StatusCode != 200 {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := s.as("alice").do("GET", "/o/authorize/?"+query().Encode()+"&foo=1&foo=2", ""); a.StatusCode != 200 {
		t.Errorf("an unknown parameter twice: %d", a.StatusCode)
	}
	a := s.as("alice").allow(s.as("alice").authorize("state", ""))
	if strings.Contains(a.Header.Get("Location"), "state") {
		t.Error(a.Header.Get("Location"))
	}
}

func TestTheStateComesBackAsItWas(t *testing.T) {
	s := newService(t, nil)
	for _, state := range []string{"a b+c%20&d=e", "\"'<script>~\\", strings.Repeat("s", 1800)} {
		for name, a := range map[string]answer{
			"success": s.as("alice").allow(s.as("alice").authorize("state", state, "prompt", "consent")),
			"error":   s.as("alice").authorize("state", state, "scope", "admin")} {
			if a.location("state") != state || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %q, want %q", name, a.location("state"), state)
			}
		}
	}
}

func TestLoopbackAddressesMayUseAnyPort(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "native", TokenEndpointAuthMethod: "none",
		RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]/cb?x=1", "http://localhost:7777/cb",
			"http://127.0.0.1:9999/fixed"}})
	for uri, good := range map[string]bool{
		"http://127.0.0.1/cb": true, "http://127.0.0.1:51004/cb": true, "http://127.0.0.1:1/cb": true,
		"http://127.0.0.1:65535/cb": true, "http://[::1]:51004/cb?x=1": true,
		"http://localhost:7777/cb": true, "http://127.0.0.1:9999/fixed": true,
		"http://localhost:51004/cb": false, "http://localhost/cb": false, "https://127.0.0.1:51004/cb": false,
		"http://user@127.0.0.1:51004/cb": false, "http://127.0.0.1:51004/other": false,
		"http://127.0.0.1:51004/cb?x": false, "http://127.0.0.1:51004/cb#": false, "http://127.0.0.1:/cb": false,
		"http://127.0.0.1:65536/cb": false, "http://127.0.0.1:99999999999/cb": false,
		"http://127.0.0.1:0x50/cb": false, "http://127.0.0.1:80@evil.example/cb": false,
		"http://127.0.0.1:51004.evil.example/cb": false, "http://127.0.0.2:51004/cb": false,
		"http://[::1]:51004/cb": false, "http://127.1:51004/cb": false, "http://127.0.0.1:51004/../cb": false,
		"http://[::ffff:127.0.0.1]:51004/cb": false, "http://127.0.0.1:51004\\@evil.example/cb": false,
		"http://127.0.0.1:8000/fixed": false, "HTTP://127.0.0.1:51004/cb": false,
	} {
		a := s.as("alice").authorize("client_id", "native", "redirect_uri", uri)
		if (a.StatusCode == 200) != good {
			t.Errorf("%s: %d", uri, a.StatusCode)
			continue
		}
		if good {
			if to := s.as("alice").allow(a).Header.Get("Location"); !strings.HasPrefix(to, uri+"?code=") &&
				!strings.HasPrefix(to, uri+"&code=") {
				t.Errorf("%s: %s", uri, to)
			}
		}
	}
}

func TestWhichRedirectURIsCanBeRegistered(t *testing.T) {
	for uri, good := range map[string]bool{
		"https://a.example/cb": true, "https://a.example": true, "https://a.example:8443/?x=%41": true,
		"http://127.0.0.1/cb": true, "http://[::1]:8000/": true, "http://localhost:3000/": true,
		"com.example.app:/cb": true, "com.example.app:cb": true,
		"": false, "/cb": false, "javascript:alert(1)": false, "data:text/html,x": false, "https://a.example/#x": false,
		"https://a.example/#": false, "http://a.example/": false, "http://10.0.0.1/": false,
		"myapp:/cb": false, "https://u@a.example/": false, "https:///cb": false, "https://a.example/\\x": false,
		"https://a.example/ x": false, "https://a.example/\n": false, "https://a.example/ü": false,
		"https://a.example:x/": false, "https://a.example:/": false, "https://*.example/{x}": false,
		"com.example.app://host/cb": false, "http://localhost.evil.example/": false, "com.example.app:": false,
		"https://a.example/" + strings.Repeat("x", 2048): false, "file:///etc/passwd": false,
		"HTTPS://a.example/": true,
	} {
		if err := server.CheckRedirectURI(uri); (err == nil) != good {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

func FuzzAnAcceptedRedirectURIIsRegistered(f *testing.F) {
	for _, uri := range []string{"http://127.0.0.1:51004/cb", "http://127.0.0.1:1/cb@evil",
		"https://web.example/callback?a=b#", "http://[::1]:5/cb?x",
		"http://[::1]/cb?x", "http://127.0.0.1/cb", "http://127.0.0.1:/cb", "http://[::1]:5:5/cb?x",
		"http://127.0.0.1:0070/cb"} {
		f.Add(uri)
	}
	registered := []string{"http://127.0.0.1/cb", "http://[::1]/cb?x", "https://web.example/callback?a=b"}
	// withPort are the registered addresses of this machine with the port of the request (RFC 8252 §7.3).
	withPort := func(port string) []string {
		return []string{"http://127.0.0.1:" + port + "/cb", "http://[::1]:" + port + "/cb?x"}
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !server.MatchRedirect(registered, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("%q: %v", uri, err)
		}
		if u.User != nil || u.Fragment != "" {
			t.Errorf("%q has a user or a fragment", uri)
		}
		if slices.Contains(registered, uri) {
			return
		}
		if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
			t.Errorf("%q has the port %d: %v", uri, port, err)
		}
		if !slices.Contains(withPort(u.Port()), uri) {
			t.Errorf("%q is none of %q, also without its port", uri, registered)
		}
	})
}

func TestARequestByPOSTGoesOnByGET(t *testing.T) {
	s := newService(t, nil)
	a := s.stranger().do("POST", "/o/authorize/", query().Encode(), "Origin", "https://web.example", "Sec-Fetch-Site",
		"cross-site")
	next := a.Header.Get("Location")
	if a.StatusCode != 303 || !strings.HasPrefix(next, "/o/authorize/?interaction=") {
		t.Fatalf("%d %s", a.StatusCode, next)
	}
	if back := s.as("alice").allow(s.as("alice").do("GET", next, "")); back.location("code") == "" ||
		back.location("state") != "xyz" {
		t.Errorf("%d %s", back.StatusCode, back.Header.Get("Location"))
	}
}

func TestWithoutALogin(t *testing.T) {
	s := newService(t, nil)
	a := s.stranger().authorize("login_hint", "bob", "acr_values", "high low", "max_age", "60")
	asked := s.logins[0]
	if a.StatusCode != 303 || len(asked.ReturnTo) > 1000 || !strings.HasPrefix(asked.ReturnTo, "/o/authorize/?") ||
		asked.Hint != "bob" || strings.Join(asked.ACR, " ") != "high low" ||
		asked.MaxAge != time.Minute || asked.Fresh || asked.Client.ID != "web" {
		t.Errorf("%d %+v", a.StatusCode, asked)
	}
	sent(t, s, "prompt none", s.stranger().authorize("prompt", "none"), "login_required")
	if still := s.stranger().do("GET", asked.ReturnTo, ""); still.StatusCode != 303 || len(s.logins) != 2 {
		t.Errorf("back without a login: %d", still.StatusCode)
	}
	shown(t, "an address nobody was given", s.as("alice").do("GET", "/o/authorize/?interaction=evil", ""), 400)
}

func TestPrompts(t *testing.T) {
	s := newService(t, nil)
	sent(t, s, "none, before a consent", s.as("alice").authorize("prompt", "none"), "consent_required")
	s.as("alice").code()
	if a := s.as("alice").authorize("prompt", "none"); a.location("code") == "" {
		t.Errorf("none, after it: %s", a.Header.Get("Location"))
	}
	if a := s.as("alice").authorize("prompt", "consent"); a.StatusCode != 200 {
		t.Errorf("consent, though there is one: %d", a.StatusCode)
	}
	sent(t, s, "none, for more than was agreed to", s.as("alice").authorize("prompt", "none", "scope",
		"openid read write"), "consent_required")
	sent(t, s, "none, for another resource", s.as("alice").authorize("prompt", "none", "resource",
		"https://other.example/"), "consent_required")
	for _, prompt := range []string{"login", "select_account", "login consent"} {
		s.logins = nil
		before := s.asOf("alice", "before", time.Now().Add(-time.Second))
		if a := before.authorize("prompt", prompt); a.StatusCode != 303 || len(s.logins) != 1 || !s.logins[0].Fresh {
			t.Fatalf("%s: %d %s", prompt, a.StatusCode, a.Header.Get("Location"))
		}
		if a := before.do("GET", s.logins[0].ReturnTo, ""); a.StatusCode != 303 || len(s.logins) != 2 {
			t.Errorf("%s, without a new login: %d %s", prompt, a.StatusCode, a.Header.Get("Location"))
		}
		a := s.as("alice").do("GET", s.logins[0].ReturnTo, "")
		if a.StatusCode == 200 {
			a = s.as("alice").allow(a)
		}
		if a.location("code") == "" {
			t.Errorf("%s, after it: %d %s", prompt, a.StatusCode, a.Header.Get("Location"))
		}
	}
}

func TestMaxAge(t *testing.T) {
	s := newService(t, nil)
	s.as("alice").code()
	old := s.asOf("alice", "old", time.Now().Add(-2*time.Second))
	if a := old.authorize("max_age", "60"); a.location("code") == "" {
		t.Errorf("young enough: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	for _, age := range []string{"1", "0"} {
		s.logins = nil
		if a := old.authorize("max_age", age); a.StatusCode != 303 || len(s.logins) != 1 {
			t.Fatalf("max_age %s: %d %s", age, a.StatusCode, a.Header.Get("Location"))
		}
		sent(t, s, "too old, and prompt none", old.authorize("max_age", age, "prompt", "none"), "login_required")
		fresh := s.as("alice")
		a := fresh.do("GET", s.logins[0].ReturnTo, "")
		code := a.location("code")
		if code == "" {
			t.Fatalf("max_age %s, after a login: %d %s", age, a.StatusCode, a.Header.Get("Location"))
		}
		claims := idToken(t, s.redeem(code))
		if at, _ := claims["auth_time"].(float64); time.Since(time.Unix(int64(at), 0)) > 30*time.Second ||
			int64(at) < time.Now().Add(-30*time.Second).Unix() {
			t.Errorf("auth_time %v", claims["auth_time"])
		}
	}
	unknown := s.asOf("alice", "unknown", time.UnixMicro(0))
	s.logins = nil
	unknown.authorize("max_age", "60")
	sent(t, s, "a login whose time is not known", unknown.do("GET", s.logins[0].ReturnTo, ""), "login_required")
}

// idToken returns the claims of an ID token, unchecked.
func idToken(t *testing.T, a answer) map[string]any {
	t.Helper()
	_, claims := parts(t, a.text("id_token"))
	return claims
}

func TestAnIDTokenHintNamesWhoMustBeSignedIn(t *testing.T) {
	s := newService(t, nil)
	hint := s.tokens("alice").text("id_token")
	if a := s.as("alice").authorize("id_token_hint", hint, "prompt", "none"); a.location("code") == "" {
		t.Errorf("the same user: %s", a.Header.Get("Location"))
	}
	sent(t, s, "another user, prompt none", s.as("bob").authorize("id_token_hint", hint, "prompt", "none"),
		"login_required")
	s.logins = nil
	if a := s.as("bob").authorize("id_token_hint", hint); a.StatusCode != 303 || len(s.logins) != 1 {
		t.Fatalf("another user: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	sent(t, s, "another user signs in again", s.as("bob").do("GET", s.logins[0].ReturnTo, ""), "login_required")
	if a := s.as("alice").do("GET", s.logins[0].ReturnTo, ""); a.location("code") == "" {
		t.Errorf("the right one signs in: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	expired, err := jwt.Sign(s.keys.Signing(), "JWT", map[string]any{"iss": s.http.URL, "sub": "alice", "aud": "web",
		"exp": 1, "iat": 1})
	s.must(err)
	if a := s.as("alice").authorize("id_token_hint", expired, "prompt", "none"); a.location("code") == "" {
		t.Errorf("an expired one: %s", a.Header.Get("Location"))
	}
	for sentence, claims := range map[string]map[string]any{
		"of another client": {"iss": s.http.URL, "sub": "alice", "aud": "app"},
		"of another issuer": {"iss": "https://evil.example", "sub": "alice", "aud": "web"},
		"without a subject": {"iss": s.http.URL, "aud": "web"},
	} {
		token, err := jwt.Sign(s.keys.Signing(), "JWT", claims)
		s.must(err)
		sent(t, s, sentence, s.as("alice").authorize("id_token_hint", token), "invalid_request")
	}
	access, err := jwt.Sign(s.keys.Signing(), "at+jwt", map[string]any{"iss": s.http.URL, "sub": "alice", "aud": "web"})
	s.must(err)
	sent(t, s, "an access token", s.as("alice").authorize("id_token_hint", access), "invalid_request")
}

func TestPKCECanBeLeftOutByWhomItIsAllowedAndOnlyThere(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "legacy", RedirectURIs: []string{"https://web.example/callback?a=b"},
		AllowWithoutPKCE: true})
	without := []string{"client_id", "legacy", "code_challenge", "-", "code_challenge_method", "-"}
	sent(t, s, "another client", s.as("alice").authorize("code_challenge", "-", "code_challenge_method", "-"),
		"invalid_request")
	sent(t, s, "a method alone", s.as("alice").authorize("client_id", "legacy", "code_challenge", "-"),
		"invalid_request")
	for sentence, pairs := range map[string][]string{"without a nonce": nil, "without openid": {"scope", "read"}} {
		code := s.as("alice").code(append(without, pairs...)...)
		a := s.post("/o/token/", "legacy", "grant_type", "authorization_code", "code", code, "redirect_uri",
			"https://web.example/callback?a=b")
		if a.StatusCode != 200 {
			t.Errorf("%s: got %d %s, want tokens", sentence, a.StatusCode, a.body)
		}
	}
	code := s.as("alice").code(append(without, "nonce", "n")...)
	a := s.post("/o/token/", "legacy", "grant_type", "authorization_code", "code", code, "redirect_uri",
		"https://web.example/callback?a=b", "code_verifier", verifier)
	if a.StatusCode != 400 || a.text("error") != "invalid_grant" {
		t.Errorf("a verifier where there was no challenge: %d %s", a.StatusCode, a.body)
	}
	code = s.as("alice").code(append(without, "nonce", "n")...)
	a = s.post("/o/token/", "legacy", "grant_type", "authorization_code", "code", code, "redirect_uri",
		"https://web.example/callback?a=b")
	if a.StatusCode != 200 || idToken(t, a)["nonce"] != "n" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	code = s.as("alice").code("client_id", "legacy")
	if a := s.post("/o/token/", "legacy", "grant_type", "authorization_code", "code", code, "redirect_uri",
		"https://web.example/callback?a=b"); a.StatusCode != 400 {
		t.Errorf("with a challenge the verifier is needed: %d", a.StatusCode)
	}
}

func TestOf16AnswersToAConsentPageOneCounts(t *testing.T) {
	s := newService(t, nil)
	page := s.as("alice").authorize()
	who := s.as("alice")
	form := with(fields(page.body), "allow", "Allow").Encode()
	var wg sync.WaitGroup
	codes := make(chan string, 16)
	for range 16 {
		wg.Go(func() {
			if a := who.do("POST", "/o/authorize/", form); a.StatusCode == 303 {
				codes <- a.location("code")
			} else if a.StatusCode != 403 {
				t.Errorf("%d", a.StatusCode)
			}
		})
	}
	wg.Wait()
	if len(codes) != 1 {
		t.Errorf("%d codes", len(codes))
	}
}

func TestAConsentIsOfWhoSawThePageInThatSessionOnceAndOfWhatItShowed(t *testing.T) {
	s := newService(t, nil)
	page := s.as("alice").authorize("scope", "openid read")
	form := with(fields(page.body), "allow", "Allow")
	if len(form) != 2 {
		t.Errorf("the form has more than its identifier: %v", form)
	}
	for sentence, a := range map[string]answer{
		"without its identifier": s.as("alice").do("POST", "/o/authorize/", query("allow", "Allow").Encode()),
		"with another identifier": s.as("alice").do("POST", "/o/authorize/",
			url.Values{"allow": {"Allow"}, "interaction": {"x"}}.Encode()),
		"of another user":    s.as("bob").do("POST", "/o/authorize/", form.Encode()),
		"of another session": s.asOf("alice", "other", time.Now()).do("POST", "/o/authorize/", form.Encode()),
		"of a stranger":      s.stranger().do("POST", "/o/authorize/", form.Encode()),
		"from a page of another site": s.as("alice").do("POST", "/o/authorize/", form.Encode(), "Sec-Fetch-Site",
			"cross-site"),
		"from another origin": s.as("alice").do("POST", "/o/authorize/", form.Encode(), "Origin",
			"https://evil.example"),
		"to the page for signing out": s.as("alice").do("POST", "/o/logout/", form.Encode()),
	} {
		if a.StatusCode != 403 || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := s.as("alice").do("GET", "/o/authorize/?interaction="+form.Get("interaction"), ""); a.StatusCode != 400 {
		t.Errorf("as an address: %d", a.StatusCode)
	}
	changed := with(fields(page.body), "allow", "Allow", "scope", "openid read write", "redirect_uri",
		"https://evil.example/", "client_id", "app")
	good := s.as("alice").do("POST", "/o/authorize/", changed.Encode())
	if !strings.HasPrefix(good.Header.Get("Location"), "https://web.example/callback?a=b&code=") {
		t.Fatalf("%d %s", good.StatusCode, good.Header.Get("Location"))
	}
	if tokens := s.redeem(good.location("code")); tokens.text("scope") != "openid read" {
		t.Errorf("more was approved than was shown: %s", tokens.body)
	}
	if a := s.as("alice").do("POST", "/o/authorize/", form.Encode()); a.StatusCode != 403 {
		t.Errorf("again: %d", a.StatusCode)
	}
}

func TestDenyingGivesNothing(t *testing.T) {
	s := newService(t, nil)
	form := fields(s.as("alice").authorize().body)
	a := s.as("alice").do("POST", "/o/authorize/", with(form, "deny", "Deny").Encode())
	if sent(t, s, "deny", a, "access_denied"); a.location("state") != "xyz" {
		t.Error(a.Header.Get("Location"))
	}
	if consent, err := s.config.Store.Consent(t.Context(), "alice", "web"); consent != nil || err != nil {
		t.Errorf("%+v, %v", consent, err)
	}
}

func TestAClientThatChangesWhileItsPageIsOpenGetsNothing(t *testing.T) {
	for sentence, change := range map[string]func(s *service, c *server.Client) error{
		"disabled": func(s *service, c *server.Client) error {
			_, err := s.server.DisableClient(s.Context(), c, true)
			return err
		},
		"removed": func(s *service, c *server.Client) error {
			_, err := s.server.RemoveClient(s.Context(), c.ID)
			return err
		},
		"another redirect URI": func(s *service, c *server.Client) error {
			_, err := s.server.ChangeClient(s.Context(), c,
				server.Registration{RedirectURIs: []string{"https://other.example/"}})
			return err
		},
		"fewer scopes": func(s *service, c *server.Client) error {
			_, err := s.server.ChangeClient(s.Context(), c, server.Registration{RedirectURIs: c.RedirectURIs,
				Scope: "openid"})
			return err
		},
	} {
		s := newService(t, nil)
		page := s.as("alice").authorize()
		client, err := s.server.Client(t.Context(), "web")
		s.must(err)
		s.must(change(s, client))
		shown(t, sentence,
			s.as("alice").do("POST", "/o/authorize/", with(fields(page.body), "allow", "Allow").Encode()), 400)
	}
}

func TestWhoIsAskedAndWhoIsNot(t *testing.T) {
	s := newService(t, nil)
	first := []string{"client_id", "first", "redirect_uri", "https://first.example/cb"}
	if a := s.as("alice").authorize(first...); a.location("code") == "" {
		t.Errorf("a first-party client: %d", a.StatusCode)
	}
	if a := s.as("alice").authorize(append(first, "prompt", "consent")...); a.StatusCode != 200 {
		t.Errorf("one that wants it: %d", a.StatusCode)
	}
	for _, uri := range []string{"http://127.0.0.1:5000/cb", "com.example.app:/cb"} {
		for range 2 { // nothing tells which program on the device it is
			a := s.as("alice").authorize("client_id", "app", "redirect_uri", uri)
			if a.StatusCode != 200 || !strings.Contains(a.body, "a program on this device") {
				t.Errorf("%s: %d", uri, a.StatusCode)
				continue
			}
			s.as("alice").allow(a)
		}
	}
	limited := s.as("alice")
	limited.cookie += ":read"
	if a := limited.authorize("scope", "read"); a.StatusCode != 200 {
		t.Errorf("what the login is for: %d", a.StatusCode)
	}
	sent(t, s, "a login for less", limited.authorize("scope", "read write"), "access_denied")
	s.add(server.Registration{ClientID: "bob", RedirectURIs: []string{"https://web.example/callback?a=b"}})
	sent(t, s, "a user with the name of the client", s.as("bob").authorize("client_id", "bob"), "access_denied")
}

func TestAnAnswerByPOST(t *testing.T) {
	s := newService(t, nil)
	for _, pairs := range [][]string{{"state", `"><script>evil()</script>`}, {"scope", "admin", "state", "a'b"}} {
		a := s.as("alice").authorize(append(pairs, "response_mode", "form_post", "prompt", "consent")...)
		if strings.Contains(a.body, `name="interaction"`) {
			a = s.as("alice").allow(a)
		}
		values := fields(a.body)
		if a.StatusCode != 200 || a.Header.Get("Location") != "" ||
			!strings.Contains(a.body, `<form method="post" action="https://web.example/callback?a=b">`) ||
			strings.Contains(a.body, "<script>evil") {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		if values.Get("iss") != s.http.URL || !strings.Contains(fmt.Sprint(pairs), values.Get("state")) ||
			(values.Get("code") == "") == (values.Get("error") == "") {
			t.Errorf("%v", values)
		}
		if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'sha256-") ||
			!strings.Contains(policy, "form-action 'self' https:;") {
			t.Error(policy)
		}
	}
}

func TestEveryPageIsKeptNowhereFramedNowhereAndToldToNobody(t *testing.T) {
	s := newService(t, nil)
	for sentence, a := range map[string]answer{
		"consent":      s.as("alice").authorize(),
		"an error":     s.as("alice").authorize("client_id", "x"),
		"a redirect":   s.as("alice").authorize("scope", "admin"),
		"to the login": s.stranger().authorize(),
		"form_post":    s.as("alice").authorize("scope", "admin", "response_mode", "form_post"),
		"405":          s.as("alice").do("PUT", "/o/authorize/", ""),
		"403":          s.as("alice").do("POST", "/o/authorize/", "allow=1"),
		"access":       s.as("alice").do("GET", "/o/authorized_tokens/", ""),
		"applications": s.as("alice").do("GET", "/o/applications/", ""),
		"register":     s.as("alice").do("GET", "/o/applications/register/", ""),
		"not there":    s.as("alice").do("GET", "/o/applications/none/", ""),
		"logout":       s.as("alice").do("GET", "/o/logout/", ""),
		"preflight": s.as("alice").do("OPTIONS", "/o/authorize/", "", "Origin", "https://evil.example",
			"Access-Control-Request-Method", "GET"),
	} {
		h, referrer := a.Header, "no-referrer"
		if strings.Contains(a.body, "<form") { // no-referrer would make it send "Origin: null"
			referrer = "same-origin"
		}
		if forms := sentence == "consent" || sentence == "logout" || sentence == "form_post" ||
			sentence == "register"; forms && referrer == "no-referrer" {
			t.Errorf("%s: want a form: %s", sentence, a.body)
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") ||
			!strings.Contains(policy, "default-src 'none'") || h.Get("X-Frame-Options") != "DENY" ||
			h.Get("Referrer-Policy") != referrer || h.Get("Cache-Control") != "no-store" ||
			h.Get("Access-Control-Allow-Origin") != "" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", sentence, a.StatusCode, h)
		}
	}
}
