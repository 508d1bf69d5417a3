package authtest_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// changing returns values in turn.
func changing[T any](values ...T) func() T {
	var calls atomic.Int64
	return func() T { return values[int(calls.Add(1)-1)%len(values)] }
}

func capabilityMutants() []mutant {
	const sent, same = "a challenge can be sent", " returns the same at each call"
	bearerOnly := []auth.Challenge{{Scheme: "Bearer"}}
	challenge := func(how, scheme string, params ...auth.Param) mutant {
		return token(sent, how, func(s *spoken) {
			s.challenges = always([]auth.Challenge{{Scheme: scheme, Params: params}})
		})
	}
	return []mutant{
		token("Challenges"+same, "it grows", func(s *spoken) {
			s.challenges = changing(bearerOnly, append(bearerOnly, bearerOnly...))
		}),
		token("StripHeaders"+same, "now and then", func(s *spoken) { s.strips = changing(nil, []string{"X-User"}) }),
		token("Vary"+same, "now and then", func(s *spoken) {
			s.vary = changing([]string{"Authorization"}, []string{"Authorization", "Cookie"})
		}),
		token("OwnTokens"+same, "in any order", func(s *spoken) {
			one := auth.TokenClass{Scheme: "Bearer", Prefix: "gw_"}
			other := auth.TokenClass{Scheme: "Bearer", Prefix: "old_"}
			s.owns = changing([]auth.TokenClass{one, other}, []auth.TokenClass{other, one})
		}),
		token("Ambient"+same, "now and then", func(s *spoken) { s.ambient = changing(false, true) }),
		token("ReadsProxies"+same, "now and then", func(s *spoken) { s.proxies = changing(true, false) }),
		cookie("Backend"+same, "a number in it", func(s *spoken) { s.name = changing("one", "two") }),
		cookie("a backend has a name that is not empty", "it is empty", func(s *spoken) { s.name = always("") }),
		challenge("a scheme with a space", "Be arer"),
		challenge("an empty scheme", ""),
		challenge("a parameter twice", "Bearer", auth.Param{Name: "realm", Value: "a"},
			auth.Param{Name: "Realm", Value: "b"}),
		challenge("a parameter with a line feed", "Bearer", auth.Param{Name: "realm", Value: "a\nb"}),
		challenge("a parameter without a name", "Bearer", auth.Param{Value: "a"}),
		{"a 401 has a challenge to send", "there is none in the cases either",
			auth.AuthenticatorFunc(byToken().Authenticate), tokenCases()},
		token("StripHeaders returns names of headers", "a space",
			func(s *spoken) { s.strips = always([]string{"X User"}) }),
		token("Vary returns names of headers", "two in one", func(s *spoken) {
			s.vary = always([]string{"Authorization", "Cookie, Accept"})
		}),
		before("a backend that asks for the client's address says so by ReadsProxies", "it does not",
			func(r *http.Request) (proved, bool) {
				return proved{}, !auth.ClientIP(r).IsValid() && r.RemoteAddr == ""
			}),
		token("OwnTokens names schemes", "an empty one", func(s *spoken) {
			s.owns = always([]auth.TokenClass{{Scheme: "Bearer", Prefix: "gw_"}, {Prefix: "gw_"}})
		}),
	}
}

// lineFeed is a credential and an error that sets a header which breaks the answer.
type lineFeed struct{ authtest.Credential }

func (lineFeed) SetHeaders(h http.Header) { h.Set("X-Note", "a\r\nSet-Cookie: session=alices") }
func (lineFeed) Error() string            { return "a line feed" }
func (lineFeed) Unwrap() error            { return auth.ErrNoCredentials }

// badName sets a header that has no name.
type badName struct{ authtest.Credential }

func (badName) SetHeaders(h http.Header) { h["X Note"] = []string{"a"} }

// silent is a credential without any capability.
type silent struct{}

func (silent) Backend() string { return "tokens" }

