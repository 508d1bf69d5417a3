package external

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/redact"
)

// Tokens are what a provider issued to this service. The application may keep them,
// encrypted. This package does not. They do not show themselves when they are printed.
type Tokens struct {
	Scopes    []string
	ExpiresAt time.Time // of the access token, zero if not told

	access  redact.Secret
	refresh redact.Secret
	id      redact.Secret
}

// Access returns the access token.
func (t *Tokens) Access() auth.Secret { return auth.Secret(t.access.Reveal()) }

// Refresh returns the refresh token, or "".
func (t *Tokens) Refresh() auth.Secret { return auth.Secret(t.refresh.Reveal()) }

// ID returns the ID token, for [Logins.EndSessionURL], or "".
func (t *Tokens) ID() auth.Secret { return auth.Secret(t.id.Reveal()) }

// maxToken is the longest token that a provider may issue, in bytes.
const maxToken = 64 << 10

// newSecret returns 26 characters of 130 random bits.
func newSecret() string { return rand.Text() }

// RevokeToken tells a provider that a token is needed no more (RFC 7009), as where a
// user deletes their account: Apple asks for that. It is an error if the provider has
// no endpoint for it.
func (l *Logins) RevokeToken(ctx context.Context, providerName string, token auth.Secret) error {
	p := l.providers[providerName]
	if p == nil || token == "" {
		return fmt.Errorf("oauth2/external: no provider %q, or no token", providerName)
	}
	e, err := p.endpoints(ctx, time.Now())
	if err != nil {
		return err
	}
	if e.revoke == "" {
		return fmt.Errorf("oauth2/external: provider %q cannot revoke tokens", providerName)
	}
	answer, _, err := p.post(ctx, e, e.revoke, url.Values{"token": {token.Reveal()}})
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("oauth2/external: revocation: %s: status %d", endpointName(e.revoke), answer.Status)
	}
	return nil
}

// EndSessionURL returns where to send a browser so that the person is signed out at the
// provider, too (OpenID Connect RP-Initiated Logout §2), and comes back to returnTo,
// which is registered there. "" comes back nowhere. idToken is that of [Tokens.ID]. If it is ""
// the provider asks the person. It is "" if the provider has no such place.
func (l *Logins) EndSessionURL(ctx context.Context, providerName string, idToken auth.Secret,
	returnTo string) (string, error) {
	p := l.providers[providerName]
	if p == nil {
		return "", fmt.Errorf("oauth2/external: no provider %q", providerName)
	}
	e, err := p.endpoints(ctx, time.Now())
	if err != nil || e.end == "" {
		return "", err
	}
	query := url.Values{"client_id": {p.clientID}}
	if idToken != "" {
		query.Set("id_token_hint", idToken.Reveal())
	}
	if returnTo != "" {
		query.Set("post_logout_redirect_uri", returnTo)
	}
	return withQuery(e.end, query), nil
}

// withQuery adds parameters to a URL. Spaces are %20, which all servers read.
func withQuery(to string, query url.Values) string {
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	if strings.Contains(to, "?") {
		return strings.TrimSuffix(to, "&") + "&" + encoded
	}
	return to + "?" + encoded
}

// post sends a form with the client's authentication. It returns what was secret in it, too, which is in no log even
// if the provider repeats it.
func (p *provider) post(ctx context.Context, e *endpoints, to string, form url.Values) (answer *fetch.Answer,
	secrets []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"},
		"User-Agent": {userAgent}}
	if err := p.authenticate(ctx, e, form, header); err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, errors.New("the endpoint is no URL")
	}
	r.Header = header
	answer, err = fetch.Do(p.client, r)
	return answer, secretsOf(form, header), err
}

// userAgent is what this package calls itself. GitHub refuses clients without a name.
const userAgent = "gatewarden"

// get asks for something by the access token, which must be JSON.
func (p *provider) get(ctx context.Context, from string, tokens *Tokens) ([]byte, error) {
	answer, err := p.ask(ctx, from, tokens, "")
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// ask asks for something by the access token (RFC 6750 §2.1): for JSON, or for another media type if that is not "".
func (p *provider) ask(ctx context.Context, from string, tokens *Tokens, other string) (*fetch.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, errors.New("the endpoint is no URL")
	}
	r.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}, "Authorization": {"Bearer " +
		tokens.access.Reveal()}}
	answer, err := fetch.Do(p.client, r)
	switch {
	case err != nil:
		return nil, err
	case answer.Status != http.StatusOK:
		return nil, &StatusError{answer.Status, fetch.Place(r.URL)}
	case !answer.IsJSON() && (other == "" || answer.MediaType != other):
		return nil, fmt.Errorf("%s answered %q, which is no JSON", fetch.Place(r.URL), answer.MediaType)
	}
	return answer, nil
}

