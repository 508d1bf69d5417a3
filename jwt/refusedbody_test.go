package jwt_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// loggedService is a service with a guard that writes to log.
func loggedService(t *testing.T, log *lines, change func(*jwt.Config)) *service {
	t.Helper()
	s := &service{t: t}
	s.tokens, s.people, s.events = newTokens(t, func(c *jwt.Config) {
		if change != nil {
			change(c)
		}
		s.store = c.Store
	})
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens}, Logger: log.logger(),
		Login:      []auth.Authenticator{auth.AuthenticatorFunc(s.people.passwords)},
		Challenges: []auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: "api"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	browser, err := s.tokens.BrowserHandlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/api/token")
	browser.Register(mux, "/browser")
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func TestUnitARefusedBodySaysWhyToTheLog(t *testing.T) {
	log := &lines{}
	s := loggedService(t, log, nil)
	access, refresh := s.obtain("alice")
	_, used := s.obtain("alice")
	if got := s.post("/api/token/refresh/", "refresh", used); got.status != 200 {
		t.Fatal(got.text)
	}
	_, ended := s.obtain("alice")
	if got := s.post("/api/token/blacklist/", "refresh", ended); got.status != 200 {
		t.Fatal(got.text)
	}
	_, gone := s.obtain("bob")
	s.people.change(func() { s.people.inactive["bob"] = true })
	_, changed := s.obtain("17")
	s.people.change(func() { s.people.stamps["17"] = "n2" })
	other := loggedService(t, log, func(c *jwt.Config) { c.Keys = keySet(t, signing(t, jwt.EdDSA)) })
	_, elsewhere := other.obtain("alice")

	cookie := "__Host-refresh=" + refresh
	for _, row := range []struct {
		sentence, path, body string
		headers              []string
		status               int
		detail, cause        string
	}{
		{"a refresh token that was used", "/api/token/refresh/", `{"refresh":"` + used + `"}`, nil, 401,
			"Token is blacklisted",
			"the refresh token was used before, and its login is ended now; see Config.Lifetimes.Grace and " +
				"Config.Compat.AllowRefreshReuse"},
		{"one of a login that was ended", "/api/token/refresh/", `{"refresh":"` + ended + `"}`, nil, 401,
			"Token is blacklisted", "the login of the token was ended"},
		{"one that is ended again", "/api/token/blacklist/", `{"refresh":"` + ended + `"}`, nil, 401,
			"Token is blacklisted", "the login of the token was ended"},
		{"one that was ended, to verify", "/api/token/verify/", `{"token":"` + ended + `"}`, nil, 401,
			"Token is blacklisted", "the store says that the token is revoked"},
		{"one of a user that is inactive", "/api/token/refresh/", `{"refresh":"` + gone + `"}`, nil, 401,
			"No active account found for the given token.",
			`sub "bob" is refused as a user; see Config.LoadUser`},
		{"one of a user whose password changed", "/api/token/refresh/", `{"refresh":"` + changed + `"}`, nil, 401,
			"The user's password has been changed.",
			"the user's stamp is another one than when the token was issued"},
		{"one by another key", "/api/token/refresh/", `{"refresh":"` + elsewhere + `"}`, nil, 401, "Token is invalid",
			"no key has the kid of the header; 1 key is known"},
		{"an access token", "/api/token/refresh/", `{"refresh":"` + access + `"}`, nil, 401, "Token has wrong type",
			`typ is "at+jwt", want "refresh+jwt"`},
		{"an access token to end", "/api/token/blacklist/", `{"refresh":"` + access + `"}`, nil, 401,
			"Token has wrong type",
			`typ is "at+jwt", want one of ["refresh+jwt", "sliding+jwt"]`},
		{"a refresh token as a sliding one", "/api/token/sliding/refresh/", `{"token":"` + refresh + `"}`, nil, 401,
			"Token has wrong type",
			`typ is "refresh+jwt", want "sliding+jwt"`},
		{"garbage", "/api/token/verify/", `{"token":"` + marker + `"}`, nil, 401, "Token is invalid",
			"the token is not three parts"},
		{"a long token", "/api/token/verify/", `{"token":"` + strings.Repeat("x", 9000) + `"}`, nil, 400,
			"The token is too long.", "the token is longer than 8192 bytes"},
		{"no token", "/api/token/verify/", `{}`, nil, 400, "Invalid input.", "token: [This field is required.]"},
		{"no JSON", "/api/token/verify/", `{`, nil, 400, "JSON parse error: not an object, or a member twice.",
			"the body is not a JSON object"},
		{"a long body", "/api/token/verify/", strings.Repeat(" ", 17<<10), nil, 413, "The body is too long.",
			"the body is longer than 16 KiB"},
		{"a text", "/api/token/verify/", `{"token":"x"}`, []string{"Content-Type", "text/plain"}, 415,
			"The body must be application/json, application/x-www-form-urlencoded or multipart/form-data, in UTF-8.",
			"the Content-Type of the body is missing, repeated"},
		{"no cookie", "/browser/refresh/", "", nil, 401, "There is no refresh token.",
			"the request has no cookie of Config.Cookie"},
		{"two cookies", "/browser/refresh/", "", []string{"Cookie", cookie + "; " + cookie}, 401,
			"There is no refresh token.",
			"the request has several cookies of Config.Cookie"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			log.taken()
			headers := row.headers
			if len(headers) == 0 || headers[0] != "Content-Type" {
				headers = append(headers, "Content-Type", "application/json")
			}
			got := s.exactly("POST", row.path, row.body, headers...)
			if got.status != row.status || got.member("detail") != row.detail {
				t.Errorf("got %d %s, want %d %s", got.status, got.text, row.status, row.detail)
			}
			if challenge := got.header.Get("WWW-Authenticate"); (challenge != "") != (row.status == 401) {
				t.Errorf("a challenge with %d: %q", row.status, challenge)
			}
			if accept := got.header.Get("Accept"); (accept == "application/json, application/x-www-form-urlencoded, "+
				"multipart/form-data") != (row.status == 415) {
				t.Errorf("Accept is %q", accept)
			}
			line := log.taken()
			if said := memberOf(t, []byte(either(line, "{}")), "error"); !strings.Contains(said, row.cause) {
				t.Errorf("the log says\n%s\nwant in it\n%s", line, row.cause)
			}
			for _, secret := range []string{used, ended, gone, access, refresh, elsewhere, marker} {
				if strings.Contains(line, secret) {
					t.Errorf("the log has a token: %s", line)
				}
			}
		})
	}
	t.Run("a Bearer beside a bad body adds no challenge", func(t *testing.T) {
		if got := s.do("POST", "/api/token/verify/", "{", "Authorization", "Bearer "+access); got.status != 400 ||
			got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%d %v", got.status, got.header)
		}
	})
}

