package oauth2_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// recalling is a source with a look-up that comes before the check of characters.
type recalling struct {
	recall, inspect func() (*oauth2.Token, error)
	asked           []string // by Inspect
}

func (s *recalling) Inspect(_ context.Context, token string) (*oauth2.Token, error) {
	s.asked = append(s.asked, token)
	return s.inspect()
}

func (s *recalling) Lookup(source oauth2.Source) oauth2.LookupFunc {
	if source != oauth2.Source(s) {
		return nil
	}
	return func(context.Context, string, time.Time) (*oauth2.Token, error) { return s.recall() }
}

func newResource(t testing.TB, sources ...oauth2.Source) *oauth2.Resource {
	t.Helper()
	a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: sources, LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// present authenticates a request with this value of its Authorization header.
func present(a auth.Authenticator, header string) error {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Authorization"] = []string{header}
	_, _, err := a.Authenticate(r)
	return err
}

var errSourceDown = errors.New("the source is down")

func TestUnitRecall(t *testing.T) {
	unknown := &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("unknown")}
	for _, row := range []struct {
		sentence string
		header   string
		recalled func() (*oauth2.Token, error)
		kind     error
		asked    int
	}{
		{"a token that is recalled is not inspected", "Bearer abc", good(), nil, 0},
		{"a token that is not recalled is inspected", "Bearer abc", bad(nil), nil, 1},
		{"a refusal is final", "Bearer abc", bad(unknown), auth.ErrInvalid, 0},
		{"characters that no token has are malformed, and not inspected", "Bearer a!c", bad(nil), auth.ErrMalformed, 0},
		{"characters that no token has are malformed, whatever the refusal", "Bearer a!c", bad(unknown),
			auth.ErrMalformed, 0},
		{"characters that no token has are malformed, even in an outage", "Bearer a!c", bad(errSourceDown),
			auth.ErrMalformed, 0},
		{"no token is malformed", "Bearer", bad(unknown), auth.ErrMalformed, 0},
		{"an outage is one", "Bearer abc", bad(errSourceDown), errSourceDown, 0},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			s := &recalling{recall: row.recalled, inspect: good()}
			err := present(newResource(t, s), row.header)
			if !errors.Is(err, row.kind) || (err == nil) != (row.kind == nil) || len(s.asked) != row.asked {
				t.Errorf("want %v and %d questions, got %v and %q", row.kind, row.asked, err, s.asked)
			}
		})
	}
	t.Run("a source that embeds another one is asked by its own method", func(t *testing.T) {
		inner := &recalling{inspect: good(), recall: func() (*oauth2.Token, error) {
			t.Error("recalled")
			return nil, nil
		}}
		if err := present(newResource(t, &wrapping{inner}), "Bearer abc"); err != nil || len(inner.asked) != 1 {
			t.Errorf("want one question, got %q and %v", inner.asked, err)
		}
	})
}

// wrapping has an Inspect of its own, and the other methods of the source in it.
type wrapping struct{ *recalling }

func (w *wrapping) Inspect(ctx context.Context, token string) (*oauth2.Token, error) {
	return w.recalling.Inspect(ctx, token)
}

func TestUnitARememberedIntrospectionIsForTokensInHeadersOnlyIfTheyCouldBeThere(t *testing.T) {
	l := newLogin(t)
	l.says(200, "application/json", `{"active":true,"sub":"alice","client_id":"web","aud":"`+resource+`"}`)
	source := l.source(nil)
	a := newResource(t, source)
	for range 2 {
		if _, _, err := a.VerifyToken(t.Context(), "a strange token"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := present(a, "Bearer a strange token"); auth.KindOf(err) != auth.ErrMalformed {
			t.Errorf("want ErrMalformed, got %v", err)
		}
	}
	if err := present(a, "Bearer str!nge"); auth.KindOf(err) != auth.ErrMalformed {
		t.Errorf("want ErrMalformed, got %v", err)
	}
	for range 2 {
		if err := present(a, "Bearer plain"); err != nil {
			t.Error(err)
		}
	}
	if n := l.asked.Load(); n != 2 {
		t.Errorf("want one question for each of two tokens, got %d", n)
	}
}

func TestUnitARememberedTokenAllocatesNothing(t *testing.T) {
	l := newLogin(t)
	l.says(200, "application/json", l.active())
	introspection := l.source(nil)
	issuer := authtest.NewIssuer(t)
	jwts, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}})
	if err != nil {
		t.Fatal(err)
	}
	signed := issuer.Mint(map[string]any{"aud": resource, "sub": "alice", "client_id": "web"})
	alice := auth.User(person("alice"))
	for _, row := range []struct {
		sentence, name string
		source         oauth2.Source
		token          string
		kind           error
	}{
		{"introspection", "", introspection, "tok+en/=", nil},
		{"introspection, under another name", "api", introspection, "other", nil},
		{"a JWT", "", jwts, signed, nil},
		{"garbage", "", jwts, strings.Repeat("x", 40), auth.ErrUnrecognized},
		{"a header of 1 MiB", "", jwts, strings.Repeat("x", 1<<20), auth.ErrMalformed},
		{"garbage of 8,000 bytes", "", jwts, strings.Repeat("x", 8000), auth.ErrUnrecognized},
		{"characters that no token has", "", jwts, strings.Repeat("x", 40) + "!", auth.ErrMalformed},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{row.source}, Name: row.name,
				LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+row.token)
			_, _, _ = a.Authenticate(r) // remembers the token
			n := testing.AllocsPerRun(100, func() { _, _, err = a.Authenticate(r) })
			if n != 0 || auth.KindOf(err) != row.kind || (err == nil) != (row.kind == nil) {
				t.Errorf("want %v without an allocation, got %v and %v", row.kind, err, n)
			}
		})
	}
}

