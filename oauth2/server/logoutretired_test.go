package server_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// retired returns a service and an ID token of alice for the client web, by a key that the operator has retired.
func retired(t *testing.T) (s *service, log *lines, token, access string) {
	ring := openRing(t, jwt.NewMemoryKeyStore(), true, jwt.ES256)
	s, log = logged(t, func(c *server.Config) { c.Keys, c.OpenID.IDTokenAlgorithm = ring, jwt.ES256 })
	tokens := s.tokens("alice", "scope", "openid read")
	token, access = tokens.text("id_token"), tokens.text("access_token")
	header, _ := parts(t, token)
	s.must(ring.Retire(t.Context(), header["kid"].(string), time.Now()))
	return s, log, token, access
}

// forge returns a token that no key of the service signed.
func forge(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode(make([]byte, 64))
}

func TestUnitALogoutWithAnIDTokenOfARetiredKey(t *testing.T) {
	bye := "&post_logout_redirect_uri=" + url.QueryEscape("https://web.example/bye") + "&state=x"
	for _, parameters := range []string{"", bye, "&client_id=web" + bye} {
		t.Run("the user is asked, and then led back, with the parameters "+parameters, func(t *testing.T) {
			s, log, hint, _ := retired(t)
			page := s.as("alice").do("GET", "/o/logout/?id_token_hint="+hint+parameters, "")
			if page.StatusCode != 200 || !strings.Contains(page.body, "Sign out of") ||
				page.Header.Get("Set-Cookie") != "" {
				t.Fatalf("%d %s", page.StatusCode, page.body)
			}
			if !strings.Contains(page.body, "Web &lt;b&gt;shop") {
				t.Errorf("the page does not name the client: %s", page.body)
			}
			told := log.take()
			for _, part := range []string{"the id_token_hint is refused", "kid", "status=200"} {
				if !strings.Contains(told, part) {
					t.Errorf("the log lacks %q: %s", part, told)
				}
			}
			a := s.as("alice").do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode())
			wanted := 200
			if strings.Contains(parameters, bye) {
				wanted = 303
			}
			if a.StatusCode != wanted || a.Header.Get("Set-Cookie") == "" {
				t.Errorf("%d %v %s", a.StatusCode, a.Header, a.body)
			}
			if to := a.Header.Get("Location"); wanted == 303 && to != "https://web.example/bye?state=x" {
				t.Errorf("leads to %s", to)
			}
		})
	}

	s, _, hint, access := retired(t)
	issuer := s.http.URL
	known, _ := parts(t, s.tokens("alice", "scope", "openid read").text("id_token"))
	kid := known["kid"].(string)
	claims := `{"iss":"` + issuer + `","sub":"alice","aud":"web","sid":"session-alice"}`
	for sentence, parameters := range map[string]string{
		"another client's": "client_id=app&id_token_hint=" + hint,
		"an address that is not registered": "id_token_hint=" + hint + "&post_logout_redirect_uri=https://" +
			"evil.example/",
		"a key that is there, signed wrongly": "id_token_hint=" +
			forge(`{"alg":"ES256","typ":"JWT","kid":"`+kid+`"}`, claims),
		"no key": "id_token_hint=" + forge(`{"alg":"ES256","typ":"JWT"}`, claims),
		"another kind of token": "id_token_hint=" +
			forge(`{"alg":"ES256","typ":"at+jwt","kid":"x"}`, claims),
		"another issuer": "id_token_hint=" + forge(`{"alg":"ES256","typ":"JWT","kid":"x"}`,
			`{"iss":"https://evil.example","sub":"a","aud":"web"}`),
		"claims that are no object": "id_token_hint=" + forge(`{"alg":"ES256","typ":"JWT","kid":"x"}`, `[]`),
		"a header that is none":     "id_token_hint=" + forge(`"evil"`, claims),
		"two parts":                 "id_token_hint=" + strings.Join(strings.Split(hint, ".")[:2], "."),
	} {
		t.Run("a hint that is none is refused: "+sentence, func(t *testing.T) {
			shown(t, sentence, s.as("alice").do("GET", "/o/logout/?"+parameters, ""), 400)
		})
	}
	t.Run("a forged hint signs nobody out, however good its claims are", func(t *testing.T) {
		page := s.as("alice").do("GET", "/o/logout/?id_token_hint="+forge(`{"alg":"ES256","typ":"JWT","kid":"x"}`,
			claims), "")
		if page.StatusCode != 200 || !strings.Contains(page.body, "Sign out of") || !s.good(access) {
			t.Errorf("%d %s", page.StatusCode, page.body)
		}
	})
	t.Run("the authorization endpoint still refuses it", func(t *testing.T) {
		sent(t, s, "a retired hint", s.as("alice").authorize("id_token_hint", hint), "invalid_request")
	})
}

func FuzzUnitAHintThatIsNotSignedSignsNobodyOut(f *testing.F) {
	f.Add(`{"alg":"ES256","typ":"JWT","kid":"x"}`, `{"iss":"ISSUER","sub":"alice","aud":"web","sid":"session-alice"}`,
		"sig")
	f.Add(`{"kid":"x","typ":"jwt"}`, `{"iss":"ISSUER","sub":"alice","aud":["web","app"]}`, "")
	f.Add(`null`, `[]`, ".")
	var s *service
	var access, cookie string
	var handlers *server.Handlers
	f.Fuzz(func(t *testing.T, header, claims, signature string) {
		if s == nil {
			s = newService(t, nil)
			access = s.tokens("alice", "scope", "openid read").text("access_token")
			handlers, cookie = s.handlers(), s.as("alice").cookie
		}
		encode := base64.RawURLEncoding.EncodeToString
		hint := encode([]byte(header)) + "." + encode([]byte(strings.ReplaceAll(claims, "ISSUER", s.config.Issuer))) +
			"." + signature
		r := httptest.NewRequest("GET", "/o/logout/?id_token_hint="+url.QueryEscape(hint), nil)
		r.Header.Set("Cookie", "login="+cookie)
		w := &recorder{header: http.Header{}}
		handlers.ServeHTTP(w, r)
		_, err := s.server.Inspect(t.Context(), access)
		if w.status >= 500 || w.header.Get("Set-Cookie") != "" || w.header.Get("Location") != "" || err != nil {
			t.Errorf("%d %v %v", w.status, w.header, err)
		}
	})
}
