package jwt_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

func TestWrongWiringFailsAtNew(t *testing.T) {
	public := signing(t, jwt.ES256).Public()
	for sentence, change := range map[string]func(*jwt.Config){
		"no Store":                   func(c *jwt.Config) { c.Store = nil },
		"no LoadUser":                func(c *jwt.Config) { c.LoadUser = nil },
		"no Keys":                    func(c *jwt.Config) { c.Keys = nil },
		"no key that signs":          func(c *jwt.Config) { c.Keys = keySet(t, nil, public) },
		"no Issuer":                  func(c *jwt.Config) { c.Issuer = "" },
		"no Issuer, no Audience":     func(c *jwt.Config) { c.Issuer, c.Compat.AllowNoIssuer = "", true },
		"a negative TTL":             func(c *jwt.Config) { c.Lifetimes.Access = -1 },
		"a TTL below a second":       func(c *jwt.Config) { c.Lifetimes.Access = time.Millisecond },
		"access longer than refresh": func(c *jwt.Config) { c.Lifetimes.Access = 48 * time.Hour },
		"refresh longer than the session": func(c *jwt.Config) {
			c.Lifetimes.Refresh, c.Lifetimes.Session = time.Hour, time.Minute
		},
		"a grace of an hour":            func(c *jwt.Config) { c.Lifetimes.Grace = time.Hour },
		"a leeway of an hour":           func(c *jwt.Config) { c.Verify.Leeway = time.Hour },
		"a scope that is none":          func(c *jwt.Config) { c.Scopes = []string{"a b"} },
		"Basic as the scheme of tokens": func(c *jwt.Config) { c.Verify.Schemes = []string{"basic"} },
		"a cookie that is none":         func(c *jwt.Config) { c.Cookie.Name = "a;b" },
		"one claim for two things": func(c *jwt.Config) {
			c.Compat.Format = jwt.Format{UserClaim: "x", IDClaim: "x"}
		},
		"the user in a claim of this package": func(c *jwt.Config) { c.Compat.Format = jwt.Format{UserClaim: "sid"} },
	} {
		config := jwt.Config{Issuer: serviceIssuer, Keys: keySet(t, signing(t, jwt.ES256)), Store: jwt.NewMemoryStore(),
			LoadUser: newPeople().load}
		if _, err := jwt.New(config); err != nil {
			t.Fatal(err)
		}
		change(&config)
		if _, err := jwt.New(config); err == nil || !strings.HasPrefix(err.Error(), "jwt: ") {
			t.Errorf("%s: %v", sentence, err)
		}
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
			if !limited || strings.Join(scopes, " ") != strings.Join(options.Scopes, " ") ||
				credential.(*jwt.Token).ClientID() != options.ClientID {
				t.Errorf("%s: %v %v", sentence, scopes, limited)
			}
			// and so is what comes of it
			if pair, err = scoped.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := plain.VerifyToken(t.Context(), pair.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
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
		c.Issue.AddClaims = func(_ context.Context, user auth.User) (map[string]any, error) {
			if fails {
				return nil, errDown
			}
			return map[string]any{"role": role + " " + user.UserID()}, nil
		}
		c.Verify.Claims = jwt.ClaimsAs[struct{ Role, Device string }]
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
	if _, err := tokens.Issue(t.Context(), "alice",
		jwt.Options{Claims: map[string]any{"long": strings.Repeat("x", 5000)}}); err == nil {
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
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("at the end: %v", err)
		}
		time.Sleep(time.Until(pair.RefreshExpires))
		if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("refresh at its end: %v", err)
		}
		time.Sleep(jwt.KeepExpired)
		if purged, err := tokens.Purge(t.Context(), 500); purged != 1 || err != nil {
			t.Error(purged, err)
		}
	})
}

