package server_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// refused wants an error in JSON that is kept nowhere and says nothing of what was
// sent.
func refused(t *testing.T, sentence string, a answer, status int, code string) {
	t.Helper()
	if a.StatusCode != status || a.text("error") != code || a.Header.Get("Cache-Control") != "no-store" ||
		!strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") || strings.Contains(a.body, "evil") {
		t.Errorf("%s: %d %s, want %d %s", sentence, a.StatusCode, a.body, status, code)
	}
	for _, r := range a.text("error_description") { // RFC 6749 §5.2
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			t.Errorf("%s: description %q", sentence, a.text("error_description"))
		}
	}
	challenge := a.Header.Get("WWW-Authenticate")
	if (status == 401) != strings.HasPrefix(challenge, `Basic realm="`) {
		t.Errorf("%s: challenge %q", sentence, challenge)
	}
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// endpoints are those that clients post forms to.
var endpoints = []string{"/o/token/", "/o/introspect/", "/o/revoke_token/", "/o/token", "/o/introspect",
	"/o/revoke_token"}

func TestWhatAFormMustBe(t *testing.T) {
	s := newService(t, nil)
	good := "grant_type=client_credentials&token=x"
	authorization := basic("job", s.secrets["job"])
	for _, path := range endpoints {
		for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
			a := s.stranger().do(method, path+"?"+good, "", "Authorization", authorization)
			if a.StatusCode != 405 || a.Header.Get("Allow") != "POST" {
				t.Errorf("%s %s: %d %v", method, path, a.StatusCode, a.Header)
			}
		}
		for sentence, row := range map[string]struct {
			body, kind string
			status     int
		}{
			"JSON":             {`{"grant_type":"client_credentials"}`, "application/json", 400},
			"multipart":        {"--x\r\n", "multipart/form-data; boundary=x", 400},
			"no type":          {good, "", 400},
			"a strange type":   {good, ";;", 400},
			"a broken form":    {"a=%zz", "application/x-www-form-urlencoded", 400},
			"a semicolon":      {"a=b;c=d", "application/x-www-form-urlencoded", 400},
			"a NUL":            {good + "&x=%00", "application/x-www-form-urlencoded", 400},
			"no text":          {good + "&x=%ff", "application/x-www-form-urlencoded", 400},
			"something twice":  {good + "&" + good, "application/x-www-form-urlencoded", 400},
			"a strange twice":  {good + "&foo=1&foo=1", "application/x-www-form-urlencoded", 400},
			"an empty twice":   {good + "&grant_type=&token=", "application/x-www-form-urlencoded", 400},
			"more than 64 KiB": {good + "&x=" + strings.Repeat("x", 64<<10), "application/x-www-form-urlencoded", 413},
		} {
			r := s.stranger()
			headers := []string{"Authorization", authorization}
			a := r.doType("POST", path, row.body, row.kind, headers...)
			refused(t, path+": "+sentence, a, row.status, "invalid_request")
		}
		if a := s.stranger().doType("POST", path, good, `Application/X-WWW-Form-Urlencoded; charset="utf-8"`,
			"Authorization", authorization); a.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
}

// doType sends a body of a type.
func (b *browser) doType(method, path, body, kind string, headers ...string) answer {
	b.Helper()
	return b.do(method, path, body, append(headers, "Content-Type", kind)...)
}

// Some libraries send the client_id of a public client by Basic.
func TestUnitAPublicClientMaySendAnEmptySecret(t *testing.T) {
	s := newService(t, nil)
	code := s.as("alice").code("client_id", "app", "redirect_uri", "http://127.0.0.1:5/cb")
	token := s.post("/o/token/", "app", "grant_type", "authorization_code", "code", code,
		"redirect_uri", "http://127.0.0.1:5/cb", "code_verifier", verifier).text("access_token")
	a := s.stranger().do("POST", "/o/revoke_token/", "token="+token, "Authorization", basic("app", ""))
	if a.StatusCode != 200 {
		t.Fatalf("got %d %s, want 200", a.StatusCode, a.body)
	}
	if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+token); a.StatusCode != 401 {
		t.Errorf("the token answers with %d after it was revoked, want 401", a.StatusCode)
	}
}

