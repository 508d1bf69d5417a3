package knox_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/knox"
)

// list returns the items of GET /auth/tokens/.
func (s *service) list(authorization string) (items []map[string]any) {
	s.t.Helper()
	got := s.do("GET", "/auth/tokens/", authorization, "")
	if got.status != 200 || json.Unmarshal([]byte(got.text), &items) != nil {
		s.t.Fatalf("got %d %s, want 200 and a JSON array", got.status, got.text)
	}
	return items
}

func TestDevicesAreListedWithWhatTellsThemApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		began := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		got := s.do("POST", "/auth/login/", basicOf("alice"), `{"name": "my phone\u0000"}`, "User-Agent", "phone/1\x01")
		phone := got.json(t)["token"].(string)
		time.Sleep(time.Hour)
		laptop := s.login("alice")
		s.login("bob")
		s.me(phone)

		items := s.list("Token " + laptop)
		if len(items) != 2 || items[0]["current"] != true || items[1]["current"] != false {
			t.Fatalf("got %v, want two tokens, the one of the request first", items)
		}
		used := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		item := items[1]
		for name, want := range map[string]any{"name": "my phone", "ip": "192.0.2.1", "user_agent": "phone/1",
			"created": began, "last_used": used, "scopes": nil} {
			if item[name] != want {
				t.Errorf("%s: %v, want %v", name, item[name], want)
			}
		}
		if _, secret := item["token"]; secret || item["id"] == "" || item["expiry"] == nil || len(item) != 9 {
			t.Errorf("got %v, want 9 members with an id and an expiry, and no token", item)
		}
		if items := s.list(basicOf("alice")); len(items) != 2 || items[0]["current"] == true {
			t.Errorf("by Basic: %v", items)
		}
	})
}

func TestADeviceIsRevokedByItsIdentifierByItsOwnerOnly(t *testing.T) {
	s := start(t, nil)
	phone, laptop, bobs := s.login("alice"), s.login("alice"), s.login("bob")
	var id string
	for _, item := range s.list("Token " + phone) {
		if item["current"] == true {
			id = item["id"].(string)
		}
	}
	for _, row := range []struct {
		sentence, authorization, id string
		status                      int
	}{
		{"another user's", "Token " + bobs, id, 404},
		{"an identifier there is none of", "Token " + laptop, "nothing", 404},
		{"nobody", "", id, 401},
		{"one's own", "Token " + laptop, id, 204},
		{"again", "Token " + laptop, id, 404},
	} {
		if got := s.do("DELETE", "/auth/tokens/"+row.id+"/", row.authorization, ""); got.status != row.status {
			t.Errorf("%s: %d %s", row.sentence, got.status, got.text)
		}
	}
	if s.me(phone) != 401 || s.me(laptop) != 200 {
		t.Error("the wrong token is gone")
	}
}

func TestAPersonalTokenIsNamedScopedAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Personal.Scopes = []string{"reports:read", "reports:write"} })
		got := s.do("POST", "/auth/tokens/", basicOf("alice"),
			`{"name": "ci", "scopes": ["reports:read", "reports:read"], "expires_in": 60}`)
		body := got.json(t)
		if got.status != 201 || body["name"] != "ci" || body["expiry"] != time.Now().Add(time.Minute).UTC().Format(
			"2006-01-02T15:04:05.000000Z") {
			t.Fatalf("got %d %s, want 201 with the name ci and an expiry in a minute", got.status, got.text)
		}
		if scopes, _ := json.Marshal(body["scopes"]); string(scopes) != `["reports:read"]` {
			t.Errorf("scopes %s", scopes)
		}
		token := "Token " + body["token"].(string)
		for _, row := range []struct {
			sentence, method, path string
			status                 int
		}{
			{"it has its scope", "GET", "/reports", 200},
			{"it may not list", "GET", "/auth/tokens/", 403},
			{"it may not make others", "POST", "/auth/tokens/", 403},
			{"it may not end everything", "POST", "/auth/logoutall/", 403},
			{"it may not end another", "DELETE", "/auth/tokens/another/", 403},
			{"it may end itself", "DELETE", "/auth/tokens/" + body["id"].(string) + "/", 204},
			{"then it is gone", "GET", "/reports", 401},
		} {
			if got := s.do(row.method, row.path, token, ""); got.status != row.status {
				t.Errorf("%s: %d %s", row.sentence, got.status, got.text)
			}
		}
		body = s.do("POST", "/auth/tokens/", basicOf("alice"),
			`{"name": "ci", "scopes": ["reports:read"], "expires_in": 60}`).json(t)
		time.Sleep(time.Minute)
		if got := s.do("GET", "/reports", "Token "+body["token"].(string), ""); got.status != 401 {
			t.Errorf("after it ended: %d", got.status)
		}
	})
}

