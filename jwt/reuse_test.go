package jwt_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

// reusable lets refresh tokens be used again.
func reusable(c *jwt.Config) { c.Compat.AllowRefreshReuse = true }

func TestUnitRefreshReuseOnTheWire(t *testing.T) {
	t.Run("one refresh token gets access tokens as often as it is sent, and no other refresh token",
		func(t *testing.T) {
			s := newService(t, reusable)
			access, refresh := s.obtain("alice")
			for range 3 {
				answer := s.post("/api/token/refresh/", "refresh", refresh)
				s.want("refresh", answer, 200, "")
				if got := slices.Collect(maps.Keys(answer.body)); !slices.Equal(got, []string{"access"}) {
					t.Fatalf("got the members %v, want access alone", got)
				}
				s.want("the new access token", s.me(answer.member("access")), 200, "")
			}
			s.want("the first access token", s.me(access), 200, "")
			s.want("verify", s.post("/api/token/verify/", "token", refresh), 200, "")
			if n := s.events.count(auth.EventRefreshed); n != 3 || s.events.count(auth.EventReuse) != 0 {
				t.Errorf("got %d refreshes and %d reuses, want 3 and none", n, s.events.count(auth.EventReuse))
			}
			logins, _, err := s.tokens.List(t.Context(), "alice", backend.Page{})
			if err != nil || len(logins) != 1 || logins[0].LastUsed.Equal(logins[0].Created) {
				t.Errorf("got %+v, %v, want one login with its last use", logins, err)
			}
		})
	t.Run("a sliding token stays good beside the one that is got for it", func(t *testing.T) {
		s := newService(t, reusable)
		first := s.post("/api/token/sliding/", "username", "alice", "password", "alicealice").member("token")
		token := first
		for range 3 {
			answer := s.post("/api/token/sliding/refresh/", "token", token)
			s.want("refresh", answer, 200, "")
			token = answer.member("token")
			s.want("the new one", s.me(token), 200, "")
			s.want("the first one", s.me(first), 200, "")
		}
		s.want("refresh of the first one", s.post("/api/token/sliding/refresh/", "token", first), 200, "")
		s.want("logout", s.post("/api/token/blacklist/", "refresh", first), 200, "")
		s.want("the last one", s.me(token), 401, "")
		s.want("the first one", s.me(first), 401, "")
		s.want("refresh of the last one", s.post("/api/token/sliding/refresh/", "token", token), 401,
			"Token is blacklisted")
	})
	t.Run("the log tells of the setting where a refresh token is sent twice without it", func(t *testing.T) {
		tokens, _, _ := newTokens(t, nil)
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal())
		}
		var stated *auth.Error
		if !errors.As(err, &stated) || !strings.Contains(stated.Cause.Error(), "Config.Compat.AllowRefreshReuse") {
			t.Errorf("got %v, want a cause that names the setting", err)
		}
	})
}