func credentialMutants() []mutant {
	const name, scopes, limits = "a credential has the name of its backend", "scopes are scope-tokens",
		"a credential is limited as the case says"
	plain := func(sentence, how string, credential auth.Credential) mutant {
		return instead(sentence, how, "gw_plain", proved{user: authtest.User("plain"), credential: credential})
	}
	reader := func(sentence, how string, credential auth.Credential) mutant {
		return instead(sentence, how, "gw_reader", proved{user: authtest.User("reader"), credential: credential})
	}
	limited := authtest.Credential{Name: "tokens", Scope: []string{"read"}, IsPrimary: true}
	return []mutant{
		plain(name, "another backend's", authtest.Credential{Name: "sessions"}),
		{name, "an empty one", nameless{}, tokenCases()},
		reader(scopes, "a space", authtest.Credential{Name: "tokens", Scope: []string{"read write"}}),
		reader(scopes, "a quote", authtest.Credential{Name: "tokens", Scope: []string{`"read"`}}),
		reader(scopes, "an empty one", authtest.Credential{Name: "tokens", Scope: []string{"read", ""}}),
		reader(limits, "a limited one has full access", authtest.Credential{Name: "tokens"}),
		reader(limits, "no credential, and so full access", nil),
		reader(limits, "one scope more", authtest.Credential{Name: "tokens", Scope: []string{"read", "write"}}),
		plain(limits, "no Scopes, and so limited to nothing", silent{}),
		plain("a good credential has not expired", "it has", authtest.Credential{Name: "tokens", Expiry: time.Unix(1,
			0)}),
		plain("a login is not in the future", "tomorrow", authtest.Credential{Name: "tokens",
			Auth: auth.AuthInfo{AuthTime: time.Now().Add(24 * time.Hour)}}),
		instead("a machine's credential is not primary", "it is", "gw_robot", proved{user: auth.Machine{ID: "robot"},
			credential: limited}),
		plain("a header that a credential or an error sets can be sent", "a credential's line feed",
			lineFeed{authtest.Credential{Name: "tokens"}}),
		plain("a header that a credential or an error sets can be sent", "a space in a name",
			badName{authtest.Credential{Name: "tokens"}}),
		before("a header that a credential or an error sets can be sent", "an error's line feed",
			func(r *http.Request) (proved, bool) {
				return proved{err: lineFeed{}}, r.Header.Get("Cookie") != ""
			}),
	}
}

// nameless is a backend without a name, and so are its credentials.
type nameless struct{}

func (nameless) Challenges() []auth.Challenge { return byToken().Challenges() }
func (nameless) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	user, credential, err := byToken().Authenticate(r)
	if known, ok := credential.(authtest.Credential); ok {
		credential = anonymousCredential{known}
	}
	return user, credential, err
}

type anonymousCredential struct{ authtest.Credential }

func (anonymousCredential) Backend() string { return "" }

func headerMutants() []mutant {
	const vary, strip, ambient = "Vary names every header that the answer depends on",
		"StripHeaders has every header that alone says who the user is",
		"a credential that browsers add by themselves is ambient"
	basic := byCookie()
	basic.authenticate = func(r *http.Request) proved {
		if scheme, value, err := auth.Authorization(r); err != nil || !strings.EqualFold(scheme, "Basic") ||
			value != "YWxpY2U6c2VzYW1l" {
			return proved{err: auth.ErrNoCredentials}
		}
		return proved{user: alice}
	}
	basic.verify = func(token string) proved {
		return basic.authenticate(authtest.RequestWith("Authorization", "Basic "+token)())
	}
	basic.owns, basic.vary, basic.ambient = always([]auth.TokenClass{{Scheme: "Basic"}}),
		always([]string{"Authorization"}), always(false)
	basicCases := authtest.Cases{Good: []authtest.Good{{Request: authtest.RequestWith("Authorization",
		"Basic YWxpY2U6c2VzYW1l"), User: "alice"}}}
	return []mutant{
		cookie(vary, "Cookie is left out", func(s *spoken) { s.vary = always([]string{"Authorization"}) }),
		gateway(vary, "no header is named", func(s *spoken) { s.vary = always([]string(nil)) }),
		gateway(strip, "the name is not stripped", func(s *spoken) { s.strips = always([]string{"X-Gateway-Secret"}) }),
		{strip, "a header is believed without a secret", believing(), authtest.Cases{
			Good: []authtest.Good{{Request: authtest.RequestWith("X-Username", "alice"), User: "alice"}}}},
		cookie(ambient, "a cookie is not", func(s *spoken) { s.ambient = always(false) }),
		{ambient, "Basic is not", basic, basicCases},
		gateway(ambient, "a proxy's header is not", func(s *spoken) { s.ambient = always(false) }),
	}
}

// believing takes X-Username from everybody.
func believing() *spoken {
	s := byCookie()
	s.authenticate = func(r *http.Request) proved {
		if user := r.Header.Get("X-Username"); user != "" {
			return proved{user: authtest.User(user)}
		}
		return proved{err: auth.ErrNoCredentials}
	}
	s.vary = always([]string{"X-Username"})
	return s
}

// These are decorators, credentials and users with a fault in how they wrap.
type (
	loopedBackend    struct{ *spoken }             // unwraps to itself
	loopedCredential struct{ authtest.Credential } // unwraps to itself
	loopedUser       struct{ authtest.TestUser }   // unwraps to itself
	hoarding         struct{ *spoken }             // has no Unwrap
	closed           struct{ inner *spoken }       // has no Unwrap and no capability
	holding          struct{ auth.User }           // has no Unwrap
	stubborn         struct{ inner auth.Authenticator }
	memo             struct{ inner authtest.Credential } // has no Unwrap, and keeps scopes only
)

