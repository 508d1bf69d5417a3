package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

var (
	errClient   = refuse(CodeInvalidClient, "Client authentication failed.")
	errTwoWays  = refuse(CodeInvalidRequest, "The client must authenticate in one way only.")
	errTwoNames = refuse(CodeInvalidRequest, "The client_id is not that of the Authorization header.")
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
			return nil, errTwoWays
		}
		return nil, errClient // RFC 7523 is not spoken
	}
	scheme, value, err := auth.Authorization(r)
	switch {
	case auth.KindOf(err) == auth.ErrNoCredentials:
	case err != nil:
		return nil, refuse(CodeInvalidRequest, "There are two Authorization headers, or a very long one.")
	case !strings.EqualFold(scheme, "Basic"):
		return nil, errClient
	default:
		if method != AuthNone {
			return nil, errTwoWays
		}
		named, password, ok := parseBasic(value)
		if !ok {
			return nil, errClient
		}
		if id != "" && id != named {
			return nil, errTwoNames
		}
		id, secret, method = named, password, AuthClientSecretBasic
	}
	return s.proved(r.Context(), id, secret, method)
}

// proved returns the client with this identifier, if it authenticated as it must.
func (s *Server) proved(ctx context.Context, id, secret, method string) (*Client, error) {
	if !clientID(id) {
		return nil, errClient
	}
	client, err := s.config.Store.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	if client == nil || client.Disabled {
		return nil, errClient
	}
	switch {
	case client.Public():
		if method != AuthNone {
			return nil, errClient
		}
	case client.AuthMethod != "" && client.AuthMethod != method, method == AuthNone, !client.CheckSecret(secret):
		return nil, errClient
	}
	return client, nil
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
