package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/backend"
)

// authorization is an authorization request that was found good (RFC 6749
// §4.1.1), as an interaction keeps it.
type authorization struct {
	ClientID    string        `json:"client_id"`
	RedirectURI string        `json:"redirect_uri"`        // where the answer goes
	Sent        bool          `json:"sent,omitempty"`      // the client named it
	FormPost    bool          `json:"form_post,omitempty"` // the answer is a POST
	State       string        `json:"state,omitempty"`
	Scopes      []string      `json:"scopes,omitempty"`
	Resources   []string      `json:"resources"`
	Challenge   string        `json:"code_challenge,omitempty"`
	Nonce       string        `json:"nonce,omitempty"`
	Prompt      []string      `json:"prompt,omitempty"`
	MaxAge      time.Duration `json:"max_age"` // less than 0 is any
	LoginHint   string        `json:"login_hint,omitempty"`
	ACR         []string      `json:"acr_values,omitempty"`
	Subject     string        `json:"subject,omitempty"` // of an id_token_hint
	Asked       time.Time     `json:"asked"`             // when the request came
	SentToLogin bool          `json:"sent_to_login,omitempty"`
}

func (a *authorization) prompts(value string) bool { return slices.Contains(a.Prompt, value) }

// request are the parameters of an authorization request, and those that were
// there more than once.
type request struct {
	form  Form
	twice map[string]bool
}

// requestOf collects parameters. A POST has them in its body (OpenID Connect Core
// §3.1.2.1); what is in its query besides is there twice.
func requestOf(r *http.Request) (request, error) {
	if len(r.URL.RawQuery) > maxBody {
		return request{}, errLongBody
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, refuse(CodeInvalidRequest, "The query is no form.")
	}
	form := make(url.Values)
	req := request{form: NewForm(form), twice: make(map[string]bool)}
	values := query
	if r.Method == http.MethodPost {
		if values, err = bodyValues(r); err != nil {
			return request{}, err
		}
		for name, all := range query {
			req.twice[name] = true
			values[name] = append(values[name], all...)
		}
	}
	for name, all := range values {
		for _, value := range all {
			switch {
			case len(all) > 1 && name != "resource":
				req.twice[name] = true
			case !isText(value):
				return request{}, errNotText
			case value != "":
				form.Add(name, value)
			}
		}
	}
	return req, nil
}

