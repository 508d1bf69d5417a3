package jwt_test

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

const refetchIssuer = "https://login.example"

// refetchVerifier checks tokens of refetchIssuer by these keys.
func refetchVerifier(t *testing.T, keys jwt.KeySource) *jwt.Verifier {
	t.Helper()
	v,
		err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: refetchIssuer,
		Audience: []string{"api"},
		Keys:     keys, User: jwt.SubjectUser}}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mintBy returns a token that is good for an hour, with changes of its claims.
func mintBy(t *testing.T, key *jwt.Key, changes map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{"iss": refetchIssuer, "aud": "api", "sub": "alice", "iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix()}
	for name, value := range changes {
		claims[name] = value
	}
	token, err := jwt.Sign(key, "at+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// verdictOf returns the kind of the error for a token, or nil if it is good. An outage is
// errOutage.
func verdictOf(t *testing.T, v *jwt.Verifier, token string) error {
	t.Helper()
	_, _, err := v.VerifyToken(t.Context(), token)
	if err != nil && auth.KindOf(err) == nil {
		return errOutage
	}
	return auth.KindOf(err)
}

var errOutage = context.DeadlineExceeded // any error that is no verdict

func TestUnitAKeyThatWasReplacedUnderItsIdentifierIsFoundOnceInACoolDown(t *testing.T) {
	es := func(t *testing.T) *jwt.Key { return signing(t, jwt.ES256) }
	for sentence, row := range map[string]struct {
		old, next func(*testing.T) *jwt.Key
		id        string // "" is no kid
	}{
		"the same kid":                        {es, es, "1"},
		"no kid":                              {es, es, ""},
		"the same kid, and another algorithm": {es, func(t *testing.T) *jwt.Key { return signing(t, jwt.EdDSA) }, "1"},
		"no kid, and another algorithm":       {es, func(t *testing.T) *jwt.Key { return signing(t, jwt.EdDSA) }, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				old, next := row.old(t).WithID(row.id), row.next(t).WithID(row.id)
				server := &keyServer{keys: []*jwt.Key{old}}
				v := refetchVerifier(t, remoteOf(t, server, 10*time.Second, 0))
				before := mintBy(t, old, nil)
				if got := verdictOf(t, v, before); got != nil {
					t.Fatalf("want the old key to be good, got %v", got)
				}
				server.publish(next)
				token := mintBy(t, next, nil)
				if got := verdictOf(t, v, token); got != auth.ErrInvalid || server.count() != 1 {
					t.Errorf("want a refusal within the cool-down, got %v by %d fetches", got, server.count())
				}
				time.Sleep(10 * time.Second)
				if got := verdictOf(t, v, token); got != nil || server.count() != 2 {
					t.Errorf("want the new key after the cool-down, got %v by %d fetches", got, server.count())
				}
				if got := verdictOf(t, v, before); got != auth.ErrInvalid || server.count() != 2 {
					t.Errorf("want the old key to be refused, got %v by %d fetches", got, server.count())
				}
			})
		})
	}
}

func TestUnitForgedSignaturesCauseOneFetchInACoolDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		old, next, forger := signing(t, jwt.EdDSA), signing(t, jwt.EdDSA), signing(t, jwt.EdDSA)
		server := &keyServer{keys: []*jwt.Key{old.WithID("1")}}
		v := refetchVerifier(t, remoteOf(t, server, 10*time.Second, 0))
		time.Sleep(10 * time.Second)
		forged := mintBy(t, forger.WithID("1"), nil)
		var group sync.WaitGroup
		flood := func(n int) {
			for range n {
				group.Go(func() {
					// One that comes while 1,000 wait for the fetch may be an outage.
					if got := verdictOf(t, v, forged); got != auth.ErrInvalid && got != errOutage {
						t.Errorf("want a refusal, got %v", got)
					}
				})
			}
			group.Wait()
		}
		flood(10_000)
		if server.count() != 2 {
			t.Errorf("want one fetch besides the first for 10,000 forged tokens, got %d", server.count()-1)
		}
		server.publish(next.WithID("1"))
		good := mintBy(t, next.WithID("1"), nil)
		flood(100)
		if got := verdictOf(t, v, good); got != auth.ErrInvalid || server.count() != 2 {
			t.Errorf("want a refusal within the cool-down, got %v by %d fetches", got, server.count())
		}
		time.Sleep(10 * time.Second)
		flood(100)
		if got := verdictOf(t, v, good); got != nil || server.count() != 3 {
			t.Errorf("want the new key by one more fetch, got %v by %d", got, server.count())
		}
	})
}

