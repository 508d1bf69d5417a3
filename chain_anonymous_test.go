package auth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gatewarden/auth"
)

func TestOnlyAPlainStatementMakesARequestAnonymous(t *testing.T) {
	down := errors.New("the store is down")
	for _, row := range []struct {
		sentence string
		err      error
		want     error
	}{
		{"the sentinel", auth.ErrNoCredentials, auth.ErrNoCredentials},
		{"wrapped", fmt.Errorf("session: %w", auth.ErrNoCredentials), auth.ErrNoCredentials},
		{"stated, with a cause", &auth.Error{Kind: auth.ErrNoCredentials, Cause: down}, auth.ErrNoCredentials},
		{"two that say so", errors.Join(auth.ErrNoCredentials, auth.ErrNoCredentials), auth.ErrNoCredentials},
		{"joined with an outage", errors.Join(auth.ErrNoCredentials, down), nil},
		{"wrapped with an outage", fmt.Errorf("%w: %w", down, auth.ErrNoCredentials), nil},
		{"stated, joined with an outage", errors.Join(&auth.Error{Kind: auth.ErrNoCredentials}, down), nil},
		{"joined with a bad credential", errors.Join(auth.ErrNoCredentials, auth.ErrInvalid), auth.ErrInvalid},
		{"a nil *Error", (*auth.Error)(nil), nil},
		{"a nil *Error, wrapped", fmt.Errorf("x: %w", (*auth.Error)(nil)), nil},
		{"a nil *Error, joined", errors.Join(auth.ErrNoCredentials, (*auth.Error)(nil)), nil},
		{"a bad credential with its cause", fmt.Errorf("%w: %w", auth.ErrInvalid, down), auth.ErrInvalid},
	} {
		if got := auth.KindOf(row.err); got != row.want {
			t.Errorf("%s: %v, want %v", row.sentence, got, row.want)
		}
	}
}

func TestAProxyNamedByAMappedPrefixIsTrusted(t *testing.T) {
	proxies := auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}
	r := &http.Request{RemoteAddr: "10.1.2.3:4", Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
	if got := proxies.ClientIP(r).String(); got != "203.0.113.9" {
		t.Error(got)
	}
	r.RemoteAddr = "11.1.2.3:4"
	if got := proxies.ClientIP(r).String(); got != "11.1.2.3" {
		t.Error(got)
	}
}

func TestANilPolicyRefuses(t *testing.T) {
	backend := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return auth.Machine{ID: "x"}, nil, nil
	})
	guard, err := auth.New(
		auth.Config{Backends: []auth.Authenticator{backend}, Challenges: []auth.Challenge{{Scheme: "X"}},
			Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range []auth.Policy{nil, auth.Any(nil), auth.All(auth.AllowMachines, nil)} {
		w := httptest.NewRecorder()
		guard.Require(policy)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") })).
			ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 500 {
			t.Error(w.Code)
		}
	}
}
