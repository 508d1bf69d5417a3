package server

import (
	"context"
	"slices"
	"strings"
	"time"
)

// authorization is an authorization request that was found good (RFC 6749
// §4.1.1), as an address or the page of a user keeps it.
type authorization struct {
	Version     int           `json:"v"`            // requestVersion
	ID          string        `json:"id,omitempty"` // once the browser keeps it
	ClientID    string        `json:"client_id"`
	RedirectURI string        `json:"redirect_uri"`        // where the answer goes
	Sent        bool          `json:"sent,omitempty"`      // the client named it
	FormPost    bool          `json:"form_post,omitempty"` // the answer is a POST
	State       string        `json:"state,omitempty"`
	Permissions Permissions   `json:"permissions"`
	Challenge   string        `json:"code_challenge,omitempty"`
	Nonce       string        `json:"nonce,omitempty"`
	Prompt      []string      `json:"prompt,omitempty"`
	MaxAge      time.Duration `json:"max_age"` // less than 0 is any
	LoginHint   string        `json:"login_hint,omitempty"`
	ACR         []string      `json:"acr_values,omitempty"`
	Subject     string        `json:"subject,omitempty"` // of an id_token_hint
	Asked       time.Time     `json:"asked"`             // when the request came
	SentToLogin bool          `json:"sent_to_login,omitempty"`
	Logins      int           `json:"logins,omitempty"` // how often it was sent there
	Fresh       bool          `json:"fresh,omitempty"`  // somebody was signed in when it was sent there
	// Extra holds what features read, by the name of the parameter. It becomes Grant.Extra.
	Extra map[string]string `json:"extra,omitempty"`
}

func (a *authorization) prompts(value string) bool { return slices.Contains(a.Prompt, value) }

// identifyClient finds out which client asks and where the answer may go. Before both are known
// nothing is sent anywhere (RFC 6749 §4.1.2.1): the error is shown to the user.
func (s *Server) identifyClient(ctx context.Context, req authorizationForm) (*Client, *authorization, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if req.twice[name] {
			return nil, nil, errTwice(name)
		}
	}
	client, cause, err := s.authorizingClient(ctx, req.form.Get("client_id"))
	if err != nil {
		return nil, nil, err
	}
	if cause != nil {
		return nil, nil, refuse(CodeInvalidRequest, "The application that sent you here is not known.", cause)
	}
	return s.readRedirect(req, client)
}

// readRedirect reads where the answer to a request goes. A client with one registered URI may leave it out (RFC 6749
// §3.1.2.3), unless it asks for an ID token (OpenID Connect Core §3.1.2.1).
func (s *Server) readRedirect(req authorizationForm, client *Client) (*Client, *authorization, error) {
	elsewhere := func(failed, value string) error {
		return ofClient(client.ID, refuse(CodeInvalidRequest,
			"The address to which the application wants you sent back is none that it has registered.",
			failedSetting("Client.RedirectURIs", failed, value, client.RedirectURIs...)))
	}
	missing := func(failed string) error {
		return ofClient(client.ID, refuse(CodeInvalidRequest,
			"The address to which the application wants you sent back is missing: it must send a redirect_uri.",
			failedSetting("Client.RedirectURIs", failed, "", client.RedirectURIs...)))
	}
	a := &authorization{Version: requestVersion, ClientID: client.ID, RedirectURI: req.form.Get("redirect_uri"),
		MaxAge: -1, Asked: now()}
	switch a.Sent = a.RedirectURI != ""; {
	case a.Sent && !matchRedirect(client.RedirectURIs, a.RedirectURI):
		return nil, nil, elsewhere("the redirect_uri is not registered", a.RedirectURI)
	case !a.Sent && len(client.RedirectURIs) != 1:
		return nil, nil, missing("the redirect_uri is missing, and the client has not exactly one")
	case !a.Sent && s.openID && slices.Contains(strings.Split(req.form.Get("scope"), " "), "openid"):
		return nil, nil, missing("the redirect_uri is missing, which a request with the scope openid must have " +
			"(OpenID Connect Core §3.1.2.1)")
	case !a.Sent:
		a.RedirectURI = client.RedirectURIs[0]
	}
	return client, a, nil
}

