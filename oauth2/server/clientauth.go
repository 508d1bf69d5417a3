package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
)

// clientAuthentication is a way in which clients authenticate (RFC 6749 §2.3).
type clientAuthentication struct {
	method string // its token_endpoint_auth_method (RFC 7591 §2)
	// scheme is the scheme of the Authorization header that it reads, or "".
	scheme string
	// assertion says that it reads a client_assertion (RFC 7521 §4.2).
	assertion bool
	// secret says that it proves that the client knows its client_secret. A client that is
	// registered without a method may use each of these.
	secret bool
	// read returns what a request carries for this method, or nil. An error that is an *Error
	// is answered to the client.
	read func(r *http.Request, form Form) (*clientCredentials, error)
	// check says in cause why the credentials do not prove the client. An err is an outage.
	check func(ctx context.Context, client *Client, c *clientCredentials) (cause, err error)
}

// clientCredentials are what a client sent to prove itself.
type clientCredentials struct {
	clientID string
	secret   string // or an assertion, or "" if the proof is elsewhere in the request
}

// requestCredentials is what authenticates one request: credentials, and the methods that carried them.
type requestCredentials struct {
	clientCredentials
	network string                  // the network that the request came from: see networkOf
	methods []*clientAuthentication // empty for a client that only names itself
	read    bool                    // a method has read something
}

// names returns the methods as the log shows them.
func (p *requestCredentials) names() string {
	if len(p.methods) == 0 {
		return AuthNone
	}
	var names []string
	for _, m := range p.methods {
		names = append(names, m.method)
	}
	return strings.Join(names, " ")
}

// errClient is the one answer to unknown clients and wrong secrets.
func errClient(cause error) *Error {
	return refuse(CodeInvalidClient, "Client authentication failed.", cause)
}

func errTwoWays(failed string) *Error {
	return refuse(CodeInvalidRequest, "The client must authenticate in one way only.", failedCheck(failed))
}

// The causes of refused clients. A secret is never among what they print.
var (
	errNoClientID   = errors.New("the client_id is missing")
	errAssertion    = errors.New("a client_assertion came, and the server does not take any (RFC 7523)")
	errBasic        = errors.New("the Basic credentials are not two form-encoded texts in base64 (RFC 6749 §2.3.1)")
	errNoSecretKept = errors.New("no secret is registered for the client, see Server.RenewSecret")
	errPublicCaller = errors.New("the client is public, and only clients with a secret may introspect (RFC 7662 §2.1)")
)

// authenticate finds out which client sent a form (RFC 6749 §2.3). Wrong secrets
// and unknown clients have one answer.
func (s *Server) authenticate(r *http.Request, form Form) (*Client, error) {
	p, err := s.readClientCredentials(r, form)
	if err != nil {
		return nil, err
	}
	client, cause, err := s.enabledClient(r.Context(), p.clientID)
	if err != nil {
		return nil, err
	}
	if cause != nil {
		return nil, refusedClient(s.unknownClient(p, cause))
	}
	cause, err = s.checkClient(r.Context(), client, p)
	if err != nil {
		return nil, err
	}
	if cause != nil {
		return nil, ofClient(client.ID, refusedClient(cause))
	}
	return client, nil
}

