package jwt_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestWrongWiringFailsAtNew(t *testing.T) {
	public := signing(t, jwt.ES256).Public()
	for sentence, change := range map[string]func(*jwt.Config){
		"no Store":                            func(c *jwt.Config) { c.Store = nil },
		"no LoadUser":                         func(c *jwt.Config) { c.LoadUser = nil },
		"no Keys":                             func(c *jwt.Config) { c.Keys = nil },
		"no key that signs":                   func(c *jwt.Config) { c.Keys = keySet(t, nil, public) },
		"no Issuer":                           func(c *jwt.Config) { c.Issuer = "" },
		"no Issuer, no Audience":              func(c *jwt.Config) { c.Issuer, c.AllowNoIssuer = "", true },
		"a negative TTL":                      func(c *jwt.Config) { c.AccessTTL = -1 },
		"a TTL below a second":                func(c *jwt.Config) { c.AccessTTL = time.Millisecond },
		"access longer than refresh":          func(c *jwt.Config) { c.AccessTTL = 48 * time.Hour },
		"refresh longer than the session":     func(c *jwt.Config) { c.RefreshTTL, c.SessionTTL = time.Hour, time.Minute },
		"a grace of an hour":                  func(c *jwt.Config) { c.Grace = time.Hour },
		"a leeway of an hour":                 func(c *jwt.Config) { c.Leeway = time.Hour },
		"a scope that is none":                func(c *jwt.Config) { c.Scopes = []string{"a b"} },
		"Basic as the scheme of tokens":       func(c *jwt.Config) { c.Schemes = []string{"basic"} },
		"a cookie that is none":               func(c *jwt.Config) { c.Cookie = "a;b" },
		"one claim for two things":            func(c *jwt.Config) { c.Format = jwt.Format{UserClaim: "x", IDClaim: "x"} },
		"the user in a claim of this package": func(c *jwt.Config) { c.Format = jwt.Format{UserClaim: "sid"} },
	} {
		config := jwt.Config{Issuer: serviceIssuer, Keys: keySet(t, signing(t, jwt.ES256)), Store: jwt.NewMemoryStore(), LoadUser: newPeople().load}
		if _, err := jwt.New(config); err != nil {
			t.Fatal(err)
		}
		change(&config)
		if _, err := jwt.New(config); err == nil || !strings.HasPrefix(err.Error(), "jwt: ") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

// django mints tokens as simplejwt does with its default settings.
func django(t testing.TB, secret []byte, kind string, change map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := golang.MapClaims{"token_type": kind, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "jti": strings.Repeat("5f", 16), "user_id": "alice"}
	for name, value := range change {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	token, err := golang.NewWithClaims(golang.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// besideDjango are Tokens that share a secret with a simplejwt.
func besideDjango(t testing.TB, change func(*jwt.Config)) (*jwt.Tokens, *people, []byte) {
	t.Helper()
	secret := []byte(strings.Repeat("django-insecure-", 4))
	key, err := jwt.NewKey(jwt.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	tokens, people, _ := newTokens(t, func(c *jwt.Config) {
		c.Issuer, c.Keys, c.Format = "", keySet(t, key), jwt.SimpleJWT()
		c.AllowNoIssuer, c.AllowNoAudience, c.AllowNoSession = true, true, true
		if change != nil {
			change(c)
		}
	})
	return tokens, people, secret
}

func TestTokensOfSimpleJWTAreAccepted(t *testing.T) {
	tokens, people, secret := besideDjango(t, nil)
	for sentence, row := range map[string]struct {
		kind   string
		change map[string]any
		user   string
		kinded error
	}{
		"an access token":                    {"access", nil, "alice", nil},
		"a number for the user":              {"access", map[string]any{"user_id": 17}, "17", nil},
		"a sliding token":                    {"sliding", map[string]any{"refresh_exp": 1 << 33}, "alice", nil},
		"a refresh token":                    {"refresh", nil, "", auth.ErrInvalid},
		"a user who is not there":            {"access", map[string]any{"user_id": "nobody"}, "", auth.ErrInvalid},
		"a float for the user":               {"access", map[string]any{"user_id": 1.5}, "", auth.ErrInvalid},
		"an object for the user":             {"access", map[string]any{"user_id": map[string]any{}}, "", auth.ErrInvalid},
		"no user":                            {"access", map[string]any{"user_id": nil}, "", auth.ErrInvalid},
		"exp beyond all time":                {"access", map[string]any{"exp": 1e20}, "", auth.ErrInvalid},
		"no jti":                             {"access", map[string]any{"jti": nil}, "", auth.ErrInvalid},
		"a number for jti":                   {"access", map[string]any{"jti": 5}, "", auth.ErrInvalid},
		"an audience, of which we are none":  {"access", map[string]any{"aud": "other"}, "", auth.ErrInvalid},
		"an issuer, of which we know none":   {"access", map[string]any{"iss": "other"}, "", auth.ErrUnrecognized},
		"a scope, which makes it another's":  {"access", map[string]any{"scope": "x"}, "", auth.ErrInvalid},
		"a client, which makes it another's": {"access", map[string]any{"client_id": "x"}, "", auth.ErrInvalid},
		"a session that we did not start":    {"access", map[string]any{"sid": "x"}, "", auth.ErrInvalid},
		"a generation without a session":     {"access", map[string]any{"gen": 0}, "", auth.ErrInvalid},
	} {
		user, _, err := tokens.VerifyToken(t.Context(), django(t, secret, row.kind, row.change))
		if row.kinded != auth.Kind(err) || err == nil && user.UserID() != row.user {
			t.Errorf("%s: %v %v", sentence, user, err)
		}
	}
	people.change(func() { people.inactive["alice"] = true })
	if _, _, err := tokens.VerifyToken(t.Context(), django(t, secret, "access", nil)); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("an inactive user: %v", err)
	}
	strict, _, secret := besideDjango(t, func(c *jwt.Config) { c.AllowNoSession = false })
	if _, _, err := strict.VerifyToken(t.Context(), django(t, secret, "access", nil)); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("without AllowNoSession: %v", err)
	}
}

func TestSimpleJWTAcceptsOurs(t *testing.T) {
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Format.NumericUser = true })
	for user, want := range map[string]any{"alice": "alice", "17": float64(17)} {
		pair, err := tokens.Issue(t.Context(), user, jwt.Options{Claims: map[string]any{"team": "red"}})
		if err != nil {
			t.Fatal(err)
		}
		for token, kind := range map[auth.Secret]string{pair.Access: "access", pair.Refresh: "refresh"} {
			parsed, err := golang.Parse(token.Reveal(), func(*golang.Token) (any, error) { return secret, nil }, golang.WithValidMethods([]string{"HS256"}))
			if err != nil {
				t.Fatal(err)
			}
			claims := parsed.Claims.(golang.MapClaims)
			if claims["user_id"] != want || claims["token_type"] != kind || parsed.Header["typ"] != "JWT" || claims["iss"] != nil || claims["aud"] != nil {
				t.Errorf("%v %v", parsed.Header, claims)
			}
			if team := claims["team"]; kind == "access" && team != "red" {
				t.Error(claims)
			}
		}
	}
}

func TestARefreshTokenOfSimpleJWTStartsALoginOnce(t *testing.T) {
	tokens, _, secret := besideDjango(t, nil)
	foreign := django(t, secret, "refresh", map[string]any{"team": "red"})
	if _, err := tokens.Verify(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	pair, err := tokens.Refresh(t.Context(), foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := claimsOf(t, pair.Access.Reveal()); claims["team"] != "red" || claims["user_id"] != "alice" {
		t.Errorf("what it said is lost: %v", claims)
	}
	next, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Verify(t.Context(), foreign); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("verify of the used one: %v", err)
	}
	if _, err := tokens.Refresh(t.Context(), foreign); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("the second use: %v", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("the login goes on: %v", err)
	}

	// Logging out with one uses it up, too.
	other := django(t, secret, "refresh", map[string]any{"jti": "other"})
	if err := tokens.Logout(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), other); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("after the logout: %v", err)
	}
	if err := tokens.Logout(t.Context(), other); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("the second logout: %v", err)
	}
}

