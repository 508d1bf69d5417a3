package jwt_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

func sorted(all []string) []string { slices.Sort(all); return all }

func TestAPairIsObtainedUsedAndRefreshed(t *testing.T) {
	s := newService(t, nil)
	access, refresh := s.obtain("alice")
	if got := s.me(access); got.status != 200 || got.text != "alice" {
		t.Errorf("%d %s", got.status, got.text)
	}
	answer := s.post("/api/token/refresh/", "refresh", refresh)
	if answer.status != 200 || answer.member("access") == access || answer.member("refresh") == refresh ||
		len(answer.body) != 2 {
		t.Fatalf("%d %s", answer.status, answer.text)
	}
	s.want("the new access token", s.me(answer.member("access")), 200, "")
	s.want("the old access token", s.me(access), 200, "")
	if answer.header.Get("Cache-Control") != "no-store" {
		t.Error("a cache may keep tokens")
	}
	for kind, want := range map[auth.EventKind]int{auth.EventLogin: 1, auth.EventIssued: 1, auth.EventRefreshed: 1} {
		if got := s.events.count(kind); got != want {
			t.Errorf("%d events %s, want %d", got, kind, want)
		}
	}
}

func TestTokensSayWhatRFC9068Names(t *testing.T) {
	s := newService(t, nil)
	access, refresh := s.obtain("alice")
	header, claims := claimsOf(t, access)
	if header["typ"] != "at+jwt" || header["alg"] != "EdDSA" || header["kid"] == "" {
		t.Errorf("%v", header)
	}
	if got := names(claims); got != "[amr aud auth_time exp gen iat iss jti sid stamp sub]" {
		t.Error(got)
	}
	if claims["iss"] != serviceIssuer || claims["aud"] != serviceIssuer || claims["sub"] != "alice" ||
		claims["exp"].(float64)-claims["iat"].(float64) != 300 {
		t.Errorf("%v", claims)
	}
	header, claims = claimsOf(t, refresh)
	if header["typ"] != "refresh+jwt" || names(claims) != "[aud exp gen iat iss jti sid sub]" ||
		claims["exp"].(float64)-claims["iat"].(float64) != 86400 {
		t.Errorf("%v %v", header, claims)
	}
	for _, token := range []string{access, refresh} {
		if strings.Contains(token, "a1") && strings.Contains(jsonOf(t, token), "a1\"") {
			t.Error("the user's stamp is in a token")
		}
	}
}

func jsonOf(t *testing.T, token string) string { _, claims := claimsOf(t, token); return names(claims) }

func TestAReplayedRefreshTokenEndsItsLoginAndNoOther(t *testing.T) {
	s := newService(t, nil)
	otherAccess, otherRefresh := s.obtain("alice")
	access, refresh := s.obtain("alice")
	next := s.post("/api/token/refresh/", "refresh", refresh)
	s.want("refresh", next, 200, "")
	s.want("the replay", s.post("/api/token/refresh/", "refresh", refresh), 401, "Token is blacklisted")
	s.want("the successor", s.post("/api/token/refresh/", "refresh", next.member("refresh")), 401,
		"Token is blacklisted")
	s.want("an access token of before", s.me(access), 401, "Given token not valid for any token type")
	s.want("an access token of after", s.me(next.member("access")), 401, "Given token not valid for any token type")
	s.want("another login's access token", s.me(otherAccess), 200, "")
	s.want("another login", s.post("/api/token/refresh/", "refresh", otherRefresh), 200, "")
	if got := s.events.count(auth.EventReuse); got != 1 {
		t.Errorf("%d reuse events", got)
	}
}

func TestOf32RefreshesOfOneTokenOneSucceedsAndThenTheLoginIsDead(t *testing.T) {
	s := newService(t, nil)
	for range 5 {
		access, refresh := s.obtain("alice")
		answers := make([]response, 32)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() { answers[i] = s.post("/api/token/refresh/", "refresh", refresh) })
		}
		group.Wait()
		good := 0
		for _, answer := range answers {
			switch answer.status {
			case 200:
				good++
				s.want("the successor", s.post("/api/token/refresh/", "refresh", answer.member("refresh")), 401,
					"Token is blacklisted")
				s.want("its access token", s.me(answer.member("access")), 401, "")
			case 401:
			default:
				t.Errorf("%d %s", answer.status, answer.text)
			}
		}
		if good > 1 {
			t.Errorf("%d succeeded", good)
		}
		s.want("the access token", s.me(access), 401, "")
	}
}

