package knox_test

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
)

// The behaviours of django-rest-knox that clients can notice.

func TestEachLoginMakesATokenOfItsOwn(t *testing.T) {
	s := start(t, nil)
	seen := map[string]bool{}
	for range 5 {
		seen[s.login("alice")] = true
	}
	if len(seen) != 5 || len(s.rows("alice")) != 5 {
		t.Errorf("%d tokens, %d rows", len(seen), len(s.rows("alice")))
	}
}

func TestLoginAnswersExpiryAndToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		got := s.do("POST", "/auth/login/", basicOf("alice"), `{"this": "is ignored"}`)
		body := got.json(t)
		want := time.Now().Add(10 * time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z")
		if got.status != 200 || len(body) != 2 || body["expiry"] != want ||
			got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s, want expiry %s", got.status, got.text, want)
		}
		// prefix, shard, at least 160 bits in base62, CRC-32
		if token := body["token"].(string); !regexp.MustCompile(`^[0-9A-Za-z]{40}$`).MatchString(token) {
			t.Errorf("token %q", token)
		}
	})
}

func TestExpiryIsNullForATokenThatNeverExpires(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.AllowNoExpiry = true })
	body := s.do("POST", "/auth/login/", basicOf("alice"), "").json(t)
	if expiry, there := body["expiry"]; !there || expiry != nil {
		t.Errorf("got %v, want the member expiry with null", body)
	}
}

func TestAnswerSettingsAreHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) {
			c.Answer.TimeLayout = time.DateOnly
			c.Answer.UserInfo = func(_ *http.Request, u auth.User) (any, error) {
				return map[string]string{"username": u.UserID()}, nil
			}
		})
		got := s.do("POST", "/auth/login/", basicOf("alice"), "")
		want := fmt.Sprintf(`{"expiry":%q,"token":"T","user":{"username":"alice"}}`,
			time.Now().Add(10*time.Hour).UTC().Format(time.DateOnly))
		if text := regexp.MustCompile(`"token":"[^"]+"`).ReplaceAllString(strings.TrimSpace(got.text),
			`"token":"T"`); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	})
}

func TestUserInfoThatFailsWritesNothing(t *testing.T) {
	for name, info := range map[string]func(*http.Request, auth.User) (any, error){
		"an error":        func(*http.Request, auth.User) (any, error) { return nil, errors.New("down") },
		"what is no JSON": func(*http.Request, auth.User) (any, error) { return func() {}, nil },
	} {
		s := start(t, func(c *knox.Config) { c.Answer.UserInfo = info })
		if got := s.do("POST", "/auth/login/", basicOf("alice"), ""); got.status != 503 || len(s.rows("alice")) != 0 {
			t.Errorf("%s: %d, %d rows", name, got.status, len(s.rows("alice")))
		}
	}
}

func TestLogoutEndsOneTokenAndLogoutAllOnesOwn(t *testing.T) {
	s := start(t, nil)
	phone, laptop, bobs := s.login("alice"), s.login("alice"), s.login("bob")
	if got := s.do("POST", "/auth/logout/", "Token "+phone, ""); got.status != 204 || got.text != "" {
		t.Errorf("logout: %d %q", got.status, got.text)
	}
	if s.me(phone) != 401 || s.me(laptop) != 200 {
		t.Error("logout ended the wrong token")
	}
	if got := s.do("POST", "/auth/logout/", "Token "+phone, ""); got.status != 401 {
		t.Errorf("a second logout: %d", got.status)
	}
	third := s.login("alice")
	if got := s.do("POST", "/auth/logoutall/", "Bearer "+third, ""); got.status != 204 || got.text != "" {
		t.Errorf("logoutall: %d %q", got.status, got.text)
	}
	if s.me(laptop) != 401 || s.me(third) != 401 || s.me(bobs) != 200 {
		t.Error("logoutall ended the wrong tokens")
	}
	if s.events.count(auth.EventLogout) != 2 || s.events.count(auth.EventRevoked) != 3 ||
		s.events.count(auth.EventLogin) != 4 {
		t.Errorf("events %+v", s.events.seen)
	}
}

