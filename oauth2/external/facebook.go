package external

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/hidden"
)

// Facebook signs in with Facebook accounts. People are known by an id that is another
// one for each app. Facebook says of no address that it is verified, so none is.
type Facebook struct {
	Name         string // empty is "facebook"
	ClientID     string // the App ID
	ClientSecret auth.Secret
	Version      string            // of the Graph API; empty is "v24.0"
	Scopes       []string          // nil is "public_profile" and "email"
	LongLived    bool              // for Config.KeepTokens: a token of about 60 days, rather than of hours
	Params       map[string]string // of the authorization request, such as "auth_type"
	BaseURL      string            // of a double, in tests; empty is Facebook's two hosts
}

func (f Facebook) provider(env environment) (*provider, error) {
	if f.ClientSecret == "" {
		return nil, errors.New("oauth2/external: Facebook.ClientSecret is missing: it proves every call (appsecret_proof)")
	}
	version := cmp.Or(f.Version, "v24.0")
	if !strings.HasPrefix(version, "v") || strings.Trim(version, "v.0123456789") != "" {
		return nil, errors.New("oauth2/external: Facebook.Version is none, such as v24.0")
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
	if err != nil {
		return nil, err
	}
	p.fragment = true
	if f.LongLived {
		p.prolong = func(ctx context.Context, e *endpoints, tokens *Tokens, now time.Time) (*Tokens, error) {
			return p.exchange(ctx, e, url.Values{"grant_type": {"fb_exchange_token"}, "fb_exchange_token": {tokens.access.Reveal()}}, now)
		}
	}
	p.issuedHere = func(ctx context.Context, token auth.Secret) error {
		// The app proves itself by "id|secret", as Facebook writes an app's own token.
		own := &API{p, &Tokens{access: hidden.Of(f.ClientID + "|" + f.ClientSecret.Reveal())}}
		answer, err := own.Get(ctx, graph+"/debug_token?"+url.Values{"input_token": {token.Reveal()}}.Encode())
		if err != nil {
			return err
		}
		data, _ := answer["data"].(map[string]any)
		if !flag(data, "is_valid") || data["type"] != "USER" || subjectOf(data["app_id"]) != f.ClientID {
			return untrusted("the token is not good, or another app's")
		}
		return nil
	}
	return p, nil
}

// appSecretProof shows that a token is used by the app it is of.
func appSecretProof(secret, token auth.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(token.Reveal()))
	return hex.EncodeToString(mac.Sum(nil))
}
