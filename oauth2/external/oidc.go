package external

import (
	"context"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// OIDC is a provider that speaks OpenID Connect, such as our own package server. Name,
// Issuer and ClientID are required. The provider is found by its metadata (OpenID Connect
// Discovery §4).
//
// This package always sends and checks state, nonce and PKCE, and checks "iss" of answers
// (RFC 9207), and the signature, issuer, audience, times and "at_hash" of the ID token
// (OpenID Connect Core §3.1.3.7). No field turns that off.
type OIDC struct {
	// Name is in the paths, of a-z, 0-9, - and _.
	Name string
	// Label is for people. Empty is Name.
	Label string
	// Issuer is the issuer's identifier, as the provider writes it: https, or http of a
	// loopback host.
	Issuer string

	ClientID string
	// ClientSecret is what the client proves itself with, unless Key does. Without both
	// it is a public client, which PKCE alone protects.
	ClientSecret auth.Secret
	// Method is how the secret is sent. Empty is by Basic, unless the metadata has
	// client_secret_post only.
	Method Method
	// Key signs an assertion in place of a secret (private_key_jwt, OpenID Connect Core
	// §9): an asymmetric one.
	Key *jwt.Key

	// AppClientIDs are the clients of native apps of this service. [Logins.FromIDToken] takes
	// their ID tokens besides those of ClientID.
	AppClientIDs []string

	// Scopes are asked for besides "openid". Nil is "profile" and "email".
	Scopes []string
	// Params are added to the authorization request, such as "prompt" or "acr_values".
	// What this package sets itself cannot be among them.
	Params map[string]string
	// Domains are the e-mail domains that this provider is authoritative for: an
	// address in another one is then not taken for verified, whatever the provider
	// says. See [Email.Authoritative] and [Logins.ForEmail].
	Domains []string
	// FormPost has the answer come by POST (OAuth 2.0 Form Post Response Mode). The
	// cookie of the attempt is then sent with requests of other sites. An answer of more
	// than 5 KiB is cut to the parameters that a login needs, and to "user".
	FormPost bool
	// Tenant is the claim that names the organization of a person, for [Profile.Tenant].
	Tenant string

	// Quirks are in what the provider differs from others.
	Quirks OIDCQuirks
}

// OIDCQuirks are in what an OpenID provider differs from others. The zero value is a
// provider that does what the specifications say.
//
// The functions are called after the checks of this package passed, or before a request
// that they add to. They must be safe for concurrent use.
type OIDCQuirks struct {
	// MetadataURL is where the metadata is, if it is not at the place that follows from
	// Issuer. What it says the issuer is must still be Issuer, or IssuerTemplate.
	MetadataURL string

	// IssuerTemplate is for a provider of many tenants, each of which is an issuer of its
	// own. It is the issuer of the metadata, with a name in braces in place of the
	// tenant: "https://login.microsoftonline.com/{tenantid}/v2.0". "iss" must be that with
	// a tenant in the braces, and the claim OIDC.Tenant of the ID token must be the same
	// tenant. Tenant is then required, and Issuer is only where the metadata is.
	IssuerTemplate string
	// IsTenant reports what can be a tenant in IssuerTemplate, and is required with it. It
	// is asked about text that is not verified: it must look at its form only, and be
	// strict (a UUID, say). Complete decides which tenants are admitted.
	IsTenant func(tenant string) bool
	// IssuerAliases are other spellings of Issuer that "iss" may have, such as one without
	// a scheme. They must not be issuers of somebody else: everybody that comes by an alias
	// has Issuer as [Profile.Issuer].
	IssuerAliases []string

	// KeyIssuers is that the provider publishes the keys of several issuers in one set, each with a member "issuer". A
	// key signs only ID tokens of the issuer that it names, in which "{tenantid}" stands for the claim "tid" of the ID
	// token.
	KeyIssuers bool
	// AllowKeysWithoutIssuer accepts keys without that member in spite of KeyIssuers. Each of them can then sign for
	// every issuer of the provider.
	AllowKeysWithoutIssuer bool

	// AnyDomain believes "email_verified" of addresses in any domain, even where Domains
	// are listed. It is for providers that serve everybody and have sent a mail to each
	// address. It must not be set for one where an administrator can write addresses. No
	// address is authoritative then, unless Complete says so.
	AnyDomain bool
	// NoUserInfo never asks the userinfo endpoint: all there is to know is in the ID token. Otherwise the endpoint is
	// asked if the ID token lacks what Scopes ask for, and a login is an outage if it does not answer. An answer that
	// the provider signed is verified. One that is encrypted cannot be read.
	NoUserInfo bool
	// NoMaxAge leaves "max_age" out, which the provider does not know.
	NoMaxAge bool

	// MakeSecret returns a client secret for one request, in place of ClientSecret. It must
	// not return an empty one.
	MakeSecret func(ctx context.Context) (auth.Secret, error)
	// Complete is called with the profile when all checks passed. It may refuse the person
	// with an error: [ErrNotAllowed] refuses the person, [ErrUntrusted] for
	// an answer that must not be believed, and any other error is an outage. It may also
	// fill in what the claims do not tell.
	//
	// It cannot change Issuer, Subject and AuthInfo, and with IssuerTemplate not Tenant. p is
	// a copy: what is written to it after the function returned changes nothing. It must set Email.Verified only if
	// the provider saw that the person reads the mail there. Email.Authoritative is true
	// when it is called, but false with AnyDomain. It must be set to false where the
	// provider has no say about the address, and to true only for domains in which the
	// provider gives out the addresses. It counts only for a verified address in Domains. What api.Answer returns,
	// and a name, proves nothing. There is no access token in a login by
	// [Logins.FromIDToken].
	Complete func(ctx context.Context, api *API, p *Profile) error

	// Errors are the codes that the provider has in place of those of RFC 6749.
	Errors ErrorCodes
}

// Define returns o.
func (o OIDC) Define() (Definition, error) { return o, nil }