func TestUnitRefreshReuseEnds(t *testing.T) {
	for sentence, end := range map[string]func(t *testing.T, s *service, access, refresh string){
		"by a logout": func(t *testing.T, s *service, _, refresh string) {
			s.want("logout", s.post("/api/token/blacklist/", "refresh", refresh), 200, "")
		},
		"by a logout everywhere": func(t *testing.T, s *service, access, _ string) {
			s.want("logout", s.do("POST", "/api/token/logoutall/", "", "Authorization", "Bearer "+access), 204, "")
		},
		"on a page of devices": func(t *testing.T, s *service, _, refresh string) {
			_, claims := claimsOf(t, refresh)
			if _, err := s.tokens.Revoke(t.Context(), "alice", claims["sid"].(string)); err != nil {
				t.Fatal(err)
			}
		},
		"with the password": func(t *testing.T, s *service, _, _ string) {
			s.people.change(func() { s.people.stamps["alice"] = "a2" })
		},
		"for a user who may not log in": func(t *testing.T, s *service, _, _ string) {
			s.people.change(func() { s.people.inactive["alice"] = true })
		},
	} {
		t.Run("a refresh token that can be used again ends "+sentence, func(t *testing.T) {
			s := newService(t, reusable)
			_, refresh := s.obtain("alice")
			access := s.post("/api/token/refresh/", "refresh", refresh).member("access")
			end(t, s, access, refresh)
			s.want("refresh", s.post("/api/token/refresh/", "refresh", refresh), 401, "")
			s.want("the access token", s.me(access), 401, "")
		})
	}
	t.Run("it ends Lifetimes.Refresh after the login, however often it is used", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tokens, _, _ := newTokens(t, func(c *jwt.Config) {
				c.Compat.AllowRefreshReuse, c.Lifetimes.Refresh = true, time.Hour
			})
			start := time.Now()
			pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			refresh := pair.Refresh.Reveal()
			for err == nil {
				if pair.RefreshExpires.Sub(start) > time.Hour || pair.AccessExpires.Sub(start) > time.Hour {
					t.Fatalf("got ends %v and %v, want none after the hour", pair.RefreshExpires, pair.AccessExpires)
				}
				time.Sleep(10 * time.Minute)
				pair, err = tokens.Refresh(t.Context(), refresh)
			}
			if age := time.Since(start); age != time.Hour || auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("got %v after %v, want ErrInvalid after an hour", err, age)
			}
		})
	})
	t.Run("sliding tokens end SlidingSession after the login, and each of them at its own end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tokens, _, _ := newTokens(t, func(c *jwt.Config) {
				c.Compat.AllowRefreshReuse = true
				c.Lifetimes.Sliding, c.Lifetimes.SlidingSession = 10*time.Minute, time.Hour
			})
			start := time.Now()
			first, err := tokens.IssueSliding(t.Context(), "alice", jwt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for next := first; err == nil; {
				time.Sleep(8 * time.Minute)
				if next, err = tokens.RefreshSliding(t.Context(), next.Token.Reveal()); err != nil {
					break
				}
				if _, _, err := tokens.VerifyToken(t.Context(), next.Token.Reveal()); err != nil {
					t.Errorf("got %v for the new one, want that it is good", err)
				}
				_, _, err := tokens.VerifyToken(t.Context(), first.Token.Reveal())
				if want := time.Since(start) < 10*time.Minute; (err == nil) != want {
					t.Errorf("got %v for the first one after %v, want that it is good: %v", err,
						time.Since(start), want)
				}
			}
			if age := time.Since(start); age < 56*time.Minute || age > 64*time.Minute ||
				auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("got %v after %v, want ErrInvalid about an hour after the login", err, age)
			}
		})
	})
}

func TestUnitRefreshReuseConfig(t *testing.T) {
	for sentence, row := range map[string]struct {
		change func(*jwt.Config)
		says   string // "" is that it is accepted
	}{
		"a grace is refused, since nothing is replaced": {
			func(c *jwt.Config) { c.Lifetimes.Grace = time.Second }, "Grace with Compat.AllowRefreshReuse"},
		"a Lifetimes.Session that would have no effect is refused": {
			func(c *jwt.Config) { c.Lifetimes.Session = 30 * 24 * time.Hour }, "a login ends with its refresh token"},
		"a Lifetimes.Session of Lifetimes.Refresh is accepted": {
			func(c *jwt.Config) { c.Lifetimes.Refresh, c.Lifetimes.Session = time.Hour, time.Hour }, ""},
		"a refresh token of months is accepted": {
			func(c *jwt.Config) { c.Lifetimes.Refresh = 90 * 24 * time.Hour }, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			config := jwt.Config{Issuer: serviceIssuer, Keys: keySet(t, signing(t, jwt.EdDSA)),
				Store: jwt.NewMemoryStore(), LoadUser: newPeople().load,
				Compat: jwt.Compatibility{AllowRefreshReuse: true}}
			row.change(&config)
			_, err := jwt.New(config)
			if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want an error with %q", err, row.says)
			}
		})
	}
	t.Run("browsers, which take each new refresh token by themselves, are refused by name", func(t *testing.T) {
		tokens, people, _ := newTokens(t, reusable)
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens},
			Login:      []auth.Authenticator{auth.AuthenticatorFunc(people.passwords)},
			Challenges: []auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: "api"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.BrowserHandlers(guard); err == nil || !strings.Contains(err.Error(), "AllowRefreshReuse") {
			t.Errorf("got %v, want an error that names the setting", err)
		}
		if _, err := tokens.Handlers(guard); err != nil {
			t.Errorf("got %v for Handlers, want no error", err)
		}
	})
	t.Run("logins go on when the setting is changed, either way", func(t *testing.T) {
		keys, store := keySet(t, signing(t, jwt.EdDSA)), jwt.NewMemoryStore()
		with := func(reuse bool) *jwt.Tokens {
			tokens, _, _ := newTokens(t, func(c *jwt.Config) {
				c.Keys, c.Store, c.Compat.AllowRefreshReuse = keys, store, reuse
			})
			return tokens
		}
		strict, loose := with(false), with(true)
		first, err := strict.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		second, err := strict.Refresh(t.Context(), first.Refresh.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if pair, err := loose.Refresh(t.Context(), second.Refresh.Reveal()); err != nil || pair.Refresh != "" {
				t.Fatalf("got %v, %v, want an access token only", pair, err)
			}
		}
		third, err := strict.Refresh(t.Context(), second.Refresh.Reveal())
		if err != nil || third.Refresh == "" {
			t.Fatalf("got %v, %v, want a pair", third, err)
		}
		if _, err := loose.Refresh(t.Context(), second.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v for one that was replaced, want ErrInvalid", err)
		}
		if _, err := loose.Refresh(t.Context(), third.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, want the end of the login", err)
		}
	})
}

