package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryOneTimeStore(t *testing.T) {
	storetest.OneTime(t, func(*testing.T) password.OneTimeStore { return password.NewMemoryOneTimeStore() })
}

func TestAOneTimeTokenIsGoodOnce(t *testing.T) {
	m := newMailroom(t, nil)
	token := m.issue("alice", password.PurposeVerifyEmail, "alice@example.org")
	for range 3 { // programs follow links
		u, about, err := m.Check(t.Context(), password.PurposeVerifyEmail, token)
		if err != nil || u != (stamped{"alice", "stamp of alice"}) || about != "alice@example.org" {
			t.Fatalf("got %v, %q, %v, want alice, about alice@example.org", u, about, err)
		}
	}
	u, about, err := m.Redeem(t.Context(), password.PurposeVerifyEmail, token)
	if err != nil || u != (stamped{"alice", "stamp of alice"}) || about != "alice@example.org" {
		t.Fatalf("got %v, %q, %v, want alice, about alice@example.org", u, about, err)
	}
	if _, _, err := m.Check(t.Context(), password.PurposeVerifyEmail, token); !errors.Is(err, auth.ErrInvalid) {
		t.Error(err)
	}
	if u, about, err := m.Redeem(t.Context(), password.PurposeVerifyEmail, token); u != nil || about != "" ||
		!errors.Is(err, auth.ErrInvalid) {
		t.Errorf("got %v, %v, %v, want no user and ErrInvalid", u, about, err)
	}
	if got, want := m.log.take(), []string{"issued alice", "reuse alice"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestOf32ThatRedeemOneTokenOneSucceeds(t *testing.T) {
	m := newMailroom(t, nil)
	tokens := []string{m.issue("alice", password.PurposeReset, ""), m.issue("alice", password.PurposeReset, "")}
	var won atomic.Int64
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range 32 {
		group.Go(func() {
			<-start
			switch u, _, err := m.Redeem(t.Context(), password.PurposeReset, tokens[i%2]); {
			case err == nil && u.UserID() == "alice":
				won.Add(1)
			case !errors.Is(err, auth.ErrInvalid):
				t.Error(err)
			}
		})
	}
	close(start)
	group.Wait()
	if won.Load() != 1 {
		t.Errorf("%d did", won.Load())
	}
}

// Between a look at the record and its redemption, anything may happen.
func TestTheVerdictOfTheStoreDecides(t *testing.T) {
	for verdict, events := range map[password.OneTimeVerdict][]string{
		password.OneTimeExpired: {"issued alice"},
		password.OneTimeUsed:    {"issued alice", "reuse alice"},
		99:                      {"issued alice"},
	} {
		m := newMailroom(t, nil)
		token := m.issue("alice", password.PurposeReset, "")
		m.store.says = verdict
		u, _, err := m.Redeem(t.Context(), password.PurposeReset, token)
		if u != nil || !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("verdict %d: %v, %v", verdict, u, err)
		}
		if got := m.log.take(); !slices.Equal(got, events) {
			t.Errorf("verdict %d: events %q", verdict, got)
		}
	}
}

// Each row makes a good token bad, in a way that a stranger cannot tell from
// another.
func TestWhyATokenIsBadIsNotTold(t *testing.T) {
	applies := true
	var sentence string
	for _, row := range []struct {
		name  string
		spoil func(m *mailroom, token string) string
		asks  bool // of the store
		why   string
	}{
		{"garbage", func(*mailroom, string) string { return "garbage" }, false, "form"},
		{"empty", func(*mailroom, string) string { return "" }, false, "form"},
		{"very long", func(*mailroom, string) string { return strings.Repeat("x", 100_000) }, false, "form"},
		{"mistyped", func(_ *mailroom, token string) string {
			return strings.Map(func(r rune) rune {
				if r == rune(token[20]) {
					return r ^ 1
				}
				return r
			}, token)
		}, false, "form"},
		{"of another prefix", func(*mailroom, string) string { return backend.NewToken("knox_", "alice", 40) },
			false, "form"},
		{"with a right checksum and a NUL", func(*mailroom, string) string { return withShard("\x00\xff!") },
			false, "form"},
		{"never issued", func(*mailroom, string) string { return backend.NewToken("gwonce_", "alice", 40) }, true,
			"no such one-time token"},
		{"used", func(m *mailroom, token string) string {
			if _, _, err := m.Redeem(context.Background(), password.PurposeReset, token); err != nil {
				t.Error(err)
			}
			return token
		}, true, "user alice: the one-time token was used before"},
		{"of another purpose", func(m *mailroom, _ string) string {
			return m.issue("alice", password.PurposeVerifyEmail, "")
		}, true, "user alice: the one-time token is of another purpose"},
		{"the stamp is another", func(m *mailroom, token string) string {
			m.people.stamps["alice"] = "new"
			return token
		}, true, "user alice: the one-time token was issued before the user's AuthStamp changed"},
		{"the user is gone", func(m *mailroom, token string) string { delete(m.people.stamps, "alice"); return token },
			true, "user alice: auth: invalid"},
		{"the user is inactive", func(m *mailroom, token string) string {
			m.people.faults["alice"] = auth.ErrUserInactive
			return token
		}, true, "user alice: auth: invalid"},
		{"it does not apply any more", func(_ *mailroom, token string) string { applies = false; return token }, true,
			"user alice: OneTimeConfig.Applies"},
		{"revoked", func(m *mailroom, token string) string {
			if n, err := m.RevokeAll(context.Background(), "alice"); n != 1 || err != nil {
				t.Errorf("got %v, %v, want 1 and no error", n, err)
			}
			return token
		}, true, "no such one-time token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			applies = true
			m := newMailroom(t, func(c *password.OneTimeConfig) {
				c.Applies = func(auth.User, password.Purpose, string) bool { return applies }
			})
			token := row.spoil(m, m.issue("alice", password.PurposeReset, "a@example.org"))
			m.store.asked.Store(0)
			_, _, checked := m.Check(t.Context(), password.PurposeReset, token)
			u, about, err := m.Redeem(t.Context(), password.PurposeReset, token)
			if asked := m.store.asked.Load() > 0; asked != row.asks {
				t.Errorf("asked the store: %v", asked)
			}
			if u != nil || about != "" || auth.KindOf(err) != auth.ErrInvalid || fmt.Sprint(err) != fmt.Sprint(
				checked) {
				t.Fatalf("%v, %q, %v and %v", u, about, err, checked)
			}
			if sentence == "" {
				sentence = detail(err)
			}
			var stated *auth.Error
			if !errors.As(err, &stated) || stated.Code != auth.CodeInvalidToken || stated.Extensions != nil ||
				detail(err) != sentence || sentence == "" {
				t.Errorf("the client is told %+v, and of others %q", stated, sentence)
			}
			if stated.Cause == nil || !strings.Contains(stated.Cause.Error(), row.why) {
				t.Errorf("cause %v, want %q", stated.Cause, row.why)
			}
		})
	}
}