func TestUnitManyForgedSignaturesDoNotPileUpBehindASlowServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		key, forger := signing(t, jwt.EdDSA).WithID("1"), signing(t, jwt.EdDSA).WithID("1")
		server := &keyServer{keys: []*jwt.Key{key}}
		v := refetchVerifier(t, remoteOf(t, server, time.Second, 0))
		time.Sleep(time.Second)
		server.hold(5 * time.Second)
		forged := mintBy(t, forger, nil)
		outages := make(chan struct{}, 1500)
		var group sync.WaitGroup
		for range 1500 {
			group.Go(func() {
				if verdictOf(t, v, forged) == errOutage {
					outages <- struct{}{}
				}
			})
		}
		synctest.Wait()
		if len(outages) != 500 {
			t.Errorf("want all but 1,000 answered at once, got %d of 1,500", len(outages))
		}
		if got := verdictOf(t, v, mintBy(t, key, nil)); got != nil {
			t.Errorf("want a good token to wait for nothing, got %v", got)
		}
		group.Wait()
		if len(outages) != 500 || server.count() != 2 {
			t.Errorf("want the others refused, got %d outages by %d fetches", len(outages), server.count())
		}
	})
}

func TestUnitAForgedSignatureOfATokenThatIsRefusedAnywayCausesNoFetch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		key, forger := signing(t, jwt.EdDSA).WithID("1"), signing(t, jwt.EdDSA).WithID("1")
		server := &keyServer{keys: []*jwt.Key{key}}
		v := refetchVerifier(t, remoteOf(t, server, time.Second, 0))
		time.Sleep(time.Minute)
		good := mintBy(t, key, nil)
		for sentence, token := range map[string]string{
			"expired":            mintBy(t, forger, map[string]any{"exp": 5}),
			"another audience's": mintBy(t, forger, map[string]any{"aud": "other"}),
			"of a later time":    mintBy(t, forger, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
			"without an expiry":  mintBy(t, forger, map[string]any{"exp": nil}),
			"an unknown alg": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"1","typ":"at+jwt"}`)) +
				good[strings.IndexByte(good, '.'):],
		} {
			if got := verdictOf(t, v, token); got != auth.ErrInvalid || server.count() != 1 {
				t.Errorf("%s: want a refusal without a fetch, got %v by %d", sentence, got, server.count())
			}
		}
	})
}

func TestUnitABadSignatureWhileTheKeysCannotBeFetchedIsAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		key, forger := signing(t, jwt.EdDSA).WithID("1"), signing(t, jwt.EdDSA).WithID("1")
		server := &keyServer{keys: []*jwt.Key{key}}
		v := refetchVerifier(t, remoteOf(t, server, time.Second, 0))
		time.Sleep(time.Minute)
		server.setDown(true)
		for range 10 {
			if got := verdictOf(t, v, mintBy(t, forger, nil)); got != errOutage || server.count() != 2 {
				t.Errorf("want an outage by one fetch, got %v by %d", got, server.count()-1)
			}
			if got := verdictOf(t, v, mintBy(t, key, nil)); got != nil {
				t.Errorf("want the known key to serve, got %v", got)
			}
		}
	})
}

func TestUnitALoginWaitsForAKeyThatReplacedTheOldOneAMomentAgo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		old, next := signing(t, jwt.ES256).WithID(""), signing(t, jwt.ES256).WithID("")
		server := &keyServer{keys: []*jwt.Key{old}}
		v := refetchVerifier(t, remoteOf(t, server, time.Second, 2*time.Second))
		server.publish(next)
		from := time.Now()
		if got := verdictOf(t, v, mintBy(t, next, nil)); got != nil || time.Since(from) != time.Second {
			t.Errorf("want the key after the cool-down, got %v after %v", got, time.Since(from))
		}
	})
}

func TestUnitASourceThatCannotRefetchRefusesABadSignature(t *testing.T) {
	key, forger := signing(t, jwt.EdDSA).WithID("1"), signing(t, jwt.EdDSA).WithID("1")
	set, err := jwt.NewKeySet(nil, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	source := &switching{current: set}
	v := refetchVerifier(t, source)
	if got := verdictOf(t, v, mintBy(t, forger, nil)); got != auth.ErrInvalid || source.renewed != 0 {
		t.Errorf("want a refusal, got %v and %d calls of Renew", got, source.renewed)
	}
}

func TestUnitTheCauseOfABadSignatureSaysWhichKeysAreKnown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		key, forger := signing(t, jwt.EdDSA).WithID("1"), signing(t, jwt.EdDSA).WithID("1")
		v := refetchVerifier(t, remoteOf(t, &keyServer{keys: []*jwt.Key{key}}, time.Second, 0))
		_, _, err := v.VerifyToken(t.Context(), mintBy(t, forger, nil))
		for _, want := range []string{"the signature of the token does not hold", "1 key is known",
			"fetched from https://login.example/keys at 2000-01-01T00:00:00Z"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		}
	})
}