func TestHowAClientAuthenticates(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "by-basic", GrantTypes: []string{"client_credentials"},
		TokenEndpointAuthMethod: "client_secret_basic", ClientSecret: "s:e c+r%t/ü of 24 bytes"})
	s.add(server.Registration{ClientID: "by-post", GrantTypes: []string{"client_credentials"},
		TokenEndpointAuthMethod: "client_secret_post"})
	off := s.add(server.Registration{ClientID: "off", GrantTypes: []string{"client_credentials"}})
	_, err := s.server.DisableClient(t.Context(), off, true)
	s.must(err)
	job := s.secrets["job"]
	encoded := url.QueryEscape("s:e c+r%t/ü of 24 bytes")
	const grant = "grant_type=client_credentials&token=x"
	for sentence, row := range map[string]struct {
		query, body, authorization string
		status                     int
		code                       string
	}{
		"by Basic": {"", "", basic("job", job), 200, ""},
		"by basic, in another case": {"", "", strings.Replace(basic("job", job), "Basic", "bAsIc", 1), 200,
			""},
		"in the body":                          {"", "client_id=job&client_secret=" + job, "", 200, ""},
		"by Basic, and its name in the body":   {"", "client_id=job", basic("job", job), 200, ""},
		"by Basic, encoded":                    {"", "", basic("by%2Dbasic", encoded), 200, ""},
		"in the query":                         {"client_id=job&client_secret=" + job, "", "", 401, "invalid_client"},
		"the secret in the query":              {"client_secret=" + job, "client_id=job", "", 401, "invalid_client"},
		"by Basic and the same in the body":    {"", "client_id=job&client_secret=" + job, basic("job", job), 200, ""},
		"by Basic, and the secret in the body": {"", "client_secret=" + job, basic("job", job), 200, ""},
		"nothing by Basic, and in the body": {"", "client_id=job&client_secret=" + job, basic("job", ""), 400,
			"invalid_request"},
		"by Basic, and another secret in body": {"", "client_secret=x", basic("job", job), 400, "invalid_request"},
		"by Basic and an assertion": {"", "client_assertion=x&client_assertion_type=y", basic("job", job),
			400, "invalid_request"},
		"by an assertion and a secret": {"", "client_id=job&client_secret=" + job + "&client_assertion=x", "",
			400, "invalid_request"},
		"by an assertion": {
			"", "client_assertion=x&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "",
			401, "invalid_client"},
		"by Basic, and another name in body": {"", "client_id=web", basic("job", job), 400, "invalid_request"},
		"a wrong secret":                     {"", "", basic("job", "evil"), 401, "invalid_client"},
		"a secret and more":                  {"", "", basic("job", job+"x"), 401, "invalid_client"},
		"no secret":                          {"", "", basic("job", ""), 401, "invalid_client"},
		"an unknown client":                  {"", "", basic("evil", job), 401, "invalid_client"},
		"a disabled client":                  {"", "", basic("off", s.secrets["off"]), 401, "invalid_client"},
		"a wrong secret in the body":         {"", "client_id=job&client_secret=evil", "", 401, "invalid_client"},
		"its name alone":                     {"", "client_id=job", "", 401, "invalid_client"},
		"nothing":                            {"", "", "", 401, "invalid_client"},
		"no base64":                          {"", "", "Basic !", 401, "invalid_client"},
		"no colon": {"", "", "Basic " + base64.StdEncoding.EncodeToString([]byte("job")),
			401, "invalid_client"},
		"a broken encoding": {"", "", basic("job", "%zz"), 401, "invalid_client"},
		"no UTF-8":          {"", "", basic("job", "%ff"), 401, "invalid_client"},
		"a NUL in the name": {"", "", basic("job%00", job), 401, "invalid_client"},
		"another scheme":    {"", "", "Bearer " + job, 401, "invalid_client"},
		"one for Basic in the body": {"", "client_id=by-basic&client_secret=" + encoded, "", 401,
			"invalid_client"},
		"one for the body by Basic": {"", "", basic("by-post", s.secrets["by-post"]), 401, "invalid_client"},
		"one for the body in the body": {"", "client_id=by-post&client_secret=" + s.secrets["by-post"],
			"", 200, ""},
		"a public one with a secret":          {"", "client_id=app&client_secret=x", "", 401, "invalid_client"},
		"a public one with a secret by Basic": {"", "", basic("app", "x"), 401, "invalid_client"},
	} {
		for _, path := range endpoints[:3] {
			body := grant
			if row.body != "" {
				body += "&" + row.body
			}
			var headers []string
			if row.authorization != "" {
				headers = []string{"Authorization", row.authorization}
			}
			a := s.stranger().do("POST", path+"?"+row.query, body, headers...)
			if row.status == 200 {
				if a.StatusCode != 200 {
					t.Errorf("%s: %s: %d %s", path, sentence, a.StatusCode, a.body)
				}
				continue
			}
			refused(t, path+": "+sentence, a, row.status, row.code)
		}
	}
	wrong := s.stranger().do("POST", "/o/token/", grant, "Authorization", basic("job", "evil"))
	unknown := s.stranger().do("POST", "/o/token/", grant, "Authorization", basic("evil", "evil"))
	if s.events.count(auth.EventFailure) < 2 {
		t.Error("nobody is told of failures")
	}
	if wrong.body != unknown.body {
		t.Error("an unknown client is told from a wrong secret")
	}
	refused(t, "two headers", s.stranger().do("POST", "/o/token/", grant, "Authorization", basic("job", job),
		"Authorization", basic("job", job)), 400, "invalid_request")
}

