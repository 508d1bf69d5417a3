package jwt_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestTwoThatRetriedWithinAGraceAreBothServedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Grace = time.Minute })
		first, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		one, err := tokens.Refresh(t.Context(), first.Refresh.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		two, err := tokens.Refresh(t.Context(), first.Refresh.Reveal())
		if err != nil || one.Refresh == two.Refresh {
			t.Fatal("not of another second: ", err)
		}
		next, err := tokens.Refresh(t.Context(), one.Refresh.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		again, err := tokens.Refresh(t.Context(), two.Refresh.Reveal())
		if err != nil {
			t.Fatal("the same token, written two seconds later: ", err)
		}
		_, a := claimsOf(t, next.Refresh.Reveal())
		if _, b := claimsOf(t, again.Refresh.Reveal()); a["jti"] != b["jti"] {
			t.Errorf("another successor: %v %v", a, b)
		}
	})
}

// slow is a loader whose first call waits.
type slow struct {
	load    auth.UserLoader
	waiting chan struct{}
	first   atomic.Bool
}

func (s *slow) Load(ctx context.Context, id string) (auth.User, error) {
	if s.first.Swap(false) {
		<-s.waiting
	}
	return s.load(ctx, id)
}

func TestARequestThatCameFirstAndIsServedLastIsWithinTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		users := &slow{waiting: make(chan struct{})}
		tokens, _, events := newTokens(t, func(c *jwt.Config) {
			c.Grace, users.load, c.LoadUser = time.Minute, c.LoadUser, users.Load
		})
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		users.first.Store(true)
		late := make(chan error)
		go func() {
			_, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal())
			late <- err
		}()
		time.Sleep(time.Millisecond)
		if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
			t.Fatal(err)
		}
		close(users.waiting)
		if err := <-late; err != nil || events.count(auth.EventReuse) != 0 {
			t.Errorf("%v, and %d reuses", err, events.count(auth.EventReuse))
		}
	})
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
		if _, _, err := tokens.VerifyToken(t.Context(), access); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("an access token of before: %v", err)
		}
		if _, err := tokens.Refresh(t.Context(), refresh); auth.Kind(err) != auth.ErrInvalid {
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

// between is a store that calls a function once, before it starts a family.
type between struct {
	jwt.Store
	do func()
}

func (b *between) Start(ctx context.Context, family *jwt.Family, first, adopted *jwt.Refresh) (jwt.Started, error) {
	if b.do != nil {
		b.do()
	}
	return b.Store.Start(ctx, family, first, adopted)
}

func TestATokenOfOthersThatIsVoidedWhileItIsAdoptedStartsNoLogin(t *testing.T) {
	store := &between{Store: jwt.NewMemoryStore()}
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Store = store })
	store.do = func() {
		if _, err := tokens.RevokeAll(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
	}
	if pair, err := tokens.Refresh(t.Context(), django(t, secret, "refresh", nil)); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("%v %v", pair, err)
	}
	if logins, err := tokens.List(t.Context(), "alice"); len(logins) != 0 || err != nil {
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
		if auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	if _, err := tokens.Refresh(t.Context(), django(t, secret, "refresh", map[string]any{"scope": "read"})); err != nil {
		t.Error(err)
	}
}

