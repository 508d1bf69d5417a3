package external

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// Apple signs in with Apple accounts. Apple takes no redirect URI of a loopback host,
// and sends people back by a POST of another site, so that the cookie of the attempt is
// SameSite=None.
//
// Apple tells a name only when a person comes for the first time, and unsigned: keep it
// then, and do not rely on it. An address may be a relay of Apple's (the claim
// "is_private_email").
type Apple struct {
	Name     string // empty is "apple"
	ClientID string // the Services ID
	// TeamID is what Apple calls the team.
	TeamID string
	// KeyID is what Apple calls the key.
	KeyID string
	// PrivateKey is the text of the file AuthKey_….p8. With the key a client secret is made for each use.
	PrivateKey auth.Secret
	// Scopes are asked for. Nil is "name" and "email".
	Scopes []string
	// Domains are as in [OIDC]. Apple gives out the addresses at icloud.com, me.com, mac.com
	// and privaterelay.appleid.com. Of any other it saw once that the person read the mail
	// there, so it is never authoritative for one.
	Domains []string
	// AppClientIDs are as in [OIDC]: the bundle identifiers of apps.
	AppClientIDs []string
	BaseURL      string // of a double, in tests. Empty is https://appleid.apple.com
}

const appleIssuer = "https://appleid.apple.com"

// appleDomains are those in which Apple gives out the addresses.
var appleDomains = []string{"icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"}

// appleSecretTTL is how long a client secret is good. Apple allows six months.
const appleSecretTTL = 5 * time.Minute

// Define implements [Provider].
func (a Apple) Define() (Definition, error) {
	if a.TeamID == "" || a.KeyID == "" || a.PrivateKey == "" {
		return nil, errors.New("oauth2/external: Apple.TeamID, KeyID or PrivateKey is missing")
	}
	key, err := jwt.ParsePEM(jwt.ES256, []byte(a.PrivateKey.Reveal()))
	if err != nil || !key.CanSign() {
		return nil, errors.New("oauth2/external: Apple.PrivateKey is no private key of P-256 in PEM")
	}
	key = key.WithID(a.KeyID)
	if a.Scopes == nil {
		a.Scopes = []string{"name", "email"}
	}
	issuer := trimmed(a.BaseURL, appleIssuer)
	return OIDC{
		Name: cmp.Or(a.Name, "apple"), Label: "Apple", Issuer: issuer, ClientID: a.ClientID, Method: ClientSecretPost,
		Scopes: a.Scopes, Domains: a.Domains, AppClientIDs: a.AppClientIDs, FormPost: true,
		Quirks: OIDCQuirks{
			AnyDomain: true, NoUserInfo: true, NoMaxAge: true,
			MakeSecret: func(context.Context) (auth.Secret, error) {
				now := time.Now()
				secret, err := jwt.Sign(key, "", map[string]any{"iss": a.TeamID, "sub": a.ClientID, "aud": issuer,
					"iat": now.Unix(), "exp": now.Add(appleSecretTTL).Unix()})
				return auth.Secret(secret), hookError("Apple.PrivateKey", err)
			},
			Complete: func(_ context.Context, api *API, p *Profile) error {
				p.Name = cmp.Or(p.Name, appleName(api.Answer("user")))
				p.Email.Authoritative = slices.Contains(appleDomains, domainOf(p.Email.Address))
				return nil
			},
		},
	}, nil
}

// appleName reads the name of "user", the one thing in there that does no harm if it is
// a lie.
func appleName(user string) string {
	members, err := decodeObject([]byte(user))
	if err != nil {
		return ""
	}
	name, _ := members["name"].(map[string]any)
	return clean(Text(name, "firstName") + " " + Text(name, "lastName"))
}