// exchange sends a grant to the token endpoint (RFC 6749 §4.1.3, §5).
func (p *provider) exchange(ctx context.Context, e *endpoints, form url.Values, now time.Time) (*Tokens, error) {
	answer, secrets, err := p.post(ctx, e, e.token, form)
	if err != nil {
		return nil, err
	}
	members, err := p.tokenAnswer(answer, endpointName(e.token), secrets)
	if err != nil {
		return nil, err
	}
	text := func(name string) string {
		value, _ := members[name].(string)
		return value
	}
	access, refresh, id := text("access_token"), text("refresh_token"), text("id_token")
	tokens := &Tokens{access: redact.New(access), refresh: redact.New(refresh), id: redact.New(id),
		// GitHub has commas.
		Scopes: strings.FieldsFunc(text("scope"), func(r rune) bool { return r == ' ' || r == ',' })}
	if max(len(access), len(refresh), len(id)) > maxToken || !validToken(access) {
		return nil, untrusted("the answer has no access token, or none that can be sent")
	}
	if kind := text("token_type"); kind != "" && !strings.EqualFold(kind, "Bearer") {
		return nil, untrustedValue("the access token is of another token_type", kind, "Bearer")
	}
	seconds := text("expires_in")
	if number, ok := members["expires_in"].(json.Number); ok {
		seconds = number.String()
	}
	if n, err := strconv.ParseInt(seconds, 10, 32); err == nil && n > 0 {
		tokens.ExpiresAt = now.Add(time.Duration(n) * time.Second)
	}
	return tokens, nil
}

// validToken reports what can be sent in a header.
func validToken(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// endpointName returns what a line of the log calls an endpoint: its URL without a query.
func endpointName(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return "the endpoint"
	}
	return fetch.Place(u)
}

// tokenAnswer reads an answer of the token endpoint, or its error.
func (p *provider) tokenAnswer(answer *fetch.Answer, from string, secrets []string) (map[string]any, error) {
	members, err := p.tokenMembers(answer, from)
	if says := errorOf(members); says != nil {
		says.refusal = says.is("invalid_grant") || slices.ContainsFunc(p.codes.InvalidGrant, says.is)
		says.from, says.status = from, answer.Status
		says.code, says.description = scrub(says.code, secrets), scrub(says.description, secrets)
		return nil, says
	}
	if isOutageStatus(answer.Status) {
		return nil, &StatusError{answer.Status, from}
	}
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, &StatusError{answer.Status, from}
	}
	return members, nil
}

// tokenMembers reads an answer as JSON or, of some providers, as a form.
func (p *provider) tokenMembers(answer *fetch.Answer, from string) (map[string]any, error) {
	switch {
	case answer.IsJSON():
		members, err := decodeObject(answer.Body)
		if err != nil {
			return nil, fmt.Errorf("%s answered status %d and no JSON object", from, answer.Status)
		}
		return members, nil
	case p.formResponses && answer.MediaType == "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(answer.Body))
		if err != nil {
			return nil, fmt.Errorf("%s answered status %d and no form", from, answer.Status)
		}
		members := make(map[string]any, len(values))
		for name, all := range values {
			if len(all) == 1 {
				members[name] = all[0]
			}
		}
		return members, nil
	}
	return nil, fmt.Errorf("%s answered status %d and the type %q, which is no JSON", from, answer.Status,
		answer.MediaType)
}

// errorOf returns the error in an answer, or nil (RFC 6749 §5.2). Of some providers it is an object.
func errorOf(members map[string]any) *providerError {
	switch fault := members["error"].(type) {
	case string:
		description, _ := members["error_description"].(string)
		return &providerError{code: fault, description: description}
	case map[string]any:
		kind, _ := fault["type"].(string)
		message, _ := fault["message"].(string)
		return &providerError{code: cmp.Or(kind, "unknown"), number: ID(fault, "code"), description: message}
	}
	return nil
}