func TestWhichGrantAClientMayUse(t *testing.T) {
	s := newService(t, nil)
	refused(t, "none", s.post("/o/token/", "web"), 400, "invalid_request")
	refused(t, "an empty one", s.post("/o/token/", "web", "grant_type", ""), 400, "invalid_request")
	for _, name := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "evil",
		"Authorization_code"} {
		refused(t, name, s.post("/o/token/", "web", "grant_type", name, "username", "alice", "password", "x"), 400,
			"unsupported_grant_type")
	}
	refused(t, "one that it has not", s.post("/o/token/", "web", "grant_type", "client_credentials"), 400,
		"unauthorized_client")
	refused(t, "one that it has not", s.post("/o/token/", "job", "grant_type", "authorization_code", "code", "x"), 400,
		"unauthorized_client")
	refused(t, "a public one for itself", s.post("/o/token/", "app", "grant_type", "client_credentials"), 400,
		"unauthorized_client")
	refused(t, "no code", s.post("/o/token/", "web", "grant_type", "authorization_code"), 400, "invalid_request")
	refused(t, "no refresh token", s.post("/o/token/", "web", "grant_type", "refresh_token"), 400, "invalid_request")
}

func TestAnAnswerWithTokensIsKeptNowhere(t *testing.T) {
	s := newService(t, nil)
	a := s.tokens("alice", "scope", "read")
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Pragma") != "no-cache" ||
		a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v", a.Header)
	}
	if a.text("token_type") != "Bearer" || a.json("expires_in") != 600. || a.text("scope") != "read" ||
		a.json("id_token") != nil {
		t.Error(a.body)
	}
}