func TestLogoutTakesTokensOnly(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/auth/logout/", "/auth/logoutall/"} {
		if got := s.do("POST", path, basicOf("alice"), ""); got.status != 401 {
			t.Errorf("%s with Basic: %d", path, got.status)
		}
	}
}

func TestOtherMethodsAre405(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/auth/login/", "/auth/logout/", "/auth/logoutall/"} {
		got := s.do("GET", path, "", "")
		if got.status != 405 || got.json(t)["detail"] != `Method "GET" not allowed.` ||
			got.header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%s: %d %s %v", path, got.status, got.text, got.header)
		}
	}
}

func TestExpiredTokensAreRefusedAndLeaveByPurgeWithOneEventEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		tokens := []string{s.login("alice"), s.login("alice"), s.login("alice")}
		time.Sleep(10*time.Hour - time.Microsecond)
		fresh := s.login("alice")
		if s.me(tokens[0]) != 200 {
			t.Error("refused before it expires")
		}
		time.Sleep(time.Microsecond)
		got := s.do("GET", "/me", "Token "+tokens[0], "")
		if got.status != 401 || got.json(t)["detail"] != "Invalid token." {
			t.Errorf("got %d %s, want 401 with the detail \"Invalid token.\"", got.status, got.text)
		}
		if len(s.rows("alice")) != 4 {
			t.Error("use removed rows")
		}
		n, err := s.tokens.Purge(t.Context(), 500)
		if n != 3 || err != nil || s.events.count(auth.EventExpired) != 3 || s.me(fresh) != 200 {
			t.Errorf("purged %d, %v, %d events", n, err, s.events.count(auth.EventExpired))
		}
	})
}

func TestHeadersThatAreNoTokenAreRefusedAsClientsKnow(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Token.Prefix = "gw_" })
	good := s.login("alice")
	for _, row := range []struct {
		sentence, authorization string
		status                  int
		detail                  string
	}{
		{"no credentials", "", 401, "Authentication credentials were not provided."},
		{"a scheme nobody speaks", "Digest abc", 401,
			"The scheme of the Authorization header is not accepted here. See WWW-Authenticate."},
		{"a token without a scheme", good, 401,
			"The Authorization header has no scheme that is accepted here. See WWW-Authenticate."},
		{"a colon behind Token", "Token: " + good, 401, "Invalid token header. A space must follow the scheme."},
		{"a colon behind Bearer", "Bearer: " + good, 400, "Invalid token header. A space must follow the scheme."},
		{"an equals sign behind Bearer", "Bearer=" + good, 400,
			"Invalid token header. A space must follow the scheme."},
		{"the scheme alone", "Token", 401, "Invalid token header. No credentials provided."},
		{"spaces in the token", "Token a b", 401, "Invalid token header. Token string should not contain spaces."},
		{"bytes that are no UTF-8", "Token \xff\xfe", 401, "Invalid token header. Token string should not contain " +
			"invalid characters."},
		{"Bearer alone", "Bearer", 400, "Invalid token header. No credentials provided."},
		{"junk after a Bearer token", "Bearer " + good + " junk", 400,
			"Invalid token header. Token string should not contain spaces."},
		{"a token of 14 characters", "Token " + good[:14], 401, "Invalid token."},
		{"a token with one character more", "Token " + good + "0", 401, "Invalid token."},
		{"a token with one character less", "Token " + good[:len(good)-1], 401, "Invalid token."},
		{"a token with another prefix", "Token xx_" + good[3:], 401, "Invalid token."},
		{"a token without its prefix", "Token " + good[3:], 401, "Invalid token."},
		{"a token in the other case", "Token " + strings.ToUpper(good), 401, "Invalid token."},
		{"a scheme in another case", "tOKEN " + good, 200, ""},
		{"the other scheme", "bearer " + good, 200, ""},
		{"several spaces before the token", "Token   " + good, 200, ""},
	} {
		got := s.do("GET", "/me", row.authorization, "")
		if got.status != row.status || row.detail != "" && got.json(t)["detail"] != row.detail {
			t.Errorf("%s: %d %s", row.sentence, got.status, got.text)
		}
	}
}

