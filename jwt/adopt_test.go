package jwt_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	golang "github.com/golang-jwt/jwt/v5"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// besideDjango are Tokens that share a secret with a simplejwt.
func besideDjango(t testing.TB, change func(*jwt.Config)) (*jwt.Tokens, *people, []byte) {
	t.Helper()
	secret := []byte(strings.Repeat("django-insecure-", 4))
	key, err := jwt.NewKey(jwt.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	tokens, people, _ := newTokens(t, func(c *jwt.Config) {
		c.Issuer, c.Keys, c.Compat.Format = "", keySet(t, key), jwt.SimpleJWT()
		c.Compat.AllowNoIssuer, c.Compat.AllowNoAudience, c.Compat.AllowNoSession = true, true, true
		if change != nil {
			change(c)
		}
	})
	return tokens, people, secret
}

// django mints tokens as simplejwt does with its default settings.
func django(t testing.TB, secret []byte, kind string, change map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := golang.MapClaims{"token_type": kind, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"jti": strings.Repeat("5f", 16), "user_id": "alice"}
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

func TestAPasswordChangeVoidsWhatOthersIssuedThoughALoginStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, secret := besideDjango(t, nil)
		access := django(t, secret, "access", nil)
		refresh := django(t, secret, "refresh", map[string]any{"jti": "r"})
		here, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		user, credential, err := tokens.VerifyToken(t.Context(), here.Access.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", nil)
		r = r.WithContext(auth.WithIdentity(r.Context(), user, credential))
		if err := tokens.RevokeOthers(httptest.NewRecorder(), r, user); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), access); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("an access token of before: %v", err)
		}
		if _, err := tokens.Refresh(t.Context(), refresh); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("a refresh token of before: %v", err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), here.Access.Reveal()); err != nil {
			t.Errorf("the login in use: %v", err)
		}
		time.Sleep(time.Second)
		after := django(t, secret, "access", map[string]any{"jti": "after"})
		if _, _, err := tokens.VerifyToken(t.Context(), after); err != nil {
			t.Errorf("one of later: %v", err)
		}
	})
}

// between is a store that calls a function once, before it starts a session.
type between struct {
	jwt.Store
	do func()
}

func (b *between) Start(ctx context.Context, session *jwt.Session, first, adopted *jwt.Refresh, limit int, evict bool) (
	jwt.Started, error) {
	if b.do != nil {
		b.do()
	}
	return b.Store.Start(ctx, session, first, adopted, limit, evict)
}

func TestATokenOfOthersThatIsVoidedWhileItIsAdoptedStartsNoLogin(t *testing.T) {
	store := &between{Store: jwt.NewMemoryStore()}
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Store = store })
	store.do = func() {
		if _, err := tokens.RevokeAll(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
	}
	if pair, err := tokens.Refresh(t.Context(), django(t, secret, "refresh", nil)); auth.KindOf(
		err) != auth.ErrInvalid {
		t.Errorf("%v %v", pair, err)
	}
	if logins, _, err := tokens.List(t.Context(), "alice", backend.Page{}); len(logins) != 0 || err != nil {
		t.Error(logins, err)
	}
}

func TestATokenOfOthersThatCannotBeTakenOverIsRefused(t *testing.T) {
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Scopes = []string{"read"} })
	for sentence, change := range map[string]map[string]any{
		"a scope that is not ours":     {"scope": "write"},
		"a client with a control code": {"client_id": "a\u0085b"},
		"too many claims":              {"many": strings.Repeat("x", 4097)},
	} {
		change["jti"] = sentence
		_, err := tokens.Refresh(t.Context(), django(t, secret, "refresh", change))
		if auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if _, err := tokens.Refresh(t.Context(),
		django(t, secret, "refresh", map[string]any{"scope": "read"})); err != nil {
		t.Error(err)
	}
}

func TestATokenOfOthersThatIsAdoptedKeepsItsLoginAndNeedsItsUser(t *testing.T) {
	tokens, people, secret := besideDjango(t, nil)
	login := map[string]any{"auth_time": 1700000000, "amr": []string{"otp"}, "acr": "high"}
	pair, err := tokens.Refresh(t.Context(), django(t, secret, "refresh", login))
	if err != nil {
		t.Fatal(err)
	}
	_, claims := claimsOf(t, pair.Access.Reveal())
	if claims["auth_time"] != 1.7e9 || claims["acr"] != "high" || claims["amr"].([]any)[0] != "otp" {
		t.Error(claims)
	}
	var stated *auth.Error
	people.change(func() { people.inactive["alice"] = true })
	for _, user := range []string{"alice", "nobody"} {
		_, err := tokens.Refresh(t.Context(),
			django(t, secret, "refresh", map[string]any{"user_id": user, "jti": user}))
		if !errors.As(err, &stated) || stated.Detail != "No active account found for the given token." {
			t.Errorf("%s: %v", user, err)
		}
	}
}

func TestALogoutWithATokenOfOthersLeavesNoLogin(t *testing.T) {
	tokens, _, secret := besideDjango(t, nil)
	if err := tokens.Logout(t.Context(), django(t, secret, "refresh", nil)); err != nil {
		t.Fatal(err)
	}
	if logins, _, err := tokens.List(t.Context(), "alice", backend.Page{}); len(logins) != 0 || err != nil {
		t.Errorf("%+v %v", logins, err)
	}
}

