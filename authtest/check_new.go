package authtest

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/gatewarden/auth"
)

// newChecks are about auth.New. They run first, because a backend that New refuses
// often fails other checks for the same reason: the challenges of what a decorator
// holds cannot be found without Unwrap, for example.
func newChecks() []check {
	return []check{{"auth.New accepts the backend", (*suite).checkNew}}
}

// trusted is the network of the proxies that the Guard knows. It is one that no
// request of a test comes from (RFC 3849).
var trusted = netip.MustParsePrefix("2001:db8::/32")

// checkNew makes the Guard of the later checks. Challenges of the backend that are
// missing or cannot be sent are left to the checks of their own.
func (s *suite) checkNew() {
	if isNil(s.backend) {
		s.skipped = "the backend is nil"
		return
	}
	guard, err := s.newGuard(s.backend)
	if err == nil {
		s.guard = guard
		return
	}
	if _, other := s.newGuard(otherChallenge{s.backend}); other == nil && !s.canChallenge() {
		s.skipped = "the challenges of the backend are at fault"
		return
	}
	s.refused = true
	s.fault(nil, "want a Guard, got the error %q", err)
}

// canChallenge reports whether a 401 has challenges, and those of the backend are
// all right.
func (s *suite) canChallenge() bool {
	own := s.challenges()
	for _, c := range own {
		if challengeFault(c) != "" {
			return false
		}
	}
	return len(own)+len(s.cases.Challenges) > 0
}

func (s *suite) newGuard(backend auth.Authenticator) (*auth.Guard, error) {
	return auth.New(auth.Config{
		Backends:   []auth.Authenticator{backend},
		Challenges: s.cases.Challenges,
		Proxies:    auth.Proxies{Trusted: []netip.Prefix{trusted}},
		Logger:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		Render: func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) {
			s.cause = p.Err
			auth.WriteProblem(w, p)
		},
	})
}

// otherChallenge is a backend with a challenge that can be sent, in place of its
// own. New finds every other fault in it.
type otherChallenge struct{ auth.Authenticator }

func (c otherChallenge) Unwrap() auth.Authenticator { return c.Authenticator }

func (otherChallenge) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: unknownScheme}} }

// ifAccepted makes a check that is skipped if auth.New refuses the backend. Its
// faults would only follow from that.
func ifAccepted(run func(*suite)) func(*suite) {
	return func(s *suite) {
		if s.refused {
			s.skipped = "auth.New did not accept the backend. Mend that first, this may follow from it"
			return
		}
		run(s)
	}
}
