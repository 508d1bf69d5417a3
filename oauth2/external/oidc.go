package external

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
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

// OIDC is a provider that speaks OpenID Connect: Keycloak, Okta, Auth0, Entra, our own
// package server. Name, Issuer and ClientID are required. It is found by its metadata
// (OpenID Connect Discovery §4).
type OIDC struct {
	// Name is in the paths, of a-z, 0-9, - and _; Label is for people, Name by default.
	Name, Label string
	// Issuer is the issuer's identifier, as the provider writes it: https, or http of a
	// loopback host.
	Issuer string

	ClientID string
	// ClientSecret is what the client proves itself with, unless Key does; neither is a
	// public client, which PKCE alone protects.
	ClientSecret auth.Secret
	// Method is how the secret is sent; empty is by Basic, unless the metadata has
	// client_secret_post only.
	Method Method
	// Key signs an assertion in place of a secret (private_key_jwt, OpenID Connect Core
	// §9): an asymmetric one.
	Key *jwt.Key

	// AppClientIDs are the clients of native apps of this service, whose ID tokens
	// [Logins.FromIDToken] takes besides those of ClientID.
	AppClientIDs []string

	// Scopes are asked for besides "openid"; nil is "profile" and "email".
	Scopes []string
	// Params are added to the authorization request, such as "prompt" or "acr_values".
	// What this package sets itself cannot be among them.
	Params map[string]string
	// Domains are the e-mail domains that this provider is authoritative for: an
	// address in another one is then not taken for verified, whatever the provider
	// says. See [Email.Authoritative] and [Logins.ForEmail].
	Domains []string
	// FormPost has the answer come by POST (OAuth 2.0 Form Post Response Mode). The
	// cookie of the attempt is then sent with requests of other sites.
	FormPost bool
	// Tenant is the claim that names the organization of a person, for [Profile.Tenant].
	Tenant string
}

func (o OIDC) provider(env environment) (*provider, error) {
	return relyingParty{OIDC: o, kind: "OIDC"}.provider(env)
}

// relyingParty is an OIDC with what presets do otherwise.
type relyingParty struct {
	OIDC
	kind string
	// issuer is whose identities they are, where "iss" has several spellings; see
	// issuers.
	issuers []string
	// template is the issuer of metadata that is no issuer of tokens: each tenant has
	// its own, which isIssuer tells.
	template string
	from     string // where the metadata is
	isIssuer func(iss string) bool
	// accept refuses what the claims of a preset say, and completes the profile.
	accept func(p *Profile, form url.Values) error
	// authenticate is as in provider.
	authenticate func(e *endpoints, form url.Values, header http.Header) error
	noUserInfo   bool
	noMaxAge     bool
}