// exactly is do without a Content-Type of its own.
func (s *service) exactly(method, path, body string, header ...string) response {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(r, header...)
}

func TestUnitALoginBodyOfAnotherTypeSaysWhatIsAccepted(t *testing.T) {
	s := loggedService(t, &lines{}, nil)
	for _, path := range []string{"/api/token/", "/api/token/sliding/", "/browser/"} {
		t.Run(path, func(t *testing.T) {
			got := s.exactly("POST", path, `x=y`, "Content-Type", "text/plain")
			if got.status != 415 || got.member("code") != "unsupported_media_type" ||
				!strings.Contains(got.header.Get("Accept"), "application/json") ||
				got.header.Get("WWW-Authenticate") != "" {
				t.Errorf("%d %s %v", got.status, got.text, got.header)
			}
		})
	}
}

func TestUnitAStampThatDiffersAtLoginIsNamed(t *testing.T) {
	log := &lines{}
	s := loggedService(t, log, func(c *jwt.Config) {
		load := c.LoadUser
		c.LoadUser = func(ctx contextOf, id string) (auth.User, error) {
			user, err := load(ctx, id)
			if err != nil {
				return nil, err
			}
			return person{user.UserID(), "another"}, nil
		}
	})
	t.Run("the log says that the two differ", func(t *testing.T) {
		got := s.post("/api/token/", "username", "alice", "password", "alicealice")
		if line := log.taken(); got.status != 401 || !strings.Contains(line,
			"the stamp of the user that logged in is another one than that of the user of Config.LoadUser") {
			t.Errorf("%d %s", got.status, line)
		}
	})
}

func TestUnitSettingsThatAreTypedNils(t *testing.T) {
	key := keySet(t, signing(t, jwt.EdDSA))
	load := newPeople().load
	var store *jwt.MemoryStore
	var keys *jwt.KeySet
	var observer *events
	for sentence, make := range map[string]func() error{
		"Config.Store": func() error {
			_, err := jwt.New(jwt.Config{Issuer: "x", Keys: key, Store: store, LoadUser: load})
			return err
		},
		"Config.Observer": func() error {
			_, err := jwt.New(jwt.Config{Issuer: "x", Keys: key, Store: jwt.NewMemoryStore(), LoadUser: load,
				Observer: observer})
			return err
		},
		"Keys": func() error {
			_, err := jwt.New(jwt.Config{Issuer: "x", Keys: keys, Store: jwt.NewMemoryStore(), LoadUser: load})
			return err
		},
		"Revocations": func() error {
			_, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: "x", Audience: []string{"x"},
				Keys: key, User: jwt.SubjectUser, Revocations: store}}})
			return err
		},
		"KeyringConfig.Store": func() error {
			var none *jwt.MemoryKeyStore
			_, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: none,
				Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}})
			return err
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := make(); err == nil || !strings.Contains(err.Error(), sentence+" is missing") {
				t.Errorf("got %v, want that %s is missing", err, sentence)
			}
		})
	}
}

func TestUnitASecretAsTextIsToldWhatItMustBe(t *testing.T) {
	t.Run("a string", func(t *testing.T) {
		if _, err := jwt.NewKey(jwt.HS256, "text"); err == nil || !strings.Contains(err.Error(),
			"a string is no key, want []byte") {
			t.Error(err)
		}
	})
}

func TestUnitALoaderOfAnotherUserIsABug(t *testing.T) {
	var wrong bool
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		load := c.LoadUser
		c.LoadUser = func(ctx contextOf, id string) (auth.User, error) {
			if wrong {
				id = "bob"
			}
			return load(ctx, id)
		}
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wrong = true
	for sentence, do := range map[string]func() error{
		"a request": func() error { _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); return err },
		"a refresh": func() error { _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); return err },
		"a login":   func() error { _, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); return err },
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := do(); auth.KindOf(err) != auth.ErrInternal || !strings.Contains(err.Error(),
				`was asked for the user "alice" and returned "bob"`) {
				t.Error(err)
			}
		})
	}
}