func TestTheLoginIsToldInWhatComesOfIt(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	login := auth.AuthInfo{AuthTime: time.Unix(1_700_000_000, 0).UTC(), AMR: []string{"pwd", "a b"}, ACR: "high"}
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{AuthInfo: login, IP: "192.0.2.1",
		UserAgent: "curl\x1b/8"})
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
	if got := token.AuthInfo(); !got.AuthTime.Equal(login.AuthTime) || strings.Join(got.AMR, "|") != "pwd|a b" ||
		got.ACR != "high" {
		t.Errorf("%+v", got)
	}
	if token.Backend() != "jwt" || token.Subject() != "alice" || token.SessionID() != pair.SessionID ||
		!token.ExpiresAt().Equal(pair.AccessExpires) ||
		token.ID() == "" || token.Issuer() != serviceIssuer || token.Audience()[0] != serviceIssuer ||
		token.IssuedAt().IsZero() {
		t.Errorf("%+v", token)
	}
	sessions, _, err := tokens.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(sessions) != 1 || sessions[0].IP != "192.0.2.1" || sessions[0].UserAgent != "curl/8" ||
		sessions[0].ID != pair.SessionID {
		t.Errorf("%+v %v", sessions, err)
	}
}

func TestATokenTooLongForAHeaderIsNotIssued(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Issue.AddClaims = func(context.Context, auth.User) (map[string]any, error) {
			return map[string]any{"roles": strings.Repeat("x", 8<<10)}, nil
		}
	})
	if pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); err == nil {
		t.Error(len(pair.Access.Reveal()), "bytes")
	}
}

func TestTokensOfAnotherAlgorithmAreMade(t *testing.T) {
	for _, algorithm := range []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.PS256, jwt.ES256,
		jwt.ES384, jwt.ES512, jwt.EdDSA} {
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

func TestUnitIdentifiers(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	seen, lastLogin := map[string]bool{}, ""
	for range 50 {
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []auth.Secret{pair.Access, pair.Refresh} {
			_, claims := claimsOf(t, token.Reveal())
			for _, name := range []string{"jti", "sid"} {
				if id, err := uuid.Parse(claims[name].(string)); err != nil || id.Version() != 7 {
					t.Errorf("%s: got %q, want a UUID of version 7", name, claims[name])
				}
			}
			if id := claims["jti"].(string); seen[id] {
				t.Errorf("got the jti %s twice", id)
			} else {
				seen[id] = true
			}
			if claims["sid"] != pair.SessionID {
				t.Errorf("got the sid %v, want %s", claims["sid"], pair.SessionID)
			}
		}
		if pair.SessionID <= lastLogin {
			t.Errorf("got %s after %s, want a larger identifier for a later login", pair.SessionID, lastLogin)
		}
		lastLogin = pair.SessionID
	}
}

func TestClaimsOfTheApplicationAreNotLookedForInRefreshTokens(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Issue.AddClaims = func(context.Context, auth.User) (map[string]any, error) {
			return map[string]any{"role": "admin"}, nil
		}
		c.Verify.Claims = func(payload []byte) (any, error) {
			if !bytes.Contains(payload, []byte(`"role"`)) {
				return nil, errors.New("no role")
			}
			return "admin", nil
		}
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, credential, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); err != nil {
		t.Error(err)
	} else if role, _ := jwt.ClaimsOf[string](credential.(*jwt.Token)); role != "admin" {
		t.Errorf("role %q", role)
	}
	if _, err := tokens.Verify(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Error("verify: ", err)
	}
	if pair, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Fatal("refresh: ", err)
	}
	if err := tokens.Logout(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Error("logout: ", err)
	}
}

func TestATokenWithAScopeThatIsNotOursIsRefused(t *testing.T) {
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Scopes = []string{"read", "write"} })
	for scope, want := range map[string]error{"read": nil, "read write": nil, "": nil, "admin": auth.ErrInvalid,
		"read admin": auth.ErrInvalid} {
		if _, _, err := tokens.VerifyToken(t.Context(),
			django(t, secret, "access", map[string]any{"scope": scope})); auth.KindOf(err) != want {
			t.Errorf("%q: %v", scope, err)
		}
	}
}