func TestWhatTheWireOfSimpleJWTSays(t *testing.T) {
	s := newService(t, nil)
	access, refresh := s.obtain("alice")
	old := s.post("/api/token/refresh/", "refresh", refresh) // refresh is used now
	refresh = old.member("refresh")
	for _, row := range []struct {
		sentence     string
		path, body   string
		status       int
		detail, code string
		field, says  string
	}{
		{"a wrong password", "", `{"username":"alice","password":"x"}`, 401,
			"No active account found with the given credentials", "no_active_account", "", ""},
		{"an unknown user", "", `{"username":"nobody","password":"nobodynobody"}`, 401,
			"No active account found with the given credentials", "no_active_account", "", ""},
		{"no password", "", `{"username":"alice"}`, 400, "", "invalid", "password", "This field is required."},
		{"no members", "", `{}`, 400, "", "invalid", "username", "This field is required."},
		{"a blank username", "", `{"username":"","password":"x"}`, 400, "", "invalid", "username",
			"This field may not be blank."},
		{"a null password", "", `{"username":"alice","password":null}`, 400, "", "invalid", "password",
			"This field may not be null."},
		{"a number for a username", "", `{"username":17,"password":"x"}`, 400, "", "invalid", "username",
			"Not a valid string."},
		{"no JSON", "", `{"username":`, 400, "", "parse_error", "", ""},
		{"an array", "refresh/", `["x"]`, 400, "", "parse_error", "", ""},
		{"no refresh token", "refresh/", `{}`, 400, "", "invalid", "refresh", "This field is required."},
		{"a blank refresh token", "refresh/", `{"refresh":" "}`, 400, "", "invalid", "refresh",
			"This field may not be blank."},
		{"garbage for a refresh token", "refresh/", `{"refresh":"garbage"}`, 401, "Token is invalid",
			"token_not_valid", "", ""},
		{"an access token at refresh", "refresh/", `{"refresh":"` + access + `"}`, 401, "Token has wrong type",
			"token_not_valid", "", ""},
		{"no token to verify", "verify/", `{}`, 400, "", "invalid", "token", "This field is required."},
		{"a garbage token to verify", "verify/", `{"token":"x.y.z"}`, 401, "Token is invalid",
			"token_not_valid", "", ""},
		{"an access token to verify", "verify/", `{"token":"` + access + `"}`, 200, "", "", "", ""},
		{"a refresh token to verify", "verify/", `{"token":"` + refresh + `"}`, 200, "", "", "", ""},
		{"an access token at blacklist", "blacklist/", `{"refresh":"` + access + `"}`, 401, "Token has wrong type",
			"token_not_valid", "", ""},
		{"a refresh token at sliding refresh", "sliding/refresh/", `{"token":"` + refresh + `"}`, 401,
			"Token has wrong type", "token_not_valid", "", ""},
		{"no sliding token", "sliding/refresh/", `{}`, 400, "", "invalid", "token", "This field is required."},
	} {
		answer := s.do("POST", "/api/token/"+row.path, row.body)
		if answer.status != row.status || answer.member("detail") != row.detail && row.detail != "" ||
			answer.member("code") != row.code {
			t.Errorf("%s: %d %s", row.sentence, answer.status, answer.text)
		}
		if row.field != "" {
			if said, ok := answer.body[row.field].([]any); !ok || len(said) != 1 || said[0] != row.says {
				t.Errorf("%s: %s", row.sentence, answer.text)
			}
		}
		if row.status == 401 {
			if got := answer.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="api"`) {
				t.Errorf("%s: challenge %q", row.sentence, got)
			}
		}
	}
	answer := s.do("POST", "/api/token/verify/", "token="+access, "Content-Type", "text/plain")
	if answer.status != 415 && answer.status != 400 {
		t.Errorf("a text: %d", answer.status)
	}
	if got := s.do("GET", "/api/token/", ""); got.status != 405 || got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: %d %q", got.status, got.header.Get("Allow"))
	}
}

func TestABadAccessTokenIsToldAsSimpleJWTDoes(t *testing.T) {
	s := newService(t, nil)
	_, refresh := s.obtain("alice")
	answer := s.me(refresh)
	s.want("a refresh token as access token", answer, 401, "Given token not valid for any token type")
	messages, _ := answer.body["messages"].([]any)
	if len(messages) != 1 || answer.member("code") != "token_not_valid" {
		t.Fatal(answer.text)
	}
	first, _ := messages[0].(map[string]any)
	if first["token_class"] != "AccessToken" || first["token_type"] != "access" ||
		first["message"] != "Token has wrong type" {
		t.Error(first)
	}
	authtest.AssertChallenge(t, answer.header, "Bearer", map[string]string{"realm": "api", "error": "invalid_token",
		"error_description": "Given token not valid for any token type"})
	for _, header := range []string{"Bearer", "Bearer a b", "Bearer \xff"} {
		answer := s.do("GET", "/me", "", "Authorization", header)
		if answer.status != 400 || answer.member("code") != "bad_authorization_header" ||
			answer.member("detail") != "Authorization header must contain two space-delimited values" {
			t.Errorf("%q: %d %s", header, answer.status, answer.text)
		}
	}
}

func TestAUserWhoIsGoneInactiveOrChangedIsOutAtOnce(t *testing.T) {
	for sentence, row := range map[string]struct {
		change        func(*people)
		detail, code  string
		refreshDetail string
		status        int
	}{
		"gone": {func(p *people) { delete(p.stamps, "alice") }, "User not found", "user_not_found",
			"No active account found for the given token.", 401},
		"inactive": {func(p *people) { p.inactive["alice"] = true }, "User is inactive", "user_inactive",
			"No active account found for the given token.", 401},
		"changed": {func(p *people) { p.stamps["alice"] = "a2" }, "The user's password has been changed.",
			"password_changed", "The user's password has been changed.", 401},
		"unknown": {func(p *people) { p.down = true }, "Authentication is temporarily unavailable.", "unavailable",
			"Authentication is temporarily unavailable.", 503},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newService(t, nil)
			access, refresh := s.obtain("alice")
			s.want("before", s.me(access), 200, "")
			s.people.change(func() { row.change(s.people) })
			answer := s.me(access)
			s.want("after", answer, row.status, row.detail)
			if answer.member("code") != row.code {
				t.Error(answer.text)
			}
			s.want("refresh", s.post("/api/token/refresh/", "refresh", refresh), row.status, row.refreshDetail)
			if sentence == "changed" {
				return
			}
			s.people.change(func() {
				s.people.stamps["alice"], s.people.down, s.people.inactive = "a1", false, map[string]bool{}
			})
			s.want("back again: nothing was lost", s.post("/api/token/refresh/", "refresh", refresh), 200, "")
		})
	}
}

func TestABlacklistedRefreshTokenEndsAllThatCameOfIt(t *testing.T) {
	s := newService(t, nil)
	access, first := s.obtain("alice")
	next := s.post("/api/token/refresh/", "refresh", first)
	refresh := next.member("refresh")
	answer := s.post("/api/token/blacklist/", "refresh", refresh)
	if answer.status != 200 || strings.TrimSpace(answer.text) != "{}" {
		t.Errorf("%d %s", answer.status, answer.text)
	}
	s.want("its access token", s.me(next.member("access")), 401, "")
	s.want("an earlier access token", s.me(access), 401, "")
	for path, member := range map[string]string{"refresh/": "refresh", "verify/": "token", "blacklist/": "refresh"} {
		s.want(path, s.post("/api/token/"+path, member, refresh), 401, "Token is blacklisted")
	}
	s.want("verify of its access token", s.post("/api/token/verify/", "token", access), 401, "Token is blacklisted")
	if s.events.count(auth.EventLogout) != 1 || s.events.count(auth.EventReuse) != 0 {
		t.Error(s.events.all)
	}
}

func TestAUsedRefreshTokenAtLogoutEndsTheLoginToo(t *testing.T) {
	s := newService(t, nil)
	_, first := s.obtain("alice")
	next := s.post("/api/token/refresh/", "refresh", first)
	s.want("verify", s.post("/api/token/verify/", "token", first), 401, "Token is blacklisted")
	s.want("verify used nothing up", s.me(next.member("access")), 200, "")
	s.want("logout", s.post("/api/token/blacklist/", "refresh", first), 401, "Token is blacklisted")
	s.want("the login", s.me(next.member("access")), 401, "")
	if s.events.count(auth.EventReuse) != 1 {
		t.Error("nobody was told")
	}
}

func TestLogoutEverywhereEndsEverythingOfTheUserAndNothingElse(t *testing.T) {
	s := newService(t, nil)
	one, oneRefresh := s.obtain("alice")
	two, _ := s.obtain("alice")
	sliding := s.post("/api/token/sliding/", "username", "alice", "password", "alicealice").member("token")
	bob, bobRefresh := s.obtain("bob")
	s.want("logout everywhere", s.do("POST", "/api/token/logoutall/", "", "Authorization", "Bearer "+one), 204, "")
	for _, token := range []string{one, two, sliding} {
		s.want("a token of hers", s.me(token), 401, "")
	}
	s.want("a refresh token of hers", s.post("/api/token/refresh/", "refresh", oneRefresh), 401, "Token is blacklisted")
	s.want("bob's", s.me(bob), 200, "")
	s.want("bob's refresh", s.post("/api/token/refresh/", "refresh", bobRefresh), 200, "")
	again, _ := s.obtain("alice") // in the same second, mostly
	s.want("a new login", s.me(again), 200, "")
}

func TestASlidingTokenIsReplacedAndTheOldOneIsNoGood(t *testing.T) {
	s := newService(t, nil)
	answer := s.post("/api/token/sliding/", "username", "alice", "password", "alicealice")
	first := answer.member("token")
	if answer.status != 200 || len(answer.body) != 1 {
		t.Fatalf("%d %s", answer.status, answer.text)
	}
	s.want("use", s.me(first), 200, "")
	s.want("verify", s.post("/api/token/verify/", "token", first), 200, "")
	second := s.post("/api/token/sliding/refresh/", "token", first).member("token")
	s.want("the new one", s.me(second), 200, "")
	s.want("the old one", s.me(first), 401, "")
	s.want("verify of the old one", s.post("/api/token/verify/", "token", first), 401, "Token is blacklisted")
	_, old := claimsOf(t, first)
	_, new := claimsOf(t, second)
	if old["refresh_exp"] != new["refresh_exp"] || old["jti"] == new["jti"] || old["sid"] != new["sid"] {
		t.Errorf("%v %v", old, new)
	}
	s.want("a sliding token at refresh", s.post("/api/token/refresh/", "refresh", second), 401, "Token has wrong type")
	s.want("a replay", s.post("/api/token/sliding/refresh/", "token", first), 401, "Token is blacklisted")
	s.want("ends the login", s.me(second), 401, "")
	third := s.post("/api/token/sliding/", "username", "alice", "password", "alicealice").member("token")
	s.want("logout by it", s.post("/api/token/blacklist/", "refresh", third), 200, "")
	s.want("after the logout", s.me(third), 401, "")
}

func TestATokenMakesNoOtherUnlessAllowed(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		tokens, people, _ := newTokens(t, func(c *jwt.Config) { c.Issue.AllowFromToken = allowed })
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_ = people
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{tokens}})
		if err != nil {
			t.Fatal(err)
		}
		handlers, err := tokens.Handlers(guard)
		if err != nil {
			t.Fatal(err)
		}
		w := serveRequest(handlers.Obtain, "POST", "/", "Authorization", "Bearer "+pair.Access.Reveal())
		if want := map[bool]int{false: 403, true: 200}[allowed]; w.Code != want {
			t.Errorf("allowed %v: %d %s", allowed, w.Code, w.Body)
		}
		if !allowed {
			continue
		}
		// What it makes does not outlive it.
		_, claims := claimsOf(t, memberOf(t, w.Body.Bytes(), "refresh"))
		_, first := claimsOf(t, pair.Access.Reveal())
		if claims["exp"].(float64) > first["exp"].(float64) {
			t.Errorf("%v outlives %v", claims["exp"], first["exp"])
		}
	}
}

func TestAWrongPasswordOfALoginWithOtherFieldsIsNoMissingField(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	guard, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Backends: []auth.Authenticator{tokens},
		Login: []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, auth.ErrInvalid // an email and a password of no user
		})}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	for body, status := range map[string]int{
		`{"email":"a@b.example","password":"x"}`: 401,
		`{"username":"alice","password":"x"}`:    401,
		`{"username":"","password":"x"}`:         400, // as simplejwt says it
		`{"username":"alice","password":null}`:   400,
		``:                                       401,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handlers.Obtain.ServeHTTP(w, r)
		if w.Code != status || status == 401 && (w.Header().Get("WWW-Authenticate") == "" ||
			!strings.Contains(w.Body.String(), "No active account")) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestALoginLimitedToScopesThatTokensCannotHaveIs403(t *testing.T) {
	for sentence, row := range map[string]struct {
		ours   []string
		status int
	}{"none": {nil, 403}, "others": {[]string{"read"}, 403}, "the same": {[]string{"read", "write"}, 200}} {
		tokens, people, _ := newTokens(t, func(c *jwt.Config) { c.Scopes = row.ours })
		guard, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
			Backends: []auth.Authenticator{tokens},
			Login: []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User,
				auth.Credential, error) {
				user, err := people.load(r.Context(), "alice")
				return user, proof{Name: "key", IsPrimary: true, Scope: []string{"write"}}, err
			})}})
		if err != nil {
			t.Fatal(err)
		}
		handlers, err := tokens.Handlers(guard)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []http.Handler{handlers.Obtain, handlers.Sliding} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
			if w.Code != row.status {
				t.Errorf("%s: %d %s", sentence, w.Code, w.Body)
			}
		}
	}
}

func TestWhatALoginHandlerIssues(t *testing.T) {
	refuse := false
	s := newService(t, func(c *jwt.Config) {
		c.Issue.Before = func(_ *http.Request, user auth.User, _ *jwt.Options) error {
			if refuse {
				return &auth.Error{Kind: auth.ErrInsufficient, Detail: "Not from here."}
			}
			return nil
		}
	})
	for _, path := range []string{"/api/token/", "/api/token/sliding/", "/browser/"} {
		body := `{"username":"alice","password":"alicealice"}`
		s.want(path, s.do("POST", path, body, "User-Agent", "curl/8"), 200, "")
		logins, _, err := s.tokens.List(t.Context(), "alice", backend.Page{})
		if err != nil || len(logins) != 1 || logins[0].UserAgent != "curl/8" || logins[0].IP != "127.0.0.1" {
			t.Fatalf("%s: %+v %v", path, logins, err)
		}
		if _, err := s.tokens.RevokeAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		refuse = true
		s.want(path+" refused", s.do("POST", path, body), 403, "Not from here.")
		if logins, _, err := s.tokens.List(t.Context(), "alice", backend.Page{}); len(logins) != 0 || err != nil {
			t.Errorf("%s: %v %v", path, logins, err)
		}
		refuse = false
	}
	if issued, logins := s.events.count(auth.EventIssued), s.events.count(auth.EventLogin); issued != 3 || logins != 3 {
		t.Errorf("%d issued by %d logins", issued, logins)
	}
}

func TestALoginThatRacesAChangeOfPasswordIsRefused(t *testing.T) {
	tokens, people, _ := newTokens(t, nil)
	guard, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Backends: []auth.Authenticator{tokens},
		Login: []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
			user, err := people.load(r.Context(), "alice") // proved by the password that is changed now
			people.change(func() { people.stamps["alice"] += "'" })
			return user, proof{IsPrimary: true}, err
		})}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []http.Handler{handlers.Obtain, handlers.Sliding} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		if w.Code != 401 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if logins, _, err := tokens.List(t.Context(), "alice", backend.Page{}); len(logins) != 0 || err != nil {
		t.Error(logins, err)
	}
}

func TestAMalformedHeaderAtALoginIsNoMissingField(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	guard, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Basic"}},
		Backends: []auth.Authenticator{tokens},
		Login: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, &auth.Error{Kind: auth.ErrMalformed, Status: 401, Detail: "No base64."}
		})}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Basic %")
	w := httptest.NewRecorder()
	handlers.Obtain.ServeHTTP(w, r)
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || !strings.Contains(w.Body.String(), "No base64.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLogoutEverywhereIsALogout(t *testing.T) {
	s := newService(t, nil)
	access, _ := s.obtain("alice")
	s.want("logoutall", s.do("POST", "/api/token/logoutall/", "", "Authorization", "Bearer "+access), 204, "")
	if got := s.events.count(auth.EventLogout); got != 1 {
		t.Errorf("%d logouts", got)
	}
}
