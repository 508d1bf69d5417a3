package auth_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"testing"

	"github.com/gatewarden/auth"
)

// TestANestedChainIsAFlatOne builds random lists of backends, nests them at
// random, and compares whole answers.
func TestANestedChainIsAFlatOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	outcomes := []error{nil, auth.ErrNoCredentials, auth.ErrNoCredentials, auth.ErrUnrecognized, auth.ErrInvalid,
		auth.ErrMalformed,
		auth.ErrThrottled, errors.New("down"), absentWith("stale")}
	for round := range 500 {
		var flat []auth.Authenticator
		var kinds []error
		for i := range 1 + rng.IntN(6) {
			err := outcomes[rng.IntN(len(outcomes))]
			b := speaking([]string{"Token", "Bearer", "Basic"}[rng.IntN(3)], err)
			b.name = fmt.Sprint("b", i)
			flat, kinds = append(flat, b), append(kinds, err)
		}
		nested := nest(rng, flat)
		for _, optional := range []bool{false, true} {
			answer := func(backends []auth.Authenticator) any {
				g := guardOf(t, backends...)
				wrap := g.Require()
				if optional {
					wrap = g.Optional()
				}
				w := get(wrap(whoami), "Authorization", "Bearer x")
				return []any{w.Code, w.Header(), w.Body.String()}
			}
			if a, b := answer(flat), answer(nested); !reflect.DeepEqual(a, b) {
				t.Fatalf("round %d, outcomes %v:\nflat   %v\nnested %v", round, kinds, a, b)
			}
		}
		// A Chain by itself tells the same kind as the Guard.
		_, _, one := auth.Chain(flat...).Authenticate(request("GET", "/"))
		_, _, two := auth.Chain(nested...).Authenticate(request("GET", "/"))
		_, _, three := guardOf(t, flat...).Authenticate(request("GET", "/"))
		if auth.KindOf(one) != auth.KindOf(two) || auth.KindOf(one) != auth.KindOf(three) ||
			(one == nil) != (three == nil) {
			t.Fatalf("round %d, outcomes %v: %v, %v, %v", round, kinds, one, two, three)
		}
	}
}

func nest(rng *rand.Rand, flat []auth.Authenticator) []auth.Authenticator {
	if len(flat) < 2 {
		return []auth.Authenticator{auth.Chain(flat...)}
	}
	cut := 1 + rng.IntN(len(flat)-1)
	left, right := flat[:cut], flat[cut:]
	if rng.IntN(2) == 0 {
		return append([]auth.Authenticator{auth.Chain(nest(rng, left)...)}, right...)
	}
	return []auth.Authenticator{auth.Chain(left...), auth.Chain(nest(rng, right)...)}
}

// absentWith is ErrNoCredentials that clears a stale cookie.
func absentWith(cookie string) error { return absentError{cookie, nil} }

// absentError has a slice, so it cannot be compared: a Guard must not try.
type absentError struct {
	cookie string
	_      []int
}

func (absentError) Error() string { return "stale cookie" }
func (absentError) Unwrap() error { return auth.ErrNoCredentials }
func (e absentError) SetHeaders(h http.Header) {
	h.Add("Set-Cookie", e.cookie+"=; Max-Age=0")
}