func TestUnitRefreshReuseAtOnce(t *testing.T) {
	t.Run("many refreshes at once all get an access token", func(t *testing.T) {
		tokens, _, events := newTokens(t, reusable)
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				next, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal())
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := tokens.VerifyToken(t.Context(), next.Access.Reveal()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := events.count(auth.EventRefreshed); n != 16 {
			t.Errorf("got %d refreshes, want 16", n)
		}
	})
	t.Run("a logout among them ends all that they got", func(t *testing.T) {
		tokens, _, _ := newTokens(t, reusable)
		for range 10 {
			pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 8)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					if i == 4 {
						if err := tokens.Logout(t.Context(), pair.Refresh.Reveal()); err != nil {
							t.Error(err)
						}
						return
					}
					if next, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err == nil {
						got <- next.Access.Reveal()
					}
				})
			}
			all.Wait()
			close(got)
			for access := range got {
				if _, _, err := tokens.VerifyToken(t.Context(), access); auth.KindOf(err) != auth.ErrInvalid {
					t.Errorf("got %v for an access token of a login that ended, want ErrInvalid", err)
				}
			}
		}
	})
	t.Run("a token of others that many send at once starts one login, which lives", func(t *testing.T) {
		tokens, _, secret := besideDjango(t, reusable)
		foreign := django(t, secret, "refresh", nil)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if _, err := tokens.Refresh(t.Context(), foreign); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if logins, _, err := tokens.List(t.Context(), "alice", backend.Page{}); len(logins) != 1 || err != nil {
			t.Errorf("got %v, %v, want one login", logins, err)
		}
	})
}

