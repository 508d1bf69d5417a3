package knox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

// plainStore is a store without a look-up by hash.
type plainStore struct{ knox.Store }

// ownFind is a store that embeds a store in memory, and has a Find of its own.
type ownFind struct {
	*knox.MemoryStore
	asked int
}

func (s *ownFind) Find(ctx context.Context, digest string) (*knox.Record, error) {
	s.asked++
	return s.MemoryStore.Find(ctx, digest)
}

// sharing is one store with the tokens of several configurations in it, and two Tokens
// that check all of them: one asks the store by hash, the other by digest.
type sharing struct {
	byHash, byDigest *knox.Tokens
	tokens           map[string]string // what each shows
}

func hexFormat(token string) (string, bool) {
	return "hex " + token, len(token) == 40 && strings.Trim(token, "0123456789abcdef") == ""
}

func share(t testing.TB) sharing {
	t.Helper()
	store, crowd := knox.NewMemoryStore(), &people{stamps: map[string]string{}}
	make := func(store knox.Store, prefix string, accept ...string) *knox.Tokens {
		tokens, err := knox.New(knox.Config{Store: store, LoadUser: crowd.load, Name: prefix,
			Schemes: []string{"Token", "Bearer"}, Token: knox.TokenSettings{
				Prefix: prefix, AcceptPrefixes: accept, Foreign: []knox.ForeignToken{hexFormat}}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	s := sharing{make(store, "acme_", ""), make(plainStore{store}, "acme_", ""), map[string]string{}}
	for of, tokens := range map[string]*knox.Tokens{
		"its own": s.byHash, "the same configuration": s.byDigest, "an accepted prefix": make(store, ""),
		"a prefix that is not accepted": make(store, "other_"),
	} {
		issued, err := tokens.Issue(t.Context(), "alice", knox.Options{Name: of})
		if err != nil {
			t.Fatal(err)
		}
		s.tokens[of] = issued.Secret.Reveal()
	}
	s.tokens["another system"] = strings.Repeat("0a", 20)
	foreign := &knox.Record{Digest: "hex " + s.tokens["another system"], ID: "foreign", UserID: "alice"}
	foreign.Stamp = must(store.List(t.Context(), "alice", "", 1, foreign.Created))[0].Stamp
	if _, err := store.Add(t.Context(), foreign, 0, false, knox.Ending{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// verdict is all that a check says.
func verdict(user auth.User, credential auth.Credential, err error) string {
	var stated *auth.Error
	if errors.As(err, &stated) {
		return fmt.Sprintf("%v, %d %q %q: %v", auth.KindOf(err), stated.Status, stated.Code, stated.Detail, err)
	}
	if err != nil {
		return err.Error()
	}
	token, _ := auth.As[*knox.Token](credential)
	return fmt.Sprintf("user %s, backend %s, token %s %s", user.UserID(), credential.Backend(),
		token.Name(), token.ID())
}

// checkByDigest checks a request as Tokens did before there was a look-up by hash: it reads the
// whole header first.
func (s sharing) checkByDigest(r *http.Request) string {
	_, token, err := auth.TokenFrom(r, "Token", "Bearer")
	if err != nil {
		return verdict(nil, nil, err)
	}
	return verdict(s.byDigest.VerifyToken(r.Context(), token))
}

func withAuthorization(t testing.TB, lines ...string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = lines
	return r
}

func TestUnitALookUpByHashGivesTheVerdictsOfALookUpByDigest(t *testing.T) {
	s := share(t)
	for of, token := range s.tokens {
		t.Run("a token of "+of, func(t *testing.T) {
			r := withAuthorization(t, "Token "+token)
			got, want := verdict(s.byHash.Authenticate(r)), s.checkByDigest(r)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if refused := strings.Contains(got, "unrecognized"); refused != (of == "a prefix that is not accepted") {
				t.Errorf("got %s", got)
			}
			if again := verdict(s.byHash.VerifyToken(t.Context(), token)); again != want {
				t.Errorf("VerifyToken: got  %s\nwant %s", again, want)
			}
		})
	}
}

func FuzzUnitAuthenticateByHash(f *testing.F) {
	s := share(f)
	for _, token := range s.tokens {
		for _, line := range []string{
			"Token " + token, "bearer\t" + token + "  ", "Token: " + token, "Bearer=" + token, "Token " + token + "=",
			"Token " + token + " x", "Token " + token[1:], "Token " + token + "\x00", "Token acme_" + token,
			"Basic " + token,
		} {
			f.Add(line)
		}
	}
	for _, line := range []string{
		"", "Token", "Bearer ", "Token acme_", "Token acme_x!", "Token " + strings.Repeat("x", 9000), "Token é",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r := withAuthorization(t, line)
		if got, want := verdict(s.byHash.Authenticate(r)), s.checkByDigest(r); got != want {
			t.Errorf("%q: got  %s\nwant %s", line, got, want)
		}
	})
}

func TestUnitAStoreThatEmbedsOneInMemoryIsAskedByItsOwnFind(t *testing.T) {
	store := &ownFind{MemoryStore: knox.NewMemoryStore()}
	s := start(t, func(c *knox.Config) { c.Store = store })
	token := s.login("alice")
	if first, second := s.me(token), s.me(token); first != 200 || second != 200 || store.asked != 2 {
		t.Errorf("its Find was asked %d times, want 2", store.asked)
	}
	t.Run("a store in memory answers for itself only", func(t *testing.T) {
		if store.HashFinder(store) != nil || store.HashFinder(nil) != nil ||
			store.HashFinder(store.MemoryStore) == nil {
			t.Error("it looks up by hash for another store, or not for itself")
		}
	})
}

var errLost = errors.New("the index is lost")

// lostIndex is a store that fails to look up a hash.
type lostIndex struct{ knox.Store }

func (lostIndex) HashFinder(knox.Store) knox.FindHash {
	return func(context.Context, [32]byte) (*knox.Record, error) { return nil, errLost }
}

func TestUnitALookUpByHashThatFailsDecidesNothing(t *testing.T) {
	memory := knox.NewMemoryStore()
	s := start(t, func(c *knox.Config) { c.Store = lostIndex{memory} })
	token := s.login("alice")
	t.Run("the digest finds what is there", func(t *testing.T) {
		if status := s.me(token); status != 200 {
			t.Errorf("got %d, want 200", status)
		}
	})
	t.Run("a token of another form is unrecognized, and no outage", func(t *testing.T) {
		if _, _, err := s.tokens.VerifyToken(t.Context(), "garbage"); auth.KindOf(err) != auth.ErrUnrecognized {
			t.Errorf("got %v", err)
		}
	})
}

// asked is a store that returns copies of its records, and counts what it is asked.
type asked struct {
	*knox.MemoryStore
	byHash, byDigest int
}

func (s *asked) Find(ctx context.Context, digest string) (*knox.Record, error) {
	s.byDigest++
	return s.MemoryStore.Find(ctx, digest)
}

func (s *asked) HashFinder(knox.Store) knox.FindHash {
	find := s.MemoryStore.HashFinder(s.MemoryStore)
	return func(ctx context.Context, hash [32]byte) (*knox.Record, error) {
		s.byHash++
		record, err := find(ctx, hash)
		if record == nil {
			return nil, err
		}
		copied := *record
		return &copied, err
	}
}

func TestUnitAStoreIsAskedOnceForARecordWithoutACache(t *testing.T) {
	store, crowd := &asked{MemoryStore: knox.NewMemoryStore()}, &people{stamps: map[string]string{}}
	tokens := must(knox.New(knox.Config{Store: store, LoadUser: crowd.load,
		Token: knox.TokenSettings{Prefix: "acme_"}}))
	token := must(tokens.Issue(t.Context(), "alice", knox.Options{})).Secret.Reveal()
	if _, _, err := tokens.VerifyToken(t.Context(), token); err != nil || store.byHash != 1 || store.byDigest != 0 {
		t.Errorf("want one question by hash, got %d, %d by digest and %v", store.byHash, store.byDigest, err)
	}
	if _, _, err := tokens.VerifyToken(t.Context(), token+"x"); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("a token of another form: want ErrInvalid, got %v", err)
	}
}