func TestUnitSharedToken(t *testing.T) {
	now := time.Now()
	token := oauth2.Token{Subject: "alice", GrantID: "1", Audience: []string{resource}, Expiry: now.Add(time.Hour)}
	returns := func(token *oauth2.Token) oauth2.Source {
		return source{"abc": func() (*oauth2.Token, error) { return token, nil }}
	}
	t.Run("a resource returns the token itself, and one of another name the same copy", func(t *testing.T) {
		shared := oauth2.SharedToken(token)
		other, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{returns(shared)},
			LoadUser: load, Name: "api"})
		if err != nil {
			t.Fatal(err)
		}
		_, first, err := other.VerifyToken(t.Context(), "abc")
		if err != nil {
			t.Fatal(err)
		}
		if _, again, _ := other.VerifyToken(t.Context(), "abc"); again != first || again.Backend() != "api" {
			t.Errorf("want %p of api, got %p of %s", first, again, again.Backend())
		}
		if _, own, _ := newResource(t, returns(shared)).VerifyToken(t.Context(), "abc"); own != auth.Credential(
			shared) {
			t.Errorf("want %p, got %p", shared, own)
		}
	})
	t.Run("what is kept with a token is not that of a copy that was changed", func(t *testing.T) {
		shared := oauth2.SharedToken(token)
		if _, _, err := newResource(t, returns(shared)).VerifyToken(t.Context(), "abc"); err != nil {
			t.Fatal(err)
		}
		changed := *shared
		changed.Audience = []string{"https://other.example/"}
		stamped := *shared
		stamped.Stamp = "x"
		for name, token := range map[string]*oauth2.Token{"audience": &changed, "stamp": &stamped} {
			a := newResource(t, source{"abc": good(), "x": func() (*oauth2.Token, error) { return shared, nil },
				"changed": func() (*oauth2.Token, error) { return token, nil }})
			if _, _, err := a.VerifyToken(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.VerifyToken(t.Context(), "changed"); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("another %s: want ErrInvalid, got %v", name, err)
			}
		}
	})
	t.Run("a token that is kept expires", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			late := oauth2.SharedToken(oauth2.Token{Subject: "alice", Audience: []string{resource},
				Expiry: time.Now().Add(time.Second)})
			a := newResource(t, returns(late))
			for range 2 {
				if _, _, err := a.VerifyToken(t.Context(), "abc"); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Second)
			if _, _, err := a.VerifyToken(t.Context(), "abc"); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("want ErrInvalid, got %v", err)
			}
		})
	})
	t.Run("requests at once to resources of several names", func(t *testing.T) {
		shared := oauth2.SharedToken(token)
		var group sync.WaitGroup
		for _, name := range []string{"", "", "api", "api", "other"} {
			a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{returns(shared)},
				LoadUser: load, Name: name})
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				for range 100 {
					if _, credential, err := a.VerifyToken(t.Context(), "abc"); err != nil ||
						credential.Backend() != a.Backend() {
						t.Errorf("want %s, got %v and %v", a.Backend(), credential, err)
					}
				}
			})
		}
		group.Wait()
	})
}

