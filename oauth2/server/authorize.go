package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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

var errRequestObject = errors.New("the request has a request or request_uri (RFC 9101)")

var errQuery = errors.New("the query is badly encoded")

// requestOf collects parameters. A POST has them in its body (OpenID Connect Core
// §3.1.2.1); what is in its query besides is there twice.
func requestOf(r *http.Request) (request, error) {
	if len(r.URL.RawQuery) > maxBody {
		return request{}, errLongBody
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, refuse(CodeInvalidRequest, "The query is no form.", errQuery)
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
				return request{}, errNotText(name)
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
	for _, name := range []string{"client_id", "redirect_uri"} {
		if req.twice[name] {
			return nil, nil, errTwice(name)
		}
	}
	client, cause, err := s.registered(ctx, req.form.Get("client_id"))
	if err != nil {
		return nil, nil, err
	}
	if cause != nil {
		return nil, nil, refuse(CodeInvalidRequest, "The application that sent you here is not known.", cause)
	}
	return answerTo(req, client)
}

// answerTo reads where the answer to a request goes.
func answerTo(req request, client *Client) (*Client, *authorization, error) {
	elsewhere := func(failed, value string) error {
		return ofClient(client.ID, refuse(CodeInvalidRequest,
			"The address to which the application wants you sent back is none that it has registered.",
			setting("Client.RedirectURIs", failed, value, client.RedirectURIs...)))
	}
	a := &authorization{ClientID: client.ID, RedirectURI: req.form.Get("redirect_uri"), MaxAge: -1, Asked: now()}
	switch a.Sent = a.RedirectURI != ""; {
	case a.Sent && !matchRedirect(client.RedirectURIs, a.RedirectURI):
		return nil, nil, elsewhere("the redirect_uri is not registered", a.RedirectURI)
	case !a.Sent && len(client.RedirectURIs) != 1: // RFC 6749 §3.1.2.3
		return nil, nil, elsewhere("the redirect_uri is missing, and the client has not exactly one", "")
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
			return refuse(CodeInvalidRequest, "The response_mode must be query or form_post.",
				wrong("the response_mode is not supported", mode))
		}
	}
	for _, name := range knownParams {
		if req.twice[name] {
			return errTwice(name)
		}
	}
	if err := checkKind(form); err != nil {
		return err
	}
	if !client.Allows(GrantAuthorizationCode) || s.grants[GrantAuthorizationCode] == nil {
		return refuse(CodeUnauthorizedClient, "The client may not use the authorization code grant.",
			grantNotAllowed(client, GrantAuthorizationCode))
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

// checkKind refuses requests of kinds that the server does not have.
func checkKind(form Form) error {
	switch {
	case form.Get("request") != "" && form.Get("request_uri") != "": // RFC 9101 §5
		return refuse(CodeInvalidRequest, "There is both a request and a request_uri.",
			check("the request has both request and request_uri (RFC 9101 §5)"))
	case form.Get("request") != "":
		return refuse(CodeRequestNotSupported, "Request objects are not supported.", errRequestObject)
	case form.Get("request_uri") != "":
		return refuse(CodeRequestURINotSupported, "Request objects are not supported.", errRequestObject)
	case form.Get("registration") != "":
		return refuse(CodeRegistrationNotSupported, "Registration in a request is not supported.",
			check("the request has a registration"))
	}
	switch kind := form.Get("response_type"); kind {
	case "":
		return refuse(CodeInvalidRequest, "The response_type is missing.", check("the response_type is missing"))
	case "code":
		return nil
	default:
		return refuse(CodeUnsupportedResponseType, "The response_type must be code.",
			wrong("the response_type is not supported", kind, "code"))
	}
}

// readPKCE reads the challenge (RFC 7636 §4.3), of which S256 is the one method.
func (a *authorization) readPKCE(form Form, client *Client) error {
	a.Challenge = form.Get("code_challenge")
	method := form.Get("code_challenge_method")
	switch {
	case a.Challenge == "" && method == "" && client.AllowWithoutPKCE && !client.Public() && slices.Contains(a.Scopes, "openid") && form.Get("nonce") != "":
		return nil // RFC 9700 §2.1.1
	case a.Challenge == "":
		return refuse(CodeInvalidRequest, "The code_challenge is missing.", check("the code_challenge is missing "+
			"(RFC 7636 §4.3), see Client.AllowWithoutPKCE, which needs a confidential client, openid and a nonce"))
	case method != "S256":
		return refuse(CodeInvalidRequest, "The code_challenge_method must be S256.",
			wrong("the code_challenge_method is missing or not supported", method, "S256"))
	}
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(a.Challenge); err != nil || len(sum) != 32 || len(a.Challenge) != 43 {
		return refuse(CodeInvalidRequest, "The code_challenge is not 43 characters of base64url.",
			wrong("the code_challenge is not 43 characters of base64url", a.Challenge))
	}
	return nil
}

// readOpenID reads the parameters of OpenID Connect Core §3.1.2.1.
func (s *Server) readOpenID(ctx context.Context, form Form, a *authorization) error {
	a.Nonce, a.LoginHint, a.ACR = form.Get("nonce"), form.Get("login_hint"), strings.Fields(form.Get("acr_values"))
	for _, name := range []string{"nonce", "login_hint", "acr_values", "state"} {
		limit := maxURI
		if name == "state" {
			limit = 4 * maxURI
		}
		if len(form.Get(name)) > limit {
			return refuse(CodeInvalidRequest, "A parameter is too long.", wrong("a parameter is too long", name))
		}
	}
	if err := a.readPrompt(form); err != nil {
		return err
	}
	if hint := form.Get("id_token_hint"); hint != "" && s.OpenID() {
		claims, err := s.openIDToken(ctx, hint)
		if err == nil && !slices.Contains(claims.Audience, a.ClientID) {
			err = &badHint{wrong("its aud is not the client", claims.Audience[0], a.ClientID)}
		}
		if bad := (*badHint)(nil); errors.As(err, &bad) {
			return refuse(CodeInvalidRequest, "The id_token_hint is no ID token of this server for the client.", bad)
		}
		if err != nil {
			return err
		}
		a.Subject = claims.Subject
	}
	return nil
}

// prompts are the values of prompt that are known (OpenID Connect Core §3.1.2.1).
var prompts = []string{"none", "login", "consent", "select_account"}

// readPrompt reads how the user is to be asked.
func (a *authorization) readPrompt(form Form) error {
	a.Prompt = strings.Fields(form.Get("prompt"))
	for _, prompt := range a.Prompt {
		if !slices.Contains(prompts, prompt) {
			return refuse(CodeInvalidRequest, "The prompt is unknown.",
				wrong("the prompt is unknown", prompt, prompts...))
		}
	}
	if a.prompts("none") && len(a.Prompt) > 1 {
		return refuse(CodeInvalidRequest, "The prompt none goes with no other.",
			wrong("the prompt none goes with no other", form.Get("prompt")))
	}
	if text := form.Get("max_age"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse(CodeInvalidRequest, "The max_age is no number of seconds.",
				wrong("the max_age is no number of seconds", text))
		}
		a.MaxAge = time.Duration(seconds) * time.Second
	}
	return nil
}
