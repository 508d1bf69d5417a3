package authtest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// mutant is a backend that breaks one sentence of the contract.
type mutant struct {
	sentence string // that it breaks
	how      string
	backend  auth.Authenticator
	cases    authtest.Cases
}

// token, cookie and gateway are mutants of the healthy backends.
func token(sentence, how string, mutate func(*spoken)) mutant {
	s := byToken()
	mutate(s)
	return mutant{sentence, how, s, tokenCases()}
}

func cookie(sentence, how string, mutate func(*spoken)) mutant {
	s := byCookie()
	mutate(s)
	return mutant{sentence, how, s, cookieCases()}
}

func gateway(sentence, how string, mutate func(*spoken)) mutant {
	s := byGateway()
	mutate(s)
	return mutant{sentence, how, s, gatewayCases()}
}

// instead makes a mutant that gives another answer to the requests with a token.
func instead(sentence, how, of string, answer proved) mutant {
	return token(sentence, how, func(s *spoken) { s.authenticate, s.verify = answering(s, of, always(answer)) })
}

func answering(s *spoken, of string, answer func() proved) (func(*http.Request) proved, func(string) proved) {
	authenticate, verify := s.authenticate, s.verify
	return func(r *http.Request) proved {
			scheme, token, err := auth.Authorization(r)
			if err == nil && strings.EqualFold(scheme, "Bearer") && token == of {
				return answer()
			}
			return authenticate(r)
		}, func(token string) proved {
			if token == of {
				return answer()
			}
			return verify(token)
		}
}

// before makes a mutant that looks at a request first, and may answer it.
func before(sentence, how string, look func(r *http.Request) (proved, bool)) mutant {
	return token(sentence, how, func(s *spoken) {
		authenticate := s.authenticate
		s.authenticate = func(r *http.Request) proved {
			if p, ok := look(r); ok {
				return p
			}
			return authenticate(r)
		}
	})
}

// after makes a mutant that does something to a request that it has judged.
func after(sentence, how string, spoil func(r *http.Request)) mutant {
	return token(sentence, how, func(s *spoken) {
		authenticate := s.authenticate
		s.authenticate = func(r *http.Request) proved {
			defer spoil(r)
			return authenticate(r)
		}
	})
}

// behindProxy makes a mutant that gives other answers once a Guard tells it of a
// proxy.
func behindProxy(sentence, how, of string, answer proved) mutant {
	m := before(sentence, how, func(r *http.Request) (proved, bool) {
		matches := r.Header.Get("Authorization") == of
		return answer, matches && len(auth.ProxiesFrom(r.Context()).Trusted) > 0
	})
	m.backend.(*spoken).proxies = always(true)
	return m
}

type userKey struct{}

var alice = authtest.User("alice")

func mutants(clock *atomic.Int64) []mutant {
	return slices.Concat(caseMutants(), outcomeMutants(), callMutants(), authorizationMutants(clock),
		capabilityMutants(), credentialMutants(), headerMutants(), decoratorMutants(), guardMutants())
}

func caseMutants() []mutant {
	const sentence = "the cases have a backend, a good request, and new requests at each call"
	kept := bearer("gw_alice")()
	good := func(request authtest.Request, user string) authtest.Cases {
		return authtest.Cases{Good: []authtest.Good{{Request: request, User: user}}}
	}
	return []mutant{
		{sentence, "no backend", nil, tokenCases()},
		{sentence, "a backend that is a nil pointer", (*spoken)(nil), tokenCases()},
		{sentence, "no good request", byToken(), authtest.Cases{}},
		{sentence, "a good request that is nil", byToken(), good(nil, "alice")},
		{sentence, "a good request without a user", byToken(), good(bearer("gw_alice"), "")},
		{sentence, "a request that is kept", byToken(), good(func() *http.Request { return kept }, "alice")},
	}
}