// reserved are the parameters that only this package sets.
var reserved = []string{"client_id", "client_secret", "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"request", "request_uri", "max_age"}

func checkParams(kind string, params map[string]string) error {
	for name := range params {
		if slices.Contains(reserved, name) {
			return fmt.Errorf("oauth2/external: %s.Params: %q is set by the package", kind, name)
		}
	}
	return nil
}

func (o relyingParty) provider(env environment) (*provider, error) {
	p, err := base(env, o.kind, o.Name, o.Label, o.ClientID, o.Domains)
	if err != nil {
		return nil, err
	}
	issuer := cmp.Or(o.template, o.Issuer)
	switch {
	case o.Issuer == "":
		return nil, fmt.Errorf("oauth2/external: %s.Issuer is missing", o.kind)
	case o.ClientSecret != "" && o.Key != nil:
		return nil, fmt.Errorf("oauth2/external: %s has both ClientSecret and Key", o.kind)
	case o.Key != nil && (!o.Key.CanSign() || o.Key.Public() == nil):
		return nil, fmt.Errorf("oauth2/external: %s.Key must be asymmetric and have its private part", o.kind)
	case o.Method != "" && o.Method != ClientSecretBasic && o.Method != ClientSecretPost:
		return nil, fmt.Errorf("oauth2/external: %s.Method %q is not known", o.kind, o.Method)
	}
	if err := fetch.CheckURL(o.Issuer); err != nil {
		return nil, fmt.Errorf("oauth2/external: %s.Issuer %w", o.kind, err)
	}
	if err := checkParams(o.kind, o.Params); err != nil {
		return nil, err
	}
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email"}
	}
	p.key, p.formPost, p.nonce, p.maxAge, p.params = issuer, o.FormPost, true, !o.noMaxAge, maps.Clone(o.Params)
	p.scopes = append([]string{"openid"}, slices.DeleteFunc(slices.Clone(o.Scopes), func(scope string) bool { return scope == "openid" })...)
	for _, scope := range p.scopes {
		if !backend.ValidScope(scope) {
			return nil, fmt.Errorf("oauth2/external: %s.Scopes: %q is no scope (RFC 6749 §3.3)", o.kind, scope)
		}
	}
	if o.issuers == nil {
		o.issuers = []string{o.Issuer}
	}
	if o.isIssuer == nil {
		o.isIssuer = func(iss string) bool { return iss == o.Issuer }
	}
	p.iss, p.isIssuer = issuer, o.isIssuer
	found := &discovery{environment: env, issuer: issuer, from: o.from, turn: make(chan struct{}, 1)}
	p.endpoints = found.endpoints
	p.authenticate = p.bySecret(o.ClientSecret, o.Method)
	switch {
	case o.authenticate != nil:
		p.authenticate = o.authenticate
	case o.Key != nil:
		p.authenticate = func(e *endpoints, form url.Values, _ http.Header) error {
			assertion, err := assert(o.Key, p.clientID, e.token, time.Now())
			form.Set("client_id", p.clientID)
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			form.Set("client_assertion", assertion)
			return err
		}
	}
	// ID tokens come from the provider itself, so nobody can have it asked for keys that
	// are not: a new key is found soon.
	keysOf := jwt.RemoteKeysConfig{Issuer: o.Issuer, Client: env.client, Timeout: env.timeout, CoolDown: time.Second, Logger: env.logger}
	if o.template != "" {
		keysOf.Issuer, keysOf.URL = "", strings.TrimSuffix(o.Issuer, "/v2.0")+"/discovery/v2.0/keys"
	}
	keys, err := jwt.NewRemoteKeys(keysOf)
	if err != nil {
		return nil, fmt.Errorf("oauth2/external: %s: %w", o.kind, err)
	}
	if _, err := newVerifier([]string{p.clientID}, keys, o.issuers); err != nil {
		return nil, fmt.Errorf("oauth2/external: %s: %w", o.kind, err)
	}
	p.clients = append([]string{p.clientID}, o.AppClientIDs...)
	p.profile = func(ctx context.Context, a *answer) (*Profile, error) { return o.whoIsIt(ctx, p, keys, a) }
	return p, nil
}

// leeway is how much a provider's clock and ours may differ.
const leeway = time.Minute

func newVerifier(clients []string, keys jwt.KeySource, issuers []string) (*jwt.Verifier, error) {
	config := jwt.VerifierConfig{CacheSize: -1, MaxLength: maxToken}
	for _, issuer := range issuers {
		config.Issuers = append(config.Issuers, jwt.Issuer{
			Issuer: issuer, Audience: clients, Keys: keys, Types: []string{"JWT", ""}, Leeway: leeway,
			Require: []string{"iat"}, Scoped: true, // what else a provider puts there is not ours to forbid
			User: jwt.SubjectUser, Claims: func(payload []byte) (any, error) { return decode(payload) },
		})
	}
	return jwt.NewVerifier(config)
}

// decode reads an object, with numbers as they are written.
func decode(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil || members == nil || decoder.More() {
		return nil, errors.New("no JSON object")
	}
	return members, nil
}

