package jwt_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
)

func TestTwoThatRetriedWithinAGraceAreBothServedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Lifetimes.Grace = time.Minute })
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

// slow is a loader that waits in its first call.
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
			c.Lifetimes.Grace, users.load, c.LoadUser = time.Minute, c.LoadUser, users.Load
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

func TestNoRefreshTokenIsUsedUpForAnAccessTokenThatIsTooLong(t *testing.T) {
	role := "short"
	tokens, _, events := newTokens(t, func(c *jwt.Config) {
		c.Issue.AddClaims = func(context.Context, auth.User) (map[string]any, error) {
			return map[string]any{"role": role}, nil
		}
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
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err == nil || auth.KindOf(err) != nil {
		t.Errorf("a pair: %v", err)
	}
	if _, err := tokens.RefreshSliding(t.Context(), sliding.Token.Reveal()); err == nil || auth.KindOf(err) != nil {
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
	if logins, _, err := tokens.List(t.Context(), "bob", backend.Page{}); len(logins) != 0 || err != nil {
		t.Error("a login without tokens: ", logins, err)
	}
	if got := events.count(auth.EventIssued); got != 2 {
		t.Errorf("%d issued", got)
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
	if _, _, err := later.VerifyToken(t.Context(), pair.Access.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
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

func TestWhatARefreshGivesSaysWhatTheFirstPairSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Lifetimes.Sliding = time.Minute })
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
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Fatal(err)
	}
	if logins, _, err := tokens.List(t.Context(), "alice", backend.Page{}); len(logins) != 0 || err != nil ||
		events.count(auth.EventRevoked) != 1 {
		t.Errorf("%v %v, %d revoked", logins, err, events.count(auth.EventRevoked))
	}
	people.change(func() { people.stamps["alice"] = "a1" }) // as where a backup is played back
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("it goes on: %v", err)
	}
}

// sealing keeps what a store is given to seal.
type sealing struct {
	jwt.Store
	sealed []byte
}

func (s *sealing) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *jwt.Refresh) (
	jwt.Rotation, error) {
	s.sealed = next.Sealed
	return s.Store.Rotate(ctx, old, now, grace, next)
}

func TestNothingIsSealedWithoutAGrace(t *testing.T) {
	for grace, want := range map[time.Duration]bool{0: false, time.Second: true} {
		store := &sealing{Store: jwt.NewMemoryStore()}
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Store, c.Lifetimes.Grace = store, grace })
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
		tokens, people, _ := newTokens(t, func(c *jwt.Config) {
			c.Keys, c.Lifetimes.Grace, c.Verify.CacheSize = ring, grace, 64
		})
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
						_, err = tokens.Purge(t.Context(), 500)
						_ = ring.Maintain(t.Context(), time.Now())
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

func TestASlidingTokenThatWasReplacedServesForTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Lifetimes.Grace = 10 * time.Second })
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
		if _, _, err := tokens.VerifyToken(t.Context(), sliding.Token.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("after the grace: %v", err)
		}
	})
}

func TestWithAGraceTheSameSuccessorIsGivenAgainUntilItIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, events := newTokens(t, func(c *jwt.Config) { c.Lifetimes.Grace = 10 * time.Second })
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
		if _, err := refresh(first.Refresh); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("two generations back: %v", err)
		}
		if _, err := refresh(third.Refresh); auth.KindOf(err) != auth.ErrInvalid || events.count(auth.EventReuse) != 1 {
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
		if _, err := refresh(first.Refresh); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("after the grace: %v", err)
		}
	})
}

func TestAGraceServesNoTokenOfALoginThatWasEnded(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Lifetimes.Grace = time.Minute })
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
	if _, err := tokens.Refresh(t.Context(), first.Refresh.Reveal()); auth.KindOf(err) != auth.ErrInvalid {
		t.Error(err)
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
		if _, _, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()); auth.KindOf(err) != want {
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

func TestTheAbsoluteEndOfALoginHoldsHoweverOftenItIsRefreshed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) {
			c.Lifetimes.Refresh, c.Lifetimes.Session = time.Hour, 3*time.Hour
		})
		start := time.Now()
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		for err == nil {
			if pair.RefreshExpires.Sub(start) > 3*time.Hour || pair.AccessExpires.Sub(start) > 3*time.Hour {
				t.Fatalf("%v after the end", pair)
			}
			time.Sleep(30 * time.Minute)
			pair, err = tokens.Refresh(t.Context(), pair.Refresh.Reveal())
		}
		if age := time.Since(start); age != 3*time.Hour || auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("%v after %v", err, age)
		}
	})
}
