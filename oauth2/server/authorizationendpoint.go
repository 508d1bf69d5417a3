package server

import (
	"context"
	"slices"
	"time"
)

// authorizationEndpoint is the authorization endpoint with its pages, and the page of the
// applications that have access (RFC 6749 §3.1).
type authorizationEndpoint struct{}

func (authorizationEndpoint) register(r *registry) {
	s := r.server
	r.needPages()
	r.addParameters(pkceParameters)
	r.addParameters(loginParameters)
	r.addRegistration(checkRedirects)
	r.addAudit(auditRedirects)
	r.addAudit(auditCodes)
	r.addAudit(auditRequestKeys)
	r.addRoutes(func(h *handler, to router) {
		to.handle("/authorize", h.withPageUser(h.serveAuthorize))
		to.handle("/authorized_tokens", h.withPageUser(h.serveAuthorized))
		to.handle("/authorized_tokens/{id}/delete", h.withPageUser(h.serveWithdraw))
	})
	r.addMetadata(func(_ context.Context, _ time.Time, m metadata) error {
		m["authorization_endpoint"] = s.url("/authorize/")
		m["response_types_supported"] = []string{"code"}
		m["response_modes_supported"] = []string{"query", "form_post"}
		m["code_challenge_methods_supported"] = []string{"S256"}
		m["authorization_response_iss_parameter_supported"] = true // RFC 9207 §3
		return nil
	})
}

// requestParameters are parameters of the authorization request that one feature reads.
type requestParameters struct {
	// names are those that mean something to it. A request that has one of them twice is
	// refused (RFC 6749 §3.1). All others are ignored.
	names []string
	// read puts what it read into a. An *Error goes to the client.
	read func(ctx context.Context, form Form, client *Client, a *authorization) error
}

// checkRedirects checks where the users of a client come back to.
func checkRedirects(_ *Registration, c *Client) error {
	if c.Allows(GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		return refuse("invalid_redirect_uri", "The authorization code grant needs a redirect URI.",
			failedCheck("the client has the grant authorization_code and no redirect URI"))
	}
	return nil
}

// auditRedirects lists what is weak about where users come back to.
func auditRedirects(a *auditor) {
	for _, c := range a.clients {
		setting := "client " + c.ID
		if c.FirstParty && c.Public() && slices.ContainsFunc(c.RedirectURIs, isNative) {
			a.add("RFC 8252 §8.6", setting+" FirstParty",
				"any program on the user's machine can get tokens in its name without the user being asked")
		}
		if slices.ContainsFunc(c.RedirectURIs, hasLocalName) {
			a.add("RFC 8252 §8.3", setting+" RedirectURIs",
				"localhost may resolve to another interface; use http://127.0.0.1")
		}
	}
}

// auditCodes lists what is weak about codes.
func auditCodes(a *auditor) {
	for _, c := range a.clients {
		if c.AllowWithoutPKCE {
			a.add("RFC 9700 §2.1.1", "client "+c.ID+" AllowWithoutPKCE",
				"an injected code is noticed only if the client sends a nonce and checks it")
		}
	}
	if life := a.config.Tokens.Lifetimes.Code; life > time.Minute {
		a.add("RFC 9700 §4.2.4", "Tokens.Lifetimes.Code", "a leaked code is good for %v", life)
	}
}