func TestASlidingTokenOfSimpleJWTStartsALoginOnce(t *testing.T) {
	tokens, _, secret := besideDjango(t, nil)
	end := time.Now().Add(2 * time.Hour).Unix()
	foreign := django(t, secret, "sliding", map[string]any{"refresh_exp": end, "team": "red"})
	use := func(token string, want error) {
		t.Helper()
		if _, _, err := tokens.VerifyToken(t.Context(), token); auth.Kind(err) != want {
			t.Errorf("use: %v", err)
		}
		if _, err := tokens.Verify(t.Context(), token); auth.Kind(err) != want {
			t.Errorf("verify: %v", err)
		}
	}
	use(foreign, nil)
	next, err := tokens.RefreshSliding(t.Context(), foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := claimsOf(t, next.Token.Reveal()); claims["refresh_exp"] != float64(end) || claims["team"] != "red" {
		t.Errorf("%v", claims)
	}
	use(next.Token.Reveal(), nil)
	use(foreign, auth.ErrInvalid)
	if _, err := tokens.RefreshSliding(t.Context(), foreign); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("the second use: %v", err)
	}
	use(next.Token.Reveal(), auth.ErrInvalid)
	for sentence, change := range map[string]map[string]any{
		"past its end":   {"jti": "a", "refresh_exp": time.Now().Unix()},
		"without an end": {"jti": "b"},
	} {
		if _, err := tokens.RefreshSliding(t.Context(), django(t, secret, "sliding", change)); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	out := django(t, secret, "sliding", map[string]any{"jti": "out", "refresh_exp": end})
	if err := tokens.Logout(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	use(out, auth.ErrInvalid)
}

func TestRevokeAllVoidsWhatOthersIssuedUntilThen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, secret := besideDjango(t, nil)
		before := django(t, secret, "access", nil)
		refresh := django(t, secret, "refresh", map[string]any{"jti": "r"})
		bob := django(t, secret, "access", map[string]any{"user_id": "bob"})
		time.Sleep(300 * time.Millisecond)
		if _, err := tokens.RevokeAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		tie := django(t, secret, "access", map[string]any{"jti": "tie"}) // of the same second, which is all it says
		time.Sleep(time.Second)
		after := django(t, secret, "access", map[string]any{"jti": "after"})
		for token, want := range map[string]error{before: auth.ErrInvalid, tie: auth.ErrInvalid, after: nil, bob: nil} {
			if _, _, err := tokens.VerifyToken(t.Context(), token); auth.Kind(err) != want {
				_, claims := claimsOf(t, token)
				t.Errorf("%v: %v", claims, err)
			}
		}
		if _, err := tokens.Refresh(t.Context(), refresh); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("a refresh token of before: %v", err)
		}
	})
}