// whoIsIt checks the ID token (OpenID Connect Core §3.1.3.7) and makes a profile of it.
func (o relyingParty) whoIsIt(ctx context.Context, p *provider, keys jwt.KeySource, a *answer) (*Profile, error) {
	idToken := a.tokens.id.Reveal()
	if idToken == "" {
		return nil, untrusted("there is no ID token")
	}
	issuers := o.issuers
	if o.template != "" {
		// Which tenant's key set and issuer to hold it to is all that is read before the
		// signature is checked.
		iss := unverifiedIssuer(idToken)
		if !o.isIssuer(iss) {
			return nil, o.otherIssuer(ctx, p, keys, idToken, errIssuer)
		}
		issuers = []string{iss}
	}
	verifier, err := newVerifier(a.clients, keys, issuers)
	if err != nil {
		return nil, err
	}
	_, credential, err := verifier.VerifyToken(ctx, idToken)
	switch auth.KindOf(err) {
	case auth.ErrInvalid, auth.ErrMalformed:
		return nil, untrustedBy("the ID token is refused", o.inOwnTerms(err))
	case auth.ErrUnrecognized:
		return nil, o.otherIssuer(ctx, p, keys, idToken, err)
	}
	if err != nil {
		return nil, err
	}
	token, ok := auth.As[*jwt.Token](credential)
	if !ok {
		return nil, errors.New("oauth2/external: a verifier returned another credential than a *jwt.Token")
	}
	claims, _ := jwt.ClaimsOf[map[string]any](token)
	if err := checkIDToken(token, claims, idToken, a); err != nil {
		return nil, err
	}
	claims = maps.Clone(claims)
	profile := &Profile{Issuer: o.Issuer, Subject: token.Subject(), AuthInfo: token.AuthInfo(), Claims: claims}
	if o.template != "" {
		profile.Issuer = token.Issuer()
	}
	if claims["email"] == nil {
		delete(claims, "email_verified") // of whatever address
	}
	if !o.noUserInfo && a.tokens.Access() != "" && a.endpoints.userInfo != "" && (claims["email"] == nil && slices.Contains(p.scopes, "email") || claims["name"] == nil && slices.Contains(p.scopes, "profile")) {
		more, err := p.userInfo(ctx, a)
		if err != nil {
			return nil, err
		}
		if more["sub"] != profile.Subject { // OpenID Connect Core §5.3.2
			about, _ := more["sub"].(string)
			return nil, untrustedValue("userinfo is about another subject than the ID token", about, profile.Subject)
		}
		if _, ok := claims["email"]; ok {
			delete(more, "email_verified") // which may be of another address
		}
		for name, value := range more {
			if _, ok := claims[name]; !ok { // what is signed counts
				claims[name] = value
			}
		}
	}
	profile.Email.Address, profile.Email.Verified = claim(claims, "email"), flag(claims, "email_verified")
	profile.Name, profile.Username, profile.Picture = claim(claims, "name"), claim(claims, "preferred_username"), claim(claims, "picture")
	if o.Tenant != "" {
		profile.Tenant = claim(claims, o.Tenant)
	}
	profile.Email.Authoritative = true // if its domain is listed
	if o.accept == nil {
		o.accept = func(profile *Profile, _ url.Values) error {
			// Who is responsible for some domains has no say about others.
			if len(p.domains) > 0 && !slices.Contains(p.domains, domainOf(profile.Email.Address)) {
				profile.Email.Verified = false
			}
			return nil
		}
	}
	return profile, o.accept(profile, a.form)
}

// halfHash is the left half of a hash, by the algorithm of the ID token (OpenID Connect
// Core §3.1.3.6).
func halfHash(idToken, accessToken string) string {
	var sum []byte
	switch algorithm := algorithmOf(idToken); {
	case strings.HasSuffix(algorithm, "256"):
		full := sha256.Sum256([]byte(accessToken))
		sum = full[:16]
	case strings.HasSuffix(algorithm, "384"):
		full := sha512.Sum384([]byte(accessToken))
		sum = full[:24]
	default: // 512, and Ed25519
		full := sha512.Sum512([]byte(accessToken))
		sum = full[:32]
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// algorithmOf returns "alg" of a token whose signature was checked by it.
func algorithmOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(header)
	var members struct {
		Algorithm string `json:"alg"`
	}
	_ = json.Unmarshal(text, &members)
	return members.Algorithm
}

// unverifiedIssuer returns "iss" of a token that nothing was checked of.
func unverifiedIssuer(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxToken {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	members, err := decode(payload)
	if err != nil {
		return ""
	}
	iss, _ := members["iss"].(string)
	return iss
}

// userInfo asks about the owner of the access token (OpenID Connect Core §5.3).
func (p *provider) userInfo(ctx context.Context, a *answer) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	text, err := p.get(ctx, a.endpoints.userInfo, a.tokens)
	if err != nil {
		return nil, err
	}
	claims, err := decode(text)
	if err != nil {
		return nil, untrusted("userinfo is no JSON object")
	}
	return claims, nil
}

// assertTTL is how long an assertion is good.
const assertTTL = time.Minute

// assert proves the client by its key (RFC 7523 §2.2).
func assert(key *jwt.Key, clientID, audience string, now time.Time) (string, error) {
	return jwt.Sign(key, "", map[string]any{"iss": clientID, "sub": clientID, "aud": audience, "jti": backend.NewID(),
		"iat": now.Unix(), "exp": now.Add(assertTTL).Unix()})
}
