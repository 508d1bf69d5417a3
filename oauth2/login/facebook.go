package login

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

// Facebook signs in with Facebook accounts. People are known by an id that is another
// one for each app. Facebook says of no address that it is verified, so none is.
type Facebook struct {
	Name         string // empty is "facebook"
	ClientID     string // the App ID
	ClientSecret auth.Secret
	Version      string            // of the Graph API; empty is "v24.0"
	Scopes       []string          // nil is "public_profile" and "email"
	Params       map[string]string // of the authorization request, such as "auth_type"
	BaseURL      string            // of a double, in tests; empty is Facebook's two hosts
}

func (f Facebook) provider(env environment) (*provider, error) {
	if f.ClientSecret == "" {
		return nil, errors.New("oauth2/login: Facebook.ClientSecret is missing: it proves every call (appsecret_proof)")
	}
	version := cmp.Or(f.Version, "v24.0")
	if !strings.HasPrefix(version, "v") || strings.Trim(version, "v.0123456789") != "" {
		return nil, errors.New("oauth2/login: Facebook.Version is none, such as v24.0")
	}
	web, graph := trimmed(f.BaseURL, "https://www.facebook.com"), trimmed(f.BaseURL, "https://graph.facebook.com")
	if f.Scopes == nil {
		f.Scopes = []string{"public_profile", "email"}
	}
	p, err := OAuth2{
		Name: cmp.Or(f.Name, "facebook"), Label: "Facebook", Issuer: web, ResponseIssuer: web,
		AuthorizeURL: web + "/" + version + "/dialog/oauth", TokenURL: graph + "/" + version + "/oauth/access_token",
		ClientID: f.ClientID, ClientSecret: f.ClientSecret, Method: ClientSecretPost, Scopes: f.Scopes, Params: f.Params,
		Profile: func(ctx context.Context, from *API) (*Profile, error) {
			query := url.Values{"fields": {"id,name,email"}, "appsecret_proof": {appSecretProof(f.ClientSecret, from.Token())}}
			me, err := from.Get(ctx, graph+"/"+version+"/me?"+query.Encode())
			if err != nil {
				return nil, err
			}
			return &Profile{Subject: subjectOf(me["id"]), Name: claim(me, "name"), Email: Email{Address: claim(me, "email")}, Claims: me}, nil
		},
	}.ready(env, "Facebook")
	if p != nil {
		p.fragment = true
	}
	return p, err
}

// appSecretProof shows that a token is used by the app it is of.
func appSecretProof(secret, token auth.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(token.Reveal()))
	return hex.EncodeToString(mac.Sum(nil))
}