// readClientCredentials asks each method for its credentials. Several methods may carry the
// same ones: some clients send their secret both in the header and in the body.
func (s *Server) readClientCredentials(r *http.Request, form Form) (*requestCredentials, error) {
	if err := s.checkAuthorizationHeader(r, form); err != nil {
		return nil, err
	}
	p := &requestCredentials{clientCredentials: clientCredentials{clientID: form.Get("client_id")},
		network: networkOf(r)}
	for i := range s.features.clientAuth {
		method := &s.features.clientAuth[i]
		c, err := method.read(r, form)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		if err := p.add(method, c, form.Get("client_id")); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add adds what one method read. The request may name the client, and credentials may not
// contradict it or each other.
func (p *requestCredentials) add(method *clientAuthentication, c *clientCredentials, named string) error {
	if named != "" && c.clientID != "" && named != c.clientID {
		return refuse(CodeInvalidRequest, "The client_id is not that of the client's credentials.",
			failedValue("the client_id is not that of the credentials", named, c.clientID))
	}
	if p.read && c.clientID == "" {
		c.clientID = p.clientID
	}
	if p.read && *c != p.clientCredentials {
		return errTwoWays("the request has two different credentials, of which one is of " + method.method)
	}
	p.clientCredentials, p.read = *c, true
	if !method.secret || c.secret != "" { // an empty secret is no secret
		p.methods = append(p.methods, method)
	}
	return nil
}

// checkAuthorizationHeader refuses what no method reads: another scheme of the Authorization
// header, or an assertion.
func (s *Server) checkAuthorizationHeader(r *http.Request, form Form) error {
	some := func(reads func(m clientAuthentication) bool) bool {
		return slices.ContainsFunc(s.features.clientAuth, reads)
	}
	asserted := form.Get("client_assertion") != "" || form.Get("client_assertion_type") != ""
	if asserted && !some(func(m clientAuthentication) bool { return m.assertion }) {
		if form.Get("client_secret") != "" || r.Header.Get("Authorization") != "" {
			return errTwoWays("a client_assertion came beside a client_secret or an Authorization header")
		}
		return errClient(errAssertion)
	}
	scheme, value, err := auth.Authorization(r)
	if auth.KindOf(err) == auth.ErrNoCredentials {
		return nil
	}
	if err != nil {
		return refuse(CodeInvalidRequest, "There are two Authorization headers, or a very long one.", err)
	}
	if !some(func(m clientAuthentication) bool { return m.scheme != "" && strings.EqualFold(scheme, m.scheme) }) {
		return errClient(failedValue("the scheme of the Authorization header does not authenticate clients",
			schemeOf(scheme, value), "Basic"))
	}
	return nil
}

// checkClient says why a client is not proved by what it sent. It is nil if the client is.
func (s *Server) checkClient(ctx context.Context, client *Client, p *requestCredentials) (cause, err error) {
	failed := func(check string) error { return methodFault(client, p, check) }
	switch {
	case client.Public() && len(p.methods) > 0:
		return failed("the client is public, and sent a secret"), nil
	case client.Public():
		return nil, nil
	case len(p.methods) == 0:
		return failed("the client is confidential, and sent no secret"), nil
	}
	i := slices.IndexFunc(p.methods, client.mayAuthenticateBy)
	if i < 0 {
		return failed("the client may not authenticate by this method"), nil
	}
	compare := func() (cause, err error) { return p.methods[i].check(ctx, client, &p.clientCredentials) }
	switch {
	case !p.methods[i].secret:
		return compare()
	case client.hashed():
		return s.checkHashed(ctx, p.network, client, p.secret)
	}
	return s.limitGuesses(p.network, client, p.secret, compare)
}

// mayAuthenticateBy reports whether a client is registered for a method.
func (c *Client) mayAuthenticateBy(m *clientAuthentication) bool {
	return c.AuthMethod == m.method || c.AuthMethod == "" && m.secret
}

// methodFault names the method that a client used, and that which it is registered for.
func methodFault(client *Client, p *requestCredentials, check string) error {
	registered := client.AuthMethod
	if registered == "" {
		registered = AuthClientSecretBasic + " or " + AuthClientSecretPost
	}
	return &cause.Reason{Check: check, Came: p.names(), Want: []string{registered}, See: "Client.AuthMethod"}
}

// authMethods returns the names of the methods that clients may be registered with, of which
// "none" is the last.
func (s *Server) authMethods() []string { return append(s.confidentialMethods(), AuthNone) }

// confidentialMethods returns the methods that prove something.
func (s *Server) confidentialMethods() []string {
	var names []string
	for _, m := range s.features.clientAuth {
		names = append(names, m.method)
	}
	return names
}

// schemeOf returns the scheme of an Authorization header for the log, or "" if it may be part of a secret.
func schemeOf(scheme, value string) string {
	if value == "" || len(scheme) > 10 || strings.Trim(scheme, alphanumeric) != "" {
		return ""
	}
	return scheme
}