// readRequest reads the rest of a request. Its errors go to the client.
func (s *Server) readRequest(ctx context.Context, req authorizationForm, client *Client, a *authorization) error {
	form := req.form
	// First how to answer, so that errors are answered in that way, too.
	if !req.twice["state"] && isPrintable(form.Get("state")) {
		a.State = form.Get("state")
	}
	if err := a.readResponseMode(req); err != nil {
		return err
	}
	if err := s.checkTwice(req); err != nil {
		return err
	}
	if !isPrintable(form.Get("state")) {
		return refuse(CodeInvalidRequest, "The state has a character that it must not have.", errState)
	}
	if err := s.checkKind(form); err != nil {
		return err
	}
	if !client.Allows(GrantAuthorizationCode) {
		return refuse(CodeUnauthorizedClient, "The client may not use the authorization code grant.",
			causeGrantNotAllowed(client, GrantAuthorizationCode))
	}
	scopes, err := s.scopesOf(form.Get("scope"), client)
	if err != nil {
		return err
	}
	resources, err := s.resourcesOf(form.All("resource"), client)
	if err != nil {
		return err
	}
	if a.Permissions, err = s.permissionsOf(scopes, resources, form.Get("scope") != ""); err != nil {
		return err
	}
	for _, p := range s.features.parameters {
		if err := p.read(ctx, form, client, a); err != nil {
			return err
		}
	}
	return a.checkLength()
}

var errState = failedCheck("the state has another character than %x20 to %x7E (RFC 6749 appendix A.5)")

// isPrintable reports a text of VSCHAR alone (RFC 6749 appendix A).
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' })
}

// requestKinds are parameters that make a request another one. They are refused unless a
// feature reads them.
var requestKinds = []string{"request", "request_uri", "registration"}

// checkTwice refuses a request that has a parameter twice (RFC 6749 §3.1). Parameters that
// mean nothing here are ignored, also if they are there twice.
func (s *Server) checkTwice(req authorizationForm) error {
	names := slices.Concat([]string{"response_type", "scope", "state", "response_mode"}, requestKinds)
	for _, p := range s.features.parameters {
		names = append(names, p.names...)
	}
	for _, name := range names {
		if req.twice[name] {
			return errTwice(name)
		}
	}
	return nil
}

// reads reports whether a feature reads a parameter.
func (s *Server) reads(name string) bool {
	return slices.ContainsFunc(s.features.parameters, func(p requestParameters) bool {
		return slices.Contains(p.names, name)
	})
}

// checkKind refuses requests of kinds that the server does not have.
func (s *Server) checkKind(form Form) error {
	has := func(name string) bool { return form.Get(name) != "" && !s.reads(name) }
	switch {
	case form.Get("request") != "" && form.Get("request_uri") != "": // RFC 9101 §5
		return refuse(CodeInvalidRequest, "There is both a request and a request_uri.",
			failedCheck("the request has both request and request_uri (RFC 9101 §5)"))
	case has("request"):
		return refuse(CodeRequestNotSupported, "Request objects are not supported.", errRequestObject)
	case has("request_uri"):
		return refuse(CodeRequestURINotSupported, "Request objects are not supported.", errRequestObject)
	case has("registration"):
		return refuse(CodeRegistrationNotSupported, "Registration in a request is not supported.",
			failedCheck("the request has a registration"))
	}
	switch kind := form.Get("response_type"); kind {
	case "":
		return refuse(CodeInvalidRequest, "The response_type is missing.", failedCheck("the response_type is missing"))
	case "code":
		return nil
	default:
		return refuse(CodeUnsupportedResponseType, "The response_type must be code.",
			failedValue("the response_type is not supported", kind, "code"))
	}
}