func (l loopedBackend) Unwrap() auth.Authenticator { return l }
func (l loopedCredential) Unwrap() auth.Credential { return l }
func (l loopedUser) Unwrap() auth.User             { return l }

func (m memo) Backend() string          { return m.inner.Backend() }
func (m memo) Scopes() ([]string, bool) { return m.inner.Scopes() }

func (c closed) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	return c.inner.Authenticate(r)
}

// stubborn strips nothing, whatever it wraps.
func (s stubborn) Unwrap() auth.Authenticator { return s.inner }
func (stubborn) StripHeaders() []string       { return nil }
func (stubborn) Vary() []string               { return []string{"X-Gateway-User", "X-Gateway-Secret"} }
func (s stubborn) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	return s.inner.Authenticate(r)
}

func decoratorMutants() []mutant {
	wrapping := func(inner *spoken) authtest.Cases {
		cases := tokenCases()
		cases.Wraps, cases.Challenges = inner, inner.Challenges()
		return cases
	}
	forgetful := byToken()
	authenticate := forgetful.authenticate
	forgetful.authenticate = func(r *http.Request) proved {
		p := authenticate(r)
		if known, ok := p.credential.(authtest.Credential); ok {
			p.credential = memo{known}
		}
		return p
	}
	return []mutant{
		{"Unwrap of a backend comes to an end", "it unwraps to itself", loopedBackend{byToken()}, tokenCases()},
		instead("Unwrap of a credential comes to an end", "it unwraps to itself", "gw_plain", proved{
			user: authtest.User("plain"), credential: loopedCredential{authtest.Credential{Name: "tokens"}}}),
		instead("Unwrap of a user comes to an end", "it unwraps to itself", "gw_plain", proved{
			user: loopedUser{authtest.TestUser{ID: "plain"}}}),
		{"auth.New accepts the backend", "a decorator without Unwrap", hoarding{byToken()}, tokenCases()},
		{"auth.New accepts the backend", "a decorator without any capability", closed{byToken()}, tokenCases()},
		{"auth.New accepts the backend", "the same of a gateway's backend", closed{byGateway()}, gatewayCases()},
		{"a decorator has every capability of what it wraps", "a closure",
			auth.AuthenticatorFunc(byToken().Authenticate), wrapping(byToken())},
		{"a decorator strips every header that what it wraps strips", "StripHeaders of its own",
			stubborn{byGateway()}, gatewayCases()},
		{"a decorator's credential has every capability of the one inside", "no Unwrap", forgetful,
			wrapping(byToken())},
	}
}

func guardMutants() []mutant {
	const refused = "behind a Guard, a bad credential has the status of its kind"
	return []mutant{
		gateway("behind a Guard, a good request reaches the handler without stripped headers",
			"New learns of no header", tellNewLess),
		instead("behind a Guard, a good request reaches the handler without stripped headers", "a user without Unwrap",
			"gw_plain", proved{user: holding{authtest.User("plain")}}),
		behindProxy("behind a Guard, a good request reaches the handler without stripped headers", "it is refused",
			"Bearer gw_plain", proved{err: auth.ErrInvalid}),
		behindProxy("behind a Guard, a good request reaches the handler without stripped headers", "as another user",
			"Bearer gw_plain", proved{user: alice}),
		behindProxy("behind a Guard, an absent credential is 401 with a challenge", "it is proved", "",
			proved{user: alice}),
		behindProxy("behind a Guard, an absent credential is 401 with a challenge", "it is an outage", "",
			proved{err: io.EOF}),
		behindProxy(refused, "an expired token is proved", "Bearer gw_expired", proved{user: alice}),
		behindProxy(refused, "an outage is ErrInvalid", "Bearer gw_down", proved{err: auth.ErrInvalid}),
		behindProxy(refused, "a malformed one is an outage", "Bearer gw_alice and more", proved{err: io.EOF}),
		behindProxy(refused, "a throttled one is ErrInvalid", "Bearer gw_busy", proved{err: auth.ErrInvalid}),
		behindProxy("behind an optional Guard, a request without a credential is anonymous", "it is ErrUnrecognized",
			"",
			proved{err: auth.ErrUnrecognized}),
		behindProxy("behind an optional Guard, a bad credential is refused", "it is ErrNoCredentials",
			"Bearer gw_expired",
			proved{err: auth.ErrNoCredentials}),
	}
}

// tellNewLess makes StripHeaders return nothing to auth.New, which asks first.
func tellNewLess(s *spoken) {
	strips := s.strips()
	var asked atomic.Bool
	s.strips = func() []string {
		if !asked.Swap(true) {
			return nil
		}
		return strips
	}
}
