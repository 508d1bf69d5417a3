package knox_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
)

type bare string

func (u bare) UserID() string { return string(u) }

// allocs returns how many allocations an Authenticate of a request takes.
func allocs(tokens *knox.Tokens, r *http.Request) float64 {
	_, _, _ = tokens.Authenticate(r) // the first one writes the last use
	return testing.AllocsPerRun(200, func() { _, _, _ = tokens.Authenticate(r) })
}

func TestUnitACheckInMemoryAllocatesNothing(t *testing.T) {
	for sentence, user := range map[string]auth.User{
		"a user": bare("alice"), "a user with a stamp": &person{"alice", "password hash"},
	} {
		t.Run(sentence, func(t *testing.T) {
			config := knox.Config{Store: knox.NewMemoryStore(), Schemes: []string{"Token", "Bearer"},
				Token:    knox.TokenSettings{Prefix: "acme_"},
				LoadUser: func(context.Context, string) (auth.User, error) { return user, nil }}
			tokens := must(knox.New(config))
			token := must(tokens.Issue(t.Context(), "alice", knox.Options{})).Secret.Reveal()
			config.Store = knox.NewMemoryStore()
			strange := must(must(knox.New(config)).Issue(t.Context(), "alice", knox.Options{})).Secret.Reveal()
			for what, row := range map[string]struct {
				line string
				kind error
			}{
				"a good token":   {"Token " + token, nil},
				"an unknown one": {"Bearer " + strange, auth.ErrInvalid},
				"a broken one":   {"Token " + token[:40], auth.ErrInvalid},
				"garbage":        {"Token garbage", auth.ErrUnrecognized},
				"a long one":     {"Token " + strings.Repeat("x", 5000), auth.ErrUnrecognized},
				"a space":        {"Token a b", auth.ErrMalformed},
				"nothing":        {"Token", auth.ErrMalformed},
				"a colon":        {"Bearer: x", auth.ErrMalformed},
				"another scheme": {"Basic x", auth.ErrNoCredentials},
				"too much":       {"Token " + strings.Repeat("x", 1<<20), auth.ErrMalformed},
			} {
				r := withAuthorization(t, row.line)
				if _, _, err := tokens.Authenticate(r); auth.KindOf(err) != row.kind {
					t.Errorf("%s: got %v, want %v", what, err, row.kind)
				}
				if n := allocs(tokens, r); n != 0 {
					t.Errorf("%s: got %v allocations, want none", what, n)
				}
			}
			if n := testing.AllocsPerRun(200, func() { _, _, _ = tokens.VerifyToken(t.Context(), token) }); n != 0 {
				t.Errorf("VerifyToken: got %v allocations, want none", n)
			}
			if _, err := tokens.RevokeAll(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			if n := allocs(tokens, withAuthorization(t, "Token "+token)); n != 0 {
				t.Errorf("a revoked token: got %v allocations, want none", n)
			}
		})
	}
	t.Run("a token that is refused for what its record says allocates the cause alone", func(t *testing.T) {
		crowd := &people{stamps: map[string]string{}, inactive: map[string]bool{}}
		s := start(t, func(c *knox.Config) { c.LoadUser = crowd.load })
		token := must(s.tokens.Issue(t.Context(), "alice", knox.Options{})).Secret.Reveal()
		for change, set := range map[string]func(){
			"another stamp": func() { crowd.stamps["alice"] = "new" }, "inactive": func() {
				crowd.inactive["alice"] = true
			},
		} {
			crowd.set(set)
			n := testing.AllocsPerRun(200, func() { _, _, _ = s.tokens.VerifyToken(t.Context(), token) })
			if n > 3 { // the loader makes a user, and KindOf and errors.As look at what it says
				t.Errorf("%s: got %v allocations", change, n)
			}
		}
	})
}

func TestUnitARecordsCredentialIsOfTheTokensThatCheckIt(t *testing.T) {
	store, crowd := knox.NewMemoryStore(), &people{stamps: map[string]string{}}
	one := must(knox.New(knox.Config{Store: store, LoadUser: crowd.load, Name: "one"}))
	two := must(knox.New(knox.Config{Store: store, LoadUser: crowd.load, Name: "two"}))
	issued := must(one.Issue(t.Context(), "alice", knox.Options{}))
	prove := func(tokens *knox.Tokens) *knox.Token {
		t.Helper()
		_, credential, err := tokens.VerifyToken(t.Context(), issued.Secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		return credential.(*knox.Token)
	}
	t.Run("two that share a store, each in turn", func(t *testing.T) {
		for range 3 {
			if got := prove(one).Backend() + prove(two).Backend(); got != "onetwo" {
				t.Errorf("got %s", got)
			}
		}
	})
	t.Run("the credential is made once", func(t *testing.T) {
		if first, second := prove(one), prove(one); first != second {
			t.Error("got two credentials of one record")
		}
	})
	t.Run("it shows what was written since", func(t *testing.T) {
		used := backend.StoreTime(time.Now().Add(time.Hour))
		digest := must(store.List(t.Context(), "alice", "", 1, time.Time{}))[0].Digest
		if err := store.Touch(t.Context(), knox.Touch{Digest: digest, Used: used}); err != nil {
			t.Fatal(err)
		}
		if got := prove(one).LastUsed(); !got.Equal(used) {
			t.Errorf("got %v, want %v", got, used)
		}
		if first, second := prove(one), prove(one); first != second {
			t.Error("got two credentials of one record")
		}
	})
	t.Run("a record that was built by hand has one too", func(t *testing.T) {
		built := *must(store.List(t.Context(), "alice", "", 1, time.Time{}))[0]
		built.ID, built.Name = "by hand", "by hand"
		other := knox.NewMemoryStore()
		if _, err := other.Add(t.Context(), &built, 0, false, knox.Ending{}); err != nil {
			t.Fatal(err)
		}
		three := must(knox.New(knox.Config{Store: other, LoadUser: crowd.load, Name: "three"}))
		if got := prove(three); got.ID() != "by hand" || got.Name() != "by hand" || got.Backend() != "three" {
			t.Errorf("got %s of %s", got.ID(), got.Backend())
		}
	})
}

// A store that copies records copies what Tokens keep with them.
type copying struct{ knox.Store }

func (s copying) Find(ctx context.Context, digest string) (*knox.Record, error) {
	record, err := s.Store.Find(ctx, digest)
	if record == nil {
		return nil, err
	}
	copied := *record
	copied.Name, copied.Stamp = "copied", backend.Stamp("knox", &person{"alice", "after"})
	return &copied, err
}

func (s copying) HashFinder(knox.Store) knox.FindHash {
	inner := s.Store.(*knox.MemoryStore).HashFinder(s.Store)
	return func(ctx context.Context, hash [32]byte) (*knox.Record, error) {
		record, err := inner(ctx, hash)
		if record == nil {
			return nil, err
		}
		return s.Find(ctx, record.Digest)
	}
}

func TestUnitWhatIsKeptWithARecordDoesNotCountForACopyOfIt(t *testing.T) {
	memory, crowd := knox.NewMemoryStore(), &people{stamps: map[string]string{"alice": "before"}}
	config := knox.Config{Store: memory, LoadUser: crowd.load}
	tokens := must(knox.New(config))
	token := must(tokens.Issue(t.Context(), "alice", knox.Options{})).Secret.Reveal()
	if _, _, err := tokens.VerifyToken(t.Context(), token); err != nil { // it remembers the stamp
		t.Fatal(err)
	}
	config.Store = copying{memory}
	tokens = must(knox.New(config))
	if _, _, err := tokens.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("the stamp of before the copy: got %v, want ErrInvalid", err)
	}
	crowd.set(func() { crowd.stamps["alice"] = "after" })
	_, credential, err := tokens.VerifyToken(t.Context(), token)
	if err != nil || credential.(*knox.Token).Name() != "copied" {
		t.Errorf("the stamp of the copy: got %v, %v", credential, err)
	}
}

// Requests, touches and changed passwords meet at one record.
func TestRaceARecordIsSharedByAllChecks(t *testing.T) {
	store, crowd := knox.NewMemoryStore(), &people{stamps: map[string]string{"alice": "a"}}
	make := func(name string) *knox.Tokens {
		return must(
			knox.New(knox.Config{Store: store, LoadUser: crowd.load, Name: name, TouchInterval: time.Nanosecond}))
	}
	one, two := make("one"), make("two")
	token := must(one.Issue(t.Context(), "alice", knox.Options{})).Secret.Reveal()
	digest := must(store.List(t.Context(), "alice", "", 1, time.Time{}))[0].Digest
	stampOf := func(stamp string) string { return backend.Stamp("knox", &person{"alice", stamp}) }
	loaders := map[string]*knox.Tokens{}
	for _, stamp := range []string{"a", "b"} {
		loaders[stamp] = must(knox.New(knox.Config{Store: store, TouchInterval: -1,
			LoadUser: func(context.Context, string) (auth.User, error) { return &person{"alice", stamp}, nil }}))
	}
	var wg sync.WaitGroup
	for _, tokens := range []*knox.Tokens{one, two, loaders["a"], loaders["b"]} {
		wg.Go(func() {
			for range 300 {
				_, credential, err := tokens.VerifyToken(t.Context(), token)
				switch {
				case err != nil && auth.KindOf(err) != auth.ErrInvalid:
					t.Error(err)
				case err == nil && (credential.Backend() != tokens.Backend() ||
					credential.(*knox.Token).UserID() != "alice"):
					t.Errorf("got a credential of %s from %s", credential.Backend(), tokens.Backend())
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 300 {
			stamp := []string{"a", "b"}[i%2]
			if _, err := store.RevokeAll(t.Context(), "alice", digest, stampOf(stamp), knox.Ending{}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	// the last one written is b
	if _, _, err := one.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("a stamp that matched before: got %v, want ErrInvalid", err)
	}
	for stamp, tokens := range loaders {
		if _, _, err := tokens.VerifyToken(t.Context(), token); (err == nil) != (stamp == "b") {
			t.Errorf("a user with the stamp %s: got %v", stamp, err)
		}
	}
}