// client finds out who asks and where the answer may go. Before both are known
// nothing is sent anywhere (RFC 6749 §4.1.2.1): the error is shown to the user.
func (s *Server) client(ctx context.Context, req request) (*Client, *authorization, error) {
	unknown := refuse(CodeInvalidRequest, "The application that sent you here is not known.")
	elsewhere := refuse(CodeInvalidRequest, "The address to which the application wants you sent back is none that it has registered.")
	if req.twice["client_id"] || req.twice["redirect_uri"] {
		return nil, nil, errTwice
	}
	id := req.form.Get("client_id")
	if !clientID(id) {
		return nil, nil, unknown
	}
	client, err := s.config.Store.Client(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if client == nil || client.Disabled {
		return nil, nil, unknown
	}
	a := &authorization{ClientID: client.ID, RedirectURI: req.form.Get("redirect_uri"), MaxAge: -1, Asked: now()}
	switch a.Sent = a.RedirectURI != ""; {
	case a.Sent && !matchRedirect(client.RedirectURIs, a.RedirectURI):
		return nil, nil, elsewhere
	case !a.Sent && len(client.RedirectURIs) != 1: // RFC 6749 §3.1.2.3
		return nil, nil, elsewhere
	case !a.Sent:
		a.RedirectURI = client.RedirectURIs[0]
	}
	return client, a, nil
}

// read reads the rest of a request. Its errors go to the client.
func (s *Server) read(ctx context.Context, req request, client *Client, a *authorization) error {
	form := req.form
	// First how to answer, so that errors are answered in that way, too.
	if !req.twice["state"] {
		a.State = form.Get("state")
	}
	if mode := form.Get("response_mode"); !req.twice["response_mode"] {
		switch a.FormPost = mode == "form_post"; {
		case mode != "" && mode != "query" && !a.FormPost:
			return refuse(CodeInvalidRequest, "The response_mode must be query or form_post.")
		}
	}
	for name := range req.twice {
		if name != "resource" && slices.Contains(knownParams, name) {
			return errTwice
		}
	}
	switch {
	case form.Get("request") != "" && form.Get("request_uri") != "": // RFC 9101 §5
		return refuse(CodeInvalidRequest, "There is both a request and a request_uri.")
	case form.Get("request") != "":
		return refuse(CodeRequestNotSupported, "Request objects are not supported.")
	case form.Get("request_uri") != "":
		return refuse(CodeRequestURINotSupported, "Request objects are not supported.")
	case form.Get("registration") != "":
		return refuse(CodeRegistrationNotSupported, "Registration in a request is not supported.")
	}
	switch form.Get("response_type") {
	case "":
		return refuse(CodeInvalidRequest, "The response_type is missing.")
	case "code":
	default:
		return refuse(CodeUnsupportedResponseType, "The response_type must be code.")
	}
	if !client.Allows(GrantAuthorizationCode) || s.grants[GrantAuthorizationCode] == nil {
		return refuse(CodeUnauthorizedClient, "The client may not use the authorization code grant.")
	}
	var err error
	if a.Scopes, err = s.scopesOf(form.Get("scope"), client); err != nil {
		return err
	}
	if err := a.readPKCE(form, client); err != nil {
		return err
	}
	if a.Resources, err = s.resourcesOf(form.All("resource"), client); err != nil {
		return err
	}
	return s.readOpenID(ctx, form, a)
}

// knownParams are the parameters that mean something here. Others are ignored
// (RFC 6749 §3.1), also if they are there twice.
var knownParams = []string{"response_type", "scope", "state", "code_challenge", "code_challenge_method", "nonce", "prompt", "max_age",
	"login_hint", "id_token_hint", "acr_values", "response_mode", "request", "request_uri", "registration"}

// readPKCE reads the challenge (RFC 7636 §4.3), of which S256 is the one method.
func (a *authorization) readPKCE(form Form, client *Client) error {
	a.Challenge = form.Get("code_challenge")
	method := form.Get("code_challenge_method")
	switch {
	case a.Challenge == "" && method == "" && client.AllowWithoutPKCE && !client.Public() && slices.Contains(a.Scopes, "openid") && form.Get("nonce") != "":
		return nil // RFC 9700 §2.1.1
	case a.Challenge == "":
		return refuse(CodeInvalidRequest, "The code_challenge is missing.")
	case method != "S256":
		return refuse(CodeInvalidRequest, "The code_challenge_method must be S256.")
	}
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(a.Challenge); err != nil || len(sum) != 32 || len(a.Challenge) != 43 {
		return refuse(CodeInvalidRequest, "The code_challenge is not 43 characters of base64url.")
	}
	return nil
}

// readOpenID reads the parameters of OpenID Connect Core §3.1.2.1.
func (s *Server) readOpenID(ctx context.Context, form Form, a *authorization) error {
	a.Nonce, a.LoginHint, a.ACR = form.Get("nonce"), form.Get("login_hint"), strings.Fields(form.Get("acr_values"))
	if len(a.Nonce) > maxURI || len(a.LoginHint) > maxURI || len(form.Get("acr_values")) > maxURI || len(a.State) > 4*maxURI {
		return refuse(CodeInvalidRequest, "A parameter is too long.")
	}
	a.Prompt = strings.Fields(form.Get("prompt"))
	for _, prompt := range a.Prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, prompt) {
			return refuse(CodeInvalidRequest, "The prompt is unknown.")
		}
	}
	if a.prompts("none") && len(a.Prompt) > 1 {
		return refuse(CodeInvalidRequest, "The prompt none goes with no other.")
	}
	if text := form.Get("max_age"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse(CodeInvalidRequest, "The max_age is no number of seconds.")
		}
		a.MaxAge = time.Duration(seconds) * time.Second
	}
	if hint := form.Get("id_token_hint"); hint != "" && s.OpenID() {
		claims, err := s.openIDToken(ctx, hint)
		if err != nil {
			return err
		}
		if claims == nil || !slices.Contains(claims.Audience, a.ClientID) {
			return refuse(CodeInvalidRequest, "The id_token_hint is no ID token of this server for the client.")
		}
		a.Subject = claims.Subject
	}
	return nil
}

// scopesOf reads the scopes that a client asks for. One that names none gets all
// that it may have (RFC 6749 §3.3).
func (s *Server) scopesOf(text string, client *Client) ([]string, error) {
	if text == "" {
		return s.allowedScopes(client), nil
	}
	var scopes []string
	for scope := range strings.SplitSeq(text, " ") {
		if !backend.ValidScope(scope) {
			return nil, refuse(CodeInvalidScope, "The scope is malformed.")
		}
		if !slices.Contains(client.Scopes, scope) || s.scope(scope) == nil {
			return nil, refuse(CodeInvalidScope, "The scope has one that the client may not ask for.")
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// allowedScopes are all that a client may have, of those there are.
func (s *Server) allowedScopes(client *Client) []string {
	var scopes []string
	for _, scope := range client.Scopes {
		if s.scope(scope) != nil {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// scope returns the scope of this name, or nil.
func (s *Server) scope(name string) *Scope {
	for i := range s.config.Scopes {
		if s.config.Scopes[i].Name == name {
			return &s.config.Scopes[i]
		}
	}
	return nil
}

// resource returns the resource with this identifier, or nil.
func (s *Server) resource(id string) *Resource {
	for i := range s.config.Resources {
		if s.config.Resources[i].ID == id {
			return &s.config.Resources[i]
		}
	}
	return nil
}

// resourcesOf reads resource indicators (RFC 8707 §2).
func (s *Server) resourcesOf(asked []string, client *Client) ([]string, error) {
	var resources []string
	for _, id := range asked {
		if s.resource(id) == nil || !client.mayAskFor(id) {
			return nil, refuse(CodeInvalidTarget, "The resource is not known, or not for this client.")
		}
		if !slices.Contains(resources, id) {
			resources = append(resources, id)
		}
	}
	if len(resources) > 0 {
		return resources, nil
	}
	for _, resource := range s.config.Resources {
		if client.mayAskFor(resource.ID) {
			return []string{resource.ID}, nil
		}
	}
	return nil, refuse(CodeInvalidTarget, "There is no resource for this client.")
}