func TestACodeThatIsNotGood(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "other", RedirectURIs: []string{"https://web.example/callback?a=b"}})
	code := s.as("alice").code()
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri",
		"https://web.example/callback?a=b", "code_verifier", verifier}
	for sentence, a := range map[string]answer{
		"unknown":              s.redeem("ac_" + strings.Repeat("0", 40)),
		"no code":              s.redeem("evil"),
		"of another client":    s.post("/o/token/", "other", form...),
		"another redirect URI": s.redeem(code, "redirect_uri", "https://web.example/callback"),
		"no redirect URI":      s.redeem(code, "redirect_uri", "-"),
		"a refresh token":      s.redeem(s.tokens("bob").text("refresh_token")),
	} {
		refused(t, sentence, a, 400, "invalid_grant")
	}
	refused(t, "another resource", s.redeem(code, "resource", "https://other.example/"), 400, "invalid_target")
	refused(t, "no resource", s.redeem(code, "resource", "x"), 400, "invalid_target")
	refused(t, "a wrong secret", s.stranger().do("POST", "/o/token/", with(url.Values{}, form...).Encode(),
		"Authorization", basic("web", "evil")), 401, "invalid_client")
	// None of that has used it up.
	if a := s.redeem(code); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestAVerifierIsTriedOnce(t *testing.T) {
	s := newService(t, nil)
	for sentence, wrong := range map[string]string{"none": "-", "another": strings.Repeat("a", 43),
		"42 characters": verifier[:42], "129 characters": strings.Repeat("a", 129),
		"a bad character": verifier[:42] + "!", "the challenge": challenge(verifier)} {
		code := s.as("alice").code()
		refused(t, sentence, s.redeem(code, "code_verifier", wrong), 400, "invalid_grant")
		refused(t, sentence+", then none", s.redeem(code, "code_verifier", "-"), 400, "invalid_grant")
		refused(t, sentence+", then the right one", s.redeem(code), 400, "invalid_grant")
	}
	if s.events.count(auth.EventReuse) != 6 {
		t.Errorf("%d events", s.events.count(auth.EventReuse))
	}
	long := strings.Repeat("-._~", 32)
	if a := s.redeem(s.as("alice").code("code_challenge", challenge(long)), "code_verifier",
		long); a.StatusCode != 200 {
		t.Errorf("128 characters: %d %s", a.StatusCode, a.body)
	}
}

func TestACodeThatComesAgainEndsWhatItGave(t *testing.T) {
	for sentence, pairs := range map[string][]string{"as before": nil,
		"with a wrong verifier":     {"code_verifier", strings.Repeat("a", 43)},
		"without a verifier":        {"code_verifier", "-"},
		"with another redirect URI": {"redirect_uri", "x"}, "for another resource": {"resource", "x"}} {
		s := newService(t, nil)
		code := s.as("alice").code()
		tokens := s.redeem(code)
		refreshed := s.refresh(tokens.text("refresh_token"))
		refused(t, sentence, s.redeem(code, pairs...), 400, "invalid_grant")
		for _, token := range []string{tokens.text("access_token"), refreshed.text("access_token")} {
			if s.good(token) {
				t.Errorf("%s: a token is good", sentence)
			}
		}
		refused(t, sentence, s.refresh(refreshed.text("refresh_token")), 400, "invalid_grant")
	}
	s := newService(t, nil)
	code := s.as("alice").code()
	tokens := s.redeem(code)
	s.add(server.Registration{ClientID: "other", RedirectURIs: []string{"https://web.example/callback?a=b"}})
	s.post("/o/token/", "other", "grant_type", "authorization_code", "code", code, "code_verifier", verifier)
	if !s.good(tokens.text("access_token")) {
		t.Error("another client ended it")
	}
}

func TestOf32RedemptionsAtOnceNothingIsGoodAfterwards(t *testing.T) {
	s := newService(t, nil)
	code := s.as("alice").code()
	answers := make(chan answer, 32)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() { answers <- s.redeem(code) })
	}
	wg.Wait()
	close(answers)
	good := 0
	for a := range answers {
		if a.StatusCode != 200 {
			refused(t, "one of them", a, 400, "invalid_grant")
			continue
		}
		if good++; s.good(a.text("access_token")) || s.refresh(a.text("refresh_token")).StatusCode != 400 {
			t.Error("what one of them gave is good")
		}
	}
	if good > 1 {
		t.Errorf("%d succeeded", good)
	}
}