func TestClaimsOfTheApplicationAreNotLookedForInRefreshTokens(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.AddClaims = func(context.Context, auth.User) (map[string]any, error) { return map[string]any{"role": "admin"}, nil }
		c.Claims = func(payload []byte) (any, error) {
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

func TestABrowserIsGivenNoSlidingToken(t *testing.T) {
	s := newService(t, nil)
	s.want("sliding", s.post("/browser/sliding/", "username", "alice", "password", "alicealice"), 404, "")
	s.want("sliding refresh", s.post("/browser/sliding/refresh/", "token", "x"), 404, "")
}

func TestNoRefreshTokenIsUsedUpForAnAccessTokenThatIsTooLong(t *testing.T) {
	role := "short"
	tokens, _, events := newTokens(t, func(c *jwt.Config) {
		c.AddClaims = func(context.Context, auth.User) (map[string]any, error) { return map[string]any{"role": role}, nil }
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sliding, err := tokens.IssueSliding(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	role = strings.Repeat("x", 6000)
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err == nil || auth.Kind(err) != nil {
		t.Errorf("a pair: %v", err)
	}
	if _, err := tokens.RefreshSliding(t.Context(), sliding.Token.Reveal()); err == nil || auth.Kind(err) != nil {
		t.Errorf("a sliding token: %v", err)
	}
	if _, err := tokens.Issue(t.Context(), "bob", jwt.Options{}); err == nil {
		t.Error("a new pair")
	}
	role = "short"
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Errorf("the pair, later: %v", err)
	}
	if _, err := tokens.RefreshSliding(t.Context(), sliding.Token.Reveal()); err != nil {
		t.Errorf("the sliding token, later: %v", err)
	}
	if logins, err := tokens.List(t.Context(), "bob"); len(logins) != 0 || err != nil {
		t.Error("a login without tokens: ", logins, err)
	}
	if got := events.count(auth.EventIssued); got != 2 {
		t.Errorf("%d issued", got)
	}
}

func TestTheMetadataOfAnIssuerElsewhereNamesNoKeysOnThisMachine(t *testing.T) {
	asked := 0
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if asked++; r.URL.Host != "login.example" {
			t.Errorf("asked for %s", r.URL)
		}
		body := `{"issuer":"https://login.example","jwks_uri":"http://127.0.0.1:8500/v1/kv/keys"}`
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: "https://login.example", Client: client, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Check(t.Context()); err == nil || asked != 1 {
		t.Errorf("%v after %d", err, asked)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestATokenWithAScopeThatIsNotOursIsRefused(t *testing.T) {
	tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Scopes = []string{"read", "write"} })
	for scope, want := range map[string]error{"read": nil, "read write": nil, "": nil, "admin": auth.ErrInvalid, "read admin": auth.ErrInvalid} {
		if _, _, err := tokens.VerifyToken(t.Context(), django(t, secret, "access", map[string]any{"scope": scope})); auth.Kind(err) != want {
			t.Errorf("%q: %v", scope, err)
		}
	}
}

func TestAScopeThatIsOursNoMoreEndsWithTheNextRefresh(t *testing.T) {
	key, store := keySet(t, signing(t, jwt.EdDSA)), jwt.NewMemoryStore()
	with := func(scopes ...string) *jwt.Tokens {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys, c.Store, c.Scopes = key, store, scopes })
		return tokens
	}
	pair, err := with("read", "admin").Issue(t.Context(), "alice", jwt.Options{Scopes: []string{"read", "admin"}})
	if err != nil {
		t.Fatal(err)
	}
	later := with("read")
	if _, _, err := later.VerifyToken(t.Context(), pair.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("the access token of before: %v", err)
	}
	if pair, err = later.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	_, credential, err := later.VerifyToken(t.Context(), pair.Access.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if scopes, limited := credential.(*jwt.Token).Scopes(); !limited || !slices.Equal(scopes, []string{"read"}) {
		t.Error(scopes, limited)
	}
}

func TestAWrongPasswordOfALoginWithOtherFieldsIsNoMissingField(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	login, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, auth.ErrInvalid // an email and a password, of nobody
		})}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(login)
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
		if w.Code != status || status == 401 && (w.Header().Get("WWW-Authenticate") == "" || !strings.Contains(w.Body.String(), "No active account")) {
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
		login, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
			Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
				user, err := people.load(r.Context(), "alice")
				return user, proof{Name: "key", IsPrimary: true, Scope: []string{"write"}}, err
			})}})
		if err != nil {
			t.Fatal(err)
		}
		handlers, err := tokens.Handlers(login)
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

