package external

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/jwt"
)

// relyingParty is an OIDC made ready.
type relyingParty struct {
	OIDC
	*provider
	kind         string
	keys         *metadataKeys
	issuerPrefix string // of IssuerTemplate, before its braces
	issuerSuffix string // of IssuerTemplate, behind its braces
}

// reserved are the parameters that only this package sets.
var reserved = []string{"client_id", "client_secret", "response_type", "response_mode", "redirect_uri", "scope",
	"state", "nonce", "code_challenge", "code_challenge_method", "request", "request_uri", "max_age"}

func checkParams(kind string, params map[string]string) error {
	for name := range params {
		if slices.Contains(reserved, name) {
			return fmt.Errorf("oauth2/external: %s.Params: %q is set by the package", kind, name)
		}
	}
	return nil
}

// checkScopes refuses what is no scope.
func checkScopes(kind string, scopes []string) error {
	for _, scope := range scopes {
		if !backend.ValidScope(scope) {
			return fmt.Errorf("oauth2/external: %s.Scopes: %q is no scope (RFC 6749 §3.3)", kind, scope)
		}
	}
	return nil
}

// check returns the first setting that is at fault.
func (o OIDC) check(kind string) error {
	q := o.Quirks
	fault := ""
	switch {
	case o.Issuer == "":
		fault = "Issuer is missing"
	case !backend.ValidText(o.Issuer, maxIssuer):
		fault = "Issuer is longer than 1,024 bytes, or not UTF-8"
	case o.ClientSecret != "" && o.Key != nil:
		return fmt.Errorf("oauth2/external: %s has both ClientSecret and Key", kind)
	case q.MakeSecret != nil && (o.ClientSecret != "" || o.Key != nil):
		fault = "Quirks.MakeSecret beside ClientSecret or Key"
	case o.Key != nil && (!o.Key.CanSign() || o.Key.Public() == nil):
		fault = "Key must be asymmetric and have its private part"
	case o.Method != "" && o.Method != ClientSecretBasic && o.Method != ClientSecretPost:
		fault = fmt.Sprintf("Method %q is not known", o.Method)
	case q.IssuerTemplate != "" && (q.IsTenant == nil || o.Tenant == "" || q.IssuerAliases != nil):
		fault = "Quirks.IssuerTemplate needs Quirks.IsTenant and Tenant, and has no IssuerAliases"
	case q.IssuerTemplate == "" && q.IsTenant != nil:
		fault = "Quirks.IsTenant without IssuerTemplate"
	case q.AllowKeysWithoutIssuer && !q.KeyIssuers:
		fault = "Quirks.AllowKeysWithoutIssuer without KeyIssuers"
	case slices.Contains(q.IssuerAliases, ""):
		fault = "Quirks.IssuerAliases has an empty one"
	case slices.Contains(o.AppClientIDs, ""):
		fault = "AppClientIDs has an empty one"
	}
	if fault != "" {
		return fmt.Errorf("oauth2/external: %s.%s", kind, fault)
	}
	if err := fetch.CheckURL(o.Issuer); err != nil {
		return fmt.Errorf("oauth2/external: %s.Issuer %w", kind, err)
	}
	if err := fetch.CheckURL(q.MetadataURL); q.MetadataURL != "" && err != nil {
		return fmt.Errorf("oauth2/external: %s.Quirks.MetadataURL %w", kind, err)
	}
	return checkParams(kind, o.Params)
}