func TestSliding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sliding := start(t, func(c *knox.Config) { c.Sliding.Enabled = true; c.Sliding.MaxTTL = 12 * time.Hour })
		fixed := start(t, nil)
		a, b := sliding.login("alice"), fixed.login("alice")
		began := time.Now()
		expiry := func(s *service) time.Duration { return s.rows("alice")[0].ExpiresAt.Sub(began).Round(time.Second) }

		time.Sleep(time.Minute)
		sliding.me(a)
		if got := expiry(sliding); got != 10*time.Hour {
			t.Errorf("a gain within Sliding.MinGain was written: %v", got)
		}
		time.Sleep(59 * time.Minute)
		sliding.me(a)
		fixed.me(b)
		if got := expiry(sliding); got != 11*time.Hour {
			t.Errorf("used after 1 h: expires after %v", got)
		}
		if got := expiry(fixed); got != 10*time.Hour {
			t.Errorf("without Sliding: %v", got)
		}
		time.Sleep(8 * time.Hour)
		sliding.me(a)
		if got := expiry(sliding); got != 12*time.Hour {
			t.Errorf("used after 9 h: expires after %v, want Sliding.MaxTTL", got)
		}
		time.Sleep(3 * time.Hour)
		if sliding.me(a) != 401 {
			t.Error("it slid past Sliding.MaxTTL")
		}
	})
}

func TestAShortTokenSlidesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Sliding.Enabled, c.TTL = true, 30*time.Second })
		token := s.login("alice")
		first := s.rows("alice")[0].ExpiresAt
		time.Sleep(3 * time.Second)
		s.me(token)
		if !s.rows("alice")[0].ExpiresAt.Equal(first) {
			t.Error("a tenth of its life was written")
		}
		for range 10 {
			time.Sleep(20 * time.Second)
			if s.me(token) != 200 {
				t.Fatal("it expired in use")
			}
		}
	})
}

func TestSlidingGivesNoEndToATokenWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Sliding.Enabled, c.AllowNoExpiry = true, true })
		token := s.login("alice")
		time.Sleep(1000 * time.Hour)
		if s.me(token) != 200 || !s.rows("alice")[0].ExpiresAt.IsZero() {
			t.Errorf("got %+v, want no expiry", s.rows("alice")[0])
		}
	})
}

func TestSlidingNeverShortensALongerLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Sliding.Enabled = true; c.Sliding.MaxTTL = 12 * time.Hour })
		issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{TTL: 100 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Hour)
		if s.me(issued.Secret.Reveal()) != 200 {
			t.Error("refused half way through its TTL")
		}
		if !s.rows("alice")[0].ExpiresAt.Equal(issued.IdleExpiresAt()) {
			t.Error("its end moved")
		}
	})
}

func TestATokenOfADisabledUserNeitherWorksNorSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Sliding.Enabled = true })
		token := s.login("alice")
		before := *s.rows("alice")[0]
		time.Sleep(time.Hour)
		s.people.set(func() { s.people.inactive["alice"] = true })
		got := s.do("GET", "/me", "Token "+token, "")
		if got.status != 401 || got.json(t)["detail"] != "User inactive or deleted." {
			t.Errorf("got %d %s, want 401 with the detail \"User inactive or deleted.\"", got.status, got.text)
		}
		if after := *s.rows("alice")[0]; !after.ExpiresAt.Equal(before.ExpiresAt) ||
			!after.LastUsed.Equal(before.LastUsed) {
			t.Error("its use was written")
		}
	})
}

func TestAnInactiveUserIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	s := start(t, nil)
	s.people.set(func() { s.people.inactive["alice"] = true })
	if got := s.do("POST", "/auth/login/", basicOf("alice"), ""); got.status != 401 {
		t.Errorf("got %d %s, want 401", got.status, got.text)
	}
	if _, err := s.tokens.Issue(t.Context(), "alice", knox.Options{}); !errors.Is(err, auth.ErrUserInactive) {
		t.Errorf("Issue: %v", err)
	}
	if len(s.rows("alice")) != 0 {
		t.Error("something was written")
	}
}

func TestAChangedStampEndsWhatWasIssuedBefore(t *testing.T) {
	s := start(t, nil)
	token := s.login("alice")
	s.people.set(func() { s.people.stamps["alice"] = "a new password" })
	if s.me(token) != 401 || s.me(s.login("alice")) != 200 {
		t.Error("the stamp was not compared")
	}
}

func TestTheLimitCountsLiveTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Limit, c.AllowNoExpiry, c.TTL = 10, true, time.Hour })
		for i := range 10 {
			if _, err := s.tokens.Issue(t.Context(), "alice", knox.Options{NoExpiry: i%2 == 0}); err != nil {
				t.Fatal(err)
			}
		}
		got := s.do("POST", "/auth/login/", basicOf("alice"), "")
		const text = "Maximum amount of tokens allowed per user exceeded."
		if body := got.json(t); got.status != 403 || body["error"] != text || body["detail"] != text {
			t.Errorf("the 11th: %d %s", got.status, got.text)
		}
		if got := s.do("POST", "/auth/login/", basicOf("bob"), ""); got.status != 200 {
			t.Errorf("another user: %d", got.status)
		}
		time.Sleep(time.Hour) // five have expired, and were not purged
		for i := range 6 {
			if got := s.do("POST", "/auth/login/", basicOf("alice"), ""); (got.status == 200) != (i < 5) {
				t.Errorf("login %d after five expired: %d", i, got.status)
			}
		}
	})
}

func TestEvictOldestEndsTheOldestInstead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Limit, c.EvictOldest = 2, true })
		first := s.login("alice")
		time.Sleep(time.Second)
		second := s.login("alice")
		time.Sleep(time.Second)
		third := s.login("alice")
		if s.me(first) != 401 || s.me(second) != 200 || s.me(third) != 200 || s.events.count(auth.EventRevoked) != 1 {
			t.Error("the wrong token was evicted")
		}
	})
}

func TestUnitATokenThatAsksForAnotherIsNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Limit, c.EvictOldest, c.Issue.AllowFromToken = 2, true, true })
		first := s.login("alice")
		time.Sleep(time.Second)
		second := s.login("alice")
		time.Sleep(time.Second)
		got := s.do("POST", "/auth/tokens/", "Token "+first, `{"name":"script","scopes":["read"]}`)
		if got.status != 201 || s.me(first) != 200 || s.me(second) != 401 {
			t.Errorf("%d %s: the first token is %d, the second %d", got.status, got.text, s.me(first), s.me(second))
		}
	})
}

func TestAnotherSchemeIsNoCredential(t *testing.T) {
	store := knox.NewMemoryStore()
	token := start(t, func(c *knox.Config) { c.Store = store }).login("alice")
	s := start(t, func(c *knox.Config) { c.Store, c.Schemes = store, []string{"Device"} })
	if got := s.do("GET", "/me", "Token "+token, ""); got.status != 401 || got.json(t)["code"] != "not_authenticated" {
		t.Errorf("the old scheme: %d %s", got.status, got.text)
	}
	if got := s.do("GET", "/me", "device "+token, ""); got.status != 200 {
		t.Errorf("the new scheme: %d", got.status)
	}
}

func TestEarlierPrefixesStayGoodIfNamed(t *testing.T) {
	store := knox.NewMemoryStore()
	bare := start(t, func(c *knox.Config) { c.Store = store }).login("alice")
	old := start(t, func(c *knox.Config) { c.Store, c.Token.Prefix = store, "old_" }).login("alice")
	named := start(t, func(c *knox.Config) {
		c.Store, c.Token.Prefix, c.Token.AcceptPrefixes = store, "new_", []string{"old_", ""}
	})
	unnamed := start(t, func(c *knox.Config) { c.Store, c.Token.Prefix = store, "new_" })
	if named.me(bare) != 200 || named.me(old) != 200 || named.me(named.login("alice")) != 200 {
		t.Error("a named prefix is refused")
	}
	if unnamed.me(bare) != 401 || unnamed.me(old) != 401 {
		t.Error("an unnamed prefix is accepted")
	}
	if !strings.HasPrefix(named.login("alice"), "new_") {
		t.Error("new tokens lack the prefix")
	}
}