func outcomeMutants() []mutant {
	full := authtest.Credential{Name: "tokens"}
	return []mutant{
		before("Authenticate does not panic", "a cookie is dereferenced", func(r *http.Request) (proved, bool) {
			if r.Header.Get("Cookie") != "" {
				panic("no such cookie")
			}
			return proved{}, false
		}),
		instead("an error is never a nil pointer", "a nil *auth.Error for an outage", "gw_down",
			proved{err: (*auth.Error)(nil)}),
		instead("without an error there is a user", "nothing for a good token", "gw_alice", proved{}),
		instead("without an error there is a user", "nothing for a bad token", "gw_expired", proved{}),
		instead("a user is never a nil pointer", "a nil *auth.Machine", "gw_robot", proved{user: (*auth.Machine)(nil)}),
		instead("a credential is never a nil pointer", "a nil *credential", "gw_plain",
			proved{user: authtest.User("plain"), credential: (*authtest.Credential)(nil)}),
		instead("with an error there is no user and no credential", "the user of an expired token", "gw_expired",
			proved{user: alice, err: auth.ErrInvalid}),
		instead("with an error there is no user and no credential", "the credential of an expired token", "gw_expired",
			proved{credential: full, err: auth.ErrInvalid}),
		instead("a good request is proved", "a good token is refused", "gw_reader", proved{err: auth.ErrInvalid}),
		instead("only a good request is proved", "an expired token is proved", "gw_expired", proved{user: alice}),
		instead("only a good request is proved", "another backend's token is proved", "other_token",
			proved{user: alice}),
		instead("a bad credential is never taken for an absent one", "an expired token", "gw_expired",
			proved{err: auth.ErrNoCredentials}),
		instead("a bad credential is never taken for an absent one", "an outage", "gw_down",
			proved{err: &auth.Error{Kind: auth.ErrNoCredentials, Cause: io.EOF}}),
		before("a request without headers is ErrNoCredentials", "it is ErrInvalid",
			func(r *http.Request) (proved, bool) {
				return proved{err: auth.ErrInvalid}, len(r.Header) == 0
			}),
		before("another scheme in Authorization is ErrNoCredentials", "it is ErrUnrecognized",
			func(r *http.Request) (proved, bool) {
				scheme, _, err := auth.Authorization(r)
				return proved{err: auth.ErrUnrecognized}, err == nil && !strings.EqualFold(scheme, "Bearer")
			}),
		before("an absent credential is ErrNoCredentials", "a cookie is ErrMalformed",
			func(r *http.Request) (proved, bool) {
				return proved{err: auth.ErrMalformed}, r.Header.Get("Cookie") != ""
			}),
		before("an absent credential is ErrNoCredentials", "it is an outage too", func(r *http.Request) (proved, bool) {
			return proved{err: errors.Join(auth.ErrNoCredentials, io.EOF)}, r.Header.Get("Cookie") != ""
		}),
		instead("an invalid credential is ErrInvalid", "an expired token is ErrMalformed", "gw_expired",
			proved{err: auth.ErrMalformed}),
		instead("an invalid credential is ErrInvalid", "an expired token is an outage", "gw_expired",
			proved{err: io.EOF}),
		instead("a malformed credential is ErrMalformed", "it is ErrInvalid", "gw_alice and more",
			proved{err: auth.ErrInvalid}),
		instead("a token of another backend is ErrUnrecognized", "it is ErrInvalid", "other_token",
			proved{err: auth.ErrInvalid}),
		instead("too many tries are ErrThrottled", "they are ErrInvalid", "gw_busy", proved{err: auth.ErrInvalid}),
		instead("an outage has no kind", "a store that is down is ErrInvalid", "gw_down", proved{err: auth.ErrInvalid}),
		instead("an outage has no kind", "it is ErrUnrecognized with a cause", "gw_down",
			proved{err: &auth.Error{Kind: auth.ErrUnrecognized, Cause: io.EOF}}),
		instead("a UserID is never empty", "a user without one", "gw_plain", proved{user: authtest.User("")}),
		instead(`only a Machine has a UserID that starts with "client:"`, "a user of that name", "gw_robot",
			proved{user: authtest.User("client:robot")}),
		instead("the user is the expected one", "another user", "gw_plain", proved{user: alice}),
		instead("an error tells the client nothing of what it sent", "the token is in Detail", "gw_expired",
			proved{err: &auth.Error{Kind: auth.ErrInvalid, Detail: "Token gw_expired has expired."}}),
		instead("an error tells the client nothing of what it sent", "the token is in Params", "gw_expired",
			proved{err: &auth.Error{Kind: auth.ErrInvalid, Params: []auth.Param{{Name: "hint", Value: "gw_expired"}}}}),
		instead("an error tells the client nothing of what it sent", "the token is in Extensions", "gw_expired",
			proved{err: &auth.Error{Kind: auth.ErrInvalid, Extensions: map[string]any{"hint": "gw_expired"}}}),
	}
}

func callMutants() []mutant {
	const left = "the request is left as it was"
	const read = "the body can be read from its start after the call"
	flips := token("the same request has the same answer each time", "every other call is refused", func(s *spoken) {
		var calls atomic.Int64
		s.authenticate, s.verify = answering(s, "gw_plain", func() proved {
			if calls.Add(1)%2 == 0 {
				return proved{err: auth.ErrInvalid}
			}
			return proved{user: authtest.User("plain")}
		})
	})
	overlaps := token("the same request has the same answer while others are asked about", "calls share a field",
		func(s *spoken) {
			var inside atomic.Int64
			authenticate := s.authenticate
			s.authenticate = func(r *http.Request) proved {
				defer inside.Add(-1)
				alone := inside.Add(1) == 1
				for range 100 {
					runtime.Gosched()
					alone = alone && inside.Load() == 1
				}
				if !alone {
					return proved{err: auth.ErrInvalid}
				}
				return authenticate(r)
			}
		})
	return []mutant{
		flips, overlaps,
		after(left, "a header is added", func(r *http.Request) { r.Header.Set("X-User", "alice") }),
		after(left, "a header is removed", func(r *http.Request) { r.Header.Del("Authorization") }),
		after(left, "the address is another", func(r *http.Request) { r.URL = &url.URL{Path: "/other"} }),
		after(left, "the path is another", func(r *http.Request) { r.URL.Path = "/other" }),
		after(left, "the method is another", func(r *http.Request) { r.Method = "PUT" }),
		after(left, "the host is another", func(r *http.Request) { r.Host = "other.example" }),
		after(left, "the peer is another", func(r *http.Request) { r.RemoteAddr = "203.0.113.1:1" }),
		after(left, "the query is parsed", func(r *http.Request) { r.Form = url.Values{} }),
		after(left, "the context is another", func(r *http.Request) {
			*r = *r.WithContext(context.WithValue(r.Context(), userKey{}, "alice"))
		}),
		after(read, "it is read", func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
		after(read, "it is put back, but for the first byte", func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body[min(len(body), 1):]))
		}),
		after(read, "it is gone", func(r *http.Request) { r.Body = nil }),
		before("a client that has gone away does not make a good credential bad", "it is ErrInvalid",
			func(r *http.Request) (proved, bool) { return proved{err: auth.ErrInvalid}, r.Context().Err() != nil }),
		before("a client that has gone away does not make a good credential bad", "it is ErrNoCredentials",
			func(r *http.Request) (proved, bool) {
				return proved{err: auth.ErrNoCredentials}, r.Context().Err() != nil
			}),
	}
}