func TestUnitOwnsIsAskedOnceAndAboutTokensOnly(t *testing.T) {
	l := newLogin(t)
	l.says(200, "application/json", l.active())
	var asked []string
	source := l.source(func(c *oauth2.IntrospectionConfig) {
		c.Owns = func(token string) bool { asked = append(asked, token); return token != "foreign" }
	})
	a := newResource(t, source)
	for _, row := range []struct {
		header string
		kind   error
		asked  int
	}{
		{"Bearer mine", nil, 1},
		{"Bearer mine", nil, 1}, // remembered
		{"Bearer foreign", auth.ErrUnrecognized, 1},
		{"Bearer m!ne", auth.ErrMalformed, 0},
		{"Bearer mine twice", auth.ErrMalformed, 0},
		{"Bearer", auth.ErrMalformed, 0},
	} {
		asked = nil
		err := present(a, row.header)
		if !errors.Is(err, row.kind) || (err == nil) != (row.kind == nil) || len(asked) != row.asked {
			t.Errorf("%s: want %v and %d questions, got %v and %q", row.header, row.kind, row.asked, err, asked)
		}
	}
	if n := l.asked.Load(); n != 1 {
		t.Errorf("want one question to the server, got %d", n)
	}
}

// slowly is a source with a look-up that takes three seconds.
type slowly struct{ *recalling }

func (s slowly) Lookup(oauth2.Source) oauth2.LookupFunc {
	return func(context.Context, string, time.Time) (*oauth2.Token, error) {
		time.Sleep(3 * time.Second)
		return s.recall()
	}
}

func TestUnitALookUpThatTakesAWhileDoesNotStopTheClock(t *testing.T) {
	t.Run("a JWT that expires while its revocation is looked up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			key, err := jwt.GenerateKey(jwt.ES256)
			if err != nil {
				t.Fatal(err)
			}
			keys, err := jwt.NewKeySet(key)
			if err != nil {
				t.Fatal(err)
			}
			jwts, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: "https://login.example", Audience: []string{resource},
				Keys: keys, Revocations: slowRevocations{}})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			signed, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": "https://login.example", "aud": resource,
				"sub": "alice", "client_id": "web", "jti": "1", "iat": now.Unix(), "exp": now.Unix() + 8})
			if err != nil {
				t.Fatal(err)
			}
			a := newResource(t, jwts)
			for _, kind := range []error{nil, nil, auth.ErrInvalid} { // after 3, 6 and 9 seconds
				if err := present(a, "Bearer "+signed); auth.KindOf(err) != kind {
					t.Errorf("after %v: want %v, got %v", time.Since(now), kind, err)
				}
			}
		})
	})
	t.Run("a source is asked with the time after the source before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			first := slowly{
				&recalling{recall: bad(&auth.Error{Kind: auth.ErrUnrecognized, Cause: errors.New("foreign")})}}
			start := time.Now()
			second := &timed{}
			_, _, _ = newResource(t, first, second).VerifyToken(t.Context(), "abc")
			if got := second.at.Sub(start); got != 3*time.Second {
				t.Errorf("want 3s, got %v", got)
			}
		})
	})
}

// slowRevocations takes three seconds to find nothing.
type slowRevocations struct{}

func (slowRevocations) Revoked(context.Context, jwt.Claimed, time.Time) (bool, error) {
	time.Sleep(3 * time.Second)
	return false, nil
}

// timed is a source that keeps the time of its look-up.
type timed struct {
	source
	at time.Time
}

func (s *timed) Lookup(oauth2.Source) oauth2.LookupFunc {
	return func(_ context.Context, _ string, now time.Time) (*oauth2.Token, error) {
		s.at = now
		return good()()
	}
}

func TestUnitARequestThatNoServerHasRead(t *testing.T) {
	a := newResource(t, source{"abc": good()})
	for _, row := range []struct {
		sentence, header string
		kind             error
	}{
		{"without a token", "", auth.ErrNoCredentials},
		{"with another scheme", "Token abc", auth.ErrNoCredentials},
		{"with a token", "Bearer abc", nil},
	} {
		t.Run(row.sentence+" needs no URL", func(t *testing.T) {
			r := &http.Request{Header: http.Header{}}
			if row.header != "" {
				r.Header.Set("Authorization", row.header)
			}
			if _, _, err := a.Authenticate(r); auth.KindOf(err) != row.kind {
				t.Errorf("want %v, got %v", row.kind, err)
			}
		})
	}
	t.Run("a second token in the query is seen, however its name is written", func(t *testing.T) {
		for _, query := range []string{"access_token=x", "access%5Ftoken=x", "a=b&%61ccess_token"} {
			r := httptest.NewRequest("GET", "/?"+query, nil)
			r.Header.Set("Authorization", "Bearer abc")
			if _, _, err := a.Authenticate(r); auth.KindOf(err) != auth.ErrMalformed {
				t.Errorf("%s: want ErrMalformed, got %v", query, err)
			}
		}
	})
}