func TestAPersonalTokenDoesNotSlidePastItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Sliding.Enabled, c.Personal.MaxTTL = true, 2*time.Hour })
		for body, life := range map[string]time.Duration{
			`{"name": "ci", "scopes": ["reports:read"], "expires_in": 3600}`: time.Hour,
			`{"name": "ci", "scopes": ["reports:read"]}`:                     2 * time.Hour,
		} {
			token := "Token " + s.do("POST", "/auth/tokens/", basicOf("alice"), body).json(t)["token"].(string)
			for range 10 {
				time.Sleep(life / 10)
				if got := s.do("GET", "/reports", token, ""); got.status != 200 {
					break
				}
			}
			if got := s.do("GET", "/reports", token, ""); got.status != 401 {
				t.Errorf("%s: after %v: %d", body, life, got.status)
			}
		}
	})
}

func TestABadPersonalTokenBodyIs400AndWritesNothing(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Personal.Scopes = []string{"reports:read"} })
	for sentence, body := range map[string]string{
		"no body":                " ",
		"no JSON":                "{",
		"an array":               "[]",
		"two values":             `{"name":"a","scopes":["reports:read"]} {}`,
		"no name":                `{"scopes":["reports:read"]}`,
		"a name of 101":          `{"name":"` + strings.Repeat("a", 101) + `","scopes":["reports:read"]}`,
		"a NUL in the name":      `{"name":"a\u0000","scopes":["reports:read"]}`,
		"no scopes":              `{"name":"a"}`,
		"a misspelt scopes":      `{"name":"a","scope":["reports:read"]}`,
		"no scope in scopes":     `{"name":"a","scopes":[]}`,
		"an unknown scope":       `{"name":"a","scopes":["admin"]}`,
		"a scope with a quote":   `{"name":"a","scopes":["\""]}`,
		"scopes of another type": `{"name":"a","scopes":"reports:read"}`,
		"expires_in 0":           `{"name":"a","scopes":["reports:read"],"expires_in":0}`,
		"a negative expires_in":  `{"name":"a","scopes":["reports:read"],"expires_in":-1}`,
		"expires_in too far":     `{"name":"a","scopes":["reports:read"],"expires_in":99999999999}`,
		"expires_in a fraction":  `{"name":"a","scopes":["reports:read"],"expires_in":1.5}`,
		"9 KiB":                  `{"name":"a","scopes":["reports:read"],"x":"` + strings.Repeat("a", 9<<10) + `"}`,
	} {
		if got := s.do("POST", "/auth/tokens/", basicOf("alice"), body); got.status != 400 ||
			got.json(t)["code"] != "invalid_request" {
			t.Errorf("%s: %d %s", sentence, got.status, got.text)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded",
		"application/json; charset=latin1"} {
		got := s.do("POST", "/auth/tokens/", basicOf("alice"), `name=a`, "Content-Type", kind)
		if got.status != 415 || got.json(t)["code"] != "unsupported_media_type" ||
			got.header.Get("Accept") != "application/json" ||
			got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %s %v", kind, got.status, got.text, got.header)
		}
	}
	if len(s.rows("alice")) != 0 {
		t.Error("something was written")
	}
}

func TestATokenMakesNoTokenUnlessAllowed(t *testing.T) {
	s := start(t, nil)
	token := s.login("alice")
	if got := s.do("POST", "/auth/tokens/", "Token "+token, `{"name":"a","scopes":["x"]}`); got.status != 403 ||
		len(s.rows("alice")) != 1 {
		t.Errorf("got %d %s, want 403 and no new token", got.status, got.text)
	}
}

func TestWhatATokenMakesNeverOutlivesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Issue.AllowFromToken = true })
		parent, err := s.tokens.Issue(t.Context(), "alice", knox.Options{TTL: time.Hour,
			AuthInfo: auth.AuthInfo{AuthTime: time.Now().Add(-time.Hour), AMR: []string{"pwd"}}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		got := s.do("POST", "/auth/tokens/", "Token "+parent.Secret.Reveal(),
			`{"name":"a","scopes":["x"],"expires_in":7200}`)
		if got.status != 201 {
			t.Fatalf("got %d %s, want 201", got.status, got.text)
		}
		child := s.rows("alice")[0]
		if !child.ExpiresAt.Equal(parent.IdleExpiresAt()) ||
			!child.AuthInfo.AuthTime.Equal(parent.AuthInfo().AuthTime) {
			t.Errorf("child ends %v, parent %v; auth_time %v", child.ExpiresAt, parent.IdleExpiresAt(),
				child.AuthInfo.AuthTime)
		}
	})
}

func TestUnitHandlersOfAGuardWhoseOnlyLoginIsTheTokens(t *testing.T) {
	for name, allowed := range map[string]bool{"a token makes no other one": false, "a token may": true} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *knox.Config) { c.Issue.AllowFromToken = allowed })
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens},
				Login: []auth.Authenticator{s.tokens}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.tokens.Handlers(guard)
			if allowed != (err == nil) || err != nil &&
				(!errors.Is(err, auth.ErrNoLogin) || !strings.Contains(err.Error(), "Config.Issue.AllowFromToken")) {
				t.Errorf("allowed %v: %v", allowed, err)
			}
		})
	}
}

func TestAVetoRefusesBeforeAnythingIsWritten(t *testing.T) {
	s := start(t, func(c *knox.Config) {
		c.Issue.Before = func(r *http.Request, u auth.User, o *knox.Options) error {
			if u.UserID() == "bob" {
				return &auth.Error{Kind: auth.ErrInsufficient, Detail: "Not on Sundays."}
			}
			o.TTL, o.Name = time.Hour, "renamed"
			return nil
		}
	})
	if got := s.do("POST", "/auth/login/", basicOf("bob"), ""); got.status != 403 ||
		got.json(t)["detail"] != "Not on Sundays." || len(s.rows("bob")) != 0 {
		t.Errorf("veto: %d %s", got.status, got.text)
	}
	s.login("alice")
	if r := s.rows("alice")[0]; r.Name != "renamed" || r.ExpiresAt.Sub(r.Created) != time.Hour {
		t.Errorf("got %+v, want the name renamed and an hour of life", r)
	}
}

func TestAPageOfAnotherOriginCannotLogInOrOut(t *testing.T) {
	s := start(t, nil)
	token := s.login("alice")
	for _, path := range []string{"/auth/login/", "/auth/logout/", "/auth/logoutall/", "/auth/tokens/"} {
		for _, forged := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
			authorization := "Token " + token
			if path == "/auth/login/" {
				authorization = basicOf("alice")
			}
			if got := s.do("POST", path, authorization, "", forged...); got.status != 403 ||
				got.json(t)["code"] != "cross_origin" {
				t.Errorf("%s: %d %s", path, got.status, got.text)
			}
		}
	}
	if s.me(token) != 200 || len(s.rows("alice")) != 1 {
		t.Error("it had an effect")
	}
}

func TestPreflightIsAnsweredWithoutAuthentication(t *testing.T) {
	s := start(t, nil)
	got := s.do("OPTIONS", "/auth/login/", "", "", "Origin", "https://app.example",
		"Access-Control-Request-Method", "POST")
	if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %d %v, want 204 and no header of CORS", got.status, got.header)
	}
}

func TestLastUseIsWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counting := &faulty{Store: knox.NewMemoryStore()}
		s := start(t, func(c *knox.Config) { c.Store = counting })
		token := s.login("alice")
		for range 180 {
			s.me(token)
			time.Sleep(time.Second)
		}
		if n := counting.touches.Load(); n != 3 {
			t.Errorf("%d touches in 3 minutes", n)
		}
		never := &faulty{Store: knox.NewMemoryStore()}
		s = start(t, func(c *knox.Config) { c.Store, c.TouchInterval = never, -1 })
		s.me(s.login("alice"))
		if n := never.touches.Load(); n != 0 {
			t.Errorf("%d touches without TouchInterval", n)
		}
	})
}

