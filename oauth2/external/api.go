package external

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/redact"
)

// API asks a provider with the token of the person that has just come back from it.
type API struct {
	provider *provider
	tokens   *Tokens
	answer   url.Values // of the authorization endpoint, without what is secret
}

// newAPI returns an API for the person that has just come back.
func newAPI(p *provider, a *loginResult) *API {
	shown := maps.Clone(a.form)
	delete(shown, "code")
	delete(shown, "state")
	for _, name := range secretParameters {
		delete(shown, name)
	}
	return &API{p, a.tokens, shown}
}

// secretParameters are parameters of an answer that this package has no use for, and that are worth a login or more.
var secretParameters = []string{"id_token", "access_token"}

// Answer returns a parameter that the browser came back with, such as the "user" of
// Apple, or "". It is not signed, and the person can write what they like there.
func (a *API) Answer(name string) string { return a.answer.Get(name) }

// WithToken returns an API that asks with another token, such as one of the client
// itself.
func (a *API) WithToken(token auth.Secret) *API {
	return &API{provider: a.provider, tokens: &Tokens{access: redact.New(token.Reveal())}}
}

// Token returns the access token, for APIs that want more than a header. It is "" in a
// login by [Logins.FromIDToken].
func (a *API) Token() auth.Secret { return a.tokens.Access() }

// Scopes are those of the token, if the provider told them.
func (a *API) Scopes() []string { return a.tokens.Scopes }

// StatusError is an answer of a provider of another status than 200.
type StatusError struct {
	Status int

	from string // what was asked, without its query
}

// Error returns what was asked, and the status.
func (e *StatusError) Error() string {
	if e.from == "" {
		return fmt.Sprintf("the provider answered %d", e.Status)
	}
	return fmt.Sprintf("%s: the provider answered %d", e.from, e.Status)
}

// Get returns the members of the JSON object at a URL: https, or http of a loopback
// host. Numbers are [json.Number]: identifiers of many digits stay what they are. An
// answer of another status is a [*StatusError].
func (a *API) Get(ctx context.Context, from string) (map[string]any, error) {
	text, err := a.text(ctx, from)
	if err != nil {
		return nil, err
	}
	return decodeObject(text)
}

// List is Get for an array of objects.
func (a *API) List(ctx context.Context, from string) ([]map[string]any, error) {
	text, err := a.text(ctx, from)
	if err != nil {
		return nil, err
	}
	return objectsOf(text)
}

// objectsOf returns the objects of a JSON array. Other elements are left out.
func objectsOf(text []byte) (all []map[string]any, err error) {
	var list []any
	if err := decodeOne(text, &list); err != nil || list == nil {
		return nil, errNoArray
	}
	for _, each := range list {
		if object, ok := each.(map[string]any); ok {
			all = append(all, object)
		}
	}
	return all, nil
}

func (a *API) text(ctx context.Context, from string) ([]byte, error) {
	if err := fetch.CheckURL(from); err != nil {
		return nil, fmt.Errorf("oauth2/external: the URL %w", err)
	}
	if a.tokens.Access() == "" {
		return nil, errNoAccessToken
	}
	return a.provider.get(ctx, from, a.tokens)
}

var (
	errNoObject      = errors.New("oauth2/external: the answer is no JSON object")
	errNoArray       = errors.New("oauth2/external: the answer is no JSON array")
	errTextBehind    = errors.New("oauth2/external: there is text behind the JSON value")
	errNoAccessToken = errors.New("oauth2/external: there is no access token to ask the API with")
)
