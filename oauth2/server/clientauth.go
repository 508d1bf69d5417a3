package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

// errClient is the one answer to unknown clients and wrong secrets.
func errClient(cause error) *Error {
	return refuse(CodeInvalidClient, "Client authentication failed.", cause)
}

func errTwoWays(failed string) *Error {
	return refuse(CodeInvalidRequest, "The client must authenticate in one way only.", check(failed))
}

// The causes of refused clients. A secret is never among what they print.
var (
	errNoClientID   = errors.New("the client_id is missing")
	errAssertion    = errors.New("a client_assertion came, and the server does not take any (RFC 7523)")
	errBasic        = errors.New("the Basic credentials are not two form-encoded texts in base64 (RFC 6749 §2.3.1)")
	errPublicProof  = errors.New("the client is public, and sent a secret")
	errNoProof      = errors.New("the client is confidential, and sent no secret")
	errWrongSecret  = errors.New("the client secret is wrong")
	errNoSecretKept = errors.New("no secret is registered for the client, see Server.RenewSecret")
	errPublicCaller = errors.New("the client is public, and only clients with a secret may introspect (RFC 7662 §2.1)")
)

// clientID reports an identifier that a client of ours can have.
func clientID(id string) bool {
	return id != "" && len(id) <= 200 && strings.Trim(id, alphanumeric+"-_") == ""
}

// authenticate finds out which client sent a form (RFC 6749 §2.3). Wrong secrets
// and unknown clients have one answer.
func (s *Server) authenticate(r *http.Request, form Form) (*Client, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	method := AuthNone
	if secret != "" {
		method = AuthClientSecretPost
	}
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		if method != AuthNone || r.Header.Get("Authorization") != "" {
			return nil, errTwoWays("a client_assertion came beside a client_secret or an Authorization header")
		}
		return nil, errClient(errAssertion)
	}
	scheme, value, err := auth.Authorization(r)
	switch {
	case auth.KindOf(err) == auth.ErrNoCredentials:
	case err != nil:
		return nil, refuse(CodeInvalidRequest, "There are two Authorization headers, or a very long one.", err)
	case !strings.EqualFold(scheme, "Basic"):
		return nil, errClient(wrong("the scheme of the Authorization header does not authenticate clients",
			schemeOf(scheme, value), "Basic"))
	default:
		if method != AuthNone {
			return nil, errTwoWays("a client_secret came beside an Authorization header")
		}
		named, password, ok := parseBasic(value)
		if !ok {
			return nil, errClient(errBasic)
		}
		if id != "" && id != named {
			return nil, refuse(CodeInvalidRequest, "The client_id is not that of the Authorization header.",
				wrong("the client_id is not that of the Authorization header", id, named))
		}
		id, secret, method = named, password, AuthClientSecretBasic
	}
	return s.authenticateClient(r.Context(), id, secret, method)
}

// authenticateClient returns the client with this identifier, if it authenticated as it must.
func (s *Server) authenticateClient(ctx context.Context, id, secret, method string) (*Client, error) {
	client, cause, err := s.enabledClient(ctx, id)
	if err != nil {
		return nil, err
	}
	if cause != nil {
		return nil, errClient(cause)
	}
	if cause := proofFault(client, secret, method); cause != nil {
		return nil, ofClient(client.ID, errClient(cause))
	}
	return client, nil
}

// enabledClient returns the client with this identifier. If no client with it may ask for anything, cause says why.
func (s *Server) enabledClient(ctx context.Context, id string) (client *Client, cause, err error) {
	switch {
	case id == "":
		return nil, errNoClientID, nil
	case !clientID(id):
		return nil, wrong("the client_id is longer than 200, or not of A-Z, a-z, 0-9, - and _", id), nil
	}
	client, err = s.config.Store.Client(ctx, id)
	switch {
	case err != nil:
		return nil, nil, err
	case client == nil:
		return nil, wrong("no client is registered with this client_id", id), nil
	case client.Disabled:
		return nil, wrong("the client is disabled", id), nil
	}
	return client, nil, nil
}

// proofFault says why a client is not proved by a secret that was sent by a method. It is nil if the client is.
func proofFault(client *Client, secret, method string) error {
	switch {
	case client.Public() && method != AuthNone:
		return errPublicProof
	case client.Public():
		return nil
	case method == AuthNone:
		return errNoProof
	case client.AuthMethod != "" && client.AuthMethod != method:
		return setting("Client.AuthMethod", "the client may not authenticate by this method", method, client.AuthMethod)
	case client.SecretDigest == "":
		return errNoSecretKept
	case !client.CheckSecret(secret):
		return errWrongSecret
	}
	return nil
}

// schemeOf returns the scheme of an Authorization header for the log, or "" if it may be part of a secret.
func schemeOf(scheme, value string) string {
	if value == "" || len(scheme) > 10 || strings.Trim(scheme, alphanumeric) != "" {
		return ""
	}
	return scheme
}

// parseBasic reads a client's identifier and secret, each of which is encoded as
// in a form before they are joined (RFC 6749 §2.3.1).
func parseBasic(value string) (id, secret string, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(decoded), ":")
	if !ok {
		return "", "", false
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", false
	}
	return id, secret, isText(id) && isText(secret)
}