// ready implements [Definition].
func (o OIDC) ready(env environment, kind string) (*provider, error) {
	p, err := newProvider(env, kind, o.Name, o.Label, o.ClientID, o.Domains)
	if err != nil {
		return nil, err
	}
	if err := o.check(kind); err != nil {
		return nil, err
	}
	rp := &relyingParty{OIDC: o, provider: p, kind: kind}
	if err := rp.splitTemplate(); err != nil {
		return nil, err
	}
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email"}
	}
	p.scopes = append([]string{"openid"},
		slices.DeleteFunc(slices.Clone(o.Scopes), func(scope string) bool { return scope == "openid" })...)
	if err := checkScopes(kind, p.scopes); err != nil {
		return nil, err
	}
	p.issuer = cmp.Or(o.Quirks.IssuerTemplate, o.Issuer)
	p.iss, p.isIssuer = p.issuer, rp.isIssuer
	p.anyDomain = o.Quirks.AnyDomain
	p.formPost, p.nonce, p.maxAge, p.params = o.FormPost, true, !o.Quirks.NoMaxAge, maps.Clone(o.Params)
	p.codes, p.authenticate = o.Quirks.Errors, rp.authentication()
	found := &discovery{environment: env, issuer: p.issuer, from: o.Quirks.MetadataURL, turn: make(chan struct{}, 1)}
	if o.Quirks.IssuerTemplate != "" && found.from == "" {
		found.from = strings.TrimSuffix(o.Issuer, "/") + "/.well-known/openid-configuration"
	}
	p.endpoints = found.endpoints
	// A login is worth waiting for: one by a key that was published since the last fetch is not refused (OpenID Connect
	// Core §10.1.1).
	rp.keys = &metadataKeys{found: found, config: jwt.RemoteKeysConfig{Client: env.client, Timeout: env.timeout,
		CoolDown: keysCoolDown, Patience: keysPatience, Logger: env.logger}}
	if _, err := newVerifier([]string{p.clientID}, rp.keys, rp.issuers()); err != nil {
		return nil, fmt.Errorf("oauth2/external: %s: %w", kind, err)
	}
	p.clients = append([]string{p.clientID}, o.AppClientIDs...)
	// The secrets are in what authenticates.
	rp.ClientSecret, rp.Key = "", nil
	p.profile, p.checkRefreshed = rp.verifyIdentity, rp.checkRefreshed
	p.ready = func(ctx context.Context, now time.Time) error {
		_, err := rp.keys.Current(ctx, now)
		return err
	}
	return p, nil
}

const (
	// keysCoolDown is how often the keys of a provider are fetched, at most.
	keysCoolDown = time.Second
	// keysPatience is how long a login waits for its turn.
	keysPatience = 2 * time.Second
)

// authentication returns how the client authenticates.
func (rp *relyingParty) authentication() func(context.Context, *endpoints, url.Values, http.Header) error {
	p, key, make := rp.provider, rp.Key, rp.Quirks.MakeSecret
	switch {
	case make != nil:
		return p.bySecret(func(ctx context.Context) (auth.Secret, error) {
			secret, err := make(ctx)
			if err == nil && secret == "" {
				err = errors.New("oauth2/external: " + rp.kind + ".Quirks.MakeSecret returned no secret and no error")
			}
			return secret, err
		}, rp.Method)
	case key == nil:
		return p.bySecret(fixedSecret(rp.ClientSecret), rp.Method)
	}
	return func(_ context.Context, e *endpoints, form url.Values, _ http.Header) error {
		assertion, err := assert(key, p.clientID, e.token, time.Now())
		form.Set("client_id", p.clientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		return err
	}
}

// splitTemplate reads IssuerTemplate.
func (rp *relyingParty) splitTemplate() error {
	template := rp.Quirks.IssuerTemplate
	if template == "" {
		return nil
	}
	before, rest, ok := strings.Cut(template, "{")
	_, after, closed := strings.Cut(rest, "}")
	if !ok || !closed || strings.ContainsAny(after, "{}") || fetch.CheckURL(before+"tenant"+after) != nil {
		return fmt.Errorf("oauth2/external: %s.Quirks.IssuerTemplate is no URL with one name in braces", rp.kind)
	}
	rp.issuerPrefix, rp.issuerSuffix = before, after
	return nil
}

// tenantOf returns the tenant of an issuer by IssuerTemplate, or "".
func (rp *relyingParty) tenantOf(iss string) string {
	tenant, ok := strings.CutPrefix(iss, rp.issuerPrefix)
	if !ok {
		return ""
	}
	tenant, ok = strings.CutSuffix(tenant, rp.issuerSuffix)
	if !ok || tenant == "" || strings.ContainsAny(tenant, "/?#{}") || !rp.Quirks.IsTenant(tenant) {
		return ""
	}
	return tenant
}

// isIssuer reports what "iss" may be.
func (rp *relyingParty) isIssuer(iss string) bool {
	if rp.Quirks.IssuerTemplate != "" {
		return rp.tenantOf(iss) != ""
	}
	return slices.Contains(rp.issuers(), iss)
}

// issuers are those of ID tokens where there is no IssuerTemplate.
func (rp *relyingParty) issuers() []string {
	return append([]string{rp.Issuer}, rp.Quirks.IssuerAliases...)
}

// assertTTL is how long an assertion is good.
const assertTTL = time.Minute

// assert proves the client by its key (RFC 7523 §2.2).
func assert(key *jwt.Key, clientID, audience string, now time.Time) (string, error) {
	return jwt.Sign(key, "", map[string]any{"iss": clientID, "sub": clientID, "aud": audience, "jti": backend.NewID(),
		"iat": now.Unix(), "exp": now.Add(assertTTL).Unix()})
}