func TestWithAGraceTheSameSuccessorIsGivenAgainUntilItIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, events := newTokens(t, func(c *jwt.Config) { c.Grace = 10 * time.Second })
		refresh := func(token auth.Secret) (*jwt.Pair, error) { return tokens.Refresh(t.Context(), token.Reveal()) }
		first, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		second, err := refresh(first.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		again, err := refresh(first.Refresh)
		if err != nil {
			t.Fatal("within the grace: ", err)
		}
		_, a := claimsOf(t, second.Refresh.Reveal())
		_, b := claimsOf(t, again.Refresh.Reveal())
		if a["jti"] != b["jti"] || a["exp"] != b["exp"] {
			t.Errorf("another successor: %v %v", a, b)
		}
		third, err := refresh(again.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		if events.count(auth.EventReuse) != 0 {
			t.Error("a retry is no reuse")
		}
		// The successor was used: the first token is no immediate predecessor now.
		if _, err := refresh(first.Refresh); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("two generations back: %v", err)
		}
		if _, err := refresh(third.Refresh); auth.Kind(err) != auth.ErrInvalid || events.count(auth.EventReuse) != 1 {
			t.Errorf("the login goes on: %v", err)
		}

		first, err = tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = refresh(first.Refresh); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, err := refresh(first.Refresh); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("after the grace: %v", err)
		}
	})
}

func TestAGraceServesNoTokenOfALoginThatWasEnded(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Grace = time.Minute })
	first, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), first.Refresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Revoke(t.Context(), "alice", first.SessionID); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), first.Refresh.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Error(err)
	}
}

