package oauth2

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
)

// post sends the request of RFC 7662 §2.1, and returns the body of the response.
func (i *Introspection) post(ctx context.Context, token string) ([]byte, error) {
	endpoint, err := i.endpoint.resolve(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if i.assert != nil {
		assertion, err := i.assertion(endpoint)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", i.config.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if i.assert == nil {
		r.SetBasicAuth(url.QueryEscape(i.config.ClientID), url.QueryEscape(i.secret.Reveal()))
	}
	text, _, err := fetch.JSON(i.client, r)
	if err != nil {
		i.endpoint.markStale(endpoint)
	}
	return text, err
}

// assertion is a JWT by which the client authenticates (RFC 7523 §3), for the issuer
// or, if that is not known, the endpoint.
func (i *Introspection) assertion(endpoint string) (string, error) {
	now := time.Now()
	return i.assert(map[string]any{"iss": i.config.ClientID, "sub": i.config.ClientID,
		"aud": cmp.Or(i.config.Issuer, endpoint),
		"jti": backend.NewID(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
}