func TestUnitRefreshReuseOfOthers(t *testing.T) {
	t.Run("a refresh token of simplejwt is used here as often as there, and ends with its login", func(t *testing.T) {
		tokens, _, secret := besideDjango(t, reusable)
		foreign := django(t, secret, "refresh", map[string]any{"team": "red"})
		var access []string
		for range 3 {
			pair, err := tokens.Refresh(t.Context(), foreign)
			if err != nil || pair.Refresh != "" {
				t.Fatalf("got %v, %v, want an access token only", pair, err)
			}
			access = append(access, pair.Access.Reveal())
			if _, claims := claimsOf(t, pair.Access.Reveal()); claims["team"] != "red" {
				t.Errorf("got %v, want what the token said", claims)
			}
		}
		if _, err := tokens.Verify(t.Context(), foreign); err != nil {
			t.Errorf("verify: got %v, want that it is good", err)
		}
		if err := tokens.Logout(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
		for _, token := range access {
			if _, _, err := tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("an access token after the logout: got %v, want ErrInvalid", err)
			}
		}
		if _, err := tokens.Refresh(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("a refresh after the logout: got %v, want ErrInvalid", err)
		}
		if _, err := tokens.Verify(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("verify after the logout: got %v, want ErrInvalid", err)
		}
	})
	t.Run("it ends at its own end, and starts no other login later", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tokens, _, secret := besideDjango(t, func(c *jwt.Config) {
				c.Compat.AllowRefreshReuse, c.Verify.Leeway = true, 5*time.Minute
			})
			foreign := django(t, secret, "refresh", nil) // good for an hour
			pair, err := tokens.Refresh(t.Context(), foreign)
			if err != nil || pair.RefreshExpires.After(time.Now().Add(time.Hour)) {
				t.Fatalf("got %v, %v, want an end within its hour", pair, err)
			}
			time.Sleep(time.Hour + time.Minute) // within the leeway
			if _, err := tokens.Purge(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
			if _, err := tokens.Refresh(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	})
	t.Run("one that was logged out starts no login when its login was purged", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tokens, _, secret := besideDjango(t, reusable)
			foreign := django(t, secret, "refresh", map[string]any{"exp": time.Now().Add(20 * time.Hour).Unix()})
			if _, err := tokens.Refresh(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			if err := tokens.Logout(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * jwt.KeepEnded)
			if n, err := tokens.Purge(t.Context(), 500); n != 0 || err != nil {
				t.Errorf("got %d purged, %v, want none", n, err)
			}
			if _, err := tokens.Refresh(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	})
	t.Run("a sliding token of simplejwt stays good beside ours, and ends with the login", func(t *testing.T) {
		tokens, _, secret := besideDjango(t, reusable)
		foreign := django(t, secret, "sliding", map[string]any{"refresh_exp": time.Now().Add(2 * time.Hour).Unix()})
		var all []string
		for range 2 {
			next, err := tokens.RefreshSliding(t.Context(), foreign)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, next.Token.Reveal())
		}
		next, err := tokens.RefreshSliding(t.Context(), all[0])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, next.Token.Reveal(), foreign)
		for i, token := range all {
			if _, _, err := tokens.VerifyToken(t.Context(), token); err != nil {
				t.Errorf("token %d: got %v, want that it is good", i, err)
			}
		}
		if err := tokens.Logout(t.Context(), all[1]); err != nil {
			t.Fatal(err)
		}
		for i, token := range all {
			if _, _, err := tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("token %d after the logout: got %v, want ErrInvalid", i, err)
			}
		}
	})
	t.Run("a token of others is not taken for one of ours with the same identifier", func(t *testing.T) {
		tokens, people, secret := besideDjango(t, reusable)
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, claims := claimsOf(t, pair.Refresh.Reveal())
		same := django(t, secret, "refresh", map[string]any{"jti": claims["jti"]})
		if _, err := tokens.Refresh(t.Context(), same); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, want ErrInvalid", err)
		}
		twin := twinOf("alice")
		people.change(func() { people.stamps[twin] = "t1" })
		other := django(t, secret, "refresh", map[string]any{"jti": "one"})
		mine, err := tokens.Refresh(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		same = django(t, secret, "refresh", map[string]any{"jti": "one", "user_id": twin})
		if _, err := tokens.Refresh(t.Context(), same); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("that of a user with the shard of alice: got %v, want ErrInvalid", err)
		}
		bob := django(t, secret, "refresh", map[string]any{"jti": "one", "user_id": "bob"})
		theirs, err := tokens.Refresh(t.Context(), bob)
		if err != nil {
			t.Fatalf("bob's: got %v, want a login of bob's own", err)
		}
		if _, claims := claimsOf(t, theirs.Access.Reveal()); claims["user_id"] != "bob" ||
			theirs.SessionID == mine.SessionID {
			t.Errorf("bob's: got the claims %v, want those of a login of bob's own", claims)
		}
		if err := tokens.Logout(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Refresh(t.Context(), other); err != nil {
			t.Errorf("alice's, after bob's logout: got %v, want that it is good", err)
		}
	})
	t.Run("one that stays good goes on when tokens rotate again", func(t *testing.T) {
		store := jwt.NewMemoryStore()
		loose, _, secret := besideDjango(t, func(c *jwt.Config) { c.Store, c.Compat.AllowRefreshReuse = store, true })
		strict, _, _ := besideDjango(t, func(c *jwt.Config) { c.Store = store })
		foreign := django(t, secret, "refresh", nil)
		if _, err := loose.Refresh(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
		pair, err := strict.Refresh(t.Context(), foreign)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := strict.Refresh(t.Context(), pair.Refresh.Reveal()); err != nil {
			t.Errorf("got %v for its successor, want that it is good", err)
		}
		if _, err := strict.Refresh(t.Context(), foreign); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v for the second use, want ErrInvalid", err)
		}
	})
}

// twinOf returns another user with the shard of a user.
func twinOf(user string) string {
	for i := 0; ; i++ {
		if twin := fmt.Sprint("user", i); backend.Shard(twin) == backend.Shard(user) {
			return twin
		}
	}
}

// unusable is a store that fails in Use.
type unusable struct{ jwt.Store }

func (unusable) Use(context.Context, string, time.Time, time.Time) (jwt.Rotation, error) {
	return jwt.Rotation{}, errDown
}

func TestUnitRefreshReuseOutage(t *testing.T) {
	t.Run("a store that is down is no refusal", func(t *testing.T) {
		s := newService(t, func(c *jwt.Config) { c.Compat.AllowRefreshReuse, c.Store = true, unusable{c.Store} })
		_, refresh := s.obtain("alice")
		s.want("refresh", s.post("/api/token/refresh/", "refresh", refresh), 503, "")
	})
}