func TestATokenIsItsOwnBackendsInWhateverOrderTheyAreAsked(t *testing.T) {
	prefixes := []string{"", "b_", "b_c.", "acme", "0123456789"[:9] + "-"}
	var backends []*knox.Tokens
	var secrets []string
	for i, prefix := range prefixes {
		tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: (&people{}).load,
			Name: fmt.Sprint(i), Token: knox.TokenSettings{Prefix: prefix}})
		if err != nil {
			t.Fatal(err)
		}
		issued, err := tokens.Issue(t.Context(), "alice", knox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		backends, secrets = append(backends, tokens), append(secrets, issued.Secret.Reveal())
	}
	for i, backend := range backends {
		for j, secret := range secrets {
			if prefixes[i] == "" && prefixes[j] == "acme" {
				continue // they cannot be told apart: New refuses the two in one Config
			}
			_, credential, err := backend.VerifyToken(t.Context(), secret)
			switch {
			case i == j && (err != nil || credential.Backend() != fmt.Sprint(i)):
				t.Errorf("prefix %q refuses its own: %v", prefixes[i], err)
			case i != j && !errors.Is(err, auth.ErrUnrecognized):
				t.Errorf("prefix %q takes a token of %q for its own: %v", prefixes[i], prefixes[j], err)
			}
		}
	}
}

func TestTokensOfAnotherLengthStayGood(t *testing.T) {
	store := knox.NewMemoryStore()
	long := start(t, func(c *knox.Config) { c.Store, c.Token.Length = store, 128 }).login("alice")
	s := start(t, func(c *knox.Config) { c.Store, c.Token.Length = store, 36 })
	short := s.login("alice")
	if len(long) != 128 || len(short) != 36 || s.me(long) != 200 || s.me(short) != 200 {
		t.Errorf("%d and %d characters", len(long), len(short))
	}
}