func TestARefreshNarrowsAndNeverWidens(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice", "scope", "openid read write")
	narrow := s.refresh(tokens.text("refresh_token"), "scope", "read")
	if narrow.text("scope") != "read" || narrow.json("id_token") != nil {
		t.Errorf("%d %s", narrow.StatusCode, narrow.body)
	}
	refused(t, "another scope", s.refresh(narrow.text("refresh_token"), "scope", "read email"), 400, "invalid_scope")
	refused(t, "a malformed scope", s.refresh(narrow.text("refresh_token"), "scope", "read  write"), 400,
		"invalid_scope")
	refused(t, "another resource", s.refresh(narrow.text("refresh_token"), "resource", "https://other.example/"), 400,
		"invalid_target")
	full := s.refresh(narrow.text("refresh_token"))
	if full.text("scope") != "openid read write" || full.text("id_token") == "" {
		t.Errorf("%d %s", full.StatusCode, full.body)
	}
	late := s.as("alice").code("scope", "openid read write")
	client, err := s.server.Client(t.Context(), "web")
	s.must(err)
	_, err = s.server.ChangeClient(t.Context(), client, server.Registration{RedirectURIs: client.RedirectURIs,
		GrantTypes: client.GrantTypes, Scope: "openid read"})
	s.must(err)
	if less := s.redeem(late); less.text("scope") != "openid read" {
		t.Errorf("a code of before: %d %s", less.StatusCode, less.body)
	}
	if less := s.refresh(full.text("refresh_token")); less.text("scope") != "openid read" {
		t.Errorf("the client may not have it any more: %d %s", less.StatusCode, less.body)
	}
}

func TestARefreshTokenIsItsClients(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice")
	refused(t, "another client", s.post("/o/token/", "first", "grant_type", "refresh_token", "refresh_token",
		tokens.text("refresh_token")), 400, "invalid_grant")
	refused(t, "an access token", s.refresh(tokens.text("access_token")), 400, "invalid_grant")
	refused(t, "nothing", s.refresh("evil"), 400, "invalid_grant")
	if a := s.refresh(tokens.text("refresh_token")); a.StatusCode != 200 {
		t.Errorf("its own: %d %s", a.StatusCode, a.body)
	}
}

func TestAReplayEndsTheGrantWhateverElseIsWrong(t *testing.T) {
	for sentence, pairs := range map[string][]string{"as before": nil, "with another scope": {"scope", "admin"},
		"with another resource": {"resource", "x"}} {
		s := newService(t, nil)
		tokens := s.tokens("alice")
		next := s.refresh(tokens.text("refresh_token"))
		refused(t, sentence, s.refresh(tokens.text("refresh_token"), pairs...), 400, "invalid_grant")
		if s.good(next.text("access_token")) || s.good(tokens.text("access_token")) {
			t.Errorf("%s: a token is good", sentence)
		}
		refused(t, sentence, s.refresh(next.text("refresh_token")), 400, "invalid_grant")
		if s.events.count(auth.EventReuse) != 1 {
			t.Errorf("%s: %d events", sentence, s.events.count(auth.EventReuse))
		}
	}
}

func TestWhoseTokensAreRefreshedIsAsked(t *testing.T) {
	for sentence, change := range map[string]func(s *service){
		"disabled":          func(s *service) { s.users.disable("alice", true) },
		"another password":  func(s *service) { s.users.changePassword("alice") },
		"consent withdrawn": func(s *service) { _, err := s.server.Withdraw(s.Context(), "alice", "web"); s.must(err) },
		"all revoked":       func(s *service) { _, err := s.server.RevokeAll(s.Context(), "alice"); s.must(err) },
		"the session over": func(s *service) {
			_, err := s.server.EndSession(s.Context(), "session-alice")
			s.must(err)
		},
	} {
		s := newService(t, nil)
		tokens, others := s.tokens("alice"), s.tokens("bob")
		pending := s.as("alice").code()
		change(s)
		refused(t, sentence, s.refresh(tokens.text("refresh_token")), 400, "invalid_grant")
		refused(t, sentence+", a code", s.redeem(pending), 400, "invalid_grant")
		if a := s.post("/o/introspect/", "web", "token",
			tokens.text("access_token")); a.body != "{\"active\":false}\n" {
			t.Errorf("%s: %s", sentence, a.body)
		}
		if a := s.refresh(others.text("refresh_token")); a.StatusCode != 200 {
			t.Errorf("%s: somebody else's: %d %s", sentence, a.StatusCode, a.body)
		}
	}
}