func TestKeysOfAnotherServiceSignNothing(t *testing.T) {
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: "https://login.example"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Keys: keys, Store: jwt.NewMemoryStore(),
		LoadUser: newPeople().load}); err == nil {
		t.Error("Tokens whose keys sign nothing")
	}
}

func TestARefreshTokenIsForItsIssuerAlone(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Keys, c.Audience = keySet(t, key), []string{"https://api.example"}
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, claims := claimsOf(t, pair.Refresh.Reveal())
	if claims["aud"] != serviceIssuer {
		t.Errorf("it is for %v", claims["aud"])
	}
	claims["aud"] = "https://api.example"
	other, err := jwt.Sign(key, "refresh+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), other); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("one for the API: %v", err)
	}
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Error(err)
	}
}

func TestATokenOfNoKindIsNoneOfOurs(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys = keySet(t, key) })
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, claims := claimsOf(t, pair.Access.Reveal())
	for _, typ := range []string{"JWT", "", "id+jwt", "logout+jwt"} { // an ID token, by the same key
		token, err := jwt.Sign(key, typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		_, _, bearer := tokens.VerifyToken(t.Context(), token)
		_, verify := tokens.Verify(t.Context(), token)
		_, refresh := tokens.Refresh(t.Context(), token)
		_, sliding := tokens.RefreshSliding(t.Context(), token)
		for call, err := range map[string]error{"bearer": bearer, "verify": verify, "refresh": refresh,
			"sliding": sliding, "logout": tokens.Logout(t.Context(), token)} {
			if auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("%s %q: %v", call, typ, err)
			}
		}
	}
}

func TestLifetimesThatAreLeftOutFitThoseThatAreSet(t *testing.T) {
	for sentence, row := range map[string]struct {
		change func(*jwt.Config)
		good   bool
	}{
		"a refresh token of 60 days":  {func(c *jwt.Config) { c.Lifetimes.Refresh = 60 * 24 * time.Hour }, true},
		"a sliding token of two days": {func(c *jwt.Config) { c.Lifetimes.Sliding = 48 * time.Hour }, true},
		"a sliding token longer than its session": {func(c *jwt.Config) {
			c.Lifetimes.Sliding, c.Lifetimes.SlidingSession = time.Hour,
				time.Minute
		}, false},
		"a sliding token of less than a second": {
			func(c *jwt.Config) { c.Lifetimes.Sliding = time.Millisecond }, false},
		"a refresh token longer than keys are kept": {func(c *jwt.Config) {
			c.Keys, c.Lifetimes.Refresh = newRing(t, jwt.NewMemoryKeyStore(), func(k *jwt.KeyringConfig) {
				k.Keep = 59 * 24 * time.Hour
			}), 60*24*time.Hour
		}, false},
		"a sliding token longer than keys are kept": {func(c *jwt.Config) {
			c.Keys, c.Lifetimes.Sliding = newRing(t, jwt.NewMemoryKeyStore(), func(k *jwt.KeyringConfig) {
				k.Keep = 47 * time.Hour
			}), 48*time.Hour
		}, false},
		"both as long as keys are kept": {func(c *jwt.Config) {
			c.Keys = newRing(t, jwt.NewMemoryKeyStore(), func(k *jwt.KeyringConfig) { k.Keep = 48 * time.Hour })
			c.Lifetimes.Sliding, c.Lifetimes.Refresh = 48*time.Hour, 48*time.Hour
		}, true},
	} {
		config := jwt.Config{Issuer: serviceIssuer, Keys: keySet(t, signing(t, jwt.EdDSA)), Store: jwt.NewMemoryStore(),
			LoadUser: newPeople().load}
		row.change(&config)
		if _, err := jwt.New(config); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}