// withShard is a token with a right checksum and a shard of other bytes than
// ours have: a store might not take them as a key.
func withShard(shard string) string {
	token := "gwonce_" + shard + strings.Repeat("0", 31)
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := ^uint32(0)
	for i := range len(token) { // CRC-32, bit by bit
		sum ^= uint32(token[i])
		for range 8 {
			sum = sum>>1 ^ 0xedb88320&-(sum&1)
		}
	}
	sum = ^sum
	for range 6 {
		token += string(alphabet[sum%62])
		sum /= 62
	}
	if backend.OwnsToken(token, "gwonce_") {
		panic("taken for one of ours")
	}
	return token
}

func TestABadTokenIsNotUsedUp(t *testing.T) {
	m := newMailroom(t, nil)
	token := m.issue("alice", password.PurposeReset, "")
	if _, _, err := m.Redeem(t.Context(), password.PurposeVerifyEmail, token); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("for another purpose: %v", err)
	}
	down := errors.New("down")
	for name, fault := range map[string]error{"inactive": auth.ErrUserInactive, "the loader is down": down} {
		m.people.faults["alice"] = fault
		if _, _, err := m.Redeem(t.Context(), password.PurposeReset, token); err == nil ||
			errors.Is(err, auth.ErrInvalid) != (fault != down) {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(m.people.faults, "alice")
	if _, _, err := m.Redeem(t.Context(), password.PurposeReset, token); err != nil {
		t.Errorf("at last: %v", err)
	}
}

func TestTokensEndInTime(t *testing.T) {
	for _, row := range []struct {
		purpose password.Purpose
		ttl     time.Duration
	}{{password.PurposeReset, time.Hour}, {password.PurposeVerifyEmail, 24 * time.Hour}, {"invite", 72 * time.Hour},
		{"other", time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			m := newMailroom(t, func(c *password.OneTimeConfig) {
				c.TTL = map[password.Purpose]time.Duration{"invite": 72 * time.Hour}
			})
			token := m.issue("alice", row.purpose, "")
			time.Sleep(row.ttl - time.Microsecond)
			if _, _, err := m.Check(t.Context(), row.purpose, token); err != nil {
				t.Errorf("%s before its end: %v", row.purpose, err)
			}
			if n, err := m.Purge(t.Context(), 500); n != 0 || err != nil {
				t.Errorf("%s: purged %d, %v", row.purpose, n, err)
			}
			time.Sleep(time.Microsecond)
			for range 2 {
				if _, _, err := m.Redeem(t.Context(), row.purpose, token); !errors.Is(err, auth.ErrInvalid) {
					t.Errorf("%s at its end: %v", row.purpose, err)
				}
			}
			if n, err := m.Purge(t.Context(), 500); n != 1 || err != nil {
				t.Errorf("%s: purged %d, %v", row.purpose, n, err)
			}
		})
	}
}