func TestVerifyTokenServesOtherCarriers(t *testing.T) {
	s := start(t, nil)
	user, credential, err := s.tokens.VerifyToken(t.Context(), s.login("alice"))
	if err != nil || user.UserID() != "alice" || credential.Backend() != "knox" {
		t.Errorf("got %v, %v, %v, want alice by knox", user, credential, err)
	}
	if _, _, err := s.tokens.VerifyToken(t.Context(), "garbage"); !errors.Is(err, auth.ErrUnrecognized) {
		t.Errorf("garbage: %v", err)
	}
}

func TestLogoutWithAPlantedIdentityEndsNothing(t *testing.T) {
	s := start(t, nil)
	s.login("alice")
	r := authtest.WithIdentity(httptest.NewRequest("POST", "/auth/logout/", nil), authtest.User("alice"), nil)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != 401 || len(s.rows("alice")) != 1 {
		t.Errorf("%d, %d rows", w.Code, len(s.rows("alice")))
	}
}

func TestALoginThatRacesAChangeOfPasswordIsRefused(t *testing.T) {
	for _, row := range []struct {
		sentence, before, after string
		status                  int
	}{
		{"nothing changed", "old", "old", 200},
		{"the password changed between the proof and the token", "old", "new", 401},
		{"the user had an empty stamp until then", "", "new", 401},
	} {
		for path, body := range map[string]string{"/auth/login/": "", "/auth/tokens/": `{"name":"ci","scopes":["a"]}`} {
			s := start(t, func(c *knox.Config) {
				c.LoadUser = func(context.Context, string) (auth.User, error) {
					return &person{"alice", row.after}, nil
				}
				// What a hook does to the options is no way around it.
				c.Issue.Before = func(_ *http.Request, _ auth.User, o *knox.Options) error {
					*o = knox.Options{}
					return nil
				}
			})
			s.people.set(func() { s.people.stamps["alice"] = row.before }) // what the login finds
			got := s.do("POST", path, basicOf("alice"), body)
			if row.status == 200 {
				if got.status >= 300 || len(s.rows("alice")) != 1 {
					t.Errorf("%s, %s: %d %s", row.sentence, path, got.status, got.text)
				}
				continue
			}
			if got.status != 401 || got.json(t)["detail"] != "Incorrect authentication credentials." ||
				got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %d %s", row.sentence, path, got.status, got.text)
			}
			if len(s.rows("alice")) != 0 || s.events.count(auth.EventIssued) != 0 ||
				s.events.count(auth.EventLogin) != 0 {
				t.Errorf("%s, %s: something was written: %+v", row.sentence, path, s.events.seen)
			}
		}
	}
}

func TestALoginWhoseUserHasNoStampIsNotCompared(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Issue.AllowFromToken = true }) // the planted identity has no credential
	s.people.set(func() { s.people.stamps["alice"] = "stamp" })
	r := authtest.WithIdentity(httptest.NewRequest("POST", "/auth/login/", nil), authtest.User("alice"), nil)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != 200 || len(s.rows("alice")) != 1 {
		t.Errorf("got %d %s, want 200 and one token", w.Code, w.Body)
	}
}

// overtaken is a store in which another request is always quicker to revoke.
type overtaken struct{ knox.Store }

func (o overtaken) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	if _, err := o.Store.Revoke(ctx, userID, id, ending); err != nil {
		return false, err
	}
	return o.Store.Revoke(ctx, userID, id, ending)
}

func TestOfTwoLogoutsAtOnceOneIsReported(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Store = overtaken{knox.NewMemoryStore()} })
	token := s.login("alice")
	if got := s.do("POST", "/auth/logout/", "Token "+token, ""); got.status != 204 {
		t.Errorf("got %d %s, want 204", got.status, got.text)
	}
	if n := s.events.count(auth.EventLogout) + s.events.count(auth.EventRevoked); n != 0 || s.me(token) != 401 {
		t.Errorf("%d events of the one that came too late", n)
	}
}