func TestABrowserWithTwoCookiesOfTheNameIsLoggedOutOfBoth(t *testing.T) {
	s := newService(t, nil)
	one := s.post("/browser/", "username", "alice", "password", "alicealice")
	two := s.post("/browser/", "username", "bob", "password", "bobbob")
	a, b := refreshCookie(t, one), refreshCookie(t, two)
	answer := s.do("POST", "/browser/blacklist/", "", "Cookie", a.Name+"="+a.Value+"; "+b.Name+"="+b.Value)
	s.want("logout", answer, 200, "")
	if gone := refreshCookie(t, answer); gone.MaxAge >= 0 {
		t.Errorf("%+v", gone)
	}
	s.want("the one", s.me(one.member("access")), 401, "")
	s.want("the other", s.me(two.member("access")), 401, "")

	answer = s.do("POST", "/browser/blacklist/", "", "Cookie", a.Name+"="+strings.Repeat("x", 9000))
	s.want("one that is too long", answer, 200, "")
	if gone := refreshCookie(t, answer); gone.MaxAge >= 0 {
		t.Errorf("%+v", gone)
	}
	s.want("none", s.do("POST", "/browser/blacklist/", ""), 401, "There is no refresh token.")
}

func TestKeysOfAnotherServiceSignNothing(t *testing.T) {
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: "https://login.example"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Keys: keys, Store: jwt.NewMemoryStore(), LoadUser: newPeople().load}); err == nil {
		t.Error("Tokens whose keys sign nothing")
	}
}

func TestWhatARefreshGivesSaysWhatTheFirstPairSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.SlidingTTL = time.Minute })
		if _, err := tokens.RevokeAll(t.Context(), "alice"); err != nil { // so that hers is not the generation 0
			t.Fatal(err)
		}
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if pair, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); err != nil {
			t.Errorf("an access token of the second generation: %v", err)
		}
		sliding, err := tokens.IssueSliding(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if sliding, err = tokens.RefreshSliding(t.Context(), sliding.Token.Reveal()); err != nil {
			t.Fatal(err)
		}
		if lives := time.Until(sliding.Expires); lives != time.Minute {
			t.Errorf("a sliding token lives for %v after its refresh", lives)
		}
	})
}

func TestALoginWhosePasswordChangedElsewhereEndsAtItsRefresh(t *testing.T) {
	tokens, people, events := newTokens(t, nil)
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	people.change(func() { people.stamps["alice"] = "a2" })
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Fatal(err)
	}
	if logins, err := tokens.List(t.Context(), "alice"); len(logins) != 0 || err != nil || events.count(auth.EventRevoked) != 1 {
		t.Errorf("%v %v, %d revoked", logins, err, events.count(auth.EventRevoked))
	}
	people.change(func() { people.stamps["alice"] = "a1" }) // as where a backup is played back
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("it goes on: %v", err)
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
		_, err := tokens.Refresh(t.Context(), django(t, secret, "refresh", map[string]any{"user_id": user, "jti": user}))
		if !errors.As(err, &stated) || stated.Detail != "No active account found for the given token." {
			t.Errorf("%s: %v", user, err)
		}
	}
}

// sealing keeps what a store is given to seal.
type sealing struct {
	jwt.Store
	sealed []byte
}

func (s *sealing) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *jwt.Refresh) (jwt.Rotation, error) {
	s.sealed = next.Sealed
	return s.Store.Rotate(ctx, old, now, grace, next)
}

func TestNothingIsSealedWithoutAGrace(t *testing.T) {
	for grace, want := range map[time.Duration]bool{0: false, time.Second: true} {
		store := &sealing{Store: jwt.NewMemoryStore()}
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Store, c.Grace = store, grace })
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if pair, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
			t.Fatal(err)
		}
		_, claims := claimsOf(t, pair.Refresh.Reveal())
		if got := store.sealed != nil; got != want || bytes.Contains(store.sealed, []byte(claims["jti"].(string))) {
			t.Errorf("%v: %q", grace, store.sealed)
		}
	}
}