func TestAStaleCookieIsClearedWhateverBecomesOfTheRequest(t *testing.T) {
	one, two := speaking("One", absentWith("one")), speaking("Two", fmt.Errorf("wrapped: %w", absentWith("two")))
	plain := speaking("Plain", &auth.Error{Kind: auth.ErrNoCredentials})
	refusedOrigin := speaking("Ambient", nil)
	refusedOrigin.ambient = true
	for name, row := range map[string]struct {
		last   *backend
		wrap   func(*auth.Guard) func(http.Handler) http.Handler
		status int
	}{
		"proved by another backend":  {speaking("Token", nil), require, 200},
		"refused, nobody proves":     {speaking("Token", auth.ErrNoCredentials), require, 401},
		"anonymous":                  {speaking("Token", auth.ErrNoCredentials), optional, 200},
		"refused, unrecognized":      {speaking("Token", auth.ErrUnrecognized), optional, 401},
		"refused, another is bad":    {speaking("Token", auth.ErrInvalid), optional, 401},
		"refused, another is down":   {speaking("Token", errors.New("down")), require, 503},
		"refused for the origin":     {refusedOrigin, require, 403},
		"refused, another has a bug": {proving(nil), require, 500},
	} {
		t.Run(name, func(t *testing.T) {
			for _, backends := range [][]auth.Authenticator{{plain, one, two, row.last},
				{plain, auth.Chain(one, auth.Chain(two)), row.last}} {
				w := do(row.wrap(guardOf(t, backends...))(whoami), request("POST", "/", "Sec-Fetch-Site", "cross-site"))
				wantStatus(t, w, row.status)
				want := []string{"one=; Max-Age=0", "two=; Max-Age=0"}
				if got := w.Header()["Set-Cookie"]; !reflect.DeepEqual(got, want) {
					t.Errorf("Set-Cookie %q, want %q", got, want)
				}
			}
		})
	}
}

func require(g *auth.Guard) func(http.Handler) http.Handler  { return g.Require() }
func optional(g *auth.Guard) func(http.Handler) http.Handler { return g.Optional() }

func TestACredentialSetsHeadersBeforeTheHandler(t *testing.T) {
	b := speaking("Token", nil)
	b.answer = func(*http.Request) (auth.User, auth.Credential, error) {
		return user("u"), cred{set: http.Header{"Dpop-Nonce": {"n1"}}}, nil
	}
	w := get(guardOf(t, b).Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if w.Header().Get("DPoP-Nonce") != "n1" {
			t.Error("not set before the handler")
		}
	})))
	wantStatus(t, w, 200)
}

func TestARefusalSetsItsHeaders(t *testing.T) {
	b := speaking("DPoP", &auth.Error{Kind: auth.ErrInvalid, Code: "use_dpop_nonce", Cause: nonceError{}})
	w := get(guardOf(t, b).Require()(whoami))
	wantStatus(t, w, 401)
	if w.Header().Get("DPoP-Nonce") != "n2" {
		t.Errorf("header %v", w.Header())
	}
}

type nonceError struct{}

func (nonceError) Error() string            { return "use a nonce" }
func (nonceError) SetHeaders(h http.Header) { h.Set("DPoP-Nonce", "n2") }

// An unrecognized error that cannot be compared must not panic either.
type listError []string

func (listError) Error() string        { return "list" }
func (listError) Is(target error) bool { return target == auth.ErrUnrecognized }

func TestErrorsNeedNotBeComparable(t *testing.T) {
	g := guardOf(t, speaking("Token", listError{"a"}), speaking("Bearer", listError{"b"}))
	wantStatus(t, get(g.Optional()(whoami), "Authorization", "Token x"), 401)
}

func TestKindIsWhatTheOutermostErrorStates(t *testing.T) {
	for name, row := range map[string]struct{ err, want error }{
		"nil":                {nil, nil},
		"a sentinel":         {auth.ErrThrottled, auth.ErrThrottled},
		"a wrapped sentinel": {fmt.Errorf("x: %w", auth.ErrNoCredentials), auth.ErrNoCredentials},
		"an Error":           {&auth.Error{Kind: auth.ErrInvalid}, auth.ErrInvalid},
		"an Error whose cause is another": {&auth.Error{Kind: auth.ErrInvalid, Cause: auth.ErrNoCredentials},
			auth.ErrInvalid},
		"an outage caused by one":           {&auth.Error{Cause: auth.ErrNoCredentials}, nil},
		"an unknown error":                  {errors.New("x"), nil},
		"absent and something else besides": {errors.Join(auth.ErrNoCredentials, auth.ErrMalformed), auth.ErrMalformed},
		"a user who is gone":                {auth.ErrUserNotFound, auth.ErrInvalid},
	} {
		if got := auth.KindOf(row.err); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
	err := &auth.Error{Kind: auth.ErrInvalid, Detail: "No.", Cause: errors.New("row gone")}
	if got := err.Error(); got != "auth: invalid credential: No.: row gone" {
		t.Error(got)
	}
}