func TestThePasswordChangesAndTheLoginInUseStays(t *testing.T) {
	tokens, people, _ := newTokens(t, nil)
	issue := func(user string) *jwt.Pair {
		pair, err := tokens.Issue(t.Context(), user, jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	here, there, bob := issue("alice"), issue("alice"), issue("bob")
	people.change(func() { people.stamps["alice"] = "a2" })
	_, credential, _ := tokens.VerifyToken(t.Context(), bob.Access.Reveal())
	if credential == nil {
		t.Fatal("bob is out")
	}
	// The credential of the request under way, proved before the change.
	people.change(func() { people.stamps["alice"] = "a1" })
	user, credential, err := tokens.VerifyToken(t.Context(), here.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	people.change(func() { people.stamps["alice"] = "a2" })
	r := httptest.NewRequest("POST", "/", nil)
	r = r.WithContext(auth.WithIdentity(r.Context(), user, credential))
	if err := tokens.RevokeOthers(httptest.NewRecorder(), r, person{"alice", "a2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), there.Refresh.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("another login: %v", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), here.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("the access token of before: %v", err)
	}
	next, err := tokens.Refresh(t.Context(), here.Refresh.Reveal())
	if err != nil {
		t.Fatal("the login in use: ", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); err != nil {
		t.Errorf("its next access token: %v", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), bob.Access.Reveal()); err != nil {
		t.Errorf("bob: %v", err)
	}
	// Nobody's request: nothing is left.
	if err := tokens.RevokeOthers(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), person{"alice", "a2"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Error(err)
	}
}

func TestLimitedPairsAreLimitedAndOthersAreNotTaken(t *testing.T) {
	key := keySet(t, signing(t, jwt.ES256))
	scoped, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys, c.Scopes = key, []string{"read", "write"} })
	plain, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys = key })
	for sentence, options := range map[string]jwt.Options{
		"a scope":              {Scopes: []string{"read"}},
		"a client":             {ClientID: "app"},
		"limited to nothing":   {Limited: true},
		"a client with scopes": {ClientID: "app", Scopes: []string{"read", "write"}},
	} {
		if _, err := plain.Issue(t.Context(), "alice", options); err == nil {
			t.Errorf("%s, but Config.Scopes is nil", sentence)
		}
		pair, err := scoped.Issue(t.Context(), "alice", options)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, credential, err := scoped.VerifyToken(t.Context(), pair.Access.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			scopes, limited := credential.(auth.Scoped).Scopes()
			if !limited || strings.Join(scopes, " ") != strings.Join(options.Scopes, " ") || credential.(*jwt.Token).ClientID() != options.ClientID {
				t.Errorf("%s: %v %v", sentence, scopes, limited)
			}
			if pair, err = scoped.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil { // and so is what comes of it
				t.Fatal(err)
			}
		}
		if _, _, err := plain.VerifyToken(t.Context(), pair.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("%s: taken for an unlimited one: %v", sentence, err)
		}
	}
	if _, err := scoped.Issue(t.Context(), "alice", jwt.Options{Scopes: []string{"admin"}}); err == nil {
		t.Error("a scope that is not one of Config.Scopes")
	}
	unlimited, err := scoped.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, credential, err := scoped.VerifyToken(t.Context(), unlimited.Access.Reveal())
	if _, limited := credential.(auth.Scoped).Scopes(); err != nil || limited {
		t.Error(limited, err)
	}
}

func TestClaimsOfTheApplicationAreThoseOfNow(t *testing.T) {
	role, fails := "admin", false
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.AddClaims = func(_ context.Context, user auth.User) (map[string]any, error) {
			if fails {
				return nil, errDown
			}
			return map[string]any{"role": role + " " + user.UserID()}, nil
		}
		c.Claims = jwt.ClaimsAs[struct{ Role, Device string }]
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{Claims: map[string]any{"device": "phone"}})
	if err != nil {
		t.Fatal(err)
	}
	claims := func() (role, device string) {
		_, credential, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		claims, ok := jwt.ClaimsOf[*struct{ Role, Device string }](credential.(*jwt.Token))
		if !ok {
			t.Fatal("no claims")
		}
		return claims.Role, claims.Device
	}
	if role, device := claims(); role != "admin alice" || device != "phone" {
		t.Error(role, device)
	}
	role = "reader"
	if pair, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	if role, device := claims(); role != "reader alice" || device != "phone" {
		t.Error(role, device)
	}
	fails = true
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); !errors.Is(err, errDown) {
		t.Error(err)
	}
	fails = false
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Errorf("a refresh that failed used the token up: %v", err)
	}
	for _, name := range []string{"sub", "exp", "sid", "gen", "scope", "jti", "refresh_exp"} {
		if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{Claims: map[string]any{name: "x"}}); err == nil {
			t.Errorf("%s can be set", name)
		}
	}
	if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{Claims: map[string]any{"long": strings.Repeat("x", 5000)}}); err == nil {
		t.Error("5000 bytes of claims")
	}
}

func TestATokenDiesWithItsSecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, nil)
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // cold, then cached
			time.Sleep(time.Until(pair.AccessExpires.Add(-time.Microsecond)))
			if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); err != nil {
				t.Errorf("just before: %v", err)
			}
		}
		time.Sleep(time.Microsecond)
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("at the end: %v", err)
		}
		time.Sleep(time.Until(pair.RefreshExpires))
		if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("refresh at its end: %v", err)
		}
		time.Sleep(jwt.KeepExpired)
		if purged, err := tokens.Purge(t.Context()); purged != 1 || err != nil {
			t.Error(purged, err)
		}
	})
}

func TestTheLoginIsToldInWhatComesOfIt(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	login := auth.LoginInfo{AuthTime: time.Unix(1_700_000_000, 0).UTC(), AMR: []string{"pwd", "a b"}, ACR: "high"}
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{Login: login, IP: "192.0.2.1", UserAgent: "curl\x1b/8"})
	if err != nil {
		t.Fatal(err)
	}
	if pair, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	_, credential, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	token := credential.(*jwt.Token)
	if got := token.LoginInfo(); !got.AuthTime.Equal(login.AuthTime) || strings.Join(got.AMR, "|") != "pwd|a b" || got.ACR != "high" {
		t.Errorf("%+v", got)
	}
	if token.Backend() != "jwt" || token.Subject() != "alice" || token.SessionID() != pair.SessionID || !token.ExpiresAt().Equal(pair.AccessExpires) ||
		token.ID() == "" || token.Issuer() != serviceIssuer || token.Audience()[0] != serviceIssuer || token.IssuedAt().IsZero() {
		t.Errorf("%+v", token)
	}
	families, err := tokens.List(t.Context(), "alice")
	if err != nil || len(families) != 1 || families[0].IP != "192.0.2.1" || families[0].UserAgent != "curl/8" || families[0].ID != pair.SessionID {
		t.Errorf("%+v %v", families, err)
	}
}

func TestATokenTooLongForAHeaderIsNotIssued(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.AddClaims = func(context.Context, auth.User) (map[string]any, error) {
			return map[string]any{"roles": strings.Repeat("x", 8<<10)}, nil
		}
	})
	if pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); err == nil {
		t.Error(len(pair.Access.Reveal()), "bytes")
	}
}

func TestTokensOfAnotherAlgorithmAreMade(t *testing.T) {
	for _, algorithm := range []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.PS256, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys = keySet(t, signing(t, algorithm)) })
			pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if header, _ := claimsOf(t, pair.Access.Reveal()); header["alg"] != string(algorithm) {
				t.Error(header)
			}
			if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); err != nil {
				t.Error(err)
			}
			if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAKeyIsReplacedAndTokensOfTheOldOneStayGood(t *testing.T) {
	old, new := signing(t, jwt.ES256), signing(t, jwt.EdDSA)
	keys := &switching{}
	keys.set(keySet(t, old))
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys = keys })
	first, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := func(pair *jwt.Pair, want error) {
		t.Helper()
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); auth.Kind(err) != want {
			t.Error(err)
		}
	}
	good(first, nil)
	keys.set(keySet(t, new, old.Public()))
	second, err := tokens.Refresh(t.Context(), first.Refresh.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	good(first, nil)
	good(second, nil)
	keys.set(keySet(t, new)) // the old one is trusted no more, remembered or not
	good(first, auth.ErrInvalid)
	good(second, nil)
}

func TestIdentifiersHaveTheirBits(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	seen := map[string]bool{}
	for range 50 {
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []auth.Secret{pair.Access, pair.Refresh} {
			_, claims := claimsOf(t, token.Reveal())
			id := claims["jti"].(string)
			if _, err := strconv.ParseUint(id[:16], 16, 64); len(id) != 40 || seen[id] || err != nil {
				t.Error(id)
			}
			seen[id] = true
		}
	}
}
