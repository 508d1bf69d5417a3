package authtest_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
)

// smallIssuer issues one session, and can have a fault.
type smallIssuer struct {
	fault  string
	logger *slog.Logger
	guard  *auth.Guard
	issued int
	down   bool
}

func (s *smallIssuer) revoke(ctx context.Context) error {
	switch {
	case s.down:
		return errors.New("the store is down")
	case ctx.Err() != nil:
		return ctx.Err()
	}
	s.issued--
	return nil
}

func (s *smallIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, credential, err := s.guard.Authenticate(r)
	if err != nil {
		s.guard.Refuse(w, r, err)
		return
	}
	s.issued++
	issued := backend.Issued{Backend: "small", UserID: user.UserID(), CredentialID: "1", Revoke: s.revoke,
		Logger: s.logger}
	switch s.fault {
	case "it does not finish":
	case "it finishes and revokes nothing":
		err = backend.Finish(r.Context(), credential)
	case "it revokes in the name of the client":
		if err = backend.Finish(r.Context(), credential); err != nil {
			if fault := s.revoke(r.Context()); fault != nil {
				s.logger.Error("not revoked", "user", "alice")
			}
		}
	case "it logs nothing":
		issued.Logger = slog.New(slog.DiscardHandler)
		err = backend.FinishOrRevoke(r.Context(), credential, issued)
	case "it sends the cookie before":
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "x"})
		err = backend.FinishOrRevoke(r.Context(), credential, issued)
	default:
		err = backend.FinishOrRevoke(r.Context(), credential, issued)
	}
	if err != nil {
		s.guard.Refuse(w, r, err)
	}
}

func TestUnitUnfinishedLogins(t *testing.T) {
	const finished, nothing, gone, told = "a login that is finished is answered, and stays",
		"nothing is left of a login that cannot be finished", "nothing is left of it where the client is gone",
		"the log names what the store cannot end"
	start := func(fault string) func(*slog.Logger) authtest.Issuing {
		return func(logger *slog.Logger) authtest.Issuing {
			s := &smallIssuer{fault: fault, logger: logger}
			nobody := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
				return nil, nil, auth.ErrNoCredentials
			})
			return authtest.Issuing{Issuer: nobody,
				Login: func(guard *auth.Guard) (handler http.Handler, err error) {
					s.guard, err = guard.Login()
					return s, err
				},
				Count:   func(context.Context) (int, error) { return s.issued, nil },
				SetDown: func() { s.down = true }}
		}
	}
	for fault, want := range map[string][]string{
		"it does not finish":                   {nothing, gone, told},
		"it finishes and revokes nothing":      {nothing, gone, told},
		"it revokes in the name of the client": {gone},
		"it logs nothing":                      {told},
		"it sends the cookie before":           {nothing, gone, told},
		"":                                     nil,
	} {
		t.Run("a backend with the fault: "+fault, func(t *testing.T) {
			found := authtest.UnfinishedFaults(t.Context(), start(fault))
			for _, sentence := range []string{finished, nothing, gone, told} {
				if slices.Contains(want, sentence) != (len(found[sentence]) > 0) {
					t.Errorf("%s: got %q", sentence, found[sentence])
				}
			}
		})
	}
	authtest.UnfinishedLogins(t, func(_ *testing.T, logger *slog.Logger) authtest.Issuing { return start("")(logger) })
}