func TestEverythingAtOnceNeverServesWhatWasEnded(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Minute} {
		ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
		tokens, people, _ := newTokens(t, func(c *jwt.Config) { c.Keys, c.Grace, c.CacheSize = ring, grace, 64 })
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 20 {
					pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
					if err != nil {
						t.Error(err)
						return
					}
					var both sync.WaitGroup
					for range 2 {
						both.Go(func() {
							_, _ = tokens.Refresh(t.Context(), pair.Refresh.Reveal())
							_, _, _ = tokens.VerifyToken(t.Context(), pair.Access.Reveal())
						})
					}
					ended := true
					switch i % 4 {
					case 0:
						_ = tokens.Logout(t.Context(), pair.Refresh.Reveal()) // or somebody was earlier
					case 1:
						_, err = tokens.RevokeAll(t.Context(), "alice")
					case 2:
						_, err = tokens.Revoke(t.Context(), "alice", pair.SessionID)
					default:
						ended = false
						people.change(func() { people.inactive["bob"] = !people.inactive["bob"] })
						_, err = tokens.Purge(t.Context())
						_ = ring.Tend(t.Context(), time.Now())
					}
					if err != nil {
						t.Error(err)
					}
					if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); ended && err == nil {
						t.Error("an access token of a login that was ended")
					}
					if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); ended && err == nil {
						t.Error("a refresh token of a login that was ended")
					}
					both.Wait()
				}
			})
		}
		all.Wait()
	}
}

func TestARefreshTokenIsForItsIssuerAlone(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys, c.Audience = keySet(t, key), []string{"https://api.example"} })
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
	if _, err := tokens.Refresh(t.Context(), other); auth.Kind(err) != auth.ErrInvalid {
		t.Errorf("one for the API: %v", err)
	}
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
		t.Error(err)
	}
}

func TestASlidingTokenThatWasReplacedServesForTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Grace = 10 * time.Second })
		sliding, err := tokens.IssueSliding(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.RefreshSliding(t.Context(), sliding.Token.Reveal()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		if _, _, err := tokens.VerifyToken(t.Context(), sliding.Token.Reveal()); err != nil {
			t.Errorf("a request under way: %v", err)
		}
		time.Sleep(time.Second)
		if _, _, err := tokens.VerifyToken(t.Context(), sliding.Token.Reveal()); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("after the grace: %v", err)
		}
	})
}

// plain is a user without a stamp.
type plain string

func (p plain) UserID() string { return string(p) }

func TestAUserWhoGetsOrLosesTheirStampIsAnother(t *testing.T) {
	stamped := false
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.AllowNoSession = true // of those that have none
		c.LoadUser = func(_ context.Context, id string) (auth.User, error) {
			if stamped {
				return person{id, "a1"}, nil
			}
			return plain(id), nil
		}
	})
	for range 2 {
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); err != nil {
			t.Fatal(err)
		}
		stamped = !stamped
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("a stamp now, %v: %v", stamped, err)
		}
	}
}

func TestAClaimThatIsRequiredIsNotNull(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	verifier := verifierOf(t, jwt.Issuer{Issuer: "https://a.example", Audience: []string{"us"}, Keys: keySet(t, nil, key.Public()),
		User: jwt.SubjectUser, Require: []string{"tenant"}})
	for value, want := range map[any]error{nil: auth.ErrInvalid, "": nil, false: nil} {
		token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": "https://a.example", "aud": "us", "sub": "alice",
			"exp": time.Now().Add(time.Hour).Unix(), "tenant": value})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := verifier.VerifyToken(t.Context(), token); auth.Kind(err) != want {
			t.Errorf("%v: %v", value, err)
		}
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
		for call, err := range map[string]error{"bearer": bearer, "verify": verify, "refresh": refresh, "sliding": sliding, "logout": tokens.Logout(t.Context(), token)} {
			if auth.Kind(err) != auth.ErrInvalid {
				t.Errorf("%s %q: %v", call, typ, err)
			}
		}
	}
}

func TestALogoutWithATokenOfOthersLeavesNoLogin(t *testing.T) {
	tokens, _, secret := besideDjango(t, nil)
	if err := tokens.Logout(t.Context(), django(t, secret, "refresh", nil)); err != nil {
		t.Fatal(err)
	}
	if logins, err := tokens.List(t.Context(), "alice"); len(logins) != 0 || err != nil {
		t.Errorf("%+v %v", logins, err)
	}
}

func TestAPurgeGoesOnUntilNothingIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, events := newTokens(t, nil)
		for range 501 {
			if _, err := tokens.Issue(t.Context(), "alice", jwt.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := tokens.RevokeAll(t.Context(), "alice"); n != 501 || err != nil || events.count(auth.EventRevoked) != 501 {
			t.Errorf("%d revoked, %d said, %v", n, events.count(auth.EventRevoked), err)
		}
		time.Sleep(25 * time.Hour)
		if n, err := tokens.Purge(t.Context()); n != 501 || err != nil {
			t.Errorf("%d purged, %v", n, err)
		}
	})
}

func TestWhatALoginHandlerIssues(t *testing.T) {
	refuse := false
	s := newService(t, func(c *jwt.Config) {
		c.BeforeIssue = func(_ *http.Request, user auth.User, _ *jwt.Options) error {
			if refuse {
				return &auth.Error{Kind: auth.ErrInsufficient, Detail: "Not from here."}
			}
			return nil
		}
	})
	for _, path := range []string{"/api/token/", "/api/token/sliding/", "/browser/"} {
		body := `{"username":"alice","password":"alicealice"}`
		s.want(path, s.do("POST", path, body, "User-Agent", "curl/8"), 200, "")
		logins, err := s.tokens.List(t.Context(), "alice")
		if err != nil || len(logins) != 1 || logins[0].UserAgent != "curl/8" || logins[0].IP != "127.0.0.1" {
			t.Fatalf("%s: %+v %v", path, logins, err)
		}
		if _, err := s.tokens.RevokeAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		refuse = true
		s.want(path+" refused", s.do("POST", path, body), 403, "Not from here.")
		if logins, err := s.tokens.List(t.Context(), "alice"); len(logins) != 0 || err != nil {
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
	login, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
			user, err := people.load(r.Context(), "alice") // proved by the password that is changed now
			people.change(func() { people.stamps["alice"] += "'" })
			return user, proof{IsPrimary: true}, err
		})}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(login)
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
	if logins, err := tokens.List(t.Context(), "alice"); len(logins) != 0 || err != nil {
		t.Error(logins, err)
	}
}

func TestAMalformedHeaderAtALoginIsNoMissingField(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	login, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Basic"}},
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, &auth.Error{Kind: auth.ErrMalformed, Unauthorized: true, Detail: "No base64."}
		})}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(login)
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