func TestATokenOfOthersIsRememberedForAsLongAsItCouldBePresented(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, secret := besideDjango(t, func(c *jwt.Config) {
			c.Verify.Leeway, c.Lifetimes.Refresh = 5*time.Minute, 30*time.Minute
		})
		foreign := django(t, secret, "refresh", nil) // good for an hour
		if _, err := tokens.Refresh(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 4*time.Minute)
		if _, err := tokens.Purge(t.Context(), 500); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Refresh(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("it starts another login: %v", err)
		}
		time.Sleep(time.Minute)
		if n, err := tokens.Purge(t.Context(), 500); n != 1 || err != nil {
			t.Errorf("%d purged, %v", n, err)
		}
	})
}

func TestTokensOfSimpleJWTAreAccepted(t *testing.T) {
	tokens, people, secret := besideDjango(t, nil)
	for sentence, row := range map[string]struct {
		kind   string
		change map[string]any
		user   string
		kinded error
	}{
		"an access token":         {"access", nil, "alice", nil},
		"a number for the user":   {"access", map[string]any{"user_id": 17}, "17", nil},
		"a sliding token":         {"sliding", map[string]any{"refresh_exp": 1 << 33}, "alice", nil},
		"a refresh token":         {"refresh", nil, "", auth.ErrInvalid},
		"a user who is not there": {"access", map[string]any{"user_id": "nobody"}, "", auth.ErrInvalid},
		"a float for the user":    {"access", map[string]any{"user_id": 1.5}, "", auth.ErrInvalid},
		"an object for the user": {"access", map[string]any{"user_id": map[string]any{}}, "",
			auth.ErrInvalid},
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
		if row.kinded != auth.KindOf(err) || err == nil && user.UserID() != row.user {
			t.Errorf("%s: %v %v", sentence, user, err)
		}
	}
	people.change(func() { people.inactive["alice"] = true })
	if _, _, err := tokens.VerifyToken(t.Context(), django(t, secret, "access", nil)); auth.KindOf(
		err) != auth.ErrInvalid {
		t.Errorf("an inactive user: %v", err)
	}
	strict, _, secret := besideDjango(t, func(c *jwt.Config) { c.Compat.AllowNoSession = false })
	if _, _, err := strict.VerifyToken(t.Context(), django(t, secret, "access", nil)); auth.KindOf(
		err) != auth.ErrInvalid {
		t.Errorf("without AllowNoSession: %v", err)
	}
}

func TestSimpleJWTAcceptsOurs(t *testing.T) {
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Compat.Format.NumericUser = true })
	for user, want := range map[string]any{"alice": "alice", "17": float64(17)} {
		pair, err := tokens.Issue(t.Context(), user, jwt.Options{Claims: map[string]any{"team": "red"}})
		if err != nil {
			t.Fatal(err)
		}
		for token, kind := range map[auth.Secret]string{pair.Access: "access", pair.Refresh: "refresh"} {
			parsed, err := golang.Parse(token.Reveal(), func(*golang.Token) (any, error) { return secret, nil },
				golang.WithValidMethods([]string{"HS256"}))
			if err != nil {
				t.Fatal(err)
			}
			claims := parsed.Claims.(golang.MapClaims)
			if claims["user_id"] != want || claims["token_type"] != kind || parsed.Header["typ"] != "JWT" ||
				claims["iss"] != nil || claims["aud"] != nil {
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
	if _, err := tokens.Verify(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("verify of the used one: %v", err)
	}
	if _, err := tokens.Refresh(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("the second use: %v", err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("the login goes on: %v", err)
	}

	// Logging out with one uses it up, too.
	other := django(t, secret, "refresh", map[string]any{"jti": "other"})
	if err := tokens.Logout(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Refresh(t.Context(), other); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("after the logout: %v", err)
	}
	if err := tokens.Logout(t.Context(), other); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("the second logout: %v", err)
	}
}

func TestASlidingTokenOfSimpleJWTStartsALoginOnce(t *testing.T) {
	tokens, _, secret := besideDjango(t, nil)
	end := time.Now().Add(2 * time.Hour).Unix()
	foreign := django(t, secret, "sliding", map[string]any{"refresh_exp": end, "team": "red"})
	use := func(token string, want error) {
		t.Helper()
		if _, _, err := tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != want {
			t.Errorf("use: %v", err)
		}
		if _, err := tokens.Verify(t.Context(), token); auth.KindOf(err) != want {
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
	if _, err := tokens.RefreshSliding(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("the second use: %v", err)
	}
	use(next.Token.Reveal(), auth.ErrInvalid)
	for sentence, change := range map[string]map[string]any{
		"past its end":   {"jti": "a", "refresh_exp": time.Now().Unix()},
		"without an end": {"jti": "b"},
	} {
		if _, err := tokens.RefreshSliding(t.Context(), django(t, secret, "sliding", change)); auth.KindOf(
			err) != auth.ErrInvalid {
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
			if _, _, err := tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != want {
				_, claims := claimsOf(t, token)
				t.Errorf("%v: %v", claims, err)
			}
		}
		if _, err := tokens.Refresh(t.Context(), refresh); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("a refresh token of before: %v", err)
		}
	})
}