// The token and digest are a vector of django-rest-knox 5.
func TestTokensOfAnotherSystemAreFoundByTheirFormat(t *testing.T) {
	const token = "7d6f48fdb90d821a9bfae909937cdb092af99b055f4b147b9c22630d79364f70"
	const digest = "8c90bd0986043e77d78d292f052b0f714f932c8bbf6da964db2c835cc3a59d2b49ee8a42ab6daf7b8d44191435c490ed" +
		"dbbbd55cf081f084e6967c5190bdbcb3"
	isHex := regexp.MustCompile(`^[0-9a-f]{64}$`)
	s := start(t, func(c *knox.Config) {
		c.Token.Foreign = []knox.ForeignToken{func(token string) (string, bool) {
			sum := sha512.Sum512([]byte(token))
			return hex.EncodeToString(sum[:]), isHex.MatchString(token)
		}}
	})
	stamp := s.login("alice") // for the stamp of its record
	record := *s.rows("alice")[0]
	record.Digest, record.ID = digest, "django"
	if _, err := s.store.Add(t.Context(), &record, 0, false, knox.Ending{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if s.me(token) != 200 || s.me(strings.Repeat("0", 64)) != 401 || s.me(stamp) != 200 {
		t.Error("the format was not asked")
	}
}

func TestNewRefusesWhatCannotBeRight(t *testing.T) {
	type form = knox.TokenSettings
	type sliding = knox.SlidingSettings
	load := (&people{}).load
	for sentence, config := range map[string]knox.Config{
		"no store":            {LoadUser: load},
		"no loader":           {Store: knox.NewMemoryStore()},
		"a prefix of 11":      {Token: form{Prefix: "elevenchars"}},
		"a space in a prefix": {Token: form{Prefix: "a b"}},
		"a prefix that a token without one may start with": {
			Token: form{Prefix: "acme", AcceptPrefixes: []string{""}}},
		"a prefix that is another and more": {Token: form{Prefix: "gw_", AcceptPrefixes: []string{"gw_2"}}},
		"an accepted prefix of 11":          {Token: form{AcceptPrefixes: []string{"elevenchars"}}},
		"a negative TTL":                    {TTL: -1},
		"a negative limit":                  {Limit: -2},
		"keeping ended ones for -1":         {KeepEnded: -1},
		"evicting without a limit":          {Limit: knox.NoLimit, EvictOldest: true},
		"35 characters":                     {Token: form{Length: 35}},
		"129 characters":                    {Token: form{Length: 129}},
		"a maximum shorter than TTL":        {TTL: 2 * time.Hour, Sliding: sliding{MaxTTL: time.Hour}},
		"the scheme Basic":                  {Schemes: []string{"basic"}},
		"an empty scheme":                   {Schemes: []string{""}},
		"a scope with a space":              {Personal: knox.PersonalSettings{Scopes: []string{"a b"}}},
	} {
		if !strings.HasPrefix(sentence, "no ") {
			config.Store, config.LoadUser = knox.NewMemoryStore(), load
		}
		if _, err := knox.New(config); err == nil || !strings.HasPrefix(err.Error(), "knox: ") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestTwoOfOneKindNeedDifferentTokens(t *testing.T) {
	build := func(name, prefix string) *knox.Tokens {
		tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: (&people{}).load, Name: name,
			Token: knox.TokenSettings{Prefix: prefix}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	for _, row := range []struct {
		sentence string
		a, b     *knox.Tokens
		ok       bool
	}{
		{"same name", build("a", "x_"), build("a", "y_"), false},
		{"same prefix", build("a", "x_"), build("b", "x_"), false},
		{"neither", build("a", "x_"), build("b", "y_"), true},
	} {
		if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{row.a, row.b}}); (err == nil) != row.ok {
			t.Errorf("%s: %v", row.sentence, err)
		}
	}
}

// cookieUser is a session-like backend: the browser adds what it reads.
type cookieUser struct{}

func (cookieUser) Backend() string              { return "cookie" }
func (cookieUser) Ambient() bool                { return true }
func (cookieUser) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Cookie"}} }
func (cookieUser) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	if len(r.Cookies()) == 0 {
		return nil, nil, auth.ErrNoCredentials
	}
	return &person{name: "bob"}, nil, nil
}

func TestABrokenTokenOfOursIsBadAndRescuedByNoCookie(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Token.Prefix = "acme_" })
	issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := issued.Secret.Reveal()
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens, cookieUser{}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		token string
		kind  error
	}{
		"the last character wrong":     {good[:len(good)-1] + "_", auth.ErrUnrecognized}, // of another prefix, perhaps
		"the last character cut off":   {good[:len(good)-1], auth.ErrInvalid},
		"one character more":           {good + "x", auth.ErrInvalid},
		"nothing but the prefix":       {"acme_", auth.ErrInvalid},
		"another checksum":             {good[:len(good)-6] + "000000", auth.ErrInvalid},
		"a token of another prefix":    {"other_abc", auth.ErrUnrecognized},
		"a token without a prefix":     {strings.TrimPrefix(good, "acme_"), auth.ErrUnrecognized},
		"a longer prefix of others":    {"acme_at_" + strings.TrimPrefix(good, "acme_"), auth.ErrUnrecognized},
		"a good token that is unknown": {knoxToken("acme_"), auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := s.tokens.VerifyToken(t.Context(), row.token); auth.KindOf(err) != row.kind {
				t.Errorf("VerifyToken returned %v, want %v", err, row.kind)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Token "+row.token)
			r.AddCookie(&http.Cookie{Name: "session", Value: "bob"})
			w := httptest.NewRecorder()
			guard.Optional()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != 401 {
				t.Errorf("status %d, want 401: the cookie's user was let in", w.Code)
			}
		})
	}
}

func knoxToken(prefix string) string {
	return backend.NewToken(prefix, "alice", backend.DefaultTokenLength)
}

func TestSettingsChangedAfterNewDoNotChangeTheTokens(t *testing.T) {
	schemes, scopes, accept := []string{"Token"}, []string{"a"}, []string{"old_"}
	formats := []knox.ForeignToken{func(string) (string, bool) { return "", false }}
	s := start(t, func(c *knox.Config) {
		c.Schemes, c.Personal.Scopes, c.Token.AcceptPrefixes, c.Token.Foreign = schemes, scopes, accept, formats
	})
	schemes[0], scopes[0], accept[0] = "Bearer", "b", "new_"
	formats[0] = func(string) (string, bool) { return "stolen", true }
	if got := s.tokens.OwnTokens(); got[0].Scheme != "Token" || got[0].Prefix != "old_" {
		t.Errorf("OwnTokens %v", got)
	}
	if _, _, err := s.tokens.VerifyToken(t.Context(), "stolen"); auth.KindOf(err) != auth.ErrUnrecognized {
		t.Errorf("a format that came later was asked: %v", err)
	}
}