func TestLifetimesThatAreLeftOutFitThoseThatAreSet(t *testing.T) {
	for sentence, row := range map[string]struct {
		change func(*jwt.Config)
		good   bool
	}{
		"a refresh token of 60 days":              {func(c *jwt.Config) { c.RefreshTTL = 60 * 24 * time.Hour }, true},
		"a sliding token of two days":             {func(c *jwt.Config) { c.SlidingTTL = 48 * time.Hour }, true},
		"a sliding token longer than its session": {func(c *jwt.Config) { c.SlidingTTL, c.SlidingSessionTTL = time.Hour, time.Minute }, false},
		"a sliding token of less than a second":   {func(c *jwt.Config) { c.SlidingTTL = time.Millisecond }, false},
		"a refresh token longer than keys are kept": {func(c *jwt.Config) {
			c.Keys, c.RefreshTTL = newRing(t, jwt.NewMemoryKeyStore(), func(k *jwt.KeyringConfig) { k.Keep = 59 * 24 * time.Hour }), 60*24*time.Hour
		}, false},
		"a sliding token longer than keys are kept": {func(c *jwt.Config) {
			c.Keys, c.SlidingTTL = newRing(t, jwt.NewMemoryKeyStore(), func(k *jwt.KeyringConfig) { k.Keep = 47 * time.Hour }), 48*time.Hour
		}, false},
		"both as long as keys are kept": {func(c *jwt.Config) {
			c.Keys = newRing(t, jwt.NewMemoryKeyStore(), func(k *jwt.KeyringConfig) { k.Keep = 48 * time.Hour })
			c.SlidingTTL, c.RefreshTTL = 48*time.Hour, 48*time.Hour
		}, true},
	} {
		config := jwt.Config{Issuer: serviceIssuer, Keys: keySet(t, signing(t, jwt.EdDSA)), Store: jwt.NewMemoryStore(), LoadUser: newPeople().load}
		row.change(&config)
		if _, err := jwt.New(config); (err == nil) != row.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestNoHookTurnsATokenThatWasPresentedIntoAnAbsentOne(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": serviceIssuer, "aud": "us", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		err    error
		status int
	}{
		"absent":       {auth.ErrNoCredentials, 503},
		"unrecognized": {auth.ErrUnrecognized, 503},
		"malformed":    {auth.ErrMalformed, 503},
		"an outage":    {errDown, 503},
		"nobody":       {nil, 503},
		"gone":         {auth.ErrUserNotFound, 401},
		"inactive":     {auth.ErrUserInactive, 401},
		"invalid":      {auth.ErrInvalid, 401},
	} {
		verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: serviceIssuer, Audience: []string{"us"}, Keys: keySet(t, nil, key.Public()),
			User: func(context.Context, *jwt.Token) (auth.User, error) { return nil, row.err }}}})
		if err != nil {
			t.Fatal(err)
		}
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{verifier}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		reached := false
		h := guard.Optional()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		if w := serveRequest(h, "GET", "/", "Authorization", "Bearer "+token); w.Code != row.status || reached {
			t.Errorf("%s: %d, the handler ran: %v", sentence, w.Code, reached)
		}
	}

	// As little has a hook that adds claims: a browser would lose its cookie.
	var fails error
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.AddClaims = func(context.Context, auth.User) (map[string]any, error) { return nil, fails }
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fails = auth.ErrInvalid
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err == nil || auth.Kind(err) != nil {
		t.Error(err)
	}
}

func TestATokenOfOthersIsRememberedForAsLongAsItCouldBePresented(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, secret := besideDjango(t, func(c *jwt.Config) { c.Leeway, c.RefreshTTL = 5*time.Minute, 30*time.Minute })
		foreign := django(t, secret, "refresh", nil) // good for an hour
		if _, err := tokens.Refresh(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + 4*time.Minute)
		if _, err := tokens.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Refresh(t.Context(), foreign); auth.Kind(err) != auth.ErrInvalid {
			t.Errorf("it starts another login: %v", err)
		}
		time.Sleep(time.Minute)
		if n, err := tokens.Purge(t.Context()); n != 1 || err != nil {
			t.Errorf("%d purged, %v", n, err)
		}
	})
}

// RFC 9068 §5: a client could be given the name of a user.
func TestATokenWhoseSubjectIsItsClientIsOfNoUser(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	people := newPeople()
	for sentence, issuer := range map[string]jwt.Issuer{"loaded": {LoadUser: people.load}, "from claims": {User: jwt.SubjectUser}} {
		issuer.Issuer, issuer.Audience, issuer.Keys, issuer.Scoped = serviceIssuer, []string{"us"}, keySet(t, nil, key.Public()), true
		verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}})
		if err != nil {
			t.Fatal(err)
		}
		for client, want := range map[string]string{"alice": "client:alice", "app": "alice"} {
			token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": serviceIssuer, "aud": "us", "sub": "alice", "client_id": client,
				"scope": "read", "exp": time.Now().Add(time.Hour).Unix()})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // cold, then remembered
				user, credential, err := verifier.VerifyToken(t.Context(), token)
				if err != nil || user.UserID() != want {
					t.Fatalf("%s, client %s: %v %v", sentence, client, user, err)
				}
				if _, isMachine := user.(auth.Machine); isMachine != (client == "alice") {
					t.Errorf("%s, client %s: a %T", sentence, client, user)
				}
				if scopes, limited := credential.(auth.Scoped).Scopes(); !limited || len(scopes) != 1 {
					t.Errorf("%v %v", scopes, limited)
				}
			}
		}
	}
}