func TestAUserHasFiveLiveTokensOfAPurpose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		verify := m.issue("alice", password.PurposeVerifyEmail, "")
		bobs := m.issue("bob", password.PurposeReset, "")
		var tokens []string
		for range 7 {
			time.Sleep(time.Second)
			tokens = append(tokens, m.issue("alice", password.PurposeReset, ""))
		}
		for i, token := range tokens {
			if got, want := m.good(token), i >= 2; got != want {
				t.Errorf("token %d is good: %v", i, got)
			}
		}
		if _, _, err := m.Check(t.Context(), password.PurposeVerifyEmail, verify); err != nil || !m.good(bobs) {
			t.Error("others' are gone", err)
		}
		if _, _, err := m.Redeem(t.Context(), password.PurposeReset, tokens[3]); err != nil {
			t.Error(err)
		}
		for i, token := range tokens {
			if m.good(token) {
				t.Errorf("token %d outlives the reset", i)
			}
		}
	})
}

func TestAStoreThatIsDownIsAnOutage(t *testing.T) {
	m := newMailroom(t, nil)
	token := m.issue("alice", password.PurposeReset, "")
	for name, fault := range map[string]error{"plain": errors.New("down"),
		"claims to be else": fmt.Errorf("%w: down", auth.ErrInvalid)} {
		m.store.fault = fault
		for method, err := range map[string]error{
			"Issue":     second(m.Issue(t.Context(), "alice", password.PurposeReset, "")),
			"Check":     third(m.Check(t.Context(), password.PurposeReset, token)),
			"Redeem":    third(m.Redeem(t.Context(), password.PurposeReset, token)),
			"RevokeAll": second(m.RevokeAll(t.Context(), "alice")),
			"Purge":     second(m.Purge(t.Context(), 500)),
		} {
			if err == nil || auth.KindOf(err) != nil || detail(err) != "" {
				t.Errorf("%s, %s: %v", name, method, err)
			}
		}
	}
	m.store.fault = nil
	if !m.good(token) {
		t.Error("an outage ended the token")
	}
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

func TestIssuingForNobodyWritesNothing(t *testing.T) {
	m := newMailroom(t, nil)
	m.people.faults["carol"] = auth.ErrUserInactive
	for _, row := range []struct {
		id, about string
		purpose   password.Purpose
		want      error
	}{
		{"nobody", "", password.PurposeReset, auth.ErrInvalid},
		{"carol", "", password.PurposeReset, auth.ErrInvalid},
		{"", "", password.PurposeReset, auth.ErrInvalid},
		{"client:x", "", password.PurposeReset, auth.ErrInvalid},
		{"alice", strings.Repeat("a", 321), password.PurposeReset, auth.ErrMalformed},
		{"alice", "a\r\nBcc: b", password.PurposeReset, auth.ErrMalformed},
		{"alice", "\xff", password.PurposeReset, auth.ErrMalformed},
		{"alice", "", "", nil},
		{"alice", "", "Reset", nil},
		{"alice", "", password.Purpose(strings.Repeat("a", 65)), nil},
	} {
		token, err := m.Issue(t.Context(), row.id, row.purpose, row.about)
		if token != "" || err == nil || auth.KindOf(err) != row.want {
			t.Errorf("%+v: %v", row, err)
		}
	}
	if n := m.store.asked.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestTokensAreNotKept(t *testing.T) {
	m := newMailroom(t, nil)
	token, err := m.Issue(t.Context(), "alice", password.PurposeReset, "")
	if err != nil || !strings.HasPrefix(token.Reveal(), "gwonce_") ||
		len(token.Reveal()) != 7+backend.DefaultTokenLength {
		t.Fatalf("got %q, %v, want a token that begins with gwonce_, of the default length", token.Reveal(), err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q", token, token, token, token, token)
	if strings.Contains(shown, token.Reveal()) {
		t.Errorf("got %v, want no token", shown)
	}
	record, err := m.store.Find(t.Context(), backend.TokenDigest(token.Reveal(), "gwonce_"))
	if err != nil || record == nil {
		t.Fatalf("got %v, %v, want a record and no error", record, err)
	}
	if kept := fmt.Sprintf("%+v", *record); strings.Contains(kept, token.Reveal()[10:30]) ||
		strings.Contains(kept, "stamp of alice") {
		t.Errorf("kept %s", kept)
	}
}

func TestRevokingOthersEndsAllOfAUsersTokens(t *testing.T) {
	m := newMailroom(t, nil)
	token, bobs := m.issue("alice", password.PurposeReset, ""), m.issue("bob", password.PurposeReset, "")
	m.log.take()
	r := httptest.NewRequest("POST", "/", nil)
	if err := m.RevokeOthers(httptest.NewRecorder(), r, user("alice")); err != nil || m.good(token) || !m.good(bobs) {
		t.Errorf("got %v, want no error, alice's token ended and bob's good", err)
	}
	if got := m.log.take(); !slices.Equal(got, []string{"revoked alice"}) {
		t.Errorf("events %q", got)
	}
	m.store.fault = errors.New("down")
	if err := m.RevokeOthers(httptest.NewRecorder(), r, user("alice")); err == nil || auth.KindOf(err) != nil {
		t.Error(err)
	}
}

func TestNewOneTimeTokensRefusesContradictions(t *testing.T) {
	store, load := password.NewMemoryOneTimeStore(), newPeople().load
	for name, config := range map[string]password.OneTimeConfig{
		"no store":          {LoadUser: load},
		"no loader":         {Store: store},
		"negative limit":    {Store: store, LoadUser: load, Limit: -1},
		"long prefix":       {Store: store, LoadUser: load, Prefix: "elevenchars"},
		"prefix for no URL": {Store: store, LoadUser: load, Prefix: "a/b"},
		"no time": {Store: store, LoadUser: load, TTL: map[password.Purpose]time.Duration{
			password.PurposeReset: 0}},
		"no purpose": {Store: store, LoadUser: load, TTL: map[password.Purpose]time.Duration{"": time.Hour}},
	} {
		if _, err := password.NewOneTimeTokens(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzOneTimeToken(f *testing.F) {
	m := newMailroom(f, nil)
	f.Add(m.issue("alice", password.PurposeVerifyEmail, ""))
	f.Add(withShard("\x00\xff!"))
	f.Add("gwonce_")
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := m.Check(context.Background(), password.PurposeReset, token); auth.KindOf(
			err) != auth.ErrInvalid {
			t.Errorf("%q: %v", token, err)
		}
	})
}