func authorizationMutants(clock *atomic.Int64) []mutant {
	const two, long = "two Authorization lines are never proved",
		"an Authorization longer than MaxAuthorization is never proved"
	const garbage = "garbage in Authorization is never proved and never a panic"
	lines := func(r *http.Request) []string { return r.Header["Authorization"] }
	spelled := func(how string, answer proved, known ...string) mutant {
		return before("the scheme of Authorization is read in any case", how, func(r *http.Request) (proved, bool) {
			scheme, _, err := auth.Authorization(r)
			return answer, err == nil && strings.EqualFold(scheme, "Bearer") && !slices.Contains(known, scheme)
		})
	}
	return []mutant{
		spelled("only as RFC 6750 writes it", proved{err: auth.ErrNoCredentials}, "Bearer"),
		spelled("not in upper case", proved{err: auth.ErrInvalid}, "Bearer", "bearer", "bEaReR"),
		spelled("not in lower case", proved{err: auth.ErrMalformed}, "Bearer", "BEARER", "bEaReR"),
		spelled("only in the three usual cases", proved{err: auth.ErrNoCredentials}, "Bearer", "bearer", "BEARER"),
		spelled("as another user otherwise", proved{user: authtest.User("mallory")}, "Bearer"),
		before(two, "the first counts", func(r *http.Request) (proved, bool) {
			return judge("gw_alice"), len(lines(r)) > 1 && lines(r)[0] == "Bearer gw_alice"
		}),
		before(two, "the last counts", func(r *http.Request) (proved, bool) {
			return judge("gw_alice"), len(lines(r)) > 1 && lines(r)[len(lines(r))-1] == "Bearer gw_alice"
		}),
		before(long, "spaces are cut off", func(r *http.Request) (proved, bool) {
			long := len(lines(r)) == 1 && len(lines(r)[0]) > auth.MaxAuthorization
			return judge("gw_alice"), long && strings.Join(strings.Fields(lines(r)[0]), " ") == "Bearer gw_alice"
		}),
		before("an Authorization of a megabyte is answered within a second", "it is hashed first",
			func(r *http.Request) (proved, bool) {
				if len(lines(r)) == 1 && len(lines(r)[0]) > 1<<20 {
					clock.Add(int64(time.Minute))
				}
				return proved{}, false
			}),
		before(garbage, "a token is looked for", func(r *http.Request) (proved, bool) {
			if scheme, value, _ := auth.Authorization(r); scheme == "Bearer" {
				_ = value[0]
			}
			return proved{}, false
		}),
		before(garbage, "an empty token is somebody's", func(r *http.Request) (proved, bool) {
			scheme, value, _ := auth.Authorization(r)
			return proved{user: alice}, scheme == "Bearer" && value == ""
		}),
		token("OwnTokens has the prefix of every good token", "an old prefix", func(s *spoken) {
			s.owns = always([]auth.TokenClass{{Scheme: "Bearer", Prefix: "old_"}})
		}),
		instead("a token that is not among OwnTokens is ErrUnrecognized", "it is ErrInvalid",
			"authtest-token-of-another-backend", proved{err: auth.ErrInvalid}),
		token("VerifyToken gives the answer of Authenticate", "another user", func(s *spoken) {
			s.verify = func(token string) proved {
				if token == "gw_plain" {
					return proved{user: alice}
				}
				return judge(token)
			}
		}),
		token("VerifyToken gives the answer of Authenticate", "expired tokens are good", func(s *spoken) {
			s.verify = func(token string) proved {
				if token == "gw_expired" {
					return proved{user: alice}
				}
				return judge(token)
			}
		}),
		token("VerifyToken does not prove an empty token", "it is somebody's", func(s *spoken) {
			s.verify = func(token string) proved {
				if token == "" {
					return proved{user: alice}
				}
				return judge(token)
			}
		}),
	}
}