func TestOf16RefreshesAtOnce(t *testing.T) {
	s := newService(t, nil)
	race := func(s *service) (successors map[string]bool, good int) {
		tokens := s.tokens("alice")
		answers := make(chan answer, 16)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { answers <- s.refresh(tokens.text("refresh_token")) })
		}
		wg.Wait()
		close(answers)
		successors = map[string]bool{}
		for a := range answers {
			if a.StatusCode == 200 {
				successors[a.text("refresh_token")] = true
				if s.good(a.text("access_token")) {
					good++
				}
			} else {
				refused(t, "one of them", a, 400, "invalid_grant")
			}
		}
		return successors, good
	}
	if successors, good := race(s); len(successors) > 1 || good != 0 {
		t.Errorf("without a grace: %d, %d good", len(successors), good)
	}
	if successors, good := race(newService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })); len(
		successors) != 1 || good != 16 {
		t.Errorf("with a grace: %d, %d good", len(successors), good)
	}
}

func TestWithinTheGraceTheImmediatePredecessorGetsTheSameSuccessor(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })
	first := s.tokens("alice").text("refresh_token")
	a, b := s.refresh(first), s.refresh(first)
	if a.text("refresh_token") == "" || a.text("refresh_token") != b.text("refresh_token") ||
		a.text("access_token") == b.text("access_token") || !s.good(b.text("access_token")) {
		t.Errorf("%s\n%s", a.body, b.body)
	}
	second := a.text("refresh_token")
	if s.refresh(second).StatusCode != 200 {
		t.Fatal("the successor is not good")
	}
	refused(t, "the one before the predecessor", s.refresh(first), 400, "invalid_grant")
	if s.good(b.text("access_token")) {
		t.Error("the grant lives")
	}
}

func TestAProgramGetsATokenForItselfAlone(t *testing.T) {
	s := newService(t, nil)
	a := s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "read")
	if a.StatusCode != 200 || a.json("refresh_token") != nil || a.json("id_token") != nil || a.text("scope") != "read" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	token, err := s.server.Inspect(t.Context(), a.text("access_token"))
	if err != nil || !token.Machine() || token.ClientID != "job" || token.Subject != "" {
		t.Errorf("%+v, %v", token, err)
	}
	if a := s.post("/o/token/", "api", "grant_type", "client_credentials"); a.text("scope") != "read write" {
		t.Errorf("without a scope: %s", a.body)
	}
	refused(t, "a scope of users", s.post("/o/token/", "api", "grant_type", "client_credentials", "scope", "openid"),
		400, "invalid_scope")
	refused(t, "a scope that it has not", s.post("/o/token/", "job", "grant_type", "client_credentials", "scope",
		"email"), 400, "invalid_scope")
	refused(t, "an unknown resource", s.post("/o/token/", "job", "grant_type", "client_credentials", "resource", "x"),
		400, "invalid_target")
}

func TestLifetimesAreThoseOfClientGrantAndScope(t *testing.T) {
	var asked []string
	s := newService(t, func(c *server.Config) {
		c.Tokens.LifetimesOf = func(r server.LifetimeRequest) server.Lifetimes {
			asked = append(asked, fmt.Sprint(r.Client.ID, " ", r.GrantType, " ", r.Permissions.Scopes()))
			if r.GrantType == "client_credentials" {
				return server.Lifetimes{Access: time.Hour}
			}
			return server.Lifetimes{}
		}
	})
	if a := s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "read"); a.json(
		"expires_in") != 3600. || asked[0] != "job client_credentials [read]" {
		t.Errorf("%s %q", a.body, asked)
	}
	if a := s.tokens("alice"); a.json("expires_in") != 600. {
		t.Error(a.body)
	}
}
